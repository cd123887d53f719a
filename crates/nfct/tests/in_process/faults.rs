//! What goes wrong, and what is said of it.

use std::io;

use sys::netlink::OpenError;

use super::fake::{EBUSY, EINVAL, ENOENT, ENOSPC, EPIPE, Part, Stage, Step, content, policy, said};

fn tcp(name: &[u8]) -> Part {
    policy(Some(name), (10, 6), &[(8, 10)])
}

const SHOWN: &str =
    ".a = {\n\t.l3proto = 10,\n\t.l4proto = 6,\n\t.policy = {\n\t\t.CLOSE = 10,\n\t},\n};\n";

#[test]
fn the_kernels_refusal_has_the_systems_words() {
    for (line, errno, text) in [
        ("get timeout t", ENOENT, "No such file or directory"),
        ("add timeout t inet icmpv6 timeout 1", EBUSY, "Device or resource busy"),
        ("list helper", EINVAL, "Invalid argument"),
    ] {
        Stage::refusing(errno).run(line).is(1, "", &said(&format!("netlink error: {text}")));
    }
}

#[test]
fn a_helper_of_the_kernel_in_the_way_is_named() {
    let busy = said("netlink error: Device or resource busy");
    let wanted = format!("{busy}Maybe unload nf_conntrack_ftp.ko first?\n");
    Stage::refusing(EBUSY).run("add helper ftp inet tcp").is(1, "", &wanted);
    Stage::refusing(EBUSY).run("disable helper ftp inet tcp").is(1, "", &busy);
    Stage::refusing(EBUSY).run("delete helper ftp").is(1, "", &busy);
}

#[test]
fn a_wrong_command_line_never_reaches_the_kernel() {
    let mut stage = Stage::default();
    let wanted = said("Wrong state name: `nosuch' for protocol `icmpv6'");
    stage.run("add timeout t inet icmpv6 timeout 1 nosuch 2").is(1, "", &wanted);
    stage.run("x").is(1, "", "Usage: nfct command subsystem [parameters]...\n");
    assert!(stage.asked().is_empty());
}

#[test]
fn no_socket_is_an_exit_code_of_its_own() {
    let refused: [fn() -> OpenError; 2] = [
        || OpenError::Open(io::Error::from_raw_os_error(93)),
        || OpenError::Bind(io::Error::from_raw_os_error(93)),
    ];
    for error in refused {
        let mut stage = Stage::default();
        stage.no_socket = Some(error);
        let wanted = said("cannot open netlink: Protocol not supported");
        stage.run("list timeout").is(255, "", &wanted);
    }
}

#[test]
fn entries_before_a_failure_stay() {
    let mut stage = Stage::answering([
        Step::Datagram(vec![tcp(b"a")]),
        Step::Datagram(vec![Part::Done(ENOENT)]),
    ]);
    let wanted = said("netlink error: No such file or directory");
    stage.run("list timeout").is(1, SHOWN, &wanted);
}

#[test]
fn a_socket_that_fails_ends_the_list() {
    let mut stage = Stage::answering([Step::Datagram(vec![tcp(b"a")]), Step::Errno(105)]);
    let wanted = said("netlink error: No buffer space available");
    stage.run("list timeout").is(1, SHOWN, &wanted);
}

#[test]
fn a_malformed_entry_is_an_error_and_leaves_nothing_behind() {
    let malformed = || content(super::fake::POLICY, |out| out.u8(2, 2));
    let text = "netlink error: attribute CTA_TIMEOUT_L3PROTO at byte 4: 1 bytes, 2 expected";
    let mut stage = Stage::answering([Step::Datagram(vec![tcp(b"a"), malformed()])]);
    stage.run("list timeout").is(1, SHOWN, &said(text));
    let mut stage = Stage::answering([Step::Datagram(vec![tcp(b"a"), malformed()])]);
    let ended = stage.run("--json list timeout");
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["complete"], false);
    assert_eq!(document["timeout_policies"].as_array().unwrap().len(), 1);
    assert_eq!((ended.code, ended.stderr), (1, said(text)));
}

#[test]
fn a_disturbed_list_is_said() {
    let mut stage = Stage::answering([Step::Interrupted(vec![tcp(b"a"), Part::Done(0)])]);
    let wanted =
        "WARNING: the list changed while it was read: entries may be missing or appear twice.\n";
    stage.run("list timeout").is(0, SHOWN, wanted);
}

#[test]
fn standard_output_that_fails_is_said_and_a_closed_one_is_not() {
    for line in ["list timeout", "list version"] {
        let mut stage = Stage::answering([Step::Datagram(vec![tcp(b"a"), Part::Done(0)])]);
        stage.stdout_fails = Some(ENOSPC);
        let wanted = said("cannot write the output: No space left on device");
        stage.run(line).is(1, "", &wanted);
        let mut stage = Stage::answering([Step::Datagram(vec![tcp(b"a"), Part::Done(0)])]);
        stage.stdout_fails = Some(EPIPE);
        stage.run(line).is(141, "", "");
    }
}
