//! The log of the daemon: streams, a file, syslog.
//!
//! A line goes everywhere at once, and nothing waits for who reads it; what fails is counted and said on what still
//! works. Lines about flows are gathered and written by [`Log::flush`] at the end of a turn. Everything is bounded:
//! [`repeats`] for what is said again and again.

mod file;
mod lines;
pub mod repeats;
mod statistics;
mod streams;
mod syslog;

use std::path::{Path, PathBuf};

use ctsync::time::Instant;
use sys::error_text::error_text;

use crate::config;
use crate::config::source::shown_bytes;
use crate::report::{Report, Severity, write_line};
use crate::surroundings::System;
use file::LogFile;
use lines::Flushed;
use repeats::Repeats;
pub use statistics::StatisticsLog;
use streams::Streams;
use syslog::{Priority, Syslog};

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
    streams: Option<Streams>,
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
        let streams = (console != Console::Detached).then(|| Streams::open(report.system()));
        Ok(Self {
            report,
            console,
            streams,
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
        gather(&mut self.file, &mut self.syslog, system.pid(), Priority::Error, &self.line);
    }

    /// Writes what was gathered. To be called at the end of each turn.
    pub fn flush(&mut self, now: Instant) {
        for trouble in self.write(now).into_iter().flatten() {
            self.say_trouble(now, &trouble);
        }
    }

    /// When [`Self::on_deadline`] is to be called.
    pub fn next_deadline(&self) -> Option<Instant> {
        let streams = self.streams.as_ref().and_then(Streams::next_deadline);
        let places = of_places(self.file.as_ref(), self.syslog.as_ref());
        [self.repeats.next_deadline(), streams, places].into_iter().flatten().min()
    }

    /// An interval is over: says what was not said in it. Or syslog is to be tried again.
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

    /// Tells whatever is left, and gives syslog a moment to take it. To be called last.
    pub fn end(&mut self, now: Instant) {
        self.flush(now);
        if let Some(syslog) = &mut self.syslog {
            syslog.finish();
        }
        let [output, error] = self.streams.as_mut().map(Streams::take_lost).unwrap_or_default();
        let file = self.file.as_mut().and_then(LogFile::take_lost);
        let syslog = self.syslog.as_mut().and_then(Syslog::take_lost);
        for trouble in [output, error, file, syslog].into_iter().flatten() {
            self.say_trouble(now, &trouble);
        }
        self.say_due(Instant(u64::MAX));
        // What fails now was told, or there is nowhere to tell it.
        let _told = self.write(now);
        if let Some(syslog) = &mut self.syslog {
            syslog.finish();
        }
    }

    /// From now on nothing goes to the streams.
    pub fn detach(&mut self) {
        self.console = Console::Detached;
        self.streams = None;
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
        if let (Some(streams), true) = (&mut self.streams, is_shown) {
            streams.push(self.report, severity, &self.line);
        }
        if let Some(file) = &mut self.file {
            file.push(&self.line);
        }
        if let Some(syslog) = &mut self.syslog {
            let time = self.stamp.now(system);
            syslog.send(system.pid(), time, priority(severity), text.as_bytes());
        }
    }

    /// Writes what was gathered, everywhere.
    fn write(&mut self, now: Instant) -> [Option<Trouble>; 4] {
        let [output, error] =
            self.streams.as_mut().map(|streams| streams.flush(now)).unwrap_or_default();
        let file = self.file.as_mut().and_then(|file| file.flush(now));
        let syslog = self.syslog.as_mut().and_then(|syslog| syslog.flush(now));
        [output, error, file, syslog]
    }

    /// The trouble of one place, of this log or that of the statistics, goes to all of them. What cannot be written is
    /// counted and not said again before an interval is over.
    fn say_trouble(&mut self, now: Instant, trouble: &Trouble) {
        let Trouble { kind, severity, text } = trouble;
        if kind.is_none_or(|kind| self.repeats.admits(now, kind, *severity)) {
            self.say(*severity, text);
            // It is tried, and if it fails counted; what was said already is no news. A place has news of a kind once
            // an interval, and is given up once, so this comes to an end.
            for trouble in self.write(now).into_iter().flatten() {
                if !trouble.kind.is_some_and(|kind| self.repeats.knows(kind)) {
                    self.say_trouble(now, &trouble);
                }
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
    Some(Syslog::new(Path::new(syslog::PATH), config.syslog?))
}

/// A place that could not be written to, or can be again.
#[derive(Debug)]
struct Trouble {
    /// For what is said once an interval.
    kind: Option<&'static str>,
    severity: Severity,
    text: String,
}

impl Trouble {
    fn of(kind: &'static str, flushed: &Flushed, place: impl Fn() -> String) -> Option<Self> {
        match flushed {
            Flushed::Done => None,
            Flushed::Failed(error) => {
                let text = format!("can't write {}: {}", place(), error_text(error));
                Some(Self { kind: Some(kind), severity: Severity::Error, text })
            }
            Flushed::Recovered(lost) => Some(Self::missing(*lost, &place())),
        }
    }

    fn missing(lost: u64, place: &str) -> Self {
        let text = format!("{lost} lines are missing in {place}");
        Self { kind: None, severity: Severity::Warning, text }
    }
}

/// When one of these is to be flushed though nothing was added.
fn of_places(file: Option<&LogFile>, syslog: Option<&Syslog>) -> Option<Instant> {
    let file = file.and_then(LogFile::next_deadline);
    [file, syslog.and_then(Syslog::next_deadline)].into_iter().flatten().min()
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
fn gather(
    file: &mut Option<LogFile>,
    syslog: &mut Option<Syslog>,
    pid: u32,
    priority: Priority,
    line: &[u8],
) {
    if let Some(syslog) = syslog {
        let mut parts = line.splitn(2, |byte| *byte == b'\t');
        let (time, flow) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        syslog.send(pid, time, priority, flow.strip_suffix(b"\n").unwrap_or(flow));
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
