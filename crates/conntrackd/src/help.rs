//! The usage and the version: upstream's to the byte, and on a terminal what is new behind it.
//!
//! Scripts and tests compare the help of the program that they stand on, so a pipe gets upstream's alone.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The version of upstream that this program stands in for.
const VERSION: &str = "1.4.9";

/// All after the two lines that vary.
const USAGE: &str = include_str!("help/usage.txt");

/// What upstream does not have.
const EXTENSIONS: &str = include_str!("help/extensions.txt");

/// Who reads the help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reader {
    /// A person at a terminal.
    Person,
    /// A program or a file, which expects upstream's text.
    Program,
}

/// The usage. `argv0` is how the program was called.
pub fn usage(reader: Reader, argv0: &OsStr) -> Vec<u8> {
    let title = format!("Connection tracking userspace daemon v{VERSION}\nUsage: ");
    let extensions = match reader {
        Reader::Person => EXTENSIONS,
        Reader::Program => "",
    };
    let commands = b" [commands] [options]\n";
    [title.as_bytes(), argv0.as_bytes(), commands, USAGE.as_bytes(), extensions.as_bytes()].concat()
}

/// The version. The first line is upstream's, which scripts look at.
pub fn version() -> String {
    format!(
        "Connection tracking userspace daemon v{VERSION}. Licensed under GPLv2.\n\
         conntrack-ng {}, a rewrite in Rust. Licensed under MIT or Apache-2.0.\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Reader, usage, version};

    #[test]
    fn a_person_sees_what_is_new_behind_the_original_usage() {
        let program = usage(Reader::Program, OsStr::new("./ctd"));
        assert!(program.starts_with(
            b"Connection tracking userspace daemon v1.4.9\nUsage: ./ctd [commands] [options]\n\nGeneral"
        ));
        assert!(program.ends_with(b"PurgeTimeout clause)\n\n"));
        let person = usage(Reader::Person, OsStr::new("./ctd"));
        assert!(person.starts_with(&program) && person.ends_with(b"without starting\n\n"));
    }

    #[test]
    fn the_version_is_two_lines() {
        assert_eq!(version().lines().count(), 2);
    }
}
