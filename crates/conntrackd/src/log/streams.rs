//! The standard streams as a place of the log. Nothing waits for who reads them.

use std::io;

use ctsync::time::Instant;
use sys::console::Console;

use super::Trouble;
use super::lines::{Flushed, Lines};
use crate::report::{Report, Severity};
use crate::surroundings::{StandardStream, System};

/// How one of them is reached.
#[derive(Debug)]
enum Way {
    /// By the report, which waits: where the surroundings have no other.
    Report,
    /// Without waiting.
    Quick(Lines<Console>),
    /// Its reader is gone for ever, or nothing can be written without waiting.
    Closed,
}

/// Both of them.
#[derive(Debug)]
pub(super) struct Streams {
    output: Way,
    error: Way,
}

impl Streams {
    pub(super) fn open(system: &dyn System) -> Self {
        let way = |stream| {
            system.console(stream).map_or(Way::Report, |console| Way::Quick(Lines::new(console)))
        };
        Self { output: way(StandardStream::Output), error: way(StandardStream::Error) }
    }

    /// Prints a line on the stream of its severity. [`Self::flush`] follows.
    pub(super) fn push(&mut self, report: &mut Report<'_>, severity: Severity, line: &[u8]) {
        let way = match severity {
            Severity::Info | Severity::Notice => &mut self.output,
            Severity::Warning | Severity::Error => &mut self.error,
        };
        match way {
            Way::Report => report.print(severity, line),
            Way::Quick(lines) => lines.push(line),
            Way::Closed => {}
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self, now: Instant) -> [Option<Trouble>; 2] {
        let output = self.output.flush(now, "standard output", "failed writes of standard output");
        let kind = "failed writes of standard error";
        [output, self.error.flush(now, "standard error", kind)]
    }

    /// When [`Self::flush`] has losses to tell.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let ways = [&self.output, &self.error].into_iter();
        ways.filter_map(|way| match way {
            Way::Quick(lines) => lines.next_deadline(),
            Way::Report | Way::Closed => None,
        })
        .min()
    }

    /// At the end: what was not told.
    pub(super) fn take_lost(&mut self) -> [Option<Trouble>; 2] {
        let output = self.output.take_lost("standard output");
        [output, self.error.take_lost("standard error")]
    }
}

impl Way {
    fn take_lost(&mut self, name: &str) -> Option<Trouble> {
        let Self::Quick(lines) = self else { return None };
        lines.take_lost().map(|lost| Trouble::missing(lost, name))
    }

    fn flush(&mut self, now: Instant, name: &str, kind: &'static str) -> Option<Trouble> {
        let Self::Quick(lines) = self else { return None };
        let flushed = lines.flush(now);
        let mut trouble = Trouble::of(kind, &flushed, || name.to_owned());
        if let Flushed::Failed(error) = &flushed {
            match error.kind() {
                io::ErrorKind::WouldBlock => {
                    let text = format!("nobody reads {name}: lines are missing there");
                    return Some(Trouble { kind: Some(kind), severity: Severity::Warning, text });
                }
                // The latter: a terminal that cannot be opened anew.
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::NotFound => {
                    *self = Self::Closed;
                    // It is given up once, so it is always said.
                    trouble = trouble.map(|trouble| Trouble { kind: None, ..trouble });
                }
                _ => {}
            }
        }
        trouble
    }
}
