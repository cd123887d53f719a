//! `-L` of flows: what is shown, and what a fault in the answer leaves of it.

use flow::{Mark, TimeNs};
use sys::netlink::OpenError;

use crate::fake::{
    Ask, EINVAL, ENOBUFS, ENOSPC, EOPNOTSUPP, EPERM, EPIPE, Part, Stage, Step, closing,
    flow_content, flow_content_with, said, udp, udp_element, udp_line, udp_v6, udp_v6_line,
};

const INTERRUPTED: &str =
    "WARNING: the table was rebuilt while it was read: entries may be missing or appear twice.\n";
const XML: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n";
const XML_END: &str = "</conntrack>\n";

/// Runs `line` with this answer to the dump. Whatever is wrong with it, flow 1 comes first.
#[track_caller]
fn list(line: &str, steps: Vec<Step>, code: u8, stdout: &str, stderr: &str) {
    let mut stage = Stage::new([]);
    stage.kernel.script(Ask::DumpFlows, steps);
    stage.run(line).is(code, stdout, stderr);
}

fn flows(ports: &[u16]) -> Step {
    Step::Datagram(ports.iter().map(|port| Part::Flow(udp(*port))).collect())
}

fn done() -> Step {
    Step::Datagram(vec![Part::Done(0)])
}

#[test]
fn all_flows_of_all_datagrams_are_shown_and_counted() {
    let mut stage = Stage::new([udp(1), udp(2), udp(3)]);
    let lines = udp_line(1) + &udp_line(2) + &udp_line(3);
    stage.run("-L").is(0, &lines, &closing(3, "shown"));
}

#[test]
fn an_empty_table_is_no_failure_and_no_document() {
    Stage::new([]).run("-L").is(0, "", &closing(0, "shown"));
    Stage::new([]).run("-L -o xml").is(0, "", &closing(0, "shown"));
}

#[test]
fn each_table_is_asked_for_by_its_own_message() {
    for (line, ask) in [
        ("-L", Ask::DumpFlows),
        ("-L conntrack", Ask::DumpFlows),
        ("-L -z", Ask::DumpAndZero),
        ("-L dying", Ask::DumpDying),
        ("-L unconfirmed", Ask::DumpUnconfirmed),
    ] {
        let mut stage = Stage::new([]);
        assert_eq!(stage.run(line).code, 0, "{line}");
        assert_eq!(stage.kernel.asked(), [ask], "{line}");
    }
}

#[test]
fn what_the_kernel_did_not_filter_is_filtered_here() {
    let mut stage = Stage::new([flow::Flow { mark: Some(Mark(7)), ..udp(1) }, udp(2)]);
    let line = udp_line(1).replace("mark=0", "mark=7");
    stage.run("-L -m 7").is(0, &line, &closing(1, "shown"));
}

/// The questions of a dump: family, and whether anything else is a condition.
fn questions(stage: &Stage) -> Vec<(u8, bool)> {
    let sent = stage.kernel.sent(Ask::DumpFlows);
    sent.iter().map(|sent| (sent.netfilter().family, sent.message().body.len() > 4)).collect()
}

#[test]
fn a_protocol_is_asked_for_in_each_family_and_its_flows_are_shown_once() {
    let mut stage = Stage::new([udp(1), udp_v6(2)]);
    stage.kernel.claim_many_flows();
    let lines = udp_line(1) + &udp_v6_line(2);
    stage.run("-L -p udp").is(0, &lines, &closing(2, "shown"));
    assert_eq!(questions(&stage), [(2, true), (10, true)]);
}

#[test]
fn a_small_table_is_read_once() {
    let mut stage = Stage::new([udp_v6(2), udp(1)]);
    let lines = udp_v6_line(2) + &udp_line(1);
    stage.run("-L -p udp").is(0, &lines, &closing(2, "shown"));
    assert_eq!(questions(&stage), [(0, false)]);
}

#[test]
fn a_refused_filter_falls_back_to_the_whole_table() {
    let refused = [(2, true), (0, false)];
    for (line, errno, asked) in [
        ("-L -p udp", EOPNOTSUPP, &refused[..]),
        ("-L -p udp", EINVAL, &refused),
        ("-L -w 0 -s 192.0.2.1", EINVAL, &[(2, true), (2, false)]),
        ("-L -m 0", EOPNOTSUPP, &[(0, true), (0, false)]),
    ] {
        let mut stage = Stage::new([udp(1)]);
        stage.kernel.claim_many_flows();
        stage.kernel.refuse(Ask::DumpFlows, errno);
        stage.run(line).is(0, &udp_line(1), &closing(1, "shown"));
        assert_eq!(questions(&stage), asked, "{line}");
    }
    // What upstream asks is tried before the whole table.
    let mut stage = Stage::new([udp(1)]);
    stage.kernel.refuse(Ask::DumpFlows, EINVAL);
    stage.kernel.refuse(Ask::DumpFlows, EINVAL);
    stage.run("-L -p udp -m 0 -f ipv4").is(0, &udp_line(1), &closing(1, "shown"));
    assert_eq!(questions(&stage), [(2, true), (2, true), (2, false)]);
}

#[test]
fn a_filter_that_is_refused_for_the_second_family_alone_shows_nothing_twice() {
    let mut stage = Stage::new([udp(1), udp_v6(2)]);
    stage.kernel.claim_many_flows();
    stage.kernel.script(Ask::DumpFlows, [flows(&[1]), done()]);
    stage.kernel.refuse(Ask::DumpFlows, EINVAL);
    let lines = udp_line(1) + &udp_v6_line(2);
    stage.run("-L -p udp").is(0, &lines, &closing(2, "shown"));
    assert_eq!(questions(&stage), [(2, true), (10, true), (10, false)]);
}

#[test]
fn a_kernel_that_refuses_every_question_is_heard() {
    let stderr = said("Operation failed: invalid parameters");
    for (line, questions) in [("-L", 1), ("-L -f ipv4", 1), ("-L -p udp", 2), ("-L -p udp -m 1", 3)]
    {
        let mut stage = Stage::new([udp(1)]);
        stage.kernel.claim_many_flows();
        for _ in 0..questions {
            stage.kernel.refuse(Ask::DumpFlows, EINVAL);
        }
        stage.run(line).is(1, "", &stderr);
    }
    let mut stage = Stage::new([udp(1)]);
    stage.kernel.claim_many_flows();
    stage.kernel.refuse(Ask::DumpFlows, EPERM);
    assert_eq!(stage.run("-L -p udp").code, 1);
    assert_eq!(
        stage.kernel.asked(),
        [Ask::TableStatistics, Ask::DumpFlows],
        "another refusal is no matter of the filter"
    );
}

#[test]
fn an_interrupted_dump_is_shown_whole_with_a_warning_behind_the_count() {
    let steps = vec![Step::Interrupted(vec![Part::Flow(udp(1))]), flows(&[2]), done()];
    let stderr = closing(2, "shown") + INTERRUPTED;
    list("-L", steps, 0, &(udp_line(1) + &udp_line(2)), &stderr);
    let steps = vec![flows(&[1]), Step::Interrupted(vec![Part::Done(0)])];
    list("-L", steps, 0, &udp_line(1), &(closing(1, "shown") + INTERRUPTED));
}

#[test]
fn answers_to_others_and_empty_messages_are_passed_over() {
    let steps = vec![
        Step::OfAnother(vec![Part::Flow(udp(9)), Part::Done(0)]),
        Step::Datagram(vec![Part::Noop, Part::Flow(udp(1)), Part::Done(0)]),
    ];
    list("-L", steps, 0, &udp_line(1), &closing(1, "shown"));
}

#[test]
fn an_unknown_attribute_is_skipped() {
    let content = flow_content_with(&udp(1), |out| {
        out.be32(200, 1);
        out.nest(201, |out| out.be64(1, 2));
    });
    let steps = vec![Step::Datagram(vec![Part::Content(0x0100, content)]), done()];
    list("-L", steps, 0, &udp_line(1), &closing(1, "shown"));
}

#[test]
fn a_malformed_attribute_is_named_with_its_offset_behind_what_was_read() {
    for (kind, payload, what) in [
        (8, &[0; 3][..], "attribute CTA_MARK at byte {at}: 3 bytes, 4 expected"),
        (18, &[0; 4], "attribute CTA_ZONE at byte {at}: 4 bytes, 2 expected"),
        (22, &[0; 20], "attribute CTA_LABELS at byte {at}: 20 bytes, 4, 8, 12 or 16 expected"),
    ] {
        let at = flow_content(&udp(2)).len();
        let bad = flow_content_with(&udp(2), |out| out.bytes(kind, payload));
        let steps = vec![
            Step::Datagram(vec![Part::Flow(udp(1)), Part::Content(0x0100, bad)]),
            flows(&[3]),
            done(),
        ];
        let stderr = said(&format!("Operation failed: {what}").replace("{at}", &at.to_string()));
        list("-L", steps, 1, &udp_line(1), &stderr);
    }
}

#[test]
fn an_attribute_that_ends_beyond_its_message_is_an_error() {
    let mut content = flow_content(&udp(2));
    let at = content.len();
    content.extend([100u16.to_ne_bytes(), 99u16.to_ne_bytes()].concat());
    let steps =
        vec![Step::Datagram(vec![Part::Flow(udp(1)), Part::Content(0x0100, content)]), done()];
    let what = format!(
        "Operation failed: attribute 99 at byte {at}: length 100, of which 4 bytes are there"
    );
    list("-L", steps, 1, &udp_line(1), &said(&what));
}

#[test]
fn a_flow_without_a_reply_tuple_is_an_error() {
    let steps = vec![Step::Datagram(vec![Part::Content(0x0100, vec![2, 0, 0, 0])]), done()];
    let what = "Operation failed: CTA_TUPLE_ORIG is incomplete: \
                a pair of addresses (CTA_IP_*) of one family is missing";
    list("-L", steps, 1, "", &said(what));
}

#[test]
fn a_truncated_message_is_an_error_behind_what_was_read() {
    let len = 16 + flow_content(&udp(2)).len();
    let steps = vec![
        flows(&[1]),
        Step::Cut(vec![Part::Flow(udp(2))], 8),
        Step::Cut(vec![Part::Flow(udp(3))], 0),
    ];
    let there = len - 8;
    let what = format!(
        "Operation failed: message at byte 0: length {len}, of which {there} bytes are there"
    );
    list("-L", steps, 1, &udp_line(1), &said(&what));
}

#[test]
fn a_datagram_beyond_the_buffer_is_an_error_not_a_shorter_list() {
    let stderr = said("Operation failed: the kernel sent a datagram of 70000 bytes, 65536 fit");
    list("-L", vec![flows(&[1]), Step::Long(70_000)], 1, &udp_line(1), &stderr);
}

#[test]
fn lost_replies_are_an_error() {
    let steps = vec![flows(&[1]), Step::Errno(ENOBUFS)];
    let stderr = said("Operation failed: No buffer space available");
    list("-L", steps, 1, &udp_line(1), &stderr);
    let steps = vec![Step::Datagram(vec![Part::Flow(udp(1)), Part::Overrun])];
    let stderr = said("Operation failed: replies of the kernel were lost");
    list("-L", steps, 1, &udp_line(1), &stderr);
}

#[test]
fn a_dump_that_breaks_off_is_an_error_behind_what_was_read() {
    let steps = vec![flows(&[1]), Step::Datagram(vec![Part::Done(12)])];
    let stderr = said("Operation failed: Cannot allocate memory");
    list("-L", steps, 1, &udp_line(1), &stderr);
}

#[test]
fn refusals_have_their_own_words() {
    for (errno, text) in [
        (EPERM, "sorry, you must be root or get CAP_NET_ADMIN capability to do this"),
        (22, "invalid parameters"),
        (524, "function not implemented"),
        (16, "Device or resource busy"),
    ] {
        let steps = vec![Step::Datagram(vec![Part::Refusal(errno)])];
        list("-L", steps, 1, "", &said(&format!("Operation failed: {text}")));
    }
}

#[test]
fn a_document_is_closed_on_failure() {
    let steps = vec![flows(&[1]), Step::Errno(ENOBUFS)];
    let document = [XML, &udp_element(1), XML_END].concat();
    let stderr = said("Operation failed: No buffer space available");
    list("-L -o xml,id", steps, 1, &document, &stderr);
}

#[test]
fn a_document_is_not_begun_for_a_failure() {
    let steps = vec![Step::Datagram(vec![Part::Refusal(EPERM)])];
    let stderr = said(
        "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this",
    );
    list("-L -o xml", steps, 1, "", &stderr);
}

#[test]
fn a_document_has_one_header_and_one_footer() {
    let document = [XML, &udp_element(1), &udp_element(2), XML_END].concat();
    Stage::new([udp(1), udp(2)]).run("-L -o xml,id").is(0, &document, &closing(2, "shown"));
}

#[test]
fn times_are_those_of_the_time_zone_and_the_age_that_of_the_clock() {
    let start = Some(TimeNs(1_700_000_000_000_000_000 - 75_000_000_000));
    let mut stage = Stage::new([flow::Flow { start, ..udp(1) }]);
    let line = udp_line(1)
        .replace("mark=0 use=1", "mark=0 delta-time=75 [start=Tue Nov 14 22:12:05 2023] use=1");
    stage.run("-L -o ktimestamp").is(0, &line, &closing(1, "shown"));
}

#[test]
fn a_full_disk_is_said_and_fails() {
    let mut stage = Stage::new((1..=1000).map(udp));
    stage.stdout.fail_after(100, ENOSPC);
    let lines: String = (1..=1000).map(udp_line).collect();
    let stderr = said("cannot write the output: No space left on device");
    stage.run("-L").is(1, &lines[..100], &stderr);
}

#[test]
fn a_full_disk_is_said_even_if_only_the_last_block_is_lost() {
    let mut stage = Stage::new([udp(1)]);
    stage.stdout.fail_after(0, ENOSPC);
    let stderr = closing(1, "shown") + &said("cannot write the output: No space left on device");
    stage.run("-L").is(1, "", &stderr);
}

#[test]
fn a_reader_that_went_away_ends_a_long_list_quietly() {
    let mut stage = Stage::new((1..=1000).map(udp));
    stage.stdout.fail_after(0, EPIPE);
    stage.run("-L").is(141, "", "");
    stage.stdout.fail_after(0, EPIPE);
    stage.run("-L -o xml").is(141, "", "");
}

#[test]
fn no_socket_is_said_in_two_lines() {
    let commands =
        ["-L", "-D", "-F", "-C", "-S", "-E", "-L expect", "-E expect", "-U -m 1", "-L dying"];
    for command in commands {
        let mut stage = Stage::new([]);
        stage.kernel.refuse_sockets(|| OpenError::Open(std::io::Error::from_raw_os_error(93)));
        let stderr =
            "mnl_socket_open: Protocol not supported\n".to_owned() + &said("Can't open handler");
        stage.run(command).is(1, "", &stderr);
    }
}
