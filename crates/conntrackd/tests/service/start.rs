//! Starts that fail, and ends: neither leaves a lock file or a socket behind.

use std::fs;
use std::os::unix::net::UnixListener;

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;

use crate::stage::{Background, Console, Stage, has_programs};

const LINK: &str = "Sync { Mode NOTRACK { } UDP { IPv4_address 127.0.0.1 \
    IPv4_Destination_Address 127.0.0.1 Port 3780 Interface DEVICE } }";

/// Starts in both places and hands over what each said on standard error.
fn fails(stage: &Stage, before: &[&str]) -> [String; 2] {
    [&[][..], &["-d"]].map(|words| {
        let output = stage.command(before, words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        said
    })
}

#[test]
fn no_step_that_fails_leaves_anything() {
    let Some(stage) = Stage::new("steps") else { return };
    let link = LINK.replace("DEVICE", "absent");
    for (section, general, cause) in [
        ("Stats { }", "LogFile @/absent/log", "ERROR: can't open logfile `"),
        ("Stats { LogFile @/absent/log }", "", "ERROR: can't open logfile `"),
        ("Stats { }", "LockFile @/absent/lock", "/absent/lock': No such file or directory\n"),
        ("Stats { }", "UNIX { Path @/absent/ctl }", "can't open unix socket!"),
        ("Stats { }", "UNIX { Path @ }", "can't open unix socket!"),
        (&link, "", "can't open channel socket: No such device"),
    ] {
        stage.configure(section, general);
        for said in fails(&stage, &[]) {
            assert!(said.contains(cause), "{general}: {said}");
        }
        assert_eq!(stage.left(), [""; 0], "{section} {general}");
    }
}

#[test]
fn a_kernel_that_refuses_leaves_nothing() {
    let Some(stage) = Stage::new("refused") else { return };
    if !has_programs(&["setpriv"]) {
        return;
    }
    for section in ["Stats { }", &LINK.replace("DEVICE", "lo")] {
        stage.configure(section, "");
        for said in fails(&stage, &["setpriv", "--bounding-set=-net_admin"]) {
            assert!(said.contains("Operation not permitted"), "{said}");
            let end = "conntrackd cannot start, please review your configuration\n";
            assert!(said.ends_with(end), "{said}");
        }
        assert_eq!(stage.left(), [""; 0], "{section}");
    }
}

/// The number of files that may be open grows from what the dynamic linker needs to what the daemon needs, so that the
/// start fails at each of its steps in turn.
#[test]
fn a_start_that_fails_anywhere_leaves_nothing() {
    let Some(stage) = Stage::new("files") else { return };
    stage.configure(&LINK.replace("DEVICE", "lo"), "");
    let limited = |files: u32| format!("ulimit -n {files}; exec \"$0\" \"$@\"");
    let is_soon = |limit: &u32| *limit < 64;
    let mut starts = (4..).take_while(is_soon).map(|files| {
        let shell = ["sh", "-c", &limited(files)];
        let daemon = Console::start(&mut stage.command(&shell, &[]));
        let started = daemon.map(|daemon| daemon.end(Signal::SIGTERM).0);
        assert_eq!(stage.left(), [""; 0], "{files} files: {started:?}");
        started
    });
    let failed = starts.by_ref().take_while(Result::is_err).count();
    assert!((5..50).contains(&failed), "{failed}");
    assert_eq!(starts.next(), Some(Ok(Some(0))));
    let mut starts = (4..).take_while(is_soon).map(|files| {
        let shell = ["sh", "-c", &limited(files)];
        let daemon = Background::start(&mut stage.command(&shell, &["-d"]), &stage.path("lock"));
        let started = daemon.map(|daemon| daemon.end(Signal::SIGTERM));
        assert_eq!(stage.left(), [""; 0], "-d, {files} files: {started:?}");
        started
    });
    assert!(starts.by_ref().take_while(Result::is_err).count() >= failed - 5);
    assert_eq!(starts.next(), Some(Ok(())));
}

#[test]
fn what_belongs_to_others_stays() {
    let Some(stage) = Stage::new("others") else { return };
    stage.configure("Stats { }", "");
    // The lock of a program that runs: of upstream's, which is empty, and of one of ours.
    fs::write(stage.path("lock"), "").unwrap();
    let exists = "exists, perhaps conntrackd already running?\n";
    for content in ["", "4194305\n"] {
        fs::write(stage.path("lock"), content).unwrap();
        let file = fs::File::options().write(true).open(stage.path("lock")).unwrap();
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
        for said in fails(&stage, &[]) {
            assert!(said.ends_with(exists), "{said}");
        }
        assert_eq!((stage.left(), stage.text("lock")), (vec!["lock"], content.to_owned()));
        drop(lock);
    }
    fs::remove_file(stage.path("lock")).unwrap();
    // The socket of a program that runs, and a file that is none.
    let listener = UnixListener::bind(stage.path("ctl")).unwrap();
    fails(&stage, &[]);
    assert_eq!(stage.left(), ["ctl"]);
    drop(listener);
    fs::remove_file(stage.path("ctl")).unwrap();
    fs::write(stage.path("ctl"), "precious").unwrap();
    fails(&stage, &[]);
    assert_eq!((stage.left(), stage.text("ctl").as_str()), (vec!["ctl"], "precious"));
}

#[test]
fn a_second_daemon_does_not_harm_the_first() {
    let Some(stage) = Stage::new("second") else { return };
    stage.configure("Stats { }", "");
    let first = stage.background();
    fails(&stage, &[]);
    // Another lock does not help.
    let conf = stage.text("conf");
    stage.configure("Stats { }", "LockFile @/other");
    fails(&stage, &[]);
    assert!(!stage.path("other").exists());
    fs::write(stage.path("conf"), conf).unwrap();
    assert_eq!(stage.left(), ["lock", "ctl"]);
    assert!(stage.run(&["-s"]).status.success());
    first.end(Signal::SIGTERM);
    assert_eq!(stage.left(), [""; 0]);
}

#[test]
fn every_orderly_end_leaves_nothing() {
    let Some(stage) = Stage::new("ends") else { return };
    for section in ["", "Stats { }", &LINK.replace("DEVICE", "lo")] {
        stage.configure(section, "");
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            assert_eq!(stage.console().end(signal).0, Some(0));
            assert_eq!(stage.left(), [""; 0]);
            stage.background().end(signal);
            assert_eq!(stage.left(), [""; 0]);
        }
        let mut daemon = stage.console();
        assert!(stage.run(&["-k"]).status.success());
        assert_eq!(daemon.wait().0, Some(0));
        assert_eq!(stage.left(), [""; 0]);
    }
}

#[test]
fn what_a_kill_leaves_does_not_hinder_the_next_start() {
    let Some(stage) = Stage::new("killed") else { return };
    stage.configure("Stats { }", "");
    let daemon = stage.console();
    let number = daemon.pid();
    assert_eq!(daemon.end(Signal::SIGKILL).0, None);
    assert_eq!(stage.left(), ["lock", "ctl"]);
    let (exit, said) = stage.console().end(Signal::SIGTERM);
    assert!(said.ends_with(&format!("of process {number}, which is gone, taken over\n")), "{said}");
    assert_eq!((exit, stage.left()), (Some(0), vec![]));
}

/// The signal waits from before the start: `env` holds it back, and the shell sends it to itself.
#[test]
fn a_signal_during_the_start_ends_the_daemon_orderly() {
    let Some(stage) = Stage::new("early") else { return };
    if !has_programs(&["env"]) {
        return;
    }
    let send = "kill -TERM $$; exec \"$0\" \"$@\"";
    let before = ["env", "--block-signal=TERM", "sh", "-c", send];
    stage.configure("Stats { }", "");
    let mut daemon = Console::start(&mut stage.command(&before, &[])).unwrap();
    assert_eq!(daemon.wait(), (Some(0), String::new()));
    assert_eq!(stage.left(), [""; 0]);
    // In the background the parent, which has the signal, would end alone.
    let output = stage.command(&before, &["-d"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stage.left(), [""; 0]);
    assert_eq!(stage.text("log").matches("---- shutdown received ----\n").count(), 2);
}
