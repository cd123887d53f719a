//! Arbitrary flows and requests.
//!
//! A flow is consistent: one address family, and the key that its protocol has. Everything else is free: absent parts,
//! states and status bits without a name, texts of any length that fits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ctnetlink::{FlowRequest, NatRange};
use flow::{
    AddressPair, Counters, DccpInfo, DccpRole, DccpState, Family, Flow, FlowId, HelperInfo,
    HelperName, IcmpKey, L4Key, Labels, Mark, PartialTuple, PerDirection, Ports, ProtoInfo,
    Protocol, SctpInfo, SctpState, SequenceAdjustment, Status, Synproxy, TcpFlags, TcpFlagsMasked,
    TcpInfo, TcpState, TimeNs, Tuple, Zone,
};
use proptest::array::uniform2;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

/// Boxed, as are the other large strategies: a tree of them by value overflows the stack of a test thread.
fn per_direction<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<PerDirection<T>> {
    let pair = uniform2(value.boxed());
    pair.prop_map(|[original, reply]| PerDirection { original, reply }).boxed()
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![
        2 => proptest::sample::select(Protocol::NAMED.as_slice()),
        1 => any::<u8>().prop_map(Protocol::from),
    ]
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn addresses(family: Family) -> BoxedStrategy<AddressPair> {
    match family {
        Family::Ipv4 => {
            any::<[Ipv4Addr; 2]>().prop_map(|[src, dst]| AddressPair::V4 { src, dst }).boxed()
        }
        Family::Ipv6 => {
            any::<[Ipv6Addr; 2]>().prop_map(|[src, dst]| AddressPair::V6 { src, dst }).boxed()
        }
    }
}

/// The key of the protocol, or none: a kernel without its tracker sends none.
fn key(protocol: Protocol) -> impl Strategy<Value = L4Key> {
    any::<(bool, u8, u8, u16, u16)>().prop_map(move |(has_key, kind, code, id, dst)| {
        let icmp = IcmpKey { kind, code, id };
        match protocol {
            _ if !has_key => L4Key::None,
            Protocol::Icmp => L4Key::Icmp(icmp),
            Protocol::Icmpv6 => L4Key::Icmpv6(icmp),
            Protocol::Other(_) => L4Key::None,
            _ => L4Key::Ports(Ports { src: id, dst }),
        }
    })
}

fn tuple(family: Family) -> BoxedStrategy<Tuple> {
    let parts = protocol().prop_flat_map(move |p| (addresses(family), Just(p), key(p)));
    parts.prop_map(|(addresses, protocol, key)| Tuple { addresses, protocol, key }).boxed()
}

fn zone() -> impl Strategy<Value = Zone> {
    any::<u16>().prop_map(Zone)
}

fn labels() -> impl Strategy<Value = Labels> {
    let words = vec(any::<u32>(), 1..=4);
    words.prop_map(|words| {
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        Labels::from_bytes(&bytes).unwrap()
    })
}

fn helper() -> impl Strategy<Value = HelperName> {
    let name = "[^\0]{0,15}".prop_filter("at most 15 bytes", |name| name.len() <= 15);
    name.prop_map(|name| HelperName::from(&name).unwrap())
}

fn helper_info() -> impl Strategy<Value = HelperInfo> {
    vec(any::<u8>(), 0..=32).prop_map(|bytes| bytes.into_iter().collect())
}

fn time() -> impl Strategy<Value = TimeNs> {
    any::<u64>().prop_map(TimeNs)
}

fn status() -> impl Strategy<Value = Status> {
    any::<u32>().prop_map(Status::from_bits_retain)
}

fn counters() -> impl Strategy<Value = Counters> {
    any::<(u64, u64)>().prop_map(|(packets, bytes)| Counters { packets, bytes })
}

fn sequence_adjustment() -> impl Strategy<Value = SequenceAdjustment> {
    any::<(u32, i32, i32)>().prop_map(|(correction_position, offset_before, offset_after)| {
        SequenceAdjustment { correction_position, offset_before, offset_after }
    })
}

fn synproxy() -> impl Strategy<Value = Synproxy> {
    any::<[u32; 3]>().prop_map(|[initial_sequence, initial_timestamp, timestamp_offset]| Synproxy {
        initial_sequence,
        initial_timestamp,
        timestamp_offset,
    })
}

fn protoinfo() -> BoxedStrategy<ProtoInfo> {
    let flags = any::<[u8; 2]>().prop_map(|[flags, mask]| TcpFlagsMasked {
        flags: TcpFlags::from_bits_retain(flags),
        mask: TcpFlags::from_bits_retain(mask),
    });
    let tcp = (any::<Option<u8>>(), per_direction(any::<Option<u8>>()), per_direction(of(flags)));
    let tcp = tcp.prop_map(|(state, window_scale, flags)| TcpInfo {
        state: state.map(TcpState),
        window_scale,
        flags,
    });
    let sctp = (any::<Option<u8>>(), per_direction(any::<Option<u32>>()));
    let sctp = sctp.prop_map(|(state, vtags)| SctpInfo { state: state.map(SctpState), vtags });
    let dccp = any::<(Option<u8>, Option<u8>, Option<u64>)>();
    let dccp = dccp.prop_map(|(state, role, handshake_sequence)| DccpInfo {
        state: state.map(DccpState),
        role: role.map(DccpRole),
        handshake_sequence,
    });
    prop_oneof![
        tcp.prop_map(ProtoInfo::Tcp),
        sctp.prop_map(ProtoInfo::Sctp),
        dccp.prop_map(ProtoInfo::Dccp),
    ]
    .boxed()
}

prop_compose! {
    /// A flow of which some parts are given.
    pub(crate) fn flow()(family in family())(
        tuples in per_direction(tuple(family)),
        tuple_zones in per_direction(of(zone())),
        counters in per_direction(of(counters())),
        sequence_adjustment in per_direction(of(sequence_adjustment())),
        (zone, status, mark, protoinfo, master) in (
            of(zone()), of(status()), any::<Option<u32>>(), of(protoinfo()), of(tuple(family)),
        ),
        (start, stop, event_time) in (of(time()), of(time()), of(time())),
        (helper, helper_info, labels, synproxy) in (
            of(helper()), of(helper_info()), of(labels()), of(synproxy()),
        ),
        [timeout_s, use_count, id, secmark] in any::<[Option<u32>; 4]>(),
        secctx in of(vec(any::<u8>(), 0..100)),
    ) -> Flow {
        Flow {
            tuple_zones,
            zone,
            status,
            timeout_s,
            mark: mark.map(Mark),
            protoinfo,
            counters,
            start,
            stop,
            event_time,
            helper,
            helper_info,
            use_count,
            id: id.map(FlowId),
            labels,
            master,
            sequence_adjustment,
            synproxy,
            secmark,
            secctx: secctx.map(Vec::into_boxed_slice),
            ..Flow::new(tuples)
        }
    }
}

prop_compose! {
    fn partial_tuple()(
        [src, dst] in any::<[Option<IpAddr>; 2]>(),
        protocol in of(protocol()),
        [src_port, dst_port, icmp_id] in any::<[Option<u16>; 3]>(),
        [icmp_kind, icmp_code] in any::<[Option<u8>; 2]>(),
    ) -> PartialTuple {
        PartialTuple { src, dst, protocol, src_port, dst_port, icmp_kind, icmp_code, icmp_id }
    }
}

prop_compose! {
    fn nat_range()(
        [first, last] in any::<[Option<IpAddr>; 2]>(),
        [first_port, last_port] in any::<[Option<u16>; 2]>(),
    ) -> NatRange {
        NatRange { first, last, first_port, last_port }
    }
}

prop_compose! {
    /// A request of which some parts are given, also such that the kernel would refuse.
    pub(crate) fn request()(
        family in of(family()),
        tuples in per_direction(prop_oneof![Just(PartialTuple::default()), partial_tuple().boxed()]),
        tuple_zones in per_direction(of(zone())),
        (zone, status, protoinfo, master) in (
            of(zone()), of(status()), of(protoinfo()), of(partial_tuple().boxed()),
        ),
        [timeout_s, mark, mark_mask, id] in any::<[Option<u32>; 4]>(),
        [nat_src, nat_dst] in uniform2(of(nat_range().boxed())),
        helper in of(helper()),
        [labels, labels_mask] in uniform2(of(labels())),
        sequence_adjustment in per_direction(of(sequence_adjustment())),
        synproxy in of(synproxy()),
    ) -> FlowRequest {
        FlowRequest {
            family,
            tuples,
            tuple_zones,
            zone,
            status,
            timeout_s,
            mark: mark.map(Mark),
            mark_mask,
            protoinfo,
            helper,
            master,
            nat_src,
            nat_dst,
            labels,
            labels_mask,
            sequence_adjustment,
            synproxy,
            id: id.map(FlowId),
        }
    }
}
