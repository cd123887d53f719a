use ctsync::CacheCounters;
use ctsync::time::Instant;
use flow::text::CivilTime;
use flow::text::{plain, xml};
use flow::{
    AddressPair, Counters, DccpInfo, DccpState, Direction, EventKind, Flow, FlowId, FlowRead,
    HelperName, IcmpKey, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo,
    SctpState, Status, TcpInfo, TcpState, TimeNs, Tuple, Zone,
};

use super::{Cursor, Now, Purged, StatsMode};

const START_S: u64 = 1_700_000_000;

/// Some time on 14 November 2023.
fn local(seconds: u64) -> CivilTime {
    let of_hour = |divisor: u64| u8::try_from((seconds - START_S) / divisor % 60).unwrap();
    CivilTime {
        year: 2023,
        month: 11,
        day: 14,
        hour: 22,
        minute: of_hour(60),
        second: of_hour(1),
        weekday: 2,
    }
}

/// So many seconds after the start of both clocks.
fn at(seconds: u32) -> Now<'static> {
    Now {
        instant: Instant(u64::from(seconds) * 1_000_000_000),
        wall_s: START_S + u64::from(seconds),
        local: &local,
    }
}

fn mode() -> StatsMode {
    StatsMode::new(100, 7)
}

fn udp(port: u16) -> Flow {
    let original = Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: port, dst: 53 }),
    };
    Flow {
        id: Some(FlowId(port.into())),
        status: Some(Status::CONFIRMED),
        timeout_s: Some(30),
        mark: Some(Mark(0)),
        use_count: Some(1),
        ..Flow::new(PerDirection { original, reply: original.inverted() })
    }
}

/// The same flow at its end, with accounting and timestamps on.
fn ended(port: u16, packets: u64, bytes: u64) -> Flow {
    let counted = |factor| Some(Counters { packets: packets * factor, bytes: bytes * factor });
    Flow {
        counters: PerDirection { original: counted(1), reply: counted(2) },
        start: Some(TimeNs(START_S * 1_000_000_000)),
        stop: Some(TimeNs((START_S + 9) * 1_000_000_000)),
        mark: None,
        use_count: None,
        ..udp(port)
    }
}

fn text(line: Option<&[u8]>) -> String {
    line.map(|line| String::from_utf8(line.to_vec()).unwrap()).unwrap_or_default()
}

/// The lines of `-i`, without their end.
fn listed(mode: &StatsMode, now: u32) -> Vec<String> {
    let format =
        plain::Format { layer3: false, id: true, times: None, labels: None, now_s: &|| START_S };
    let mut cursor = Cursor::default();
    let mut lines = Vec::new();
    while let Some((next, found)) = mode.next_flow(cursor, at(now).instant, 3) {
        assert!(next != cursor);
        cursor = next;
        if let Some((flow, age_s)) = found {
            let mut line = Vec::new();
            plain::write_flow(&mut line, &flow, &format);
            lines.push(format!("{} age {age_s}", String::from_utf8(line).unwrap()));
        }
    }
    lines.sort();
    lines
}

fn dump(mode: &mut StatsMode, now: u32, flows: &[Flow]) -> Vec<String> {
    mode.dump_begins();
    for flow in flows {
        mode.on_dumped(&at(now), flow);
    }
    mode.dump_ends();
    purge(mode, now)
}

fn purge(mode: &mut StatsMode, now: u32) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        match mode.purge(&at(now), 2) {
            Purged::Flow(line) => lines.push(text(Some(line))),
            Purged::Nothing => {}
            Purged::Done => return lines,
        }
    }
}

#[test]
fn a_flow_that_ends_leaves_the_line_of_its_event_and_its_traffic() {
    let mut mode = mode();
    assert_eq!(mode.on_event(&at(0), EventKind::New, &udp(1)), None);
    assert_eq!(mode.on_event(&at(1), EventKind::Update, &udp(1)), None);
    let destroy = ended(1, 3, 384);
    let line = mode.on_event(&at(65), EventKind::Destroy, &destroy).unwrap();
    let flow = "udp      17 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=53 packets=3 bytes=384 \
        [UNREPLIED] src=192.0.2.2 dst=192.0.2.1 sport=53 dport=1 packets=6 bytes=768 delta-time=9 \
        [start=Tue Nov 14 22:00:00 2023] [stop=Tue Nov 14 22:00:09 2023]";
    // The log has the time.
    assert_eq!(text(Some(line)), flow);
    assert_eq!(mode.traffic(), Counters { packets: 9, bytes: 1152 });
    assert_eq!(mode.flow_count(), 0);
}

#[test]
fn traffic_is_counted_in_64_bits() {
    let mut mode = mode();
    for port in 1..=2 {
        mode.on_event(&at(0), EventKind::New, &udp(port));
        mode.on_event(&at(0), EventKind::Destroy, &ended(port, 1 << 32, 1 << 40));
    }
    assert_eq!(mode.traffic(), Counters { packets: 6 << 32, bytes: 6 << 40 });
}

#[test]
fn a_flow_without_accounting_leaves_a_line_without_counters() {
    let mut mode = mode();
    mode.on_event(&at(0), EventKind::New, &udp(1));
    let destroy = Flow { use_count: None, ..udp(1) };
    let line = text(mode.on_event(&at(0), EventKind::Destroy, &destroy));
    assert_eq!(
        line,
        "udp      17 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=53 \
         [UNREPLIED] src=192.0.2.2 dst=192.0.2.1 sport=53 dport=1 mark=0"
    );
    assert_eq!(mode.traffic(), Counters::default());
}

#[test]
fn the_end_of_an_unknown_flow_is_neither_logged_nor_counted() {
    let mut mode = mode();
    assert_eq!(mode.on_event(&at(0), EventKind::Destroy, &ended(1, 3, 384)), None);
    mode.on_event(&at(0), EventKind::New, &udp(2));
    mode.flush();
    assert_eq!(mode.on_event(&at(0), EventKind::Destroy, &ended(2, 3, 384)), None);
    assert_eq!(mode.traffic(), Counters::default());
    assert_eq!(mode.counters(), CacheCounters { created: 1, destroyed: 1, ..Default::default() });
}

#[test]
fn an_update_changes_what_it_tells_and_keeps_the_rest() {
    let mut mode = mode();
    let tcp = |state| {
        let tcp = TcpInfo { state: Some(TcpState(state)), ..TcpInfo::default() };
        Some(ProtoInfo::Tcp(tcp))
    };
    let mut first = udp(1);
    first.tuples.original.protocol = Protocol::Tcp;
    first.tuples.reply.protocol = Protocol::Tcp;
    let first = Flow { protoinfo: tcp(3), mark: Some(Mark(5)), ..first };
    let bare = || Flow::new(first.tuples);
    mode.on_event(&at(0), EventKind::New, &first);
    let assured = Status::ASSURED | Status::SEEN_REPLY;
    mode.on_event(&at(1), EventKind::Update, &Flow { status: Some(assured), ..bare() });
    let line = listed(&mode, 1).remove(0);
    assert!(line.starts_with("tcp      6 ESTABLISHED src=192.0.2.1 "), "{line}");
    assert!(line.ends_with(" [ASSURED] mark=5 id=1 age 1"), "{line}");
    mode.on_event(&at(2), EventKind::Update, &Flow { protoinfo: tcp(7), ..bare() });
    let helper = HelperName::from("ftp").unwrap();
    mode.on_event(&at(2), EventKind::Update, &Flow { helper: Some(helper), ..bare() });
    mode.on_event(&at(2), EventKind::Update, &bare());
    let line = listed(&mode, 2).remove(0);
    assert!(line.starts_with("tcp      6 TIME_WAIT src=192.0.2.1 "), "{line}");
    assert!(line.ends_with(" [ASSURED] mark=5 helper=ftp id=1 age 2"), "{line}");
    let counters = CacheCounters { created: 1, updated: 4, ..CacheCounters::default() };
    assert_eq!(mode.counters(), counters);
}

#[test]
fn an_unknown_flow_that_changes_is_made() {
    let mut mode = mode();
    mode.on_event(&at(0), EventKind::Update, &udp(1));
    assert_eq!(mode.flow_count(), 1);
    assert_eq!(mode.counters(), CacheCounters { created: 1, ..CacheCounters::default() });
}

#[test]
fn flows_above_the_limit_fail_and_are_counted() {
    let mut mode = StatsMode::new(2, 7);
    for port in 1..=4 {
        mode.on_event(&at(0), EventKind::New, &udp(port));
    }
    let full = CacheCounters { created: 2, create_failed: 2, no_space: 2, ..Default::default() };
    assert_eq!((mode.counters(), mode.flow_count()), (full, 2));
    assert_eq!(mode.on_event(&at(0), EventKind::Destroy, &udp(3)), None);
    assert!(mode.on_event(&at(0), EventKind::Destroy, &udp(1)).is_some());
    mode.on_event(&at(0), EventKind::New, &udp(3));
    assert_eq!((mode.counters().created, mode.flow_count()), (3, 2));
}

#[test]
fn flows_that_are_not_part_of_a_dump_are_gone_and_logged_without_counters() {
    let mut mode = mode();
    let counted = ended(1, 3, 384);
    assert_eq!(dump(&mut mode, 0, &[counted, udp(2), udp(3), udp(4)]), [""; 0]);
    assert_eq!(mode.counters().created, 4);
    let mut lines = dump(&mut mode, 12, &[udp(3)]);
    lines.sort();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        "udp      17 src=192.0.2.1 dst=192.0.2.2 sport=1 dport=53 \
         [UNREPLIED] src=192.0.2.2 dst=192.0.2.1 sport=53 dport=1 delta-time=12 \
         [start=Tue Nov 14 22:00:00 2023]"
    );
    assert_eq!(mode.traffic(), Counters::default());
    let counters =
        CacheCounters { created: 4, updated: 1, destroyed: 3, ..CacheCounters::default() };
    assert_eq!((mode.counters(), mode.flow_count()), (counters, 1));
    // To poll is to do that again.
    assert_eq!(dump(&mut mode, 13, &[]).len(), 1);
    assert_eq!(dump(&mut mode, 14, &[]), [""; 0]);
}

#[test]
fn events_during_a_dump_count_as_part_of_it() {
    let mut mode = mode();
    for port in [1, 2, 3] {
        mode.on_event(&at(0), EventKind::New, &udp(port));
    }
    mode.dump_begins();
    mode.on_event(&at(1), EventKind::Update, &udp(1));
    mode.on_event(&at(1), EventKind::New, &udp(2));
    mode.on_event(&at(1), EventKind::New, &udp(4));
    mode.dump_ends();
    mode.on_event(&at(1), EventKind::New, &udp(5));
    let lines = purge(&mut mode, 1);
    assert!(matches!(&lines[..], [line] if line.contains(" sport=3 ")), "{lines:?}");
    assert_eq!(mode.flow_count(), 4);
}

#[test]
fn what_an_event_said_is_newer_than_the_dump() {
    for parts in 0..4 {
        let mut mode = mode();
        for port in [1, 2] {
            mode.on_event(&at(0), EventKind::New, &udp(port));
        }
        mode.dump_begins();
        mode.on_event(&at(1), EventKind::Destroy, &udp(1));
        mode.on_event(&at(1), EventKind::Update, &Flow { mark: Some(Mark(7)), ..udp(2) });
        for _ in 0..parts {
            mode.dump_part();
        }
        mode.on_dumped(&at(1), &udp(1));
        mode.on_dumped(&at(1), &udp(2));
        mode.dump_ends();
        assert_eq!(purge(&mut mode, 1), [""; 0]);
        // From the second part on what it says was true after the events.
        let is_newer = parts >= 2;
        assert_eq!(mode.flow_count(), 1 + usize::from(is_newer), "{parts}");
        let lines = listed(&mode, 1).concat();
        assert_eq!(lines.contains(" mark=7 "), !is_newer, "{parts} {lines}");
        assert_eq!(mode.differed(), if is_newer { 2 } else { 0 }, "{parts}");
    }
}

#[test]
fn a_new_flow_whose_forerunner_did_not_end_is_as_the_event_says() {
    let mut mode = mode();
    let assured = Some(Status::CONFIRMED | Status::ASSURED);
    mode.on_event(&at(0), EventKind::New, &Flow { mark: Some(Mark(7)), status: assured, ..udp(1) });
    mode.on_event(&at(5), EventKind::New, &Flow { mark: None, id: Some(FlowId(99)), ..udp(1) });
    let lines = listed(&mode, 7);
    assert_eq!(lines.len(), 1);
    assert!(
        lines[0].ends_with(" mark=0 id=99 age 7") && !lines[0].contains("ASSURED"),
        "{lines:?}"
    );
    assert_eq!(mode.counters(), CacheCounters { created: 1, ..CacheCounters::default() });
}

#[test]
fn what_an_update_did_not_tell_is_taken_from_the_dump() {
    let mut mode = mode();
    mode.on_event(&at(0), EventKind::New, &Flow { mark: Some(Mark(5)), ..udp(1) });
    mode.dump_begins();
    let assured = Some(Status::CONFIRMED | Status::ASSURED);
    mode.on_event(&at(1), EventKind::Update, &Flow { mark: None, status: assured, ..udp(1) });
    mode.on_dumped(&at(1), &Flow { mark: Some(Mark(6)), ..udp(1) });
    mode.dump_ends();
    let lines = listed(&mode, 1).concat();
    assert!(lines.contains(" mark=6 ") && lines.contains("ASSURED"), "{lines}");
}

#[test]
fn a_dump_does_not_tell_a_mark_of_0() {
    let mut mode = mode();
    for (port, mark) in [(1, 9), (2, 0)] {
        mode.on_event(&at(0), EventKind::New, &Flow { mark: Some(Mark(mark)), ..udp(port) });
    }
    let dumped = [1, 2].map(|port| Flow { mark: None, ..udp(port) });
    assert_eq!(dump(&mut mode, 1, &dumped), [""; 0]);
    assert!(listed(&mode, 1).iter().all(|line| line.contains(" mark=0 ")));
    assert_eq!(mode.differed(), 1);
}

#[test]
fn a_flow_that_the_filter_wants_no_more_stays_as_it_was() {
    let mut mode = mode();
    mode.on_event(&at(0), EventKind::New, &udp(1));
    mode.dump_begins();
    mode.on_dumped_unwanted(&Flow { mark: Some(Mark(9)), ..udp(1) });
    mode.on_dumped_unwanted(&udp(2));
    mode.dump_ends();
    assert_eq!(purge(&mut mode, 1), [""; 0]);
    assert!(listed(&mode, 1)[0].contains(" mark=0 "));
    assert_eq!(mode.flow_count(), 1);
}

#[test]
fn a_dump_that_did_not_end_removes_nothing() {
    let mut mode = mode();
    for port in 0..20 {
        mode.on_event(&at(0), EventKind::New, &udp(port));
    }
    for _ in 0..300 {
        mode.dump_begins();
        assert_eq!(mode.purge(&at(1), 100), Purged::Done);
    }
    assert_eq!(mode.flow_count(), 20);
    // One that begins while flows are removed ends that.
    mode.dump_ends();
    assert!(matches!(mode.purge(&at(1), 100), Purged::Flow(_)));
    mode.dump_begins();
    assert_eq!(mode.purge(&at(1), 100), Purged::Done);
    assert_eq!(mode.flow_count(), 19);
}

#[test]
fn a_step_looks_at_so_many_flows() {
    let mut mode = mode();
    for port in 0..10 {
        mode.on_event(&at(0), EventKind::New, &udp(port));
    }
    mode.dump_begins();
    for port in 0..9 {
        mode.on_dumped(&at(0), &udp(port));
    }
    mode.dump_ends();
    for _ in 0..2 {
        assert_eq!(mode.purge(&at(0), 4), Purged::Nothing);
    }
    assert!(matches!(mode.purge(&at(0), 4), Purged::Flow(_)));
    assert_eq!(mode.purge(&at(0), 4), Purged::Done);
}

#[test]
fn a_list_goes_on_while_flows_come_and_go() {
    let mut mode = mode();
    for port in 0..10 {
        mode.on_event(&at(0), EventKind::New, &udp(port));
    }
    let mut seen = Vec::new();
    let mut cursor = Cursor::default();
    while let Some((next, found)) = mode.next_flow(cursor, Instant(0), 1) {
        cursor = next;
        let Some((flow, _)) = found else { continue };
        let port = flow.tuple(Direction::Original).key.ports().unwrap().src;
        seen.push(port);
        // The one that was listed goes, and so does one that was not; a new one comes.
        mode.on_event(&at(0), EventKind::Destroy, &udp(port));
        mode.on_event(&at(0), EventKind::Destroy, &udp(9));
        mode.on_event(&at(0), EventKind::New, &udp(100 + port));
    }
    seen.retain(|port| *port < 100);
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_flush_leaves_no_lines() {
    let mut mode = mode();
    for port in 0..3 {
        mode.on_event(&at(0), EventKind::New, &udp(port));
    }
    mode.flush();
    assert_eq!((mode.flow_count(), listed(&mode, 0).len()), (0, 0));
    assert_eq!(mode.counters().destroyed, 3);
    assert_eq!(dump(&mut mode, 1, &[udp(1)]), [""; 0]);
    assert_eq!(mode.flow_count(), 1);
}

#[test]
fn zones_and_tuples_tell_flows_apart() {
    let mut mode = mode();
    let zone = |zone| Flow { zone: Some(Zone(zone)), ..udp(1) };
    let original_only = PerDirection { original: Some(Zone(3)), reply: None };
    let flows = [udp(1), zone(1), zone(2), Flow { tuple_zones: original_only, ..udp(1) }, udp(2)];
    for flow in &flows {
        mode.on_event(&at(0), EventKind::New, flow);
    }
    assert_eq!(mode.flow_count(), flows.len());
    for flow in &flows {
        assert!(mode.on_event(&at(0), EventKind::Destroy, flow).is_some());
    }
    assert_eq!(mode.flow_count(), 0);
}

/// Flows that are shown in different ways.
fn various() -> Vec<Flow> {
    let with = |protoinfo| Flow { protoinfo: Some(protoinfo), ..udp(1) };
    let translated = Tuple {
        addresses: AddressPair::V4 { src: [10, 0, 0, 1].into(), dst: [192, 0, 2, 9].into() },
        ..udp(1).tuples.reply
    };
    let ping = Tuple {
        addresses: AddressPair::V6 {
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        },
        protocol: Protocol::Icmpv6,
        key: L4Key::Icmpv6(IcmpKey { kind: 128, code: 0, id: 7 }),
    };
    vec![
        udp(1),
        Flow { id: None, mark: None, status: None, ..udp(1) },
        Flow { zone: Some(Zone(4)), ..udp(1) },
        Flow {
            tuple_zones: PerDirection { original: Some(Zone(1)), reply: Some(Zone(2)) },
            ..udp(1)
        },
        Flow { tuples: PerDirection { reply: translated, ..udp(1).tuples }, ..udp(1) },
        Flow::new(PerDirection { original: ping, reply: ping.inverted() }),
        with(ProtoInfo::Tcp(TcpInfo { state: Some(TcpState(3)), ..TcpInfo::default() })),
        with(ProtoInfo::Tcp(TcpInfo::default())),
        with(ProtoInfo::Sctp(SctpInfo { state: Some(SctpState(4)), ..SctpInfo::default() })),
        with(ProtoInfo::Dccp(DccpInfo { state: Some(DccpState(4)), ..DccpInfo::default() })),
        Flow { helper: Some(HelperName::from("sip-5060").unwrap()), ..udp(1) },
        Flow { secmark: Some(8), secctx: Some(b"system_u".as_slice().into()), ..udp(1) },
        Flow { start: Some(TimeNs(START_S * 1_000_000_000)), ..udp(1) },
    ]
}

#[test]
fn a_flow_is_listed_as_it_was_told_but_for_timeout_counters_and_use_count() {
    for flow in various() {
        let mut mode = mode();
        mode.on_event(&at(0), EventKind::New, &flow);
        let (_, found) = mode.next_flow(Cursor::default(), Instant(0), 1).unwrap();
        let expected = Flow {
            timeout_s: None,
            use_count: None,
            counters: PerDirection::default(),
            ..flow.clone()
        };
        let stored = found.unwrap().0;
        let mut lines = [Vec::new(), Vec::new()];
        let plain = plain::Format {
            layer3: true,
            id: true,
            times: Some(&local),
            labels: None,
            now_s: &|| START_S + 5,
        };
        plain::write_flow(&mut lines[0], &stored, &plain);
        plain::write_flow(&mut lines[1], &expected, &plain);
        assert_eq!(lines[0], lines[1], "{flow:?}");
        let xml =
            xml::Format { timestamps: true, when: None, labels: None, now_s: &|| START_S + 5 };
        xml::write_flow(&mut lines[0], &stored, None, &xml);
        xml::write_flow(&mut lines[1], &expected, None, &xml);
        assert_eq!(lines[0], lines[1], "{flow:?}");
    }
}
