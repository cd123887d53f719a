//! The requests of connection tracking, each with its message number and flags.

use flow::Family;

use crate::conntrack::{DumpFilter, FlowRequest};
use crate::expect::{ExpectationRequest, encode_expectation};
use crate::helper_object::HelperRequest;
use crate::timeout_policy::TimeoutRequest;
use crate::wire::{
    MessageFlags, MessageHeader, MessageKind, MessageWriter, NetfilterHeader, Sequence, Subsystem,
};

/// Message numbers of subsystem 1 (`enum cntl_msg_types`).
mod conntrack_message {
    pub(super) const NEW: u8 = 0;
    pub(super) const GET: u8 = 1;
    pub(super) const DELETE: u8 = 2;
    pub(super) const GET_CTRZERO: u8 = 3;
    pub(super) const GET_STATS_CPU: u8 = 4;
    pub(super) const GET_STATS: u8 = 5;
    pub(super) const GET_DYING: u8 = 6;
    pub(super) const GET_UNCONFIRMED: u8 = 7;
}

/// Message numbers of subsystem 2 (`enum ctnl_exp_msg_types`).
mod expect_message {
    pub(super) const NEW: u8 = 0;
    pub(super) const GET: u8 = 1;
    pub(super) const DELETE: u8 = 2;
    pub(super) const GET_STATS_CPU: u8 = 3;
}

/// `enum nf_tables_msg_types` (`linux/netfilter/nf_tables.h`).
const NFT_MSG_GETRULE: u8 = 7;

/// What is to happen when the entry exists, or does not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CreateMode {
    /// Create; an existing entry is an error.
    CreateOnly,
    /// Create, or change the existing entry.
    CreateOrUpdate,
    /// Change; a missing entry is an error.
    UpdateOnly,
}

impl CreateMode {
    pub(crate) fn flags(self) -> MessageFlags {
        match self {
            Self::CreateOnly => MessageFlags::CREATE | MessageFlags::EXCL,
            Self::CreateOrUpdate => MessageFlags::CREATE,
            Self::UpdateOnly => MessageFlags::empty(),
        }
    }
}

/// One request to the kernel.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// All flows that pass the filter.
    DumpFlows {
        /// What the kernel is to filter by.
        filter: &'a DumpFilter,
        /// Set the counters to zero while reading them.
        zero: bool,
    },
    /// Flows whose end is not reported yet.
    DumpDying(Option<Family>),
    /// Flows that are not in the table yet. Kernels since about 5.19 show none.
    DumpUnconfirmed(Option<Family>),
    /// One flow, by tuple and zone.
    GetFlow(&'a FlowRequest),
    /// Create or change a flow.
    PutFlow(&'a FlowRequest, CreateMode),
    /// Delete one flow, by tuple and zone, and id if given.
    DeleteFlow(&'a FlowRequest),
    /// Delete all flows.
    FlushFlows {
        /// Only those of this family; the kernel heeds it since about 5.3 and only in version 1 of the message.
        family: Option<Family>,
        /// `version` of the netfilter header. Upstream sends 0, with which the family is ignored.
        version: u8,
    },
    /// Size of the table.
    TableStatistics,
    /// Counters of each CPU.
    CpuStatistics,
    /// All expectations of a family.
    DumpExpectations(Option<Family>),
    /// One expectation.
    GetExpectation(&'a ExpectationRequest),
    /// Create or change an expectation.
    PutExpectation(&'a ExpectationRequest, CreateMode),
    /// Delete one expectation.
    DeleteExpectation(&'a ExpectationRequest),
    /// Delete all expectations.
    FlushExpectations(Option<Family>),
    /// Expectation counters of each CPU.
    ExpectationStatistics,
    /// All rules of nftables, of which only their expressions' names are of interest here.
    DumpRules,
    /// Timeout policies and the default timeouts.
    Timeouts(TimeoutRequest<'a>),
    /// The registry of helpers in user space.
    Helpers(HelperRequest<'a>),
}

impl Request<'_> {
    /// Appends the message to a buffer. A change asks for an acknowledgement.
    pub fn encode(&self, sequence: Sequence, out: &mut Vec<u8>) {
        self.encode_flagged(sequence, self.flags(), out);
    }

    /// Appends the message to a buffer. A change is answered only if it is refused.
    pub(crate) fn encode_silent(&self, sequence: Sequence, out: &mut Vec<u8>) {
        self.encode_flagged(sequence, self.flags() - MessageFlags::ACK, out);
    }

    fn encode_flagged(&self, sequence: Sequence, flags: MessageFlags, out: &mut Vec<u8>) {
        let flags = flags | MessageFlags::REQUEST;
        let header = MessageHeader { kind: self.kind().number(), flags, sequence, port_id: 0 };
        let family = self.family().map_or(0, Family::number);
        let version = match self {
            Self::FlushFlows { version, .. } => *version,
            _ => 0,
        };
        let netfilter = NetfilterHeader { family, version, resource_id: 0 };
        let mut message = MessageWriter::begin(out, header, netfilter);
        self.write_attributes(&mut message);
        message.finish();
    }

    fn kind(&self) -> MessageKind {
        use conntrack_message as flow;
        use expect_message as expect;
        let (subsystem, message) = match self {
            Self::DumpFlows { zero: false, .. } | Self::GetFlow(_) => {
                (Subsystem::CONNTRACK, flow::GET)
            }
            Self::DumpFlows { zero: true, .. } => (Subsystem::CONNTRACK, flow::GET_CTRZERO),
            Self::DumpDying(_) => (Subsystem::CONNTRACK, flow::GET_DYING),
            Self::DumpUnconfirmed(_) => (Subsystem::CONNTRACK, flow::GET_UNCONFIRMED),
            Self::PutFlow(..) => (Subsystem::CONNTRACK, flow::NEW),
            Self::DeleteFlow(_) | Self::FlushFlows { .. } => (Subsystem::CONNTRACK, flow::DELETE),
            Self::TableStatistics => (Subsystem::CONNTRACK, flow::GET_STATS),
            Self::CpuStatistics => (Subsystem::CONNTRACK, flow::GET_STATS_CPU),
            Self::DumpExpectations(_) | Self::GetExpectation(_) => (Subsystem::EXPECT, expect::GET),
            Self::PutExpectation(..) => (Subsystem::EXPECT, expect::NEW),
            Self::DeleteExpectation(_) | Self::FlushExpectations(_) => {
                (Subsystem::EXPECT, expect::DELETE)
            }
            Self::ExpectationStatistics => (Subsystem::EXPECT, expect::GET_STATS_CPU),
            Self::DumpRules => (Subsystem::NFTABLES, NFT_MSG_GETRULE),
            Self::Timeouts(request) => (Subsystem::TIMEOUT, request.message()),
            Self::Helpers(request) => (Subsystem::HELPER, request.message()),
        };
        MessageKind { subsystem, message }
    }

    fn flags(&self) -> MessageFlags {
        match self {
            Self::DumpFlows { .. }
            | Self::DumpDying(_)
            | Self::DumpUnconfirmed(_)
            | Self::CpuStatistics
            | Self::DumpExpectations(_)
            | Self::ExpectationStatistics
            | Self::DumpRules => MessageFlags::DUMP,
            // With an acknowledgement a get would be answered by two datagrams.
            Self::GetFlow(_) | Self::GetExpectation(_) | Self::TableStatistics => {
                MessageFlags::empty()
            }
            Self::PutFlow(_, mode) | Self::PutExpectation(_, mode) => {
                mode.flags() | MessageFlags::ACK
            }
            Self::Timeouts(request) => request.flags(),
            Self::Helpers(request) => request.flags(),
            Self::DeleteFlow(_)
            | Self::FlushFlows { .. }
            | Self::DeleteExpectation(_)
            | Self::FlushExpectations(_) => MessageFlags::ACK,
        }
    }

    fn family(&self) -> Option<Family> {
        match self {
            Self::DumpFlows { filter, .. } => filter.family,
            Self::GetFlow(request) | Self::PutFlow(request, _) | Self::DeleteFlow(request) => {
                request.family
            }
            Self::GetExpectation(request)
            | Self::PutExpectation(request, _)
            | Self::DeleteExpectation(request) => request.family,
            Self::DumpDying(family)
            | Self::DumpUnconfirmed(family)
            | Self::FlushFlows { family, .. }
            | Self::DumpExpectations(family)
            | Self::FlushExpectations(family) => *family,
            Self::TableStatistics
            | Self::CpuStatistics
            | Self::ExpectationStatistics
            | Self::DumpRules
            | Self::Timeouts(_)
            | Self::Helpers(_) => None,
        }
    }

    fn write_attributes(&self, out: &mut MessageWriter<'_>) {
        match self {
            Self::DumpFlows { filter, .. } => crate::conntrack::write_filter(out, filter),
            Self::GetFlow(request) | Self::PutFlow(request, _) | Self::DeleteFlow(request) => {
                crate::conntrack::write_request(out, request);
            }
            Self::GetExpectation(request)
            | Self::PutExpectation(request, _)
            | Self::DeleteExpectation(request) => encode_expectation(out, request),
            Self::Timeouts(request) => request.write(out),
            Self::Helpers(request) => request.write(out),
            Self::DumpDying(_)
            | Self::DumpUnconfirmed(_)
            | Self::FlushFlows { .. }
            | Self::TableStatistics
            | Self::CpuStatistics
            | Self::DumpExpectations(_)
            | Self::FlushExpectations(_)
            | Self::ExpectationStatistics
            | Self::DumpRules => {}
        }
    }
}
