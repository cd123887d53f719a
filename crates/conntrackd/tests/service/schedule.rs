//! How the daemon is scheduled.

use nix::libc::{SCHED_FIFO, SCHED_OTHER, SCHED_RR};
use nix::sys::signal::Signal;
use sys::process::RealTime;

use crate::stage::{Stage, scheduling, skipped};

const FAILED: &str = "[warning] scheduler configuration failed: Invalid argument. Likely a bug in \
    conntrackd, please report it. Continuing with system default scheduler.\n";

fn number(policy: i32) -> u32 {
    policy.try_into().unwrap()
}

#[test]
fn a_daemon_is_scheduled_as_it_is_configured_in_both_places() {
    let Some(stage) = Stage::new("schedule") else { return };
    let highest = RealTime::RoundRobin.highest().unwrap().try_into().unwrap();
    let plain = (number(SCHED_OTHER), 0);
    for (statement, expected) in [
        ("", (number(SCHED_RR), highest)),
        // Upstream ignores a priority without a type.
        ("Scheduler { Priority 3 }", (number(SCHED_RR), highest)),
        ("Scheduler { Type RR Priority 1 }", (number(SCHED_RR), 1)),
        ("Scheduler { Type fifo Priority 99 }", (number(SCHED_FIFO), 99)),
        ("Scheduler { Type fifo }", plain),
        ("Scheduler { Type rr Priority 0 }", plain),
    ] {
        stage.configure("", statement);
        let daemon = stage.console();
        let found = scheduling(daemon.pid());
        let (exit, said) = daemon.end(Signal::SIGTERM);
        assert_eq!(exit, Some(0));
        if said.contains("Operation not permitted") {
            skipped("this machine refuses real-time scheduling");
            return;
        }
        assert_eq!((found, said.ends_with(FAILED)), (expected, expected == plain), "{statement}");
        let daemon = stage.background();
        assert_eq!(scheduling(daemon.pid), expected, "{statement} -d");
        assert_eq!(daemon.said.ends_with(FAILED), expected == plain, "{}", daemon.said);
        daemon.end(Signal::SIGTERM);
    }
}

#[test]
fn nice_is_warned_of_and_changes_nothing() {
    let Some(stage) = Stage::new("nice") else { return };
    stage.configure("", "Nice -5");
    let daemon = stage.console();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    assert_eq!(rest.split(' ').nth(19 - 3), Some("0"));
    let (exit, said) = daemon.end(Signal::SIGTERM);
    let warning = "[warning] deprecated nice configuration, ignoring. The nice value can be set \
        externally with nice(1) and renice(1).\n";
    assert_eq!(exit, Some(0));
    assert!(said.contains(warning), "{said}");
}
