//! The hint that nothing is tracked: for a person, and only when it is certain.

use sys::netlink::OpenError;

use crate::fake::{Ask, EINVAL, EPERM, Ended, Part, Stage, Step, closing, said, udp};

const HINT: &str = "hint: nothing is tracked in this network namespace: no rule refers to connection state \
     (nftables: ct …, masquerade, snat, dnat; iptables: -m conntrack, -t nat).\n";

/// An empty table that a person looks at.
fn empty() -> Stage {
    let mut stage = Stage::new([]);
    stage.stderr_is_terminal = true;
    stage
}

/// A rule with an expression of this name, as the payload of some attribute.
fn rule(name: &str) -> Part {
    let mut content = vec![1, 0, 0, 0];
    let len = u16::try_from(4 + name.len() + 1).unwrap();
    content.extend([len.to_ne_bytes(), 1u16.to_ne_bytes()].concat());
    content.extend(name.as_bytes());
    content.push(0);
    content.resize(content.len().next_multiple_of(4), 0);
    Part::Content(0x0a06, content)
}

#[track_caller]
fn hints(ended: &Ended) {
    ended.is(0, "", &(closing(0, "shown") + HINT));
}

#[track_caller]
fn does_not_hint(ended: &Ended) {
    ended.is(0, "", &closing(0, "shown"));
}

#[test]
fn an_empty_table_without_rules_is_explained_to_a_person() {
    hints(&empty().run("-L"));
    hints(&empty().run("-L -f ipv6 -p tcp"));
}

#[test]
fn a_program_that_reads_standard_error_gets_no_hint() {
    let mut stage = Stage::new([]);
    does_not_hint(&stage.run("-L"));
    assert_eq!(stage.kernel.asked(), [Ask::DumpFlows], "nothing more is asked");
}

#[test]
fn a_list_with_a_flow_needs_no_hint() {
    let mut stage = Stage::new([udp(1)]);
    stage.stderr_is_terminal = true;
    assert!(!stage.run("-L").stderr.contains("hint"));
}

#[test]
fn a_selection_that_finds_nothing_in_a_filled_table_is_no_empty_table() {
    let mut stage = Stage::new([udp(1)]);
    stage.stderr_is_terminal = true;
    does_not_hint(&stage.run("-L -p tcp"));
}

#[test]
fn other_lists_are_often_empty() {
    for line in ["-L dying", "-L unconfirmed"] {
        does_not_hint(&empty().run(line));
    }
}

#[test]
fn a_rule_that_makes_the_kernel_track_silences_it() {
    for name in ["ct", "nat", "masq", "redir", "flow_offload", "conntrack", "DNAT", "CT"] {
        let mut stage = empty();
        let parts = vec![rule("counter"), rule(name), Part::Done(0)];
        stage.kernel.script(Ask::DumpRules, [Step::Datagram(parts)]);
        does_not_hint(&stage.run("-L"));
    }
    let mut stage = empty();
    let parts = vec![rule("counter"), rule("payload"), Part::Done(0)];
    stage.kernel.script(Ask::DumpRules, [Step::Datagram(parts)]);
    hints(&stage.run("-L"));
}

#[test]
fn tables_of_the_older_iptables_silence_it() {
    for path in ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"] {
        let mut stage = empty();
        stage.system.put_file(path, "filter\n");
        does_not_hint(&stage.run("-L"));
    }
    let mut stage = empty();
    stage.system.put_file("/proc/net/ip_tables_names", "");
    hints(&stage.run("-L"));
}

#[test]
fn a_kernel_without_nftables_has_no_rules() {
    let mut stage = empty();
    stage.kernel.refuse(Ask::DumpRules, EINVAL);
    hints(&stage.run("-L"));
}

#[test]
fn rules_that_cannot_be_read_silence_it() {
    let broken = [
        Step::Datagram(vec![Part::Refusal(EPERM)]),
        Step::Datagram(vec![rule("counter"), Part::Done(12)]),
        Step::Interrupted(vec![rule("counter"), Part::Done(0)]),
        Step::Long(70_000),
        Step::Errno(105),
    ];
    for step in broken {
        let mut stage = empty();
        stage.kernel.script(Ask::DumpRules, [step]);
        does_not_hint(&stage.run("-L"));
    }
}

#[test]
fn a_count_that_cannot_be_read_silences_it() {
    let mut stage = empty();
    stage.kernel.refuse(Ask::TableStatistics, EPERM);
    does_not_hint(&stage.run("-L"));
}

const NO_CONNTRACK: &str = "hint: this kernel may lack connection tracking or its netlink interface \
     (modules nf_conntrack, nf_conntrack_netlink).\n";

/// Runs a line that fails, once for a program and once for a person, who is told more.
#[track_caller]
fn tells_more(line: &str, prepare: impl Fn(&mut Stage), stderr: &str, more: &str) {
    for (is_terminal, more) in [(false, ""), (true, more)] {
        let mut stage = Stage::new([]);
        stage.stderr_is_terminal = is_terminal;
        prepare(&mut stage);
        stage.run(line).is(1, "", &(stderr.to_owned() + more));
    }
}

#[test]
fn a_kernel_that_does_not_know_the_subsystem_is_explained_to_a_person() {
    let refuse = |stage: &mut Stage| stage.kernel.refuse(Ask::DumpFlows, EINVAL);
    tells_more("-L", refuse, &said("Operation failed: invalid parameters"), NO_CONNTRACK);
    let refuse = |stage: &mut Stage| stage.kernel.refuse(Ask::DumpFlows, EPERM);
    let not_root = "sorry, you must be root or get CAP_NET_ADMIN capability to do this";
    tells_more("-L", refuse, &said(&format!("Operation failed: {not_root}")), "");
}

#[test]
fn a_kernel_without_netfilter_is_explained_to_a_person() {
    let refuse = |stage: &mut Stage| {
        let unsupported = || OpenError::Open(std::io::Error::from_raw_os_error(93));
        stage.kernel.refuse_sockets(unsupported);
    };
    let stderr =
        "mnl_socket_open: Protocol not supported\n".to_owned() + &said("Can't open handler");
    tells_more("-L", refuse, &stderr, NO_CONNTRACK);
}

#[test]
fn a_missing_right_to_watch_is_named_to_a_person() {
    let refuse = |stage: &mut Stage| {
        let denied = || OpenError::Bind(std::io::Error::from_raw_os_error(EPERM));
        stage.kernel.refuse_sockets(denied);
    };
    let stderr = "mnl_socket_bind: Operation not permitted\n".to_owned()
        + &said("Can't open netlink socket");
    tells_more("-E", refuse, &stderr, "hint: watching events needs the right CAP_NET_ADMIN.\n");
}
