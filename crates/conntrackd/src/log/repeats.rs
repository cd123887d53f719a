//! What would be said again and again is said once an interval, and then how often it was not said.
//!
//! Kinds are named in the program, not by what comes from outside. All the same there is a bound.

use std::fmt;

use ctsync::time::{Duration, Instant};

use crate::report::Severity;

/// A kind is said once in this time.
pub const INTERVAL: Duration = Duration::from_secs(10);

/// Kinds that are remembered. One that finds no place is not said.
const KINDS_MAX: usize = 64;

/// A kind that was said, and is not said again for a while.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    severity: Severity,
    until: Instant,
    suppressed: u64,
}

/// The number of a kind that was not said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Due {
    /// What it is about.
    pub kind: &'static str,
    /// That of its kind.
    pub severity: Severity,
    /// How many were not said.
    pub count: u64,
}

impl fmt::Display for Due {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} more of these: {}", self.count, self.kind)
    }
}

/// All kinds.
#[derive(Debug, Default)]
pub struct Repeats {
    kinds: Vec<Kind>,
}

impl Repeats {
    /// Whether one of this kind is said now. If not, it is counted.
    pub fn admits(&mut self, now: Instant, name: &'static str, severity: Severity) -> bool {
        if let Some(kind) = self.kinds.iter_mut().find(|kind| kind.name == name) {
            kind.suppressed += 1;
            return false;
        }
        if self.kinds.len() >= KINDS_MAX {
            return false;
        }
        self.kinds.push(Kind { name, severity, until: now.after(INTERVAL), suppressed: 0 });
        true
    }

    /// Whether one of this kind would only be counted now.
    pub fn knows(&self, name: &str) -> bool {
        self.kinds.iter().any(|kind| kind.name == name)
    }

    /// A number that is to be said now; to be asked until there is none, before [`Self::admits`] too. If there was more
    /// of a kind, it is not said for another interval.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        self.kinds.retain(|kind| kind.until > now || kind.suppressed > 0);
        let kind = self.kinds.iter_mut().find(|kind| kind.until <= now)?;
        kind.until = now.after(INTERVAL);
        let count = std::mem::take(&mut kind.suppressed);
        Some(Due { kind: kind.name, severity: kind.severity, count })
    }

    /// When [`Self::due`] can have something.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.kinds.iter().map(|kind| kind.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "messages that were refused";
    const B: &str = "clients that do not read";

    #[test]
    fn a_kind_is_said_once_an_interval_and_then_how_often_it_was_not() {
        let mut repeats = Repeats::default();
        let start = Instant(7);
        let end = start.after(INTERVAL);
        assert!(repeats.admits(start, A, Severity::Warning));
        for _ in 0..3 {
            assert!(!repeats.admits(start, A, Severity::Warning));
        }
        assert!(repeats.admits(start, B, Severity::Error));
        assert_eq!(repeats.next_deadline(), Some(end));
        assert_eq!(repeats.due(Instant(end.0 - 1)), None);
        let due = repeats.due(end).unwrap();
        assert_eq!(due, Due { kind: A, severity: Severity::Warning, count: 3 });
        assert_eq!(due.to_string(), "3 more of these: messages that were refused");
        assert_eq!(repeats.due(end), None);
        // The one that was quiet can be said at once, the other waits.
        assert!(repeats.admits(end, B, Severity::Error));
        assert!(!repeats.admits(end, A, Severity::Warning));
    }

    #[test]
    fn nothing_is_remembered_when_nothing_happens() {
        let mut repeats = Repeats::default();
        assert!(repeats.admits(Instant(0), A, Severity::Warning));
        assert!(!repeats.admits(Instant(0), A, Severity::Warning));
        let first = Instant(0).after(INTERVAL);
        assert_eq!(repeats.due(first).map(|due| due.count), Some(1));
        let second = first.after(INTERVAL);
        assert_eq!(repeats.due(second), None);
        assert_eq!(repeats.next_deadline(), None);
        assert!(repeats.admits(second, A, Severity::Warning));
    }

    #[test]
    fn the_number_of_kinds_is_bounded() {
        let mut repeats = Repeats::default();
        let names: Vec<&'static str> =
            (0..100).map(|number| &*format!("kind {number}").leak()).collect();
        let said =
            names.iter().filter(|name| repeats.admits(Instant(0), name, Severity::Info)).count();
        assert_eq!(said, KINDS_MAX);
    }
}
