//! A file of a log: lines are gathered and written with one system call. No line is lost silently.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::OpenError;

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

/// The file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    gathered: Vec<u8>,
    lost: u64,
    /// The last write ended inside of a line.
    is_torn: bool,
    /// Why a write between two calls of [`Self::flush`] failed.
    failure: Option<io::Error>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: sys::append_file::open(path)?,
            gathered: Vec::new(),
            lost: 0,
            is_torn: false,
            failure: None,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file of this name, which can be another one now.
    pub(super) fn reopen(&mut self) -> Result<(), OpenError> {
        let open = sys::append_file::open(&self.path);
        self.file = open.map_err(|reason| OpenError { path: self.path.clone(), reason })?;
        self.is_torn = false;
        Ok(())
    }

    /// Adds a line, its end included.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.gathered.extend_from_slice(line);
        if self.gathered.len() >= GATHERED_BYTES {
            self.failure = self.write().err().or(self.failure.take());
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> Flushed {
        if self.gathered.is_empty() && self.failure.is_none() {
            return Flushed::Done;
        }
        let had_lost = self.lost > 0;
        match self.write().and_then(|()| self.failure.take().map_or(Ok(()), Err)) {
            Err(error) => Flushed::Failed(error),
            Ok(()) if had_lost => Flushed::Recovered(std::mem::take(&mut self.lost)),
            Ok(()) => Flushed::Done,
        }
    }

    /// Writes all or counts what is lost. Either way nothing is gathered any more.
    fn write(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let end_of_torn: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let mut result = write_all(&self.file, end_of_torn).1;
        if result.is_ok() {
            let (written, outcome) = write_all(&self.file, &self.gathered);
            let rest = self.gathered.get(written..).unwrap_or_default();
            self.lost += lines(rest);
            // It is still torn if nothing of the line was written.
            self.is_torn = !rest.is_empty()
                && self
                    .gathered
                    .get(..written)
                    .is_some_and(|head| head.last().is_some_and(|byte| *byte != b'\n'));
            result = outcome;
        } else {
            self.lost += lines(&self.gathered);
        }
        self.gathered.clear();
        result
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// How much was written, and why not all.
fn write_all(mut file: &File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write(rest) {
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

    use super::{Flushed, GATHERED_BYTES, LogFile};

    #[test]
    fn lines_are_written_together_and_at_once_when_there_are_many() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut log = LogFile::open(Path::new(&fd_path(&writer))).unwrap();
        drop(writer);
        log.push(b"one\n");
        log.push(b"two\n");
        assert!(matches!(log.flush(), Flushed::Done));
        assert!(matches!(log.flush(), Flushed::Done));
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
        let mut log = LogFile::open(Path::new("/dev/full")).unwrap();
        for _ in 0..3 {
            log.push(b"line\nline\n");
            let Flushed::Failed(error) = log.flush() else { panic!() };
            assert_eq!(error.to_string(), "No space left on device (os error 28)");
        }
        // The loss of a large block is told by the next flush.
        log.push(&vec![b'\n'; GATHERED_BYTES]);
        assert_eq!(log.gathered.len(), 0);
        assert!(matches!(log.flush(), Flushed::Failed(_)));
        log.file = File::options().write(true).open("/dev/null").unwrap();
        log.push(b"line\n");
        let lost = 6 + GATHERED_BYTES as u64;
        assert!(matches!(log.flush(), Flushed::Recovered(count) if count == lost));
        assert!(matches!(log.flush(), Flushed::Done));
    }

    #[test]
    fn a_line_that_was_torn_does_not_spoil_the_next() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut log = LogFile::open(Path::new(&fd_path(&writer))).unwrap();
        drop(writer);
        let line = [[b'x'; 999].as_slice(), b"\n"].concat();
        // A pipe takes 64 KiB.
        let mut lost = 0;
        for _ in 0..70 {
            log.push(&line);
            lost += u64::from(matches!(log.flush(), Flushed::Failed(_)));
        }
        assert!(lost > 0);
        let mut text = vec![0; 60_000];
        reader.read_exact(&mut text).unwrap();
        log.push(b"next\n");
        assert!(matches!(log.flush(), Flushed::Recovered(count) if count == lost));
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
