//! Everything that is printed, and the exit codes: upstream's words, in one place.

pub mod check;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::config::Reading;
use crate::config::diagnostic::{Level, Stage};
use crate::config::source::shown_bytes;
use crate::control::Request;
use crate::surroundings::{Surroundings, System};

/// How a run ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// Anything else.
    Failure = 1,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// How a line of the log is marked, and on which stream it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// Standard error.
    Warning,
    /// Standard error.
    Error,
}

/// The streams of a run.
pub struct Report<'a> {
    stdout: &'a mut dyn Write,
    stderr: &'a mut dyn Write,
    system: &'a dyn System,
}

impl<'a> Report<'a> {
    /// Prints to the streams of the surroundings.
    pub fn new(surroundings: &'a mut Surroundings) -> Self {
        let Surroundings { stdout, stderr, system, .. } = surroundings;
        Self { stdout: *stdout, stderr: *stderr, system: *system }
    }

    /// What is not a stream.
    pub fn system(&self) -> &'a dyn System {
        self.system
    }

    /// A line as the log has it: `[Sun Nov 22 10:55:40 2026] (pid=7) [ERROR] TEXT`.
    pub fn line(&mut self, severity: Severity, text: &str) {
        let level = match severity {
            Severity::Warning => "warning",
            Severity::Error => "ERROR",
        };
        let (time, pid) = (self.system.local_time(), self.system.pid());
        self.error_output(&format!("[{time}] (pid={pid}) [{level}] {}\n", shown_lines(text)));
    }

    /// What upstream says of a configuration: up to the first error.
    pub fn diagnostics(&mut self, reading: &Reading, stage: Stage) {
        for diagnostic in reading.until_first_error(stage) {
            let severity = match diagnostic.problem.level() {
                Level::Warning => Severity::Warning,
                Level::Error => Severity::Error,
            };
            self.line(severity, &diagnostic.problem.to_string());
        }
    }

    /// Asks the daemon and prints its answer.
    pub fn ask(&mut self, socket: &Path, request: Request) -> io::Result<()> {
        self.system.ask(socket, request, self.stdout)
    }

    /// Text on standard output. A reader that went away is no matter of ours.
    pub fn output(&mut self, text: &[u8]) -> Exit {
        match self.stdout.write_all(text).and_then(|()| self.stdout.flush()) {
            Ok(()) => Exit::Success,
            Err(_) => Exit::Failure,
        }
    }

    /// Text on standard error. If that fails there is nowhere to say so.
    fn error_output(&mut self, text: &str) {
        let _ = self.stderr.write_all(text.as_bytes());
    }
}

/// A text with control characters escaped, but for line breaks.
fn shown_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| shown_bytes(line.as_bytes())).collect();
    lines.join("\n")
}
