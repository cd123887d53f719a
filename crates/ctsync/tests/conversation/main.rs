//! One side of a captured conversation is played to a node, which says what upstream's node said, at the same times.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test in all its parts")]

use std::fs;
use std::path::Path;

use ctsync::time::{Duration, Instant};
use ctsync::wire::{Carrier, Content, Control, DatagramLimit, Flags, Frames, Mode, Record, Stamp};
use ctsync::{Config, Event, LinkId, ModeConfig, Node, Origin, Output, Sequence, Subject};
use flow::EventKind;

struct Said {
    at: Instant,
    by_sender: bool,
    bytes: Vec<u8>,
}

/// The datagrams of a conversation; it begins two seconds after the zero of the clock.
fn conversation(name: &str) -> Vec<Said> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors/sync");
    let mut said = Vec::new();
    for number in 1.. {
        let file = folder.join(format!("{name}-{number:02}"));
        let Ok(json) = fs::read_to_string(file.with_extension("json")) else { break };
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let (_, time) = json["description"].as_str().unwrap().rsplit_once("t=").unwrap();
        let (seconds, _) = time.split_once("s:").unwrap();
        let ms: u32 = seconds.replace('.', "").parse().unwrap();
        let hex = fs::read_to_string(file.with_extension("hex")).unwrap();
        let digits: String = hex.split_whitespace().collect();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        said.push(Said {
            at: Instant(0).after(Duration::from_millis(2000 + ms)),
            by_sender: json["from"].as_str().unwrap().starts_with("192.0.2.1:"),
            bytes: (0..digits.len()).step_by(2).map(byte).collect(),
        });
    }
    said
}

fn drain(node: &mut Node) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    while let Some(output) = node.next_output() {
        if let Output::Send(bytes) = output {
            sent.push(bytes.to_vec());
        }
    }
    sent
}

#[test]
fn greeting_acknowledgements_and_resync_are_those_of_upstream() {
    let said = conversation("conv-ftfw-resync");
    assert_eq!(said.len(), 8);
    let first = Sequence(1_795_346_821);
    let mode = ModeConfig::Ftfw { ack_window: 300, resend_queue: 131_072 };
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    let mut node =
        Node::new(Instant(0).after(Duration::from_secs(1)), Config::new(mode, limit, first, 1));
    // The peer's first message is not in the capture, but acknowledged by the first one that is.
    let mut hello = Vec::new();
    Control::Alive.encode(Stamp { greeting: Flags::HELLO, sequence: first }, &mut hello);
    node.on_datagram(Instant(0).after(Duration::from_millis(1500)), LinkId(0), &hello);
    assert!(drain(&mut node).is_empty());

    for Said { by_sender, bytes, .. } in &said {
        let message = Frames::new(bytes).next().unwrap().unwrap().message().unwrap();
        if let Ok(Content::Flow(_, body)) = message.content(Mode::Ftfw)
            && *by_sender
        {
            let flow = Record::decode(body).unwrap().to_flow();
            let subject = Subject::Flow(&flow);
            let event = Event { kind: EventKind::New, origin: Origin::Own, subject };
            node.on_event(Instant(0).after(Duration::from_millis(1600)), &event);
        }
    }
    let mut sent = Vec::new();
    for Said { at, by_sender, bytes } in &said {
        // Upstream's timers are late by a millisecond or so.
        let slack = Duration::from_millis(2);
        while let Some(due) = node.next_deadline().filter(|due| due.after(slack) < *at) {
            node.on_deadline(due);
            sent.append(&mut drain(&mut node));
        }
        if *by_sender && node.next_deadline().is_some_and(|due| due <= *at) {
            node.on_deadline(*at);
        } else if !by_sender {
            node.on_datagram(*at, LinkId(0), bytes);
        }
        sent.append(&mut drain(&mut node));
    }
    let expected: Vec<_> = said.iter().filter(|s| s.by_sender).map(|s| s.bytes.clone()).collect();
    assert_eq!(sent, expected);
}
