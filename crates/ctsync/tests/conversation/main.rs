//! One side of a captured conversation is played to a node, which says what upstream's node said, at the same times, or,
//! where we do more than upstream, has the same effect.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test in all its parts")]

use std::fs;
use std::path::Path;

use ctsync::time::{Duration, Instant};
use ctsync::wire::{Carrier, Content, Control, DatagramLimit, Flags, Frames, Mode, Record, Stamp};
use ctsync::{
    CacheName, Config, Event, LinkId, ModeConfig, Node, Notice, Origin, Output, Sequence,
    SequenceRange, Subject,
};
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

fn ms(milliseconds: u32) -> Instant {
    Instant(0).after(Duration::from_millis(milliseconds))
}

fn node_of(start: Instant, mode: ModeConfig, sequence: u32) -> Node {
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    Node::new(start, Config::new(mode, limit, Sequence(sequence), 1))
}

const FTFW: ModeConfig = ModeConfig::Ftfw { ack_window: 300, resend_queue: 131_072 };

/// Number of a message, and what it is.
fn messages(bytes: &[u8], mode: Mode) -> Vec<(u32, Content<'_>)> {
    Frames::new(bytes)
        .map(|frame| {
            let message = frame.unwrap().message().unwrap();
            (message.sequence.0, message.content(mode).unwrap())
        })
        .collect()
}

/// Handles what is due before this moment. Upstream's timers are late by a millisecond or so.
fn pass(node: &mut Node, at: Instant, sent: &mut Vec<Vec<u8>>) {
    let slack = Duration::from_millis(2);
    while let Some(due) = node.next_deadline().filter(|due| due.after(slack) < at) {
        node.on_deadline(due);
        sent.append(&mut drain(node));
    }
}

fn event(node: &mut Node, at: Instant, kind: EventKind, body: &[u8]) {
    let flow = Record::decode(body).unwrap().to_flow();
    let subject = Subject::Flow(&flow);
    node.on_event(at, &Event { kind, origin: Origin::Others, subject });
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

#[test]
fn a_receiver_asks_for_what_was_lost_and_gets_it() {
    let said = conversation("conv-ftfw-loss");
    assert_eq!(said.len(), 26);
    let lost = |number: u32| matches!(number, 313 | 315..=317 | 319..=322);
    let mut node = node_of(ms(1000), FTFW, 1_795_346_312);
    let mut sent = Vec::new();
    let (mut asked, mut acknowledged) = (Vec::new(), Vec::new());
    for Said { at, by_sender, bytes } in &said {
        pass(&mut node, *at, &mut sent);
        let all_lost =
            messages(bytes, Mode::Ftfw).iter().all(|(number, _)| lost(number - 1_795_346_000));
        if *by_sender && !all_lost {
            node.on_datagram(*at, LinkId(0), bytes);
            sent.append(&mut drain(&mut node));
        }
    }
    pass(&mut node, ms(13_000), &mut sent);
    for bytes in &sent {
        for (_, content) in messages(bytes, Mode::Ftfw) {
            match content {
                Content::Control(Control::Missed(range)) => asked.push(range),
                Content::Control(Control::Received(range)) => acknowledged.push(range),
                _ => {}
            }
        }
    }
    // The peer of the capture acknowledges other numbers than ours, so the last one is said again.
    asked.dedup();
    let number = |number: u32| Sequence(1_795_346_000 + number);
    let range = |from, to| SequenceRange::new(number(from), number(to)).unwrap();
    assert_eq!(asked, [range(313, 313), range(315, 317), range(319, 322)]);
    // What did come, and only that, is acknowledged; the last ones a moment later.
    for last in 312..=330 {
        let said = acknowledged.iter().any(|range| range.contains(number(last)));
        assert_eq!(said, !lost(last), "{last}");
    }
    assert_eq!(node.flow_figures(CacheName::External).active, 4);
    assert_eq!(node.statistics().lost, 3 + 5 + 6);
}

#[test]
fn a_sender_sends_again_what_the_receiver_asks_for() {
    let said = conversation("conv-ftfw-loss");
    let mut node = node_of(ms(0), FTFW, 1_795_346_311);
    // They greet each other before the capture begins.
    node.on_deadline(ms(1000));
    drain(&mut node);
    let mut hello_back = Vec::new();
    let stamp = Stamp { greeting: Flags::HELLO_BACK, sequence: Sequence(1_795_346_311) };
    Control::Alive.encode(stamp, &mut hello_back);
    node.on_datagram(ms(1001), LinkId(0), &hello_back);
    let mut sent = Vec::new();
    // Up to here: later our acknowledgements come earlier.
    let said = &said[..10];
    for Said { at, by_sender, bytes } in said {
        pass(&mut node, *at, &mut sent);
        match messages(bytes, Mode::Ftfw)[..] {
            // New flows; 315 is 313 again.
            [(1_795_346_313 | 1_795_346_316 | 1_795_346_317, Content::Flow(kind, body))] => {
                event(&mut node, *at, kind, body);
            }
            _ if *by_sender => node.on_deadline(*at),
            _ => node.on_datagram(*at, LinkId(0), bytes),
        }
        sent.append(&mut drain(&mut node));
    }
    let expected: Vec<_> = said.iter().filter(|s| s.by_sender).map(|s| s.bytes.clone()).collect();
    // The first one acknowledges the greeting too.
    assert_eq!(sent[1..], expected[1..]);
}

#[test]
fn a_node_that_starts_again_says_what_upstream_says() {
    let said = conversation("conv-ftfw-restart");
    assert_eq!(said.len(), 10);
    // The node of 192.0.2.2 is started again a second before its first message.
    let first = said.iter().find(|said| !said.by_sender).unwrap().at;
    let start = Instant(first.0 - 1_000_000_000);
    let mut node = node_of(start, FTFW, 1_795_346_326);
    let mut sent = Vec::new();
    for Said { at, by_sender, bytes } in said.iter().filter(|said| said.at >= start) {
        pass(&mut node, *at, &mut sent);
        if *by_sender {
            node.on_datagram(*at, LinkId(0), bytes);
        } else {
            node.on_deadline(*at);
        }
        sent.append(&mut drain(&mut node));
    }
    let expected: Vec<_> = said.iter().filter(|s| !s.by_sender).map(|s| s.bytes.clone()).collect();
    assert_eq!(sent, expected);
}

#[test]
fn a_peer_that_starts_again_is_greeted_and_keeps_its_flows_here() {
    let said = conversation("conv-ftfw-restart");
    let mut node = node_of(ms(1000), FTFW, 1_795_346_334);
    // Its former life: a flow, and a number far ahead.
    let flow = said.iter().find_map(|said| match messages(&said.bytes, Mode::Ftfw)[..] {
        [(_, Content::Flow(_, body))] => Some(Record::decode(body).unwrap()),
        _ => None,
    });
    let mut bytes = Vec::new();
    let stamp = Stamp { greeting: Flags::HELLO, sequence: Sequence(1_795_300_000) };
    flow.unwrap().encode(EventKind::New, stamp, &mut bytes);
    node.on_datagram(ms(1100), LinkId(0), &bytes);
    let (mut started, mut answered) = (0, Vec::new());
    for Said { at, by_sender, bytes } in &said {
        let mut take = |node: &mut Node| {
            while let Some(output) = node.next_output() {
                match output {
                    Output::Notice(Notice::PeerStarted) => started += 1,
                    Output::Send(bytes) => {
                        for frame in Frames::new(bytes) {
                            let message = frame.unwrap().message().unwrap();
                            if message.flags.contains(Flags::HELLO_BACK) {
                                answered.push(message.content(Mode::Ftfw).is_ok());
                            }
                        }
                    }
                    _ => {}
                }
            }
        };
        while let Some(due) = node.next_deadline().filter(|due| due <= at) {
            node.on_deadline(due);
            take(&mut node);
        }
        if !by_sender {
            node.on_datagram(*at, LinkId(0), bytes);
            take(&mut node);
        }
    }
    assert_eq!(started, 2, "the greeting before, and the start");
    // Two HELLO after the start, and the one before.
    assert_eq!(answered.len(), 3);
    assert_eq!(node.flow_figures(CacheName::External).active, 1);
}

#[test]
fn alarm_repeats_with_the_bytes_of_upstream_and_forgets_after_the_last() {
    let said = conversation("conv-alarm-mcast");
    assert_eq!(said.len(), 6);
    let mode = ModeConfig::Alarm { refresh_s: 2, cache_timeout_s: 8 };
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    let mut config = Config::new(mode, limit, Sequence(1), 1);
    config.commit_timeout_s = Some(180);
    let start = said[0].at;
    let [mut sender, mut receiver] = [0, 1].map(|_| Node::new(start, config.clone()));
    let mut captured = std::collections::BTreeSet::new();
    for Said { at, bytes, .. } in &said {
        receiver.on_datagram(*at, LinkId(0), bytes);
        for (_, content) in messages(bytes, Mode::Alarm) {
            let Content::Flow(kind, body) = content else { panic!() };
            let ended = kind == EventKind::Destroy;
            captured.insert((kind == EventKind::New, ended, body.to_vec()));
        }
    }
    drain(&mut receiver);
    // The flow that ended is gone, the others go when nothing is heard of them.
    let last = said[5].at;
    let flows = receiver.flow_figures(CacheName::External);
    assert_eq!(flows.counters.destroyed - (flows.counters.created - 3), 1, "{flows:?}");
    receiver.on_deadline(last.after(Duration::from_secs(8)));
    assert_eq!(receiver.flow_figures(CacheName::External).objects, 0);
    // The same flows in our kernel are told with the same bytes, again and again.
    for (is_new, ended, body) in &captured {
        if !ended {
            event(&mut sender, start, EventKind::New, body);
        }
        if !is_new && !ended {
            event(&mut sender, start, EventKind::Update, body);
        }
    }
    let mut repeated = 0;
    drain(&mut sender);
    while let Some(due) = sender.next_deadline().filter(|due| *due < ms(60_000)) {
        sender.on_deadline(due);
        for bytes in drain(&mut sender) {
            for (_, content) in messages(&bytes, Mode::Alarm) {
                let Content::Flow(kind, body) = content else { panic!() };
                assert!(captured.contains(&(kind == EventKind::New, false, body.to_vec())));
                repeated += 1;
            }
        }
    }
    assert!(repeated > 10, "{repeated}");
}
