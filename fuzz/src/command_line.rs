//! A command line: its words, what they mean together, and what is said of wrong ones.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use conntrack::command::Command;
use conntrack::labels::LabelOptions;
use conntrack::matrix;
use conntrack::options::{Environment, Options};
use conntrack::report::Failure;
use conntrack::usage_error::UsageError;

/// Reads the bytes as words with a NUL between them.
///
/// Whatever is typed is a command or an error with a text. Options that may go together always make a command.
///
/// # Panics
///
/// If that does not hold.
pub fn command_line(bytes: &[u8]) {
    let words = bytes.split(|byte| *byte == 0);
    let words: Vec<OsString> = words.map(|word| OsString::from_vec(word.to_vec())).collect();
    check_words(&words);
}

/// The same for words.
pub(crate) fn check_words(words: &[OsString]) {
    for posixly_correct in [false, true] {
        let environment = Environment { posixly_correct, protocols: &protocols };
        let options = match Options::scan(words, &environment) {
            Ok(options) => options,
            Err(rejection) => {
                for warning in rejection.warnings {
                    assert!(!warning.to_string().is_empty());
                }
                refused(rejection.error);
                continue;
            }
        };
        match matrix::check(&options) {
            Ok(()) => {
                let command = Command::new(&options, &LabelOptions::default());
                assert!(!format!("{command:?}").is_empty());
            }
            Err(error) => refused(error),
        }
    }
}

fn protocols() -> Vec<u8> {
    b"ip\t0\tIP\nospf\t89\tOSPFIGP\nesp 50 IPSEC-ESP # comment\nvery-long 255\n".to_vec()
}

fn refused(error: UsageError) {
    assert!(matches!(error.exit_code(), 1 | 2));
    assert!(!error.to_string().is_empty());
    let mut stderr = Vec::new();
    Failure::Usage(error).print(&mut stderr);
    assert!(stderr.starts_with(b"conntrack v") && stderr.ends_with(b"\n"));
}
