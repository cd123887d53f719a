//! `-G`, `-C` and `-S`.

use ctnetlink::FlowRequest;
use ctnetlink::wire::MessageFlags;
use flow::{Family, PartialTuple, PerDirection, Protocol};

use crate::fake::{
    Ask, ENOENT, ENOSPC, EPERM, Part, Stage, Step, closing, flow_content_with, said, tuple, udp,
    udp_element, udp_line,
};

const ONE: &str = "-s 192.0.2.1 -d 198.51.100.1 -p udp --sport 1 --dport 53";
const NOT_ROOT: &str =
    "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this";
const COUNT_FILE: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
const STATISTICS_FILE: &str = "/proc/net/stat/nf_conntrack";

#[test]
fn a_flow_is_got_by_its_tuple_without_acknowledgement() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    stage.run(&format!("-G {ONE}")).is(0, &udp_line(1), &closing(1, "shown"));
    let sent = &stage.kernel.sent(Ask::GetFlow)[0];
    assert_eq!(sent.flags(), MessageFlags::REQUEST);
    let tuples =
        PerDirection { original: tuple(Protocol::Udp, 1).into(), reply: PartialTuple::default() };
    let expected = FlowRequest { family: Some(Family::Ipv4), tuples, ..FlowRequest::default() };
    assert_eq!(sent.flow_request(), expected);
}

#[test]
fn a_flow_that_is_there_but_unlike_the_filter_is_a_failure() {
    let mut stage = Stage::new([udp(1)]);
    stage.run(&format!("-G {ONE} -i 5")).is(1, "", &closing(0, "shown"));
}

#[test]
fn no_such_flow_is_said() {
    let stderr = said("Operation failed: such conntrack doesn't exist");
    Stage::new([]).run(&format!("-G {ONE}")).is(1, "", &stderr);
}

#[test]
fn a_single_flow_is_a_whole_document() {
    let document = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n".to_owned()
        + &udp_element(1)
        + "</conntrack>\n";
    Stage::new([udp(1)]).run(&format!("-G {ONE} -o xml,id")).is(0, &document, &closing(1, "shown"));
}

#[test]
fn an_answer_to_another_is_not_taken_for_the_flow() {
    let mut stage = Stage::new([]);
    let steps =
        [Step::OfAnother(vec![Part::Flow(udp(9))]), Step::Datagram(vec![Part::Flow(udp(1))])];
    stage.kernel.script(Ask::GetFlow, steps);
    stage.run(&format!("-G {ONE}")).is(0, &udp_line(1), &closing(1, "shown"));
}

#[test]
fn an_acknowledgement_is_no_answer() {
    let mut stage = Stage::new([]);
    stage.kernel.script(Ask::GetFlow, [Step::Datagram(vec![Part::Acknowledgement])]);
    let stderr = said("Operation failed: the kernel gave no answer");
    stage.run(&format!("-G {ONE}")).is(1, "", &stderr);
}

#[test]
fn a_malformed_flow_is_not_shown() {
    let mut stage = Stage::new([]);
    let bad =
        flow_content_with(&udp(1), |out| out.nest(5, |out| out.text(1, "far-too-long-a-name")));
    stage.kernel.script(Ask::GetFlow, [Step::Datagram(vec![Part::Content(0x0100, bad)])]);
    let ended = stage.run(&format!("-G {ONE}"));
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("CTA_HELP_NAME"), "{}", ended.stderr);
}

#[test]
fn the_count_is_that_of_the_kernel() {
    let mut stage = Stage::new([udp(1), udp(2)]);
    stage.system.put_file(COUNT_FILE, "99\n");
    stage.run("-C").is(0, "2\n", "");
    assert_eq!(stage.kernel.sent(Ask::TableStatistics)[0].flags(), MessageFlags::REQUEST);
}

#[test]
fn the_count_of_a_file_is_a_success() {
    let mut stage = Stage::new([]);
    stage.kernel.refuse(Ask::TableStatistics, EPERM);
    stage.system.put_file(COUNT_FILE, "99\n");
    stage.run("-C").is(0, "99\n", "");
}

#[test]
fn no_count_anywhere_is_the_refusal() {
    for file in [None, Some("none\n"), Some(""), Some("-1\n")] {
        let mut stage = Stage::new([]);
        stage.kernel.refuse(Ask::TableStatistics, EPERM);
        if let Some(text) = file {
            stage.system.put_file(COUNT_FILE, text);
        }
        stage.run("-C").is(1, "", &said(NOT_ROOT));
    }
}

#[test]
fn an_answer_without_a_count_is_an_error() {
    let mut stage = Stage::new([]);
    let parts = vec![Part::Content(0x0105, vec![0; 4])];
    stage.kernel.script(Ask::TableStatistics, [Step::Datagram(parts)]);
    let what = "IPCTNL_MSG_CT_GET_STATS is incomplete: CTA_STATS_GLOBAL_ENTRIES is missing";
    stage.run("-C").is(1, "", &said(&format!("Operation failed: {what}")));
}

/// Counters of a CPU: attributes 2 (found) and 10 (drop).
fn cpu(number: u16, found: u32, dropped: u32) -> Part {
    let mut content = vec![0, 0];
    content.extend(number.to_be_bytes());
    for (kind, value) in [(2u16, found), (10, dropped)] {
        content.extend([8u16.to_ne_bytes(), kind.to_ne_bytes()].concat());
        content.extend(value.to_be_bytes());
    }
    Part::Content(0x0104, content)
}

#[test]
fn each_cpu_has_a_line() {
    let mut stage = Stage::new([]);
    let parts = vec![cpu(0, 1, 2), cpu(300, 3, u32::MAX), Part::Done(0)];
    stage.kernel.script(Ask::CpuStatistics, [Step::Datagram(parts)]);
    let text = "cpu=0   \tfound=1 drop=2 \ncpu=300 \tfound=3 drop=4294967295 \n";
    stage.run("-S").is(0, text, "");
}

#[test]
fn statistics_of_a_file_replace_those_of_a_broken_dump() {
    for last in [Part::Refusal(EPERM), Part::Done(12), Part::Overrun] {
        let mut stage = Stage::new([]);
        stage.kernel.script(Ask::CpuStatistics, [Step::Datagram(vec![cpu(0, 1, 2), last])]);
        stage.system.put_file(STATISTICS_FILE, "entries  found\n0000000a 00000001\n");
        stage.run("-S").is(0, "cpu=0   \tentries=10 found=1 \n", "");
    }
}

#[test]
fn no_statistics_anywhere_is_the_refusal() {
    let mut stage = Stage::new([]);
    stage.kernel.refuse(Ask::CpuStatistics, EPERM);
    stage.run("-S").is(1, "", &said(NOT_ROOT));
    stage.kernel.refuse(Ask::CpuStatistics, ENOENT);
    stage.system.put_file(STATISTICS_FILE, "entries found\nnot-hexadecimal\n");
    stage.run("-S").is(1, "", &said("Operation failed: No such file or directory"));
}

#[test]
fn a_number_that_cannot_be_written_is_a_failure() {
    let mut stage = Stage::new([]);
    stage.stdout.fail_after(0, ENOSPC);
    stage.run("-C").is(1, "", &said("cannot write the output: No space left on device"));
}
