//! From a flow to its record: what a sender says of it.

use std::net::IpAddr;

use arrayvec::ArrayString;
use flow::{
    DccpInfo, Direction, FlowRead, L4Key, PerDirection, ProtoInfo, Protocol, SctpInfo, Status,
    TcpInfo, Tuple, Zone,
};

use super::{Record, Translated};

/// Parts that a configuration keeps off the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SentParts {
    /// Timeouts: not with `CommitTimeout`.
    pub timeout: bool,
    /// Scales of TCP windows: only with `TCPWindowTracking`.
    pub window_scale: bool,
}

impl Record {
    /// What is sent of a flow.
    ///
    /// Zones of one direction, counters and times are not. A helper whose name upstream would not take is left out: the
    /// flow is worth more than its helper. Keys of GRE and ports of UDPLite go as ports: upstream sends neither, but takes
    /// them.
    pub fn from_flow(flow: &impl FlowRead, parts: SentParts) -> Self {
        let original = flow.tuple(Direction::Original);
        let reply = flow.tuple(Direction::Reply);
        let status = flow.status();
        let adjustments = PerDirection::from_fn(|direction| flow.sequence_adjustment(direction));
        Self {
            original: Tuple { key: sent_key(&original), ..original },
            zone: flow.zone().filter(|zone| *zone != Zone(0)),
            status: Some(status.unwrap_or_default()),
            timeout_s: flow.timeout_s().filter(|_| parts.timeout),
            mark: flow.mark(),
            protoinfo: flow.protoinfo().and_then(|info| sent_state(info, original.protocol, parts)),
            master: flow.master().map(sent_master),
            nat_src: if is_done(status, Status::SRC_NAT_DONE) {
                translated(
                    (original.addresses.src(), source_bits(original.key)),
                    (reply.addresses.dst(), destination_bits(reply.key)),
                    reply.key.ports().map(|ports| ports.dst),
                )
            } else {
                Translated::default()
            },
            nat_dst: if is_done(status, Status::DST_NAT_DONE) {
                translated(
                    (original.addresses.dst(), destination_bits(original.key)),
                    (reply.addresses.src(), source_bits(reply.key)),
                    reply.key.ports().map(|ports| ports.src),
                )
            } else {
                Translated::default()
            },
            sequence_adjustment: match adjustments {
                PerDirection { original: Some(original), reply: Some(reply) } => {
                    Some(PerDirection { original, reply })
                }
                _ => None,
            },
            helper: flow.helper().and_then(recorded_name),
            labels: flow.labels().filter(|labels| !labels.is_empty()),
            synproxy: flow.synproxy(),
        }
    }
}

/// A name as a record has it, `None` if it is empty or too long for upstream.
pub(in super::super) fn recorded_name<const N: usize>(name: &str) -> Option<ArrayString<N>> {
    let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    ArrayString::from(name).ok().filter(|name| printable && !name.is_empty())
}

/// DCCP always has ports here, though new kernels have none for it.
fn sent_key(original: &Tuple) -> L4Key {
    match original.protocol {
        Protocol::Icmp => original.key.icmp().map_or(L4Key::None, L4Key::Icmp),
        Protocol::Icmpv6 => original.key.icmp().map_or(L4Key::None, L4Key::Icmpv6),
        Protocol::Other(_) => L4Key::None,
        _ => L4Key::Ports(original.key.ports().unwrap_or_default()),
    }
}

/// Of a master only ports are sent, those of every protocol that has them.
fn sent_master(master: Tuple) -> Tuple {
    let key = match master.protocol {
        Protocol::Icmp | Protocol::Icmpv6 | Protocol::Other(_) => L4Key::None,
        _ => L4Key::Ports(master.key.ports().unwrap_or_default()),
    };
    Tuple { key, ..master }
}

/// The state of the flow's own tracker, if there is one. What goes with a state is not sent without it.
fn sent_state(info: ProtoInfo, protocol: Protocol, parts: SentParts) -> Option<ProtoInfo> {
    match (info, protocol) {
        (ProtoInfo::Tcp(TcpInfo { state: Some(state), window_scale, .. }), Protocol::Tcp) => {
            let window_scale = window_scale.map(|scale| scale.filter(|_| parts.window_scale));
            let flags = PerDirection::default();
            Some(ProtoInfo::Tcp(TcpInfo { state: Some(state), window_scale, flags }))
        }
        (ProtoInfo::Sctp(sctp @ SctpInfo { state: Some(_), .. }), Protocol::Sctp) => {
            Some(ProtoInfo::Sctp(sctp))
        }
        (ProtoInfo::Dccp(dccp @ DccpInfo { state: Some(_), .. }), Protocol::Dccp) => {
            Some(ProtoInfo::Dccp(DccpInfo { handshake_sequence: None, ..dccp }))
        }
        _ => None,
    }
}

/// The kernel has decided, or it is not known whether it has.
fn is_done(status: Option<Status>, done: Status) -> bool {
    status.is_none_or(|status| status.contains(done))
}

/// What one end became: each part that differs.
///
/// Upstream compares 16 bits of the tuples in memory. Of ICMP these are the id on one side and type and code on the
/// other, which differ as a rule; the port that is then sent is 0.
fn translated(before: (IpAddr, u16), after: (IpAddr, u16), port: Option<u16>) -> Translated {
    Translated {
        address: (after.0 != before.0).then_some(after.0),
        port: (after.1 != before.1).then_some(port.unwrap_or_default()),
    }
}

/// The source half of a key, as it stands in a packet.
fn source_bits(key: L4Key) -> u16 {
    match key {
        L4Key::None => 0,
        L4Key::Ports(ports) => ports.src,
        L4Key::Icmp(icmp) | L4Key::Icmpv6(icmp) => icmp.id,
    }
}

/// The destination half of a key: of ICMP type and code.
fn destination_bits(key: L4Key) -> u16 {
    match key {
        L4Key::None => 0,
        L4Key::Ports(ports) => ports.dst,
        L4Key::Icmp(icmp) | L4Key::Icmpv6(icmp) => u16::from_be_bytes([icmp.kind, icmp.code]),
    }
}
