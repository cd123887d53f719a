//! Whole objects, exactly as `docs/schema/conntrack-v1.schema.json` orders them.

use flow::text::json::{self, Event, Program};
use flow::{
    AddressPair, Counters, DccpInfo, DccpRole, DccpState, Direction, EventKind, Expectation,
    ExpectationFlags, ExpectationId, ExpectationNat, Family, Flow, FlowId, HelperName, IcmpKey,
    L4Key, LabelMap, Labels, Mark, PerDirection, Ports, ProtoInfo, Protocol, SctpInfo, SctpState,
    SequenceAdjustment, Status, Synproxy, TcpFlags, TcpFlagsMasked, TcpInfo, TcpState, TimeNs,
    Tuple, Zone,
};

const NS: u64 = 1_000_000_000;

fn text(flow: &Flow) -> String {
    text_with(flow, None)
}

fn text_with(flow: &Flow, labels: Option<&LabelMap>) -> String {
    let format = json::Format { labels, now_s: &|| 1_800_000_000 };
    let mut out = Vec::new();
    json::write_flow(&mut out, flow, &format);
    String::from_utf8(out).unwrap()
}

fn tuple(family: Family, protocol: u8, key: L4Key) -> Tuple {
    let addresses = match family {
        Family::Ipv4 => {
            AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [198, 51, 100, 2].into() }
        }
        Family::Ipv6 => AddressPair::V6 {
            src: "2001:db8::1".parse().unwrap(),
            dst: "2001:db8::2".parse().unwrap(),
        },
    };
    Tuple { addresses, protocol: Protocol::from(protocol), key }
}

fn ports(src: u16, dst: u16) -> L4Key {
    L4Key::Ports(Ports { src, dst })
}

fn flow_of(original: Tuple) -> Flow {
    Flow::new(PerDirection { original, reply: original.inverted() })
}

/// What follows the tuples of a flow of which nothing else is known.
const UNKNOWN: &str = r#""status":null,"status_bits":null,"mark":null,"zone":null,"helper":null,"id":null,"use":null,"nat":null"#;

#[test]
fn keys_are_those_of_the_protocol_and_left_out_if_the_kernel_has_none() {
    let icmp = L4Key::Icmp(IcmpKey { kind: 8, code: 0, id: 77 });
    let icmpv6 = L4Key::Icmpv6(IcmpKey { kind: 128, code: 0, id: 9 });
    for (protocol, key, name, original, reply) in [
        (
            17,
            ports(5353, 53),
            "\"udp\"",
            ",\"sport\":5353,\"dport\":53",
            ",\"sport\":53,\"dport\":5353",
        ),
        (
            47,
            ports(17, 34),
            "\"gre\"",
            ",\"srckey\":17,\"dstkey\":34",
            ",\"srckey\":34,\"dstkey\":17",
        ),
        (
            1,
            icmp,
            "\"icmp\"",
            ",\"icmp\":{\"type\":8,\"code\":0,\"id\":77}",
            ",\"icmp\":{\"type\":0,\"code\":0,\"id\":77}",
        ),
        (
            58,
            icmpv6,
            "\"icmpv6\"",
            ",\"icmp\":{\"type\":128,\"code\":0,\"id\":9}",
            ",\"icmp\":{\"type\":129,\"code\":0,\"id\":9}",
        ),
        (33, L4Key::None, "\"dccp\"", "", ""),
        (200, L4Key::None, "null", "", ""),
    ] {
        let expected = format!(
            r#"{{"family":"ipv6","protocol":{{"number":{protocol},"name":{name}}},"state":null,"timeout_s":null,"original":{{"src":"2001:db8::1","dst":"2001:db8::2"{original}}},"reply":{{"src":"2001:db8::2","dst":"2001:db8::1"{reply}}},{UNKNOWN}}}"#
        );
        assert_eq!(text(&flow_of(tuple(Family::Ipv6, protocol, key))), expected);
    }
}

/// A flow with every part that a flow can have.
fn complete() -> Flow {
    let mut flow = flow_of(tuple(Family::Ipv4, 6, ports(1001, 80)));
    flow.tuples.reply = Tuple {
        addresses: AddressPair::V4 { src: [10, 0, 0, 9].into(), dst: [203, 0, 113, 3].into() },
        key: ports(8080, 5000),
        ..flow.tuples.reply
    };
    let master = tuple(Family::Ipv4, 17, ports(5060, 5061));
    let offsets = SequenceAdjustment { correction_position: 7, offset_before: -3, offset_after: 4 };
    Flow {
        tuple_zones: PerDirection { original: Some(Zone(4)), reply: None },
        zone: Some(Zone(3)),
        status: Some(
            Status::SEEN_REPLY
                | Status::SRC_NAT_DONE
                | Status::DST_NAT_DONE
                | Status::from_bits_retain(1 << 31),
        ),
        timeout_s: Some(431_999),
        mark: Some(Mark(u32::MAX)),
        protoinfo: Some(ProtoInfo::Tcp(TcpInfo {
            state: Some(TcpState::ESTABLISHED),
            window_scale: PerDirection { original: Some(7), reply: None },
            flags: PerDirection {
                original: Some(TcpFlagsMasked {
                    flags: TcpFlags::WINDOW_SCALE | TcpFlags::MAXACK_SET,
                    mask: TcpFlags::empty(),
                }),
                reply: None,
            },
        })),
        counters: PerDirection {
            original: Some(Counters { packets: u64::MAX, bytes: 0 }),
            reply: None,
        },
        start: Some(TimeNs(1_700_000_000 * NS + 5)),
        stop: Some(TimeNs(1_700_000_003 * NS + 4)),
        event_time: None,
        helper: Some(HelperName::from("a\"b\\\n").unwrap()),
        helper_info: None,
        use_count: Some(1),
        id: Some(FlowId(99)),
        labels: Some(Labels::from_bits([1, 127])),
        master: Some(master),
        sequence_adjustment: PerDirection {
            original: Some(offsets),
            reply: Some(SequenceAdjustment::default()),
        },
        synproxy: Some(Synproxy { initial_sequence: 1, initial_timestamp: 2, timestamp_offset: 3 }),
        secmark: Some(5),
        secctx: Some(b"system_u\xff:\x1b[31m".as_slice().into()),
        ..flow
    }
}

#[test]
fn a_complete_flow_has_its_fields_in_order() {
    let labels = LabelMap::parse(b"1 eth0-in\n");
    let expected = concat!(
        r#"{"family":"ipv4","protocol":{"number":6,"name":"tcp"},"state":"ESTABLISHED","timeout_s":431999,"#,
        r#""original":{"src":"192.0.2.1","dst":"198.51.100.2","sport":1001,"dport":80,"zone":4,"packets":18446744073709551615,"bytes":0},"#,
        r#""reply":{"src":"10.0.0.9","dst":"203.0.113.3","sport":8080,"dport":5000},"#,
        r#""status":["SEEN_REPLY","SRC_NAT_DONE","DST_NAT_DONE","bit 31"],"status_bits":2147484034,"#,
        r#""mark":4294967295,"zone":3,"labels":[{"bit":1,"name":"eth0-in"},{"bit":127,"name":null}],"#,
        r#""helper":"a\"b\\\n","id":99,"use":1,"#,
        r#""start":"2023-11-14T22:13:20.000000005Z","start_ns":1700000000000000005,"#,
        r#""stop":"2023-11-14T22:13:23.000000004Z","stop_ns":1700000003000000004,"delta_time_s":2,"#,
        r#""nat":{"src":{"address":"203.0.113.3","port":5000},"dst":{"address":"10.0.0.9","port":8080}},"#,
        r#""secmark":5,"secctx":"system_u�:\u001b[31m","#,
        r#""master":{"protocol":{"number":17,"name":"udp"},"src":"192.0.2.1","dst":"198.51.100.2","sport":5060,"dport":5061},"#,
        r#""sequence_adjustment":{"original":{"correction_position":7,"offset_before":-3,"offset_after":4},"reply":null},"#,
        r#""synproxy":{"initial_sequence":1,"initial_timestamp":2,"timestamp_offset":3},"#,
        r#""tcp":{"original":{"window_scale":7,"flags":["WINDOW_SCALE","MAXACK_SET"]},"reply":null}}"#,
    );
    assert_eq!(text_with(&complete(), Some(&labels)), expected);
}

#[test]
fn zeros_of_the_kernel_are_no_sequence_adjustment_and_no_synproxy() {
    let mut flow = flow_of(tuple(Family::Ipv4, 17, ports(1, 2)));
    let without = text(&flow);
    flow.sequence_adjustment = PerDirection::from_fn(|_| Some(SequenceAdjustment::default()));
    flow.synproxy = Some(Synproxy::default());
    assert_eq!(text(&flow), without);
}

#[test]
fn the_age_of_a_living_flow_is_that_of_now() {
    let mut flow = flow_of(tuple(Family::Ipv4, 17, ports(1, 2)));
    flow.start = Some(TimeNs(1_799_999_990 * NS + 1));
    assert!(text(&flow).contains(r#""start_ns":1799999990000000001,"delta_time_s":10,"nat""#));
}

#[test]
fn trackers_say_what_they_keep_beside_the_state() {
    let mut flow = flow_of(tuple(Family::Ipv4, 132, ports(1, 2)));
    let mut with = |protoinfo| {
        flow.protoinfo = Some(protoinfo);
        text(&flow)
    };
    let state = Some(SctpState::ESTABLISHED);
    let vtags = PerDirection { original: Some(7), reply: Some(8) };
    let sctp = with(ProtoInfo::Sctp(SctpInfo { state, vtags }));
    assert!(sctp.ends_with(r#""nat":null,"sctp":{"original":{"vtag":7},"reply":{"vtag":8}}}"#));
    let dccp = |role| DccpInfo { state: Some(DccpState::OPEN), role, handshake_sequence: None };
    for (role, end) in [
        (Some(DccpRole::CLIENT), r#""dccp":{"role":"client","handshake_sequence":null}}"#),
        (Some(DccpRole(7)), r#""dccp":{"role":"role 7","handshake_sequence":null}}"#),
        (None, r#""nat":null}"#),
    ] {
        assert!(with(ProtoInfo::Dccp(dccp(role))).ends_with(end));
    }
    let state_only = TcpInfo { state: Some(TcpState::CLOSE), ..TcpInfo::default() };
    assert!(with(ProtoInfo::Tcp(state_only)).ends_with(r#""nat":null}"#));
}

#[test]
fn translated_keys_have_the_name_of_their_kind() {
    let echo = |kind, id| L4Key::Icmp(IcmpKey { kind, code: 0, id });
    for (protocol, original, reply, nat) in [
        (1, echo(8, 77), echo(0, 78), r#"{"address":"192.0.2.1","port":null,"icmp_id":78}"#),
        (47, ports(17, 34), ports(34, 18), r#"{"address":"192.0.2.1","port":null,"key":18}"#),
        (17, ports(17, 34), ports(34, 18), r#"{"address":"192.0.2.1","port":18}"#),
        (50, L4Key::None, L4Key::None, "null"),
    ] {
        let mut flow = flow_of(tuple(Family::Ipv4, protocol, original));
        flow.tuples.reply.key = reply;
        flow.status = Some(Status::SRC_NAT | Status::SRC_NAT_DONE | Status::DST_NAT_DONE);
        let expected = format!(r#""nat":{{"src":{nat},"dst":null}}"#);
        assert!(text(&flow).contains(&expected), "{}", text(&flow));
    }
}

#[test]
fn an_event_says_what_when_and_by_whom() {
    let flow = flow_of(tuple(Family::Ipv4, 17, ports(1, 2)));
    let format = json::Format { labels: None, now_s: &|| 0 };
    let name = Some("ct\u{9b}\"");
    for (kind, program, begin) in [
        (EventKind::New, None, r#"{"event":"new",TIME,"program":null,"flow":{"family""#),
        (
            EventKind::Update,
            Some(Program { port_id: 7, name }),
            r#"{"event":"update",TIME,"program":{"port_id":7,"name":"ct\u009b\""},"flow":{"family""#,
        ),
        (
            EventKind::Destroy,
            Some(Program { port_id: u32::MAX, name: None }),
            r#"{"event":"destroy",TIME,"program":{"port_id":4294967295,"name":null},"flow":{"family""#,
        ),
    ] {
        let event = Event { kind, time: TimeNs(NS + 1), program };
        let mut out = Vec::new();
        json::write_flow_event(&mut out, &flow, &event, &format);
        let time = r#""time":"1970-01-01T00:00:01.000000001Z","time_ns":1000000001"#;
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with(&begin.replace("TIME", time)), "{out}");
        assert!(out.ends_with(r#""nat":null}}"#), "{out}");
    }
}

#[test]
fn expectations_have_all_their_parts() {
    let tuple = tuple(Family::Ipv4, 6, ports(0, 7000));
    let mut expectation = Expectation {
        tuple,
        mask: tuple,
        master: Tuple { protocol: Protocol::Udp, ..tuple },
        nat: Some(ExpectationNat { direction: Direction::Reply, tuple }),
        timeout_s: Some(300),
        id: Some(ExpectationId(8)),
        zone: Some(Zone(2)),
        flags: Some(ExpectationFlags::from_bits_retain(0b1011)),
        class: Some(0),
        helper: Some(HelperName::from("ftp").unwrap()),
        function: Some("nat\"follow".into()),
    };
    let text = |expectation: &Expectation| {
        let mut out = Vec::new();
        json::write_expectation(&mut out, expectation);
        String::from_utf8(out).unwrap()
    };
    let addresses = r#""src":"192.0.2.1","dst":"198.51.100.2","sport":0,"dport":7000"#;
    let begin = r#"{"family":"ipv4","protocol":{"number":6,"name":"tcp"},"timeout_s":300,"#;
    let tuples = format!(
        r#""tuple":{{{addresses}}},"mask":{{{addresses}}},"master":{{"protocol":{{"number":17,"name":"udp"}},{addresses}}},"#
    );
    let nat = format!(
        r#""nat":{{"direction":"reply","tuple":{{"protocol":{{"number":6,"name":"tcp"}},{addresses}}}}},"#
    );
    let rest = r#""flags":["PERMANENT","INACTIVE","bit 3"],"flag_bits":11,"class":0,"helper":"ftp","function":"nat\"follow","zone":2,"id":8}"#;
    assert_eq!(text(&expectation), format!("{begin}{tuples}{nat}{rest}"));
    expectation.nat = None;
    expectation.flags = None;
    expectation.helper = None;
    expectation.function = None;
    assert!(text(&expectation).contains(
        r#""nat":null,"flags":null,"flag_bits":null,"class":0,"helper":null,"function":null,"#
    ));
}

#[test]
fn counts_and_counters_are_numbers_or_null() {
    let mut out = Vec::new();
    json::write_count(&mut out, 12, Some(262_144));
    json::write_count(&mut out, 0, None);
    json::write_cpu(&mut out, 1, [("found", 0), ("x\"", u32::MAX)].into_iter());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"version":1,"count":12,"max":262144}"#,
            r#"{"version":1,"count":0,"max":null}"#,
            r#"{"cpu":1,"found":0,"x\"":4294967295}"#,
        )
    );
}
