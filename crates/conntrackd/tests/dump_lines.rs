//! Dump lines beside those of Debian's conntrackd 1.4.7 for the same flows.
//!
//! `golden/dumps` holds what it printed, sorted, with the ages made equal (2 s, 177 s to live) and all ids 7. Left out
//! is DCCP of a peer, whose ports 1.4.7 makes up where the kernel does not send them. The known difference is the state
//! of SCTP in XML, where upstream takes the names from TCP.

#![cfg(test)]

use std::fs;
use std::path::Path;

use conntrackd::lines::{self, Age};
use ctsync::Sequence;
use ctsync::wire::{Content, ExpectationRecord, Frames, Mode, Record, SentParts, Stamp};
use flow::text::CivilTime;
use flow::{
    AddressPair, Counters, EventKind, Expectation, ExpectationFlags, ExpectationNat, Family, Flow,
    FlowId, HelperName, IcmpKey, L4Key, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo,
    SctpState, Status, TcpInfo, TcpState, TimeNs, Tuple, Zone,
};

const NOW_S: u64 = 1_795_364_300;
const AGE: Age = Age { expires_in_s: None, active_s: 2 };
const UNREPLIED: Status = Status::CONFIRMED;
const ASSURED: Status = Status::CONFIRMED.union(Status::SEEN_REPLY).union(Status::ASSURED);

fn now_s() -> u64 {
    NOW_S
}

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/dumps").join(name);
    fs::read_to_string(&path).unwrap()
}

fn v4(src: [u8; 4], dst: [u8; 4]) -> AddressPair {
    AddressPair::V4 { src: src.into(), dst: dst.into() }
}

fn ports(src: u16, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src, dst })
}

/// A flow with a mark of 0, as an event of the kernel tells of it: with all that a dump line leaves out.
fn flow(family: Family, protocol: Protocol, key: L4Key, status: Status) -> Flow {
    let addresses = match family {
        Family::Ipv4 => v4([192, 0, 2, 1], [198, 51, 100, 2]),
        Family::Ipv6 => AddressPair::V6 {
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        },
    };
    let original = Tuple { addresses, protocol, key };
    Flow {
        status: Some(status),
        timeout_s: Some(300),
        mark: Some(Mark(0)),
        use_count: Some(1),
        id: Some(FlowId(7)),
        counters: PerDirection::from_fn(|_| Some(Counters { packets: 3, bytes: 120 })),
        ..Flow::new(PerDirection { original, reply: original.inverted() })
    }
}

fn udp(src: u16, dst: u16) -> Flow {
    flow(Family::Ipv4, Protocol::Udp, ports(src, dst), UNREPLIED)
}

fn tcp(family: Family, src: u16, dst: u16, state: TcpState, status: Status) -> Flow {
    let info = TcpInfo { state: Some(state), ..TcpInfo::default() };
    Flow {
        protoinfo: Some(ProtoInfo::Tcp(info)),
        ..flow(family, Protocol::Tcp, ports(src, dst), status)
    }
}

fn established(family: Family, src: u16, dst: u16) -> Flow {
    tcp(family, src, dst, TcpState::ESTABLISHED, ASSURED)
}

fn with_addresses(mut flow: Flow, addresses: AddressPair) -> Flow {
    flow.tuples.original.addresses = addresses;
    flow.tuples.reply.addresses = flow.tuples.original.inverted().addresses;
    flow
}

fn translated(mut flow: Flow, reply: AddressPair, key: L4Key, status: Status) -> Flow {
    flow.tuples.reply.addresses = reply;
    flow.tuples.reply.key = key;
    flow.status = flow.status.map(|old| old | status);
    flow
}

/// The flows that both nodes know.
fn common() -> Vec<Flow> {
    use Family::{Ipv4, Ipv6};
    let icmp = |kind, id| IcmpKey { kind, code: 0, id };
    let sctp = SctpInfo { state: Some(SctpState::ESTABLISHED), ..SctpInfo::default() };
    let source = translated(
        established(Ipv4, 9, 80),
        v4([198, 51, 100, 2], [203, 0, 113, 7]),
        ports(80, 9),
        Status::SRC_NAT | Status::SRC_NAT_DONE,
    );
    let destination = translated(
        established(Ipv4, 10, 80),
        v4([203, 0, 113, 8], [192, 0, 2, 1]),
        ports(8080, 10),
        Status::DST_NAT | Status::DST_NAT_DONE,
    );
    let ftp = tcp(Ipv4, 40000, 21, TcpState::TIME_WAIT, ASSURED);
    let ftp = with_addresses(ftp, v4([10, 99, 0, 1], [10, 99, 0, 1]));
    let group = with_addresses(udp(41000, 3780), v4([10, 99, 0, 2], [225, 0, 0, 50]));
    vec![
        Flow { mark: Some(Mark(5)), ..established(Ipv4, 1000, 80) },
        tcp(Ipv4, 1001, 80, TcpState::SYN_SENT, UNREPLIED),
        Flow { mark: Some(Mark(7)), ..udp(53, 5353) },
        Flow { mark: Some(Mark(u32::MAX)), ..udp(53, 5353) },
        flow(Ipv6, Protocol::Udp, ports(8, 53), UNREPLIED),
        established(Ipv6, 7, 443),
        flow(Ipv4, Protocol::Icmp, L4Key::Icmp(icmp(8, 33)), UNREPLIED),
        flow(Ipv6, Protocol::Icmpv6, L4Key::Icmpv6(icmp(128, 44)), UNREPLIED),
        Flow {
            protoinfo: Some(ProtoInfo::Sctp(sctp)),
            ..flow(Ipv4, Protocol::Sctp, ports(5, 6), UNREPLIED)
        },
        flow(Ipv4, Protocol::UdpLite, ports(15, 16), UNREPLIED),
        flow(Ipv4, Protocol::Gre, ports(0x11, 0x12), UNREPLIED),
        flow(Ipv4, Protocol::Other(50), L4Key::None, UNREPLIED),
        source,
        destination,
        Flow { zone: Some(Zone(5)), ..udp(11, 80) },
        tcp(Ipv4, 13, 80, TcpState::TIME_WAIT, Status::CONFIRMED | Status::SEEN_REPLY),
        Flow { mark: Some(Mark(9)), helper: HelperName::from("ftp").ok(), ..ftp },
        Flow { mark: None, ..group },
    ]
}

/// The flows of the internal cache: also some that were there before the daemon.
fn internal() -> Vec<Flow> {
    let old = |flow| Flow { start: Some(TimeNs((NOW_S - 5) * 1_000_000_000)), ..flow };
    let mut flows = common();
    flows.extend([
        flow(Family::Ipv4, Protocol::Dccp, L4Key::None, UNREPLIED),
        old(established(Family::Ipv4, 2000, 21)),
        old(established(Family::Ipv6, 2000, 21)),
        old(Flow { zone: Some(Zone(4)), ..established(Family::Ipv4, 2001, 21) }),
    ]);
    flows
}

/// What the peer knows of a flow, over the wire. Upstream's nodes were recorded, which do not send keys of GRE and ports of UDPLite.
fn received(flow: &Flow) -> Flow {
    let mut datagram = Vec::new();
    let parts = SentParts { timeout: true, window_scale: false };
    let stamp = Stamp::plain(Sequence(1));
    let mut record = Record::from_flow(flow, parts);
    if matches!(record.original.protocol, Protocol::Gre | Protocol::UdpLite) {
        record.original.key = L4Key::Ports(Ports::default());
    }
    record.encode(EventKind::New, stamp, &mut datagram);
    let message = Frames::new(&datagram).next().unwrap().unwrap().message().unwrap();
    let Content::Flow(EventKind::New, body) = message.content(Mode::Ftfw).unwrap() else {
        panic!("{message:?}");
    };
    Record::decode(body).unwrap().to_flow()
}

/// The lines of all flows, sorted as the recorded ones are.
fn sorted(flows: &[Flow], write: impl Fn(&mut Vec<u8>, &Flow)) -> String {
    let mut lines: Vec<String> = flows.iter().map(|flow| text(|out| write(out, flow))).collect();
    lines.sort();
    lines.concat()
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn with_state_of_sctp(recorded: &str) -> String {
    recorded.replace("<state>FIN_WAIT</state>", "<state>ESTABLISHED</state>")
}

#[test]
fn lines_of_the_internal_cache_are_those_of_upstream() {
    let printed = sorted(&internal(), |out, flow| lines::internal(out, flow, AGE, &now_s));
    assert_eq!(printed, golden("internal.txt"));
    let printed = sorted(&internal(), |out, flow| lines::internal_xml(out, flow, &now_s));
    assert_eq!(printed, with_state_of_sctp(&golden("internal.xml")));
}

#[test]
fn lines_of_the_external_cache_are_those_of_upstream() {
    let flows: Vec<Flow> = common().iter().map(received).collect();
    let printed = sorted(&flows, |out, flow| lines::external(out, flow, AGE, &now_s));
    assert_eq!(printed, golden("external.txt"));
    let printed = sorted(&flows, |out, flow| lines::external_xml(out, flow, &now_s));
    assert_eq!(printed, with_state_of_sctp(&golden("external.xml")));
}

#[test]
fn entries_of_the_alarm_mode_tell_when_they_expire() {
    let recorded = golden("external-alarm.txt");
    let age = Age { expires_in_s: Some(177), ..AGE };
    let all = common();
    let flows: Vec<Flow> = all.iter().map(received).collect();
    let printed = sorted(&flows, |out, flow| lines::external(out, flow, age, &now_s));
    for line in recorded.lines() {
        assert!(printed.lines().any(|printed| printed == line), "{line}");
    }
}

#[test]
fn without_an_internal_cache_the_entries_of_the_kernel_are_shown_whole() {
    let mut flow = established(Family::Ipv4, 41224, 3780);
    flow = with_addresses(flow, v4([10, 99, 0, 1], [10, 99, 0, 2]));
    flow.timeout_s = Some(431_999);
    flow.mark = Some(Mark(9));
    flow.start = Some(TimeNs((NOW_S - 3) * 1_000_000_000));
    flow.counters = PerDirection {
        original: Some(Counters { packets: 9, bytes: 744 }),
        reply: Some(Counters { packets: 8, bytes: 424 }),
    };
    let printed = text(|out| lines::kernel(out, &flow, &now_s));
    assert_eq!(printed, golden("kernel.txt").split_inclusive('\n').next().unwrap());
    let printed = text(|out| lines::kernel_xml(out, &flow, &now_s));
    assert!(printed.contains("<timeout>431999</timeout>"), "{printed}");
}

fn expectation() -> Expectation {
    let tuple = |addresses, key| Tuple { addresses, protocol: Protocol::Tcp, key };
    let here = v4([10, 99, 0, 1], [10, 99, 0, 1]);
    Expectation {
        tuple: tuple(here, ports(0, 1025)),
        mask: tuple(v4([255; 4], [255; 4]), ports(0, 65535)),
        master: tuple(here, ports(40000, 21)),
        nat: Some(ExpectationNat {
            direction: flow::Direction::Original,
            tuple: tuple(v4([0; 4], [0; 4]), ports(0, 0)),
        }),
        timeout_s: Some(298),
        id: None,
        zone: None,
        flags: Some(ExpectationFlags::empty()),
        class: Some(0),
        helper: HelperName::from("ftp").ok(),
        function: None,
    }
}

#[test]
fn lines_of_expectations_are_those_of_upstream() {
    let parts = SentParts { timeout: true, window_scale: false };
    let record = ExpectationRecord::from_expectation(&expectation(), parts);
    for known in [expectation(), record.restore(Some(298))] {
        let printed = text(|out| lines::expectation(out, &known, AGE));
        assert_eq!(printed, golden("expectations.txt"));
        let printed = text(|out| lines::expectation_xml(out, &known));
        assert_eq!(printed, golden("expectations.xml"));
    }
}

#[test]
fn an_ended_flow_is_logged_with_counters_and_times_but_no_line_end() {
    let local = |_| CivilTime {
        year: 2026,
        month: 11,
        day: 2,
        hour: 10,
        minute: 55,
        second: 40,
        weekday: 1,
    };
    let mut flow = Flow { timeout_s: None, use_count: None, ..udp(4000, 4001) };
    assert_eq!(
        text(|out| lines::ended(out, &flow, &local, &now_s)),
        "udp      17 src=192.0.2.1 dst=198.51.100.2 sport=4000 dport=4001 packets=3 bytes=120 \
         [UNREPLIED] src=198.51.100.2 dst=192.0.2.1 sport=4001 dport=4000 packets=3 bytes=120 \
         mark=0"
    );
    flow.start = Some(TimeNs(1_000_000_000));
    flow.stop = Some(TimeNs(4_000_000_000));
    assert!(text(|out| lines::ended(out, &flow, &local, &now_s)).ends_with(
        " mark=0 delta-time=3 [start=Mon Nov  2 10:55:40 2026] [stop=Mon Nov  2 10:55:40 2026]"
    ));
}
