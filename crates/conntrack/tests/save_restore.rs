//! A saved table restores to an equal one: 20,000 mixed flows on the real kernel, in a network namespace of their own.
//!
//! Without the right to make one the tests say so and count as skipped, as those of `real_kernel.rs` do.

#![forbid(unsafe_code)]
#![cfg(test)]

mod namespace;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use namespace::{has, unshare};

const FLOWS: u32 = 20_000;

/// Loads, saves, empties, restores, saves again. `$1` is the program, `$2` the lines, `$3` a folder for the lists.
const SCRIPT: &str = r#"
set -e
if [ "$4" = saveall ]; then
    # Labels need a rule that refers to them.
    nft 'add table inet t; add chain inet t c; add rule inet t c ct label 1'
fi
"$1" -R "$2"
"$1" -C > "$3/count"
"$1" -L -o "$4" > "$3/saved" 2> /dev/null
"$1" -L > "$3/before" 2> /dev/null
"$1" -F 2> /dev/null
"$1" -C > "$3/empty"
"$1" -R "$3/saved"
"$1" -L > "$3/after" 2> /dev/null
"#;

/// A table like that of a gateway: protocols, families, zones, states and translations in turn.
fn line(number: u32, form: &str) -> String {
    let [_, _, high, low] = number.to_be_bytes();
    let port = 1024 + number;
    let (src, dst) = (format!("10.1.{high}.{low}"), "192.0.2.80");
    let (src6, dst6) = (format!("fd00::{number:x}"), "fd00:1::80");
    let mut line = match number % 13 {
        0 => format!(
            "-s {src} -d {dst} -p tcp --sport {port} --dport 443 --state ESTABLISHED -u SEEN_REPLY,ASSURED"
        ),
        1 => format!("-s {src} -d {dst} -p tcp --sport {port} --dport 80 --state SYN_SENT"),
        2 => format!("-s {src} -d {dst} -p udp --sport {port} --dport 53 -u SEEN_REPLY"),
        3 => format!(
            "-s {src6} -d {dst6} -p tcp --sport {port} --dport 443 --state TIME_WAIT -u SEEN_REPLY,ASSURED"
        ),
        4 => format!("-s {src} -d {dst} -p icmp --icmp-type 8 --icmp-code 0 --icmp-id {port}"),
        5 => format!(
            "-s {src6} -d {dst6} -p icmpv6 --icmpv6-type 128 --icmpv6-code 0 --icmpv6-id {port}"
        ),
        6 => format!("-s {src} -d {dst} -p gre --srckey {port} --dstkey 7"),
        7 => format!(
            "-s {src} -d {dst} -p sctp --sport {port} --dport 36412 --state ESTABLISHED --orig-vtag {number} --reply-vtag 9"
        ),
        8 => format!("-s {src} -d {dst} -p udplite --sport {port} --dport 5004"),
        9 => format!("-s {src} -d {dst} -p 50"),
        10 => format!(
            "-s {src} -d {dst} -p tcp --sport {port} --dport 25 --state ESTABLISHED -n 198.51.100.1:{port}"
        ),
        11 => format!(
            "-s {src} -d 198.51.100.2 -p tcp --sport {port} --dport 8080 --state ESTABLISHED -g 10.9.9.9:80"
        ),
        _ => format!(
            "-s {src} -d 198.51.100.3 -p udp --sport {port} --dport 5000 -n 198.51.100.1:{port} -g 10.9.9.8:{port}"
        ),
    };
    match number % 7 {
        0 => line.push_str(" -w 5"),
        1 => line.push_str(" --orig-zone 6"),
        2 => line.push_str(" --reply-zone 7"),
        3 => line.push_str(" -u FIXED_TIMEOUT"),
        _ => {}
    }
    if form == "saveall" {
        write!(line, " -m {number}").unwrap();
        if number.is_multiple_of(3) {
            write!(line, " --label-add bit:{}", number % 128).unwrap();
        }
        if number % 13 == 1 {
            line.push_str(" --ct-helper ftp");
        }
    }
    // Far from where a second more or less counts as another number.
    write!(line, " -t {}", 100_000 + number).unwrap();
    format!("-A {line}\n")
}

fn temporary_folder(name: &str) -> PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The lines in order, without the numbers that the time changes. Timeouts were made unique; they have to be near.
fn entries(path: &Path) -> Vec<(String, u32)> {
    let text = fs::read_to_string(path).unwrap();
    let mut entries: Vec<_> = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let timeout = words[2].parse().unwrap();
            let rest = [&words[..2], &words[3..]].concat().join(" ");
            (rest, timeout)
        })
        .collect();
    entries.sort();
    entries
}

fn restores_equal(form: &str) {
    let Some(words) = unshare() else { return };
    if form == "saveall" && !has("nft") {
        return;
    }
    let folder = temporary_folder(form);
    let lines: String = (1..=FLOWS).map(|number| line(number, form)).collect();
    let file = folder.join("lines");
    fs::write(&file, lines).unwrap();
    let output = Command::new(words[0])
        .args(&words[1..])
        .args(["sh", "-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_conntrack")])
        .args([&file, &folder])
        .arg(form)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let number = |name: &str| fs::read_to_string(folder.join(name)).unwrap().trim().to_owned();
    assert_eq!(number("count"), FLOWS.to_string());
    assert_eq!(number("empty"), "0");
    let (before, after) = (entries(&folder.join("before")), entries(&folder.join("after")));
    assert_eq!(before.len(), after.len());
    for ((line, timeout), (restored, restored_timeout)) in before.iter().zip(&after) {
        assert_eq!(line, restored);
        assert!(timeout.abs_diff(*restored_timeout) < 600, "{line}: {timeout} {restored_timeout}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn twenty_thousand_mixed_flows_restore_to_an_equal_table() {
    restores_equal("save");
}

#[test]
fn with_marks_labels_and_helpers_too() {
    restores_equal("saveall");
}
