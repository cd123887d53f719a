//! The built program on the kernel that runs, each test in a network namespace of its own.
//!
//! What needs a real terminal, a real pipe or a real signal. Without the right to make a namespace, or without a program
//! that a test needs, the test says so and counts as skipped; root must be able to make one.
//! Needed beside the kernel: `unshare`, `nsenter` and `script` of util-linux, and `nft` for one test.
#![forbid(unsafe_code)]
#![cfg(test)]

mod namespace;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::Duration;

use namespace::{has, is_root, unshare};

const PROGRAM: &str = env!("CARGO_BIN_EXE_conntrack");
/// How often to look, and how many times before it is too late: 20 seconds in all.
const PAUSE: Duration = Duration::from_millis(10);
const LOOKS: usize = 2000;

/// More flows than a pipe can hold lines of.
const MANY: usize = 2000;
const INSERT: &str = "-I -s 192.0.2.1 -d 198.51.100.1 -p udp --sport 1 --dport 53 -t 600";

/// A shell in a fresh namespace, `$0` being the program.
fn shell(words: &[&str], script: &str) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["sh", "-c", script, PROGRAM]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn said(what: &str) -> String {
    format!("conntrack v1.4.9 (conntrack-tools): {what}\n")
}

#[track_caller]
fn ended(output: &Output, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(text(&output.stdout), stdout, "standard output");
    assert_eq!(text(&output.stderr), stderr, "standard error");
    assert_eq!(output.status.code(), Some(code), "{}", output.status);
}

/// Looks until there is something.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..LOOKS {
        if let Some(found) = look() {
            return found;
        }
        thread::sleep(PAUSE);
    }
    panic!("too late: {what}");
}

/// A `conntrack -E` in a namespace of its own. It is ended with the test, whatever happens.
struct Watcher(Child);

impl Watcher {
    fn start(words: &[&str], options: &str) -> Self {
        let child = shell(words, &format!("exec \"$0\" -E {options}")).spawn().unwrap();
        let watcher = Self(child);
        // `unshare` and the shell become the program, so the process stays the same.
        let sockets = format!("/proc/{}/net/netlink", watcher.0.id());
        until("the watcher joins its groups", || {
            let sockets = fs::read_to_string(&sockets).ok()?;
            is_member(&sockets, watcher.0.id()).then_some(())
        });
        watcher
    }

    /// Runs the program in the namespace of the watcher.
    fn beside(&self, words: &str) {
        let id = self.0.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &id, "-n"]);
        if !is_root() {
            // The namespace belongs to a user namespace of the watcher's own.
            command.args(["-U", "--preserve-credentials"]);
        }
        let status = command
            .args(["--", PROGRAM])
            .args(words.split_whitespace())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "{words}: {status}");
    }

    fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// The end of the watcher, and what it wrote that nobody read yet.
    fn end(mut self) -> (ExitStatus, String, String) {
        let status = until("the watcher ends", || self.0.try_wait().unwrap());
        let (mut stdout, mut stderr) = (String::new(), String::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        self.0.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status, stdout, stderr)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the netfilter socket (protocol 12) of this process is a member of the three groups of flows.
fn is_member(sockets: &str, process: u32) -> bool {
    let process = process.to_string();
    sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|columns| columns.get(1..4) == Some(&["12", process.as_str(), "00000007"]))
}

#[test]
fn signals_end_the_events_in_order() {
    let Some(words) = unshare() else { return };
    for name in ["INT", "TERM"] {
        let watcher = Watcher::start(words, "");
        watcher.signal(name);
        let (status, stdout, stderr) = watcher.end();
        assert_eq!(status.code(), Some(0), "SIG{name}: {status}");
        assert_eq!(stdout, "");
        assert_eq!(stderr, said("0 flow events have been shown."));
    }
}

#[test]
fn a_signal_closes_the_document_behind_the_events() {
    let Some(words) = unshare() else { return };
    let mut watcher = Watcher::start(words, "-o xml");
    watcher.beside(INSERT);
    let mut lines = BufReader::new(watcher.0.stdout.take().unwrap());
    let mut document = String::new();
    for _ in 0..3 {
        lines.read_line(&mut document).unwrap();
    }
    watcher.signal("TERM");
    lines.read_to_string(&mut document).unwrap();
    let (status, _, stderr) = watcher.end();
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(stderr, said("1 flow events have been shown."));
    assert!(document.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n"));
    assert!(document.ends_with("</flow>\n</conntrack>\n"), "{document}");
    assert_eq!(document.matches("<flow type=\"new\">").count(), 1, "{document}");
}

#[test]
fn events_end_when_their_reader_goes_even_if_nothing_more_happens() {
    let Some(words) = unshare() else { return };
    let mut watcher = Watcher::start(words, "");
    watcher.beside(INSERT);
    let mut line = String::new();
    BufReader::new(watcher.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("    [NEW] udp      17 600 src=192.0.2.1 "), "{line}");
    assert!(line.contains(" [USERSPACE] portid="), "{line}");
    // The reader is gone with the statement above.
    let (status, _, stderr) = watcher.end();
    assert_eq!(status.code(), Some(141), "{status}");
    assert_eq!(stderr, "");
}

#[test]
fn events_into_a_pipe_that_takes_one_line_end_the_pipeline() {
    let Some(words) = unshare() else { return };
    // The insert comes when the watcher, alone in its namespace, is a member of its groups.
    let script = format!(
        "\"$0\" -E | head -n 1 &
        until grep -q ' 12 .* 00000007 ' /proc/net/netlink; do sleep 0.01; done
        \"$0\" {INSERT} 2>/dev/null
        wait"
    );
    let mut child = shell(words, &script).process_group(0).spawn().unwrap();
    let ended = (0..LOOKS).any(|_| {
        thread::sleep(PAUSE);
        child.try_wait().unwrap().is_some()
    });
    if !ended {
        let group = format!("-{}", child.id());
        assert!(
            Command::new("kill").args(["-s", "KILL", "--", &group]).status().unwrap().success()
        );
    }
    let output = child.wait_with_output().unwrap();
    assert!(ended, "the pipeline did not end: {output:?}");
    let stdout = text(&output.stdout);
    assert!(stdout.starts_with("    [NEW] udp "), "{output:?}");
    assert_eq!(stdout.lines().count(), 1, "{output:?}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn events_whose_reader_reads_nothing_end_with_a_second_signal() {
    let Some(words) = unshare() else { return };
    let mut watcher = Watcher::start(words, "");
    // More lines than a pipe holds.
    let line = |port| format!("-I -s 192.0.2.1 -d 192.0.2.2 -p udp --sport {port} --dport 9 -t 60");
    let lines = (1..2000).map(line).collect::<Vec<_>>().join("\n");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("unread-{}", watcher.0.id()));
    fs::write(&file, lines).unwrap();
    watcher.beside(&format!("-R {}", file.display()));
    fs::remove_file(file).unwrap();
    // Two signals that come before the first is taken are one, so they go on.
    let status = until("the watcher ends", || {
        let ended = watcher.0.try_wait().unwrap();
        if ended.is_none() {
            watcher.signal("TERM");
        }
        ended
    });
    assert_eq!(status.code(), Some(1), "{status}");
    let (_, stdout, stderr) = watcher.end();
    assert!(stdout.ends_with('\n') || stdout.len() >= 4096, "{}", stdout.len());
    assert!(stderr.ends_with("cannot write the output: ended by a second signal\n"), "{stderr}");
}

#[test]
fn a_signal_in_the_middle_of_a_list_leaves_whole_lines_and_a_true_count() {
    let Some(words) = unshare() else { return };
    for form in ["", "-o xml", "-o json"] {
        // The list fills the pipe; who reads it waits until the signal has come.
        let script = format!("\"$0\" -R - && exec \"$0\" -L {form}");
        let mut child = start_with_many_flows(words, &script);
        let mut stdout = child.stdout.take().unwrap();
        let mut shown = vec![0; 1];
        stdout.read_exact(&mut shown).unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
        thread::sleep(PAUSE);
        stdout.read_to_end(&mut shown).unwrap();
        let output = child.wait_with_output().unwrap();
        // As if nobody had held the signal back.
        assert_eq!(output.status.signal(), Some(2), "{output:?}");
        let shown = text(&shown);
        assert!(shown.ends_with('\n'), "{form}: {}", &shown[shown.len() - 100..]);
        let (count, end) = match form {
            "-o xml" => (shown.matches("</flow>").count(), "</conntrack>\n"),
            "-o json" => (shown.matches("\"use\":").count(), "],\"complete\":false}\n"),
            _ => (shown.lines().filter(|line| line.contains(" use=")).count(), "\n"),
        };
        assert!(shown.ends_with(end), "{form}: {}", &shown[shown.len() - 100..]);
        assert!(count < MANY, "{form}: {count}");
        let said = said(&format!("{count} flow entries have been shown."));
        assert_eq!(text(&output.stderr), said, "{form}");
    }
}

/// Runs the script with [`MANY`] inserts on its standard input.
fn with_many_flows(words: &[&str], script: &str, reads_output: bool) -> Output {
    let mut child = shell(words, script).stdin(Stdio::piped()).spawn().unwrap();
    if !reads_output {
        drop(child.stdout.take());
    }
    insert_many(&mut child);
    child.wait_with_output().unwrap()
}

fn start_with_many_flows(words: &[&str], script: &str) -> Child {
    let mut child = shell(words, script).stdin(Stdio::piped()).spawn().unwrap();
    insert_many(&mut child);
    child
}

fn insert_many(child: &mut Child) {
    let inserts: String = (1..=MANY).fold(String::new(), |all, port| {
        all + &INSERT.replace("--sport 1", &format!("--sport {port}")) + "\n"
    });
    child.stdin.take().unwrap().write_all(inserts.as_bytes()).unwrap();
}

#[test]
fn a_long_list_into_a_closed_pipe_ends_quietly() {
    let Some(words) = unshare() else { return };
    for form in ["", "-o xml", "-o extended"] {
        let script = format!("\"$0\" -R - && exec \"$0\" -L {form}");
        let output = with_many_flows(words, &script, false);
        ended(&output, 141, "", "");
    }
}

#[test]
fn deleting_goes_on_when_the_reader_is_gone() {
    let Some(words) = unshare() else { return };
    let script = "\"$0\" -R - || exit; \"$0\" -D; echo \"exit $?\" >&2; \"$0\" -C >&2";
    let output = with_many_flows(words, script, false);
    assert_eq!(text(&output.stderr), "exit 141\n0\n");
}

#[test]
fn a_long_list_is_whole() {
    let Some(words) = unshare() else { return };
    let output = with_many_flows(words, "\"$0\" -R - && exec \"$0\" -L", true);
    assert_eq!(text(&output.stderr), said("2000 flow entries have been shown."));
    let lines: std::collections::HashSet<&str> = text(&output.stdout).lines().collect();
    assert_eq!(lines.len(), 2000, "no line twice");
}

#[test]
fn a_full_disk_is_said() {
    let Some(words) = unshare() else { return };
    let script = format!("\"$0\" {INSERT} 2>/dev/null && exec \"$0\" -L >/dev/full");
    let stderr = said("1 flow entries have been shown.")
        + &said("cannot write the output: No space left on device");
    ended(&shell(words, &script).output().unwrap(), 1, "", &stderr);
}

/// What a terminal shows of `conntrack WORDS` after the preparation, and the exit code.
fn on_terminal(words: &[&str], preparation: &str, arguments: &str) -> (Option<i32>, String) {
    let script =
        format!("{preparation}\nexec script -qec \"'$0' {arguments}\" /dev/null </dev/null");
    let output = shell(words, &script).output().unwrap();
    assert_eq!(text(&output.stderr), "", "{output:?}");
    (output.status.code(), text(&output.stdout).replace("\r\n", "\n"))
}

const HINT: &str = "hint: nothing is tracked in this network namespace: ";

#[test]
fn a_person_is_told_why_the_table_is_empty() {
    let Some(words) = unshare() else { return };
    if !has("script") {
        return;
    }
    let (code, shown) = on_terminal(words, "", "-L");
    assert_eq!(code, Some(0), "{shown}");
    let rest = shown.strip_prefix(&said("0 flow entries have been shown.")).unwrap();
    assert!(rest.starts_with(HINT), "{shown}");
    assert_eq!(rest.lines().count(), 1, "{shown}");
}

#[test]
fn nobody_else_is_told() {
    let Some(words) = unshare() else { return };
    let output = shell(words, "exec \"$0\" -L").output().unwrap();
    ended(&output, 0, "", &said("0 flow entries have been shown."));
}

#[test]
fn a_selection_that_finds_nothing_is_not_explained() {
    let Some(words) = unshare() else { return };
    if !has("script") {
        return;
    }
    let preparation = format!("\"$0\" {INSERT} 2>/dev/null");
    let (code, shown) = on_terminal(words, &preparation, "-L -p tcp");
    assert_eq!((code, shown), (Some(0), said("0 flow entries have been shown.")));
}

#[test]
fn a_rule_that_tracks_needs_no_hint_and_another_rule_does() {
    let Some(words) = unshare() else { return };
    if !has("script") || !has("nft") {
        return;
    }
    let chain = "nft add table inet t && \
        nft add chain inet t c '{ type filter hook input priority 0; }' && nft add rule inet t c";
    let (_, shown) = on_terminal(words, &format!("{chain} counter"), "-L");
    assert!(shown.contains(HINT), "{shown}");
    for rule in ["ct state established counter", "ct mark set 1"] {
        let (_, shown) = on_terminal(words, &format!("{chain} {rule}"), "-L");
        assert_eq!(shown, said("0 flow entries have been shown."), "{rule}");
    }
    let nat = "nft add table ip n && \
        nft add chain ip n c '{ type nat hook postrouting priority 100; }' && \
        nft add rule ip n c masquerade";
    let (_, shown) = on_terminal(words, nat, "-L");
    assert_eq!(shown, said("0 flow entries have been shown."));
}

#[test]
fn a_terminal_shows_the_line_before_the_count() {
    let Some(words) = unshare() else { return };
    if !has("script") {
        return;
    }
    let preparation = format!("\"$0\" {INSERT} 2>/dev/null");
    let (code, shown) = on_terminal(words, &preparation, "-L");
    assert_eq!(code, Some(0));
    assert!(shown.starts_with("udp      17 "), "{shown}");
    assert!(shown.ends_with(&said("1 flow entries have been shown.")), "{shown}");
}

/// The numbers of `R events received, L lost.`
fn received_and_lost(stderr: &str) -> (u64, u64) {
    let line = stderr.lines().rfind(|line| line.ends_with(" lost.")).expect(stderr);
    let mut numbers = line.split_whitespace().filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn received_and_lost_events_are_all_that_happened() {
    const FLOWS: u64 = 6000;
    let Some(words) = unshare() else { return };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (events, flows) = (directory.join("lost-events"), directory.join("lost-events-flows"));
    let lines = (0..FLOWS).map(|n| {
        let [.., high, low] = n.to_be_bytes();
        format!("-I -s 10.0.{high}.{low} -d 198.51.100.1 -p udp --sport 1 --dport 53 -t 600\n")
    });
    fs::write(&flows, lines.collect::<String>()).unwrap();
    // The least buffer there is, and the kernel's part of the filter: half of the flows.
    for (options, generated) in
        [("-b 2304 -o json", FLOWS), ("-b 2304 -o json -s 10.0.0.0/20", 4096)]
    {
        let watcher = Watcher::start(words, &format!("{options} >{}", events.display()));
        watcher.beside(&format!("-R {}", flows.display()));
        watcher.signal("USR1");
        watcher.signal("INT");
        let (status, _, stderr) = watcher.end();
        assert!(status.success(), "{status}");
        let (received, lost) = received_and_lost(&stderr);
        assert!(lost > 0, "the buffer holds a few events only");
        assert_eq!(received + lost, generated, "{received} and {lost}");
        let text = fs::read_to_string(&events).unwrap();
        let (gaps, shown): (Vec<_>, Vec<_>) =
            text.lines().partition(|line| line.starts_with("{\"event\":\"lost\""));
        assert_eq!(shown.len(), usize::try_from(received).unwrap());
        let counts = gaps.iter().map(|line| {
            let (_, count) = line.rsplit_once(':').unwrap();
            count.trim_end_matches('}').parse::<u64>().unwrap()
        });
        assert_eq!(counts.sum::<u64>(), lost, "the records say the same");
    }
}
