use flow::{
    AddressPair, Direction, Flow, IcmpKey, L4Key, Labels, Mark, MaskedMark, PerDirection, Ports,
    Protocol, Status, Tuple, Zone,
};

use super::{NatSelection, Selection};
use crate::values::{NatFilter, Network, StatusList};

fn tuple(src: [u8; 4], dst: [u8; 4], ports: [u16; 2]) -> Tuple {
    let [src_port, dst_port] = ports;
    Tuple {
        addresses: AddressPair::V4 { src: src.into(), dst: dst.into() },
        protocol: Protocol::Tcp,
        key: L4Key::Ports(Ports { src: src_port, dst: dst_port }),
    }
}

fn plain() -> Flow {
    let original = tuple([10, 0, 0, 1], [10, 0, 0, 2], [1000, 80]);
    Flow::new(PerDirection { original, reply: original.inverted() })
}

/// 10.0.0.1:1000 is seen by the server as 192.0.2.1:5000.
fn source_translated() -> Flow {
    let mut flow = plain();
    flow.tuples.reply = tuple([10, 0, 0, 2], [192, 0, 2, 1], [80, 5000]);
    flow.status = Some(Status::SRC_NAT | Status::SRC_NAT_DONE | Status::DST_NAT_DONE);
    flow
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a condition")]
fn nat(address: Option<[u8; 4]>, port: Option<u16>) -> Option<NatFilter> {
    Some(NatFilter { address: address.map(Into::into), port })
}

fn selects(nat: NatSelection, flow: &Flow) -> bool {
    Selection { nat, ..Selection::default() }.matches(flow)
}

#[test]
fn source_translation_is_told_by_address_and_port() {
    let flow = source_translated();
    for (filter, expected) in [
        (nat(None, None), true),
        (nat(Some([192, 0, 2, 1]), None), true),
        (nat(Some([192, 0, 2, 1]), Some(5000)), true),
        (nat(Some([192, 0, 2, 1]), Some(5001)), false),
        (nat(Some([192, 0, 2, 2]), None), false),
    ] {
        let src = NatSelection { src: filter, ..NatSelection::default() };
        assert_eq!(selects(src, &flow), expected, "{filter:?}");
        let any = NatSelection { any: filter, ..NatSelection::default() };
        assert_eq!(selects(any, &flow), expected, "{filter:?}");
        let dst = NatSelection { dst: filter, ..NatSelection::default() };
        assert!(!selects(dst, &flow));
        assert!(!selects(src, &plain()));
    }
}

#[test]
fn both_translations_must_hold_when_both_are_asked_for() {
    let both = NatSelection { src: nat(None, None), dst: nat(None, None), any: None };
    let mut flow = source_translated();
    assert!(!selects(both, &flow));
    flow.tuples.reply = tuple([10, 0, 0, 9], [192, 0, 2, 1], [8080, 5000]);
    assert!(selects(both, &flow));
}

#[test]
fn an_ipv6_translation_is_compared_by_address() {
    let address = |last: u16| std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last);
    let mut flow = plain();
    flow.tuples.original.addresses = AddressPair::V6 { src: address(1), dst: address(2) };
    flow.tuples.reply.addresses = AddressPair::V6 { src: address(2), dst: address(3) };
    flow.status = Some(Status::SRC_NAT_DONE);
    for (wanted, expected) in [(3, true), (4, false)] {
        let filter = NatFilter { address: Some(address(wanted).into()), port: None };
        let src = NatSelection { src: Some(filter), ..NatSelection::default() };
        assert_eq!(selects(src, &flow), expected);
    }
}

#[test]
fn an_icmp_exchange_with_its_own_id_is_not_translated() {
    let key = |kind| L4Key::Icmp(IcmpKey { kind, code: 0, id: 7 });
    let mut flow = plain();
    flow.status = Some(Status::SRC_NAT_DONE | Status::DST_NAT_DONE);
    flow.tuples.original.key = key(8);
    flow.tuples.reply.key = key(0);
    let any = NatSelection { any: nat(None, None), ..NatSelection::default() };
    assert!(!selects(any, &flow));
}

#[test]
fn networks_take_the_place_of_the_address() {
    let network = |address: [u8; 4], mask: [u8; 4]| Network::new(address.into(), mask.into());
    let flow = plain();
    for (src, expected) in [
        (network([10, 0, 0, 0], [255, 255, 255, 0]), true),
        (network([10, 0, 1, 0], [255, 255, 255, 0]), false),
        (network([0, 0, 0, 0], [0, 0, 0, 0]), true),
    ] {
        let selection = Selection { networks: [src, None], ..Selection::default() };
        assert_eq!(selection.matches(&flow), expected);
    }
}

#[test]
fn absent_mark_and_zones_count_as_zero() {
    let mut flow = plain();
    let mark = |value| Some(MaskedMark { value: Mark(value), mask: u32::MAX });
    assert!(Selection { mark: mark(0), ..Selection::default() }.matches(&flow));
    assert!(!Selection { mark: mark(1), ..Selection::default() }.matches(&flow));
    flow.tuple_zones[Direction::Original] = Some(Zone(5));
    assert!(Selection { zone: Some(Zone(0)), ..Selection::default() }.matches(&flow));
    assert!(!Selection { zone: Some(Zone(5)), ..Selection::default() }.matches(&flow));
    let direction_zones = PerDirection { original: Some(Zone(5)), reply: Some(Zone(0)) };
    assert!(Selection { direction_zones, ..Selection::default() }.matches(&flow));
}

#[test]
fn status_bits_must_be_set_and_clear_and_both_go_to_the_kernel() {
    let list = StatusList { set: Status::SEEN_REPLY, clear: Status::ASSURED };
    let selection = Selection { status: Some(list), ..Selection::default() };
    let mut flow = plain();
    for (status, expected) in [
        (Status::SEEN_REPLY, true),
        (Status::SEEN_REPLY | Status::CONFIRMED, true),
        (Status::SEEN_REPLY | Status::ASSURED, false),
        (Status::empty(), false),
    ] {
        flow.status = Some(status);
        assert_eq!(selection.matches(&flow), expected, "{status:?}");
    }
    let filter = selection.kernel_filter().status.unwrap();
    assert_eq!(filter.value, Status::SEEN_REPLY);
    assert_eq!(filter.mask, Some(Status::SEEN_REPLY | Status::ASSURED));
    let unset = StatusList { set: Status::empty(), clear: Status::empty() };
    let selection = Selection { status: Some(unset), ..Selection::default() };
    assert_eq!(selection.kernel_filter().status, None);
}

#[test]
fn all_labels_must_be_set() {
    let mut flow = plain();
    flow.labels = Some(Labels::from_bits([1, 2]));
    let wanting = |bits: &[u32]| Selection { labels: Some(bits.to_vec()), ..Selection::default() };
    assert!(wanting(&[1]).matches(&flow));
    assert!(wanting(&[1, 2]).matches(&flow));
    assert!(!wanting(&[1, 3]).matches(&flow));
    assert!(!wanting(&[200]).matches(&flow), "a label that no flow can have");
    flow.labels = None;
    assert!(!wanting(&[1]).matches(&flow));
}
