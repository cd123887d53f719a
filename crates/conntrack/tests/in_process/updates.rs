//! `-U`: what is sent for each flow, what is not, and what happens to flows that cannot be changed.

use ctnetlink::wire::MessageFlags;
use ctnetlink::{DumpFilter, FlowRequest, Request, TupleFields};
use flow::{
    Family, Flow, Labels, Mark, PartialTuple, PerDirection, ProtoInfo, Protocol, Status, TcpState,
    Zone,
};

use crate::fake::{
    Ask, ENOENT, ENOSPC, EOPNOTSUPP, EPIPE, Part, Stage, Step, closing, flow_content_with, request,
    said, tcp_info, tuple, udp, udp_line,
};

/// A request about [`udp`] that changes nothing.
fn about(port: u16) -> FlowRequest {
    FlowRequest {
        family: Some(Family::Ipv4),
        tuples: PerDirection {
            original: tuple(Protocol::Udp, port).into(),
            reply: PartialTuple::default(),
        },
        ..FlowRequest::default()
    }
}

/// The one change that `line` sends for this flow.
#[track_caller]
fn change_of(line: &str, flow: Flow) -> FlowRequest {
    let mut stage = Stage::new([flow]);
    stage.system.put_file("/etc/xtables/connlabel.conf", "1 one\n40 forty\n");
    let ended = stage.run(line);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(stage.kernel.asked(), [Ask::DumpFlows, Ask::PutFlow, Ask::GetFlow]);
    let [put, get] = [Ask::PutFlow, Ask::GetFlow].map(|ask| stage.kernel.sent(ask).remove(0));
    // The answer to the get says that the change was answered too, had it been refused.
    assert_eq!(put.flags(), MessageFlags::REQUEST);
    assert_eq!(get.flags(), MessageFlags::REQUEST);
    assert_eq!(put.socket, get.socket);
    put.flow_request()
}

#[test]
fn an_updated_flow_is_shown_as_it_is_now() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    let line = udp_line(2).replace("mark=0", "mark=9");
    stage.run("-U -p udp --sport 2 -m 9").is(0, &line, &closing(1, "updated"));
}

#[test]
fn a_masked_mark_replaces_only_its_bits() {
    let flow = Flow { mark: Some(Mark(0x25)), ..udp(1) };
    let expected = FlowRequest { mark: Some(Mark(0x15)), ..about(1) };
    assert_eq!(change_of("-U -m 0x10/0xf0", flow), expected);
}

#[test]
fn status_bits_are_added_to_those_of_the_flow() {
    let status = Some(Status::SEEN_REPLY | Status::CONFIRMED | Status::ASSURED);
    let expected = FlowRequest { status, ..about(1) };
    assert_eq!(change_of("-U -u ASSURED", udp(1)), expected);
}

#[test]
fn a_timeout_is_sent_alone() {
    let expected = FlowRequest { timeout_s: Some(77), ..about(1) };
    assert_eq!(change_of("-U -t 77", udp(1)), expected);
}

#[test]
fn added_labels_come_with_a_mask_so_that_others_stay() {
    let forty = Labels::from_bits([40]);
    let expected =
        FlowRequest { labels: Some(forty.clone()), labels_mask: Some(forty), ..about(1) };
    assert_eq!(change_of("-U --label-add forty", udp(1)), expected);
}

#[test]
fn removed_labels_are_cleared_under_a_mask() {
    let labels = Some(Labels::from_bits([1, 40]));
    let expected = FlowRequest {
        labels: Some(Labels::from_bits([])),
        labels_mask: Some(Labels::from_bits([1])),
        ..about(1)
    };
    assert_eq!(change_of("-U --label-del one", Flow { labels, ..udp(1) }), expected);
}

#[test]
fn all_labels_are_cleared_without_a_mask() {
    let labels = Some(Labels::from_bits([1, 40]));
    let expected = FlowRequest { labels: Some(Labels::from_bits([])), ..about(1) };
    assert_eq!(change_of("-U --label-del", Flow { labels, ..udp(1) }), expected);
}

#[test]
fn the_zone_of_the_flow_is_sent_so_that_it_is_found() {
    let flow = Flow { zone: Some(Zone(4)), ..udp(1) };
    let expected = FlowRequest { zone: Some(Zone(4)), mark: Some(Mark(1)), ..about(1) };
    assert_eq!(change_of("-U -m 1", flow), expected);
}

#[test]
fn a_protocol_state_comes_with_the_flags_that_let_packets_pass() {
    let original = tuple(Protocol::Tcp, 1);
    let tcp = |state| Some(ProtoInfo::Tcp(tcp_info(Some(state), 0)));
    let flow = Flow {
        tuples: PerDirection { original, reply: original.inverted() },
        protoinfo: tcp(TcpState::ESTABLISHED),
        ..udp(1)
    };
    let expected = FlowRequest {
        tuples: PerDirection { original: original.into(), reply: PartialTuple::default() },
        protoinfo: Some(ProtoInfo::Tcp(tcp_info(Some(TcpState::CLOSE), 0x0a | 0x04))),
        ..about(1)
    };
    assert_eq!(change_of("-U -f ipv4 -p tcp --state CLOSE", flow), expected);
}

#[test]
fn filters_are_not_sent_with_the_change_nor_new_values_with_the_dump() {
    let status =
        Some(Status::CONFIRMED | Status::SRC_NAT | Status::SRC_NAT_DONE | Status::DST_NAT_DONE);
    let mut flow = Flow { status, ..udp(1) };
    let mut reply = PartialTuple::from(flow.tuples.reply);
    reply.dst = Some([203, 0, 113, 1].into());
    flow.tuples.reply = reply.complete().unwrap();
    let line = "-U -s 192.0.2.1 -p udp --sport 1 -n 203.0.113.1 -m 3";
    let expected = FlowRequest { mark: Some(Mark(3)), ..about(1) };
    assert_eq!(change_of(line, flow.clone()), expected);

    let mut stage = Stage::new([flow]);
    stage.run(line);
    let dump = &stage.kernel.sent(Ask::DumpFlows)[0];
    let wanted = PartialTuple {
        src: Some([192, 0, 2, 1].into()),
        protocol: Some(Protocol::Udp),
        src_port: Some(1),
        ..PartialTuple::default()
    };
    let fields = TupleFields::IP_SRC | TupleFields::PROTO_NUM | TupleFields::PROTO_SRC_PORT;
    let filter = DumpFilter {
        family: Some(Family::Ipv4),
        tuples: PerDirection { original: (wanted, fields), ..PerDirection::default() },
        ..DumpFilter::default()
    };
    let expected = Request::DumpFlows { filter: &filter, zero: false };
    assert_eq!(dump.bytes, request(&expected, dump.sequence()));
}

#[test]
fn a_flow_that_is_so_already_is_left_alone() {
    for line in ["-U -m 0", "-U -m 0/0xff", "-U -t 29", "-U -u SEEN_REPLY"] {
        let mut stage = Stage::new([udp(1)]);
        stage.run(line).is(1, "", &closing(0, "updated"));
        assert_eq!(stage.kernel.asked(), [Ask::DumpFlows], "{line}");
    }
}

#[test]
fn a_flow_that_is_gone_before_the_change_is_not_counted() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    stage.kernel.refuse(Ask::PutFlow, ENOENT);
    let line = udp_line(2).replace("mark=0", "mark=9");
    stage.kernel.refuse(Ask::GetFlow, ENOENT);
    stage.run("-U -m 9").is(0, &line, &closing(1, "updated"));
}

#[test]
fn a_flow_that_is_gone_after_the_change_is_not_counted() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    stage.kernel.refuse(Ask::GetFlow, ENOENT);
    let line = udp_line(2).replace("mark=0", "mark=9");
    stage.run("-U -m 9").is(0, &line, &closing(1, "updated"));
    assert_eq!(stage.kernel.sent(Ask::PutFlow).len(), 2);
}

#[test]
fn no_room_for_labels_skips_the_flow() {
    let mut stage = Stage::new([udp(1)]);
    stage.system.put_file("/etc/xtables/connlabel.conf", "1 one\n");
    stage.kernel.refuse(Ask::PutFlow, ENOSPC);
    stage.run("-U --label-add one").is(1, "", &closing(0, "updated"));
}

#[test]
fn no_room_is_an_error_when_no_label_was_asked_for() {
    let mut stage = Stage::new([udp(1)]);
    stage.kernel.refuse(Ask::PutFlow, ENOSPC);
    stage.run("-U -m 9").is(1, "", &said("Operation failed: No space left on device"));
}

#[test]
fn another_refusal_ends_it_behind_the_batch_that_it_was_in() {
    let updated = |port| udp_line(port).replace("mark=0", "mark=9");
    for (most, done) in [(2, updated(1)), (4, updated(1)), (6, updated(1) + &updated(3))] {
        let mut stage = Stage::new((1..=9).map(udp));
        stage.kernel.bound_batches(most);
        let now = Part::Flow(Flow { mark: Some(Mark(9)), ..udp(1) });
        stage.kernel.script(Ask::GetFlow, [Step::Datagram(vec![now])]);
        stage.kernel.script(Ask::PutFlow, [Step::Datagram(vec![Part::Acknowledgement])]);
        stage.kernel.refuse(Ask::PutFlow, EOPNOTSUPP);
        let stderr = said("Operation failed: Operation not supported");
        stage.run("-U -m 9").is(1, &done, &stderr);
    }
}

#[test]
fn a_second_look_whose_answer_is_lost_is_repeated() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    stage.kernel.script(Ask::GetFlow, [Step::Errno(105)]);
    let lines = [1, 2].map(|port| udp_line(port).replace("mark=0", "mark=9"));
    stage.run("-U -m 9").is(0, &lines.concat(), &closing(2, "updated"));
}

#[test]
fn a_second_look_that_is_malformed_ends_it() {
    let mut stage = Stage::new([udp(1)]);
    let bad = flow_content_with(&udp(1), |out| out.bytes(7, &[0; 5]));
    stage.kernel.script(Ask::GetFlow, [Step::Datagram(vec![Part::Content(0x0100, bad)])]);
    let ended = stage.run("-U -m 9");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("CTA_TIMEOUT"), "{}", ended.stderr);
}

#[test]
fn a_signal_ends_it_between_two_batches() {
    let mut stage = Stage::new((1..=9).map(udp));
    stage.kernel.bound_batches(4);
    stage.kernel.end_after(9);
    let lines: String = (1..=4).map(|port| udp_line(port).replace("mark=0", "mark=9")).collect();
    stage.run("-U -m 9").is(130, &lines, &closing(4, "updated"));
}

#[test]
fn updating_goes_on_when_standard_output_fails() {
    let mut stage = Stage::new((1..=1000).map(udp));
    stage.stdout.fail_after(0, EPIPE);
    stage.run("-U -m 9").is(141, "", "");
    assert!(stage.kernel.flows().iter().all(|flow| flow.mark == Some(Mark(9))));
}
