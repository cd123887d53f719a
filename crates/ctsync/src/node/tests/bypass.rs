//! NOTRACK without internal cache, from one node to another.

use flow::{EventKind, Flow, Mark, ProtoInfo, Protocol, Status, TcpInfo, TcpState, Tuple};

use super::{NOTRACK, NOTRACK_BYPASSED, event_of, flow, node, tuple};
use crate::node::{
    CacheName, Event, ExternalCache, KernelRequest, LinkId, Node, Notice, Origin, Output, Request,
    Subject,
};
use crate::time::{Duration, Instant};
use crate::wire::Record;

/// Hands datagrams over until there is none; returns what else came out, and how many datagrams.
fn exchange(
    now: Instant,
    from: &mut Node,
    to: &mut Node,
) -> (Vec<KernelRequest>, Vec<Notice>, u32) {
    let (mut requests, mut notices, mut datagrams) = (Vec::new(), Vec::new(), 0);
    let mut more = true;
    while more {
        more = false;
        for swapped in [false, true] {
            let (from, to) = if swapped { (&mut *to, &mut *from) } else { (&mut *from, &mut *to) };
            while let Some(output) = from.next_output() {
                match output {
                    Output::Send(bytes) => {
                        to.on_datagram(now, LinkId(0), bytes);
                        (more, datagrams) = (true, datagrams + 1);
                    }
                    Output::Kernel(request) => requests.push(request),
                    Output::Notice(notice) => notices.push(notice),
                    Output::UseLink(_) => {}
                }
            }
        }
    }
    (requests, notices, datagrams)
}

fn pair() -> [Node; 2] {
    [node(|config| config.mode = NOTRACK_BYPASSED), node(|config| config.mode = NOTRACK)]
}

fn external(node: &Node) -> Vec<Record> {
    node.records(CacheName::External).collect()
}

fn tcp(state: TcpState) -> Flow {
    let original = Tuple { protocol: Protocol::Tcp, ..tuple(1) };
    let info = TcpInfo { state: Some(state), ..TcpInfo::default() };
    let mut flow = Flow { protoinfo: Some(ProtoInfo::Tcp(info)), ..flow(1) };
    flow.tuples.original = original;
    flow.tuples.reply = original.inverted();
    flow
}

#[test]
fn an_update_says_what_changed_and_the_rest_stays() {
    let [mut sender, mut receiver] = pair();
    let now = Instant(0);
    let made = Flow { mark: Some(Mark(5)), ..tcp(TcpState::ESTABLISHED) };
    sender.on_event(now, &event_of(EventKind::New, &made));
    let changed = Flow {
        protoinfo: None,
        timeout_s: None,
        status: Some(Status::CONFIRMED | Status::ASSURED),
        ..tcp(TcpState::NONE)
    };
    sender.on_event(now, &event_of(EventKind::Update, &changed));
    let (_, _, datagrams) = exchange(now, &mut sender, &mut receiver);
    assert_eq!(datagrams, 1, "what waits shares a datagram");
    let [record] = &external(&receiver)[..] else { panic!() };
    assert_eq!((record.mark, record.timeout_s), (Some(Mark(5)), Some(30)));
    assert_eq!(record.status, changed.status);
    assert_eq!(record.protoinfo, made.protoinfo);
    sender.on_event(now, &event_of(EventKind::Destroy, &changed));
    exchange(now, &mut sender, &mut receiver);
    assert_eq!(external(&receiver), []);
    let statistics = sender.statistics();
    let counters = (statistics.direct_new, statistics.direct_updated, statistics.direct_destroyed);
    assert_eq!((counters, statistics.direct_dropped), ((1, 1, 1), 0));
    assert_eq!(sender.flow_figures(CacheName::Internal).counters.created, 0);
}

#[test]
fn what_the_node_did_itself_is_not_told() {
    let [mut sender, mut receiver] = pair();
    let flow = flow(1);
    let subject = Subject::Flow(&flow);
    sender.on_event(Instant(0), &Event { kind: EventKind::New, origin: Origin::Own, subject });
    assert_eq!(exchange(Instant(0), &mut sender, &mut receiver).2, 0);
}

#[test]
fn a_resync_is_a_dump_of_the_kernels_table() {
    let [mut sender, mut receiver] = pair();
    let now = Instant(0);
    receiver.on_request(now, Request::Resync);
    let (requests, notices, _) = exchange(now, &mut receiver, &mut sender);
    assert_eq!(requests, [KernelRequest::DumpForBulk]);
    let said = [Notice::ResyncRequested, Notice::ResyncRequestedByPeer, Notice::BulkStarted];
    assert_eq!(notices, said);
    let mut dumped = 0;
    while dumped < 20_000 {
        while sender.has_room() && dumped < 20_000 {
            sender.on_dumped_flow(now, &flow(dumped), Origin::Others);
            dumped += 1;
        }
        exchange(now, &mut sender, &mut receiver);
    }
    sender.on_request(now, Request::BulkDumped);
    assert_eq!(external(&receiver).len(), 20_000);
    assert_eq!((sender.statistics().direct_dropped, receiver.statistics().lost), (0, 0));
}

#[test]
fn silence_is_broken_by_a_sign_of_life_a_second() {
    let [mut sender, mut receiver] = pair();
    let mut sent = 0;
    for second in 1..=10 {
        let now = Instant(0).after(Duration::from_secs(second));
        sender.on_deadline(now);
        sent += exchange(now, &mut sender, &mut receiver).2;
    }
    assert_eq!(sent, 10);
    assert_eq!(receiver.statistics().malformed, 0);
}

#[test]
fn without_both_caches_a_change_there_is_a_request_here() {
    let [mut sender, _] = pair();
    let mut receiver = node(|config| {
        config.mode = NOTRACK_BYPASSED;
        config.external = ExternalCache::Injected;
    });
    let kinds = [EventKind::New, EventKind::Update, EventKind::Destroy];
    for kind in kinds {
        sender.on_event(Instant(0), &event_of(kind, &flow(1)));
    }
    let (requests, ..) = exchange(Instant(0), &mut sender, &mut receiver);
    let injected: Vec<_> = requests
        .iter()
        .map(|request| match request {
            KernelRequest::Inject(kind, restored) => (*kind, restored.flow.tuples.original),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(injected, kinds.map(|kind| (kind, tuple(1))));
}
