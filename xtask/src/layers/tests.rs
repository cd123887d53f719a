//! Made-up crates that keep and break each rule.

use super::{Crate, FORBID_UNSAFE, Source, faults, paths};

fn krate(name: &str, uses: &[&str], sources: &[(&str, &str)]) -> Crate {
    let root = if layer_is_program(name) { "src/main.rs" } else { "src/lib.rs" };
    let mut sources: Vec<Source> = sources
        .iter()
        .map(|&(path, text)| Source { path: path.to_owned(), text: text.to_owned() })
        .collect();
    if !sources.iter().any(|source| source.path == root) {
        sources.push(Source { path: root.to_owned(), text: format!("{FORBID_UNSAFE}\n") });
    }
    Crate {
        name: name.to_owned(),
        uses: uses.iter().map(|&name| name.to_owned()).collect(),
        roots: vec![root.to_owned()],
        sources,
    }
}

fn layer_is_program(name: &str) -> bool {
    matches!(name, "conntrack" | "conntrackd" | "nfct" | "ctwatch")
}

fn source_fault(name: &str, path: &str, text: &str) -> Vec<String> {
    faults(&[krate(name, &[], &[(path, text)])])
}

#[test]
fn house_as_planned_has_no_fault() {
    let house = [
        krate("flow", &["arrayvec"], &[]),
        krate("sys", &["nix"], &[("src/lib.rs", "unsafe fn call() {}")]),
        krate("ctnetlink", &["flow", "sys"], &[("src/client.rs", "use sys::Netlink;")]),
        krate("ctsync", &["flow"], &[]),
        krate("conntrackd", &["ctsync", "ctnetlink", "flow", "sys"], &[]),
    ];
    assert_eq!(faults(&house), [""; 0]);
}

#[test]
fn dependency_that_points_up_or_sideways_is_named() {
    let house = [
        krate("flow", &["sys"], &[]),
        krate("sys", &[], &[]),
        krate("ctnetlink", &["flow"], &[]),
        krate("ctsync", &["ctnetlink", "sys"], &[]),
        krate("conntrack", &["conntrackd"], &[]),
        krate("conntrackd", &[], &[]),
    ];
    let wanted = [
        "flow must not use sys",
        "ctsync must not use ctnetlink",
        "ctsync must not use sys",
        "conntrack must not use conntrackd",
    ];
    assert_eq!(faults(&house), wanted);
}

#[test]
fn crate_outside_the_table_is_an_error() {
    let fault = faults(&[krate("mystery", &[], &[])]);
    assert_eq!(fault, ["mystery is not in the table; add it to CRATES in xtask/src/layers.rs"]);
}

#[test]
fn root_without_the_attribute_is_a_fault_but_for_sys() {
    assert_eq!(
        source_fault("flow", "src/lib.rs", "//! #![forbid(unsafe_code)]\n"),
        ["flow: src/lib.rs has no #![forbid(unsafe_code)]"]
    );
    assert_eq!(source_fault("sys", "src/lib.rs", ""), [""; 0]);
}

#[test]
fn sys_is_for_the_client_of_ctnetlink_only() {
    for text in ["use sys::Netlink;", "use ::sys;", "fn f() { sys::open(); }", "use {sys::A};"] {
        let fault = source_fault("ctnetlink", "src/exchange.rs", text);
        assert_eq!(fault, ["ctnetlink: src/exchange.rs names sys: only client does"], "{text}");
        assert_eq!(source_fault("ctnetlink", "src/client/socket.rs", text), [""; 0], "{text}");
    }
    for text in ["use netlink_sys::A;", "use nix::sys::A;", "// use sys::A;", "\"sys::A\""] {
        assert_eq!(source_fault("ctnetlink", "src/exchange.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn pure_code_names_no_clock_socket_file_or_environment() {
    let impure = [
        "use std::net::UdpSocket;",
        "use std::{net::TcpStream};",
        "use std::{collections::HashMap, fs};",
        "fn f() { std::env::var(\"A\"); }",
        "fn f() { let t = Instant::now(); }",
        "fn f() { std::time::SystemTime::now() }",
    ];
    for text in impure {
        for name in ["flow", "ctsync", "cthelper", "flow-watch", "ctnetlink"] {
            assert_eq!(source_fault(name, "src/node.rs", text).len(), 1, "{name}: {text}");
        }
        assert_eq!(source_fault("ctnetlink", "src/client.rs", text), [""; 0]);
        assert_eq!(source_fault("conntrack", "src/options.rs", text), [""; 0]);
    }
}

#[test]
fn standard_error_belongs_to_the_edge_of_a_program() {
    for text in ["fn f() { eprintln!(\"x\") }", "fn f() { eprint!(\"x\") }", "use std::io::stderr;"]
    {
        for path in ["src/main.rs", "src/report.rs"] {
            let text = format!("{FORBID_UNSAFE}\n{text}");
            assert_eq!(source_fault("conntrack", path, &text), [""; 0]);
        }
        assert_eq!(source_fault("conntrack", "src/run/list.rs", text).len(), 1, "{text}");
        assert_eq!(source_fault("sys", "src/report.rs", text).len(), 1, "{text}");
    }
}

#[test]
fn test_code_is_exempt_and_what_follows_it_is_not() {
    let text = "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
    assert_eq!(source_fault("flow", "src/mark.rs", text), [""; 0]);
    assert_eq!(source_fault("flow", "src/mark/tests.rs", "use std::fs;"), [""; 0]);
    let after = format!("{text}use std::fs;\n");
    assert_eq!(source_fault("flow", "src/mark.rs", &after).len(), 1);
    let declared = "#[cfg(test)]\nmod tests;\n\nuse std::fs;\n";
    assert_eq!(source_fault("flow", "src/mark.rs", declared).len(), 1);
}

#[test]
fn literals_and_comments_do_not_hide_what_follows() {
    for lead in ["'\"'", "b'\\''", "r#\"\"#", "\"\\\"\"", "&'a str", "/* ** */ 1", "1 // it's\n"] {
        let text = format!("let x = {lead}; use std::fs;");
        let found = paths::named(&text);
        assert!(found.iter().any(|path| path.contains(&["std", "fs"])), "{text}: {found:?}");
    }
}

#[test]
fn group_imports_are_written_out() {
    let found = paths::named("use std::{io::{self, Read}, fs as files}; use a::b;");
    for wanted in [&["std", "io", "Read"][..], &["std", "io", "self"], &["std", "fs"], &["a", "b"]]
    {
        assert!(found.iter().any(|path| path.contains(wanted)), "{wanted:?}: {found:?}");
    }
    assert!(!found.iter().any(|path| path.contains(&["std", "b"])), "{found:?}");
}
