//! What is said beyond upstream's bytes: on a terminal, or where JSON was asked for.

use super::fake::{EBUSY, EINVAL, ENOENT, EOPNOTSUPP, EPERM, Part, Stage, Step, said};

/// The lines behind the first one, on a terminal.
fn hints(errno: i32, line: &str) -> String {
    let mut stage = Stage::refusing(errno);
    stage.protocols = Some("udp 17\nesp 50\n");
    let plain = stage.run(line);
    assert_eq!(plain.stderr.lines().filter(|line| line.starts_with("hint: ")).count(), 0);
    let mut stage = Stage::refusing(errno);
    stage.protocols = Some("udp 17\nesp 50\n");
    stage.stderr_is_terminal = true;
    let shown = stage.run(line);
    assert_eq!(shown.code, plain.code);
    shown.stderr.strip_prefix(&plain.stderr).unwrap().to_owned()
}

#[test]
fn a_subsystem_that_the_kernel_lacks_is_named() {
    for line in ["list helper", "get helper ftp", "add helper ftp inet tcp", "flush helper"] {
        let hint = hints(EINVAL, line);
        assert!(hint.starts_with("hint: this kernel may lack "), "{line}: {hint}");
        assert!(hint.contains("CONFIG_NF_CT_NETLINK_HELPER, module nfnetlink_cthelper"), "{hint}");
    }
    let hint = hints(EINVAL, "disable helper ftp inet tcp");
    assert!(hint.starts_with("hint: there is no such helper, or this kernel lacks "), "{hint}");
    for line in ["list timeout", "delete timeout t", "default-get timeout inet udp"] {
        let hint = hints(EINVAL, line);
        assert!(
            hint.contains("CONFIG_NF_CT_NETLINK_TIMEOUT, module nfnetlink_cttimeout"),
            "{hint}"
        );
    }
}

#[test]
fn other_refusals_are_explained_where_the_cause_is_known() {
    for (errno, line, wanted) in [
        (EPERM, "list timeout", "CAP_NET_ADMIN."),
        (EPERM, "list helper", "initial user namespace."),
        (EINVAL, "add timeout t inet udp", "at least one state"),
        (EBUSY, "add timeout t inet udp replied 1", "delete it first"),
        (EBUSY, "delete timeout t", "a rule uses this policy"),
        (EBUSY, "flush helper", "a rule uses such a helper"),
        (EOPNOTSUPP, "default-get timeout inet esp", "no tracker of its own"),
    ] {
        let hint = hints(errno, line);
        assert!(hint.contains(wanted), "{line}: {hint}");
        assert_eq!(hint.lines().count(), 1, "{hint}");
    }
    assert_eq!(hints(ENOENT, "get timeout t"), "");
}

#[test]
fn who_asks_for_json_is_told_too() {
    let ended = Stage::refusing(EINVAL).run("list helper --json");
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
    let (first, hint) = ended.stderr.split_once('\n').unwrap();
    assert_eq!(format!("{first}\n"), said("netlink error: Invalid argument"));
    assert!(hint.contains("CONFIG_NF_CT_NETLINK_HELPER"), "{hint}");
}

#[test]
fn a_person_who_typed_too_little_gets_help() {
    let usage = "Usage: nfct command subsystem [parameters]...\n";
    for line in ["", "help", "-h", "--version", "list"] {
        let mut stage = Stage::default();
        stage.run(line).is(1, "", usage);
        stage.stderr_is_terminal = true;
        let ended = stage.run(line);
        let help = ended.stderr.strip_prefix(usage).unwrap();
        assert!(help.contains("  nfct add timeout NAME "), "{help}");
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }
}

#[test]
fn a_name_that_is_cut_is_told_a_person() {
    let line = format!("delete timeout {}", "x".repeat(32));
    for (is_terminal, wanted) in
        [(false, ""), (true, "hint: the name is too long, its first 31 bytes count.\n")]
    {
        let mut stage = Stage::answering([Step::Datagram(vec![Part::Acknowledgement])]);
        stage.stderr_is_terminal = is_terminal;
        stage.run(&line).is(0, "", wanted);
    }
}
