//! Statements to a [`Config`]. Here alone are limits, defaults and what statements mean together.
//!
//! Statements are taken in the order of the text: a later value replaces an earlier one, links and lists grow.

mod address;
mod filter;
mod general;
mod helper;
mod links;
mod stats;
mod sync;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::path::PathBuf;

use super::ast::{Block, File, Number, Section};
use super::diagnostic::{Diagnostic, Level, Problem};
use super::model::{Config, Facility, Helpers, Role};
use super::source::{At, Span};
use general::GeneralDraft;
use stats::StatsDraft;
use sync::SyncDraft;

/// The longest path of a file that upstream takes.
const PATH_MAX: usize = 256;

/// What a file says.
#[derive(Debug)]
pub(super) struct Checked {
    /// For a daemon. `None` if there is an error.
    pub config: Option<Config>,
    /// For a command that asks the daemon.
    pub control_socket: PathBuf,
    /// Names of things that may not exist on this system, in the order of the text.
    pub(super) names: Vec<At<OuterName>>,
}

/// The name of something that the configuration alone does not know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum OuterName {
    /// A network device.
    Interface(String),
    /// A protocol of the protocols database.
    Protocol(String),
}

/// Judges a file. `diagnostics` has what the parser said and gets the rest; an error of the parser counts too.
pub(super) fn check(file: &File, text_len: usize, diagnostics: &mut Vec<Diagnostic>) -> Checked {
    let mut notes = Notes { diagnostics, names: Vec::new(), text_len };
    let mut draft = Draft::default();
    for section in &file.sections {
        draft.add(section, &mut notes);
    }
    let (config, control_socket) = draft.finish(&mut notes);
    let names = notes.names;
    let refused = diagnostics.iter().any(|found| found.problem.level() == Level::Error);
    Checked { config: config.filter(|_| !refused), control_socket, names }
}

#[derive(Default)]
struct Draft {
    general: GeneralDraft,
    sync: Option<SyncDraft>,
    stats: Option<StatsDraft>,
    helpers: Option<Helpers>,
    has_both_roles: bool,
}

impl Draft {
    fn add(&mut self, section: &Section, notes: &mut Notes) {
        match section {
            Section::General(block) => {
                for statement in &block.statements {
                    self.general.add(statement, notes);
                    self.note_facility_conflict(statement.span, notes);
                }
            }
            Section::Sync(block) => {
                let sync = self.sync.get_or_insert_default();
                for statement in &block.statements {
                    sync.add(statement, notes);
                }
                sync.start = block.head;
                sync.is_damaged |= block.is_damaged;
                self.note_both_roles(block, notes);
            }
            Section::Stats(block) => {
                for statement in &block.statements {
                    self.stats.get_or_insert_default().add(statement, notes);
                    self.note_facility_conflict(statement.span, notes);
                }
                self.stats.get_or_insert_default();
                self.note_both_roles(block, notes);
            }
            Section::Helper(block) => {
                let helpers = self.helpers.get_or_insert_default();
                for statement in &block.statements {
                    helper::add(helpers, statement, notes);
                }
            }
        }
    }

    fn note_both_roles<S>(&mut self, block: &Block<S>, notes: &mut Notes) {
        if self.sync.is_some() && self.stats.is_some() && !self.has_both_roles {
            self.has_both_roles = true;
            notes.note(Problem::StatsAndSync, block.close);
        }
    }

    /// Called behind each statement that may name a facility. General's prevails.
    fn note_facility_conflict(&mut self, span: Span, notes: &mut Notes) {
        let Some(stats) = &mut self.stats else { return };
        if let (Some(named), Some(other)) = (self.general.facility, stats.facility)
            && named != other
        {
            notes.note(Problem::FacilityConflict, span);
            stats.facility = Some(named);
            stats.log.syslog = Some(named);
        }
    }

    fn finish(self, notes: &mut Notes) -> (Option<Config>, PathBuf) {
        let general = self.general.finish();
        let control_socket = general.control_socket.clone();
        let role = match (self.sync, self.stats) {
            (Some(sync), _) => sync.finish(notes).map(Role::Sync),
            (None, Some(stats)) => Some(Role::Stats(stats.finish())),
            (None, None) => Some(Role::Idle),
        };
        let helpers = self.helpers;
        (role.map(|role| Config { general, role, helpers }), control_socket)
    }
}

/// Where diagnostics and names are gathered.
struct Notes<'a> {
    diagnostics: &'a mut Vec<Diagnostic>,
    names: Vec<At<OuterName>>,
    text_len: usize,
}

impl Notes<'_> {
    /// Notes a thing that upstream finds when it has read these words.
    fn note(&mut self, problem: Problem, span: Span) {
        self.note_later(problem, span, span.end);
    }

    /// Notes a thing that upstream finds later than the words it is about.
    fn note_later(&mut self, problem: Problem, span: Span, raised_at: usize) {
        self.diagnostics.push(Diagnostic { problem, span, raised_at });
    }

    /// Notes a thing that upstream finds when it has read all.
    fn note_at_end(&mut self, problem: Problem, span: Span) {
        self.note_later(problem, span, self.text_len + 1);
    }

    fn name(&mut self, value: OuterName, span: Span) {
        self.names.push(At { value, span });
    }

    /// A number as 32 bits, which are more than the number of anything here needs.
    fn amount(&mut self, number: &Number) -> u32 {
        u32::try_from(number.value).unwrap_or_else(|_| {
            self.note(Problem::NumberLarge { limit: u32::MAX.into() }, number.span);
            u32::MAX
        })
    }

    /// As `amount`. `None` for 0, which upstream takes for "not given".
    fn nonzero(&mut self, number: &Number) -> Option<NonZeroU32> {
        NonZeroU32::new(self.amount(number))
    }
}

/// The facility of a name, which is in small letters.
fn facility(name: &str) -> Option<Facility> {
    if name == "daemon" {
        return Some(Facility::Daemon);
    }
    match name.strip_prefix("local")?.as_bytes() {
        [digit @ b'0'..=b'7'] => Some(Facility::Local(digit - b'0')),
        _ => None,
    }
}

/// Keeps the first of equal members.
fn retain_first<T: Clone + Eq + Hash>(members: &mut Vec<T>) {
    let mut seen = HashSet::new();
    members.retain(|member| seen.insert(member.clone()));
}

/// A default that is not zero.
const fn default_of(value: u32) -> NonZeroU32 {
    match NonZeroU32::new(value) {
        Some(value) => value,
        None => NonZeroU32::MIN,
    }
}
