//! Commands on the table of expectations: requests as bytes, answers as lines.

use ctnetlink::{CreateMode, ExpectationRequest, Request};
use flow::{
    AddressPair, Expectation, ExpectationFlags, Family, L4Key, PartialTuple, Ports, Protocol, Tuple,
};

use crate::fake::{Ask, EEXIST, ENOENT, EPERM, Happening, Part, Stage, Step, event, request, said};

const NOT_ROOT: &str =
    "Operation failed: sorry, you must be root or get CAP_NET_ADMIN capability to do this";
const LINE: &str = "30 proto=6 src=192.0.2.1 dst=192.0.2.2 sport=0 dport=2000 \
    mask-src=255.255.255.255 mask-dst=255.255.255.255 sport=0 dport=65535 \
    master-src=192.0.2.1 master-dst=192.0.2.2 sport=1000 dport=21 PERMANENT class=0 helper=ftp\n";
const INSERT: &str = "-I expect -s 192.0.2.1 -d 192.0.2.2 -p tcp --sport 1000 --dport 21 -t 30 \
    --tuple-src 192.0.2.1 --tuple-dst 192.0.2.2 --tuple-port-src 0 --tuple-port-dst 2000 \
    --mask-src 255.255.255.255 --mask-dst 255.255.255.255 --mask-port-src 0 --mask-port-dst 65535";
const XML: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<expect>\n";

fn tcp(src: [u8; 4], dst: [u8; 4], src_port: u16, dst_port: u16) -> Tuple {
    Tuple {
        addresses: AddressPair::V4 { src: src.into(), dst: dst.into() },
        protocol: Protocol::Tcp,
        key: L4Key::Ports(Ports { src: src_port, dst: dst_port }),
    }
}

fn expectation() -> Expectation {
    let (client, server) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    Expectation {
        tuple: tcp(client, server, 0, 2000),
        mask: tcp([255; 4], [255; 4], 0, 65535),
        master: tcp(client, server, 1000, 21),
        nat: None,
        timeout_s: Some(30),
        id: None,
        zone: None,
        flags: Some(ExpectationFlags::PERMANENT),
        class: Some(0),
        helper: Some("ftp".try_into().unwrap()),
        function: None,
    }
}

fn shown(count: usize) -> String {
    said(&format!("{count} expectations have been shown."))
}

/// The one request that `line` sends is this one.
#[track_caller]
fn sends(line: &str, ask: Ask, expected: &Request<'_>) {
    let mut stage = Stage::new([]);
    stage.kernel.put_expectations([expectation()]);
    stage.run(line);
    let sent = stage.kernel.sent(ask).remove(0);
    assert_eq!(stage.kernel.asked(), [ask], "{line}");
    assert_eq!(sent.bytes, request(expected, sent.sequence()), "{line}");
}

#[test]
fn requests_name_the_family_and_are_those_of_ipv4_without_one() {
    let (v4, v6) = (Some(Family::Ipv4), Some(Family::Ipv6));
    sends("-L expect", Ask::DumpExpectations, &Request::DumpExpectations(v4));
    sends("-L expect -f ipv6", Ask::DumpExpectations, &Request::DumpExpectations(v6));
    sends("-C expect", Ask::DumpExpectations, &Request::DumpExpectations(v4));
    sends("-F expect", Ask::FlushExpectations, &Request::FlushExpectations(v4));
    sends("-S expect", Ask::ExpectationStatistics, &Request::ExpectationStatistics);
}

#[test]
fn one_expectation_is_named_by_the_typed_tuple() {
    let typed = PartialTuple::from(tcp([192, 0, 2, 1], [192, 0, 2, 2], 1000, 21));
    let line = "-s 192.0.2.1 -d 192.0.2.2 -p tcp --sport 1000 --dport 21";
    let of_v4 = ExpectationRequest { family: Some(Family::Ipv4), ..ExpectationRequest::default() };
    let got = ExpectationRequest { master: typed, ..of_v4.clone() };
    sends(&format!("-G expect {line}"), Ask::GetExpectation, &Request::GetExpectation(&got));
    let gone = ExpectationRequest { tuple: typed, ..of_v4 };
    sends(&format!("-D expect {line}"), Ask::DeleteExpectation, &Request::DeleteExpectation(&gone));
}

#[test]
fn a_new_expectation_has_master_tuple_mask_and_timeout() {
    let Expectation { tuple, mask, master, .. } = expectation();
    let expected = ExpectationRequest {
        family: Some(Family::Ipv4),
        tuple: tuple.into(),
        mask: mask.into(),
        master: master.into(),
        timeout_s: Some(30),
        ..ExpectationRequest::default()
    };
    let request = Request::PutExpectation(&expected, CreateMode::CreateOnly);
    sends(INSERT, Ask::PutExpectation, &request);
}

#[test]
fn a_list_is_shown_and_counted() {
    let mut stage = Stage::new([]);
    stage.kernel.put_expectations([expectation(), expectation()]);
    stage.run("-L expect").is(0, &LINE.repeat(2), &shown(2));
    stage.run("-C expect").is(0, "2\n", "");
}

#[test]
fn a_broken_list_is_shown_as_far_as_it_came_and_closed() {
    let mut stage = Stage::new([]);
    let parts = vec![Part::Expectation(expectation()), Part::Content(0x0200, vec![2, 0, 0, 0])];
    stage.kernel.script(Ask::DumpExpectations, [Step::Datagram(parts)]);
    let ended = stage.run("-L expect -o xml");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.starts_with(XML), "{}", ended.stdout);
    assert!(ended.stdout.ends_with("</meta></flow>\n</expect>\n"), "{}", ended.stdout);
    let what = "CTA_EXPECT_TUPLE is incomplete: \
        a pair of addresses (CTA_IP_*) of one family is missing";
    assert_eq!(ended.stderr, said(&format!("Operation failed: {what}")));
}

#[test]
fn an_interrupted_list_is_warned_of() {
    const WARNING: &str = "WARNING: the table was rebuilt while it was read: entries may be missing or appear twice.\n";
    let mut stage = Stage::new([]);
    for _ in 0..2 {
        let parts = vec![Part::Expectation(expectation()), Part::Done(0)];
        stage.kernel.script(Ask::DumpExpectations, [Step::Interrupted(parts)]);
    }
    stage.run("-L expect").is(0, LINE, &(shown(1) + WARNING));
    stage.run("-C expect").is(0, "1\n", WARNING);
}

#[test]
fn a_found_expectation_is_shown_without_a_count() {
    let line = "-G expect -s 192.0.2.1 -d 192.0.2.2 -p tcp --sport 0 --dport 2000";
    let mut stage = Stage::new([]);
    let stderr = said("Operation failed: No such file or directory");
    stage.run(line).is(1, "", &stderr);
    stage.kernel.put_expectations([expectation()]);
    stage.run(line).is(0, LINE, "");
}

#[test]
fn changes_say_what_they_did_only_when_they_did_it() {
    let tuple = "-s 192.0.2.1 -d 192.0.2.2 -p tcp --sport 0 --dport 2000";
    let mut stage = Stage::new([]);
    stage.kernel.refuse(Ask::FlushExpectations, EPERM);
    stage.run("-F expect").is(1, "", &said(NOT_ROOT));
    stage.run("-F expect").is(0, "", &said("expectation table has been emptied."));
    stage.kernel.refuse(Ask::DeleteExpectation, ENOENT);
    let stderr = said("Operation failed: No such file or directory");
    stage.run(&format!("-D expect {tuple}")).is(1, "", &stderr);
}

#[test]
fn a_refused_expectation_has_its_own_words() {
    for (errno, text) in [
        (ENOENT, "master conntrack not found"),
        (EEXIST, "File exists"),
        (22, "invalid parameters"),
        (95, "Operation not supported"),
    ] {
        let mut stage = Stage::new([]);
        stage.kernel.refuse(Ask::PutExpectation, errno);
        stage.run(INSERT).is(1, "", &said(&format!("Operation failed: {text}")));
    }
}

#[test]
fn counters_of_each_cpu_are_shown_and_have_no_file() {
    let mut stage = Stage::new([]);
    let mut content = vec![0, 0, 0, 3];
    for (kind, value) in [(1u16, 7u32), (2, 8), (3, 9)] {
        content.extend([8u16.to_ne_bytes(), kind.to_ne_bytes()].concat());
        content.extend(value.to_be_bytes());
    }
    // The kernel answers in the other subsystem.
    let parts = vec![Part::Content(0x0103, content), Part::Done(0)];
    stage.kernel.script(Ask::ExpectationStatistics, [Step::Datagram(parts)]);
    let text = "cpu=3   \texpect_new=7 expect_create=8 expect_delete=9 \n";
    stage.run("-S expect").is(0, text, "");
    stage.kernel.refuse(Ask::ExpectationStatistics, EPERM);
    stage.system.put_file("/proc/net/stat/nf_conntrack", "entries\n0\n");
    stage.run("-S expect").is(1, "", &said(NOT_ROOT));
}

#[test]
fn events_of_expectations_only_are_shown() {
    use ctnetlink::wire::MessageFlags;
    let mut content = request(
        &Request::PutExpectation(&(&expectation()).into(), CreateMode::CreateOnly),
        ctnetlink::wire::Sequence(0),
    );
    let content = content.split_off(16);
    let created = MessageFlags::CREATE | MessageFlags::EXCL;
    let mut stage = Stage::new([]);
    stage.kernel.happen([
        Happening::Datagram(event(0x0200, created, 0, &content)),
        Happening::Datagram(event(0x0202, MessageFlags::empty(), 0, &content)),
        Happening::Datagram(event(0x0100, created, 0, &content)),
        Happening::Stop,
    ]);
    let lines = format!("    [NEW] {LINE}[DESTROY] {LINE}");
    stage.run("-E expect").is(0, &lines, &said("2 expectation events have been shown."));
    assert_eq!(stage.kernel.groups(), [0b11_1000]);
}
