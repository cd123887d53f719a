//! What can be wrong with a command line, and the sentence that says so.
//!
//! The texts are upstream's to the byte, its slips included, because scripts look for them. The prefix of the program
//! and the line that points to the help are added where the error is reported.

use flow::Protocol;

use crate::options::{CommandName, OptionId};
use crate::protocol;

/// Why a command line was refused. Its `Display` is the message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// No such option, or an abbreviation of several, or a value for an option that takes none.
    #[error("unknown option `{word}'")]
    UnknownOption {
        /// The word as typed.
        word: String,
    },
    /// The words ended before the value of an option.
    #[error("option `{word}' requires an argument")]
    MissingArgument {
        /// The word as typed.
        word: String,
    },
    /// A second command.
    #[error("Invalid commands combination")]
    TwoCommands,
    /// The word after a command is not (the begin of) the name of a table.
    #[error("unknown type `{word}'")]
    UnknownTable {
        /// The word as typed.
        word: String,
    },
    /// These two tables can only be listed.
    #[error("Can't do that command with tables `dying' and `unconfirmed'")]
    ListOnlyTable,
    /// The command has no form for expectations.
    #[error("Can't do --{} on expectations", long_name(*.command))]
    NoExpectations {
        /// Update or add.
        command: CommandName,
    },
    /// Neither an IPv4 nor an IPv6 address.
    #[error("Invalid IP address `{text}'")]
    InvalidAddress {
        /// The value as typed, with its prefix length.
        text: String,
    },
    /// The prefix length is not a number or too long for the family.
    #[error("Invalid netmask")]
    InvalidPrefix,
    /// This address cannot have a prefix length.
    #[error("CIDR notation unavailable for `--{}'", .option.name())]
    NoPrefix {
        /// The option of the address.
        option: OptionId,
    },
    /// Addresses of both families, or others than `-f` says.
    #[error("mismatched address family")]
    FamilyMismatch,
    /// The value of `-f` or `-p` is not known.
    #[error("`{text}' unsupported protocol")]
    UnsupportedProtocol {
        /// The value as typed.
        text: String,
    },
    /// A value of `-m -c -i -w` or of a direction's zone is not a number in range. Exit code 1.
    #[error("unexpected value '{text}' with -{} option", .option.letter().unwrap_or_default())]
    UnexpectedValue {
        /// The value as typed.
        text: String,
        /// The option, which the message names by the letter that only the program uses.
        option: OptionId,
    },
    /// A value of another option is not a number in range. Upstream takes what it can read of it.
    #[error("invalid value `{text}' for option `--{}'", .option.name())]
    InvalidValue {
        /// The value as typed.
        text: String,
        /// The option.
        option: OptionId,
    },
    /// An item of a list is not known.
    #[error("Bad parameter `{rest}'")]
    BadListItem {
        /// The list from that item on.
        rest: String,
    },
    /// `-o save` with another output type. Exit code 1.
    #[error("cannot combine save output with any other output type, use -o save only")]
    SaveWithOther,
    /// `-o json` or `-o ndjson` with another form. Exit code 1, as for the save form.
    #[error("cannot combine json output with xml output, nor with ndjson output")]
    JsonWithOther,
    /// The port after the `:` of a NAT address is missing.
    #[error("No port specified after `:'")]
    NoPort,
    /// The port of a NAT address is not one.
    #[error("Invalid port `{text}'")]
    InvalidPort {
        /// The text after the `:`.
        text: String,
    },
    /// A NAT address begins with `[` and does not end.
    #[error("No closing ']' around IPv6 address")]
    NoClosingBracket,
    /// A NAT address is `[]`.
    #[error("No IPv6 address specified")]
    EmptyBrackets,
    /// The value of `--state` is not a state of the protocol.
    #[error("{}nknown {} state `{text}'", initial(*.protocol), upper_name(*.protocol))]
    UnknownState {
        /// Whose states.
        protocol: Protocol,
        /// The value as typed.
        text: String,
    },
    /// The value of `--role` is neither `client` nor `server`.
    #[error("Unknown DCCP role `{text}'")]
    UnknownRole {
        /// The value as typed.
        text: String,
    },
    /// A second `--labelmap`.
    #[error("option `--labelmap' can only be specified once")]
    TwoLabelmaps,
    /// `--label-add` with `--label-del`. Exit code 1.
    #[error("cannot use --label-add and --label-del at the same time")]
    LabelAddAndDel,
    /// A label has no line in the label file.
    #[error("unknown label '{name}'")]
    UnknownLabel {
        /// The name as typed.
        name: String,
    },
    /// A label to set or clear has a number that no flow has room for.
    #[error("label '{name}' has number {bit}, but a flow has room for 0 to 127 only")]
    LabelTooHigh {
        /// The name as typed.
        name: String,
        /// Its number in the label file.
        bit: u32,
    },
    /// `-D -u` with words that are no condition.
    #[error("status list without a condition: every flow would be deleted")]
    NoStatusCondition,
    /// `-j` with `-n` or `-g`.
    #[error("cannot specify `--src-nat' or `--dst-nat' with `--any-nat'")]
    AnyNatWithOther,
    /// The command needs an option.
    #[error("You need to supply the `--{}' option for this command", .option.name())]
    Missing {
        /// The one that is missing.
        option: OptionId,
    },
    /// The command does not allow an option.
    #[error("Illegal option `--{}' with this command", .option.name())]
    Illegal {
        /// The one that was given.
        option: OptionId,
    },
    /// The command needs two options together.
    #[error("you have to specify `--{}' and `--{}'", .pair.0, .pair.1)]
    IncompletePair {
        /// Their names as the message gives them, which for the reply ports are not those of the options.
        pair: protocol::PairNames,
    },
    /// `-z` with a filter: the counters of what is not shown would be lost.
    #[error("Can't use -z with filtering parameters")]
    ZeroWithFilter,
    /// `--mask-src` without `-s`, or the same for the destination.
    #[error("Can't use --{} without --{}", .mask.name(), .address.name())]
    MaskWithoutAddress {
        /// The mask that was given.
        mask: OptionId,
        /// The address that is missing.
        address: OptionId,
    },
}

impl UsageError {
    /// The exit code: 2, but 1 for the few that upstream reports as if they were errors of the system.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnexpectedValue { .. }
            | Self::SaveWithOther
            | Self::JsonWithOther
            | Self::LabelAddAndDel => 1,
            _ => 2,
        }
    }
}

fn long_name(command: CommandName) -> &'static str {
    crate::options::COMMANDS.iter().find(|spec| spec.name == command).map_or("", |spec| spec.long)
}

/// Only the messages of DCCP begin with a capital.
fn initial(protocol: Protocol) -> char {
    if protocol == Protocol::Dccp { 'U' } else { 'u' }
}

fn upper_name(protocol: Protocol) -> String {
    protocol.name().unwrap_or_default().to_ascii_uppercase()
}
