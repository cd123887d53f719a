//! The plain text form: whole lines, exactly as scripts expect them from upstream.

use flow::text::{CivilTime, plain};
use flow::{
    AddressPair, Counters, DccpInfo, DccpState, Direction, EventKind, Family, Flow, FlowId,
    HelperName, IcmpKey, L4Key, LabelMap, Labels, Mark, PerDirection, Ports, ProtoInfo, Protocol,
    SctpInfo, SctpState, SequenceAdjustment, Status, Synproxy, TcpInfo, TcpState, TimeNs, Tuple,
    Zone,
};

const NOW_S: u64 = 1_800_000_000;
const NS: u64 = 1_000_000_000;

/// What a line shows beyond the fixed fields.
#[derive(Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
struct Shown {
    layer3: bool,
    id: bool,
    times: bool,
    labels: bool,
}

const NOTHING_MORE: Shown = Shown { layer3: false, id: false, times: false, labels: false };

fn line(flow: &Flow, shown: Shown) -> String {
    let labels = LabelMap::parse(b"0 zero\n1 eth0-in\n33 two words\n127 last\n");
    let format = plain::Format {
        layer3: shown.layer3,
        id: shown.id,
        times: if shown.times { Some(&a_sunday) } else { None },
        labels: shown.labels.then_some(&labels),
        now_s: &|| NOW_S,
    };
    let mut out = Vec::new();
    plain::write_flow(&mut out, flow, &format);
    String::from_utf8_lossy(&out).into_owned()
}

/// The second is that of the time, so that start and stop can be told apart.
fn a_sunday(seconds: u64) -> CivilTime {
    CivilTime {
        year: 2025,
        month: 11,
        day: 2,
        hour: 9,
        minute: 5,
        second: u8::try_from(seconds % 60).unwrap_or(u8::MAX),
        weekday: 0,
    }
}

fn flow(family: Family, protocol: Protocol, key: L4Key) -> Flow {
    let addresses = match family {
        Family::Ipv4 => AddressPair::V4 { src: [10, 0, 0, 1].into(), dst: [10, 0, 0, 2].into() },
        Family::Ipv6 => AddressPair::V6 {
            src: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
            dst: [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x201].into(),
        },
    };
    let original = Tuple { addresses, protocol, key };
    Flow::new(PerDirection { original, reply: original.inverted() })
}

fn ports(src: u16, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src, dst })
}

fn udp() -> Flow {
    flow(Family::Ipv4, Protocol::Udp, ports(1001, 53))
}

fn both<T: Clone>(value: T) -> PerDirection<T> {
    PerDirection::from_fn(|_| value.clone())
}

#[test]
fn every_field_stands_in_its_place() {
    let mut flow = flow(Family::Ipv4, Protocol::Tcp, ports(40000, 443));
    flow.timeout_s = Some(431_999);
    flow.protoinfo =
        Some(ProtoInfo::Tcp(TcpInfo { state: Some(TcpState::ESTABLISHED), ..TcpInfo::default() }));
    flow.status = Some(Status::CONFIRMED | Status::ASSURED);
    flow.tuple_zones = PerDirection { original: Some(Zone(1)), reply: Some(Zone(2)) };
    flow.counters = PerDirection {
        original: Some(Counters { packets: 3, bytes: 180 }),
        reply: Some(Counters { packets: u64::MAX, bytes: 0 }),
    };
    flow.mark = Some(Mark(u32::MAX));
    flow.secmark = Some(4);
    flow.secctx = Some(b"system_u:object_r:unlabeled_t:s0".as_slice().into());
    flow.zone = Some(Zone(65535));
    flow.start = Some(TimeNs((NOW_S - 100) * NS));
    flow.stop = Some(TimeNs((NOW_S - 59) * NS));
    flow.helper = HelperName::from("ftp").ok();
    flow.use_count = Some(1);
    flow.id = Some(FlowId(4_000_000_000));
    flow.labels = Some(Labels::from_bits([33, 0]));
    let shown = Shown { layer3: true, id: true, times: true, labels: true };
    assert_eq!(
        line(&flow, shown),
        "ipv4     2 tcp      6 431999 ESTABLISHED \
         src=10.0.0.1 dst=10.0.0.2 sport=40000 dport=443 zone-orig=1 packets=3 bytes=180 \
         [UNREPLIED] \
         src=10.0.0.2 dst=10.0.0.1 sport=443 dport=40000 zone-reply=2 \
         packets=18446744073709551615 bytes=0 \
         [ASSURED] mark=4294967295 secmark=4 secctx=system_u:object_r:unlabeled_t:s0 zone=65535 \
         delta-time=41 [start=Sun Nov  2 09:05:20 2025] [stop=Sun Nov  2 09:05:01 2025] \
         helper=ftp use=1 id=4000000000 labels=zero,two words"
    );
}

/// What it is, a change of [`udp`], and what that adds to its line: before the first tuple, between the two, and behind
/// the second.
type Condition = (&'static str, fn(&mut Flow), [&'static str; 3]);

const CONDITIONS: [Condition; 31] = [
    ("nothing known", |_| {}, ["", "", ""]),
    ("timeout", |f| f.timeout_s = Some(0), ["0 ", "", ""]),
    ("no status bit", |f| f.status = Some(Status::empty()), ["", " [UNREPLIED]", ""]),
    ("unreplied", |f| f.status = Some(Status::CONFIRMED), ["", " [UNREPLIED]", ""]),
    ("replied", |f| f.status = Some(Status::SEEN_REPLY), ["", "", ""]),
    ("assured", |f| f.status = Some(Status::SEEN_REPLY | Status::ASSURED), ["", "", " [ASSURED]"]),
    (
        "offloaded hides assured",
        |f| f.status = Some(Status::SEEN_REPLY | Status::ASSURED | Status::OFFLOAD),
        ["", "", " [OFFLOAD]"],
    ),
    (
        "offloaded to hardware hides all",
        |f| f.status = Some(Status::all()),
        ["", "", " [HW_OFFLOAD]"],
    ),
    (
        "offloaded and unreplied",
        |f| f.status = Some(Status::HW_OFFLOAD),
        ["", " [UNREPLIED]", " [HW_OFFLOAD]"],
    ),
    ("zone", |f| f.zone = Some(Zone(0)), ["", "", " zone=0"]),
    (
        "zone of the original direction",
        |f| f.tuple_zones.original = Some(Zone(8)),
        ["", " zone-orig=8", ""],
    ),
    (
        "zone of the reply direction",
        |f| f.tuple_zones.reply = Some(Zone(9)),
        ["", "", " zone-reply=9"],
    ),
    (
        "counters of the original direction only",
        |f| f.counters.original = Some(Counters::default()),
        ["", " packets=0 bytes=0", ""],
    ),
    (
        "counters of the reply direction only",
        |f| f.counters.reply = Some(Counters { packets: 1, bytes: 84 }),
        ["", "", " packets=1 bytes=84"],
    ),
    ("mark of 0", |f| f.mark = Some(Mark(0)), ["", "", " mark=0"]),
    ("mark", |f| f.mark = Some(Mark(0xff)), ["", "", " mark=255"]),
    ("secmark", |f| f.secmark = Some(1), ["", "", " secmark=1"]),
    (
        "security context of any bytes",
        |f| f.secctx = Some(b"a b".as_slice().into()),
        ["", "", " secctx=a b"],
    ),
    ("empty security context", |f| f.secctx = Some(Box::default()), ["", "", " secctx="]),
    (
        "age until now",
        |f| f.start = Some(TimeNs((NOW_S - 7) * NS + 999_999_999)),
        ["", "", " delta-time=7"],
    ),
    (
        "age until the end, in whole seconds of each",
        |f| {
            f.start = Some(TimeNs(10 * NS + 999_999_999));
            f.stop = Some(TimeNs(12 * NS));
        },
        ["", "", " delta-time=2"],
    ),
    ("a start after now", |f| f.start = Some(TimeNs(u64::MAX)), ["", "", " delta-time=0"]),
    ("an end without a start", |f| f.stop = Some(TimeNs(0)), ["", "", ""]),
    ("helper", |f| f.helper = HelperName::from("Q.931").ok(), ["", "", " helper=Q.931"]),
    ("use count", |f| f.use_count = Some(2), ["", "", " use=2"]),
    ("id, not asked for", |f| f.id = Some(FlowId(1)), ["", "", ""]),
    ("labels, not asked for", |f| f.labels = Some(Labels::from_bits([1])), ["", "", ""]),
    ("master", |f| f.master = Some(f.tuples.original), ["", "", ""]),
    ("time of the event", |f| f.event_time = Some(TimeNs(NS)), ["", "", ""]),
    (
        "sequence adjustment",
        |f| f.sequence_adjustment = both(Some(SequenceAdjustment::default())),
        ["", "", ""],
    ),
    ("SYN proxy", |f| f.synproxy = Some(Synproxy::default()), ["", "", ""]),
];

#[test]
fn each_field_has_its_condition() {
    for (what, change, [first, middle, last]) in CONDITIONS {
        let mut flow = udp();
        change(&mut flow);
        let expected = format!(
            "udp      17 {first}src=10.0.0.1 dst=10.0.0.2 sport=1001 dport=53{middle} \
             src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1001{last}"
        );
        assert_eq!(line(&flow, NOTHING_MORE), expected, "{what}");
    }
}

#[test]
fn protocols_have_their_names_and_keys() {
    let icmp = IcmpKey { kind: 8, code: 1, id: 48879 };
    let rows = [
        (Protocol::Tcp, ports(1, 2), "tcp      6", " sport=1 dport=2"),
        (Protocol::Udp, ports(1, 2), "udp      17", " sport=1 dport=2"),
        (Protocol::UdpLite, ports(1, 2), "udplite  136", " sport=1 dport=2"),
        (Protocol::Sctp, ports(1, 2), "sctp     132", " sport=1 dport=2"),
        (Protocol::Dccp, ports(1, 2), "dccp     33", " sport=1 dport=2"),
        // What a kernel without the tracker leaves out is printed as 0.
        (Protocol::Dccp, L4Key::None, "dccp     33", " sport=0 dport=0"),
        (Protocol::Sctp, L4Key::None, "sctp     132", " sport=0 dport=0"),
        (Protocol::Gre, ports(0, 0xabcd), "gre      47", " srckey=0x0 dstkey=0xabcd"),
        (Protocol::Gre, L4Key::None, "gre      47", " srckey=0x0 dstkey=0x0"),
        (Protocol::Icmp, L4Key::Icmp(icmp), "icmp     1", " type=8 code=1 id=48879"),
        (Protocol::Icmp, L4Key::None, "icmp     1", " type=0 code=0 id=0"),
        (Protocol::Other(89), L4Key::None, "unknown  89", ""),
        (Protocol::Other(255), L4Key::None, "unknown  255", ""),
        (Protocol::Other(50), ports(1, 2), "unknown  50", ""),
    ];
    for (protocol, key, name, expected) in rows {
        let mut flow = flow(Family::Ipv4, protocol, key);
        // The same on both sides, so that the row tells all.
        flow.tuples.reply = flow.tuples.original;
        let expected = format!(
            "{name} src=10.0.0.1 dst=10.0.0.2{expected} src=10.0.0.1 dst=10.0.0.2{expected}"
        );
        assert_eq!(line(&flow, NOTHING_MORE), expected);
    }
}

#[test]
fn reply_of_a_ping_has_the_type_of_the_answer() {
    let key = IcmpKey { kind: 128, code: 0, id: 7 };
    let flow = flow(Family::Ipv6, Protocol::Icmpv6, L4Key::Icmpv6(key));
    let shown = Shown { layer3: true, ..NOTHING_MORE };
    assert_eq!(
        line(&flow, shown),
        "ipv6     10 icmpv6   58 src=2001:db8::1 dst=::ffff:192.0.2.1 type=128 code=0 id=7 \
         src=::ffff:192.0.2.1 dst=2001:db8::1 type=129 code=0 id=7"
    );
}

#[test]
fn states_have_the_names_of_their_protocol() {
    let tcp =
        |state| ProtoInfo::Tcp(TcpInfo { state: Some(TcpState(state)), ..TcpInfo::default() });
    let sctp =
        |state| ProtoInfo::Sctp(SctpInfo { state: Some(SctpState(state)), ..SctpInfo::default() });
    let dccp =
        |state| ProtoInfo::Dccp(DccpInfo { state: Some(DccpState(state)), ..DccpInfo::default() });
    let rows = [
        (tcp(0), " NONE"),
        (tcp(1), " SYN_SENT"),
        (tcp(2), " SYN_RECV"),
        (tcp(3), " ESTABLISHED"),
        (tcp(4), " FIN_WAIT"),
        (tcp(5), " CLOSE_WAIT"),
        (tcp(6), " LAST_ACK"),
        (tcp(7), " TIME_WAIT"),
        (tcp(8), " CLOSE"),
        (tcp(9), " SYN_SENT2"),
        (tcp(10), " NONE"),
        (tcp(255), " NONE"),
        (ProtoInfo::Tcp(TcpInfo::default()), ""),
        (sctp(0), " NONE"),
        (sctp(1), " CLOSED"),
        (sctp(4), " ESTABLISHED"),
        (sctp(8), " HEARTBEAT_SENT"),
        (sctp(9), " HEARTBEAT_ACKED"),
        (sctp(10), " NONE"),
        (ProtoInfo::Sctp(SctpInfo::default()), ""),
        (dccp(1), " REQUEST"),
        (dccp(7), " TIMEWAIT"),
        (dccp(10), " NONE"),
        (ProtoInfo::Dccp(DccpInfo::default()), ""),
    ];
    for (protoinfo, state) in rows {
        let mut flow = udp();
        flow.timeout_s = Some(30);
        flow.protoinfo = Some(protoinfo);
        let expected = format!("udp      17 30{state} src=10.0.0.1");
        assert!(line(&flow, NOTHING_MORE).starts_with(&expected), "{protoinfo:?}");
    }
}

#[test]
fn labels_are_listed_by_bit_and_only_with_a_name() {
    let shown = Shown { labels: true, ..NOTHING_MORE };
    let bits = |bits: &[u32]| Some(Labels::from_bits(bits.iter().copied()));
    let four_bytes = [2, 0, 0, 0].map(u8::to_be);
    let rows = [
        (None, ""),
        (bits(&[127, 0, 33]), " labels=zero,two words,last"),
        (bits(&[1, 2, 3]), " labels=eth0-in"),
        // Upstream cuts the equals sign off.
        (bits(&[2, 126]), " labels="),
        (bits(&[]), " labels="),
    ];
    for (labels, expected) in rows {
        let mut flow = udp();
        flow.labels = labels;
        let line = line(&flow, shown);
        let (_, found) = line.split_at(line.find("dport=1001").unwrap_or(0) + 10);
        assert_eq!(found, expected);
    }
    if cfg!(target_endian = "little") {
        let mut flow = udp();
        flow.labels = Labels::from_bytes(&four_bytes);
        assert!(line(&flow, shown).ends_with(" labels=eth0-in"));
    }
}

#[test]
fn id_and_times_are_shown_on_demand() {
    let mut flow = udp();
    flow.id = Some(FlowId(0));
    flow.stop = Some(TimeNs(59 * NS));
    let shown = Shown { id: true, times: true, ..NOTHING_MORE };
    let both_shown = line(&flow, shown);
    assert!(both_shown.ends_with("dport=1001 [stop=Sun Nov  2 09:05:59 2025] id=0"));
    flow.start = Some(TimeNs(0));
    assert!(line(&flow, shown).contains(
        " delta-time=59 [start=Sun Nov  2 09:05:00 2025] [stop=Sun Nov  2 09:05:59 2025] id=0"
    ));
}

#[test]
fn dates_have_the_form_of_the_c_library() {
    let date = |year, month, day, weekday| CivilTime {
        year,
        month,
        day,
        hour: 23,
        minute: 0,
        second: 60,
        weekday,
    };
    let rows = [
        (date(1970, 1, 1, 4), "[start=Thu Jan  1 23:00:60 1970]"),
        (date(2024, 2, 29, 4), "[start=Thu Feb 29 23:00:60 2024]"),
        (date(2026, 12, 10, 6), "[start=Sat Dec 10 23:00:60 2026]"),
        // Not a date, but no reason to fail.
        (date(2026, 13, 10, 7), "[start=??? ??? 10 23:00:60 2026]"),
    ];
    for (time, expected) in rows {
        let mut flow = udp();
        flow.start = Some(TimeNs(0));
        let format = plain::Format {
            layer3: false,
            id: false,
            times: Some(&|_| time),
            labels: None,
            now_s: &|| NOW_S,
        };
        let mut out = Vec::new();
        plain::write_flow(&mut out, &flow, &format);
        assert!(String::from_utf8_lossy(&out).ends_with(expected), "{expected}");
    }
}

#[test]
fn the_clock_is_not_asked_for_a_flow_that_ended() {
    let mut flow = udp();
    flow.start = Some(TimeNs(5 * NS));
    flow.stop = Some(TimeNs(8 * NS));
    let format = plain::Format {
        layer3: false,
        id: false,
        times: None,
        labels: None,
        now_s: &|| panic!("asked"),
    };
    let mut out = Vec::new();
    plain::write_flow(&mut out, &flow, &format);
    assert!(out.ends_with(b" delta-time=3"));
}

#[test]
fn events_have_a_prefix_of_ten_characters() {
    for (kind, prefix) in [
        (EventKind::New, "    [NEW] "),
        (EventKind::Update, " [UPDATE] "),
        (EventKind::Destroy, "[DESTROY] "),
    ] {
        let mut out = b"before ".to_vec();
        plain::write_event_kind(&mut out, kind);
        assert_eq!(String::from_utf8_lossy(&out), format!("before {prefix}"));
    }
}

#[test]
fn translated_flows_show_both_tuples_as_they_are() {
    let mut flow = udp();
    flow.tuples[Direction::Reply].addresses =
        AddressPair::V4 { src: [10, 0, 0, 2].into(), dst: [203, 0, 113, 9].into() };
    flow.tuples[Direction::Reply].key = ports(53, 61000);
    assert!(
        line(&flow, NOTHING_MORE).ends_with(" src=10.0.0.2 dst=203.0.113.9 sport=53 dport=61000")
    );
}
