//! The real surroundings: netlink sockets, files, the clock, the time zone.

mod ahead;

use std::cell::{Cell, OnceCell};
use std::fs::File;
use std::io::{self, Cursor, IsTerminal as _, Read as _, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ctnetlink::bpf::FlowConditions;
use ctnetlink::client::{
    BatchBounds, EventSocket, EventsTaken, PollTransport, Transport, attach_filter,
    open_for_batches,
};
use flow::text::CivilTime;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sys::netlink::{Datagram, OpenError, Slots, Socket};
use sys::signal::{EndSignal, EndSignals, ToolSignal};
use sys::wait::{Interest, wait, wait_at_most};

use self::ahead::ReadAhead;
use crate::surroundings::{EventSource, Kernel, Received, System, Text, Wake};

/// The receive buffer of events is first asked to be this large, which the kernel doubles: some 1600 events.
const FIRST_BUFFER: usize = 1 << 20;
/// The receive buffer of events grows up to this, as the kernel accounts for it: some 50,000 events.
const MOST_BUFFER: usize = 64 << 20;
/// Two waits for events within this time are a flood of events.
const GATHER_US: i64 = 1000;
/// What a pipe with room takes without blocking (`PIPE_BUF` of Linux).
const PIPE_BUF: usize = 4096;
/// So long a program that was looked up stays the owner of its port: a bulk of its changes needs one look.
const OWNER_FOR_US: u64 = 100_000;
/// Netlink protocol number of netfilter in `/proc/net/netlink`.
const NETLINK_NETFILTER: &str = "12";

/// The wish to end: SIGINT and SIGTERM, once events are watched or the table is changed.
#[derive(Debug, Default)]
pub struct End {
    signals: OnceCell<EndSignals>,
    wish: Cell<Option<EndSignal>>,
    /// SIGUSR1 came and was not answered yet.
    report: Cell<bool>,
}

impl End {
    /// From now on a signal is a wish and does not end the process.
    fn hold(&self, begin: impl FnOnce() -> io::Result<EndSignals>) -> io::Result<()> {
        if self.signals.get().is_none() {
            let signals = begin()?;
            // It was empty a moment ago, and there is one thread.
            let _ = self.signals.set(signals);
        }
        Ok(())
    }

    /// Takes a signal that has come.
    fn take(&self) -> io::Result<Option<ToolSignal>> {
        let taken = self.signals.get().map_or(Ok(None), EndSignals::take)?;
        match taken {
            Some(ToolSignal::End(signal)) => self.wish.set(Some(signal)),
            Some(ToolSignal::Report) => self.report.set(true),
            None => {}
        }
        Ok(taken)
    }

    /// The signal that came last.
    pub fn wish(&self) -> Option<EndSignal> {
        self.wish.get()
    }
}

/// The kernel that runs.
#[derive(Debug)]
pub struct RealKernel<'e>(pub &'e End);

impl Kernel for RealKernel<'_> {
    fn connect(&self) -> Result<Box<dyn Transport>, OpenError> {
        Ok(Box::new(ReadAhead::new(Socket::open(0)?)))
    }

    fn connect_for_batches(&self) -> Result<(Box<dyn PollTransport>, BatchBounds), OpenError> {
        let (socket, bounds) = open_for_batches()?;
        Ok((Box::new(socket), bounds))
    }

    fn hold_end(&self) -> io::Result<()> {
        self.0.hold(EndSignals::hold)
    }

    fn end_is_wished(&self) -> bool {
        // A descriptor that cannot be read says nothing.
        let _ = self.0.take();
        self.0.wish().is_some()
    }

    fn subscribe(
        &self,
        groups: u32,
        conditions: &FlowConditions,
    ) -> Result<Box<dyn EventSource + '_>, OpenError> {
        // First the signals: from the moment the socket is a member, an end is an orderly one.
        self.0.hold(EndSignals::hold_with_report).map_err(OpenError::Open)?;
        let mut socket = EventSocket::open(MOST_BUFFER)?;
        if socket.buffer_bytes() < 2 * FIRST_BUFFER {
            // Without the right to more than the system's limit it becomes as large as that.
            socket.set_buffer(FIRST_BUFFER).map_err(OpenError::Open)?;
        }
        if !conditions.is_empty() {
            // A kernel that takes no program sends more; all is checked again.
            let _ = attach_filter(&socket, |_| conditions.compile());
        }
        let mut numbers = (0..u32::BITS).filter(|bit| groups >> bit & 1 == 1);
        numbers
            .try_for_each(|bit| socket.socket().join(bit.saturating_add(1)))
            .map_err(OpenError::Bind)?;
        Ok(Box::new(RealEvents { socket, end: self.0, is_drained: true, woken_us: None }))
    }
}

fn now_us() -> i64 {
    Timestamp::now().as_microsecond()
}

struct RealEvents<'e> {
    socket: EventSocket,
    end: &'e End,
    /// All that waited was read.
    is_drained: bool,
    /// When the last wait ended, in microseconds.
    woken_us: Option<i64>,
}

impl RealEvents<'_> {
    /// When events come again within a millisecond, it costs less to let some of them come together: one that comes alone is
    /// shown at once, one of many a millisecond later.
    fn let_some_gather(&mut self, signals: &EndSignals) -> io::Result<()> {
        let since_us =
            self.woken_us.replace(now_us()).map_or(i64::MAX, |then| now_us().saturating_sub(then));
        if self.is_drained && (0..GATHER_US).contains(&since_us) {
            wait_at_most([(signals.as_fd(), Interest::Readable)], 1)?;
            self.woken_us = Some(now_us());
        }
        Ok(())
    }
}

impl EventSource for RealEvents<'_> {
    fn set_buffer(&mut self, bytes: usize) -> io::Result<usize> {
        let became = self.socket.set_buffer(bytes)?;
        self.socket.keep_buffer();
        Ok(became)
    }

    fn wait(&mut self) -> io::Result<Wake> {
        // It may have come while the output was written.
        if self.end.report.take() {
            return Ok(Wake::Report);
        }
        let Some(signals) = self.end.signals.get().filter(|_| self.end.wish().is_none()) else {
            return Ok(Wake::Stop);
        };
        let stdout = io::stdout();
        let [stop, closed, _] = wait([
            (signals.as_fd(), Interest::Readable),
            (stdout.as_fd(), Interest::ReaderGone),
            (self.socket.as_fd(), Interest::Readable),
        ])?;
        if stop && matches!(self.end.take()?, Some(ToolSignal::End(_))) {
            return Ok(Wake::Stop);
        }
        if self.end.report.take() {
            return Ok(Wake::Report);
        }
        if closed {
            return Ok(Wake::OutputClosed);
        }
        self.let_some_gather(signals)?;
        Ok(Wake::Readable)
    }

    fn receive(&mut self, most: usize, each: &mut dyn FnMut(Datagram<'_>)) -> io::Result<Received> {
        match self.socket.receive(most, each)? {
            EventsTaken::Datagrams(taken) => {
                self.is_drained = taken < most;
                if taken == Slots::MOST {
                    // Whether it could grow does not matter here.
                    let _ = self.socket.grow_if_filling();
                }
                Ok(Received::Datagrams(taken))
            }
            EventsTaken::Overrun(_) => Ok(Received::Overrun),
        }
    }

    fn lost(&self) -> io::Result<u32> {
        self.socket.socket().drops()
    }

    fn waiting_bytes(&self) -> io::Result<usize> {
        self.socket.socket().waiting_bytes()
    }
}

/// Standard output, not buffered.
///
/// A reader that takes its time is waited for, also if the descriptor does not block. While signals are held back, one
/// that comes in the meantime is noted, and a second one gives the reader up: the program can always be ended.
#[derive(Debug)]
pub struct RealStdout<'e> {
    file: File,
    /// Whether it has a reader, who can be slow: it is a pipe, a socket or a terminal, not a file or `/dev/null`.
    has_reader: bool,
    end: &'e End,
}

impl<'e> RealStdout<'e> {
    /// The standard output of this process.
    pub fn new(end: &'e End) -> io::Result<Self> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let kind = file.metadata()?.file_type();
        let is_store = kind.is_file() || (kind.is_char_device() && !file.is_terminal());
        Ok(Self { file, has_reader: !is_store, end })
    }

    /// Waits until a block can be written, which then does not block.
    fn wait_for_room(&self) -> io::Result<()> {
        loop {
            let room = (self.file.as_fd(), Interest::Writable);
            let Some(signals) = self.end.signals.get() else {
                return wait([room]).map(|_| ());
            };
            let [stop, room] = wait([(signals.as_fd(), Interest::Readable), room])?;
            let was_wished = self.end.wish().is_some();
            let signal = if stop { self.end.take()? } else { None };
            if was_wished && matches!(signal, Some(ToolSignal::End(_))) {
                return Err(io::Error::other("ended by a second signal"));
            }
            if room {
                return Ok(());
            }
        }
    }
}

impl Write for RealStdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let watched = self.has_reader && self.end.signals.get().is_some();
        loop {
            let part = if watched {
                self.wait_for_room()?;
                bytes.get(..PIPE_BUF).unwrap_or(bytes)
            } else {
                bytes
            };
            match self.file.write(part) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_for_room()?,
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The system that runs.
#[derive(Debug, Default)]
pub struct RealSystem {
    /// That of the environment, read when a local time is first asked for: it costs more than many a command.
    zone: OnceLock<TimeZone>,
    /// The port that was looked up last, when, and whose it was.
    owner: Mutex<Option<(u32, u64, Option<String>)>>,
}

impl RealSystem {
    fn find_program(port_id: u32) -> Option<String> {
        let sockets = std::fs::read_to_string("/proc/net/netlink").ok()?;
        let inode = inode_of_port(&sockets, port_id)?;
        let target = format!("socket:[{inode}]");
        // Most programs use their process id as the port of their first socket.
        let first = port_id.to_string();
        if owns(&first, &target) {
            return name_of(&first);
        }
        let processes = std::fs::read_dir("/proc").ok()?;
        processes
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
            .find(|process| owns(process, &target))
            .and_then(|process| name_of(&process))
    }
}

impl System for RealSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Text>> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_file() {
            return Ok(Box::new(file));
        }
        // A pipe can be read only once.
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(Box::new(Cursor::new(text)))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the edge where the environment is read")]
    fn has_variable(&self, name: &str) -> bool {
        std::env::var_os(name).is_some()
    }

    fn now_us(&self) -> u64 {
        u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default()
    }

    fn local_time(&self, seconds: u64) -> CivilTime {
        // Beyond the calendar's end the last second that it has.
        let timestamp = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .unwrap_or(Timestamp::MAX);
        let time = self.zone.get_or_init(TimeZone::system).to_datetime(timestamp);
        let part = |part: i8| u8::try_from(part).unwrap_or_default();
        CivilTime {
            year: time.year(),
            month: part(time.month()),
            day: part(time.day()),
            hour: part(time.hour()),
            minute: part(time.minute()),
            second: part(time.second()),
            weekday: part(time.weekday().to_sunday_zero_offset()),
        }
    }

    fn program_of_port(&self, port_id: u32) -> Option<String> {
        let now_us = self.now_us();
        let mut owner = self.owner.lock().unwrap_or_else(PoisonError::into_inner);
        match &*owner {
            Some((port, then_us, name))
                if *port == port_id && now_us.saturating_sub(*then_us) < OWNER_FOR_US =>
            {
                name.clone()
            }
            _ => {
                let name = Self::find_program(port_id);
                *owner = Some((port_id, now_us, name.clone()));
                name
            }
        }
    }
}

/// The inode of a netfilter socket: the tenth column of the line with that protocol and port.
fn inode_of_port(sockets: &str, port_id: u32) -> Option<&str> {
    let port = port_id.to_string();
    sockets.lines().skip(1).find_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let is_it = columns.next()? == NETLINK_NETFILTER && columns.next()? == port;
        is_it.then(|| columns.nth(6)).flatten()
    })
}

fn owns(process: &str, target: &str) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{process}/fd")) else {
        return false;
    };
    descriptors
        .filter_map(Result::ok)
        .any(|entry| std::fs::read_link(entry.path()).is_ok_and(|link| link == Path::new(target)))
}

/// The name in `/proc/PID/stat`, between the first and the last parenthesis.
fn name_of(process: &str) -> Option<String> {
    let stat = std::fs::read(format!("/proc/{process}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.split_once('(')?;
    let (name, _) = rest.rsplit_once(')')?;
    Some(name.chars().map(|c| if c.is_control() { '?' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::inode_of_port;

    #[test]
    fn inode_is_found_by_protocol_and_port() {
        let file = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n\
            ffff 0   77         00000000 0        0        0     2        0        11\n\
            ffff 12  77         00000007 0        0        0     2        0        4242\n";
        assert_eq!(inode_of_port(file, 77), Some("4242"));
        assert_eq!(inode_of_port(file, 78), None);
    }
}
