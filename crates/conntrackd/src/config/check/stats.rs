//! Section `Stats`.

use super::Notes;
use super::general::{add_log_file, add_syslog};
use crate::config::ast;
use crate::config::diagnostic::Problem;
use crate::config::model::{Facility, Log, Stats};
use crate::config::source::At;

const LOG_FILE: &str = "/var/log/conntrackd-stats.log";

#[derive(Default)]
pub(super) struct StatsDraft {
    /// The facility that was named. `Syslog on` names none.
    pub(super) facility: Option<Facility>,
    pub(super) log: Log,
}

impl StatsDraft {
    pub(super) fn add(&mut self, statement: &At<ast::Stats>, notes: &mut Notes) {
        match &statement.value {
            ast::Stats::LogFile(argument) => {
                add_log_file(&mut self.log, argument, LOG_FILE, Problem::StatsLogFileLong, notes);
            }
            ast::Stats::Syslog(argument) => {
                if let Some(found) =
                    add_syslog(&mut self.log, argument, Problem::StatsFacility, notes)
                {
                    self.facility = Some(found);
                }
            }
        }
    }

    pub(super) fn finish(self) -> Stats {
        Stats { log: self.log }
    }
}
