use flow::{
    AddressPair, EventKind, Expectation, ExpectationFlags, Flow, L4Key, PerDirection, Ports,
    Protocol, Status, Tuple,
};

use super::{
    CacheName, Config, Event, ExternalCache, InternalCache, KernelRequest, LinkId, ModeConfig,
    Node, Notice, Origin, Output, Request, Subject, Which,
};
use crate::Sequence;
use crate::time::{Duration, Instant};
use crate::wire::{Carrier, Content, Control, DatagramLimit, Frames, Mode, Record, Stamp};

mod bypass;
mod dump;
mod reading;
mod requests;

const FTFW: ModeConfig = ModeConfig::Ftfw { ack_window: 300, resend_queue: 100 };
const NOTRACK: ModeConfig = ModeConfig::Notrack { internal: InternalCache::Kept };
const NOTRACK_BYPASSED: ModeConfig = ModeConfig::Notrack { internal: InternalCache::Bypassed };

fn node(change: impl Fn(&mut Config)) -> Node {
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    let mut config = Config::new(FTFW, limit, Sequence(7), 1);
    change(&mut config);
    Node::new(Instant(0), config)
}

fn tuple(port: u16) -> Tuple {
    Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: port, dst: 53 }),
    }
}

/// A UDP flow of the own kernel.
fn flow(port: u16) -> Flow {
    let original = tuple(port);
    Flow {
        status: Some(Status::CONFIRMED),
        timeout_s: Some(30),
        ..Flow::new(PerDirection { original, reply: original.inverted() })
    }
}

/// Of the flow with this port.
fn expectation(port: u16) -> Expectation {
    Expectation {
        tuple: tuple(5000),
        mask: tuple(u16::MAX),
        master: tuple(port),
        nat: None,
        timeout_s: Some(300),
        id: None,
        zone: None,
        flags: Some(ExpectationFlags::empty()),
        class: Some(0),
        helper: None,
        function: None,
    }
}

fn event_of(kind: EventKind, flow: &Flow) -> Event<'_> {
    Event { kind, origin: Origin::Others, subject: Subject::Flow(flow) }
}

fn event(node: &mut Node, kind: EventKind, flow: &Flow) {
    node.on_event(Instant(0), &event_of(kind, flow));
}

/// The messages that are sent now: what each reports, nothing if it is a control message.
fn sent(node: &mut Node) -> Vec<Option<EventKind>> {
    let mut found = Vec::new();
    while let Some(output) = node.next_output() {
        if let Output::Send(bytes) = output {
            for frame in Frames::new(bytes) {
                found.push(match frame.unwrap().message().unwrap().content(Mode::Ftfw).unwrap() {
                    Content::Flow(event, _) | Content::Expectation(event, _) => Some(event),
                    Content::Control(_) | Content::Ignored => None,
                });
            }
        }
    }
    found
}

fn message(port: u16, sequence: u32, event: EventKind, master: bool) -> Vec<u8> {
    let mut record = Record::new(tuple(port));
    record.timeout_s = Some(30);
    record.master = master.then(|| tuple(1));
    let mut bytes = Vec::new();
    record.encode(event, Stamp::plain(Sequence(sequence)), &mut bytes);
    bytes
}

fn counts(node: &Node) -> [usize; 2] {
    [CacheName::Internal, CacheName::External].map(|name| node.flow_figures(name).active)
}

fn outputs(node: &mut Node) -> (Vec<KernelRequest>, Vec<Notice>) {
    let (mut requests, mut notices) = (Vec::new(), Vec::new());
    while let Some(output) = node.next_output() {
        match output {
            Output::Kernel(request) => requests.push(request),
            Output::Notice(notice) => notices.push(notice),
            Output::Send(_) | Output::UseLink(_) => {}
        }
    }
    (requests, notices)
}

#[test]
fn a_commit_hands_out_masters_first_and_what_is_left_of_their_time() {
    let mut node = node(|_| {});
    node.on_datagram(Instant(0), LinkId(0), &message(2, 1, EventKind::New, true));
    node.on_datagram(Instant(0), LinkId(0), &message(1, 2, EventKind::New, false));
    outputs(&mut node);
    node.on_request(Instant(0).after(Duration::from_secs(10)), Request::Commit(Which::All));
    let (requests, notices) = outputs(&mut node);
    let committed: Vec<_> = requests
        .iter()
        .map(|request| match request {
            KernelRequest::Commit(restored) => {
                (restored.flow.master.is_some(), restored.flow.timeout_s)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(committed, [(false, Some(20)), (true, Some(20))]);
    let finished = [Notice::FlowsCommitted, Notice::CommitFinished(Which::All)];
    assert_eq!((notices[0], &notices[1..]), (Notice::CommitStarted(Which::All), &finished[..]));
    // The commit is over: nothing keeps a flush back.
    node.on_request(Instant(0), Request::FlushExternal);
    assert_eq!(outputs(&mut node).1, [Notice::FlushingExternal]);
    assert_eq!(counts(&node), [0, 0]);
}

#[test]
fn without_external_cache_messages_become_requests() {
    let mut node = node(|config| config.external = ExternalCache::Injected);
    for (sequence, event) in [(1, EventKind::New), (2, EventKind::Destroy)] {
        node.on_datagram(Instant(0), LinkId(0), &message(1, sequence, event, false));
    }
    let (requests, _) = outputs(&mut node);
    let events: Vec<_> = requests.iter().map(|r| matches!(r, KernelRequest::Inject(..))).collect();
    assert_eq!(events, [true, true]);
    assert_eq!(counts(&node), [0, 0]);
}

#[test]
fn a_full_cache_refuses_and_counts() {
    let mut node = node(|config| config.hash_limit = 2);
    for port in 1..5 {
        let bytes = message(port, u32::from(port), EventKind::New, false);
        node.on_datagram(Instant(0), LinkId(0), &bytes);
    }
    let external = node.flow_figures(CacheName::External).counters;
    assert_eq!((external.created, external.create_failed, external.no_space), (2, 2, 2));
}

#[test]
fn one_far_number_does_not_silence_the_peer() {
    let mut node = node(|_| {});
    let alive = |sequence: u32| {
        let mut bytes = Vec::new();
        Control::Alive.encode(Stamp::plain(Sequence(sequence)), &mut bytes);
        bytes
    };
    node.on_datagram(Instant(0), LinkId(0), &alive(10));
    node.on_datagram(Instant(0), LinkId(0), &alive(1_000_000));
    let mut now = Instant(0);
    for number in 11..16 {
        now = now.after(Duration::from_secs(1));
        let port = u16::try_from(number).unwrap();
        node.on_datagram(now, LinkId(0), &message(port, number, EventKind::New, false));
        outputs(&mut node);
    }
    assert_eq!(counts(&node), [0, 3], "from the third second on");
}

#[test]
fn a_datagram_that_cannot_hold_a_message_is_a_notice_and_not_a_loop() {
    let mut node = node(|config| config.limit = DatagramLimit::of(40, Carrier::UdpIpv4));
    node.on_request(Instant(0), Request::Resync);
    let (_, notices) = outputs(&mut node);
    assert!(
        matches!(notices[..], [Notice::ResyncRequested, Notice::TooLong { count: 1, .. }]),
        "{notices:?}"
    );
}

#[test]
fn damaged_datagrams_do_no_harm_in_any_mode() {
    let alarm = ModeConfig::Alarm { refresh_s: 60, cache_timeout_s: 180 };
    for mode in [FTFW, NOTRACK, alarm] {
        let mut node = node(|config| config.mode = mode);
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            for (left, by) in [(true, 13), (false, 7), (true, 17)] {
                random ^= if left { random << by } else { random >> by };
            }
            usize::try_from(random >> 33).unwrap()
        };
        let mut now = Instant(0);
        for round in 0..20_000_u32 {
            let mut bytes =
                message(u16::try_from(next() % 50).unwrap(), round, EventKind::New, false);
            Control::Alive.encode(Stamp::plain(Sequence(round)), &mut bytes);
            for _ in 0..next() % 4 {
                let at = next() % bytes.len();
                bytes[at] = u8::try_from(next() % 256).unwrap();
            }
            now = now.after(Duration::from_millis(20));
            node.on_datagram(now, LinkId(0), &bytes);
            if node.next_deadline().is_some_and(|due| due <= now) {
                node.on_deadline(now);
            }
            outputs(&mut node);
        }
        let statistics = node.statistics();
        assert!(statistics.malformed > 0 && statistics.received_messages > 0);
        assert!(statistics.resend_len <= 100);
    }
}
