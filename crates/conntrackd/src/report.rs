//! Everything that is printed, and the exit codes: upstream's words, in one place.

pub mod check;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use sys::console::Console;

use crate::config::Reading;
use crate::config::diagnostic::{Level, Stage};
use crate::config::source::shown_bytes;
use crate::control::Request;
use crate::control::client::AskError;
use crate::surroundings::{StandardStream, Surroundings, System};

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
    /// Standard output.
    Info,
    /// Standard output.
    Notice,
    /// Standard error.
    Warning,
    /// Standard error.
    Error,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "ERROR",
        }
    }
}

/// Appends a line as logs and streams have it: `[Sun Nov 22 10:55:40 2026] (pid=7) [ERROR] TEXT`.
pub(crate) fn write_line(out: &mut Vec<u8>, time: &[u8], pid: u32, severity: Severity, text: &str) {
    out.push(b'[');
    out.extend_from_slice(time);
    let rest = format!("] (pid={pid}) [{}] {text}\n", severity.name());
    out.extend_from_slice(rest.as_bytes());
}

/// A way to a stream of this process on which nothing waits for who reads it.
pub(crate) fn console(stream: StandardStream) -> io::Result<Console> {
    match stream {
        StandardStream::Output => Console::open(io::stdout()),
        StandardStream::Error => Console::open(io::stderr()),
    }
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

    /// Prints a line as the log has it.
    pub fn line(&mut self, severity: Severity, text: &str) {
        let time = self.system.local_time();
        let mut line = Vec::new();
        let text = shown_lines(text);
        write_line(&mut line, time.as_bytes(), self.system.pid(), severity, &text);
        self.print(severity, &line);
    }

    /// Prints a whole line on the stream of its severity.
    pub(crate) fn print(&mut self, severity: Severity, line: &[u8]) {
        let stream = match severity {
            Severity::Info | Severity::Notice => &mut self.stdout,
            Severity::Warning | Severity::Error => &mut self.stderr,
        };
        // If that fails there is nowhere to say so.
        let _ = stream.write_all(line).and_then(|()| stream.flush());
    }

    /// Prints a line without time on standard error.
    pub fn bare_line(&mut self, text: &str) {
        self.error_output(&format!("{}\n", shown_lines(text)));
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
    pub fn ask(&mut self, socket: &Path, request: Request) -> Result<(), AskError> {
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
