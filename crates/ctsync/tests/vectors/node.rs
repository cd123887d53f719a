//! What a whole node makes of the messages that were made to try upstream's daemon out: the same counters, the same
//! entries, and nothing else.

use std::collections::BTreeMap;

use ctsync::time::{Duration, Instant};
use ctsync::wire::{Carrier, Control, DatagramLimit, Flags, Header, Stamp};
use ctsync::{
    CacheCursor, CacheName, Config, ExternalCache, InternalCache, KernelRequest, LinkId,
    ModeConfig, Node, Notice, Output, Request, Sequence, Statistics, Which,
};

use crate::STRICTER;
use crate::case::{self, Case};

const FTFW: ModeConfig = ModeConfig::Ftfw { ack_window: 300, resend_queue: 100 };
const NOTRACK: ModeConfig = ModeConfig::Notrack { internal: InternalCache::Kept };
const ALARM: ModeConfig = ModeConfig::Alarm { refresh_s: 60, cache_timeout_s: 180 };

const RUNS: [(&str, ModeConfig, ExternalCache); 4] = [
    ("FTFW", FTFW, ExternalCache::Kept),
    ("NOTRACK", NOTRACK, ExternalCache::Kept),
    ("ALARM", ALARM, ExternalCache::Kept),
    ("NOTRACK, DisableExternalCache", NOTRACK, ExternalCache::Injected),
];

#[derive(Default)]
struct Did {
    injected: u64,
    requests: u64,
    notices: u64,
    sent: u64,
}

fn drain(node: &mut Node) -> Did {
    let mut did = Did::default();
    while let Some(output) = node.next_output() {
        match output {
            Output::Kernel(KernelRequest::Inject(..) | KernelRequest::InjectExpectation(..)) => {
                did.injected += 1;
            }
            Output::Kernel(_) => did.requests += 1,
            Output::Notice(Notice::BadMessages { .. }) => did.notices += 1,
            Output::Send(_) => did.sent += 1,
            Output::Notice(_) | Output::UseLink(_) => {}
        }
    }
    did
}

/// A node that has heard of the peer, as upstream's daemon had.
fn prepared(case: &Case, mode: ModeConfig, external: ExternalCache) -> Node {
    let limit = DatagramLimit::of(1500, Carrier::UdpIpv4);
    let mut config = Config::new(mode, limit, Sequence(1), 1);
    config.external = external;
    let mut node = Node::new(Instant(0), config);
    if mode != ALARM {
        let first = Header::read(&case.bytes).map_or(Sequence(0), |(header, _)| header.sequence);
        let mut hello = Vec::new();
        let stamp = Stamp { greeting: Flags::HELLO, sequence: first.previous() };
        Control::Alive.encode(stamp, &mut hello);
        node.on_datagram(Instant(0), LinkId(0), &hello);
        drain(&mut node);
    }
    node
}

/// The counters under the names of the vectors, those that are not 0.
fn counters(node: &Node) -> BTreeMap<&'static str, u64> {
    let Statistics { malformed, version, header, payload, kind, truncated, size, lost, .. } =
        node.statistics();
    let flows = node.flow_figures(CacheName::External);
    let expectations = node.expectation_figures(CacheName::External);
    let count = |count: usize| u64::try_from(count).unwrap();
    let all = [
        ("Malformed messages", malformed),
        ("Wrong protocol version", version),
        ("Malformed header", header),
        ("Malformed payload", payload),
        ("Bad message type", kind),
        ("Truncated message", truncated),
        ("Bad message size", size),
        ("Packets lost", lost),
        ("external created", flows.counters.created),
        ("external destroyed", flows.counters.destroyed),
        ("external active", count(flows.active)),
        ("external exp active", count(expectations.active)),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_node_reacts_to_crafted_messages_as_upstream_did_and_lives_on() {
    let (mut reactions, mut rejected, mut injected) = (0, 0, 0);
    for case in case::all().iter().filter(|case| !case.is_captured()) {
        for (run, mode, external) in RUNS {
            let Some(reaction) = case.tree["reaction"][run].as_object() else { continue };
            let mut node = prepared(case, mode, external);
            let did = {
                node.on_datagram(
                    Instant(0).after(Duration::from_millis(1)),
                    LinkId(0),
                    &case.bytes,
                );
                drain(&mut node)
            };
            let mut expected: BTreeMap<&str, u64> = reaction
                .iter()
                .filter_map(|(name, count)| Some((name.as_str(), count.as_u64()?)))
                .collect();
            if STRICTER.contains(&case.name.as_str()) {
                expected = [("Malformed messages", 1), ("Malformed payload", 1)].into();
            }
            // Without external cache upstream counts there what the kernel answered.
            let injects = external == ExternalCache::Injected;
            expected.retain(|name, _| {
                !(name.starts_with("dump child") || injects && name.starts_with("external"))
            });
            assert_eq!(counters(&node), expected, "{} in {run}", case.name);
            injected += did.injected;
            let bad = expected.get("Malformed messages").copied().unwrap_or(0);
            assert_eq!(did.notices > 0, bad > 0, "{} in {run}", case.name);
            assert!(did.sent <= 2 && did.requests == 0, "{} in {run}", case.name);
            reactions += 1;
            rejected += u64::from(bad > 0);
            lives_on(node, &case.name);
        }
    }
    assert_eq!((reactions, rejected, injected), (376, 211, 36));
}

/// Everything that can be asked of a node afterwards.
fn lives_on(mut node: Node, name: &str) {
    let now = Instant(0).after(Duration::from_secs(1));
    let (mut cursor, mut read) = (CacheCursor::START, 0);
    while let Some((next, _)) = node.flow_after(CacheName::External, cursor) {
        (cursor, read) = (next, read + 1);
    }
    assert_eq!(read, node.flow_figures(CacheName::External).active, "{name}");
    while let Some((next, _)) = node.expectation_after(CacheName::External, cursor) {
        cursor = next;
    }
    for request in [Request::Commit(Which::All), Request::Bulk, Request::Flush] {
        node.on_request(now, request);
        drain(&mut node);
    }
    node.on_deadline(now.after(Duration::from_secs(1)));
    drain(&mut node);
    assert_eq!(node.flow_figures(CacheName::External).objects, 0, "{name}");
}
