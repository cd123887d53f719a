//! Arbitrary records: everything that a message can say.

use arrayvec::ArrayString;
use ctsync::wire::{ExpectationNatRecord, ExpectationRecord, Record, Translated};
use flow::{
    AddressPair, DccpInfo, DccpRole, DccpState, Direction, ExpectationFlags, Family, IcmpKey,
    L4Key, Labels, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo, SctpState,
    SequenceAdjustment, Status, Synproxy, TcpInfo, TcpState, Tuple, Zone,
};
use proptest::array::uniform2;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

fn address(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::Ipv4 => any::<Ipv4Addr>().prop_map(IpAddr::V4).boxed(),
        Family::Ipv6 => any::<Ipv6Addr>().prop_map(IpAddr::V6).boxed(),
    }
}

/// The key that a protocol has on the wire; of ICMP it may be absent.
fn key(protocol: Protocol) -> impl Strategy<Value = L4Key> {
    any::<(bool, u8, u8, u16, u16)>().prop_map(move |(has_key, kind, code, id, dst)| {
        let icmp = IcmpKey { kind, code, id };
        match protocol {
            Protocol::Icmp if has_key => L4Key::Icmp(icmp),
            Protocol::Icmpv6 if has_key => L4Key::Icmpv6(icmp),
            Protocol::Icmp | Protocol::Icmpv6 | Protocol::Other(_) => L4Key::None,
            // Not sent unless some peer does.
            Protocol::Gre | Protocol::UdpLite if !has_key => L4Key::Ports(Ports::default()),
            _ => L4Key::Ports(Ports { src: id, dst }),
        }
    })
}

fn tuple(family: Family) -> BoxedStrategy<Tuple> {
    let parts = protocol().prop_flat_map(move |p| (addresses(family), Just(p), key(p)));
    parts.prop_map(|(addresses, protocol, key)| Tuple { addresses, protocol, key }).boxed()
}

/// As a tuple, but that of ICMP has no key.
fn master(family: Family) -> BoxedStrategy<Tuple> {
    tuple(family)
        .prop_map(|tuple| match tuple.key {
            L4Key::Icmp(_) | L4Key::Icmpv6(_) => Tuple { key: L4Key::None, ..tuple },
            L4Key::Ports(_) | L4Key::None => tuple,
        })
        .boxed()
}

fn translated(family: Family) -> impl Strategy<Value = Translated> {
    (of(address(family)), any::<Option<u16>>())
        .prop_map(|(address, port)| Translated { address, port })
}

fn adjustment() -> impl Strategy<Value = SequenceAdjustment> {
    any::<(u32, i32, i32)>().prop_map(|(correction_position, offset_before, offset_after)| {
        SequenceAdjustment { correction_position, offset_before, offset_after }
    })
}

fn labels() -> impl Strategy<Value = Labels> {
    vec(any::<u32>(), 1..=4).prop_map(|words| {
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        Labels::from_bytes(&bytes).unwrap()
    })
}

fn synproxy() -> impl Strategy<Value = Synproxy> {
    any::<[u32; 3]>().prop_map(|[initial_sequence, initial_timestamp, timestamp_offset]| Synproxy {
        initial_sequence,
        initial_timestamp,
        timestamp_offset,
    })
}

fn name<const N: usize>() -> BoxedStrategy<ArrayString<N>> {
    vec(b' '..=b'~', 1..=N)
        .prop_map(|bytes| ArrayString::from(std::str::from_utf8(&bytes).unwrap()).unwrap())
        .boxed()
}

/// The state of the protocol's tracker, of which at least one part is there.
fn protoinfo(protocol: Protocol) -> BoxedStrategy<Option<ProtoInfo>> {
    let state = 0u8..=9;
    match protocol {
        Protocol::Tcp => (of(state), uniform2(of(0u8..=14)))
            .prop_map(|(state, [original, reply])| {
                let tcp = TcpInfo {
                    state: state.map(TcpState),
                    window_scale: PerDirection { original, reply },
                    flags: PerDirection::default(),
                };
                (tcp != TcpInfo::default()).then_some(ProtoInfo::Tcp(tcp))
            })
            .boxed(),
        Protocol::Sctp => (of(state), any::<[Option<u32>; 2]>())
            .prop_map(|(state, [original, reply])| {
                let vtags = PerDirection { original, reply };
                let sctp = SctpInfo { state: state.map(SctpState), vtags };
                (sctp != SctpInfo::default()).then_some(ProtoInfo::Sctp(sctp))
            })
            .boxed(),
        Protocol::Dccp => (of(state), of(0u8..=1))
            .prop_map(|(state, role)| {
                let dccp = DccpInfo {
                    state: state.map(DccpState),
                    role: role.map(DccpRole),
                    handshake_sequence: None,
                };
                (dccp != DccpInfo::default()).then_some(ProtoInfo::Dccp(dccp))
            })
            .boxed(),
        _ => Just(None).boxed(),
    }
}

prop_compose! {
    fn record_of(family: Family)(original in tuple(family))(
        original in Just(original),
        protoinfo in protoinfo(original.protocol),
        [zone] in any::<[Option<u16>; 1]>(),
        [status, timeout_s, mark] in any::<[Option<u32>; 3]>(),
        master in of(master(family)),
        [nat_src, nat_dst] in uniform2(translated(family).boxed()),
        sequence_adjustment in of(uniform2(adjustment())),
        helper in of(name()),
        labels in of(labels()),
        synproxy in of(synproxy()),
    ) -> Record {
        Record {
            original,
            zone: zone.map(Zone),
            status: status.map(Status::from_bits_retain),
            timeout_s,
            mark: mark.map(Mark),
            protoinfo,
            master,
            nat_src,
            nat_dst,
            sequence_adjustment: sequence_adjustment
                .map(|[original, reply]| PerDirection { original, reply }),
            helper,
            labels,
            synproxy,
        }
    }
}

/// A record as a message can say it.
pub(crate) fn record() -> BoxedStrategy<Record> {
    family().prop_flat_map(record_of).boxed()
}

fn ports() -> impl Strategy<Value = Ports> {
    any::<[u16; 2]>().prop_map(|[src, dst]| Ports { src, dst })
}

/// Tuples of an expectation: with ports if the master has them, and perhaps without if not.
fn expected(family: Family, protocol: Protocol, has_ports: bool) -> BoxedStrategy<Tuple> {
    let ports = if has_ports { ports().prop_map(Some).boxed() } else { of(ports()).boxed() };
    (addresses(family), ports)
        .prop_map(move |(addresses, ports)| Tuple {
            addresses,
            protocol,
            key: ports.map_or(L4Key::None, L4Key::Ports),
        })
        .boxed()
}

prop_compose! {
    fn expectation_of(family: Family)(
        [of_master, of_expected] in uniform2(protocol().boxed()),
    )(
        master in expected(family, of_master, has_ports(of_master)),
        tuple in expected(family, of_expected, has_ports(of_master)),
        mask in expected(family, of_expected, has_ports(of_master)),
        nat in of((expected(family, of_expected, has_ports(of_master)), any::<bool>())),
        [timeout_s, flags, class] in any::<[Option<u32>; 3]>(),
        helper in of(name()),
        function in of(name()),
    ) -> ExpectationRecord {
        ExpectationRecord {
            master,
            tuple,
            mask,
            timeout_s,
            flags: flags.map(ExpectationFlags::from_bits_retain),
            class,
            nat: nat.map(|(tuple, reply)| ExpectationNatRecord {
                addresses: Some(tuple.addresses).filter(|a| a.family() == Family::Ipv4),
                protocol: tuple.protocol,
                ports: tuple.key.ports(),
                direction: if reply { Direction::Reply } else { Direction::Original },
            }),
            helper,
            function,
        }
    }
}

fn has_ports(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp | Protocol::Udp | Protocol::Dccp | Protocol::Sctp)
}

/// An expectation as a message can say it.
pub(crate) fn expectation_record() -> BoxedStrategy<ExpectationRecord> {
    family().prop_flat_map(expectation_of).boxed()
}
