//! The real surroundings: netlink sockets, files, the clock, the time zone.

mod ahead;

use std::cell::{Cell, OnceCell, RefCell};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use ctnetlink::client::{BatchBounds, PollTransport, Transport, open_for_batches};
use flow::text::CivilTime;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sys::netlink::{OpenError, Socket};
use sys::signal::{EndSignal, EndSignals};
use sys::wait::{Interest, wait};

use self::ahead::ReadAhead;
use crate::surroundings::{EventSource, Kernel, Received, System, Wake};

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
}

impl End {
    /// From now on a signal is a wish and does not end the process.
    fn hold(&self) -> io::Result<()> {
        if self.signals.get().is_none() {
            let signals = EndSignals::hold()?;
            // It was empty a moment ago, and there is one thread.
            let _ = self.signals.set(signals);
        }
        Ok(())
    }

    /// Takes a signal that has come; whether there was one.
    fn take(&self) -> io::Result<bool> {
        let taken = self.signals.get().map_or(Ok(None), EndSignals::take)?;
        if taken.is_some() {
            self.wish.set(taken);
        }
        Ok(taken.is_some())
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
        self.0.hold()
    }

    fn end_is_wished(&self) -> bool {
        // A descriptor that cannot be read says nothing.
        let _ = self.0.take();
        self.0.wish().is_some()
    }

    fn subscribe(&self, groups: u32) -> Result<Box<dyn EventSource + '_>, OpenError> {
        // First the signals: from the moment the socket is a member, an end is an orderly one.
        self.0.hold().map_err(OpenError::Open)?;
        Ok(Box::new(EventSocket { socket: Socket::open(groups)?, end: self.0 }))
    }
}

struct EventSocket<'e> {
    socket: Socket,
    end: &'e End,
}

impl EventSource for EventSocket<'_> {
    fn set_buffer(&mut self, bytes: usize) -> io::Result<usize> {
        self.socket.set_receive_buffer(bytes)
    }

    fn wait(&mut self) -> io::Result<Wake> {
        let Some(signals) = self.end.signals.get().filter(|_| self.end.wish().is_none()) else {
            return Ok(Wake::Stop);
        };
        let stdout = io::stdout();
        let [stop, closed, _] = wait([
            (signals.as_fd(), Interest::Readable),
            (stdout.as_fd(), Interest::ReaderGone),
            (self.socket.as_fd(), Interest::Readable),
        ])?;
        if stop && self.end.take()? {
            return Ok(Wake::Stop);
        }
        Ok(if closed { Wake::OutputClosed } else { Wake::Readable })
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        match self.socket.try_receive(buffer) {
            Ok(len) => Ok(Received::Datagram(len)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Received::Nothing),
            // ENOBUFS has no kind of its own.
            Err(error) if error.raw_os_error() == Some(105) => Ok(Received::Overrun),
            Err(error) => Err(error),
        }
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
            if stop && self.end.take()? && was_wished {
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
    zone: OnceCell<TimeZone>,
    /// The port that was looked up last, when, and whose it was.
    owner: RefCell<Option<(u32, u64, Option<String>)>>,
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
        let mut owner = self.owner.borrow_mut();
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
