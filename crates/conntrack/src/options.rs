//! The command line exactly as typed, with typed values.
//!
//! [`Options::scan`] reads words left to right and stops at the first error of grammar or value. What goes together is
//! the matter of [`crate::matrix`]; names of labels are looked up between the two, by the caller.

use std::ffi::OsString;
use std::net::IpAddr;

use flow::{
    DccpRole, Family, FlowId, HelperName, MaskedMark, PartialTuple, PerDirection, Protocol, Zone,
};

mod scan;
mod table;
#[cfg(test)]
pub(crate) mod tests;

pub use table::{COMMANDS, CommandSpec, GivenOptions, OPTIONS, OptionId, OptionSpec};

use crate::usage_error::UsageError;
use crate::values::{EventMask, NatFilter, Network, OutputFlags, StatusList};

/// What the program is asked to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum CommandName {
    /// `-L`: show the entries of a table.
    List,
    /// `-I`: make an entry that does not exist yet.
    Create,
    /// `-A`: make an entry, or change the one that exists.
    Add,
    /// `-D`: delete the entries that match.
    Delete,
    /// `-U`: change the entries that match.
    Update,
    /// `-G`: show one entry.
    Get,
    /// `-F`: empty a table.
    Flush,
    /// `-E`: show changes as they happen.
    Event,
    /// `-C`: the number of entries.
    Count,
    /// `-S`: counters of each processor.
    Stats,
    /// `-V`.
    Version,
    /// `-h`.
    Help,
}

/// The table that a command is about.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub enum Table {
    /// The flows.
    #[default]
    Conntrack,
    /// The expectations.
    Expect,
    /// Flows removed from the table whose end was not yet reported. For `-L` only.
    Dying,
    /// Flows whose first packet is still on its way. For `-L` only.
    Unconfirmed,
}

/// What scanning needs to know of its surroundings.
pub struct Environment<'a> {
    /// Whether `POSIXLY_CORRECT` is set: options then end at the first operand.
    pub posixly_correct: bool,
    /// The text of `/etc/protocols`, empty if there is none. Asked for only when `-p` is not a name of our own.
    pub protocols: &'a dyn Fn() -> Vec<u8>,
}

/// Which labels `--label-del` removes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LabelRemoval {
    /// Those with these names. Not looked up yet.
    Named(Vec<String>),
    /// All.
    All,
}

/// A state of a tracker (`--state`), of the protocol that was in force when it was given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProtocolState {
    /// Of TCP.
    Tcp(flow::TcpState),
    /// Of SCTP.
    Sctp(flow::SctpState),
    /// Of DCCP.
    Dccp(flow::DccpState),
}

impl ProtocolState {
    /// The protocol that has it.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Tcp(_) => Protocol::Tcp,
            Self::Sctp(_) => Protocol::Sctp,
            Self::Dccp(_) => Protocol::Dccp,
        }
    }
}

/// A command line, exactly as typed. The last of repeated options counts, unless the field says otherwise.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The command and its table. Without one the program prints its help.
    pub command: Option<(CommandName, Table)>,
    /// The options that were given.
    pub given: GivenOptions,
    /// `-f`, or the family of the addresses, which are all of one.
    pub family: Option<Family>,
    /// `-s`, `-d`, `-p` and the options of the protocol for the original direction.
    pub original: PartialTuple,
    /// `-r`, `-q` and the options of the protocol for the reply direction. Its protocol and, for ICMP, its type, code
    /// and id are not filled in.
    pub reply: PartialTuple,
    /// `--tuple-src`, `--tuple-dst`, `--tuple-port-*`, `--tuple-key-*`.
    pub expected: PartialTuple,
    /// `--mask-src`, `--mask-dst`, `--mask-port-*`, `--mask-key-*`. The masks of prefix lengths are here as well.
    pub mask: PartialTuple,
    /// `-t`, seconds.
    pub timeout_s: Option<u32>,
    /// `-u`. Repeated ones add up.
    pub status: Option<StatusList>,
    /// `-e`. Repeated ones add up.
    pub event_mask: Option<EventMask>,
    /// `-o`. Repeated ones add up.
    pub output: OutputFlags,
    /// `-m`.
    pub mark: Option<MaskedMark>,
    /// `-c`.
    pub secmark: Option<u32>,
    /// `-i`.
    pub id: Option<FlowId>,
    /// `-w`.
    pub zone: Option<Zone>,
    /// `--orig-zone`, `--reply-zone`.
    pub direction_zones: PerDirection<Option<Zone>>,
    /// `-n`.
    pub src_nat: Option<NatFilter>,
    /// `-g`.
    pub dst_nat: Option<NatFilter>,
    /// `-j`.
    pub any_nat: Option<NatFilter>,
    /// `-l`: names, not looked up yet. Lists and repeated ones add up.
    pub labels: Vec<String>,
    /// `--label-add`: names, not looked up yet. Lists and repeated ones add up.
    pub label_add: Vec<String>,
    /// `--label-del`. Lists and repeated ones add up.
    pub label_del: Option<LabelRemoval>,
    /// `--labelmap`.
    pub labelmap: Option<OsString>,
    /// `--ct-helper`.
    pub ct_helper: Option<HelperName>,
    /// `-b`, bytes.
    pub buffer_size: Option<u32>,
    /// `--state`.
    pub state: Option<ProtocolState>,
    /// `--role`.
    pub role: Option<DccpRole>,
    /// `--orig-vtag`, `--reply-vtag`: the number as typed. Upstream sends its bytes swapped.
    pub vtags: PerDirection<Option<u32>>,
    /// What is to be said on stderr before the run.
    pub warnings: Vec<Warning>,
}

/// Something to say that does not end the run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Warning {
    /// `-a` has no effect.
    #[error("WARNING: ignoring -a, deprecated option.")]
    NatRange,
    /// `-u SRC_NAT` has no effect.
    #[error("WARNING: ignoring SRC_NAT, use --src-nat instead")]
    SrcNatStatus,
    /// `-u DST_NAT` has no effect.
    #[error("WARNING: ignoring DST_NAT, use --dst-nat instead")]
    DstNatStatus,
}

/// A command line that is wrong, and what is to be said before that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// Warnings of the words before the wrong one.
    pub warnings: Vec<Warning>,
    /// What is wrong.
    pub error: UsageError,
}

impl Options {
    /// The protocol of `-p`.
    pub fn protocol(&self) -> Option<Protocol> {
        self.original.protocol
    }

    /// The network of the original source address, if a mask was given for it.
    pub fn src_network(&self) -> Option<Network> {
        network(self.original.src, self.mask.src)
    }

    /// The network of the original destination address, if a mask was given for it.
    pub fn dst_network(&self) -> Option<Network> {
        network(self.original.dst, self.mask.dst)
    }

    /// The label names of all options that have some, in the order in which they are looked up.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        let removed = match &self.label_del {
            Some(LabelRemoval::Named(names)) => names.as_slice(),
            Some(LabelRemoval::All) | None => &[],
        };
        self.labels.iter().chain(&self.label_add).chain(removed).map(String::as_str)
    }

    /// Whether the label file is needed.
    pub fn wants_labels(&self) -> bool {
        let label_options = [OptionId::Label, OptionId::LabelAdd, OptionId::LabelDel];
        self.given.has_any(&label_options) || self.output.contains(OutputFlags::LABELS)
    }
}

fn network(address: Option<IpAddr>, mask: Option<IpAddr>) -> Option<Network> {
    Network::new(address?, mask?)
}
