//! The system's log, over its socket. Nothing waits for it: what it does not take is lost and counted.
//!
//! A datagram is `<PRIORITY>Nov 22 10:55:40 conntrack-tools[7]: TEXT`, as syslog(3) of the C library writes it (RFC 3164).
//! That function is not used, since it waits for a syslog that does not read. Without a syslog nothing is said, as the C
//! library does; when there is one again, it is told how many lines it lacks.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use ctsync::time::Instant;

use super::Trouble;
use super::lines::{Flushed, Lost};
use crate::config::Facility;
use crate::report::Severity;

/// Where the system's log listens (`_PATH_LOG`).
pub(super) const PATH: &str = "/dev/log";

/// The name that lines have, as upstream's.
const IDENTITY: &str = "conntrack-tools";

/// How long a line may be: what every syslog takes.
const LONGEST: usize = 8192;

/// How grave a line is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Priority {
    /// `LOG_ERR`
    Error = 3,
    /// `LOG_WARNING`
    Warning = 4,
    /// `LOG_NOTICE`
    Notice = 5,
    /// `LOG_INFO`
    Info = 6,
}

/// The way to the system's log for one facility.
#[derive(Debug)]
pub(super) struct Syslog {
    path: PathBuf,
    facility: u8,
    socket: Option<UnixDatagram>,
    line: Vec<u8>,
    lost: Lost,
    /// Why a line since the last call of [`Self::flush`] was not taken.
    failure: Option<io::Error>,
    is_used: bool,
}

impl Syslog {
    /// The socket is opened with the first line.
    pub(super) fn new(path: &Path, facility: Facility) -> Self {
        let facility = match facility {
            Facility::Daemon => 3,
            Facility::Local(number) => 16 + number.min(7),
        };
        Self {
            path: path.to_owned(),
            facility,
            socket: None,
            line: Vec::new(),
            lost: Lost::default(),
            failure: None,
            is_used: false,
        }
    }

    /// Sends a line. `ctime` is the time as ctime(3) writes it.
    pub(super) fn send(&mut self, pid: u32, ctime: &[u8], priority: Priority, text: &[u8]) {
        self.line.clear();
        let number = u32::from(self.facility) << 3 | priority as u32;
        let _ = write!(self.line, "<{number}>");
        self.line.extend_from_slice(ctime.get(4..19).unwrap_or_default());
        let _ = write!(self.line, " {IDENTITY}[{pid}]: ");
        self.line.extend_from_slice(text);
        self.line.truncate(LONGEST);
        match self.deliver() {
            Ok(()) => self.is_used = true,
            Err(error) => {
                self.lost.add(1);
                if is_there(&error) {
                    self.failure = Some(error);
                }
            }
        }
    }

    /// What is to be said of the lines since the last call.
    pub(super) fn flush(&mut self, now: Instant) -> Option<Trouble> {
        let kind = "lines that syslog did not take";
        let is_used = std::mem::take(&mut self.is_used);
        if let Some(error) = self.failure.take() {
            if error.kind() == io::ErrorKind::WouldBlock {
                let text = "syslog takes no lines: they are missing there".to_owned();
                return Some(Trouble { kind: Some(kind), severity: Severity::Warning, text });
            }
            return Trouble::of(kind, &Flushed::Failed(error), || "syslog".to_owned());
        }
        let flushed = if is_used { self.lost.tell(now) } else { Flushed::Done };
        Trouble::of(kind, &flushed, || "syslog".to_owned())
    }

    fn deliver(&mut self) -> io::Result<()> {
        if let Some(socket) = &self.socket {
            match socket.send(&self.line) {
                Ok(_) => return Ok(()),
                // It lives, and is busy.
                Err(error) if is_there(&error) => return Err(error),
                // It was begun anew.
                Err(_) => self.socket = None,
            }
        }
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect(&self.path)?;
        let socket = self.socket.insert(socket);
        socket.send(&self.line).map(drop)
    }
}

/// Whether somebody listens who has refused a line.
fn is_there(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::NotConnected
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::log::repeats::INTERVAL;

    const NOW: Instant = Instant(3_000_000_000);
    const CTIME: &[u8] = b"Sun Nov  2 10:55:40 2026";

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("syslog-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn received(socket: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 10_000];
        let len = socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
    }

    fn listen(path: &Path) -> UnixDatagram {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    #[test]
    fn a_line_has_the_form_of_the_c_library() {
        let folder = folder("form");
        let path = folder.join("log");
        let socket = listen(&path);
        let mut daemon = Syslog::new(&path, Facility::Daemon);
        daemon.send(7, CTIME, Priority::Error, b"text: 100% s %n");
        let line = received(&socket).unwrap();
        assert_eq!(line, "<27>Nov  2 10:55:40 conntrack-tools[7]: text: 100% s %n");
        let mut local = Syslog::new(&path, Facility::Local(7));
        local.send(7, CTIME, Priority::Info, &b"x".repeat(20_000));
        let line = received(&socket).unwrap();
        assert!(line.starts_with("<190>Nov  2 10:55:40 conntrack-tools[7]: xxx"));
        assert_eq!(line.len(), LONGEST);
        assert!(local.flush(NOW).is_none() && daemon.flush(NOW).is_none());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_syslog_that_does_not_read_stops_nobody_and_what_it_lacks_is_counted() {
        let folder = folder("full");
        let path = folder.join("log");
        let socket = listen(&path);
        let mut syslog = Syslog::new(&path, Facility::Daemon);
        for _ in 0..10_000 {
            syslog.send(7, CTIME, Priority::Notice, b"line");
        }
        let trouble = syslog.flush(NOW).unwrap();
        assert_eq!(trouble.text, "syslog takes no lines: they are missing there");
        assert!(trouble.kind.is_some());
        assert!(syslog.flush(NOW).is_none());
        let taken = std::iter::from_fn(|| received(&socket)).count();
        assert!((1..10_000).contains(&taken), "{taken}");
        syslog.send(7, CTIME, Priority::Notice, b"line");
        let trouble = syslog.flush(NOW).unwrap();
        assert_eq!(trouble.text, format!("{} lines are missing in syslog", 10_000 - taken));
        assert!(trouble.kind.is_none());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_syslog_that_is_not_there_is_no_trouble_and_one_that_begins_anew_is_found() {
        let folder = folder("absent");
        let path = folder.join("log");
        let mut syslog = Syslog::new(&path, Facility::Daemon);
        syslog.send(7, CTIME, Priority::Notice, b"lost");
        assert!(syslog.flush(NOW).is_none());
        let first = listen(&path);
        syslog.send(7, CTIME, Priority::Notice, b"first");
        assert!(received(&first).unwrap().ends_with(": first"));
        assert_eq!(syslog.flush(NOW).unwrap().text, "1 lines are missing in syslog");
        drop(first);
        syslog.send(7, CTIME, Priority::Notice, b"lost");
        assert!(syslog.flush(NOW).is_none());
        fs::remove_file(&path).unwrap();
        let second = listen(&path);
        syslog.send(7, CTIME, Priority::Notice, b"second");
        assert!(received(&second).unwrap().ends_with(": second"));
        assert!(syslog.flush(NOW).is_none());
        syslog.send(7, CTIME, Priority::Notice, b"third");
        let trouble = syslog.flush(NOW.after(INTERVAL)).unwrap();
        assert_eq!(trouble.text, "1 lines are missing in syslog");
        fs::remove_dir_all(folder).unwrap();
    }
}
