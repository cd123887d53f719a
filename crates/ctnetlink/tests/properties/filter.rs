//! The program for a filter says what the filter says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ctnetlink::bpf::{Coverage, FlowConditions, Instruction, LONGEST, Program, compile};
use ctnetlink::encode_flow;
use ctnetlink::wire::{MessageFlags, MessageHeader, MessageWriter, NetfilterHeader, Sequence};
use flow::filter::{AddressSet, EventFilter, Policy, Rule};
use flow::{
    AddressPair, Direction, EventKind, Family, Flow, L4Key, Mark, MaskedMark, PartialTuple,
    PerDirection, ProtoInfo, Protocol, TcpInfo, TcpState, Tuple, Zone,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use crate::interpreter::run;
use crate::strategies;

const KINDS: [EventKind; 3] = [EventKind::New, EventKind::Update, EventKind::Destroy];

/// An event as the kernel sends it.
fn event(kind: EventKind, flow: &Flow) -> Vec<u8> {
    let (message, flags) = match kind {
        EventKind::New => (0x0100, MessageFlags::CREATE | MessageFlags::EXCL),
        EventKind::Update => (0x0100, MessageFlags::empty()),
        EventKind::Destroy => (0x0102, MessageFlags::empty()),
    };
    message_of(message, flags, flow)
}

fn message_of(kind: u16, flags: MessageFlags, flow: &Flow) -> Vec<u8> {
    let header = MessageHeader { kind, flags, sequence: Sequence(0), port_id: 0 };
    let family = flow.tuples.original.addresses.family().number();
    let mut out = Vec::new();
    let netfilter = NetfilterHeader { family, ..NetfilterHeader::default() };
    let mut message = MessageWriter::begin(&mut out, header, netfilter);
    encode_flow(&mut message, flow);
    message.finish();
    out
}

fn passes(program: &Program, message: &[u8]) -> bool {
    let (kept, _) = run(&program.instructions, message);
    assert!(kept == 0 || kept == u32::MAX);
    kept != 0
}

/// What the kernel checks before it takes a program.
fn check(instructions: &[Instruction]) {
    assert!(!instructions.is_empty() && instructions.len() <= LONGEST);
    assert_eq!(instructions.last().unwrap().code, 0x06, "the last instruction ends the program");
    for (at, it) in instructions.iter().enumerate() {
        let farthest = match it.code {
            0x05 => it.operand as usize,
            0x15 | 0x25 | 0x35 => usize::from(it.skip_if_true.max(it.skip_if_false)),
            _ => 0,
        };
        assert!(at + farthest + 1 < instructions.len() || it.code == 0x06, "{at}: {it:?}");
    }
}

/// An address to make networks of, so that they often have something to do with the flow.
#[derive(Clone, Copy, Debug)]
enum Near {
    Source(Direction),
    Destination(Direction),
    Any(IpAddr),
}

impl Near {
    fn address(self, flow: &Flow) -> IpAddr {
        match self {
            Self::Source(direction) => flow.tuples[direction].addresses.src(),
            Self::Destination(direction) => flow.tuples[direction].addresses.dst(),
            Self::Any(address) => address,
        }
    }
}

fn near() -> impl Strategy<Value = Near> {
    let direction = || prop_oneof![Just(Direction::Original), Just(Direction::Reply)];
    prop_oneof![
        direction().prop_map(Near::Source),
        direction().prop_map(Near::Destination),
        any::<IpAddr>().prop_map(Near::Any),
    ]
}

/// A network beside an address: some bits of it are changed, so that it lies left or right of it or holds it.
fn network(address: IpAddr, flipped: Option<u8>, prefix_len: u8) -> (IpAddr, u8) {
    let bit = |bits: u32| flipped.map_or(bits, |bit| u32::from(bit) % bits);
    let address = match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from(address.to_bits() ^ 1_u32.checked_shl(bit(32)).unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from(address.to_bits() ^ 1_u128.checked_shl(bit(128)).unwrap_or(0)).into()
        }
    };
    (address, prefix_len)
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![Just(Policy::Accept), Just(Policy::Ignore)]
}

/// A filter of which each list is often there and often has a part in the decision.
fn filter_for(flow: Flow) -> impl Strategy<Value = (Flow, EventFilter)> {
    let protocol = flow.tuples.original.protocol.number();
    let state = match flow.protoinfo {
        Some(ProtoInfo::Tcp(TcpInfo { state: Some(TcpState(state)), .. })) => state,
        _ => 3,
    };
    let numbers = |near: u8| {
        let number = prop_oneof![Just(near), (0..3u8).prop_map(move |n| near ^ n), any::<u8>()];
        of((policy(), vec(number, 0..12)))
    };
    let networks = of((policy(), vec((near(), any::<Option<u8>>(), 0..=128u8), 0..40)));
    (Just(flow), numbers(protocol), networks, numbers(state)).prop_map(
        |(flow, protocols, networks, states)| {
            let numbers = |(policy, members): (Policy, Vec<u8>)| Rule {
                policy,
                members: members.into_iter().collect(),
            };
            let addresses = networks.map(|(policy, near)| Rule {
                policy,
                members: AddressSet::from_networks(
                    near.into_iter()
                        .map(|(near, flipped, len)| network(near.address(&flow), flipped, len)),
                ),
            });
            let filter = EventFilter {
                protocols: protocols.map(numbers),
                addresses,
                tcp_states: states.map(numbers),
            };
            (flow, filter)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_says_what_its_filter_says(
        (flow, filter) in strategies::flow().prop_flat_map(filter_for),
    ) {
        let program = compile(&filter, LONGEST);
        prop_assert_eq!(program.coverage, Coverage::Whole);
        check(&program.instructions);
        for kind in KINDS {
            let wanted = filter.wants_event(kind, &flow);
            prop_assert_eq!(passes(&program, &event(kind, &flow)), wanted, "{:?}", kind);
        }
        for subsystem in [0x0002, 0x0003, 0x0200, 0x0201, 0x0301] {
            let other = message_of(subsystem, MessageFlags::empty(), &flow);
            prop_assert!(passes(&program, &other), "subsystem {subsystem:#x}");
        }
    }

    #[test]
    fn a_program_that_is_too_short_holds_nothing_back_that_is_wanted(
        (flow, filter) in strategies::flow().prop_flat_map(filter_for),
        most in 0..400_usize,
    ) {
        let program = compile(&filter, most);
        check(&program.instructions);
        prop_assert!(program.instructions.len() <= most.max(1));
        for kind in KINDS {
            let (passed, wanted) =
                (passes(&program, &event(kind, &flow)), filter.wants_event(kind, &flow));
            prop_assert!(passed || !wanted);
            prop_assert!(passed == wanted || program.coverage == Coverage::Part);
        }
    }
}

fn flow_between(src: IpAddr, answering: IpAddr) -> Flow {
    let tuple = |src, dst| Tuple {
        addresses: AddressPair::new(src, dst).unwrap(),
        protocol: Protocol::Udp,
        key: L4Key::None,
    };
    Flow::new(PerDirection { original: tuple(src, answering), reply: tuple(answering, src) })
}

fn of_networks(policy: Policy, networks: impl IntoIterator<Item = (IpAddr, u8)>) -> EventFilter {
    let members = AddressSet::from_networks(networks);
    EventFilter { addresses: Some(Rule { policy, members }), ..EventFilter::default() }
}

/// Every second network of 256 addresses.
fn v4_networks(count: u32) -> impl Iterator<Item = (IpAddr, u8)> {
    (0..count).map(|n| (Ipv4Addr::from(n << 9 | 0x0a00_0000).into(), 24))
}

/// Networks of 2^64 addresses, some of them in common halves.
fn v6_networks(count: u128) -> impl Iterator<Item = (IpAddr, u8)> {
    (0..count).map(|n| (Ipv6Addr::from(n << 65 | 0x2001_0db8 << 96).into(), 64))
}

#[test]
fn a_thousand_networks_take_few_steps() {
    for policy in [Policy::Accept, Policy::Ignore] {
        let filter = of_networks(policy, v4_networks(900).chain(v6_networks(40)));
        let program = compile(&filter, LONGEST);
        assert_eq!(program.coverage, Coverage::Whole);
        check(&program.instructions);
        for n in (0..256_000_u32).step_by(97) {
            let near = Ipv4Addr::from((n << 1) + 0x0a00_0000);
            let flow = flow_between(Ipv4Addr::BROADCAST.into(), near.into());
            let message = event(EventKind::New, &flow);
            let (kept, steps) = run(&program.instructions, &message);
            assert_eq!(kept != 0, filter.wants(&flow), "{near}");
            assert!(steps < 70, "{steps}");
        }
        for n in 0..100_u128 {
            for host in [0, 1, u128::from(u64::MAX)] {
                let near = Ipv6Addr::from(n << 64 | 0x2001_0db8 << 96 | host);
                let flow = flow_between(near.into(), Ipv6Addr::LOCALHOST.into());
                assert_eq!(passes(&program, &event(EventKind::New, &flow)), filter.wants(&flow));
            }
        }
    }
}

#[test]
fn a_family_that_does_not_fit_is_left_out_and_the_other_stays() {
    let v4 = || flow_between(Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into());
    let v6 = || flow_between(Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    for (many_v4, many_v6) in [(5000, 2), (2, 5000), (5000, 5000_u32)] {
        let networks = v4_networks(many_v4).chain(v6_networks(many_v6.into()));
        let program = compile(&of_networks(Policy::Accept, networks), LONGEST);
        assert_eq!(program.coverage, Coverage::Part);
        check(&program.instructions);
        let passed = [v4(), v6()].map(|flow| passes(&program, &event(EventKind::New, &flow)));
        assert_eq!(passed, [many_v4 > 2, many_v6 > 2], "only what is left out passes");
    }
}

#[test]
fn a_message_without_the_attributes_passes() {
    let header = MessageHeader {
        kind: 0x0100,
        flags: MessageFlags::empty(),
        sequence: Sequence(0),
        port_id: 0,
    };
    let number = |policy| Some(Rule { policy, members: [7].into_iter().collect() });
    let filter = EventFilter {
        protocols: number(Policy::Accept),
        tcp_states: number(Policy::Accept),
        ..of_networks(Policy::Accept, [])
    };
    for family in [0, 2, 7, 10] {
        let mut bare = Vec::new();
        let netfilter = NetfilterHeader { family, ..NetfilterHeader::default() };
        MessageWriter::begin(&mut bare, header, netfilter).finish();
        assert!(passes(&compile(&filter, LONGEST), &bare));
    }
}

#[test]
fn events_of_an_ignored_port_are_dropped_and_all_others_judged_as_before() {
    let wanted = EventFilter::default();
    let program = compile(&wanted, LONGEST - Program::IGNORING).ignoring(0x0102_0304);
    check(&program.instructions);
    let tuple = Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::None,
    };
    let flow = Flow::new(PerDirection { original: tuple, reply: tuple.inverted() });
    for (port_id, is_passed) in [(0, true), (0x0102_0304, false), (0x0403_0201, true)] {
        let mut message = event(EventKind::New, &flow);
        message[12..16].copy_from_slice(&u32::to_ne_bytes(port_id));
        assert_eq!(passes(&program, &message), is_passed, "{port_id:#x}");
    }
}

/// What the conditions mean, but for ICMP keys, which no program compares.
fn holds(conditions: &FlowConditions, flow: &Flow) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let original = &flow.tuples.original.addresses;
    let inside = [original.src(), original.dst()].into_iter().zip(conditions.networks).all(
        |(address, network)| {
            network.is_none_or(|(network, mask)| {
                address.is_ipv4() == network.is_ipv4()
                    && bits(address) & bits(mask) == bits(network) & bits(mask)
            })
        },
    );
    inside
        && conditions.family.is_none_or(|family| original.family() == family)
        && Direction::BOTH
            .iter()
            .all(|direction| conditions.tuples[*direction].matches(&flow.tuples[*direction]))
        && conditions.mark.is_none_or(|mark| mark.matches(flow.mark.unwrap_or_default()))
        && conditions.zone.is_none_or(|zone| flow.zone.unwrap_or_default() == zone)
}

/// Conditions of which each is often there and often holds.
fn conditions_for(flow: Flow) -> impl Strategy<Value = (Flow, FlowConditions)> {
    let parts = || any::<[u8; 10]>();
    let mask = (any::<u128>(), 0..=128_u32)
        .prop_map(|(bits, ones)| bits | u128::MAX.checked_shl(128 - ones).unwrap_or(0));
    (Just(flow), parts(), mask, any::<(u32, u16)>()).prop_map(|(flow, dice, mask, (mark, zone))| {
        // Of ten, four ask for what there is, one for something else.
        let choose = |die: u8| die % 10;
        let tuple = |direction: Direction, dice: &[u8]| {
            let whole = PartialTuple::from(flow.tuples[direction]);
            let port = |die, port: Option<u16>| match choose(die) {
                0..4 => port,
                4 => port.map(|port| port ^ 1),
                _ => None,
            };
            PartialTuple {
                src: whole.src.filter(|_| choose(dice[0]) < 4),
                dst: whole.dst.filter(|_| choose(dice[1]) < 4),
                protocol: whole.protocol.filter(|_| choose(dice[2]) < 4),
                src_port: port(dice[3], whole.src_port),
                dst_port: port(dice[4], whole.dst_port),
                ..PartialTuple::default()
            }
        };
        let address = flow.tuples.original.addresses.src();
        let mask: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::from(u32::try_from(mask >> 96).unwrap()).into(),
            IpAddr::V6(_) => Ipv6Addr::from(mask).into(),
        };
        let conditions = FlowConditions {
            family: match choose(dice[5]) {
                0..4 => Some(flow.tuples.original.addresses.family()),
                4 => Some(Family::Ipv6),
                _ => None,
            },
            tuples: PerDirection {
                original: tuple(Direction::Original, &dice),
                reply: tuple(Direction::Reply, &dice[5..]),
            },
            networks: [Some((address, mask)).filter(|_| choose(dice[6]) < 5), None],
            mark: match choose(dice[7]) {
                0..4 => {
                    let Mark(set) = flow.mark.unwrap_or_default();
                    Some(MaskedMark { value: Mark(set & mark), mask: mark })
                }
                4 => Some(MaskedMark { value: Mark(mark), mask: u32::MAX }),
                _ => None,
            },
            zone: match choose(dice[8]) {
                0..4 => Some(flow.zone.unwrap_or_default()),
                4 => Some(Zone(zone)),
                _ => None,
            },
        };
        (flow, conditions)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_says_what_its_conditions_say(
        (flow, conditions) in strategies::flow().prop_flat_map(conditions_for),
    ) {
        let program = conditions.compile();
        check(&program.instructions);
        for kind in KINDS {
            let passed = passes(&program, &event(kind, &flow));
            prop_assert_eq!(passed, holds(&conditions, &flow), "{:?}", kind);
        }
        let other = message_of(0x0200, MessageFlags::empty(), &flow);
        prop_assert!(passes(&program, &other), "another subsystem");
    }
}
