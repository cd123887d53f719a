//! The configuration file: text, tokens, statements, [`Config`].
//!
//! ```
//! let reading = conntrackd::config::read(b"Stats { LogFile on }");
//! let config = reading.config.expect("this text has no error");
//! assert_eq!(config.general.hash_limit.get(), 262_144);
//! ```
//!
//! Nothing here opens a file, looks up a name or asks the kernel. Whether devices and protocols exist is asked by
//! [`Reading::look_up`] with the answer of the caller. Source of the facts: the cases in
//! `conformance/conntrackd/config` and runs of 1.4.7 beside ours on generated files.

mod ast;
mod check;
pub mod diagnostic;
pub mod keyword;
mod lexer;
mod model;
mod parse;
pub mod protocols;
#[cfg(test)]
mod render;
pub mod source;

use std::path::PathBuf;

pub use check::OuterName;
use diagnostic::{Diagnostic, Level, Problem, Stage};
pub use model::*;
use source::At;

/// What a text says.
#[derive(Debug)]
pub struct Reading {
    /// For a daemon. `None` if a diagnostic is an error.
    pub config: Option<Config>,
    /// For a command that asks the daemon: it needs no more, and minds no error that only a start would meet.
    pub control_socket: PathBuf,
    /// What there is to say, in the order in which upstream finds it.
    pub diagnostics: Vec<Diagnostic>,
    names: Vec<At<OuterName>>,
}

/// Reads a configuration.
pub fn read(source: &[u8]) -> Reading {
    let mut diagnostics = Vec::new();
    let file = parse::parse(source, &mut diagnostics);
    let checked = check::check(&file, source.len(), &mut diagnostics);
    sort(&mut diagnostics);
    Reading {
        config: checked.config,
        control_socket: checked.control_socket,
        diagnostics,
        names: checked.names,
    }
}

impl Reading {
    /// Adds a warning for each name that does not exist.
    pub fn look_up(&mut self, mut exists: impl FnMut(&OuterName) -> bool) {
        for At { value, span } in self.names.drain(..) {
            if !exists(&value) {
                let problem = match value {
                    OuterName::Interface(name) => Problem::Interface(name),
                    OuterName::Protocol(name) => Problem::Protocol(name),
                };
                self.diagnostics.push(Diagnostic { problem, span, raised_at: span.end });
            }
        }
        sort(&mut self.diagnostics);
    }

    /// What upstream says before it stops: warnings up to the first error.
    pub fn until_first_error(&self, stage: Stage) -> impl Iterator<Item = &Diagnostic> {
        let mut is_refused = false;
        self.diagnostics.iter().filter(move |found| found.problem.stage() == stage).take_while(
            move |found| {
                let goes_on = !is_refused;
                is_refused |= found.problem.level() == Level::Error;
                goes_on
            },
        )
    }

    /// Whether a stage has no error.
    pub fn passes(&self, stage: Stage) -> bool {
        !self
            .diagnostics
            .iter()
            .any(|found| found.problem.stage() == stage && found.problem.level() == Level::Error)
    }
}

/// A statement is judged before the token behind it is found to be wrong, also where the two touch.
fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics
        .sort_by_key(|found| (found.raised_at, matches!(found.problem, Problem::Syntax { .. })));
}
