//! What is shown as upstream shows it.

use super::fake::{ENOENT, HELPER, Part, Stage, Step, content, helper, policy, said};

const UDP: &str = "\t.l3proto = 2,\n\t.l4proto = 17,\n\t.policy = {\n\t\t.UNREPLIED = 30,\n\t\t.REPLIED = 5,\n\t},\n};\n";

fn udp(name: &str) -> Part {
    policy(Some(name.as_bytes()), (2, 17), &[(1, 30), (2, 5)])
}

#[test]
fn a_list_may_come_in_parts() {
    let mut stage = Stage::answering([
        Step::Datagram(vec![udp("a"), udp("b")]),
        Step::Datagram(vec![udp("c")]),
        Step::Datagram(vec![Part::Done(0)]),
    ]);
    let wanted = ["a", "b", "c"].map(|name| format!(".{name} = {{\n{UDP}")).concat();
    stage.run("list timeout").is(0, &wanted, "");
    assert_eq!(stage.asked(), [(0x0801, 0x301)]);
}

#[test]
fn one_entry_comes_before_its_acknowledgement() {
    for name in ["sp ace", "é", "q\"\t", ""] {
        let mut stage = Stage::answering([
            Step::Datagram(vec![udp(name)]),
            Step::Datagram(vec![Part::Acknowledgement]),
        ]);
        stage.run("get timeout x").is(0, &format!(".{name} = {{\n{UDP}"), "");
        assert_eq!(stage.asked(), [(0x0801, 5)]);
    }
}

#[test]
fn defaults_have_no_first_line() {
    let answer = policy(None, (2, 17), &[(1, 30), (2, 5)]);
    let mut stage = Stage::answering([Step::Datagram(vec![answer, Part::Acknowledgement])]);
    stage.protocols = Some("udp 17\n");
    stage.run("default-get timeout inet udp").is(0, UDP, "");
    assert_eq!(stage.asked(), [(0x0804, 5)]);
}

#[test]
fn states_of_newer_kernels_and_numbers_of_other_families_are_no_fault() {
    let values = [(1, 10), (7, 3), (8, 30), (9, 210), (12, 1)];
    let answer = policy(Some(b"s"), (7, 132), &values);
    let mut stage = Stage::answering([Step::Datagram(vec![answer, Part::Done(0)])]);
    let wanted = ".s = {\n\t.l3proto = 7,\n\t.l4proto = 132,\n\t.policy = {\n\
        \t\t.CLOSED = 10,\n\t\t.SHUTDOWN_ACK_SENT = 3,\n\t},\n};\n";
    stage.run("list timeout").is(0, wanted, "");
}

#[test]
fn helpers_are_shown_without_their_policies() {
    let mut stage =
        Stage::answering([Step::Datagram(vec![helper("ftp", 1), helper("rpc", 0), Part::Done(0)])]);
    let of = |name: &str, status: &str| {
        format!(
            "{{\n\t.name = {name},\n\t.queuenum = 7,\n\t.l3protonum = 10,\n\t.l4protonum = 6,\n\
             \t.priv_data_len = 24,\n\t.status = {status},\n}};\n"
        )
    };
    let wanted = of("ftp", "enabled") + &of("rpc", "disabled");
    stage.run("helper list").is(0, &wanted, "");
    assert_eq!(stage.asked(), [(0x0901, 0x301)]);
}

#[test]
fn what_the_kernel_does_not_say_is_left_out() {
    let bare = content(HELPER, |out| out.text(1, "x"));
    let mut stage = Stage::answering([Step::Datagram(vec![bare, Part::Done(0)])]);
    stage.run("list helper").is(0, "{\n\t.name = x,\n\t.status = disabled,\n};\n", "");
}

#[test]
fn nothing_that_fits_is_nothing_to_show() {
    let mut stage = Stage::answering([Step::Datagram(vec![Part::Acknowledgement])]);
    stage.run("get helper ftp inet").is(0, "", "");
    let mut stage = Stage::refusing(ENOENT);
    stage.run("get helper ftp").is(1, "", &said("netlink error: No such file or directory"));
}

#[test]
fn changes_are_silent() {
    for (line, request) in [
        ("add timeout t inet udp replied 5", (0x0800, 0x405)),
        ("delete timeout t", (0x0802, 5)),
        ("flush timeout", (0x0802, 5)),
        ("default-set timeout inet6 icmpv6 timeout 5", (0x0803, 5)),
        ("add helper tns inet tcp", (0x0900, 0x405)),
        ("disable helper tns inet tcp", (0x0900, 0x405)),
        ("delete helper tns", (0x0902, 5)),
        ("flush helper", (0x0902, 5)),
    ] {
        let mut stage = Stage::answering([Step::Datagram(vec![Part::Acknowledgement])]);
        stage.protocols = Some("udp 17\n");
        stage.run(line).is(0, "", "");
        assert_eq!(stage.asked(), [request], "{line}");
    }
}

#[test]
fn the_version_asks_nothing_of_the_kernel() {
    let mut stage = Stage::default();
    let ended = stage.run("add version whatever");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.starts_with("nfct v1.4.9: utility for the Netfilter's "));
    assert_eq!(ended.stdout.lines().count(), 5);
    assert!(stage.asked().is_empty());
}
