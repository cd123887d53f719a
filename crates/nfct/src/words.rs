//! The first two words of a command line.
//!
//! A word stands for the first entry of its table that begins with it. So `d` is `delete`, `h` and `help` are `helper`,
//! and the empty word is the first entry. Letters of another case are other letters.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use crate::usage_error::UsageError;

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Show all.
    List,
    /// Make one.
    Add,
    /// Delete one.
    Delete,
    /// Show one.
    Get,
    /// Delete all.
    Flush,
    /// Stop using one.
    Disable,
    /// Set the defaults.
    DefaultSet,
    /// Show the defaults.
    DefaultGet,
}

/// What it is to be done with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subsystem {
    /// Timeout policies.
    Timeout,
    /// Helpers in user space.
    Helper,
    /// The program itself.
    Version,
}

/// Names of actions, in the order in which they are tried.
pub const ACTIONS: [(&str, Action); 8] = [
    ("list", Action::List),
    ("add", Action::Add),
    ("delete", Action::Delete),
    ("get", Action::Get),
    ("flush", Action::Flush),
    ("disable", Action::Disable),
    ("default-set", Action::DefaultSet),
    ("default-get", Action::DefaultGet),
];

/// Names of subsystems, in the order in which they are tried. Upstream has `help` as a fourth, which `helper` hides.
pub const SUBSYSTEMS: [(&str, Subsystem); 3] = [
    ("timeout", Subsystem::Timeout),
    ("helper", Subsystem::Helper),
    ("version", Subsystem::Version),
];

fn look_up<T: Copy>(table: &[(&str, T)], word: &OsStr) -> Option<T> {
    let mut entries = table.iter();
    entries.find(|(name, _)| name.as_bytes().starts_with(word.as_bytes())).map(|(_, entry)| *entry)
}

/// The action and the subsystem, in either order. Errors name the first word, even where the second one is wrong.
pub fn begin(first: &OsStr, second: &OsStr) -> Result<(Action, Subsystem), UsageError> {
    let unknown_subsystem = || UsageError::UnknownSubsystem(OsString::from(first));
    if let Some(action) = look_up(&ACTIONS, first) {
        let subsystem = look_up(&SUBSYSTEMS, second).ok_or_else(unknown_subsystem)?;
        return Ok((action, subsystem));
    }
    let subsystem = look_up(&SUBSYSTEMS, first).ok_or_else(unknown_subsystem)?;
    let action =
        look_up(&ACTIONS, second).ok_or_else(|| UsageError::UnknownCommand(first.into()))?;
    Ok((action, subsystem))
}

#[cfg(test)]
mod tests {
    use super::{Action, Subsystem, begin};
    use crate::usage_error::UsageError;

    fn of(line: [&str; 2]) -> Result<(Action, Subsystem), UsageError> {
        begin(line[0].as_ref(), line[1].as_ref())
    }

    #[test]
    fn the_first_entry_that_begins_with_a_word_is_meant() {
        for (first, second, wanted) in [
            ("list", "timeout", (Action::List, Subsystem::Timeout)),
            ("d", "t", (Action::Delete, Subsystem::Timeout)),
            ("di", "h", (Action::Disable, Subsystem::Helper)),
            ("def", "help", (Action::DefaultSet, Subsystem::Helper)),
            ("default-g", "v", (Action::DefaultGet, Subsystem::Version)),
            ("", "", (Action::List, Subsystem::Timeout)),
            ("timeout", "", (Action::List, Subsystem::Timeout)),
            ("h", "fl", (Action::Flush, Subsystem::Helper)),
        ] {
            assert_eq!(of([first, second]), Ok(wanted), "{first} {second}");
        }
    }

    #[test]
    fn the_first_word_is_named_whichever_is_wrong() {
        let subsystem = |word: &str| Err(UsageError::UnknownSubsystem(word.into()));
        let command = |word: &str| Err(UsageError::UnknownCommand(word.into()));
        for (line, wanted) in [
            (["list", "x"], subsystem("list")),
            (["x", "timeout"], subsystem("x")),
            (["x", "y"], subsystem("x")),
            (["LIST", "timeout"], subsystem("LIST")),
            (["listt", "timeout"], subsystem("listt")),
            (["timeout", "x"], command("timeout")),
            (["help", "help"], command("help")),
        ] {
            assert_eq!(of(line), wanted, "{line:?}");
        }
    }
}
