//! The program and whole configuration files: the conformance cases, the samples, and what `--check` prints.

mod in_process;

use std::fs;
use std::path::{Path, PathBuf};

use conntrackd::report::Exit;
use in_process::{Double, run_with};

const INTERFACES: &[&str] = &["lo", "eth2", "eth3"];

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>());
    let mut files = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

#[test]
fn the_conformance_cases_of_the_configuration_pass() {
    for path in files("../../conformance/conntrackd/config") {
        let config = fs::read_to_string(&path).unwrap().replace("@DIR@", "/var/ctd.test0000");
        let system = Double { config: config.as_bytes(), interfaces: &["lo"] };
        let outcome = run_with(&system, &["-C", "test.conf", "-s"]);
        let printed = outcome.stderr.replace("[Sun Nov 22 10:55:40 2026] (pid=7) ", "");
        let mut lines: Vec<_> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
        let exit = format!("rc={}\n", outcome.exit as u8);
        lines.push(&exit);
        let found = lines.join("\n");
        let expected = fs::read_to_string(path.with_extension("out")).unwrap();
        assert_eq!(found, expected, "{}", path.display());
        assert_eq!(outcome.stdout, "");

        // What is refused here is refused by a check as well, and the other way around but for what a start needs.
        let name = path.file_name().unwrap().to_str().unwrap();
        let check = run_with(&system, &["-C", "test.conf", "--check"]);
        if name.starts_with("bad-") {
            assert_eq!(check.exit, Exit::Failure, "{name}");
        } else if check.exit == Exit::Failure {
            let start_alone = ["has no `IPv4_address'", "the other node", "not a multicast"];
            assert!(
                start_alone.iter().any(|text| check.stderr.contains(text)),
                "{name}: {}",
                check.stderr
            );
        }
    }
}

#[test]
fn the_samples_are_valid() {
    for path in files("../../etc/conntrackd") {
        let config = fs::read(&path).unwrap();
        let system = Double { config: &config, interfaces: INTERFACES };
        let check = run_with(&system, &["-C", "test.conf", "--check"]);
        assert_eq!(check.exit, Exit::Success, "{}: {}", path.display(), check.stderr);
        let warnings = check.stderr.lines().filter(|line| line.starts_with("warning"));
        for warning in warnings {
            assert!(
                warning.ends_with("has no effect in this version"),
                "{}: {warning}",
                path.display()
            );
        }
    }
}

/// `UPDATE=1` writes what was found; the difference is to be looked at.
#[test]
fn a_check_shows_each_place() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    let updates = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    for path in files("tests/golden") {
        let config = fs::read(&path).unwrap();
        let system = Double { config: &config, interfaces: INTERFACES };
        let check = run_with(&system, &["-C", "test.conf", "--check"]);
        let found = format!("{}{}rc={}\n", check.stderr, check.stdout, check.exit as u8);
        let golden = path.with_extension("out");
        if updates {
            fs::write(&golden, &found).unwrap();
        }
        assert_eq!(found, fs::read_to_string(&golden).unwrap_or_default(), "{}", path.display());
    }
}

#[test]
fn a_configuration_that_only_a_start_refuses_is_refused_at_the_start() {
    let system = Double { config: b"Sync { }", interfaces: INTERFACES };
    let start = run_with(&system, &["-C", "test.conf"]);
    let lines: Vec<_> =
        start.stderr.lines().filter_map(|line| line.split_once("(pid=7) ")).collect();
    assert_eq!(
        lines.iter().map(|(_, text)| *text).collect::<Vec<_>>(),
        [
            "[warning] No synchronization mode specified. Defaulting to FT-FW mode.",
            "[ERROR] can't open channel socket: no dedicated link is given",
            "[ERROR] initialization failed",
            "[ERROR] conntrackd cannot start, please review your configuration",
        ]
    );
}

#[test]
fn words_are_judged_before_the_file() {
    let system = Double { config: b"", interfaces: &[] };
    for (words, exit, text, shows_usage) in [
        (&["-Z"][..], Exit::Failure, "[ERROR] Unknown option: -Z\n", true),
        (&["--help"], Exit::Failure, "[ERROR] Unknown option: --help\n", true),
        (&["-C"], Exit::Failure, "[ERROR] Missing config filename\n", true),
        (&["-d", "--check"], Exit::Failure, "[ERROR] Invalid parameters\n", true),
        (&["-s", "x"], Exit::Failure, "[ERROR] unknown parameter `x' for option `-s'\n", false),
        (&["-C", "absent"], Exit::Failure, "[ERROR] can't open config file `absent'\n", false),
        (&["-h"], Exit::Success, "", true),
    ] {
        let outcome = run_with(&system, words);
        assert_eq!(outcome.exit, exit, "{words:?}");
        assert!(outcome.stderr.ends_with(text), "{words:?}: {}", outcome.stderr);
        assert_eq!(outcome.stdout.contains("Usage: conntrackd "), shows_usage, "{words:?}");
    }
}
