//! `-D` and `-F`: each flow by tuple, zone and id; what is gone already, what is refused, what cannot be shown.

use ctnetlink::wire::MessageFlags;
use ctnetlink::{DumpFilter, FlowAttributes, FlowRequest, Request, StatusFilter};
use flow::{
    Family, Flow, FlowId, Mark, MaskedMark, PartialTuple, PerDirection, Protocol, Status, Zone,
};

use crate::fake::{
    Ask, ENOENT, ENOSPC, EOPNOTSUPP, EPERM, EPIPE, Part, Stage, Step, closing, flow_content_with,
    request, said, tuple, udp, udp_line,
};

#[test]
fn deleted_flows_are_shown_and_gone() {
    let mut stage = Stage::new([udp(1), udp(2), udp(3)]);
    stage.run("-D -p udp --sport 2").is(0, &udp_line(2), &closing(1, "deleted"));
    assert_eq!(stage.kernel.flows(), [udp(1), udp(3)]);
}

#[test]
fn nothing_to_delete_is_a_failure() {
    let mut stage = Stage::new([udp(1)]);
    stage.run("-D -p tcp").is(1, "", &closing(0, "deleted"));
    assert_eq!(stage.kernel.flows(), [udp(1)]);
}

#[test]
fn a_request_names_tuple_zone_and_id_on_a_socket_of_its_own() {
    let mut stage = Stage::new([Flow { zone: Some(Zone(5)), ..udp(7) }]);
    assert_eq!(stage.run("-D").code, 0);
    let sent = stage.kernel.sent(Ask::DeleteFlow);
    let [delete] = sent.as_slice() else { panic!("{sent:?}") };
    let expected = FlowRequest {
        family: Some(Family::Ipv4),
        tuples: PerDirection {
            original: tuple(Protocol::Udp, 7).into(),
            reply: PartialTuple::default(),
        },
        zone: Some(Zone(5)),
        id: Some(FlowId(7)),
        ..FlowRequest::default()
    };
    assert_eq!(delete.flow_request(), expected);
    assert_eq!(delete.flags(), MessageFlags::REQUEST | MessageFlags::ACK, "the last of its batch");
    assert_ne!(delete.socket, stage.kernel.sent(Ask::DumpFlows)[0].socket);
}

#[test]
fn a_zone_of_one_direction_is_named_in_its_tuple() {
    let tuple_zones = PerDirection { original: Some(Zone(3)), reply: None };
    let mut stage = Stage::new([Flow { tuple_zones, ..udp(7) }]);
    assert_eq!(stage.run("-D").code, 0);
    let sent = &stage.kernel.sent(Ask::DeleteFlow)[0];
    assert_eq!(sent.flow_request().tuple_zones.original, Some(Zone(3)));
    assert!(stage.kernel.flows().is_empty());
}

#[test]
fn the_dump_is_filtered_by_family_mark_and_status() {
    let mut stage = Stage::new([]);
    stage.run("-D -f ipv6 -m 1/3 -u ASSURED");
    let dump = &stage.kernel.sent(Ask::DumpFlows)[0];
    let mark = MaskedMark { value: Mark(1), mask: 3 };
    let status = StatusFilter { value: Status::ASSURED, mask: Some(Status::ASSURED) };
    let filter = DumpFilter {
        family: Some(Family::Ipv6),
        mark: Some(mark),
        status: Some(status),
        ..DumpFilter::default()
    };
    let expected = Request::DumpFlows { filter: &filter, zero: false };
    assert_eq!(dump.bytes, request(&expected, dump.sequence()));
}

/// A selection that can mean one flow only: its tuple is whole, and its zone is named and not the default one.
const ONE_OF_ZONE_5: &str = "-s 192.0.2.1 -d 198.51.100.1 -p udp --sport 7 --dport 53 -w 5";

#[test]
fn the_only_flow_that_can_be_meant_is_looked_up_without_a_walk() {
    let zoned = |zone| Flow { zone: Some(Zone(zone)), ..udp(7) };
    // The answer to a get counts the reference by which it is made.
    let seen = |zone| Flow { use_count: Some(2), ..zoned(zone) };
    let mut stage = Stage::new([zoned(4), seen(5), udp(7)]);
    let line = udp_line(7).replace(" use=1", " zone=5 use=1");
    stage.run(&format!("-D {ONE_OF_ZONE_5}")).is(0, &line, &closing(1, "deleted"));
    assert_eq!(stage.kernel.asked(), [Ask::GetFlow, Ask::DeleteFlow]);
    assert_eq!(stage.kernel.flows(), [zoned(4), udp(7)]);
    stage.run(&format!("-D {ONE_OF_ZONE_5}")).is(1, "", &closing(0, "deleted"));
    let mut stage = Stage::new([seen(5)]);
    stage.run(&format!("-D {ONE_OF_ZONE_5} -m 9")).is(1, "", &closing(0, "deleted"));
}

#[test]
fn a_lookup_that_the_kernel_does_not_understand_becomes_a_walk() {
    let mut stage = Stage::new([Flow { zone: Some(Zone(5)), ..udp(7) }]);
    stage.kernel.refuse(Ask::GetFlow, EOPNOTSUPP);
    assert_eq!(stage.run(&format!("-D {ONE_OF_ZONE_5}")).code, 0);
    assert_eq!(stage.kernel.asked(), [Ask::GetFlow, Ask::DumpFlows, Ask::DeleteFlow]);
    let mut stage = Stage::new([]);
    stage.kernel.refuse(Ask::GetFlow, EPERM);
    assert_eq!(stage.run(&format!("-D {ONE_OF_ZONE_5}")).code, 1);
    assert_eq!(stage.kernel.asked(), [Ask::GetFlow]);
}

#[test]
fn without_a_zone_the_flows_of_all_zones_are_meant() {
    let mut stage = Stage::new([Flow { zone: Some(Zone(5)), ..udp(7) }, udp(7)]);
    let line = ONE_OF_ZONE_5.trim_end_matches(" -w 5");
    assert_eq!(stage.run(&format!("-D {line}")).code, 0);
    assert!(stage.kernel.flows().is_empty());
}

#[test]
fn a_flow_that_is_gone_by_then_is_neither_shown_nor_counted() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    stage.kernel.refuse(Ask::DeleteFlow, ENOENT);
    stage.run("-D").is(0, &udp_line(2), &closing(1, "deleted"));
}

#[test]
fn all_gone_by_then_is_nothing_deleted() {
    let mut stage = Stage::new([udp(1)]);
    stage.kernel.refuse(Ask::DeleteFlow, ENOENT);
    stage.run("-D").is(1, "", &closing(0, "deleted"));
}

#[test]
fn another_refusal_ends_it_behind_the_batch_that_it_was_in() {
    for (most, done) in [(1, vec![1]), (2, vec![1]), (3, vec![1, 3]), (9, vec![1, 3, 4, 5])] {
        let mut stage = Stage::new((1..=5).map(udp));
        stage.kernel.bound_batches(most);
        stage.kernel.script(Ask::DeleteFlow, [Step::Datagram(vec![Part::Acknowledgement])]);
        stage.kernel.refuse(Ask::DeleteFlow, EPERM);
        let stderr = said(
            "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this",
        );
        let lines: String = done.iter().map(|port| udp_line(*port)).collect();
        stage.run("-D").is(1, &lines, &stderr);
    }
}

#[test]
fn flows_are_deleted_batch_by_batch_in_one_walk() {
    let mut stage = Stage::new((1..=600).map(udp));
    let lines: String = (1..=600).map(udp_line).collect();
    stage.run("-D").is(0, &lines, &closing(600, "deleted"));
    assert_eq!(stage.kernel.datagrams(), [1, 256, 256, 88]);
    assert_eq!(stage.kernel.flows(), []);
}

#[test]
fn a_flow_that_is_listed_twice_is_deleted_once() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    let parts = vec![Part::Flow(udp(1)), Part::Flow(udp(2)), Part::Flow(udp(1)), Part::Done(0)];
    stage.kernel.script(Ask::DumpFlows, [Step::Datagram(parts)]);
    stage.run("-D").is(0, &(udp_line(1) + &udp_line(2)), &closing(2, "deleted"));
}

#[test]
fn a_signal_ends_it_with_whole_lines_and_a_true_count() {
    for (line, stdout) in [("-D", udp_line(1) + &udp_line(2)), ("-D -o json", String::new())] {
        let mut stage = Stage::new((1..=5).map(udp));
        stage.kernel.bound_batches(2);
        stage.kernel.end_after(3);
        let ended = stage.run(line);
        assert_eq!((ended.code, ended.stderr), (130, closing(2, "deleted")));
        if line == "-D" {
            assert_eq!(ended.stdout, stdout);
        } else {
            assert!(ended.stdout.ends_with("\n],\"complete\":false}\n"), "{}", ended.stdout);
        }
        assert_eq!(stage.kernel.flows(), [udp(3), udp(4), udp(5)], "{line}");
    }
}

#[test]
fn a_signal_is_heard_where_nothing_matches() {
    let mut stage = Stage::new((1..=3000).map(udp));
    stage.kernel.end_after(1);
    stage.run("-D -p tcp").is(130, "", &closing(0, "deleted"));
}

#[test]
fn a_dump_that_breaks_off_ends_it_behind_what_was_deleted() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    let parts = vec![Part::Flow(udp(1)), Part::Done(12)];
    stage.kernel.script(Ask::DumpFlows, [Step::Datagram(parts)]);
    stage.run("-D").is(1, &udp_line(1), &said("Operation failed: Cannot allocate memory"));
    assert_eq!(stage.kernel.flows(), [udp(2)]);
}

#[test]
fn a_malformed_flow_is_not_deleted() {
    let mut stage = Stage::new([udp(1)]);
    let bad = flow_content_with(&udp(1), |out| out.bytes(7, &[0; 5]));
    stage.kernel.script(Ask::DumpFlows, [Step::Datagram(vec![Part::Content(0x0100, bad)])]);
    let ended = stage.run("-D");
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("CTA_TIMEOUT"), "{}", ended.stderr);
    assert_eq!(stage.kernel.asked(), [Ask::DumpFlows]);
}

#[test]
fn deleting_goes_on_when_standard_output_fails() {
    for (errno, code, stderr) in [
        (EPIPE, 141, String::new()),
        (ENOSPC, 1, said("cannot write the output: No space left on device")),
    ] {
        let mut stage = Stage::new((1..=2000).map(udp));
        stage.stdout.fail_after(0, errno);
        stage.run("-D").is(code, "", &stderr);
        assert_eq!(stage.kernel.flows(), [], "errno {errno}");
    }
}

#[test]
fn a_line_that_was_lost_is_a_failure_even_if_later_ones_were_written() {
    let mut stage = Stage::new((1..=2000).map(udp));
    stage.stdout.fail_once(ENOSPC);
    let ended = stage.run("-D");
    assert_eq!(ended.code, 1);
    assert_eq!(ended.stderr, said("cannot write the output: No space left on device"));
    assert!(ended.stdout.ends_with(&udp_line(2000)), "what could be written was");
}

#[test]
fn labels_and_times_are_not_shown() {
    let labels = Some(flow::Labels::from_bits([1]));
    let start = Some(flow::TimeNs(1_700_000_000_000_000_000));
    let mut stage = Stage::new([Flow { labels, start, ..udp(1) }]);
    stage.system.put_file("/etc/xtables/connlabel.conf", "1 one\n");
    let line = udp_line(1).replace("mark=0", "mark=0 delta-time=0");
    stage.run("-D -o labels,ktimestamp").is(0, &line, &closing(1, "deleted"));
}

#[test]
fn an_interrupted_dump_is_warned_of() {
    let mut stage = Stage::new([udp(1)]);
    let parts = vec![Part::Flow(udp(1)), Part::Done(0)];
    stage.kernel.script(Ask::DumpFlows, [Step::Interrupted(parts)]);
    let stderr = closing(1, "deleted")
        + "WARNING: the table was rebuilt while it was read: entries may be missing or appear twice.\n";
    stage.run("-D").is(0, &udp_line(1), &stderr);
}

#[test]
fn a_flush_says_so_only_when_it_was_done() {
    let mut stage = Stage::new([udp(1)]);
    stage.kernel.refuse(Ask::FlushFlows, EPERM);
    let stderr = said(
        "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this",
    );
    stage.run("-F").is(1, "", &stderr);
    stage.run("-F").is(0, "", &said("connection tracking table has been emptied."));
    assert!(stage.kernel.flows().is_empty());
}

#[test]
fn a_flush_sends_the_family_and_no_attribute() {
    let mut stage = Stage::new([]);
    stage.run("-F -f ipv6");
    let sent = &stage.kernel.sent(Ask::FlushFlows)[0];
    assert_eq!((sent.netfilter().family, sent.netfilter().version), (10, 0));
    assert_eq!(sent.flags(), MessageFlags::REQUEST | MessageFlags::ACK);
    let attributes = FlowAttributes::parse(sent.message().body).unwrap();
    assert!(attributes.partial_tuple(flow::Direction::Original).is_none());
}
