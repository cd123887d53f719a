//! JSON: the bytes, and the schema.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::fake::{HELPER, POLICY, Part, Stage, Step, content, helper, policy};

/// Asks the validator, a program of its own, whether the text is one document of this name.
fn validate(name: &str, text: &str) {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/conntrack/lib/validate.py");
    let mut child = Command::new(script)
        .args([name, "nfct"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Without its module the script ends before it reads; then its message says so below.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("is not installed") {
        eprintln!("{name}: not validated: {errors}");
        return;
    }
    assert!(output.status.success(), "{errors}: {text}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name}: 1 valid\n"));
}

/// The document that a list of these is.
#[track_caller]
fn document(name: &str, line: &str, parts: Vec<Part>, wanted: &str) {
    let mut stage = Stage::answering([Step::Datagram(parts), Step::Datagram(vec![Part::Done(0)])]);
    stage.run(line).is(0, wanted, "");
    validate(name, wanted);
}

#[test]
fn policies_are_a_document_with_a_line_each() {
    let parts = vec![
        policy(Some(b"a\"\xff"), (2, 17), &[(1, 30), (2, 5)]),
        policy(Some(b""), (10, 255), &[(1, u32::MAX)]),
        policy(Some(b"new"), (7, 132), &[(8, 30), (9, 0), (10, 1)]),
        policy(Some(b"none"), (2, 50), &[]),
        content(POLICY, |_| {}),
    ];
    let wanted = concat!(
        "{\"version\":1,\"timeout_policies\":[\n",
        r#"{"name":"a\"�","l3proto":2,"family":"ipv4","protocol":{"number":17,"name":"udp"},"#,
        r#""timeouts":{"UNREPLIED":30,"REPLIED":5},"use":1}"#,
        ",\n",
        r#"{"name":"","l3proto":10,"family":"ipv6","protocol":{"number":255,"name":"generic"},"#,
        r#""timeouts":{"TIMEOUT":4294967295},"use":1}"#,
        ",\n",
        r#"{"name":"new","l3proto":7,"family":null,"protocol":{"number":132,"name":"sctp"},"#,
        r#""timeouts":{"HEARTBEAT_SENT":30,"HEARTBEAT_ACKED":0,"10":1},"use":1}"#,
        ",\n",
        r#"{"name":"none","l3proto":2,"family":"ipv4","protocol":{"number":50,"name":null},"#,
        r#""timeouts":{},"use":1}"#,
        ",\n",
        r#"{"name":null,"l3proto":null,"family":null,"protocol":null,"timeouts":{},"use":null}"#,
        "\n]}\n",
    );
    document("timeoutPolicyList", "list timeout --json", parts, wanted);
}

#[test]
fn defaults_are_a_document_with_one_entry() {
    let parts = vec![policy(None, (10, 58), &[(1, 30)])];
    let wanted = "{\"version\":1,\"timeout_defaults\":[\n{\"l3proto\":10,\"family\":\"ipv6\",\
        \"protocol\":{\"number\":58,\"name\":\"icmpv6\"},\"timeouts\":{\"TIMEOUT\":30}}\n]}\n";
    document("timeoutDefaultsList", "default-get timeout inet6 icmpv6 --json", parts, wanted);
}

#[test]
fn helpers_have_their_policies() {
    let parts = vec![helper("ftp", 1), helper("rpc", 2), content(HELPER, |_| {})];
    let of = |name: &str, status: &str| {
        format!(
            "{{\"name\":\"{name}\",\"l3proto\":10,\"family\":\"ipv6\",\
             \"protocol\":{{\"number\":6,\"name\":\"tcp\"}},\"queue\":7,\"private_data_len\":24,\
             \"status\":{status},\"policies\":[\
             {{\"name\":\"{name}\",\"expect_max\":8,\"expect_timeout\":300}}]}}"
        )
    };
    let wanted = format!(
        "{{\"version\":1,\"helpers\":[\n{},\n{},\n{}\n]}}\n",
        of("ftp", "\"enabled\""),
        of("rpc", "2"),
        "{\"name\":null,\"l3proto\":null,\"family\":null,\"protocol\":null,\"queue\":null,\
         \"private_data_len\":null,\"status\":null,\"policies\":[]}",
    );
    document("helperList", "list helper --json", parts, &wanted);
}

#[test]
fn an_empty_list_is_a_document() {
    for (name, line, key) in [
        ("timeoutPolicyList", "--json list timeout", "timeout_policies"),
        ("helperList", "get helper x inet --json", "helpers"),
    ] {
        document(name, line, Vec::new(), &format!("{{\"version\":1,\"{key}\":[]}}\n"));
    }
}

#[test]
fn a_disturbed_list_is_not_complete() {
    let mut stage = Stage::answering([Step::Interrupted(vec![helper("x", 0), Part::Done(0)])]);
    let ended = stage.run("list helper --json");
    assert!(ended.stdout.ends_with("\n],\"complete\":false}\n"), "{}", ended.stdout);
    validate("helperList", &ended.stdout);
}
