//! A socket of requests that reads long dumps ahead.
//!
//! The kernel does the work of a dump inside the `recv` of who reads it. So once a dump proves to be long, a thread reads
//! it while the program formats what came before: both take their share of the time, not one after the other. A short
//! answer costs nothing extra, and neither does a long one where there is one CPU: there the program reads by itself.
//!
//! Bound: at most [`BUFFERS`] buffers, which go round between the two. The thread ends with the dump, or with the transport.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use ctnetlink::client::Transport;
use ctnetlink::wire::{Messages, control};
use sys::netlink::Socket;

/// A dump of more datagrams (32 KiB each, some 140 flows) is a long one.
const SHORT: u32 = 8;
/// Buffers of the thread. A datagram takes half a millisecond of the kernel, so this bridges a few slow writes.
const BUFFERS: usize = 16;
/// Stack of the thread, which calls `recv` and little else.
const STACK_BYTES: usize = 64 * 1024;

/// A datagram in a buffer of the thread: its length, which is more than the buffer's if it did not fit.
type Filled = io::Result<(Vec<u8>, usize)>;

/// A [`Transport`] over a socket.
#[derive(Debug)]
pub(super) struct ReadAhead {
    socket: Arc<Socket>,
    /// Datagrams that came since the last request.
    received: u32,
    ahead: Option<Ahead>,
}

/// The reader's ends of the two channels.
#[derive(Debug)]
struct Ahead {
    filled: Receiver<Filled>,
    empty: SyncSender<Vec<u8>>,
}

impl ReadAhead {
    pub(super) fn new(socket: Socket) -> Self {
        Self { socket: Arc::new(socket), received: 0, ahead: None }
    }

    fn receive_itself(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.socket.receive(buffer)?;
        self.received = self.received.saturating_add(1);
        // Where no thread can be had, reading goes on as before.
        if self.received == SHORT
            && !buffer.get(..len).is_none_or(is_end)
            && thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1)
        {
            self.ahead = Ahead::start(Arc::clone(&self.socket), buffer.len()).ok();
        }
        Ok(len)
    }
}

impl Transport for ReadAhead {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.received = 0;
        self.ahead = None;
        self.socket.send(datagram)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(ahead) = &self.ahead else {
            return self.receive_itself(buffer);
        };
        let Ok(filled) = ahead.filled.recv() else {
            // The thread saw the end and everything it read is taken.
            self.ahead = None;
            return self.receive_itself(buffer);
        };
        let (bytes, len) = filled?;
        if let (Some(to), Some(from)) = (buffer.get_mut(..len), bytes.get(..len)) {
            to.copy_from_slice(from);
        }
        // The thread may have ended by now.
        let _ = ahead.empty.try_send(bytes);
        Ok(len)
    }
}

impl Ahead {
    /// Starts the thread. What it receives into is as large as what the program would.
    fn start(socket: Arc<Socket>, buffer_bytes: usize) -> io::Result<Self> {
        let (give_back, empty) = sync_channel(BUFFERS);
        let (give, filled) = sync_channel(BUFFERS);
        let mut buffers = Buffers { empty, made: 0, bytes: buffer_bytes };
        thread::Builder::new()
            .name("reader".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || read(&socket, &mut buffers, &give))?;
        Ok(Self { filled, empty: give_back })
    }
}

/// Where the thread gets its buffers from: those that came back, and new ones as long as there are few.
struct Buffers {
    empty: Receiver<Vec<u8>>,
    made: usize,
    bytes: usize,
}

impl Buffers {
    /// `None` if nobody gives any back.
    fn next(&mut self) -> Option<Vec<u8>> {
        match self.empty.try_recv() {
            Err(TryRecvError::Empty) if self.made < BUFFERS => {
                self.made = self.made.saturating_add(1);
                Some(vec![0; self.bytes])
            }
            Err(TryRecvError::Empty) => self.empty.recv().ok(),
            received => received.ok(),
        }
    }
}

/// Reads until the end of the dump, an error, or the end of who wants it.
fn read(socket: &Socket, buffers: &mut Buffers, filled: &SyncSender<Filled>) {
    while let Some(mut buffer) = buffers.next() {
        let received = socket.receive(&mut buffer);
        let ended = match &received {
            Ok(len) => buffer.get(..*len).is_none_or(is_end),
            Err(_) => true,
        };
        if filled.send(received.map(|len| (buffer, len))).is_err() || ended {
            return;
        }
    }
}

/// Whether nothing follows this datagram for sure, or it cannot be understood.
fn is_end(datagram: &[u8]) -> bool {
    Messages::new(datagram).any(|message| {
        message.is_ok_and(|message| {
            matches!(message.header.kind, control::DONE | control::ERROR | control::OVERRUN)
        })
    })
}
