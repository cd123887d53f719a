//! The log of the daemon: streams, a file, syslog.
//!
//! A line goes everywhere at once; what fails is counted and said on what still works. Lines about flows are gathered and
//! written by [`Log::flush`] at the end of a turn. Everything is bounded: [`repeats`] for what is said again and again.

mod file;
pub mod repeats;
mod statistics;

use std::path::{Path, PathBuf};

use ctsync::time::Instant;
use sys::error_text::error_text;
use sys::syslog::{Facility, Priority, Syslog};

use crate::config;
use crate::config::source::shown_bytes;
use crate::report::{Report, Severity, write_line};
use crate::surroundings::System;
use file::{Flushed, LogFile};
use repeats::Repeats;
pub use statistics::StatisticsLog;

/// The name that lines in syslog have, as upstream's.
const IDENTITY: &std::ffi::CStr = c"conntrack-tools";

/// A file of a log cannot be opened. Printed as it is, without time ([`Report::bare_line`]).
#[derive(Debug, thiserror::Error)]
#[error("ERROR: can't open logfile `{}'.Reason: {}", path.display(), error_text(reason))]
pub struct OpenError {
    path: PathBuf,
    #[source]
    reason: std::io::Error,
}

/// What goes to the streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Console {
    /// All, on both (the daemon stays in the foreground).
    Foreground,
    /// Warnings and errors: the start of a daemon must not fail silently.
    Starting,
    /// Nothing: the streams are closed.
    Detached,
}

/// The log.
pub struct Log<'r, 'a> {
    report: &'r mut Report<'a>,
    console: Console,
    file: Option<LogFile>,
    syslog: Option<Syslog>,
    repeats: Repeats,
    stamp: Stamp,
    line: Vec<u8>,
}

impl<'r, 'a> Log<'r, 'a> {
    /// Opens what the configuration names.
    pub fn open(
        report: &'r mut Report<'a>,
        config: &config::Log,
        console: Console,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            report,
            console,
            file: open_file(config)?,
            syslog: open_syslog(config),
            repeats: Repeats::default(),
            stamp: Stamp::default(),
            line: Vec::new(),
        })
    }

    /// Says something. Control characters are escaped.
    pub fn line(&mut self, now: Instant, severity: Severity, text: &str) {
        self.say(severity, text);
        self.flush(now);
    }

    /// The same for what can happen very often: once an interval for each kind. How many more there were is said behind
    /// the interval, by [`Self::on_deadline`] or with the next one.
    ///
    /// The kind is for the eye, too: `messages that were refused`. Whether it was said.
    pub fn limited(
        &mut self,
        now: Instant,
        kind: &'static str,
        severity: Severity,
        text: &str,
    ) -> bool {
        self.say_due(now);
        let is_said = self.repeats.admits(now, kind, severity);
        if is_said {
            self.line(now, severity, text);
        }
        is_said
    }

    /// Prints a line without time on standard error.
    pub fn bare_line(&mut self, text: &str) {
        self.report.bare_line(text);
    }

    /// Adds a line that shows a flow, to the file and to syslog alone. [`Self::flush`] writes it.
    pub fn flow(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let system = self.report.system();
        flow_line(system, &mut self.stamp, &mut self.line, write);
        gather(&mut self.file, self.syslog, Priority::Error, &self.line);
    }

    /// Writes what was gathered. To be called at the end of each turn.
    pub fn flush(&mut self, now: Instant) {
        let Some(file) = &mut self.file else { return };
        let flushed = file.flush();
        if let Some((severity, text)) = trouble(file.path(), &flushed) {
            self.say_trouble(now, severity, &text, &flushed);
        }
    }

    /// When [`Self::on_deadline`] is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.repeats.next_deadline()
    }

    /// An interval is over: says what was not said in it.
    pub fn on_deadline(&mut self, now: Instant) {
        self.say_due(now);
        self.flush(now);
    }

    /// Opens the file anew, which may have been moved away (SIGHUP). If that fails, the old one is written to.
    pub fn reopen(&mut self, now: Instant) {
        self.flush(now);
        if let Some(file) = &mut self.file
            && let Err(error) = file.reopen()
        {
            self.line(now, Severity::Error, &reopen_text(&error));
        }
    }

    /// From now on nothing goes to the streams.
    pub fn detach(&mut self) {
        self.console = Console::Detached;
    }

    /// What is not a stream.
    pub fn system(&self) -> &'a dyn System {
        self.report.system()
    }

    /// A line to everything, without looking whether it could be written.
    fn say(&mut self, severity: Severity, text: &str) {
        let text = shown_bytes(text.trim_end().as_bytes());
        let system = self.report.system();
        self.line.clear();
        write_line(&mut self.line, self.stamp.now(system), system.pid(), severity, &text);
        let is_shown = match self.console {
            Console::Foreground => true,
            Console::Starting => matches!(severity, Severity::Warning | Severity::Error),
            Console::Detached => false,
        };
        if is_shown {
            self.report.print(severity, &self.line);
        }
        if let Some(file) = &mut self.file {
            file.push(&self.line);
        }
        if let Some(syslog) = self.syslog {
            syslog.send(priority(severity), text.as_bytes());
        }
    }

    /// The trouble of a file, this log's or that of the statistics, goes to everything. What cannot be written is counted
    /// and not said again before an interval is over.
    fn say_trouble(&mut self, now: Instant, severity: Severity, text: &str, flushed: &Flushed) {
        const KIND: &str = "failed writes of a logfile";
        let is_said = match flushed {
            Flushed::Failed(_) => self.repeats.admits(now, KIND, severity),
            Flushed::Recovered(_) | Flushed::Done => true,
        };
        if is_said {
            self.say(severity, text);
            if let Some(file) = &mut self.file {
                // It is tried, and if it fails counted; that it fails is said already.
                let _ = file.flush();
            }
        }
    }

    fn say_due(&mut self, now: Instant) {
        while let Some(due) = self.repeats.due(now) {
            self.say(due.severity, &due.to_string());
        }
    }
}

fn priority(severity: Severity) -> Priority {
    match severity {
        Severity::Info => Priority::Info,
        Severity::Notice => Priority::Notice,
        Severity::Warning => Priority::Warning,
        Severity::Error => Priority::Error,
    }
}

fn open_file(config: &config::Log) -> Result<Option<LogFile>, OpenError> {
    let open = |path: &PathBuf| {
        LogFile::open(path).map_err(|reason| OpenError { path: path.clone(), reason })
    };
    config.file.as_ref().map(open).transpose()
}

fn open_syslog(config: &config::Log) -> Option<Syslog> {
    let facility = match config.syslog? {
        config::Facility::Daemon => Facility::Daemon,
        config::Facility::Local(number) => Facility::Local(number),
    };
    Some(Syslog::open(IDENTITY, facility))
}

/// The words about a file that could not be written to, or can be again.
fn trouble(path: &Path, flushed: &Flushed) -> Option<(Severity, String)> {
    let path = path.display();
    match flushed {
        Flushed::Done => None,
        Flushed::Failed(error) => {
            Some((Severity::Error, format!("can't write logfile `{path}': {}", error_text(error))))
        }
        Flushed::Recovered(lost) => {
            Some((Severity::Warning, format!("{lost} lines are missing in logfile `{path}'")))
        }
    }
}

fn reopen_text(error: &OpenError) -> String {
    let OpenError { path, reason } = error;
    let reason = error_text(reason);
    format!("can't open logfile `{}' again, keeping the old one: {reason}", path.display())
}

/// Replaces a line by `CTIME<TAB>FLOW<NL>`.
fn flow_line(
    system: &dyn System,
    stamp: &mut Stamp,
    line: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    line.clear();
    line.extend_from_slice(stamp.now(system));
    line.push(b'\t');
    write(line);
    line.push(b'\n');
}

/// Hands a line of [`flow_line`] to the file, and the flow alone to syslog.
fn gather(file: &mut Option<LogFile>, syslog: Option<Syslog>, priority: Priority, line: &[u8]) {
    if let Some(syslog) = syslog {
        let flow = line.splitn(2, |byte| *byte == b'\t').nth(1).unwrap_or_default();
        syslog.send(priority, flow.strip_suffix(b"\n").unwrap_or(flow));
    }
    if let Some(file) = file {
        file.push(line);
    }
}

/// The local time in words, made anew when the second changes.
#[derive(Debug, Default)]
struct Stamp {
    second: Option<u64>,
    text: Vec<u8>,
}

impl Stamp {
    fn now(&mut self, system: &dyn System) -> &[u8] {
        let second = Some(system.now_s());
        if self.second != second {
            self.second = second;
            self.text.clear();
            self.text.extend_from_slice(system.local_time().as_bytes());
        }
        &self.text
    }
}

#[cfg(test)]
mod tests;
