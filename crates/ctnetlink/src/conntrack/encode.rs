//! Writing flow messages: requests, and entries as the kernel sends them.

use std::net::IpAddr;

use flow::{
    Direction, Family, Flow, FlowId, HelperName, Labels, Mark, PartialTuple, PerDirection,
    ProtoInfo, SequenceAdjustment, Status, Synproxy, TcpFlagsMasked, Zone,
};

use super::{number, tuple};
use crate::wire::MessageWriter;

/// A translation to make (`CTA_NAT_SRC`, `CTA_NAT_DST`).
///
/// The kernel takes an absent end of a range as equal to its beginning.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NatRange {
    /// First address.
    pub first: Option<IpAddr>,
    /// Last address.
    pub last: Option<IpAddr>,
    /// First port.
    pub first_port: Option<u16>,
    /// Last port.
    pub last_port: Option<u16>,
}

/// What a request says of one flow: which one it means, or how it is to be.
///
/// What is `None` or empty is not sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FlowRequest {
    /// Family of the header. A request that names a tuple needs one.
    pub family: Option<Family>,
    /// `CTA_TUPLE_ORIG`, `CTA_TUPLE_REPLY`.
    pub tuples: PerDirection<PartialTuple>,
    /// `CTA_TUPLE_ZONE` within them.
    pub tuple_zones: PerDirection<Option<Zone>>,
    /// `CTA_ZONE`.
    pub zone: Option<Zone>,
    /// `CTA_STATUS`. The kernel insists on `CONFIRMED`.
    pub status: Option<Status>,
    /// `CTA_TIMEOUT`, seconds.
    pub timeout_s: Option<u32>,
    /// `CTA_MARK`.
    pub mark: Option<Mark>,
    /// `CTA_MARK_MASK`: which bits of the mark are changed.
    pub mark_mask: Option<u32>,
    /// `CTA_PROTOINFO`.
    pub protoinfo: Option<ProtoInfo>,
    /// `CTA_HELP_NAME`.
    pub helper: Option<HelperName>,
    /// `CTA_TUPLE_MASTER`.
    pub master: Option<PartialTuple>,
    /// `CTA_NAT_SRC`.
    pub nat_src: Option<NatRange>,
    /// `CTA_NAT_DST`.
    pub nat_dst: Option<NatRange>,
    /// `CTA_LABELS`.
    pub labels: Option<Labels>,
    /// `CTA_LABELS_MASK`: which labels are changed.
    pub labels_mask: Option<Labels>,
    /// `CTA_SEQ_ADJ_*`.
    pub sequence_adjustment: PerDirection<Option<SequenceAdjustment>>,
    /// `CTA_SYNPROXY`.
    pub synproxy: Option<Synproxy>,
    /// `CTA_ID`: a delete of a tuple that another flow took over in the meantime then fails.
    pub id: Option<FlowId>,
}

/// Writes the attributes of a request, in the order in which upstream sends them.
pub(crate) fn write_request(out: &mut MessageWriter<'_>, request: &FlowRequest) {
    for (direction, kind) in
        [(Direction::Original, number::TUPLE_ORIG), (Direction::Reply, number::TUPLE_REPLY)]
    {
        let (tuple, zone) = (&request.tuples[direction], request.tuple_zones[direction]);
        if !tuple.is_empty() || zone.is_some() {
            tuple::write(out, kind, tuple, zone);
        }
    }
    if let Some(status) = request.status {
        out.be32(number::STATUS, status.bits());
    }
    if let Some(timeout_s) = request.timeout_s {
        out.be32(number::TIMEOUT, timeout_s);
    }
    if let Some(mark) = request.mark {
        out.be32(number::MARK, mark.0);
    }
    if let Some(mask) = request.mark_mask {
        out.be32(number::MARK_MASK, mask);
    }
    if let Some(protoinfo) = &request.protoinfo {
        write_protoinfo(out, protoinfo);
    }
    if let Some(helper) = &request.helper {
        out.nest(number::HELP, |out| out.text(number::help::NAME, helper));
    }
    if let Some(master) = &request.master {
        tuple::write(out, number::TUPLE_MASTER, master, None);
    }
    for (kind, range) in [(number::NAT_SRC, request.nat_src), (number::NAT_DST, request.nat_dst)] {
        if let Some(range) = range {
            write_nat(out, kind, &range);
        }
    }
    if let Some(zone) = request.zone {
        out.be16(number::ZONE, zone.0);
    }
    for (kind, labels) in
        [(number::LABELS, &request.labels), (number::LABELS_MASK, &request.labels_mask)]
    {
        if let Some(labels) = labels {
            out.bytes(kind, labels.as_bytes());
        }
    }
    write_adjustments(out, request.sequence_adjustment);
    if let Some(synproxy) = request.synproxy {
        write_synproxy(out, synproxy);
    }
    if let Some(id) = request.id {
        out.be32(number::ID, id.0);
    }
}

/// Writes a flow with the attributes and in the order of a dump, as the kernel does.
///
/// For test doubles of the kernel and for tests of the decoder: `FlowView::parse` of it gives the flow back.
pub fn encode_flow(out: &mut MessageWriter<'_>, flow: &Flow) {
    for (direction, kind) in
        [(Direction::Original, number::TUPLE_ORIG), (Direction::Reply, number::TUPLE_REPLY)]
    {
        tuple::write(out, kind, &flow.tuples[direction].into(), flow.tuple_zones[direction]);
    }
    if let Some(zone) = flow.zone {
        out.be16(number::ZONE, zone.0);
    }
    for (kind, value) in [
        (number::STATUS, flow.status.map(|status| status.bits())),
        (number::MARK, flow.mark.map(|mark| mark.0)),
        (number::SECMARK, flow.secmark),
    ] {
        write_be32(out, kind, value);
    }
    if let Some(secctx) = &flow.secctx {
        out.nest(number::SECCTX, |out| {
            out.bytes(number::SECCTX_NAME, &[secctx.as_ref(), &[0]].concat());
        });
    }
    write_be32(out, number::ID, flow.id.map(|id| id.0));
    write_be32(out, number::USE, flow.use_count);
    if let Some(master) = flow.master {
        tuple::write(out, number::TUPLE_MASTER, &master.into(), None);
    }
    write_be32(out, number::TIMEOUT, flow.timeout_s);
    if let Some(protoinfo) = &flow.protoinfo {
        write_protoinfo(out, protoinfo);
    }
    write_counters_and_times(out, flow);
    if flow.helper.is_some() || flow.helper_info.is_some() {
        out.nest(number::HELP, |out| {
            if let Some(helper) = &flow.helper {
                out.text(number::help::NAME, helper);
            }
            if let Some(info) = &flow.helper_info {
                out.bytes(number::help::INFO, info);
            }
        });
    }
    if let Some(labels) = &flow.labels {
        out.bytes(number::LABELS, labels.as_bytes());
    }
    write_adjustments(out, flow.sequence_adjustment);
    if let Some(synproxy) = flow.synproxy {
        write_synproxy(out, synproxy);
    }
    if let Some(time) = flow.event_time {
        out.be64(number::TIMESTAMP_EVENT, time.0);
    }
}

fn write_counters_and_times(out: &mut MessageWriter<'_>, flow: &Flow) {
    use number::{counters, timestamp};
    for (kind, counted) in [
        (number::COUNTERS_ORIG, flow.counters.original),
        (number::COUNTERS_REPLY, flow.counters.reply),
    ] {
        if let Some(counted) = counted {
            out.nest(kind, |out| {
                out.be64(counters::PACKETS, counted.packets);
                out.be64(counters::BYTES, counted.bytes);
            });
        }
    }
    if flow.start.is_some() || flow.stop.is_some() {
        out.nest(number::TIMESTAMP, |out| {
            for (kind, time) in [(timestamp::START, flow.start), (timestamp::STOP, flow.stop)] {
                if let Some(time) = time {
                    out.be64(kind, time.0);
                }
            }
        });
    }
}

fn write_protoinfo(out: &mut MessageWriter<'_>, protoinfo: &ProtoInfo) {
    use number::protoinfo as part;
    out.nest(number::PROTOINFO, |out| match protoinfo {
        ProtoInfo::Tcp(tcp) => out.nest(part::TCP, |out| {
            write_u8(out, part::STATE, tcp.state.map(|state| state.0));
            write_u8(out, part::TCP_WSCALE_ORIGINAL, tcp.window_scale.original);
            write_u8(out, part::TCP_WSCALE_REPLY, tcp.window_scale.reply);
            for (kind, flags) in [
                (part::TCP_FLAGS_ORIGINAL, tcp.flags.original),
                (part::TCP_FLAGS_REPLY, tcp.flags.reply),
            ] {
                if let Some(TcpFlagsMasked { flags, mask }) = flags {
                    out.bytes(kind, &[flags.bits(), mask.bits()]);
                }
            }
        }),
        ProtoInfo::Sctp(sctp) => out.nest(part::SCTP, |out| {
            write_u8(out, part::STATE, sctp.state.map(|state| state.0));
            for (kind, vtag) in [
                (part::SCTP_VTAG_ORIGINAL, sctp.vtags.original),
                (part::SCTP_VTAG_REPLY, sctp.vtags.reply),
            ] {
                if let Some(vtag) = vtag {
                    out.be32(kind, vtag);
                }
            }
        }),
        ProtoInfo::Dccp(dccp) => out.nest(part::DCCP, |out| {
            write_u8(out, part::STATE, dccp.state.map(|state| state.0));
            write_u8(out, part::DCCP_ROLE, dccp.role.map(|role| role.0));
            if let Some(sequence) = dccp.handshake_sequence {
                out.be64(part::DCCP_HANDSHAKE_SEQ, sequence);
            }
        }),
    });
}

fn write_u8(out: &mut MessageWriter<'_>, kind: u16, value: Option<u8>) {
    if let Some(value) = value {
        out.u8(kind, value);
    }
}

fn write_be32(out: &mut MessageWriter<'_>, kind: u16, value: Option<u32>) {
    if let Some(value) = value {
        out.be32(kind, value);
    }
}

fn write_nat(out: &mut MessageWriter<'_>, kind: u16, range: &NatRange) {
    use number::nat;
    out.nest(kind, |out| {
        for (v4, v6, address) in [
            (nat::V4_MINIP, nat::V6_MINIP, range.first),
            (nat::V4_MAXIP, nat::V6_MAXIP, range.last),
        ] {
            match address {
                Some(IpAddr::V4(address)) => out.word(v4, address.octets()),
                Some(IpAddr::V6(address)) => out.bytes(v6, &address.octets()),
                None => {}
            }
        }
        if range.first_port.is_some() || range.last_port.is_some() {
            out.nest(nat::PROTO, |out| {
                for (kind, port) in
                    [(nat::PORT_MIN, range.first_port), (nat::PORT_MAX, range.last_port)]
                {
                    if let Some(port) = port {
                        out.be16(kind, port);
                    }
                }
            });
        }
    });
}

fn write_adjustments(
    out: &mut MessageWriter<'_>,
    adjustments: PerDirection<Option<SequenceAdjustment>>,
) {
    use number::sequence;
    for (kind, adjustment) in
        [(number::SEQ_ADJ_ORIG, adjustments.original), (number::SEQ_ADJ_REPLY, adjustments.reply)]
    {
        if let Some(adjustment) = adjustment {
            out.nest(kind, |out| {
                out.be32(sequence::CORRECTION_POS, adjustment.correction_position);
                out.be32(sequence::OFFSET_BEFORE, adjustment.offset_before.cast_unsigned());
                out.be32(sequence::OFFSET_AFTER, adjustment.offset_after.cast_unsigned());
            });
        }
    }
}

fn write_synproxy(out: &mut MessageWriter<'_>, synproxy: Synproxy) {
    out.nest(number::SYNPROXY, |out| {
        out.be32(number::synproxy::ISN, synproxy.initial_sequence);
        out.be32(number::synproxy::ITS, synproxy.initial_timestamp);
        out.be32(number::synproxy::TSOFF, synproxy.timestamp_offset);
    });
}
