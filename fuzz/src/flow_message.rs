//! One flow: the body of a message, its values, its text, and back to bytes.

use ctnetlink::wire::{
    MessageFlags, MessageHeader, MessageWriter, Messages, NetfilterHeader, Sequence,
};
use ctnetlink::{FlowView, encode_flow};
use flow::text::{CivilTime, plain};
use flow::{EventKind, Flow, FlowRead, LabelMap};

/// Reads the bytes as the body of a flow message.
///
/// What can be read renders, and a copy of it that is written and read again is the same flow with the same text.
///
/// # Panics
///
/// If that does not hold.
pub fn flow_message(body: &[u8]) {
    let view = match FlowView::parse(body) {
        Ok(view) => view,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let flow = view.to_flow();
    let text = line(&view);
    assert_eq!(line(&flow), text);
    let written = datagram(&flow);
    let mut messages = Messages::new(&written);
    let message = messages.next().expect("one message was written").expect("its length is right");
    assert!(messages.next().is_none());
    let again = FlowView::parse(message.body).expect("what we write we can read");
    assert_eq!(again.to_flow(), flow);
    assert_eq!(line(&again), text);
}

fn datagram(flow: &Flow) -> Vec<u8> {
    let header = MessageHeader {
        kind: 0x0100,
        flags: MessageFlags::empty(),
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

fn line(flow: &impl FlowRead) -> Vec<u8> {
    // No calendar is needed here, only that every field can have every value.
    let local = |seconds: u64| {
        let [year_high, year_low, month, day, hour, minute, second, weekday] =
            seconds.to_ne_bytes();
        CivilTime {
            year: i16::from_ne_bytes([year_high, year_low]),
            month,
            day,
            hour,
            minute,
            second,
            weekday,
        }
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
