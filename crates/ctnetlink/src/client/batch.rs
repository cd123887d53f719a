//! Batches over a socket: [`Batch`] driven by a [`PollTransport`].

use std::io;

use sys::netlink::{OpenError, Socket};

use crate::wire::{RawMessage, Sequence};
use crate::{Answer, Batch, CreateMode, Request, WrittenRequest};

use super::PollTransport;

/// Answers are 36 bytes; a kernel that does not shorten them echoes the request, and a flow has some hundred.
const BUFFER_LEN: usize = 8 * 1024;
/// What is said of a request whose answer was lost again and again (`ENOBUFS`).
const ANSWER_LOST: i32 = 105;

/// Requests a batch. More bring nothing.
const MOST_REQUESTS: usize = 256;
/// What is asked for as receive buffer, which the kernel doubles.
const RECEIVE_BUFFER: usize = 256 * 1024;
/// What a refusal takes of the receive buffer at most: 832 bytes were measured (Linux 6.18).
const REFUSAL_BYTES: usize = 1280;
/// Bytes a batch, as far as the send buffer has room.
const MOST_BYTES: usize = 96 * 1024;

/// How large a batch may be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchBounds {
    /// Requests. All of them may be refused, and the refusals must fit into the receive buffer of the socket.
    pub requests: usize,
    /// Bytes. The send buffer of the socket must hold that and one request more.
    pub bytes: usize,
}

/// Opens a socket for batches, and says how large its buffers let them be.
///
/// # Errors
///
/// If the socket cannot be opened or does not take an option.
pub fn open_for_batches() -> Result<(Socket, BatchBounds), OpenError> {
    let socket = Socket::open(0)?;
    let bounds = prepare(&socket).map_err(OpenError::Open)?;
    Ok((socket, bounds))
}

fn prepare(socket: &Socket) -> io::Result<BatchBounds> {
    socket.set_short_refusals()?;
    // The system may allow no more than it has: then batches are smaller.
    let receive_bytes = match socket.set_receive_buffer(RECEIVE_BUFFER) {
        Ok(bytes) => bytes,
        Err(_) => socket.receive_buffer()?,
    };
    Ok(BatchBounds {
        requests: (receive_bytes / REFUSAL_BYTES).clamp(1, MOST_REQUESTS),
        bytes: MOST_BYTES.min(socket.send_buffer()? / 2),
    })
}

/// Sends changes in batches and reads what became of them, without waiting.
#[derive(Debug)]
pub struct BatchClient<T> {
    transport: T,
    batch: Batch,
    bounds: BatchBounds,
    buffer: Vec<u8>,
}

impl<T: PollTransport> BatchClient<T> {
    /// A client of this transport. Its requests are numbered from `first` on.
    pub fn new(transport: T, first: Sequence, bounds: BatchBounds) -> Self {
        Self { transport, batch: Batch::new(first), bounds, buffer: vec![0; BUFFER_LEN] }
    }

    /// The transport.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Whether so many requests more fit. Any number fits into an empty batch.
    pub fn has_room_for(&self, count: usize) -> bool {
        self.batch.is_empty()
            || (self.batch.len().saturating_add(count) <= self.bounds.requests
                && self.batch.byte_len() <= self.bounds.bytes)
    }

    /// Begins a new batch.
    pub fn clear(&mut self) {
        self.batch.clear();
    }

    /// Appends a request that changes something, or the get of a flow.
    pub fn push(&mut self, request: &Request<'_>) {
        self.batch.push(request);
    }

    /// Appends a creation or change that was written down, to be done in this mode.
    pub fn push_written(&mut self, request: WrittenRequest<'_>, mode: CreateMode) {
        self.batch.push_written(request, mode);
    }

    /// Sends the batch and says what became of each request.
    ///
    /// If answers are lost, requests of which nothing is known are sent once more, one by one: a creation that was done
    /// is then refused because the entry exists.
    pub fn run(&mut self) -> &[Answer] {
        self.run_with(|_, _| ())
    }

    /// The same; `each` gets the answers to gets, with the number of each. An answer may come more than once.
    pub fn run_with(&mut self, mut each: impl FnMut(usize, &RawMessage<'_>)) -> &[Answer] {
        if self.batch.is_empty() {
            return &[];
        }
        let Self { transport, batch, buffer, .. } = self;
        let is_sent = transport.send(batch.datagram()).is_ok();
        if is_sent && take_answers(transport, batch, buffer, Batch::is_answered, &mut each) {
            batch.conclude();
        } else {
            self.run_singly(each);
        }
        self.batch.answers()
    }

    fn run_singly(&mut self, mut each: impl FnMut(usize, &RawMessage<'_>)) {
        let Self { transport, batch, buffer, .. } = self;
        for index in 0..batch.len() {
            let is_answered = |batch: &Batch| batch.answers().get(index) != Some(&Answer::None);
            if is_answered(batch) {
                continue;
            }
            if let Err(error) = transport.send(batch.single(index)) {
                batch.answer(index, Answer::Refused(error.raw_os_error().unwrap_or(ANSWER_LOST)));
                continue;
            }
            take_answers(transport, batch, buffer, is_answered, &mut each);
            if !is_answered(batch) {
                batch.answer(index, Answer::Refused(ANSWER_LOST));
            }
        }
    }
}

/// Reads what waits until it is enough; whether it was and nothing was lost on the way.
fn take_answers(
    transport: &mut impl PollTransport,
    batch: &mut Batch,
    buffer: &mut [u8],
    is_enough: impl Fn(&Batch) -> bool,
    each: &mut impl FnMut(usize, &RawMessage<'_>),
) -> bool {
    let mut errors_left = 2;
    let mut is_whole = true;
    loop {
        match transport.try_receive(buffer) {
            Ok(Some(len)) => match buffer.get(..len) {
                Some(datagram) => batch.take(datagram, &mut *each),
                None => is_whole = false,
            },
            // A full buffer is reported once, before the answers that are in it.
            Err(_) if errors_left > 0 => {
                errors_left -= 1;
                is_whole = false;
            }
            Ok(None) | Err(_) => return false,
        }
        if is_enough(batch) {
            return is_whole;
        }
    }
}

#[cfg(test)]
mod tests;
