//! What is to be done: the legal combinations of options, as values that need no further check.

use std::net::IpAddr;

use ctnetlink::{CreateMode, ExpectationRequest, FlowRequest, NatRange};
use flow::{
    DccpInfo, DccpRole, Family, FlowRead, Mark, MaskedMark, PartialTuple, PerDirection, ProtoInfo,
    Protocol, SctpInfo, Status, TcpFlags, TcpFlagsMasked, TcpInfo, TcpState,
};

use crate::labels::{LabelChange, LabelOptions};
use crate::options::{CommandName, OptionId, Options, ProtocolState, Table};
use crate::select::Selection;
use crate::values::{EventMask, NatFilter, StatusList};

/// A command with all that it needs.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one value for each run or line of a batch")]
pub enum Command {
    /// Show the help, also that of a protocol.
    Help(Option<Protocol>),
    /// Show the version.
    Version,
    /// Show the flows of a list.
    List {
        /// Which list.
        list: FlowList,
        /// Which flows of it.
        selection: Selection,
    },
    /// Show one flow.
    Get {
        /// Which one the kernel is asked for.
        request: FlowRequest,
        /// What it must be like to be shown.
        selection: Selection,
    },
    /// Make a flow.
    Create(FlowRequest, CreateMode),
    /// Change flows.
    Update {
        /// Which ones.
        selection: Selection,
        /// How.
        change: Change,
    },
    /// Delete flows.
    Delete(Selection),
    /// Delete all flows.
    Flush(Option<Family>),
    /// Show changes of flows as they happen.
    Events {
        /// Which kinds.
        kinds: EventMask,
        /// Of which flows.
        selection: Selection,
        /// Bytes of the receive buffer.
        buffer_bytes: Option<u32>,
    },
    /// Show the number of flows.
    Count,
    /// Show the counters of each CPU.
    Statistics,
    /// Show the expectations.
    ListExpectations(Family),
    /// Show one expectation.
    GetExpectation(ExpectationRequest),
    /// Make an expectation.
    CreateExpectation(ExpectationRequest),
    /// Delete an expectation.
    DeleteExpectation(ExpectationRequest),
    /// Delete all expectations.
    FlushExpectations(Family),
    /// Show changes of expectations as they happen.
    ExpectationEvents,
    /// Show the number of expectations.
    CountExpectations(Family),
    /// Show the expectation counters of each CPU.
    ExpectationStatistics,
}

/// A list of flows that the kernel keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FlowList {
    /// The table.
    Table,
    /// The table; its counters are set to zero while they are read.
    ZeroCounters,
    /// Flows whose end is not reported yet.
    Dying,
    /// Flows that are not in the table yet.
    Unconfirmed,
}

/// What an update sets. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// New timeout, seconds.
    pub timeout_s: Option<u32>,
    /// Status bits to add.
    pub status: Option<Status>,
    /// Mark bits to replace.
    pub mark: Option<MaskedMark>,
    /// New tracker state.
    pub protoinfo: Option<ProtoInfo>,
    /// Labels to set or clear.
    pub labels: Option<LabelChange>,
}

impl Command {
    /// The command of checked options. Options without a command ask for the help.
    pub fn new(options: &Options, labels: &LabelOptions) -> Self {
        let (command, table) = options.command.unwrap_or((CommandName::Help, Table::Conntrack));
        match table {
            Table::Expect => Self::of_expectations(command, options),
            Table::Conntrack | Table::Dying | Table::Unconfirmed => {
                Self::of_flows(command, table, options, labels)
            }
        }
    }

    fn of_flows(
        command: CommandName,
        table: Table,
        options: &Options,
        labels: &LabelOptions,
    ) -> Self {
        let selection = || Selection::from_options(options, labels.wanted.clone());
        match command {
            CommandName::Help => Self::Help(options.protocol()),
            CommandName::Version => Self::Version,
            CommandName::List => {
                let list = match table {
                    Table::Dying => FlowList::Dying,
                    Table::Unconfirmed => FlowList::Unconfirmed,
                    _ if options.given.has(OptionId::Zero) => FlowList::ZeroCounters,
                    _ => FlowList::Table,
                };
                Self::List { list, selection: selection() }
            }
            CommandName::Get => Self::Get {
                request: FlowRequest {
                    family: options.family,
                    tuples: PerDirection {
                        // Upstream names the protocol in it even if only the reply is given, and the kernel
                        // then misses the addresses.
                        original: options.original,
                        reply: typed_tuples(options).reply,
                    },
                    ..FlowRequest::default()
                },
                selection: selection(),
            },
            CommandName::Create => Self::Create(new_flow(options, labels), CreateMode::CreateOnly),
            CommandName::Add => Self::Create(new_flow(options, labels), CreateMode::CreateOrUpdate),
            CommandName::Update => Self::Update {
                selection: selection().for_update(),
                change: change(options, labels),
            },
            CommandName::Delete => Self::Delete(selection()),
            CommandName::Flush => Self::Flush(options.family),
            CommandName::Event => Self::Events {
                kinds: options.event_mask.unwrap_or(EventMask::all()),
                selection: selection(),
                buffer_bytes: options.buffer_size,
            },
            CommandName::Count => Self::Count,
            CommandName::Stats => Self::Statistics,
        }
    }

    fn of_expectations(command: CommandName, options: &Options) -> Self {
        // Unlike flows, expectations of no family in particular are those of IPv4.
        let family = options.family.unwrap_or(Family::Ipv4);
        let one = || ExpectationRequest { family: Some(family), ..ExpectationRequest::default() };
        match command {
            CommandName::Help => Self::Help(options.protocol()),
            CommandName::Version => Self::Version,
            CommandName::List => Self::ListExpectations(family),
            // The kernel looks the given tuple up as the expected one, whichever attribute holds it.
            CommandName::Get => {
                Self::GetExpectation(ExpectationRequest { master: options.original, ..one() })
            }
            CommandName::Delete => {
                Self::DeleteExpectation(ExpectationRequest { tuple: options.original, ..one() })
            }
            CommandName::Create | CommandName::Add | CommandName::Update => {
                let of_protocol = |tuple| PartialTuple { protocol: options.protocol(), ..tuple };
                Self::CreateExpectation(ExpectationRequest {
                    master: options.original,
                    tuple: of_protocol(options.expected),
                    mask: of_protocol(options.mask),
                    timeout_s: options.timeout_s,
                    ..one()
                })
            }
            CommandName::Flush => Self::FlushExpectations(family),
            CommandName::Event => Self::ExpectationEvents,
            CommandName::Count => Self::CountExpectations(family),
            CommandName::Stats => Self::ExpectationStatistics,
        }
    }
}

impl Change {
    /// Whether the flow is already like that, so that nothing need be sent.
    pub fn is_met_by(&self, flow: &impl FlowRead) -> bool {
        let mark = flow.mark().unwrap_or_default();
        self.timeout_s
            .is_none_or(|timeout_s| flow.timeout_s() == Some(timeout_s))
            && self.status.is_none_or(|status| {
                flow.status()
                    .is_some_and(|present| present.contains(status))
            })
            && self.mark.is_none_or(|masked| masked.apply(mark) == mark)
            && self
                .protoinfo
                .is_none_or(|wanted| has_protoinfo(flow.protoinfo(), wanted))
            // Upstream counts a change of labels even if it changes none.
            && self.labels.is_none()
    }

    /// The request that makes the flow so.
    pub fn request_for(&self, flow: &impl FlowRead) -> FlowRequest {
        let (labels, labels_mask) = match &self.labels {
            None => (None, None),
            Some(LabelChange::Add(added)) => (Some(added.clone()), Some(added.clone())),
            Some(LabelChange::Remove(gone)) => (Some(gone.without(gone)), Some(gone.clone())),
            Some(LabelChange::RemoveAll) => (Some(flow::Labels::from_bits([])), None),
        };
        FlowRequest {
            timeout_s: self.timeout_s,
            // The kernel refuses a status that lacks a bit of the flow's.
            status: self
                .status
                .map(|status| status | flow.status().unwrap_or_default() | Status::CONFIRMED),
            mark: self.mark.map(|mark| mark.apply(flow.mark().unwrap_or_default())),
            protoinfo: self.protoinfo,
            labels,
            labels_mask,
            ..identify(flow)
        }
    }
}

/// A request that names this flow and nothing else: its original tuple in its zone.
pub fn identify(flow: &impl FlowRead) -> FlowRequest {
    let original = flow.tuple(flow::Direction::Original);
    FlowRequest {
        family: Some(original.addresses.family()),
        tuples: PerDirection { original: original.into(), reply: PartialTuple::default() },
        // A zone of the reply direction alone has no part in this: in it the original tuple is in the default zone.
        tuple_zones: PerDirection {
            original: flow.tuple_zone(flow::Direction::Original),
            reply: None,
        },
        zone: flow.zone(),
        ..FlowRequest::default()
    }
}

fn has_protoinfo(present: Option<ProtoInfo>, wanted: ProtoInfo) -> bool {
    fn same<T: Copy + PartialEq>(wanted: Option<T>, present: Option<T>) -> bool {
        wanted.is_none() || wanted == present
    }
    match (wanted, present) {
        // The flags are only sent along, so that packets outside of the window pass.
        (ProtoInfo::Tcp(wanted), Some(ProtoInfo::Tcp(present))) => {
            same(wanted.state, present.state)
        }
        (ProtoInfo::Sctp(wanted), Some(ProtoInfo::Sctp(present))) => {
            same(wanted.state, present.state)
                && same(wanted.vtags.original, present.vtags.original)
                && same(wanted.vtags.reply, present.vtags.reply)
        }
        (ProtoInfo::Dccp(wanted), Some(ProtoInfo::Dccp(present))) => {
            same(wanted.state, present.state) && same(wanted.role, present.role)
        }
        _ => false,
    }
}

fn change(options: &Options, labels: &LabelOptions) -> Change {
    Change {
        timeout_s: options.timeout_s,
        status: options.status.map(|StatusList { set, .. }| set),
        mark: options.mark,
        protoinfo: protoinfo(options),
        labels: labels.change.clone(),
    }
}

/// The flow that `-I` and `-A` make.
pub(crate) fn new_flow(options: &Options, labels: &LabelOptions) -> FlowRequest {
    let mut tuples = typed_tuples(options);
    let inverse = tuples.original.inverted();
    if !has_address(&tuples.reply) {
        tuples.reply = inverse;
    } else if has_address(&tuples.original) {
        // A translated end is given by `-n` or `-g` instead: the kernel translates what it was before.
        tuples.reply.src = tuples.reply.src.or(inverse.src);
        tuples.reply.dst = tuples.reply.dst.or(inverse.dst);
    } else {
        tuples.original = or(options.original, tuples.reply.inverted());
    }
    // A saved flow that is translated at both ends has no reply address, only reply ports: they are those that it is
    // translated to. With one reply address they are part of the reply tuple.
    let saved_ports =
        if has_address(&options.reply) { PartialTuple::default() } else { options.reply };
    let nat = |filter, saved_port| nat_range(filter, saved_port, options.protocol());
    FlowRequest {
        family: options.family,
        tuples: tuples.map(with_icmp_id),
        tuple_zones: options.direction_zones,
        zone: options.zone,
        status: options.status.map(|StatusList { set, .. }| set | Status::CONFIRMED),
        timeout_s: options.timeout_s,
        mark: options.mark.map(|MaskedMark { value: Mark(value), .. }| Mark(value)),
        protoinfo: protoinfo(options),
        helper: options.ct_helper,
        nat_src: nat(options.src_nat, saved_ports.dst_port),
        nat_dst: nat(options.dst_nat, saved_ports.src_port),
        labels: match &labels.change {
            Some(LabelChange::Add(added)) => Some(added.clone()),
            _ => None,
        },
        ..FlowRequest::default()
    }
}

/// The tuples as typed. What belongs to both directions (protocol, ICMP type, code and id) was typed once.
///
/// The type of the ICMP answer follows from that of the request only here, when the protocol is known for sure.
fn typed_tuples(options: &Options) -> PerDirection<PartialTuple> {
    let answer = options.original.inverted();
    let original =
        if has_address(&options.original) { options.original } else { PartialTuple::default() };
    let reply = if has_address(&options.reply) {
        PartialTuple {
            protocol: answer.protocol,
            icmp_kind: answer.icmp_kind,
            icmp_code: answer.icmp_code,
            icmp_id: answer.icmp_id,
            ..options.reply
        }
    } else {
        PartialTuple::default()
    };
    PerDirection { original, reply }
}

/// Upstream sends an ICMP identifier of 0 when none is given.
fn with_icmp_id(tuple: PartialTuple) -> PartialTuple {
    PartialTuple { icmp_id: tuple.icmp_id.or(tuple.icmp_kind.map(|_| 0)), ..tuple }
}

fn has_address(tuple: &PartialTuple) -> bool {
    tuple.src.is_some() || tuple.dst.is_some()
}

/// The parts of `first`, and those of `second` that it lacks.
fn or(first: PartialTuple, second: PartialTuple) -> PartialTuple {
    PartialTuple {
        src: first.src.or(second.src),
        dst: first.dst.or(second.dst),
        protocol: first.protocol.or(second.protocol),
        src_port: first.src_port.or(second.src_port),
        dst_port: first.dst_port.or(second.dst_port),
        icmp_kind: first.icmp_kind.or(second.icmp_kind),
        icmp_code: first.icmp_code.or(second.icmp_code),
        icmp_id: first.icmp_id.or(second.icmp_id),
    }
}

/// Only TCP and UDP translations carry a port.
fn nat_range(
    filter: Option<NatFilter>,
    saved_port: Option<u16>,
    protocol: Option<Protocol>,
) -> Option<NatRange> {
    let NatFilter { address, port } = filter?;
    let address: IpAddr = address?;
    let port = port.or(saved_port);
    let port = port.filter(|_| matches!(protocol, Some(Protocol::Tcp | Protocol::Udp)));
    Some(NatRange { first: Some(address), last: None, first_port: port, last_port: port })
}

fn protoinfo(options: &Options) -> Option<ProtoInfo> {
    match options.protocol()? {
        Protocol::Tcp => {
            let state = match options.state {
                Some(ProtocolState::Tcp(state)) => Some(state),
                _ => None,
            };
            Some(ProtoInfo::Tcp(tcp_info(state)))
        }
        Protocol::Sctp => {
            let state = match options.state {
                Some(ProtocolState::Sctp(state)) => Some(state),
                _ => None,
            };
            // Upstream hands the number to the kernel in the order of the machine; saved files rely on it.
            let vtags = options.vtags.map(|tag| tag.map(u32::to_be));
            (state.is_some() || vtags != PerDirection::default())
                .then_some(ProtoInfo::Sctp(SctpInfo { state, vtags }))
        }
        Protocol::Dccp => {
            let state = match options.state {
                Some(ProtocolState::Dccp(state)) => Some(state),
                _ => None,
            };
            let role: Option<DccpRole> = options.role;
            (state.is_some() || role.is_some()).then_some(ProtoInfo::Dccp(DccpInfo {
                state,
                role,
                handshake_sequence: None,
            }))
        }
        Protocol::Icmp
        | Protocol::Udp
        | Protocol::Gre
        | Protocol::Icmpv6
        | Protocol::UdpLite
        | Protocol::Other(_) => None,
    }
}

/// State and flags of a TCP flow made by hand: its window was never seen, so packets must pass outside of it.
fn tcp_info(state: Option<TcpState>) -> TcpInfo {
    let mut flags = TcpFlags::SACK_PERM | TcpFlags::BE_LIBERAL;
    if state.is_some_and(|TcpState(number)| number >= TcpState::TIME_WAIT.0) {
        flags |= TcpFlags::CLOSE_INIT;
    }
    let flags = Some(TcpFlagsMasked { flags, mask: flags });
    TcpInfo {
        state,
        window_scale: PerDirection::default(),
        flags: PerDirection { original: flags, reply: flags },
    }
}
