//! Entries on their way to standard output, with what a document needs around them.

use std::io::Write;

use ctnetlink::client::DumpOutcome;

use super::closing;
use crate::frame::Frame;
use crate::output::Output;
use crate::report::Failure;

/// Counts and frames what it shows.
pub(super) struct Entries<'o> {
    frame: Frame,
    output: Output<'o>,
    count: u64,
}

impl<'o> Entries<'o> {
    /// None yet.
    pub(super) fn new(frame: Frame, output: Output<'o>) -> Self {
        Self { frame, output, count: 0 }
    }

    /// Shows an entry of a list. That it cannot be written ends the list.
    pub(super) fn show(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Failure> {
        self.begin(write);
        self.output.end_of_entry(self.frame.after_entry())
    }

    /// Shows an entry to which something was done. That it cannot be written is said at the end.
    pub(super) fn record(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.begin(write);
        self.output.end_of_record(self.frame.after_entry());
    }

    fn begin(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.frame.before_entry(self.output.buffer(), self.count);
        self.count += 1;
        write(self.output.buffer());
    }

    /// Ends the list and returns how many entries there were.
    pub(super) fn finish(mut self, outcome: DumpOutcome) -> Result<u64, Failure> {
        self.frame.end(self.output.buffer(), self.count, outcome);
        self.output.finish()?;
        Ok(self.count)
    }

    /// The same, with the closing line on standard error.
    pub(super) fn finish_with_closing(
        mut self,
        outcome: DumpOutcome,
        stderr: &mut dyn Write,
        what: &str,
    ) -> Result<u64, Failure> {
        self.frame.end(self.output.buffer(), self.count, outcome);
        self.output.finish_with_closing(stderr, &closing(self.count, what))?;
        Ok(self.count)
    }

    /// Writes what was shown before a failure.
    pub(super) fn break_off(mut self) -> Result<(), Failure> {
        self.frame.break_off(self.output.buffer(), self.count);
        self.output.finish()
    }
}
