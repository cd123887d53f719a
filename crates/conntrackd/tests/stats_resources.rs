//! What a flow costs in statistics mode: memory, and no heap allocation for an event once the cache is warm.
//!
//! One test in a program of its own, as it counts the allocations of the whole process.
#![cfg(test)]

use conntrackd::stats_mode::{Now, StatsMode};
use ctsync::time::Instant;
use flow::filter::{AddressSet, EventFilter, Policy, Rule};
use flow::text::CivilTime;
use flow::{
    AddressPair, Counters, EventKind, Flow, FlowId, HelperName, L4Key, Mark, PerDirection, Ports,
    ProtoInfo, Protocol, Status, TcpInfo, TcpState, Tuple,
};
use sys::allocations::{self, Counting};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Memory grows by doubling; with so many flows most of it is in use.
const FLOWS: u32 = 30_000;

fn local(_: u64) -> CivilTime {
    CivilTime { year: 2026, month: 11, day: 22, hour: 0, minute: 0, second: 0, weekday: 0 }
}

/// A flow whose source is translated if `answering` is not its source.
fn flow(number: u32, answered: u8) -> Flow {
    let [_, a, b, c] = number.to_be_bytes();
    let addresses = AddressPair::V4 { src: [10, a, b, c].into(), dst: [192, 0, 2, 1].into() };
    let key = L4Key::Ports(Ports { src: 40000, dst: 443 });
    let original = Tuple { addresses, protocol: Protocol::Tcp, key };
    let reply = Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [answered, a, b, c].into() },
        ..original.inverted()
    };
    let state = Some(TcpState::ESTABLISHED);
    Flow {
        id: Some(FlowId(number)),
        mark: Some(Mark(1)),
        status: Some(Status::CONFIRMED | Status::ASSURED | Status::SEEN_REPLY),
        timeout_s: Some(432_000),
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo { state, ..TcpInfo::default() })),
        counters: PerDirection::from_fn(|_| Some(Counters { packets: 1, bytes: 2 })),
        // Every hundredth has what most flows lack.
        helper: number.is_multiple_of(100).then(|| HelperName::from("ftp").unwrap()),
        ..Flow::new(PerDirection { original, reply })
    }
}

#[test]
fn a_warm_cache_allocates_nothing_and_is_small() {
    let now = Now { instant: Instant(0), wall_s: 0, local: &local };
    let networks =
        (0..1000u16).map(|n| ([172, n.to_be_bytes()[0], n.to_be_bytes()[1], 0].into(), 24));
    let members = AddressSet::from_networks(networks);
    let addresses = Some(Rule { policy: Policy::Ignore, members });
    let filter = EventFilter { addresses, ..EventFilter::default() };
    for (answered, most_bytes) in [(10, 110), (198, 160)] {
        let mut mode = StatsMode::new(262_144, 7);
        let mut lines = 0;
        let mut round = |mode: &mut StatsMode, kind| {
            for number in 0..FLOWS {
                let flow = flow(number, answered);
                assert!(filter.wants_event(kind, &flow));
                lines += u32::from(mode.on_event(&now, kind, &flow).is_some());
            }
        };
        round(&mut mode, EventKind::New);
        let bytes = mode.memory() / usize::try_from(FLOWS).unwrap();
        assert!(bytes <= most_bytes, "{bytes} bytes a flow");
        round(&mut mode, EventKind::Destroy);
        let before = allocations::count();
        for kind in [EventKind::New, EventKind::Update, EventKind::Destroy] {
            round(&mut mode, kind);
        }
        assert_eq!(allocations::count() - before, 0);
        assert_eq!((lines, mode.flow_count()), (2 * FLOWS, 0));
    }
}
