//! What must hold for every flow, every request and every sequence of bytes.
//!
//! A failure writes its seed to `regressions` beside this file; the next run begins with it.
//! `PROPTEST_CASES` sets the number of cases.

#[cfg(test)]
mod filter;
#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod strategies;

use ctnetlink::wire::{
    MessageFlags, MessageHeader, MessageWriter, Messages, NetfilterHeader, RawMessage, Refusal,
    Sequence,
};
use ctnetlink::{
    CpuStatistics, CreateMode, ExpectationAttributes, ExpectationStatistics, FlowAttributes,
    FlowRequest, FlowView, HelperAttributes, Request, TableStatistics, TimeoutPolicyAttributes,
    encode_flow,
};
use flow::text::{CivilTime, plain};
use flow::{Direction, EventKind, Flow, FlowRead, LabelMap, PartialTuple, PerDirection};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;

/// A datagram of one event message about this flow.
fn datagram(flow: &Flow) -> Vec<u8> {
    let header = MessageHeader {
        kind: 0x0100,
        flags: MessageFlags::CREATE | MessageFlags::EXCL,
        sequence: Sequence(0),
        port_id: 0,
    };
    let netfilter = NetfilterHeader {
        family: flow.tuples.original.addresses.family().number(),
        ..NetfilterHeader::default()
    };
    let mut out = Vec::new();
    let mut message = MessageWriter::begin(&mut out, header, netfilter);
    encode_flow(&mut message, flow);
    message.finish();
    out
}

/// The body of the only message.
fn body(datagram: &[u8]) -> &[u8] {
    let mut messages = Messages::new(datagram);
    match (messages.next(), messages.next()) {
        (Some(Ok(message)), None) => message.body,
        other => panic!("not one message: {other:?}"),
    }
}

/// What the attributes of a message say, as the request that they come from.
fn request_of(attributes: &FlowAttributes<'_>) -> FlowRequest {
    FlowRequest {
        family: attributes.family(),
        tuples: PerDirection::from_fn(|d| attributes.partial_tuple(d).unwrap_or_default()),
        tuple_zones: PerDirection::from_fn(|d| attributes.tuple_zone(d)),
        zone: attributes.zone(),
        status: attributes.status(),
        timeout_s: attributes.timeout_s(),
        mark: attributes.mark(),
        mark_mask: attributes.mark_mask(),
        protoinfo: attributes.protoinfo(),
        helper: attributes.helper().and_then(|name| name.try_into().ok()),
        master: attributes.partial_master(),
        nat_src: attributes.nat_src(),
        nat_dst: attributes.nat_dst(),
        labels: attributes.labels(),
        labels_mask: attributes.labels_mask(),
        sequence_adjustment: PerDirection::from_fn(|d| attributes.sequence_adjustment(d)),
        synproxy: attributes.synproxy(),
        id: attributes.id(),
    }
}

/// Reads a message as each subsystem would, and uses what can be read. Nothing may panic.
fn read_in_every_way(message: &RawMessage<'_>) {
    let _ = Refusal::parse(message).map(|refusal| (refusal.error(), refusal.echoed().is_some()));
    let _ = CpuStatistics::parse(message).map(|statistics| statistics.counters().count());
    let _ = ExpectationStatistics::parse(message).map(|statistics| statistics.counters().count());
    let _ = TableStatistics::parse(message.body);
    let _ = TimeoutPolicyAttributes::parse(message.body).map(|policy| {
        let values = (policy.name(), policy.layer3(), policy.protocol(), policy.use_count());
        (values.1, policy.timeouts_s().count())
    });
    let _ = HelperAttributes::parse(message.body).map(|helper| {
        let values = (helper.name(), helper.layer3(), helper.protocol(), helper.queue());
        (values.1, helper.private_data_len(), helper.status(), helper.policies().count())
    });
    let _ = ExpectationAttributes::parse(message.body).map(|it| it.to_expectation());
    if let Ok(attributes) = FlowAttributes::parse(message.body) {
        let _ = request_of(&attributes);
        let _ = (attributes.filter_flags(), attributes.status_mask(), attributes.secctx());
    }
    match FlowView::parse(message.body) {
        Ok(view) => use_view(&view),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A view must render, be copied, and come back from what is written of the copy.
fn use_view(view: &FlowView<'_>) {
    let flow = view.to_flow();
    let line = line(view);
    assert!(!line.contains(&b'\n') || view.helper().is_some() || view.secctx().is_some());
    let written = datagram(&flow);
    match FlowView::parse(body(&written)) {
        Ok(again) => assert_eq!((again.to_flow(), self::line(&again)), (flow, line)),
        Err(error) => panic!("{error}: {flow:?}"),
    }
}

fn line(flow: &impl FlowRead) -> Vec<u8> {
    let local = |seconds: u64| CivilTime {
        year: 2026,
        month: u8::try_from(seconds % 16).unwrap_or_default(),
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        weekday: 0,
    };
    let labels = LabelMap::parse(b"0 zero\n33 thirty-three\n127 last\n");
    let format = plain::Format {
        layer3: true,
        id: true,
        times: Some(&local),
        labels: Some(&labels),
        now_s: &|| 1_700_000_000,
    };
    let mut out = Vec::new();
    plain::write_event_kind(&mut out, EventKind::New);
    plain::write_flow(&mut out, flow, &format);
    out
}

/// Changes of a message: bytes replaced, and perhaps an end cut off.
fn changes() -> impl Strategy<Value = (Vec<(Index, u8)>, Option<Index>)> {
    let bytes = vec(any::<(Index, u8)>(), 1..8);
    (bytes, proptest::option::of(any::<Index>()))
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_encoded_flow_comes_back(flow in strategies::flow()) {
        let datagram = datagram(&flow);
        let view = FlowView::parse(body(&datagram)).unwrap();
        prop_assert_eq!(view.to_flow(), flow.clone());
        prop_assert_eq!(line(&view), line(&flow));
    }

    #[test]
    fn an_encoded_request_comes_back(request in strategies::request(), sequence in any::<u32>()) {
        let mut datagram = Vec::new();
        let typed = Request::PutFlow(&request, CreateMode::CreateOnly);
        typed.encode(Sequence(sequence), &mut datagram);
        let attributes = FlowAttributes::parse(body(&datagram)).unwrap();
        prop_assert_eq!(request_of(&attributes), request.clone());
        for direction in Direction::BOTH {
            let sent = request.tuples[direction] != PartialTuple::default()
                || request.tuple_zones[direction].is_some();
            prop_assert_eq!(attributes.partial_tuple(direction).is_some(), sent);
        }
    }

    #[test]
    fn a_damaged_message_does_not_panic(flow in strategies::flow(), (bytes, cut) in changes()) {
        let mut datagram = datagram(&flow);
        for (index, value) in bytes {
            *index.get_mut(&mut datagram) = value;
        }
        if let Some(cut) = cut {
            // As a shorter message, not as a truncated datagram: its length must fit to be read at all.
            let len = 16 + cut.index(datagram.len() - 16);
            datagram.truncate(len);
            datagram[..4].copy_from_slice(&u32::try_from(len).unwrap().to_ne_bytes());
        }
        for message in Messages::new(&datagram).map_while(Result::ok) {
            read_in_every_way(&message);
        }
    }

    #[test]
    fn attributes_of_chance_do_not_panic(
        attributes in vec((0u16..32, any::<bool>(), vec(any::<u8>(), 0..24)), 0..12),
    ) {
        let mut bytes = vec![0; 20];
        for (kind, nested, payload) in attributes {
            let kind = if nested { kind | 0x8000 } else { kind };
            bytes.extend_from_slice(&u16::try_from(payload.len() + 4).unwrap().to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&payload);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        let len = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        for message in Messages::new(&bytes) {
            read_in_every_way(&message.unwrap());
        }
    }

    #[test]
    fn bytes_of_chance_do_not_panic(bytes in vec(any::<u8>(), 0..200)) {
        for message in Messages::new(&bytes).map_while(Result::ok) {
            read_in_every_way(&message);
        }
    }

    #[test]
    fn a_truncated_datagram_is_reported(flow in strategies::flow()) {
        let datagram = datagram(&flow);
        for len in 1..datagram.len() {
            let found: Vec<_> = Messages::new(&datagram[..len]).collect();
            prop_assert!(matches!(found[..], [Err(_)]), "cut to {} bytes: {:?}", len, found);
        }
    }
}
