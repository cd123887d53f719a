//! Section `General`.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use super::filter::FilterDraft;
use super::{Notes, PATH_MAX, default_of, facility};
use crate::config::ast::{self, Path, SwitchOr};
use crate::config::diagnostic::Problem;
use crate::config::model::{Events, Facility, General, Log, RealTimePolicy, Scheduling, Source};
use crate::config::source::At;

const HASH_SIZE: NonZeroU32 = default_of(65_536);
const HASH_LIMIT: NonZeroU32 = default_of(262_144);
const ITERATION_LIMIT: NonZeroU32 = default_of(100);
const OVERRUN_RESYNC: Duration = Duration::from_secs(30);
const LOG_FILE: &str = "/var/log/conntrackd.log";
const LOCK_FILE: &str = "/var/lock/conntrackd.lock";
const CONTROL_SOCKET: &str = "/var/run/conntrackd.ctl";

/// The address of a Unix socket has room for this many bytes.
const UNIX_PATH_MAX: usize = 107;

#[derive(Default)]
pub(super) struct GeneralDraft {
    /// The facility that was named. `Syslog on` names none.
    pub(super) facility: Option<Facility>,
    hash_size: Option<NonZeroU32>,
    hash_limit: Option<NonZeroU32>,
    log: Log,
    lock_file: Option<PathBuf>,
    control_socket: Option<PathBuf>,
    buffer_bytes: u32,
    buffer_max_bytes: u32,
    overrun_resync: OverrunResync,
    is_reliable: bool,
    poll_interval: Option<Duration>,
    iteration_limit: Option<NonZeroU32>,
    filter: Option<FilterDraft>,
    scheduler_policy: Option<RealTimePolicy>,
    scheduler_priority: u8,
    no_systemd: bool,
}

#[derive(Default)]
enum OverrunResync {
    #[default]
    Unsaid,
    Off,
    After(Duration),
}

impl GeneralDraft {
    pub(super) fn add(&mut self, statement: &At<ast::General>, notes: &mut Notes) {
        match &statement.value {
            ast::General::EventIterationLimit(number) => {
                self.iteration_limit = notes.nonzero(number);
            }
            ast::General::Filter(place, block) => {
                let filter = self.filter.get_or_insert_default();
                filter.add(*place, block, notes);
            }
            ast::General::HashLimit(number) => self.hash_limit = notes.nonzero(number),
            ast::General::HashSize(number) => self.hash_size = notes.nonzero(number),
            ast::General::LockFile(path) => {
                self.lock_file =
                    file_path(path, Problem::LockFileLong, notes).or(self.lock_file.take());
            }
            ast::General::LogFile(argument) => {
                add_log_file(&mut self.log, argument, LOG_FILE, Problem::LogFileLong, notes);
            }
            ast::General::NetlinkBufferSize(number) => self.buffer_bytes = notes.amount(number),
            ast::General::NetlinkBufferSizeMaxGrowth(number) => {
                self.buffer_max_bytes = notes.amount(number);
            }
            ast::General::NetlinkEventsReliable(switch) => self.is_reliable = switch.value,
            ast::General::NetlinkOverrunResync(SwitchOr::Switch(false)) => {
                self.overrun_resync = OverrunResync::Off;
            }
            ast::General::NetlinkOverrunResync(SwitchOr::Switch(true)) => {
                self.overrun_resync = OverrunResync::Unsaid;
            }
            ast::General::NetlinkOverrunResync(SwitchOr::Value(number)) => {
                self.overrun_resync = match notes.amount(number) {
                    0 => OverrunResync::Unsaid,
                    seconds => OverrunResync::After(Duration::from_secs(seconds.into())),
                };
            }
            ast::General::Nice(number) => notes.note(Problem::Nice, number.span),
            ast::General::PollSecs(number) => match notes.amount(number) {
                0 => notes.note(Problem::PollSecsZero, number.span),
                seconds => self.poll_interval = Some(Duration::from_secs(seconds.into())),
            },
            ast::General::Scheduler(block) => {
                for statement in &block.statements {
                    self.add_scheduler(&statement.value, notes);
                }
            }
            ast::General::Syslog(argument) => {
                if let Some(found) = add_syslog(&mut self.log, argument, Problem::Facility, notes) {
                    self.facility = Some(found);
                }
            }
            ast::General::Systemd(switch) => self.no_systemd = !switch.value,
            ast::General::Unix(block) => {
                for statement in &block.statements {
                    self.add_unix(&statement.value, notes);
                }
            }
        }
    }

    fn add_scheduler(&mut self, statement: &ast::Scheduler, notes: &mut Notes) {
        match statement {
            ast::Scheduler::Type(word) => match word.value.to_ascii_lowercase().as_str() {
                "rr" => self.scheduler_policy = Some(RealTimePolicy::RoundRobin),
                "fifo" => self.scheduler_policy = Some(RealTimePolicy::Fifo),
                _ => notes.note(Problem::Scheduler(word.value.clone()), word.span),
            },
            ast::Scheduler::Priority(number) => match u8::try_from(number.value) {
                Ok(priority @ 0..=99) => self.scheduler_priority = priority,
                _ => notes.note(Problem::Priority, number.span),
            },
        }
    }

    fn add_unix(&mut self, statement: &ast::Unix, notes: &mut Notes) {
        match statement {
            ast::Unix::Path(path) if path.value.len() > UNIX_PATH_MAX => {
                notes.note(Problem::UnixPathLong, path.span);
            }
            ast::Unix::Path(path) => self.control_socket = Some(to_path(path)),
            ast::Unix::Backlog(number) => notes.note(Problem::Backlog, number.span),
        }
    }

    pub(super) fn finish(self) -> General {
        let overrun_resync = match self.overrun_resync {
            OverrunResync::Unsaid => Some(OVERRUN_RESYNC),
            OverrunResync::Off => None,
            OverrunResync::After(time) => Some(time),
        };
        // A size beyond the growth makes both count as not given.
        let fits = self.buffer_bytes <= self.buffer_max_bytes;
        let events = Events {
            buffer_bytes: NonZeroU32::new(self.buffer_bytes).filter(|_| fits),
            buffer_max_bytes: if fits { self.buffer_max_bytes } else { 0 },
            overrun_resync,
            is_reliable: self.is_reliable,
        };
        General {
            hash_size: self.hash_size.unwrap_or(HASH_SIZE),
            hash_limit: self.hash_limit.unwrap_or(HASH_LIMIT),
            log: self.log,
            lock_file: self.lock_file.unwrap_or_else(|| LOCK_FILE.into()),
            control_socket: self.control_socket.unwrap_or_else(|| CONTROL_SOCKET.into()),
            source: match self.poll_interval {
                Some(interval) => Source::Polling { interval },
                None => Source::Events(events),
            },
            iteration_limit: self.iteration_limit.unwrap_or(ITERATION_LIMIT),
            filter: self.filter.map(FilterDraft::finish),
            scheduling: match self.scheduler_policy {
                Some(policy) => Scheduling::RealTime { policy, priority: self.scheduler_priority },
                None => Scheduling::Unsaid,
            },
            systemd: !self.no_systemd,
        }
    }
}

/// `LogFile` here and in `Stats`. `off` does not undo an earlier statement, as with upstream.
pub(super) fn add_log_file(
    log: &mut Log,
    argument: &SwitchOr<Path>,
    default: &str,
    too_long: Problem,
    notes: &mut Notes,
) {
    match argument {
        SwitchOr::Switch(false) => {}
        SwitchOr::Switch(true) => log.file = Some(default.into()),
        SwitchOr::Value(path) => log.file = file_path(path, too_long, notes).or(log.file.take()),
    }
}

/// `Syslog` here and in `Stats`. The result is the facility if a valid one was named.
pub(super) fn add_syslog(
    log: &mut Log,
    argument: &SwitchOr<ast::Word>,
    unknown: fn(String) -> Problem,
    notes: &mut Notes,
) -> Option<Facility> {
    match argument {
        SwitchOr::Switch(on) => {
            log.syslog = on.then_some(Facility::Daemon);
            None
        }
        SwitchOr::Value(word) => {
            let found = facility(&word.value);
            match found {
                Some(_) => log.syslog = found,
                None => notes.note(unknown(word.value.clone()), word.span),
            }
            found
        }
    }
}

fn file_path(path: &Path, too_long: Problem, notes: &mut Notes) -> Option<PathBuf> {
    if path.value.len() > PATH_MAX {
        notes.note(too_long, path.span);
        return None;
    }
    Some(to_path(path))
}

fn to_path(path: &Path) -> PathBuf {
    OsString::from_vec(path.value.clone()).into()
}
