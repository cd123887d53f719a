//! A file of a log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ctsync::time::Instant;

use super::lines::Lines;
use super::{OpenError, Trouble};

/// The file.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    lines: Lines<File>,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), lines: Lines::new(sys::append_file::open(path)?) })
    }

    /// Opens the file of this name, which can be another one now.
    pub(super) fn reopen(&mut self) -> Result<(), OpenError> {
        let open = sys::append_file::open(&self.path);
        self.lines.replace(open.map_err(|reason| OpenError { path: self.path.clone(), reason })?);
        Ok(())
    }

    /// Adds a line, its end included.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.lines.push(line);
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self, now: Instant) -> Option<Trouble> {
        let flushed = self.lines.flush(now);
        Trouble::of("failed writes of a logfile", &flushed, || self.place())
    }

    /// As [`Lines::next_deadline`].
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.lines.next_deadline()
    }

    /// At the end: what was not told.
    pub(super) fn take_lost(&mut self) -> Option<Trouble> {
        let lost = self.lines.take_lost()?;
        Some(Trouble::missing(lost, &self.place()))
    }

    fn place(&self) -> String {
        format!("logfile `{}'", self.path.display())
    }
}
