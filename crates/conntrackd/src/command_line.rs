//! The words of the command line.
//!
//! Upstream's own rules: one word an option, no bundles, an argument is the next word if that does not start with `-`.
//! Unlike upstream, which looks at the second character alone, a word that is no option is refused.

#[cfg(test)]
mod tests;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::control::Request;

/// The file that is read when none is named.
const CONFIG: &str = "/etc/conntrackd/conntrackd.conf";

/// A longer path of the configuration is cut.
const PATH_MAX: usize = 4096;

/// What was asked for.
#[derive(Debug, Eq, PartialEq)]
pub enum CommandLine {
    /// `-h`
    Help,
    /// `-v`
    Version,
    /// Something that needs the configuration.
    Act {
        /// Its file.
        config: PathBuf,
        /// What to do.
        action: Action,
    },
}

/// What to do with a configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Nothing said: the daemon in the foreground.
    Console,
    /// `-d`
    Daemon,
    /// `--check`
    Check,
    /// Ask the daemon.
    Ask(Request),
}

/// What is wrong with the words.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum UsageError {
    /// No option, or an argument that the option before does not know.
    #[error("Unknown option: {}", .0.display())]
    UnknownOption(OsString),
    /// `-C` without a file.
    #[error("Missing config filename")]
    MissingConfig,
    /// Options that do not go together.
    #[error("Invalid parameters")]
    Invalid,
    /// An argument that is not known.
    #[error("unknown parameter `{}' for option `{option}'", word.display())]
    UnknownParameter {
        /// The argument.
        word: OsString,
        /// Its option.
        option: &'static str,
    },
}

impl UsageError {
    /// Whether the usage is printed with it.
    pub fn shows_usage(&self) -> bool {
        !matches!(self, Self::UnknownParameter { .. })
    }
}

/// Worth saying, but no error.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UsageWarning {
    /// An old argument of `-s`.
    #[error("use `link' instead of `multicast' as parameter.")]
    Multicast,
    /// Upstream's spelling.
    #[error("Path to config file to long. Cutting it down to 4096 characters")]
    PathCut,
}

/// Arguments of `-s`, in the order in which their beginnings are compared.
const STATISTICS: &[(&str, Request)] = &[
    ("network", Request::StatisticsNetwork),
    ("cache", Request::StatisticsCache),
    ("runtime", Request::StatisticsRuntime),
    ("multicast", Request::StatisticsLink),
    ("link", Request::StatisticsLink),
    ("rsqueue", Request::StatisticsResendQueue),
    ("process", Request::StatisticsProcess),
    ("queue", Request::StatisticsQueue),
    ("ct", Request::Statistics),
    ("expect", Request::StatisticsExpectations),
];

/// Reads the words behind the program's name. Warnings are added even if an error follows.
pub fn parse(
    words: &[OsString],
    warnings: &mut Vec<UsageWarning>,
) -> Result<CommandLine, UsageError> {
    let mut scan = Scan { words: words.iter(), action: None, warnings };
    let mut config = PathBuf::from(CONFIG);
    while let Some(word) = scan.words.next() {
        let request = match word.as_bytes() {
            b"-h" => return Ok(CommandLine::Help),
            b"-v" => return Ok(CommandLine::Version),
            b"-C" => {
                config = scan.config()?;
                continue;
            }
            b"-d" => {
                scan.set(Action::Daemon)?;
                continue;
            }
            b"--check" => {
                scan.set(Action::Check)?;
                continue;
            }
            b"-x" => match scan.action {
                Some(Action::Ask(request)) => request.as_xml().ok_or(UsageError::Invalid)?,
                _ => return Err(UsageError::Invalid),
            },
            b"-s" => scan.statistics()?,
            b"-f" => {
                let parameters =
                    [("internal", Request::FlushInternal), ("external", Request::FlushExternal)];
                scan.parameter("-f", &parameters)?.map_or(Request::FlushCaches, |(_, found)| found)
            }
            _ => scan.request(word)?,
        };
        scan.set(Action::Ask(request))?;
    }
    Ok(CommandLine::Act { config, action: scan.action.unwrap_or(Action::Console) })
}

struct Scan<'a> {
    words: std::slice::Iter<'a, OsString>,
    action: Option<Action>,
    warnings: &'a mut Vec<UsageWarning>,
}

impl Scan<'_> {
    /// Of several requests the last one counts. A request and a start exclude each other.
    fn set(&mut self, action: Action) -> Result<(), UsageError> {
        match (self.action, action) {
            (None, _) | (Some(Action::Ask(_)), Action::Ask(_)) => {}
            (Some(before), _) if before == action => {}
            _ => return Err(UsageError::Invalid),
        }
        self.action = Some(action);
        Ok(())
    }

    /// The next word, if it can be the argument of an option.
    fn argument(&self) -> Option<&OsStr> {
        let next = self.words.as_slice().first()?;
        (!next.as_bytes().starts_with(b"-")).then_some(next)
    }

    fn config(&mut self) -> Result<PathBuf, UsageError> {
        let path = self.words.next().ok_or(UsageError::MissingConfig)?.as_bytes();
        if path.len() > PATH_MAX {
            self.warnings.push(UsageWarning::PathCut);
        }
        let kept = path.get(..PATH_MAX - 1).unwrap_or(path);
        Ok(OsStr::from_bytes(kept).into())
    }

    fn statistics(&mut self) -> Result<Request, UsageError> {
        let Some((name, request)) = self.parameter("-s", STATISTICS)? else {
            return Ok(Request::Statistics);
        };
        if name == "multicast" {
            self.warnings.push(UsageWarning::Multicast);
        }
        Ok(request)
    }

    /// The parameter that the next word is the beginning of. `None` if no argument follows.
    fn parameter(
        &mut self,
        option: &'static str,
        parameters: &[(&'static str, Request)],
    ) -> Result<Option<(&'static str, Request)>, UsageError> {
        let Some(word) = self.argument() else { return Ok(None) };
        let starts = |(name, _): &&(&str, Request)| name.as_bytes().starts_with(word.as_bytes());
        let Some(found) = parameters.iter().find(starts) else {
            return Err(UsageError::UnknownParameter { word: word.to_owned(), option });
        };
        self.words.next();
        Ok(Some(*found))
    }

    /// An option that needs no parameter, or one of `ct` and `expect`.
    fn request(&mut self, word: &OsStr) -> Result<Request, UsageError> {
        let (unsaid, flows, expectations) = match word.as_bytes() {
            b"-k" => return Ok(Request::Kill),
            b"-B" => return Ok(Request::SendBulk),
            b"-n" => return Ok(Request::RequestDump),
            b"-t" => return Ok(Request::ResetTimers),
            b"-i" => {
                (Request::DumpInternal, Request::DumpInternal, Request::DumpInternalExpectations)
            }
            b"-e" => {
                (Request::DumpExternal, Request::DumpExternal, Request::DumpExternalExpectations)
            }
            b"-c" => (Request::Commit, Request::CommitFlows, Request::CommitExpectations),
            b"-F" => {
                (Request::FlushKernel, Request::FlushKernelFlows, Request::FlushKernelExpectations)
            }
            b"-R" => (Request::Resync, Request::ResyncFlows, Request::ResyncExpectations),
            _ => return Err(UsageError::UnknownOption(word.to_owned())),
        };
        match self.parameter("", &[("ct", flows), ("expect", expectations)]) {
            Ok(found) => Ok(found.map_or(unsaid, |(_, request)| request)),
            Err(UsageError::UnknownParameter { word, .. }) => Err(UsageError::UnknownOption(word)),
            Err(other) => Err(other),
        }
    }
}
