//! An answer on its way to standard output: entries, what stands around them, large writes.

use std::io::Write;

use ctnetlink::client::DumpOutcome;
use flow::text::json::Document;

use crate::report::Failure;

/// A full buffer is written at once. A pipe takes this much.
const FULL: usize = 64 * 1024;

/// Collects entries and writes them when there are many.
pub struct Entries<'a> {
    sink: &'a mut dyn Write,
    document: Option<&'static Document>,
    buffer: Vec<u8>,
    count: u64,
}

impl<'a> Entries<'a> {
    /// An empty answer, in a document or by itself.
    pub fn new(sink: &'a mut dyn Write, document: Option<&'static Document>) -> Self {
        Self { sink, document, buffer: Vec::new(), count: 0 }
    }

    /// Adds an entry. One that cannot be written leaves nothing behind.
    pub fn show<E: From<Failure>>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.buffer.len();
        if let Some(document) = self.document {
            let before = if self.count == 0 { document.begin } else { document.between };
            self.buffer.extend_from_slice(before.as_bytes());
        }
        if let Err(error) = write(&mut self.buffer) {
            self.buffer.truncate(start);
            return Err(error);
        }
        self.count = self.count.saturating_add(1);
        if self.buffer.len() >= FULL { Ok(self.flush()?) } else { Ok(()) }
    }

    /// Writes the rest, with the end of a document. That says so if the kernel says that entries may be missing.
    pub fn finish(mut self, outcome: DumpOutcome) -> Result<(), Failure> {
        if let Some(document) = self.document {
            let end = match (outcome, self.count) {
                (DumpOutcome::Complete, 0) => document.empty,
                (DumpOutcome::Complete, _) => document.end,
                (DumpOutcome::Interrupted, 0) => document.empty_cut,
                (DumpOutcome::Interrupted, _) => document.cut,
            };
            self.buffer.extend_from_slice(end.as_bytes());
        }
        self.flush()
    }

    /// Writes what there is of an answer that broke off. What did not begin stays away, lest a failure look like an
    /// empty list.
    pub fn break_off(mut self) -> Result<(), Failure> {
        if let (Some(document), 1..) = (self.document, self.count) {
            self.buffer.extend_from_slice(document.cut.as_bytes());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let written = self.sink.write_all(&self.buffer).and_then(|()| self.sink.flush());
        self.buffer.clear();
        written.map_err(Failure::Output)
    }
}
