//! Standard output in large writes.

use std::io::{self, Write};

use crate::report::{Failure, message};

/// A full buffer is written at once. A pipe takes this much, and a list of a million flows needs few calls.
const FULL: usize = 64 * 1024;
/// Upstream's buffer when it does not write to a terminal.
const BLOCK: usize = 4096;

/// Collects lines and writes them when there are many.
pub struct Output<'a> {
    sink: &'a mut dyn Write,
    is_terminal: bool,
    buffer: Vec<u8>,
    /// Bytes of earlier buffers, modulo the size of a block.
    before: usize,
    lost: Option<io::Error>,
}

impl<'a> Output<'a> {
    /// An empty one.
    pub fn new(sink: &'a mut dyn Write, is_terminal: bool) -> Self {
        let buffer = Vec::with_capacity(FULL + BLOCK);
        Self { sink, is_terminal, buffer, before: 0, lost: None }
    }

    /// Where to append. Call [`Output::end_of_entry`] or [`Output::end_of_record`] after each entry.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends an entry of a list with this text: nothing more needs to be done if it cannot be written.
    pub fn end_of_entry(&mut self, end: &str) -> Result<(), Failure> {
        self.buffer.extend_from_slice(end.as_bytes());
        if self.buffer.len() >= FULL { self.flush() } else { Ok(()) }
    }

    /// Ends an entry that says what was done. The doing must go on if it cannot be written, so the error waits for the
    /// end.
    pub fn end_of_record(&mut self, end: &str) {
        if let Err(Failure::Output(error)) = self.end_of_entry(end) {
            self.lost.get_or_insert(error);
        }
    }

    /// Writes what was collected.
    pub fn flush(&mut self) -> Result<(), Failure> {
        self.write_until(self.buffer.len())
    }

    fn write_until(&mut self, end: usize) -> Result<(), Failure> {
        let part = self.buffer.get(..end).unwrap_or(&self.buffer);
        let written = self.sink.write_all(part).and_then(|()| self.sink.flush());
        self.before = self.before.wrapping_add(end) % BLOCK;
        self.buffer.drain(..end);
        written.map_err(Failure::Output)
    }

    /// Writes the rest. Fails if this or an earlier write failed.
    pub fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.flush();
        match self.lost {
            Some(error) => Err(Failure::Output(error)),
            None => flushed,
        }
    }

    /// Writes the rest and says how much there was on standard error.
    ///
    /// Where both streams go to one file or pipe, the closing line stands where upstream's does: its last, partly
    /// filled block is written when the program ends, after the closing line.
    pub fn finish_with_closing(
        mut self,
        stderr: &mut dyn Write,
        closing: &str,
    ) -> Result<(), Failure> {
        let rest =
            if self.is_terminal { 0 } else { self.before.wrapping_add(self.buffer.len()) % BLOCK };
        self.write_until(self.buffer.len().saturating_sub(rest))?;
        if self.lost.is_none() {
            message(stderr, closing);
        }
        self.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{self, Write};

    use super::{FULL, Output};
    use crate::report::Failure;

    /// Both streams in one place.
    struct Shared<'c>(&'c RefCell<Vec<u8>>);

    impl Write for Shared<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn closing_line_at(len: usize, is_terminal: bool) -> Option<usize> {
        let both = RefCell::new(Vec::new());
        let (mut stdout, mut stderr) = (Shared(&both), Shared(&both));
        let mut output = Output::new(&mut stdout, is_terminal);
        for _ in 0..len / 8 {
            output.buffer().extend_from_slice(b"1234567");
            output.end_of_entry("\n").unwrap();
        }
        output.finish_with_closing(&mut stderr, "done").unwrap();
        let both = both.into_inner();
        both.windows(9).position(|part| part == b"conntrack")
    }

    #[test]
    fn the_last_block_follows_the_closing_line_unless_a_terminal_is_written_to() {
        for (len, at) in [(80, 0), (4096, 4096), (4096 + 8, 4096), (FULL + 4096 + 80, FULL + 4096)]
        {
            assert_eq!(closing_line_at(len, false), Some(at), "{len}");
            assert_eq!(closing_line_at(len, true), Some(len), "{len}");
        }
    }

    #[test]
    fn a_lost_record_is_an_error_at_the_end_and_no_closing_line() {
        let (mut stdout, mut stderr) = (Full, Vec::new());
        let mut output = Output::new(&mut stdout, false);
        output.buffer().resize(FULL, b'x');
        output.end_of_record("\n");
        output.buffer().push(b'y');
        output.end_of_record("\n");
        let ended = output.finish_with_closing(&mut stderr, "done");
        assert!(matches!(ended, Err(Failure::Output(_))));
        assert!(stderr.is_empty());
    }
}
