//! The log of the statistics mode: a line for each flow that ended.

use ctsync::time::Instant;

use super::file::LogFile;
use super::syslog::{Priority, Syslog};
use super::{Log, OpenError, Stamp, flow_line, gather, open_file, open_syslog};
use crate::config;
use crate::report::Severity;
use crate::surroundings::System;

/// Lines of ended flows: to a file with the time, to syslog without, with the facility of the clause `Stats`.
pub struct StatisticsLog<'a> {
    system: &'a dyn System,
    file: Option<LogFile>,
    syslog: Option<Syslog>,
    stamp: Stamp,
    line: Vec<u8>,
}

impl<'a> StatisticsLog<'a> {
    /// Opens what the configuration names.
    pub fn open(system: &'a dyn System, config: &config::Log) -> Result<Self, OpenError> {
        Ok(Self {
            system,
            file: open_file(config)?,
            syslog: open_syslog(config),
            stamp: Stamp::default(),
            line: Vec::new(),
        })
    }

    /// Whether lines go anywhere.
    pub fn is_on(&self) -> bool {
        self.file.is_some() || self.syslog.is_some()
    }

    /// Adds the line of a flow that ended: the time comes before what is written here.
    pub fn flow(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.is_on() {
            flow_line(self.system, &mut self.stamp, &mut self.line, write);
            let pid = self.system.pid();
            gather(&mut self.file, &mut self.syslog, pid, Priority::Info, &self.line);
        }
    }

    /// Writes what was gathered. To be called at the end of each turn. What fails is said in the other log.
    pub fn flush(&mut self, now: Instant, log: &mut Log) {
        let file = self.file.as_mut().and_then(|file| file.flush(now));
        let syslog = self.syslog.as_mut().and_then(|syslog| syslog.flush(now));
        for trouble in [file, syslog].into_iter().flatten() {
            log.say_trouble(now, &trouble);
        }
    }

    /// When [`Self::flush`] is to be called, though there is no new line.
    pub fn next_deadline(&self) -> Option<Instant> {
        super::of_places(self.file.as_ref(), self.syslog.as_ref())
    }

    /// As [`Log::end`], and before that.
    pub fn end(&mut self, now: Instant, log: &mut Log) {
        if let Some(syslog) = &mut self.syslog {
            syslog.finish();
        }
        self.flush(now, log);
        let file = self.file.as_mut().and_then(LogFile::take_lost);
        let syslog = self.syslog.as_mut().and_then(Syslog::take_lost);
        for trouble in [file, syslog].into_iter().flatten() {
            log.say_trouble(now, &trouble);
        }
    }

    /// As [`Log::reopen`].
    pub fn reopen(&mut self, now: Instant, log: &mut Log) {
        self.flush(now, log);
        if let Some(file) = &mut self.file
            && let Err(error) = file.reopen()
        {
            log.line(now, Severity::Error, &super::reopen_text(&error));
        }
    }
}
