//! Lines on their way to a file or a stream: gathered, and written with one system call. None is lost silently.

use std::io::{self, Write};

use ctsync::time::Instant;

use super::repeats::INTERVAL;

/// More than this is not gathered: it is written at once.
const GATHERED_BYTES: usize = 64 * 1024;

/// The outcome of a write.
#[derive(Debug)]
pub(super) enum Flushed {
    /// Nothing to say.
    Done,
    /// The lines are lost.
    Failed(io::Error),
    /// It works again. So many lines were lost before.
    Recovered(u64),
}

/// Lines that were lost. They are told when it works again, but once an interval: a reader that is slow, and not
/// dead, makes it work again and again.
#[derive(Debug, Default)]
pub(super) struct Lost {
    count: u64,
    not_before: Instant,
}

impl Lost {
    /// So many more.
    pub(super) fn add(&mut self, count: u64) {
        self.count = self.count.saturating_add(count);
    }

    /// It works: how many are to be told now.
    pub(super) fn tell(&mut self, now: Instant) -> Flushed {
        if self.count == 0 || now < self.not_before {
            return Flushed::Done;
        }
        self.not_before = now.after(INTERVAL);
        Flushed::Recovered(std::mem::take(&mut self.count))
    }

    /// When [`Self::tell`] has something, if it still works then.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        (self.count > 0).then_some(self.not_before)
    }

    /// At the end: how many were not told.
    pub(super) fn take(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.count)).filter(|count| *count > 0)
    }
}

/// Gathered lines, and where they go.
#[derive(Debug)]
pub(super) struct Lines<W> {
    writer: W,
    gathered: Vec<u8>,
    lost: Lost,
    /// The last write went well.
    works: bool,
    /// The last write ended inside of a line.
    is_torn: bool,
    /// Why a write between two calls of [`Self::flush`] failed.
    failure: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(writer: W) -> Self {
        let (gathered, lost) = (Vec::new(), Lost::default());
        Self { writer, gathered, lost, works: false, is_torn: false, failure: None }
    }

    /// From now on lines go there.
    pub(super) fn replace(&mut self, writer: W) {
        self.writer = writer;
        self.is_torn = false;
    }

    /// Adds a line, its end included.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.gathered.extend_from_slice(line);
        if self.gathered.len() >= GATHERED_BYTES {
            self.failure = self.write().err().or(self.failure.take());
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self, now: Instant) -> Flushed {
        if self.gathered.is_empty() && self.failure.is_none() {
            return if self.works { self.lost.tell(now) } else { Flushed::Done };
        }
        match self.write().and_then(|()| self.failure.take().map_or(Ok(()), Err)) {
            Err(error) => Flushed::Failed(error),
            Ok(()) => self.lost.tell(now),
        }
    }

    /// When [`Self::flush`] has losses to tell, though nothing was gathered.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.lost.next_deadline().filter(|_| self.works)
    }

    /// At the end: how many lines are missing, and were not told.
    pub(super) fn take_lost(&mut self) -> Option<u64> {
        self.lost.take()
    }

    /// Writes all or counts what is lost. Either way nothing is gathered any more.
    fn write(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let end_of_torn: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let mut result = write_all(&mut self.writer, end_of_torn).1;
        if result.is_ok() {
            let (written, outcome) = write_all(&mut self.writer, &self.gathered);
            let rest = self.gathered.get(written..).unwrap_or_default();
            self.lost.add(lines(rest));
            // With the end of a torn line, which was written, a new one began.
            self.is_torn = !rest.is_empty()
                && self
                    .gathered
                    .get(..written)
                    .is_some_and(|head| head.last().is_some_and(|byte| *byte != b'\n'));
            result = outcome;
        } else {
            self.lost.add(lines(&self.gathered));
        }
        self.gathered.clear();
        self.works = result.is_ok();
        result
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// How much was written, and why not all.
fn write_all(writer: &mut impl Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match writer.write(rest) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use super::*;

    const NOW: Instant = Instant(3_000_000_000);

    fn open(path: &str) -> Lines<File> {
        Lines::new(sys::append_file::open(Path::new(path)).unwrap())
    }

    #[test]
    fn lines_are_written_together_and_at_once_when_there_are_many() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut log = open(&fd_path(&writer));
        drop(writer);
        log.push(b"one\n");
        log.push(b"two\n");
        assert!(matches!(log.flush(NOW), Flushed::Done));
        assert!(matches!(log.flush(NOW), Flushed::Done));
        let mut text = [0; 8];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"one\ntwo\n");
        for _ in 0..GATHERED_BYTES / 1024 {
            log.push(&[b'x'; 1024]);
        }
        assert_eq!(log.gathered.len(), 0);
    }

    #[test]
    fn what_is_lost_is_counted_and_told_when_it_works_again() {
        let mut log = open("/dev/full");
        for _ in 0..3 {
            log.push(b"line\nline\n");
            let Flushed::Failed(error) = log.flush(NOW) else { panic!() };
            assert_eq!(error.to_string(), "No space left on device (os error 28)");
        }
        // The loss of a large block is told by the next flush.
        log.push(&vec![b'\n'; GATHERED_BYTES]);
        assert_eq!(log.gathered.len(), 0);
        assert!(matches!(log.flush(NOW), Flushed::Failed(_)));
        log.replace(File::options().write(true).open("/dev/null").unwrap());
        log.push(b"line\n");
        let lost = 6 + GATHERED_BYTES as u64;
        assert!(matches!(log.flush(NOW), Flushed::Recovered(count) if count == lost));
        assert!(matches!(log.flush(NOW), Flushed::Done));
    }

    #[test]
    fn losses_of_a_reader_that_is_slow_are_told_once_an_interval() {
        let mut lost = Lost::default();
        lost.add(3);
        assert!(matches!(lost.tell(NOW), Flushed::Recovered(3)));
        lost.add(1);
        assert!(matches!(lost.tell(NOW), Flushed::Done));
        lost.add(1);
        assert!(matches!(lost.tell(NOW.after(INTERVAL)), Flushed::Recovered(2)));
    }

    #[test]
    fn losses_are_told_behind_the_interval_without_another_line() {
        let mut log = open("/dev/full");
        let fail = |log: &mut Lines<File>| {
            log.replace(File::options().write(true).open("/dev/full").unwrap());
            log.push(b"lost\n");
            assert!(matches!(log.flush(NOW), Flushed::Failed(_)));
            assert_eq!(log.next_deadline(), None);
            log.replace(File::options().write(true).open("/dev/null").unwrap());
            log.push(b"line\n");
        };
        fail(&mut log);
        assert!(matches!(log.flush(NOW), Flushed::Recovered(1)));
        assert_eq!(log.next_deadline(), None);
        fail(&mut log);
        assert!(matches!(log.flush(NOW), Flushed::Done));
        let due = NOW.after(INTERVAL);
        assert_eq!(log.next_deadline(), Some(due));
        assert!(matches!(log.flush(due), Flushed::Recovered(1)));
        assert_eq!((log.next_deadline(), log.take_lost()), (None, None));
        fail(&mut log);
        assert!(matches!(log.flush(due), Flushed::Done));
        assert_eq!(log.take_lost(), Some(1));
    }

    #[test]
    fn a_line_that_was_torn_does_not_spoil_the_next() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut log = open(&fd_path(&writer));
        drop(writer);
        let line = [[b'x'; 999].as_slice(), b"\n"].concat();
        // A pipe takes 64 KiB.
        let mut lost = 0;
        for _ in 0..70 {
            log.push(&line);
            lost += u64::from(matches!(log.flush(NOW), Flushed::Failed(_)));
        }
        assert!(lost > 0);
        let mut text = vec![0; 60_000];
        reader.read_exact(&mut text).unwrap();
        log.push(b"next\n");
        assert!(matches!(log.flush(NOW), Flushed::Recovered(count) if count == lost));
        drop(log);
        reader.read_to_end(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let torn: Vec<&str> = text.lines().filter(|line| line.len() != 999).collect();
        assert!(matches!(torn[..], [.., "next"]) && torn.len() <= 2, "{torn:?}");
    }

    fn fd_path(fd: &impl AsRawFd) -> String {
        format!("/proc/self/fd/{}", fd.as_raw_fd())
    }
}
