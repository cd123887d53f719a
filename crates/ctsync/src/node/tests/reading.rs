//! The caches, read entry by entry.

use flow::{
    AddressPair, EventKind, Flow, FlowId, HelperName, IcmpKey, L4Key, Labels, Mark, PerDirection,
    Ports, ProtoInfo, Protocol, Status, TcpInfo, TcpState, TimeNs, Tuple, Zone,
};

use super::{event, expectation, flow, message, node, outputs};
use crate::node::{
    CacheCursor, CacheName, CachedFlow, Event, KnownFlow, LinkId, ModeConfig, Node, Origin,
    Request, Subject,
};
use crate::time::{Duration, Instant};

const T: Instant = Instant(0);

fn read(node: &Node, name: CacheName) -> Vec<CachedFlow> {
    let mut cursor = CacheCursor::START;
    let mut flows = Vec::new();
    while let Some((next, flow)) = node.flow_after(name, cursor) {
        (cursor, flows) = (next, {
            flows.push(flow);
            flows
        });
    }
    flows
}

/// What is shown of a flow.
fn shown(flow: &Flow) -> KnownFlow {
    KnownFlow::Whole(Flow { timeout_s: None, ..flow.clone() })
}

fn ports(src: u16, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src, dst })
}

fn v4(src: u8, dst: u8) -> AddressPair {
    AddressPair::V4 { src: [192, 0, 2, src].into(), dst: [192, 0, 2, dst].into() }
}

fn both(original: Tuple) -> PerDirection<Tuple> {
    PerDirection { original, reply: original.inverted() }
}

fn samples() -> Vec<Flow> {
    let base = |addresses, protocol, key| Flow {
        id: Some(FlowId(7)),
        status: Some(Status::CONFIRMED),
        ..Flow::new(both(Tuple { addresses, protocol, key }))
    };
    let tcp = TcpInfo { state: Some(TcpState::ESTABLISHED), ..TcpInfo::default() };
    let mut translated = base(v4(1, 2), Protocol::Tcp, ports(1, 80));
    translated.protoinfo = Some(ProtoInfo::Tcp(tcp));
    translated.status = Some(Status::CONFIRMED | Status::SRC_NAT | Status::SRC_NAT_DONE);
    translated.tuples.reply =
        Tuple { addresses: v4(2, 9), protocol: Protocol::Tcp, key: ports(80, 4000) };
    let mut undecided = base(v4(1, 2), Protocol::Udp, ports(2, 80));
    undecided.tuples.reply.addresses = v4(2, 9);
    let icmp = IcmpKey { kind: 8, code: 0, id: 5 };
    let mut echo = base(v4(1, 2), Protocol::Icmp, L4Key::Icmp(icmp));
    echo.status = Some(Status::CONFIRMED | Status::SRC_NAT_DONE | Status::DST_NAT_DONE);
    echo.tuples.reply.key = L4Key::Icmp(IcmpKey { kind: 0, code: 0, id: 99 });
    let v6 = AddressPair::V6 { src: [1; 16].into(), dst: [2; 16].into() };
    let odd = L4Key::Icmpv6(IcmpKey { kind: 135, code: 0, id: 0 });
    let zoned = |zones: [Option<Zone>; 2], port| Flow {
        tuple_zones: PerDirection { original: zones[0], reply: zones[1] },
        ..base(v4(1, 2), Protocol::Udp, ports(port, 53))
    };
    vec![
        translated,
        undecided,
        echo,
        base(v6, Protocol::Icmpv6, odd),
        base(v4(1, 2), Protocol::Gre, ports(0, 0x1234)),
        base(v4(1, 2), Protocol::Gre, ports(0, 0x5678)),
        base(v6, Protocol::UdpLite, ports(3, 4)),
        base(v4(1, 2), Protocol::Other(50), L4Key::None),
        zoned([Some(Zone(3)), None], 1),
        zoned([None, Some(Zone(4))], 2),
        Flow { zone: Some(Zone(9)), ..zoned([None, None], 3) },
        Flow {
            helper: Some(HelperName::from("netbios-ns-long").unwrap()),
            labels: Some(Labels::from_bits([3])),
            mark: Some(Mark(0)),
            start: Some(TimeNs(1_795_000_000_000_000_000)),
            secctx: Some(b"system_u:object_r:unlabeled_t:s0".as_slice().into()),
            ..zoned([None, None], 4)
        },
        Flow { helper: Some(HelperName::from("ftp").unwrap()), ..zoned([None, None], 5) },
    ]
}

#[test]
fn a_flow_of_the_own_kernel_is_read_as_it_was_told() {
    let mut node = node(|_| {});
    let flows = samples();
    for flow in &flows {
        event(&mut node, EventKind::New, flow);
    }
    let read: Vec<_> = read(&node, CacheName::Internal).into_iter().map(|f| f.known).collect();
    assert_eq!(read, flows.iter().map(shown).collect::<Vec<_>>());
}

#[test]
fn what_an_update_does_not_say_stays() {
    let mut node = node(|_| {});
    let flows = samples();
    for flow in &flows {
        event(&mut node, EventKind::New, flow);
        let bare = Flow {
            helper: None,
            start: None,
            secctx: None,
            mark: None,
            labels: None,
            ..flow.clone()
        };
        event(&mut node, EventKind::Update, &bare);
    }
    let read: Vec<_> = read(&node, CacheName::Internal).into_iter().map(|f| f.known).collect();
    assert_eq!(read, flows.iter().map(shown).collect::<Vec<_>>());
    // The reply tuple of an update counts, also if it becomes what follows from the message.
    let plain = Flow { tuples: both(flows[2].tuples.original), ..flows[2].clone() };
    event(&mut node, EventKind::Update, &plain);
    assert_eq!(self::read(&node, CacheName::Internal)[2].known, shown(&plain));
}

#[test]
fn a_flow_of_the_peer_has_no_reply_and_an_age() {
    let mut node = node(|_| {});
    node.on_datagram(T, LinkId(0), &message(1, 1, EventKind::New, false));
    node.on_deadline(T.after(Duration::from_millis(7900)));
    let [CachedFlow { known: KnownFlow::WithoutReply(flow), age_s: 7, expires_in_s: None }] =
        &read(&node, CacheName::External)[..]
    else {
        panic!()
    };
    assert_eq!((flow.tuples.original, flow.timeout_s, flow.id), (super::tuple(1), None, None));
}

#[test]
fn in_alarm_mode_an_external_entry_tells_when_it_expires() {
    let alarm = ModeConfig::Alarm { refresh_s: 60, cache_timeout_s: 180 };
    let mut node = node(|config| config.mode = alarm);
    node.on_datagram(T, LinkId(0), &message(1, 1, EventKind::New, false));
    node.on_datagram(T, LinkId(0), &message(2, 1, EventKind::New, false));
    let later = T.after(Duration::from_millis(10_500));
    node.on_datagram(later, LinkId(0), &message(2, 1, EventKind::Update, false));
    let times: Vec<_> = read(&node, CacheName::External)
        .iter()
        .map(|flow| (flow.age_s, flow.expires_in_s))
        .collect();
    assert_eq!(times, [(10, Some(169)), (10, Some(180))]);
    event(&mut node, EventKind::New, &flow(1));
    assert_eq!(read(&node, CacheName::Internal)[0].expires_in_s, None);
}

#[test]
fn reading_goes_on_while_the_cache_changes_and_passes_over_the_dead() {
    let mut node = node(|_| {});
    for number in 0..100 {
        event(&mut node, EventKind::New, &flow(number));
    }
    let (mut cursor, mut seen) = (CacheCursor::START, Vec::new());
    while let Some((next, CachedFlow { known: KnownFlow::Whole(read), .. })) =
        node.flow_after(CacheName::Internal, cursor)
    {
        cursor = next;
        let port = read.tuples.original.key.ports().unwrap().src;
        seen.push(port);
        event(&mut node, EventKind::Destroy, &flow(port));
        event(&mut node, EventKind::Destroy, &flow(99 - port));
        if port % 2 == 0 {
            outputs(&mut node);
        }
    }
    assert_eq!(seen, (0..50).collect::<Vec<_>>());
    let figures = node.flow_figures(CacheName::Internal);
    assert_eq!((figures.active, figures.objects), (0, 100), "not acknowledged");
}

#[test]
fn figures_are_those_of_upstream() {
    // One flow made and removed, two made, one changed.
    let mut sender = node(|_| {});
    let mut receiver = node(|_| {});
    for (kind, number) in [
        (EventKind::New, 9),
        (EventKind::Destroy, 9),
        (EventKind::New, 1),
        (EventKind::New, 2),
        (EventKind::Update, 1),
    ] {
        let mut flow = flow(number);
        flow.mark = (kind == EventKind::Update).then_some(Mark(5));
        event(&mut sender, kind, &flow);
        while let Some(output) = sender.next_output() {
            if let crate::node::Output::Send(bytes) = output {
                receiver.on_datagram(T, LinkId(0), bytes);
            }
        }
    }
    let internal = sender.flow_figures(CacheName::Internal);
    let external = receiver.flow_figures(CacheName::External);
    assert_eq!((external.active, external.objects), (2, 2));
    assert_eq!(internal.active, 2);
    for counters in [internal.counters, external.counters] {
        assert_eq!((counters.created, counters.updated, counters.destroyed), (3, 1, 1));
        assert_eq!((counters.create_failed, counters.no_space), (0, 0));
    }
    // A NEW of a known flow replaces it.
    event(&mut sender, EventKind::New, &flow(1));
    let counters = sender.flow_figures(CacheName::Internal).counters;
    assert_eq!((counters.created, counters.destroyed), (4, 2));
}

#[test]
fn an_expectation_is_read_with_a_long_helper_name() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    let mut expected = expectation(1);
    expected.helper = Some(HelperName::from("netbios-ns-long").unwrap());
    let subject: Subject<'_, Flow> = Subject::Expectation(&expected);
    node.on_event(T, &Event { kind: EventKind::New, origin: Origin::Others, subject });
    let (next, read) = node.expectation_after(CacheName::Internal, CacheCursor::START).unwrap();
    expected.timeout_s = None;
    assert_eq!((read.expectation, read.age_s, read.expires_in_s), (expected, 0, None));
    assert_eq!(node.expectation_after(CacheName::Internal, next), None);
}

#[test]
fn the_resend_queue_is_read_although_it_changes() {
    let mut node = node(|_| {});
    for number in 0..10 {
        event(&mut node, EventKind::New, &flow(number));
    }
    node.on_request(T, Request::Resync);
    outputs(&mut node);
    let (mut cursor, mut numbers, mut flags) = (None, Vec::new(), 0);
    while let Some((next, flag)) = node.resend_after(cursor) {
        numbers.push(next.sequence().0);
        flags += u32::from(flag.is_some());
        cursor = Some(next);
        if next.sequence().0 == 9 {
            // The element that was read, and the next one, get new numbers.
            event(&mut node, EventKind::Update, &flow(2));
            event(&mut node, EventKind::Update, &flow(3));
            outputs(&mut node);
        }
    }
    assert_eq!(numbers, [7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    assert_eq!(flags, 1);
}
