//! What the service manager hears.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::manager::{Heard, Kind, Manager};
use crate::stage::{Background, Console, Stage};

const STATS: &str = "Stats { }";
const READY: &str = "READY=1\nSTATUS=Logging flows that end";
const ALIVE: &str = "WATCHDOG=1";
const STOPPING: &str = "STOPPING=1\nSTATUS=Ending";

/// A fifth of a second: what the manager allows between two messages of life.
const WATCHDOG_US: u32 = 200_000;

/// The messages up to one that is no message of life.
fn ending(manager: &Manager) -> Heard {
    loop {
        let heard = manager.hears();
        if heard.1 != ALIVE {
            return heard;
        }
    }
}

fn nothing_follows(manager: &Manager) {
    assert_eq!(manager.hears_within(Duration::from_millis(1)), None);
}

#[test]
fn a_daemon_in_the_foreground_tells_start_life_and_end() {
    for kind in [Kind::Path, Kind::Abstract] {
        let Some(stage) = Stage::new("console") else { return };
        let manager = Manager::new(&stage, kind);
        stage.configure(STATS, "");
        // As systemd does: the number is that of the process that it starts.
        let shell = ["sh", "-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\""];
        let mut command = stage.command(&shell, &[]);
        manager.starts(&mut command, WATCHDOG_US);
        let daemon = Console::start(&mut command).unwrap();
        let pid = daemon.pid();
        for expected in [READY, ALIVE, ALIVE, ALIVE] {
            assert_eq!(manager.hears(), (pid, expected.to_owned()), "{kind:?}");
        }
        assert_eq!(daemon.end(Signal::SIGTERM).0, Some(0));
        assert_eq!(ending(&manager), (pid, STOPPING.to_owned()));
        nothing_follows(&manager);
        assert_eq!(stage.left(), [""; 0]);
    }
}

#[test]
fn a_daemon_in_the_background_is_named_by_its_parent_before_it_speaks() {
    for kind in [Kind::Path, Kind::Abstract] {
        let Some(stage) = Stage::new("background") else { return };
        let manager = Manager::new(&stage, kind);
        stage.configure(STATS, "");
        let shell = ["sh", "-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\""];
        let mut command = stage.command(&shell, &["-d"]);
        manager.starts(&mut command, WATCHDOG_US);
        let daemon = Background::start(&mut command, &stage.path("lock")).unwrap();
        assert_eq!(manager.hears(), (daemon.parent, format!("MAINPID={}", daemon.pid)));
        for expected in [READY, ALIVE, ALIVE, ALIVE] {
            assert_eq!(manager.hears(), (daemon.pid, expected.to_owned()), "{kind:?}");
        }
        let killed = stage.run(&["-k"]);
        assert!(killed.status.success());
        assert_eq!(ending(&manager), (daemon.pid, STOPPING.to_owned()));
        daemon.wait();
        nothing_follows(&manager);
        assert_eq!(stage.left(), [""; 0]);
    }
}

/// SIGSTOP stands for a turn that does not end.
#[test]
fn a_daemon_that_hangs_is_silent_until_it_goes_on() {
    let Some(stage) = Stage::new("hangs") else { return };
    let manager = Manager::new(&stage, Kind::Path);
    stage.configure(STATS, "");
    let mut command = stage.command::<&str>(&[], &[]);
    manager.starts(&mut command, WATCHDOG_US);
    let daemon = Console::start(&mut command).unwrap();
    assert_eq!(manager.hears().1, READY);
    assert_eq!(manager.hears().1, ALIVE);
    daemon.signal(Signal::SIGSTOP);
    // Those that are under way come at once.
    let allowed = Duration::from_micros(WATCHDOG_US.into());
    while manager.hears_within(allowed / 8).is_some() {}
    assert_eq!(manager.hears_within(allowed * 2), None);
    daemon.signal(Signal::SIGCONT);
    assert_eq!(manager.hears().1, ALIVE);
    assert_eq!(daemon.end(Signal::SIGINT).0, Some(0));
    assert_eq!(ending(&manager).1, STOPPING);
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let Some(stage) = Stage::new("watchdog") else { return };
    let manager = Manager::new(&stage, Kind::Path);
    stage.configure(STATS, "");
    let mut command = stage.command::<&str>(&[], &[]);
    manager.starts(&mut command, 2000);
    command.env("WATCHDOG_PID", "1");
    let daemon = Console::start(&mut command).unwrap();
    assert_eq!(manager.hears().1, READY);
    assert_eq!(manager.hears_within(Duration::from_millis(50)), None);
    assert_eq!(daemon.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(manager.hears().1, STOPPING);
}

#[test]
fn with_systemd_off_nobody_hears_anything() {
    let Some(stage) = Stage::new("off") else { return };
    let manager = Manager::new(&stage, Kind::Path);
    stage.configure(STATS, "Systemd off");
    let mut command = stage.command::<&str>(&[], &[]);
    manager.starts(&mut command, 2000);
    let daemon = Console::start(&mut command).unwrap();
    assert!(stage.run(&["-s"]).status.success());
    assert_eq!(daemon.end(Signal::SIGTERM), (Some(0), String::new()));
    nothing_follows(&manager);
}

#[test]
fn a_manager_that_cannot_be_reached_is_warned_of_and_the_daemon_works() {
    let Some(stage) = Stage::new("deaf") else { return };
    stage.configure(STATS, "");
    let absent = stage.path("absent");
    for (address, warning) in [
        ("vsock:2:1234", "NOTIFY_SOCKET is neither a path nor an abstract name"),
        (absent.to_str().unwrap(), "No such file or directory"),
        ("@absent", "Connection refused"),
    ] {
        let mut command = stage.command::<&str>(&[], &[]);
        command.env("NOTIFY_SOCKET", address);
        let daemon = Console::start(&mut command).unwrap();
        assert!(stage.run(&["-s"]).status.success());
        let (exit, said) = daemon.end(Signal::SIGTERM);
        let line = format!("[warning] can't notify the service manager: {warning}\n");
        assert!(exit == Some(0) && said.ends_with(&line), "{address}: {said}");
        assert_eq!(said.lines().count(), 1);
    }
}

#[test]
fn a_start_that_fails_is_not_called_ready() {
    let Some(stage) = Stage::new("fails") else { return };
    let manager = Manager::new(&stage, Kind::Path);
    stage.configure(STATS, "UNIX { Path @/absent/ctl }");
    for words in [&[][..], &["-d"]] {
        let mut command = stage.command::<&str>(&[], words);
        manager.starts(&mut command, WATCHDOG_US);
        assert_eq!(command.output().unwrap().status.code(), Some(1));
        nothing_follows(&manager);
    }
}

/// Nothing that upstream leaves alone or dies of ends the daemon.
#[test]
fn other_signals_do_no_harm() {
    let Some(stage) = Stage::new("signals") else { return };
    stage.configure(STATS, "");
    let daemon = stage.background();
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGPIPE, Signal::SIGCHLD] {
        kill(daemon.pid, signal).unwrap();
        assert!(stage.run(&["-s"]).status.success(), "{signal}");
    }
    daemon.end(Signal::SIGINT);
    assert_eq!(stage.left(), [""; 0]);
}
