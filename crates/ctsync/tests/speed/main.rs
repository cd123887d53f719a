//! What a flow costs in time: `cargo test --release -p ctsync --test speed -- --ignored --nocapture`.
//!
//! Prints nanoseconds a flow, the best of several rounds over 20,000 flows, and says no more than that each is far below a
//! microsecond on a machine of our time.

#![expect(clippy::unwrap_used, reason = "a measurement is all test")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::time::Instant as Clock;

use ctsync::time::{Duration, Instant};
use ctsync::wire::{Carrier, DatagramLimit};
use ctsync::{
    CacheCursor, CacheName, Config, Event, InternalCache, LinkId, ModeConfig, Node, Origin, Output,
    Request, Sequence, Subject, Which,
};
use flow::{
    AddressPair, EventKind, Flow, FlowId, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol,
    Status, TcpInfo, TcpState, Tuple,
};

const FLOWS: u32 = 20_000;
const ROUNDS: u32 = 15;
/// Events a turn.
const BATCH: usize = 100;

fn flow(number: u32, mark: u32) -> Flow {
    let [_, a, b, c] = number.to_be_bytes();
    let original = Tuple {
        addresses: AddressPair::V4 { src: [10, a, b, c].into(), dst: [192, 0, 2, 1].into() },
        protocol: Protocol::Tcp,
        key: L4Key::Ports(Ports { src: 40000, dst: 443 }),
    };
    let state = Some(TcpState::ESTABLISHED);
    Flow {
        id: Some(FlowId(number)),
        mark: Some(Mark(mark)),
        status: Some(Status::CONFIRMED | Status::ASSURED | Status::SEEN_REPLY),
        timeout_s: Some(432_000),
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo { state, ..TcpInfo::default() })),
        ..Flow::new(PerDirection { original, reply: original.inverted() })
    }
}

/// Best time of each step, in nanoseconds a flow.
#[derive(Default)]
struct Best(Vec<(String, u64)>);

impl Best {
    fn time<T>(&mut self, name: &str, step: impl FnOnce() -> T) -> T {
        let start = Clock::now();
        let value = step();
        let took = u64::try_from(start.elapsed().as_nanos()).unwrap() / u64::from(FLOWS);
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, best)) => *best = took.min(*best),
            None => self.0.push((name.to_owned(), took)),
        }
        value
    }
}

fn drain(node: &mut Node, datagrams: &mut Vec<Vec<u8>>) {
    while let Some(output) = node.next_output() {
        if let Output::Send(bytes) = output {
            datagrams.push(bytes.to_vec());
        }
    }
}

fn measure(best: &mut Best, name: &str, mode: ModeConfig) {
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    let [mut sender, mut receiver] =
        [1, 2].map(|seed| Node::new(Instant(0), Config::new(mode, limit, Sequence(1), seed)));
    let mut now = Instant(0);
    for round in 0..ROUNDS {
        let flows: Vec<Flow> = (0..FLOWS).map(|number| flow(number, round + 1)).collect();
        for kind in [EventKind::New, EventKind::Update, EventKind::Destroy] {
            now = now.after(Duration::from_millis(1));
            let mut datagrams = Vec::with_capacity(2000);
            best.time(&format!("{name}: {kind:?} event and its datagram"), || {
                for batch in flows.chunks(BATCH) {
                    for flow in batch {
                        let subject = Subject::Flow(flow);
                        sender.on_event(now, &Event { kind, origin: Origin::Others, subject });
                    }
                    drain(&mut sender, &mut datagrams);
                }
            });
            let mut answers = Vec::new();
            best.time(&format!("{name}: {kind:?} message received"), || {
                for datagram in &datagrams {
                    receiver.on_datagram(now, LinkId(0), datagram);
                }
            });
            drain(&mut receiver, &mut answers);
            now = now.after(Duration::from_secs(2));
            receiver.on_deadline(now);
            drain(&mut receiver, &mut answers);
            best.time(&format!("{name}: {kind:?} acknowledged"), || {
                for answer in &answers {
                    sender.on_datagram(now, LinkId(0), answer);
                }
            });
            assert_eq!(receiver.statistics().malformed + sender.statistics().malformed, 0);
            if kind == EventKind::Update {
                copies(best, name, &mut sender, &mut receiver, &flows);
            }
        }
        assert_eq!(receiver.flow_figures(CacheName::External).active, 0);
        for flow in &flows {
            let subject = Subject::Flow(flow);
            sender.on_event(now, &Event { kind: EventKind::New, origin: Origin::Own, subject });
        }
        best.time(&format!("{name}: flush"), || sender.on_request(now, Request::Flush));
        while sender.next_output().is_some() {}
    }
}

/// What goes over whole caches.
fn copies(best: &mut Best, name: &str, sender: &mut Node, receiver: &mut Node, flows: &[Flow]) {
    let now = Instant(0);
    best.time(&format!("{name}: dump, unchanged"), || {
        sender.on_request(now, Request::DumpBegins(Which::Flows));
        for flow in flows {
            sender.on_dumped_flow(now, flow, Origin::Others);
        }
        sender.on_request(now, Request::DumpEnds(Origin::Others));
    });
    best.time(&format!("{name}: read for a dump"), || {
        let mut cursor = CacheCursor::START;
        while let Some((next, flow)) = sender.flow_after(CacheName::Internal, cursor) {
            cursor = std::hint::black_box((next, flow)).0;
        }
    });
    let committed = best.time(&format!("{name}: commit, both passes"), || {
        receiver.on_request(now, Request::Commit(Which::Flows));
        let mut committed = 0;
        while committed < FLOWS {
            while let Some(output) = receiver.next_output() {
                committed += u32::from(matches!(output, Output::Kernel(_)));
            }
            receiver.on_deadline(now);
        }
        committed
    });
    assert_eq!(committed, FLOWS);
    while receiver.next_output().is_some() {}
}

#[test]
#[ignore = "a measurement: it needs a release build and a quiet machine"]
fn a_flow_costs_far_less_than_a_microsecond() {
    let mut best = Best::default();
    measure(&mut best, "FTFW", ModeConfig::Ftfw { ack_window: 300, resend_queue: 131_072 });
    measure(&mut best, "NOTRACK", ModeConfig::Notrack { internal: InternalCache::Kept });
    for (name, nanoseconds) in &best.0 {
        println!("{nanoseconds:5} ns  {name}");
    }
    let (slowest, nanoseconds) = best.0.iter().max_by_key(|(_, time)| *time).unwrap();
    assert!(*nanoseconds < 2000, "{slowest}: {nanoseconds} ns");
}
