use ctnetlink::wire::{MessageFlags, MessageHeader, MessageWriter, NetfilterHeader, Sequence};
use ctnetlink::{ExpectationRequest, encode_expectation, encode_flow};
use ctsync::Subject;
use flow::{
    AddressPair, EventKind, Expectation, Flow, FlowRead, L4Key, Mark, PerDirection, Ports,
    Protocol, Tuple,
};

use super::{EventCounters, hand_on};

fn tuple() -> Tuple {
    Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: 4000, dst: 53 }),
    }
}

fn message(
    kind: u16,
    flags: MessageFlags,
    content: impl FnOnce(&mut MessageWriter<'_>),
) -> Vec<u8> {
    let mut out = Vec::new();
    let header = MessageHeader { kind, flags, sequence: Sequence(0), port_id: 77 };
    let netfilter = NetfilterHeader { family: 2, ..NetfilterHeader::default() };
    let mut writer = MessageWriter::begin(&mut out, header, netfilter);
    content(&mut writer);
    writer.finish();
    out
}

fn flow() -> Flow {
    let tuples = PerDirection { original: tuple(), reply: tuple().inverted() };
    Flow { mark: Some(Mark(7)), ..Flow::new(tuples) }
}

fn expectation() -> Expectation {
    Expectation {
        tuple: tuple(),
        mask: tuple(),
        master: tuple(),
        nat: None,
        timeout_s: None,
        id: None,
        zone: None,
        flags: None,
        class: None,
        helper: None,
        function: None,
    }
}

const CREATE: MessageFlags = MessageFlags::CREATE.union(MessageFlags::EXCL);
const NONE: MessageFlags = MessageFlags::empty();

#[test]
fn kind_cause_and_content_are_handed_on() {
    let datagrams = [
        message(0x0100, CREATE, |out| encode_flow(out, &flow())),
        message(0x0100, NONE, |out| encode_flow(out, &flow())),
        message(0x0102, NONE, |out| encode_flow(out, &flow())),
        message(0x0202, NONE, |out| {
            encode_expectation(out, &ExpectationRequest::from(&expectation()));
        }),
    ];
    let mut counters = EventCounters::default();
    let mut found = Vec::new();
    for datagram in &datagrams {
        hand_on(datagram, &mut counters, &mut |event| {
            assert_eq!(event.port_id, 77);
            match event.subject {
                Subject::Flow(view) => assert_eq!(view.mark(), Some(Mark(7))),
                Subject::Expectation(owned) => assert_eq!(owned, &expectation()),
            }
            found.push(event.kind);
        });
    }
    assert_eq!(found, [EventKind::New, EventKind::Update, EventKind::Destroy, EventKind::Destroy]);
    assert_eq!(counters, EventCounters { received: 4, ..EventCounters::default() });
}

#[test]
fn what_is_unknown_or_malformed_is_counted() {
    let mut counters = EventCounters::default();
    for datagram in [
        message(0x0800, CREATE, |_| ()),
        message(0x0107, NONE, |_| ()),
        message(0x0100, CREATE, |_| ()),
        message(0x0200, CREATE, |out| out.be32(4, 1)),
        vec![1; 30],
    ] {
        hand_on(&datagram, &mut counters, &mut |event| panic!("{event:?}"));
    }
    let expected = EventCounters { unknown_type: 2, catch_failed: 3, ..EventCounters::default() };
    assert_eq!(counters, expected);
}
