//! What a flow costs: memory in the caches, and no heap allocation for an event once they are warm.
//!
//! One test in a program of its own, as it counts the allocations of the whole process.

use ctsync::time::{Duration, Instant};
use ctsync::wire::{Carrier, DatagramLimit};
use ctsync::{
    CacheName, Config, Event, LinkId, ModeConfig, Node, Origin, Output, Sequence, Subject,
};
use flow::{
    AddressPair, EventKind, Flow, FlowId, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol,
    Status, TcpInfo, TcpState, Tuple,
};
use sys::allocations::{self, Counting};

#[global_allocator]
static COUNTING: Counting = Counting;

const FLOWS: u32 = 20_000;

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

/// Hands datagrams over until there is none.
fn exchange(now: Instant, nodes: &mut [Node; 2]) {
    let [first, second] = nodes;
    let mut more = true;
    while more {
        more = false;
        for swapped in [false, true] {
            let (from, to) =
                if swapped { (&mut *second, &mut *first) } else { (&mut *first, &mut *second) };
            while let Some(output) = from.next_output() {
                if let Output::Send(bytes) = output {
                    to.on_datagram(now, LinkId(0), bytes);
                    more = true;
                }
            }
        }
    }
}

fn round(now: &mut Instant, nodes: &mut [Node; 2], kind: EventKind, mark: u32) {
    for number in 0..FLOWS {
        let flow = flow(number, mark);
        let [node, _] = nodes;
        let event = Event { kind, origin: Origin::Others, subject: Subject::Flow(&flow) };
        node.on_event(*now, &event);
        if number % 50 == 0 {
            *now = now.after(Duration::from_millis(1));
            exchange(*now, nodes);
        }
    }
    for _ in 0..3 {
        *now = now.after(Duration::from_secs(1));
        for node in &mut *nodes {
            node.on_deadline(*now);
        }
        exchange(*now, nodes);
    }
}

#[test]
fn a_flow_takes_little_memory_and_an_event_no_allocation() {
    let mode = ModeConfig::Ftfw { ack_window: 300, resend_queue: 131_072 };
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    let config = Config::new(mode, limit, Sequence(1_795_000_000), 1);
    let mut now = Instant(0);
    let mut nodes = [Node::new(now, config.clone()), Node::new(now, config)];
    round(&mut now, &mut nodes, EventKind::New, 1);
    let [internal, external] =
        [(0, CacheName::Internal), (1, CacheName::External)].map(|(i, n)| nodes[i].cache_memory(n));
    let flows = usize::try_from(FLOWS).unwrap();
    let (internal, external) = (internal / flows, external / flows);
    println!("bytes a flow: internal {internal}, external {external}");
    assert!(internal <= 160 && external <= 160, "{internal} {external}");

    for kind in [EventKind::Update, EventKind::Destroy, EventKind::New] {
        round(&mut now, &mut nodes, kind, 2);
    }
    let before = allocations::count();
    for kind in [EventKind::Update, EventKind::Destroy, EventKind::New] {
        round(&mut now, &mut nodes, kind, 3);
    }
    let allocations = allocations::count() - before;
    assert_eq!(nodes[1].flow_figures(CacheName::External).active, flows);
    assert_eq!(allocations, 0);
}
