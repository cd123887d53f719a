//! Everything that goes to standard error, and the exit codes: upstream's words, in one place.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;

use ctnetlink::ExchangeError;
use ctnetlink::client::ClientError;
use sys::error_text::error_text;
use sys::netlink::OpenError;

use crate::command::{Command, HelperCommand, TimeoutCommand};
use crate::usage_error::{UsageError, VERSION};

/// How a run ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Success = 0,
    /// The command line is wrong, or the kernel or the system refused.
    Failure = 1,
    /// The reader of standard output went away: what a shell shows for a program that SIGPIPE ended.
    OutputClosed = 141,
    /// No netlink socket.
    NoSocket = 255,
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
    /// A request failed.
    Request(ClientError),
    /// Standard output failed.
    Output(io::Error),
}

impl From<UsageError> for Failure {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Request(error)
    }
}

const EPERM: i32 = 1;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const EOPNOTSUPP: i32 = 95;

impl Failure {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Open(_) => Exit::NoSocket,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::OutputClosed,
            Self::Usage(_) | Self::Request(_) | Self::Output(_) => Exit::Failure,
        }
    }

    /// Says what went wrong. A closed standard output says nothing. `command` is what was to be done, if that is known.
    pub fn print(&self, stderr: &mut dyn Write, argv0: &OsStr, command: Option<&Command>) {
        match self {
            Self::Usage(error) => {
                // If standard error fails there is nowhere to say so.
                let _ = stderr.write_all(&error.render(argv0));
            }
            Self::Open(OpenError::Open(error) | OpenError::Bind(error)) => {
                message(stderr, &format!("cannot open netlink: {}", error_text(error)));
            }
            Self::Request(error) => {
                message(stderr, &format!("netlink error: {}", request_text(error)));
                if let (Some(EBUSY), Some(Command::Helper(HelperCommand::Add(_, helper)))) =
                    (self.errno(), command)
                {
                    let name = helper.name;
                    print_line(stderr, &format!("Maybe unload nf_conntrack_{name}.ko first?"));
                }
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Self::Output(error) => {
                message(stderr, &format!("cannot write the output: {}", error_text(error)));
            }
        }
    }

    /// Says more to a reader who does not count upstream's bytes.
    pub fn print_hint(&self, stderr: &mut dyn Write, command: Option<&Command>) {
        if let Self::Usage(UsageError::TooFewWords) = self {
            let _ = stderr.write_all(HELP.as_bytes());
        } else if let (Some(errno), Some(command)) = (self.errno(), command)
            && let Some(hint) = hint(command, errno)
        {
            print_line(stderr, &format!("hint: {hint}"));
        }
    }

    /// Why the kernel refused, if it did.
    fn errno(&self) -> Option<i32> {
        match self {
            Self::Request(error) => error.kernel().map(|refusal| refusal.errno),
            _ => None,
        }
    }
}

/// What a person may want to know who typed too little.
const HELP: &str = include_str!("report/help.txt");

/// Prints `nfct v1.4.9: TEXT`. The name does not depend on how the program was called.
fn message(stderr: &mut dyn Write, text: &str) {
    print_line(stderr, &format!("nfct v{VERSION}: {text}"));
}

/// Prints a line. If standard error fails there is nowhere to say so.
pub fn print_line(stderr: &mut dyn Write, text: &str) {
    let _ = stderr.write_all(format!("{text}\n").as_bytes());
}

fn request_text(error: &ClientError) -> String {
    match error {
        ClientError::Exchange(ExchangeError::Kernel(refusal)) => {
            error_text(&io::Error::from_raw_os_error(refusal.errno))
        }
        ClientError::Socket(error) => error_text(error),
        other => other.to_string(),
    }
}

const NO_TIMEOUTS: &str = "this kernel may lack timeout policies: CONFIG_NF_CT_NETLINK_TIMEOUT, \
    module nfnetlink_cttimeout.";
const NO_HELPERS: &str = "this kernel may lack helpers in user space: \
    CONFIG_NF_CT_NETLINK_HELPER, module nfnetlink_cthelper.";

/// What a refusal probably means. The kernel answers EINVAL to a subsystem that it does not have.
fn hint(command: &Command, errno: i32) -> Option<&'static str> {
    use {HelperCommand as Helper, TimeoutCommand as Timeout};
    match (errno, command) {
        (EPERM, Command::Helper(_)) => {
            Some("this needs the right CAP_NET_ADMIN in the initial user namespace.")
        }
        (EPERM, _) => Some("this needs the right CAP_NET_ADMIN."),
        (EINVAL, Command::Timeout(Timeout::Add { values, .. } | Timeout::DefaultSet(values)))
            if values.timeouts_s.is_empty() =>
        {
            Some("a policy needs at least one state with its value.")
        }
        (EINVAL, Command::Timeout(_)) => Some(NO_TIMEOUTS),
        (EINVAL, Command::Helper(Helper::Disable(..))) => Some(
            "there is no such helper, or this kernel lacks helpers in user space: \
             CONFIG_NF_CT_NETLINK_HELPER, module nfnetlink_cthelper.",
        ),
        (EINVAL, Command::Helper(_)) => Some(NO_HELPERS),
        (EBUSY, Command::Timeout(Timeout::Add { .. })) => {
            Some("there is a policy of this name; delete it first.")
        }
        (EBUSY, Command::Timeout(_)) => Some("a rule uses this policy."),
        (EBUSY, Command::Helper(Helper::Delete(_) | Helper::Flush)) => {
            Some("a rule uses such a helper.")
        }
        (EOPNOTSUPP, Command::Timeout(_)) => {
            Some("this kernel has no tracker of its own for this protocol.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Failure, request_text};
    use ctnetlink::client::ClientError;
    use std::io;

    #[test]
    fn a_closed_pipe_is_quiet_and_looks_like_sigpipe() {
        let failure = Failure::Output(io::ErrorKind::BrokenPipe.into());
        let mut stderr = Vec::new();
        failure.print(&mut stderr, "nfct".as_ref(), None);
        assert!(stderr.is_empty());
        assert_eq!(failure.exit(), Exit::OutputClosed);
    }

    #[test]
    fn errors_of_the_socket_have_the_words_of_the_system() {
        let error = ClientError::Socket(io::Error::from_raw_os_error(105));
        assert_eq!(request_text(&error), "No buffer space available");
        assert_eq!(request_text(&ClientError::NoAnswer), "the kernel gave no answer");
    }
}
