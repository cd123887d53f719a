//! Rotation of the log files as logrotate does it: the file is moved away, then SIGHUP.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;

use conntrackd::kernel::{Entry, Writer};
use ctsync::wire::{Record, RestoreOptions};
use flow::{AddressPair, L4Key, Ports, Protocol, Tuple};
use nix::sys::signal::Signal;

use crate::stage::{Console, Stage, until};

/// Rotations, and what is logged from one to the next.
const ROTATIONS: u16 = 8;
const BETWEEN: u16 = 50;

/// A flow that is known by its port.
fn entry(port: u16) -> Entry {
    let addresses = AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [198, 51, 100, 2].into() };
    let key = L4Key::Ports(Ports { src: port, dst: 53 });
    let record = Record::new(Tuple { addresses, protocol: Protocol::Udp, key });
    let options = RestoreOptions { timeout_s: Some(600), window_tracking: false };
    Entry::Flow(record.restore(options))
}

/// Makes flows and ends them.
fn play(writer: &mut Writer, ports: Range<u16>) {
    let entries: Vec<_> = ports.map(entry).collect();
    let tally = writer.commit(&entries, |_, failure| panic!("{failure:?}"));
    assert_eq!(tally.done, entries.len());
    writer.flush_flows().unwrap();
}

/// Moves a file away and lets the daemon make a new one.
fn rotate(stage: &Stage, daemon: &Console, names: &[&str], number: u16) {
    for name in names {
        fs::rename(stage.path(name), stage.path(&format!("{name}.{number}"))).unwrap();
    }
    daemon.signal(Signal::SIGHUP);
    until(|| names.iter().all(|name| stage.path(name).exists()).then_some(()));
}

/// The files of a log, oldest first.
fn files(stage: &Stage, name: &str) -> Vec<String> {
    let old = (0..ROTATIONS).map(|number| stage.text(&format!("{name}.{number}")));
    old.chain([stage.text(name)]).collect()
}

#[test]
fn every_flow_that_ends_is_in_one_of_the_files_once() {
    let Some(stage) = Stage::new("flows") else { return };
    stage.configure(
        "Stats { LogFile @/flows }",
        "NetlinkBufferSize 4194304\nNetlinkBufferSizeMaxGrowth 4194304",
    );
    let daemon = stage.console();
    let mut writer = Writer::open().unwrap();
    let first = |number: u16| 1000 + number * BETWEEN;
    for number in 0..ROTATIONS {
        // Lines are on their way when the file is moved, and when it is opened.
        play(&mut writer, first(number)..first(number) + BETWEEN / 2);
        rotate(&stage, &daemon, &["flows", "log"], number);
        play(&mut writer, first(number) + BETWEEN / 2..first(number + 1));
    }
    let lines = usize::from(ROTATIONS * BETWEEN);
    until(|| (files(&stage, "flows").concat().lines().count() >= lines).then_some(()));
    assert_eq!(daemon.end(Signal::SIGTERM), (Some(0), String::new()));
    let files = files(&stage, "flows");
    let mut seen = BTreeMap::new();
    for line in files.iter().flat_map(|file| file.lines()) {
        let (_, rest) = line.split_once("src=192.0.2.1 dst=198.51.100.2 sport=").unwrap();
        let (port, _) = rest.split_once(" dport=53 ").unwrap();
        *seen.entry(port.parse::<u16>().unwrap()).or_insert(0) += 1;
    }
    let expected: BTreeMap<_, _> = (1000..first(ROTATIONS)).map(|port| (port, 1)).collect();
    assert_eq!(seen, expected);
    assert!(files.iter().all(|file| file.ends_with('\n')), "each file got lines, whole ones");
    for name in ["flows", "log"] {
        let mode = fs::metadata(stage.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn every_line_of_the_log_is_in_one_of_the_files() {
    let Some(stage) = Stage::new("lines") else { return };
    stage.configure("Stats { }", "");
    let daemon = stage.console();
    for number in 0..ROTATIONS {
        stage.run(&["-f"]);
        rotate(&stage, &daemon, &["log"], number);
        stage.run(&["-f"]);
    }
    assert_eq!(daemon.end(Signal::SIGTERM).0, Some(0));
    let files = files(&stage, "log");
    let counts: Vec<_> =
        files.iter().map(|file| file.matches("[notice] flushing caches\n").count()).collect();
    assert_eq!(counts, [1, 2, 2, 2, 2, 2, 2, 2, 1]);
    assert!(files[0].contains("-- starting in console mode --\n"));
    assert!(files[8].ends_with("[notice] ---- shutdown received ----\n"));
}

#[test]
fn a_file_that_cannot_be_opened_again_costs_no_line() {
    let Some(stage) = Stage::new("gone") else { return };
    fs::create_dir(stage.path("logs")).unwrap();
    stage.configure("Stats { }", "LogFile @/logs/log");
    let daemon = stage.console();
    fs::rename(stage.path("logs"), stage.path("old")).unwrap();
    daemon.signal(Signal::SIGHUP);
    stage.run(&["-f"]);
    let path = stage.path("logs/log");
    let error = format!(
        "[ERROR] can't open logfile `{}' again, keeping the old one: No such file or directory\n",
        path.display()
    );
    until(|| stage.text("old/log").contains(&error).then_some(()));
    stage.run(&["-f"]);
    fs::create_dir(stage.path("logs")).unwrap();
    daemon.signal(Signal::SIGHUP);
    until(|| path.exists().then_some(()));
    stage.run(&["-f"]);
    assert_eq!(daemon.end(Signal::SIGTERM).0, Some(0));
    let count = |name| stage.text(name).matches("flushing caches\n").count();
    assert_eq!((count("old/log"), count("logs/log")), (2, 1));
}
