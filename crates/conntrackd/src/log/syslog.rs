//! The system's log, over its socket. Nothing waits for it: what it does not take at once is queued, and when the queue
//! is full lost and counted.
//!
//! A datagram is `<PRIORITY>Nov 22 10:55:40 conntrack-tools[7]: TEXT`, as syslog(3) of the C library writes it
//! (RFC 3164). That function is not used, since it waits for a syslog that does not read. Without a syslog nothing is
//! said, as the C library does; when there is one again, it is told how many lines it lacks.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use ctsync::time::{Duration, Instant};
use sys::wait::{Interest, wait_at_most};

use super::Trouble;
use super::lines::{Flushed, Lost};
use super::repeats::INTERVAL;
use crate::config::Facility;
use crate::daemon::clock::Clock;
use crate::report::Severity;

/// Where the system's log listens (`_PATH_LOG`).
pub(super) const PATH: &str = "/dev/log";

/// The name that lines have, as upstream's.
const IDENTITY: &str = "conntrack-tools";

/// How long a line may be: what every syslog takes.
const LONGEST: usize = 8192;

/// What waits for a syslog that is slow: the kernel takes ten datagrams (`net.unix.max_dgram_qlen`), and the end of
/// all flows is 90,000 lines in this.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// What a queued line costs besides its text.
const OVERHEAD: usize = 32;
/// Queued lines that are sent in one go.
const STEP: usize = 512;
/// A syslog that was busy is tried again after this, and if it takes nothing, after twice the time, up to the longest.
const SHORTEST_DELAY: Duration = Duration(500_000);
const LONGEST_DELAY: Duration = Duration::from_millis(64);
/// A syslog that has taken nothing for so long is told of.
const STUCK: Duration = Duration::from_secs(2);
/// How long the end waits for a syslog to take what is queued.
const PATIENCE: Duration = Duration::from_secs(1);

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
    queue: VecDeque<Box<[u8]>>,
    /// With [`OVERHEAD`].
    queued_bytes: usize,
    /// When the queue is tried again: at once if nothing else is said.
    retry_at: Instant,
    delay: Duration,
    /// When to say that syslog takes nothing, if it takes nothing until then.
    complain_at: Option<Instant>,
    lost: Lost,
    /// Why a line since the last call of [`Self::flush`] was lost.
    failure: Option<io::Error>,
    /// The last line was taken.
    works: bool,
    /// What the end may still wait.
    patience: Duration,
}

/// How sending a part of the queue ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// Nothing is queued.
    Empty,
    /// There is more.
    More,
    /// Syslog takes no more now.
    Busy { has_moved: bool },
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
            queue: VecDeque::new(),
            queued_bytes: 0,
            retry_at: Instant::default(),
            delay: SHORTEST_DELAY,
            complain_at: None,
            lost: Lost::default(),
            failure: None,
            works: false,
            patience: PATIENCE,
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
        if !self.queue.is_empty() {
            self.enqueue();
            return;
        }
        match deliver(&mut self.socket, &self.path, &self.line) {
            Ok(()) => self.works = true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.enqueue(),
            Err(error) => self.lose(1, error),
        }
    }

    /// Sends what is queued, and tells what is to be said of the lines since the last call.
    pub(super) fn flush(&mut self, now: Instant) -> Option<Trouble> {
        if !self.queue.is_empty() && now >= self.retry_at {
            match self.step() {
                Step::Empty | Step::More => (self.delay, self.complain_at) = (SHORTEST_DELAY, None),
                Step::Busy { has_moved: true } => {
                    (self.delay, self.complain_at) = (SHORTEST_DELAY, None);
                    self.retry_at = now.after(self.delay);
                }
                Step::Busy { has_moved: false } => {
                    self.complain_at.get_or_insert(now.after(STUCK));
                    self.retry_at = now.after(self.delay);
                    self.delay = self.delay.doubled().min(LONGEST_DELAY);
                }
            }
        }
        let kind = "lines that syslog did not take";
        if let Some(error) = self.failure.take() {
            if error.kind() == io::ErrorKind::WouldBlock {
                let text = "syslog takes no lines: they are missing there".to_owned();
                return Some(Trouble { kind: Some(kind), severity: Severity::Warning, text });
            }
            return Trouble::of(kind, &Flushed::Failed(error), || "syslog".to_owned());
        }
        if self.complain_at.is_some_and(|at| now >= at) {
            self.complain_at = Some(now.after(INTERVAL));
            let text = format!("syslog takes no lines: {} wait for it", self.queue.len());
            return Some(Trouble { kind: None, severity: Severity::Warning, text });
        }
        let can_tell = self.works && self.queue.is_empty();
        let flushed = if can_tell { self.lost.tell(now) } else { Flushed::Done };
        Trouble::of(kind, &flushed, || "syslog".to_owned())
    }

    /// When [`Self::flush`] has something to do though there is no new line.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        if self.queue.is_empty() {
            self.lost.next_deadline().filter(|_| self.works)
        } else {
            Some(self.retry_at)
        }
    }

    /// At the end: sends what is queued, waiting for it, [`PATIENCE`] in all. The rest is lost.
    pub(super) fn finish(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let clock = Clock::start();
        let start = clock.now();
        let end = start.after(self.patience);
        loop {
            let step = self.step();
            let left = end.since(clock.now());
            if step == Step::Empty || left == Duration(0) {
                break;
            }
            if let (Step::Busy { .. }, Some(socket)) = (step, &self.socket) {
                let milliseconds = u8::try_from(left.0.div_ceil(1_000_000)).unwrap_or(u8::MAX);
                if wait_at_most([(socket.as_fd(), Interest::Writable)], milliseconds).is_err() {
                    break;
                }
            }
        }
        self.patience = end.since(clock.now());
        self.lose_queue();
    }

    /// At the end: what was not told.
    pub(super) fn take_lost(&mut self) -> Option<Trouble> {
        self.lost.take().map(|lost| Trouble::missing(lost, "syslog"))
    }

    /// Sends a part of the queue.
    fn step(&mut self) -> Step {
        let mut has_moved = false;
        for _ in 0..STEP {
            let Some(line) = self.queue.front() else {
                // What a burst took is given back.
                self.queue = VecDeque::new();
                return Step::Empty;
            };
            match deliver(&mut self.socket, &self.path, line) {
                Ok(()) => self.works = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Step::Busy { has_moved };
                }
                Err(error) if is_there(&error) => self.lose(1, error),
                Err(_) => {
                    self.works = false;
                    self.lose_queue();
                    return Step::Empty;
                }
            }
            has_moved = true;
            self.queued_bytes = self.queued_bytes.saturating_sub(line_cost(self.queue.pop_front()));
        }
        Step::More
    }

    /// Queues the line that was made last.
    fn enqueue(&mut self) {
        let cost = self.line.len() + OVERHEAD;
        if self.queued_bytes + cost > QUEUE_BYTES {
            self.lose(1, io::ErrorKind::WouldBlock.into());
            return;
        }
        if self.queue.is_empty() {
            self.retry_at = Instant::default();
        }
        self.queued_bytes += cost;
        self.queue.push_back(self.line.as_slice().into());
    }

    fn lose(&mut self, count: u64, error: io::Error) {
        self.lost.add(count);
        if is_there(&error) {
            self.failure = Some(error);
        } else {
            self.works = false;
        }
    }

    fn lose_queue(&mut self) {
        self.lost.add(u64::try_from(self.queue.len()).unwrap_or(u64::MAX));
        self.queue = VecDeque::new();
        self.queued_bytes = 0;
    }
}

impl Drop for Syslog {
    /// A start that failed has its last words here.
    fn drop(&mut self) {
        self.finish();
    }
}

fn line_cost(line: Option<Box<[u8]>>) -> usize {
    line.map_or(0, |line| line.len() + OVERHEAD)
}

/// Sends a line, to a syslog that was begun anew, too.
fn deliver(socket: &mut Option<UnixDatagram>, path: &Path, line: &[u8]) -> io::Result<()> {
    if let Some(connected) = socket {
        match connected.send(line) {
            Ok(_) => return Ok(()),
            // It lives, and is busy.
            Err(error) if is_there(&error) => return Err(error),
            // It was begun anew.
            Err(_) => *socket = None,
        }
    }
    let fresh = UnixDatagram::unbound()?;
    fresh.set_nonblocking(true)?;
    fresh.connect(path)?;
    socket.insert(fresh).send(line).map(drop)
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
        const LINES: usize = 2500;
        let folder = folder("unread");
        let path = folder.join("log");
        let socket = listen(&path);
        let mut syslog = Syslog::new(&path, Facility::Daemon);
        syslog.patience = Duration::from_millis(10);
        let text = [b'x'; LONGEST];
        for _ in 0..LINES {
            syslog.send(7, CTIME, Priority::Notice, &text);
        }
        assert!(syslog.queued_bytes <= QUEUE_BYTES);
        let trouble = syslog.flush(NOW).unwrap();
        assert_eq!(trouble.text, "syslog takes no lines: they are missing there");
        assert!(trouble.kind.is_some());
        // It is tried again, less and less often, and said to be stuck.
        let mut now = NOW;
        for _ in 0..20 {
            now = syslog.next_deadline().unwrap();
            assert!(syslog.flush(now).is_none());
        }
        assert_eq!(syslog.next_deadline(), Some(now.after(LONGEST_DELAY)));
        let waiting = syslog.queue.len();
        let stuck = syslog.flush(NOW.after(STUCK)).unwrap();
        assert_eq!(stuck.text, format!("syslog takes no lines: {waiting} wait for it"));
        assert!(syslog.flush(NOW.after(STUCK).after(LONGEST_DELAY)).is_none());
        let taken = std::iter::from_fn(|| received(&socket)).count();
        syslog.finish();
        let queued = std::iter::from_fn(|| received(&socket)).count();
        assert!(taken > 0 && queued > 0);
        assert_eq!((syslog.queue.len(), syslog.queued_bytes), (0, 0));
        let told = syslog.take_lost().unwrap().text;
        assert_eq!(told, format!("{} lines are missing in syslog", LINES - taken - queued));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_syslog_that_is_slow_misses_nothing() {
        const LINES: usize = 2000;
        let folder = folder("slow");
        let path = folder.join("log");
        let socket = UnixDatagram::bind(&path).unwrap();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 100];
            for number in 0..LINES {
                let len = socket.recv(&mut buffer).unwrap();
                assert!(buffer[..len].ends_with(format!(": {number}").as_bytes()));
                std::thread::sleep(std::time::Duration::from_micros(20));
            }
        });
        let mut syslog = Syslog::new(&path, Facility::Daemon);
        for number in 0..LINES {
            syslog.send(7, CTIME, Priority::Notice, number.to_string().as_bytes());
        }
        // As the loop does it, and the end.
        let mut now = NOW;
        for _ in 0..20 {
            assert!(syslog.flush(now).is_none());
            let Some(due) = syslog.next_deadline() else { break };
            std::thread::sleep(std::time::Duration::from_nanos(due.since(now).0));
            now = now.max(due);
        }
        syslog.patience = Duration::from_secs(60);
        syslog.finish();
        assert!(syslog.take_lost().is_none());
        reader.join().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_loss_is_told_behind_the_interval_without_another_line() {
        let folder = folder("later");
        let path = folder.join("log");
        let _socket = listen(&path);
        let mut syslog = Syslog::new(&path, Facility::Daemon);
        syslog.send(7, CTIME, Priority::Notice, b"line");
        for _ in 0..2 {
            syslog.lost.add(1);
            let due = syslog.next_deadline().unwrap();
            assert!(syslog.flush(due.max(NOW)).is_some());
        }
        assert_eq!(syslog.next_deadline(), None);
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
