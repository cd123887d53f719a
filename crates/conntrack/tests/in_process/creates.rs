//! `-I` and `-A`: the flow that is asked for.

use std::net::IpAddr;

use ctnetlink::wire::MessageFlags;
use ctnetlink::{FlowRequest, NatRange};
use flow::{
    Family, Labels, Mark, PartialTuple, PerDirection, ProtoInfo, Protocol, SctpInfo, SctpState,
    Status, TcpState, Zone,
};

use crate::fake::{Ask, EEXIST, EINVAL, ENOENT, EPERM, Stage, closing, said, tcp_info, tuple, udp};

const UDP: &str = "-s 192.0.2.1 -d 198.51.100.1 -p udp --sport 7 --dport 53 -t 60";

/// A request for a flow of this tuple and its inverse, and 60 seconds.
fn plain(protocol: Protocol, port: u16) -> FlowRequest {
    let original = PartialTuple::from(tuple(protocol, port));
    FlowRequest {
        family: Some(Family::Ipv4),
        tuples: PerDirection { original, reply: original.inverted() },
        timeout_s: Some(60),
        ..FlowRequest::default()
    }
}

/// The one request that `line` sends.
#[track_caller]
fn request_of(line: &str) -> FlowRequest {
    let mut stage = Stage::new([]);
    stage.system.put_file("/etc/xtables/connlabel.conf", "1 one\n");
    let ended = stage.run(line);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(stage.kernel.asked(), [Ask::PutFlow]);
    stage.kernel.sent(Ask::PutFlow)[0].flow_request()
}

#[test]
fn a_created_flow_is_counted() {
    Stage::new([]).run(&format!("-I {UDP}")).is(0, "", &closing(1, "created"));
    Stage::new([]).run(&format!("-A {UDP}")).is(0, "", &closing(1, "added"));
}

#[test]
fn insert_is_exclusive_and_add_is_not() {
    let common = MessageFlags::REQUEST | MessageFlags::ACK | MessageFlags::CREATE;
    for (command, flags) in [("-I", common | MessageFlags::EXCL), ("-A", common)] {
        let mut stage = Stage::new([]);
        stage.run(&format!("{command} {UDP}"));
        assert_eq!(stage.kernel.sent(Ask::PutFlow)[0].flags(), flags, "{command}");
    }
}

#[test]
fn what_exists_is_refused_by_insert_and_changed_by_add() {
    let mut stage = Stage::new([udp(7)]);
    let stderr = said("Operation failed: Such conntrack exists, try -U to update");
    stage.run(&format!("-I {UDP}")).is(1, "", &stderr);
    stage.run(&format!("-A {UDP} -m 5")).is(0, "", &closing(1, "added"));
    assert_eq!(stage.kernel.flows()[0].mark, Some(Mark(5)));
}

#[test]
fn the_reply_is_derived_from_the_original() {
    assert_eq!(request_of(&format!("-I {UDP}")), plain(Protocol::Udp, 7));
}

#[test]
fn the_original_is_derived_from_the_reply() {
    let line =
        "-I -r 198.51.100.1 -q 192.0.2.1 -p udp --reply-port-src 53 --reply-port-dst 7 -t 60";
    assert_eq!(request_of(line), plain(Protocol::Udp, 7));
}

#[test]
fn a_reply_of_its_own_is_sent_as_typed() {
    let line =
        format!("-I {UDP} -r 203.0.113.5 -q 203.0.113.6 --reply-port-src 54 --reply-port-dst 8");
    let reply = PartialTuple {
        src: Some([203, 0, 113, 5].into()),
        dst: Some([203, 0, 113, 6].into()),
        src_port: Some(54),
        dst_port: Some(8),
        protocol: Some(Protocol::Udp),
        ..PartialTuple::default()
    };
    let mut expected = plain(Protocol::Udp, 7);
    expected.tuples.reply = reply;
    assert_eq!(request_of(&line), expected);
}

#[test]
fn icmp_types_are_answered_and_a_missing_id_is_zero() {
    let original = PartialTuple {
        src: Some([192, 0, 2, 1].into()),
        dst: Some([192, 0, 2, 2].into()),
        protocol: Some(Protocol::Icmp),
        icmp_kind: Some(8),
        icmp_code: Some(0),
        icmp_id: Some(0),
        ..PartialTuple::default()
    };
    let tuples = PerDirection { original, reply: original.inverted() };
    assert_eq!(tuples.reply.icmp_kind, Some(0));
    let line = "-I -p icmp --icmp-type 8 --icmp-code 0 -s 192.0.2.1 -d 192.0.2.2 -t 60";
    assert_eq!(request_of(line), FlowRequest { tuples, ..plain(Protocol::Udp, 1) });
}

#[test]
fn translations_carry_address_and_port_of_tcp_and_udp_only() {
    let range = |port| NatRange {
        first: Some(IpAddr::from([203, 0, 113, 9])),
        last: None,
        first_port: port,
        last_port: port,
    };
    let expected = FlowRequest { nat_src: Some(range(Some(99))), ..plain(Protocol::Udp, 7) };
    assert_eq!(request_of(&format!("-I {UDP} --src-nat 203.0.113.9:99")), expected);
    let expected = FlowRequest { nat_dst: Some(range(None)), ..plain(Protocol::Udp, 7) };
    assert_eq!(request_of(&format!("-I {UDP} --dst-nat 203.0.113.9")), expected);
    let line =
        "-I -s 192.0.2.1 -d 198.51.100.1 -p udplite --sport 7 --dport 53 -t 60 -n 203.0.113.9:99";
    let expected = FlowRequest { nat_src: Some(range(None)), ..plain(Protocol::UdpLite, 7) };
    assert_eq!(request_of(line), expected);
}

#[test]
fn tcp_flows_pass_outside_of_a_window_that_was_never_seen() {
    let tcp = "-s 192.0.2.1 -d 198.51.100.1 -p tcp --sport 7 --dport 53 -t 60";
    for (state, number, flags) in [
        ("ESTABLISHED", TcpState::ESTABLISHED, 0x0a),
        ("LAST_ACK", TcpState::LAST_ACK, 0x0a),
        ("TIME_WAIT", TcpState::TIME_WAIT, 0x0e),
        ("CLOSE", TcpState::CLOSE, 0x0e),
    ] {
        let expected = FlowRequest {
            protoinfo: Some(ProtoInfo::Tcp(tcp_info(Some(number), flags))),
            ..plain(Protocol::Tcp, 7)
        };
        assert_eq!(request_of(&format!("-I {tcp} --state {state}")), expected, "{state}");
    }
}

#[test]
fn verification_tags_are_sent_in_the_order_of_the_machine() {
    let sctp = "-s 192.0.2.1 -d 198.51.100.1 -p sctp --sport 7 --dport 53 -t 60";
    let vtags = PerDirection { original: Some(1u32.to_be()), reply: Some(5u32.to_be()) };
    let state = Some(SctpState::ESTABLISHED);
    let expected = FlowRequest {
        protoinfo: Some(ProtoInfo::Sctp(SctpInfo { state, vtags })),
        ..plain(Protocol::Sctp, 7)
    };
    let line = format!("-I {sctp} --state ESTABLISHED --orig-vtag 1 --reply-vtag 5");
    assert_eq!(request_of(&line), expected);
}

#[test]
fn zones_are_sent_where_they_belong() {
    let expected = FlowRequest { zone: Some(Zone(3)), ..plain(Protocol::Udp, 7) };
    assert_eq!(request_of(&format!("-I {UDP} -w 3")), expected);
    let tuple_zones = PerDirection { original: Some(Zone(4)), reply: Some(Zone(5)) };
    let expected = FlowRequest { tuple_zones, ..plain(Protocol::Udp, 7) };
    assert_eq!(request_of(&format!("-I {UDP} --orig-zone 4 --reply-zone 5")), expected);
}

#[test]
fn mark_status_and_labels_are_sent_as_given() {
    let expected = FlowRequest {
        mark: Some(Mark(9)),
        status: Some(Status::ASSURED | Status::CONFIRMED),
        labels: Some(Labels::from_bits([1])),
        ..plain(Protocol::Udp, 7)
    };
    let line = format!("-I {UDP} -m 9/0xff -u ASSURED --label-add one");
    assert_eq!(request_of(&line), expected);
}

#[test]
fn refusals_have_the_words_of_their_command() {
    for (command, errno, text) in [
        ("-I", EINVAL, "invalid parameters"),
        ("-A", EINVAL, "Invalid argument"),
        ("-I", EEXIST, "Such conntrack exists, try -U to update"),
        ("-A", EEXIST, "File exists"),
        ("-I", ENOENT, "such conntrack doesn't exist"),
        ("-A", 12, "not enough memory"),
        ("-I", 62, "conntrack has expired"),
        ("-A", 16, "Device or resource busy"),
        ("-I", EPERM, "sorry, you must be root or get CAP_NET_ADMIN capability to do this"),
    ] {
        let mut stage = Stage::new([]);
        stage.kernel.refuse(Ask::PutFlow, errno);
        let stderr = said(&format!("Operation failed: {text}"));
        stage.run(&format!("{command} {UDP}")).is(1, "", &stderr);
    }
}
