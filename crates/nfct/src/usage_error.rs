//! What can be wrong with a command line, in upstream's words.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// The version of upstream that this program stands in for, as messages give it.
pub const VERSION: &str = "1.4.9";

/// A command line that cannot be carried out. Words are kept as typed, whatever their bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UsageError {
    /// Fewer than two words.
    TooFewWords,
    /// No subsystem where one must be. The word is the first one.
    UnknownSubsystem(OsString),
    /// No command behind a subsystem. The word is the first one.
    UnknownCommand(OsString),
    /// Timeout policies have no such command.
    NotForTimeouts,
    /// Helpers have no such command. The word is the second one.
    NotForHelpers(OsString),
    /// `--json` with a command that shows nothing.
    JsonWithoutAnswer,
    /// More words than the command takes.
    TooManyArguments,
    /// No name of a timeout policy.
    NoTimeoutName,
    /// No name of a helper.
    NoHelperName,
    /// Too few words behind the command.
    MissingParameters(Syntax),
    /// Neither `inet` nor `inet6`.
    UnknownLayer3,
    /// No protocol of this name.
    UnknownLayer4,
    /// Helpers are for TCP and UDP.
    UnsupportedLayer4,
    /// The protocol has no such state.
    WrongState {
        /// The state as typed.
        state: OsString,
        /// The protocol as typed.
        protocol: OsString,
    },
    /// A state without a value behind it.
    NoValue,
    /// There is no such helper for this protocol.
    UnknownHelper,
}

/// Commands whose error shows how they are called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Syntax {
    /// `add timeout`.
    AddTimeout,
    /// `default-set timeout`.
    DefaultSet,
    /// `default-get timeout`.
    DefaultGet,
    /// `add helper`.
    AddHelper,
    /// `disable helper`.
    DisableHelper,
}

impl Syntax {
    fn line(self) -> &'static str {
        match self {
            Self::AddTimeout => "nfct add timeout name family protocol state1 timeout1 ...",
            Self::DefaultSet => "nfct default-set timeout family protocol state1 timeout1...",
            Self::DefaultGet => "nfct default-get timeout family protocol",
            Self::AddHelper => "nfct add helper name family protocol",
            Self::DisableHelper => "nfct disable helper name family protocol",
        }
    }
}

impl UsageError {
    /// The lines on standard error. `argv0` is how the program was called.
    pub fn render(&self, argv0: &OsStr) -> Vec<u8> {
        let argv0 = argv0.as_bytes();
        let usage = [b"Usage: ", argv0, b" command subsystem [parameters]...\n"].concat();
        match self {
            Self::TooFewWords => usage,
            Self::UnknownSubsystem(word) => [said("Unknown subsystem: ", word), usage].concat(),
            Self::UnknownCommand(word) => [said("Unknown command: ", word), usage].concat(),
            Self::NotForTimeouts => {
                let missing = said("Missing command", "".as_ref());
                let commands: &[u8] = b" <list|add|delete|get|default-set|default-get|flush> \
                    timeout [<parameters>, ...]\n";
                [&missing, argv0, commands].concat()
            }
            Self::NotForHelpers(word) => {
                let unknown = said("Unknown command: ", word);
                let missing = said("Missing command", "".as_ref());
                let commands: &[u8] =
                    b" helper list|add|delete|disable|get|flush [parameters...]\n";
                [&unknown, &missing, argv0, commands].concat()
            }
            Self::WrongState { state, protocol } => {
                let words = [state.as_bytes(), b"' for protocol `", protocol.as_bytes(), b"'"];
                said("Wrong state name: `", OsStr::from_bytes(&words.concat()))
            }
            Self::MissingParameters(syntax) => {
                said("missing parameters\nsyntax: ", syntax.line().as_ref())
            }
            Self::JsonWithoutAnswer => plain("--json goes with list, get and default-get only"),
            Self::TooManyArguments => plain("too many arguments"),
            Self::NoTimeoutName => plain("missing timeout policy name"),
            Self::NoHelperName => plain("missing helper policy name"),
            Self::UnknownLayer3 => plain("unknown layer 3 protocol"),
            Self::UnknownLayer4 => plain("unknown layer 4 protocol"),
            Self::UnsupportedLayer4 => plain("unsupported layer 4 protocol"),
            Self::NoValue => plain("missing value for this timeout"),
            Self::UnknownHelper => plain("that helper is not supported"),
        }
    }
}

fn plain(text: &str) -> Vec<u8> {
    said(text, "".as_ref())
}

/// `nfct v1.4.9: TEXTWORD` and the end of the line. The name does not depend on how the program was called.
fn said(text: &str, word: &OsStr) -> Vec<u8> {
    let begin = format!("nfct v{VERSION}: {text}");
    [begin.as_bytes(), word.as_bytes(), b"\n"].concat()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::UsageError;

    #[test]
    fn words_are_said_as_typed() {
        let word = |bytes| OsStr::from_bytes(bytes).to_owned();
        let error = UsageError::WrongState { state: word(b"a\xff`"), protocol: word(b"UDP") };
        assert_eq!(
            error.render("x".as_ref()),
            b"nfct v1.4.9: Wrong state name: `a\xff`' for protocol `UDP'\n"
        );
        let error = UsageError::NotForHelpers(word(b"\xfe"));
        assert_eq!(
            error.render(OsStr::from_bytes(b"/\xfd")),
            b"nfct v1.4.9: Unknown command: \xfe\nnfct v1.4.9: Missing command\n\
              /\xfd helper list|add|delete|disable|get|flush [parameters...]\n"
        );
    }
}
