//! Words to a [`Call`]: complete, typed, checked in upstream's order, so that the first error is the same.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use ctnetlink::TimeoutValues;
use flow::{Family, Protocol, protocols_file};

use crate::helper::{self, KnownHelper};
use crate::timeout::{self, GENERIC};
use crate::usage_error::{Syntax, UsageError};
use crate::words::{Action, Subsystem, begin};

/// Bytes that the kernel keeps of a policy's name.
const TIMEOUT_NAME_LEN: usize = 31;
/// Bytes that the kernel keeps of a helper's name.
const HELPER_NAME_LEN: usize = 15;
/// The word that asks for JSON: before the command, or behind all that it needs.
const JSON: &str = "--json";

/// Gives the text of `/etc/protocols`; `None` if there is no such file.
pub type ProtocolsFile<'a> = &'a dyn Fn() -> Option<Vec<u8>>;

/// A command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// What to do.
    pub command: Command,
    /// How to show the answer.
    pub form: Form,
    /// The name was longer than this many bytes, and so much of it counts.
    pub cut_to: Option<usize>,
}

/// How an answer is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Form {
    /// As upstream shows it.
    Text,
    /// As docs/schema describes it.
    Json,
}

/// What to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Show the version.
    Version,
    /// Something with timeout policies.
    Timeout(TimeoutCommand),
    /// Something with helpers.
    Helper(HelperCommand),
}

/// What to do with timeout policies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TimeoutCommand {
    /// Show all.
    List,
    /// Show the one of this name.
    Get(Vec<u8>),
    /// Make one.
    Add {
        /// Its name.
        name: Vec<u8>,
        /// What it says.
        values: TimeoutValues,
    },
    /// Delete the one of this name.
    Delete(Vec<u8>),
    /// Delete all that no rule uses.
    Flush,
    /// Change the defaults of the network namespace.
    DefaultSet(TimeoutValues),
    /// Show the defaults.
    DefaultGet(Family, Protocol),
}

/// What to do with helpers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HelperCommand {
    /// Show all.
    List,
    /// Show the first that fits.
    Get(Selected),
    /// Register one.
    Add(Family, KnownHelper),
    /// Delete all that fit.
    Delete(Selected),
    /// Delete all.
    Flush,
    /// Do not queue packets for this one any more.
    Disable(Family, KnownHelper),
}

/// Which helpers are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selected {
    /// Their name.
    pub name: Vec<u8>,
    /// Family and protocol number. A family alone comes with protocol 0, which no helper has (sic).
    pub tuple: Option<(Family, u8)>,
}

impl Call {
    /// Reads the words behind the program's name.
    pub fn parse(words: &[OsString], protocols: ProtocolsFile<'_>) -> Result<Self, UsageError> {
        let (json_first, words) = match words.split_first() {
            Some((first, rest)) if first == JSON => (true, rest),
            _ => (false, words),
        };
        let [first, second, parameters @ ..] = words else {
            return Err(UsageError::TooFewWords);
        };
        let (action, subsystem) = begin(first, second)?;
        let needs = words_before_json(action, subsystem);
        if json_first && needs.is_none() {
            return Err(UsageError::JsonWithoutAnswer);
        }
        let (json_last, parameters) = match parameters.split_last() {
            Some((last, rest)) if last == JSON && needs.is_some_and(|n| rest.len() >= n) => {
                (true, rest)
            }
            _ => (false, parameters),
        };
        let command = match subsystem {
            Subsystem::Version => Command::Version,
            Subsystem::Timeout => Command::Timeout(timeout(action, parameters, protocols)?),
            Subsystem::Helper => Command::Helper(helper(action, second, parameters)?),
        };
        let form = if json_first || json_last { Form::Json } else { Form::Text };
        let cut_to = parameters.first().and_then(|name| command.cut_to(name));
        Ok(Self { command, form, cut_to })
    }
}

/// How many parameters must stand before a `--json` at the end, lest it be one of them; `None` if the command has
/// nothing to show.
fn words_before_json(action: Action, subsystem: Subsystem) -> Option<usize> {
    match (subsystem, action) {
        (Subsystem::Timeout | Subsystem::Helper, Action::List) => Some(0),
        (Subsystem::Timeout | Subsystem::Helper, Action::Get) => Some(1),
        (Subsystem::Timeout, Action::DefaultGet) => Some(2),
        _ => None,
    }
}

impl Command {
    /// The bytes of a name that count, if this one has more.
    fn cut_to(&self, name: &OsStr) -> Option<usize> {
        use {HelperCommand as Helper, TimeoutCommand as Timeout};
        let most = match self {
            Self::Timeout(Timeout::Get(_) | Timeout::Add { .. } | Timeout::Delete(_)) => {
                TIMEOUT_NAME_LEN
            }
            Self::Helper(Helper::Get(_) | Helper::Delete(_)) => HELPER_NAME_LEN,
            _ => return None,
        };
        (name.len() > most).then_some(most)
    }
}

fn timeout(
    action: Action,
    parameters: &[OsString],
    protocols: ProtocolsFile<'_>,
) -> Result<TimeoutCommand, UsageError> {
    let name = |word: &OsStr| cut(word, TIMEOUT_NAME_LEN);
    let missing = |syntax| UsageError::MissingParameters(syntax);
    match action {
        Action::List => nothing_more(parameters).map(|()| TimeoutCommand::List),
        Action::Flush => nothing_more(parameters).map(|()| TimeoutCommand::Flush),
        Action::Get => only_name(parameters).map(|word| TimeoutCommand::Get(name(word))),
        Action::Delete => only_name(parameters).map(|word| TimeoutCommand::Delete(name(word))),
        Action::Add => {
            let [word, family, protocol, states @ ..] = parameters else {
                return Err(missing(Syntax::AddTimeout));
            };
            let values = values([family, protocol], states, protocols)?;
            Ok(TimeoutCommand::Add { name: name(word), values })
        }
        Action::DefaultSet => {
            // One word more than it needs (sic).
            let [family, protocol, states @ ..] = parameters else {
                return Err(missing(Syntax::DefaultSet));
            };
            if states.is_empty() {
                return Err(missing(Syntax::DefaultSet));
            }
            values([family, protocol], states, protocols).map(TimeoutCommand::DefaultSet)
        }
        Action::DefaultGet => {
            // Further words are ignored.
            let [family, protocol, ..] = parameters else {
                return Err(missing(Syntax::DefaultGet));
            };
            let (family, protocol) = scope([family, protocol], protocols)?;
            Ok(TimeoutCommand::DefaultGet(family, protocol))
        }
        Action::Disable => Err(UsageError::NotForTimeouts),
    }
}

fn helper(
    action: Action,
    second: &OsStr,
    parameters: &[OsString],
) -> Result<HelperCommand, UsageError> {
    match action {
        Action::List => nothing_more(parameters).map(|()| HelperCommand::List),
        Action::Flush => nothing_more(parameters).map(|()| HelperCommand::Flush),
        Action::Get => selected(parameters).map(HelperCommand::Get),
        Action::Delete => selected(parameters).map(HelperCommand::Delete),
        Action::Add => {
            let (family, known) = known(parameters, Syntax::AddHelper)?;
            Ok(HelperCommand::Add(family, known))
        }
        Action::Disable => {
            let (family, known) = known(parameters, Syntax::DisableHelper)?;
            Ok(HelperCommand::Disable(family, known))
        }
        Action::DefaultSet | Action::DefaultGet => Err(UsageError::NotForHelpers(second.into())),
    }
}

fn nothing_more(parameters: &[OsString]) -> Result<(), UsageError> {
    if parameters.is_empty() { Ok(()) } else { Err(UsageError::TooManyArguments) }
}

fn only_name(parameters: &[OsString]) -> Result<&OsStr, UsageError> {
    match parameters {
        [] => Err(UsageError::NoTimeoutName),
        [name] => Ok(name),
        _ => Err(UsageError::TooManyArguments),
    }
}

fn cut(word: &OsStr, most: usize) -> Vec<u8> {
    word.as_bytes().iter().take(most).copied().collect()
}

fn selected(parameters: &[OsString]) -> Result<Selected, UsageError> {
    let (name, tuple) = match parameters {
        [] => return Err(UsageError::NoHelperName),
        [name] => (name, None),
        [name, family] => (name, Some((self::family(family)?, 0))),
        [name, family, protocol] => {
            let family = self::family(family)?;
            (name, Some((family, transport(protocol)?.number())))
        }
        _ => return Err(UsageError::TooManyArguments),
    };
    Ok(Selected { name: cut(name, HELPER_NAME_LEN), tuple })
}

fn known(parameters: &[OsString], syntax: Syntax) -> Result<(Family, KnownHelper), UsageError> {
    // Further words are ignored.
    let [name, family, protocol, ..] = parameters else {
        return Err(UsageError::MissingParameters(syntax));
    };
    let family = self::family(family)?;
    let known = helper::find(name, transport(protocol)?).ok_or(UsageError::UnknownHelper)?;
    Ok((family, known))
}

fn family(word: &OsStr) -> Result<Family, UsageError> {
    match word.as_bytes() {
        b"inet" => Ok(Family::Ipv4),
        b"inet6" => Ok(Family::Ipv6),
        _ => Err(UsageError::UnknownLayer3),
    }
}

/// The protocol of a helper's connections.
fn transport(word: &OsStr) -> Result<Protocol, UsageError> {
    match word.as_bytes() {
        b"tcp" => Ok(Protocol::Tcp),
        b"udp" => Ok(Protocol::Udp),
        _ => Err(UsageError::UnsupportedLayer4),
    }
}

fn scope(
    [family, protocol]: [&OsString; 2],
    protocols: ProtocolsFile<'_>,
) -> Result<(Family, Protocol), UsageError> {
    let family = self::family(family)?;
    let number = protocol_number(protocol, protocols).ok_or(UsageError::UnknownLayer4)?;
    Ok((family, Protocol::from(number)))
}

/// The file knows best. Where a system has none, the protocols with a tracker keep the names that the file would give.
fn protocol_number(word: &OsStr, protocols: ProtocolsFile<'_>) -> Option<u8> {
    let name = word.to_str()?;
    let in_file = match protocols() {
        Some(file) => protocols_file::number_of(&file, name),
        None if name == "ipv6-icmp" => Some(Protocol::Icmpv6.number()),
        None => Protocol::NAMED
            .into_iter()
            .find(|protocol| protocol.name() == Some(name))
            .map(Protocol::number),
    };
    in_file.or(match name {
        "icmpv6" => Some(Protocol::Icmpv6.number()),
        "generic" => Some(GENERIC),
        _ => None,
    })
}

fn values(
    scope: [&OsString; 2],
    states: &[OsString],
    protocols: ProtocolsFile<'_>,
) -> Result<TimeoutValues, UsageError> {
    let (family, protocol) = self::scope(scope, protocols)?;
    let (pairs, leftover) = states.as_chunks::<2>();
    let mut timeouts_s: Vec<(u16, u32)> = Vec::new();
    for [state, value] in pairs {
        let number = timeout::state_number(protocol, state).ok_or_else(|| {
            let [_, protocol] = scope;
            UsageError::WrongState { state: state.clone(), protocol: protocol.clone() }
        })?;
        // Of a state that is given twice the last value counts.
        timeouts_s.retain(|(other, _)| *other != number);
        timeouts_s.push((number, timeout::value(value)));
    }
    if !leftover.is_empty() {
        return Err(UsageError::NoValue);
    }
    timeouts_s.sort_unstable();
    Ok(TimeoutValues { family, protocol, timeouts_s })
}

#[cfg(test)]
mod tests;
