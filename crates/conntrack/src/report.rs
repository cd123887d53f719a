//! Everything that goes to standard error, and the exit codes: upstream's words, in one place.

use std::io::{self, Write};
use std::process::ExitCode;

use ctnetlink::ExchangeError;
use ctnetlink::client::ClientError;
use sys::error_text::error_text;
use sys::netlink::OpenError;

use crate::help::VERSION;
use crate::options::{CommandName, Table};
use crate::usage_error::UsageError;

/// How a run ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The kernel or the system refused, or nothing matched.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A signal ended it in the middle: what a shell shows for a program that SIGINT ended.
    Interrupted = 130,
    /// The reader of standard output went away: what a shell shows for a program that SIGPIPE ended.
    OutputClosed = 141,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a run failed.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong.
    Usage(UsageError),
    /// No socket.
    Open(OpenError),
    /// A request failed. The command decides the words.
    Request {
        /// What was to be done.
        command: CommandName,
        /// On which table.
        table: Table,
        /// What went wrong.
        error: ClientError,
    },
    /// Receiving events failed.
    Events(io::Error),
    /// Signals cannot be held back.
    Signals(io::Error),
    /// Standard output failed.
    Output(io::Error),
    /// A batch file cannot be opened.
    BatchFile {
        /// The name as typed.
        name: String,
        /// Why, which upstream does not say.
        error: io::Error,
    },
    /// A line of a batch file is no command line that it may have.
    Batch(BatchError),
    /// A line of a batch file failed.
    AtLine {
        /// Number of the line, from 1 on.
        line: usize,
        /// How.
        failure: Box<Failure>,
    },
}

/// What is wrong with a line of a batch file.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum BatchError {
    /// A command that has no place in a batch.
    #[error("Cannot use command `{0}' with --load-file")]
    Command(&'static str),
    /// A word of 1024 bytes or more.
    #[error("Parameter too long!")]
    LongWord,
    /// More than 253 words.
    #[error("too many arguments")]
    ManyWords,
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(error) if error.exit_code() == 1 => Exit::Failure,
            Self::Usage(_) | Self::BatchFile { .. } | Self::Batch(_) => Exit::Usage,
            Self::AtLine { failure, .. } => failure.exit(),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OutputClosed,
            Self::Open(_)
            | Self::Request { .. }
            | Self::Events(_)
            | Self::Signals(_)
            | Self::Output(_) => Exit::Failure,
        }
    }

    /// Says what went wrong. A closed standard output says nothing.
    pub fn print(&self, stderr: &mut dyn Write) {
        let text = match self {
            Self::Usage(error) => error.to_string(),
            Self::Open(error) => {
                // Only a socket of events can fail to be bound: its groups need a right.
                let (step, error, text) = match error {
                    OpenError::Open(error) => ("mnl_socket_open", error, "Can't open handler"),
                    OpenError::Bind(error) => {
                        ("mnl_socket_bind", error, "Can't open netlink socket")
                    }
                };
                print_line(stderr, &format!("{step}: {}", error_text(error)));
                text.to_owned()
            }
            Self::Request { command, table, error } => {
                format!("Operation failed: {}", request_text(*command, *table, error))
            }
            Self::Events(error) => {
                format!("failed to received netlink event: {}", error_text(error))
            }
            Self::Signals(error) => format!("cannot watch for signals: {}", error_text(error)),
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return,
            Self::Output(error) => format!("cannot write the output: {}", error_text(error)),
            Self::BatchFile { name, .. } => format!("Failed to open file {name} for reading"),
            Self::Batch(error) => error.to_string(),
            Self::AtLine { failure, .. } => return failure.print(stderr),
        };
        message(stderr, &text);
        if self.exit() == Exit::Usage {
            print_line(stderr, "Try `conntrack -h' or 'conntrack --help' for more information.");
        }
    }

    /// Says more to a person than upstream's bytes have room for.
    pub fn print_details(&self, stderr: &mut dyn Write) {
        match self {
            Self::BatchFile { error, .. } => print_line(stderr, &error_text(error)),
            Self::Open(OpenError::Bind(error)) if error.raw_os_error() == Some(EPERM) => {
                print_line(stderr, "hint: watching events needs the right CAP_NET_ADMIN.");
            }
            Self::Open(OpenError::Open(_)) => print_line(stderr, NO_CONNTRACK),
            Self::Request { command, error, .. } if lacks_conntrack(*command, error) => {
                print_line(stderr, NO_CONNTRACK);
            }
            Self::AtLine { failure, .. } if failure.exit() == Exit::OutputClosed => {}
            Self::AtLine { line, .. } => print_line(stderr, &format!("in line {line}")),
            _ => {}
        }
    }
}

/// Prints `conntrack v1.4.9 (conntrack-tools): TEXT`. The name does not depend on how the program was called.
pub fn message(stderr: &mut dyn Write, text: &str) {
    print_line(stderr, &format!("conntrack v{VERSION} (conntrack-tools): {text}"));
}

/// Prints a line. If standard error fails there is nowhere to say so.
pub fn print_line(stderr: &mut dyn Write, text: &str) {
    let _ = stderr.write_all(format!("{text}\n").as_bytes());
}

const EPERM: i32 = 1;
const EINVAL: i32 = 22;

const NO_CONNTRACK: &str = "hint: this kernel may lack connection tracking or its netlink interface (modules \
     nf_conntrack, nf_conntrack_netlink).";

/// The kernel answers EINVAL to a subsystem that it does not have. Lists and counts have little else to refuse.
fn lacks_conntrack(command: CommandName, error: &ClientError) -> bool {
    use CommandName::{Count, Flush, List, Stats};
    matches!(command, Count | Flush | List | Stats)
        && error.kernel().is_some_and(|refusal| refusal.errno == EINVAL)
}

/// Linux's `ENOTSUPP`, which the C library has no name for.
const ENOTSUPP: i32 = 524;

fn request_text(command: CommandName, table: Table, error: &ClientError) -> String {
    match error {
        ClientError::Exchange(ExchangeError::Kernel(refusal)) => {
            match kernel_text(command, table, refusal.errno) {
                Some(text) => text.to_owned(),
                None => error_text(&io::Error::from_raw_os_error(refusal.errno)),
            }
        }
        ClientError::Socket(error) => error_text(error),
        other => other.to_string(),
    }
}

/// The commands' own words for an errno.
fn kernel_text(command: CommandName, table: Table, errno: i32) -> Option<&'static str> {
    use CommandName::{Add, Count, Create, Delete, Get, List, Stats};
    let expectations = table == Table::Expect;
    match errno {
        EPERM => Some("sorry, you must be root or get CAP_NET_ADMIN capability to do this"),
        EINVAL if !matches!(command, Count | Stats | Add) => Some("invalid parameters"),
        2 if command == Create && expectations => Some("master conntrack not found"),
        _ if expectations => None,
        17 if command == Create => Some("Such conntrack exists, try -U to update"),
        2 if matches!(command, Create | Get | Delete | Add) => Some("such conntrack doesn't exist"),
        12 if matches!(command, Create | Get | Add) => Some("not enough memory"),
        97 if command == Get => Some("protocol not supported"),
        62 if matches!(command, Create | Add) => Some("conntrack has expired"),
        ENOTSUPP if command == List => Some("function not implemented"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Failure, kernel_text};
    use crate::options::{CommandName, Table};

    #[test]
    fn words_depend_on_errno_command_and_table() {
        use CommandName::{Add, Create, Get, List, Update};
        for (command, table, errno, text) in [
            (Create, Table::Conntrack, 17, Some("Such conntrack exists, try -U to update")),
            (Create, Table::Expect, 17, None),
            (Create, Table::Expect, 2, Some("master conntrack not found")),
            (Get, Table::Conntrack, 2, Some("such conntrack doesn't exist")),
            (Get, Table::Expect, 2, None),
            (Update, Table::Conntrack, 2, None),
            (Add, Table::Conntrack, 22, None),
            (List, Table::Conntrack, 22, Some("invalid parameters")),
            (List, Table::Conntrack, 524, Some("function not implemented")),
            (List, Table::Conntrack, 16, None),
        ] {
            assert_eq!(kernel_text(command, table, errno), text, "{command:?} {table:?} {errno}");
        }
    }

    #[test]
    fn a_closed_pipe_is_quiet_and_looks_like_sigpipe() {
        let failure = Failure::Output(std::io::ErrorKind::BrokenPipe.into());
        let mut stderr = Vec::new();
        failure.print(&mut stderr);
        assert!(stderr.is_empty());
        assert_eq!(failure.exit(), Exit::OutputClosed);
    }
}
