//! The configuration file of the daemon, and what is said of a wrong one.

use conntrackd::config::diagnostic::{Diagnostic, Stage};
use conntrackd::config::source::{line_number, shown};
use conntrackd::config::{Reading, read};

/// Reads the bytes as a configuration file.
///
/// There is a configuration unless something is wrong. Every diagnostic has a text and a place in the file. Names that
/// do not exist add warnings, no errors.
///
/// # Panics
///
/// If that does not hold.
pub fn daemon_config(source: &[u8]) {
    let mut reading = read(source);
    check(&reading, source);
    let is_config = reading.config.is_some();
    let before = reading.diagnostics.len();
    let mut names = 0;
    reading.look_up(|_| {
        names += 1;
        false
    });
    assert_eq!(reading.diagnostics.len(), before + names);
    assert_eq!(reading.config.is_some(), is_config);
    check(&reading, source);
}

fn check(reading: &Reading, source: &[u8]) {
    let stages = [Stage::Reading, Stage::Start];
    assert_eq!(reading.config.is_some(), stages.iter().all(|stage| reading.passes(*stage)));
    let lines = source.split(|byte| *byte == b'\n').count();
    for Diagnostic { problem, span, raised_at } in &reading.diagnostics {
        assert!(!problem.to_string().is_empty());
        assert!(problem.hint().is_none_or(|hint| !hint.is_empty()));
        assert!(span.start <= span.end && span.end <= source.len());
        // One more than there are bytes: what is found when all has been read.
        assert!(*raised_at <= source.len() + 1);
        assert!((1..=lines).contains(&line_number(source, span.start)));
        let _ = shown(source, *span);
    }
}
