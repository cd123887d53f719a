//! Section `Sync`, but for the links.

use std::num::NonZeroU32;
use std::time::Duration;

use super::links::LinksDraft;
use super::{Notes, default_of, retain_first};
use crate::config::ast::{self, ModeName, Setting, SwitchOr, Word};
use crate::config::diagnostic::Problem;
use crate::config::model::{Alarm, ExpectationSync, Ftfw, Mode, Notrack, Sync};
use crate::config::source::{At, Span};

const REFRESH_TIME_S: u32 = 60;
const CACHE_TIMEOUT_S: u32 = 180;
const PURGE_TIMEOUT_S: u32 = 60;
const RESEND_QUEUE_SIZE: NonZeroU32 = default_of(131_072);
const ACK_WINDOW_SIZE: NonZeroU32 = default_of(300);

#[derive(Default)]
pub(super) struct SyncDraft {
    /// Whether statements were left out for an error in them.
    pub(super) is_damaged: bool,
    /// The keyword that opens the section.
    pub(super) start: Span,
    links: LinksDraft,
    /// The modes that were named, by their new names.
    modes: Vec<ModeName>,
    /// Where the last of them stands.
    mode_span: Span,
    refresh_time: Option<NonZeroU32>,
    cache_timeout: Option<NonZeroU32>,
    commit_timeout: Option<(NonZeroU32, Span)>,
    purge_timeout: Option<NonZeroU32>,
    resend_queue_size: Option<NonZeroU32>,
    ack_window_size: Option<NonZeroU32>,
    caches: Caches,
    startup_resync: bool,
    tcp_window_tracking: bool,
    expectations: Option<ExpectationSync>,
}

#[derive(Default)]
struct Caches {
    no_internal: bool,
    no_external: bool,
}

impl SyncDraft {
    pub(super) fn add(&mut self, statement: &At<ast::Sync>, notes: &mut Notes) {
        match &statement.value {
            ast::Sync::Mode(mode, block) => {
                self.add_mode(*mode);
                for statement in &block.statements {
                    self.add_setting(&statement.value, notes);
                }
            }
            ast::Sync::Setting(setting) => self.add_setting(setting, notes),
            ast::Sync::Link(kind, preference, block) => {
                self.links.add(*kind, *preference, block, notes);
            }
            ast::Sync::Options(block) => {
                for statement in &block.statements {
                    self.add_option(&statement.value);
                }
            }
        }
    }

    fn add_mode(&mut self, mode: At<ModeName>) {
        self.mode_span = mode.span;
        self.modes.push(match mode.value {
            ModeName::Nack => ModeName::Ftfw,
            ModeName::Persistent => ModeName::Alarm,
            name @ (ModeName::Alarm | ModeName::Ftfw | ModeName::Notrack) => name,
        });
    }

    fn add_setting(&mut self, setting: &Setting, notes: &mut Notes) {
        match setting {
            Setting::AckWindowSize(number) => self.ack_window_size = notes.nonzero(number),
            Setting::CacheTimeout(number) => self.cache_timeout = notes.nonzero(number),
            Setting::CommitTimeout(number) => {
                self.commit_timeout = notes.nonzero(number).map(|value| (value, number.span));
            }
            Setting::DisableExternalCache(switch) => self.caches.no_external = switch.value,
            Setting::DisableInternalCache(switch) => self.caches.no_internal = switch.value,
            Setting::PurgeTimeout(number) => self.purge_timeout = notes.nonzero(number),
            Setting::RefreshTime(number) => self.refresh_time = notes.nonzero(number),
            Setting::ResendQueueSize(number) => self.resend_queue_size = notes.nonzero(number),
            Setting::StartupResync(switch) => self.startup_resync = switch.value,
        }
    }

    fn add_option(&mut self, option: &ast::Options) {
        match option {
            ast::Options::TcpWindowTracking(switch) => self.tcp_window_tracking = switch.value,
            ast::Options::ExpectationSync(SwitchOr::Switch(true)) => self.add_helpers(&[]),
            ast::Options::ExpectationSync(SwitchOr::Switch(false)) => self.expectations = None,
            ast::Options::ExpectationSync(SwitchOr::Value(names)) => self.add_helpers(names),
        }
    }

    /// Lists grow. All helpers are meant as long as none is named.
    fn add_helpers(&mut self, names: &[Word]) {
        let mut helpers = match self.expectations.take() {
            Some(ExpectationSync::Helpers(helpers)) => helpers,
            _ => Vec::new(),
        };
        helpers.extend(names.iter().map(|name| name.value.to_ascii_lowercase()));
        retain_first(&mut helpers);
        self.expectations = Some(if helpers.is_empty() {
            ExpectationSync::All
        } else {
            ExpectationSync::Helpers(helpers)
        });
    }

    pub(super) fn finish(self, notes: &mut Notes) -> Option<Sync> {
        let commit_timeout = match self.commit_timeout {
            Some((_, span)) if self.caches.no_external => {
                notes.note_at_end(Problem::CommitWithoutCache, span);
                None
            }
            given => given.map(|(value, _)| Duration::from_secs(value.get().into())),
        };
        let mode = self.mode(notes);
        Some(Sync {
            mode,
            commit_timeout,
            purge_timeout: seconds(self.purge_timeout, PURGE_TIMEOUT_S),
            links: self.links.finish(self.start, self.is_damaged, notes)?,
            tcp_window_tracking: self.tcp_window_tracking,
            expectations: self.expectations.unwrap_or(ExpectationSync::Off),
        })
    }

    /// Of several modes FTFW wins, then ALARM.
    fn mode(&self, notes: &mut Notes) -> Mode {
        let (mode, name) = if self.modes.is_empty() || self.modes.contains(&ModeName::Ftfw) {
            (self.ftfw(), "FTFW")
        } else if self.modes.contains(&ModeName::Alarm) {
            let refresh_time = seconds(self.refresh_time, REFRESH_TIME_S);
            let cache_timeout = seconds(self.cache_timeout, CACHE_TIMEOUT_S);
            (Mode::Alarm(Alarm { refresh_time, cache_timeout }), "ALARM")
        } else {
            (self.notrack(), "NOTRACK")
        };
        if self.modes.is_empty() && !self.is_damaged {
            notes.note_at_end(Problem::ModeMissing, self.start);
        }
        if self.modes.windows(2).any(|pair| pair.first() != pair.last()) {
            notes.note(Problem::ModesSeveral(name), self.mode_span);
        }
        mode
    }

    fn ftfw(&self) -> Mode {
        Mode::Ftfw(Ftfw {
            resend_queue_size: self.resend_queue_size.unwrap_or(RESEND_QUEUE_SIZE),
            ack_window_size: self.ack_window_size.unwrap_or(ACK_WINDOW_SIZE),
            external_cache: !self.caches.no_external,
            startup_resync: self.startup_resync,
        })
    }

    fn notrack(&self) -> Mode {
        Mode::Notrack(Notrack {
            internal_cache: !self.caches.no_internal,
            external_cache: !self.caches.no_external,
            startup_resync: self.startup_resync,
        })
    }
}

fn seconds(given: Option<NonZeroU32>, default: u32) -> Duration {
    Duration::from_secs(given.map_or(default, NonZeroU32::get).into())
}
