//! The fail-over script, run with a stand-in for the daemon that writes down what it is asked.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../etc/conntrackd/primary-backup.sh");

/// A folder with the stand-in, a `logger`, a configuration and a record of what was called.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// `refused` are the commands that fail.
    fn new(name: &str, refused: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fail-over").join(name);
        // What an earlier run left behind.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let stage = Self { folder };
        stage.program(
            "daemon",
            &format!(
                "echo \"$*\" >>record\necho answer\n\
                 case \" {refused} \" in *\" $3 \"*) echo refused >&2; exit 1;; esac"
            ),
        );
        stage.program("logger", "echo \"logger $*\" >>record");
        fs::write(stage.folder.join("conf"), "General {\n\tLockFile lock # stale\n}\n").unwrap();
        stage
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.folder.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The exit code, standard output, and what was called.
    fn play(&self, words: &[&str]) -> (i32, String, Vec<String>) {
        let mut script = Command::new("/bin/sh");
        script.arg(SCRIPT).args(words).current_dir(&self.folder).env_clear();
        script.env("PATH", &self.folder);
        script.env("CONNTRACKD_BIN", "./daemon").env("CONNTRACKD_CONFIG", "conf");
        let output = script.output().unwrap();
        let record = fs::read_to_string(self.folder.join("record")).unwrap_or_default();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            record.lines().map(str::to_owned).collect(),
        )
    }
}

/// The commands alone, without the configuration that each of them must name.
fn commands(record: &[String]) -> Vec<&str> {
    let asked = record.iter().filter(|line| !line.starts_with("logger "));
    asked.map(|line| line.strip_prefix("-C conf ").unwrap()).collect()
}

fn said(record: &[String]) -> Vec<&String> {
    record.iter().filter(|line| line.starts_with("logger ")).collect()
}

#[test]
fn each_role_has_its_commands_in_order() {
    for (role, wanted) in [
        ("primary", &["-c", "-f", "-R", "-B"][..]),
        ("backup", &["-s", "-t", "-n"]),
        ("fault", &["-t"]),
    ] {
        let (exit, _, record) = Stage::new(role, "").play(&[role]);
        assert_eq!(commands(&record), wanted, "{role}");
        assert_eq!((exit, said(&record).len()), (0, 0), "{role}: {record:?}");
    }
}

#[test]
fn a_refused_command_is_logged_and_the_rest_goes_on() {
    let (exit, _, record) = Stage::new("refused", "-c -R").play(&["primary"]);
    assert_eq!(commands(&record), ["-c", "-f", "-R", "-B"]);
    assert_eq!((exit, said(&record).len()), (0, 2), "{record:?}");
}

#[test]
fn a_backup_without_a_daemon_removes_its_lock_and_starts_it() {
    let stage = Stage::new("stale", "-s");
    fs::write(stage.folder.join("lock"), "").unwrap();
    let (exit, out, record) = stage.play(&["backup"]);
    assert_eq!(commands(&record), ["-s", "-d", "-t", "-n"]);
    assert!(!stage.folder.join("lock").exists());
    assert!(said(&record).iter().any(|line| line.contains("daemon.warning")), "{record:?}");
    // The statistics are only a question whether there is a daemon.
    assert_eq!((exit, out.matches("answer").count()), (0, 3), "{out}");
}

#[test]
fn a_daemon_that_does_not_start_is_the_one_failure() {
    let (exit, _, record) = Stage::new("dead", "-s -d").play(&["backup"]);
    assert_eq!(commands(&record), ["-s", "-d"]);
    assert_eq!((exit, said(&record).len()), (1, 1), "{record:?}");
}

#[test]
fn an_unknown_role_is_refused() {
    for words in [&["master"][..], &[]] {
        let (exit, out, record) = Stage::new("unknown", "").play(words);
        assert_eq!((exit, commands(&record).len(), said(&record).len()), (1, 0, 1));
        assert_eq!(out, "Usage: primary-backup.sh {primary|backup|fault}\n");
    }
}
