//! What the service manager hears of the daemon: that it is ready, that it lives, that it ends.
//!
//! The protocol is that of `sd_notify(3)`: datagrams of `NAME=VALUE` lines to the Unix socket that `NOTIFY_SOCKET` names,
//! a path or, after `@`, an abstract name. Upstream's messages and their order, with a line of status added. Our own
//! few lines, because the crate sd-notify knows no abstract names, waits without limit for a manager that does not read,
//! and makes a socket for each message.
//!
//! The watchdog (`WATCHDOG_USEC`) is fed from the daemon's loop as one of its deadlines, so a turn that does not end is
//! noticed. A manager that does not read costs at most `PATIENCE` at the start and at the end, and nothing in between.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration as StdDuration;

use ctsync::time::{Duration, Instant};
use sys::error_text::error_text;

use crate::config::{Mode, Role};
use crate::surroundings::System;

/// How long a message at the start or the end waits for room in the manager's queue.
const PATIENCE: StdDuration = StdDuration::from_secs(1);

/// The shortest time between two messages of life, so that a wrong value does not keep the daemon busy.
const PERIOD_MIN: Duration = Duration::from_millis(1);

/// Why nobody hears of the daemon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The address is of another kind, for example of a socket between virtual machines.
    #[error(
        "can't notify the service manager: NOTIFY_SOCKET is neither a path nor an abstract name"
    )]
    Kind,
    /// There is no socket, or the address is too long.
    #[error("can't notify the service manager: {}", error_text(.0))]
    Io(#[source] io::Error),
}

/// The manager's ear, if there is one.
#[derive(Debug, Default)]
pub struct Service {
    channel: Option<Channel>,
    /// Time between two messages of life.
    period: Option<Duration>,
    /// When the next one is to be sent.
    due: Option<Instant>,
}

impl Service {
    /// Looks who started this process. Nobody hears of it if the environment names no socket.
    ///
    /// To be called before the process goes to the background: the watchdog is meant for the process that was started.
    pub fn open(system: &dyn System) -> Result<Self, OpenError> {
        let address = system.variable("NOTIFY_SOCKET").filter(|address| !address.is_empty());
        let Some(address) = address else { return Ok(Self::default()) };
        let channel = Channel::open(&address)?;
        Ok(Self { channel: Some(channel), period: watchdog_period(system), due: None })
    }

    /// Another process goes on. To be called by the one that was started.
    pub fn tell_main_process(&self, pid: u32) -> io::Result<()> {
        self.send(&format!("MAINPID={pid}"))
    }

    /// The start is over. The watchdog begins.
    pub fn tell_ready(&mut self, now: Instant, status: &str) -> io::Result<()> {
        let sent = self.send(&format!("READY=1\nSTATUS={status}"));
        self.due = self.period.map(|period| now.after(period));
        let Some(channel) = &self.channel else { return Ok(()) };
        sent.and(channel.socket.set_nonblocking(true))
    }

    /// The end begins. If the manager does not hear of it, it sees the process end.
    pub fn tell_stopping(&mut self) {
        self.due = None;
        let Some(channel) = &self.channel else { return };
        let _ = channel
            .socket
            .set_nonblocking(false)
            .and_then(|()| channel.send("STOPPING=1\nSTATUS=Ending"));
    }

    /// When [`Self::on_deadline`] is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Says that the daemon lives, if it is time to. What finds no room is sent again before the manager gives up.
    pub fn on_deadline(&mut self, now: Instant) -> io::Result<()> {
        let Some(period) = self.period.filter(|_| self.due.is_some_and(|due| now >= due)) else {
            return Ok(());
        };
        let sent = self.send("WATCHDOG=1");
        let wait = if sent.is_ok() { period } else { Duration(period.0 / 4).max(PERIOD_MIN) };
        self.due = Some(now.after(wait));
        sent
    }

    fn send(&self, text: &str) -> io::Result<()> {
        self.channel.as_ref().map_or(Ok(()), |channel| channel.send(text))
    }
}

/// Half of what the manager allows, if it wants this process to say that it lives.
fn watchdog_period(system: &dyn System) -> Option<Duration> {
    let number = |name| {
        let value = system.variable(name)?;
        Some(value.to_str().and_then(|text| text.parse::<u64>().ok()))
    };
    // Without a number of a process it is meant for whoever sees it.
    let is_for_this = number("WATCHDOG_PID").is_none_or(|pid| pid == Some(system.pid().into()));
    let microseconds = number("WATCHDOG_USEC")??;
    let period = Duration(microseconds.saturating_mul(1000) / 2);
    (is_for_this && microseconds > 0).then(|| period.max(PERIOD_MIN))
}

/// A socket and where it sends to.
#[derive(Debug)]
struct Channel {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Channel {
    fn open(address: &OsStr) -> Result<Self, OpenError> {
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            [b'/', ..] => SocketAddr::from_pathname(address),
            _ => return Err(OpenError::Kind),
        };
        let address = address.map_err(OpenError::Io)?;
        let socket = UnixDatagram::unbound().map_err(OpenError::Io)?;
        socket.set_write_timeout(Some(PATIENCE)).map_err(OpenError::Io)?;
        Ok(Self { socket, address })
    }

    /// Not connected: a manager that starts anew listens on another socket of the same name.
    fn send(&self, text: &str) -> io::Result<()> {
        self.socket.send_to_addr(text.as_bytes(), &self.address).map(|_| ())
    }
}

/// What a daemon of this role does, in a line for the status of the service.
pub fn status(role: &Role) -> String {
    match role {
        Role::Idle => "Idle: neither Sync nor Stats is configured".to_owned(),
        Role::Stats(_) => "Logging flows that end".to_owned(),
        Role::Sync(sync) => {
            let mode = match sync.mode {
                Mode::Ftfw(_) => "FTFW",
                Mode::Alarm(_) => "ALARM",
                Mode::Notrack(_) => "NOTRACK",
            };
            format!("Replicating flows, mode {mode}")
        }
    }
}

#[cfg(test)]
mod tests;
