use std::net::IpAddr;

use super::{AddressSet, EventFilter, NumberSet, Policy, Rule};
use crate::{
    AddressPair, DccpInfo, EventKind, Flow, L4Key, PerDirection, ProtoInfo, Protocol, SctpInfo,
    SctpState, TcpInfo, TcpState, Tuple,
};

const POLICIES: [Policy; 2] = [Policy::Accept, Policy::Ignore];

/// A flow by its original source and destination, and by who answers.
fn flow(protocol: Protocol, [src, dst, answering]: [&str; 3]) -> Flow {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let tuple = |src, dst| Tuple {
        addresses: AddressPair::new(address(src), address(dst)).unwrap(),
        protocol,
        key: L4Key::None,
    };
    Flow::new(PerDirection { original: tuple(src, dst), reply: tuple(answering, src) })
}

fn v4() -> Flow {
    flow(Protocol::Tcp, ["10.0.0.1", "192.0.2.1", "172.16.0.1"])
}

fn in_state(state: Option<u8>) -> Flow {
    let tcp = TcpInfo { state: state.map(TcpState), ..TcpInfo::default() };
    Flow { protoinfo: Some(ProtoInfo::Tcp(tcp)), ..v4() }
}

fn by_protocol(policy: Policy, members: &[u8]) -> EventFilter {
    let members = members.iter().copied().collect();
    EventFilter { protocols: Some(Rule { policy, members }), ..EventFilter::default() }
}

fn by_address(policy: Policy, members: &[(&str, u8)]) -> EventFilter {
    let networks = members.iter().map(|(text, len)| (text.parse().unwrap(), *len));
    let members = AddressSet::from_networks(networks);
    EventFilter { addresses: Some(Rule { policy, members }), ..EventFilter::default() }
}

fn by_state(policy: Policy, members: &[u8]) -> EventFilter {
    let members = members.iter().copied().collect();
    EventFilter { tcp_states: Some(Rule { policy, members }), ..EventFilter::default() }
}

#[test]
fn without_a_list_every_flow_is_wanted() {
    let filter = EventFilter::default();
    assert!(filter.wants_all() && filter.wants(&v4()) && filter.wants(&in_state(Some(200))));
    for policy in POLICIES {
        assert!(!by_protocol(policy, &[]).wants_all());
    }
}

#[test]
fn protocols_are_wanted_by_membership_and_policy() {
    for policy in POLICIES {
        let accepts = policy == Policy::Accept;
        let filter = by_protocol(policy, &[6, 200]);
        let wants = |protocol| {
            filter.wants(&flow(Protocol::from(protocol), ["10.0.0.1", "10.0.0.2", "10.0.0.2"]))
        };
        assert_eq!([6, 200, 17, 0].map(wants), [accepts, accepts, !accepts, !accepts]);
        assert_eq!(by_protocol(policy, &[]).wants(&v4()), !accepts);
    }
}

#[test]
fn either_source_makes_a_member_and_a_destination_does_not() {
    for policy in POLICIES {
        let accepts = policy == Policy::Accept;
        for (network, is_member) in [
            (("10.0.0.0", 8), true),
            (("172.16.0.1", 32), true),
            (("192.0.2.1", 32), false),
            (("203.0.113.0", 24), false),
        ] {
            assert_eq!(by_address(policy, &[network]).wants(&v4()), is_member == accepts);
        }
    }
}

#[test]
fn a_family_without_an_entry_has_no_members() {
    let v6 = flow(Protocol::Tcp, ["2001:db8::1", "2001:db8::2", "2001:db8::2"]);
    for (members, flow) in
        [(&[("0.0.0.0", 0)][..], &v6), (&[("::", 0)], &v4()), (&[], &v4()), (&[], &v6)]
    {
        assert!(!by_address(Policy::Accept, members).wants(flow), "{members:?}");
        assert!(by_address(Policy::Ignore, members).wants(flow), "{members:?}");
    }
    assert!(by_address(Policy::Accept, &[("::", 0)]).wants(&v6));
}

#[test]
fn only_a_tcp_state_is_compared() {
    let sctp = SctpInfo { state: Some(SctpState(3)), ..SctpInfo::default() };
    let others = [
        v4(),
        in_state(None),
        Flow { protoinfo: Some(ProtoInfo::Sctp(sctp)), ..v4() },
        Flow { protoinfo: Some(ProtoInfo::Dccp(DccpInfo::default())), ..v4() },
    ];
    for policy in POLICIES {
        let accepts = policy == Policy::Accept;
        let filter = by_state(policy, &[3, 1]);
        for (state, is_member) in [(3, true), (1, true), (0, false), (2, false), (77, false)] {
            assert_eq!(filter.wants(&in_state(Some(state))), is_member == accepts, "{state}");
        }
        for flow in &others {
            assert!(filter.wants(flow));
        }
    }
}

#[test]
fn the_end_of_a_flow_is_wanted_in_any_state() {
    for filter in [by_state(Policy::Accept, &[3]), by_state(Policy::Ignore, &[7])] {
        let ended = in_state(Some(7));
        assert!(!filter.wants(&ended));
        assert!(!filter.wants_event(EventKind::New, &ended));
        assert!(!filter.wants_event(EventKind::Update, &ended));
        assert!(filter.wants_event(EventKind::Destroy, &ended));
    }
    let other = by_protocol(Policy::Ignore, &[6]);
    assert!(!other.wants_event(EventKind::Destroy, &v4()), "the other lists count");
    let other = by_address(Policy::Ignore, &[("10.0.0.1", 32)]);
    assert!(!other.wants_event(EventKind::Destroy, &v4()), "the other lists count");
}

#[test]
fn all_lists_must_agree() {
    let protocols = by_protocol(Policy::Accept, &[6]).protocols;
    let addresses = by_address(Policy::Ignore, &[("192.0.2.0", 24)]).addresses;
    let tcp_states = by_state(Policy::Accept, &[3]).tcp_states;
    let all = EventFilter { protocols, addresses, tcp_states };
    assert!(all.wants(&in_state(Some(3))));
    let never = |policy| Some(Rule { policy, members: NumberSet::default() });
    let whole = Some(Rule {
        policy: Policy::Ignore,
        members: AddressSet::from_networks([([0, 0, 0, 0].into(), 0)]),
    });
    for part in [
        EventFilter { protocols: never(Policy::Accept), ..all.clone() },
        EventFilter { addresses: whole, ..all.clone() },
        EventFilter { tcp_states: never(Policy::Accept), ..all.clone() },
    ] {
        assert!(!part.wants(&in_state(Some(3))), "{part:?}");
    }
}
