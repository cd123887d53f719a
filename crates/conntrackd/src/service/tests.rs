//! Messages to a socket that a test reads, in made-up time.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use flow::text::CivilTime;

use super::*;
use crate::control::Request;
use crate::control::client::AskError;

const START: Instant = Instant(5_000_000_000);
const PID: u32 = 7;

/// A system with an environment alone.
struct Environment(HashMap<&'static str, OsString>);

impl System for Environment {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn has_interface(&self, _: &str) -> bool {
        false
    }

    fn ask(&self, _: &Path, _: Request, _: &mut dyn Write) -> Result<(), AskError> {
        Err(AskError::Daemon(io::ErrorKind::NotFound.into()))
    }

    fn now_s(&self) -> u64 {
        0
    }

    fn civil_time(&self, _: u64) -> CivilTime {
        CivilTime { year: 2026, month: 11, day: 22, hour: 10, minute: 55, second: 40, weekday: 0 }
    }

    fn pid(&self) -> u32 {
        PID
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.0.get(name).cloned()
    }
}

/// The manager: a socket at a path of its own.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("service-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, path }
    }

    fn environment(&self, others: &[(&'static str, &str)]) -> Environment {
        let mut environment = environment(others);
        environment.0.insert("NOTIFY_SOCKET", self.path.clone().into());
        environment
    }

    fn heard(&self) -> Option<String> {
        let mut message = [0; 256];
        let len = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8_lossy(&message[..len]).into_owned())
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn environment(variables: &[(&'static str, &str)]) -> Environment {
    Environment(variables.iter().map(|(name, value)| (*name, value.into())).collect())
}

fn milliseconds(number: u32) -> Instant {
    START.after(Duration::from_millis(number))
}

#[test]
fn a_life_is_told_in_order() {
    let manager = Manager::new("life");
    let environment = manager.environment(&[("WATCHDOG_USEC", "3000000"), ("WATCHDOG_PID", "7")]);
    let mut service = Service::open(&environment).unwrap();
    assert_eq!(service.next_deadline(), None);
    service.tell_main_process(8).unwrap();
    service.tell_ready(START, "at work").unwrap();
    assert_eq!(service.next_deadline(), Some(milliseconds(1500)));
    service.on_deadline(milliseconds(1499)).unwrap();
    // The loop is late: the time to the next message counts from this one.
    service.on_deadline(milliseconds(1600)).unwrap();
    assert_eq!(service.next_deadline(), Some(milliseconds(3100)));
    service.tell_stopping();
    assert_eq!(service.next_deadline(), None);
    service.on_deadline(milliseconds(9000)).unwrap();
    let heard: Vec<_> = std::iter::from_fn(|| manager.heard()).collect();
    assert_eq!(
        heard,
        ["MAINPID=8", "READY=1\nSTATUS=at work", "WATCHDOG=1", "STOPPING=1\nSTATUS=Ending"]
    );
}

#[test]
fn without_a_manager_nothing_happens() {
    for variables in [&[][..], &[("NOTIFY_SOCKET", "")], &[("WATCHDOG_USEC", "1000")]] {
        let mut service = Service::open(&environment(variables)).unwrap();
        service.tell_main_process(8).unwrap();
        service.tell_ready(START, "at work").unwrap();
        service.on_deadline(Instant(u64::MAX)).unwrap();
        service.tell_stopping();
        assert!(service.channel.is_none());
    }
}

#[test]
fn the_watchdog_is_for_the_process_that_it_names() {
    let period = |variables: &[_]| watchdog_period(&environment(variables));
    let second = ("WATCHDOG_USEC", "1000000");
    let half = Some(Duration::from_millis(500));
    assert_eq!(period(&[second]), half);
    assert_eq!(period(&[second, ("WATCHDOG_PID", "7")]), half);
    for pid in ["8", "", "seven", "-7"] {
        assert_eq!(period(&[second, ("WATCHDOG_PID", pid)]), None, "{pid}");
    }
    for time in ["", "0", "1s", "-1", "99999999999999999999"] {
        assert_eq!(period(&[("WATCHDOG_USEC", time)]), None, "{time}");
    }
}

#[test]
fn no_watchdog_keeps_the_daemon_busy_or_overflows() {
    for (time, period) in [("1", PERIOD_MIN), ("18446744073709551615", Duration(u64::MAX / 2))] {
        assert_eq!(watchdog_period(&environment(&[("WATCHDOG_USEC", time)])), Some(period));
    }
}

#[test]
fn an_address_of_another_kind_is_refused() {
    let open = |address: &str| Service::open(&environment(&[("NOTIFY_SOCKET", address)]));
    for address in ["run/notify", "vsock:2:1234", "notify"] {
        assert!(matches!(open(address), Err(OpenError::Kind)), "{address}");
    }
    let long = format!("/{}", "x".repeat(108));
    for address in [long.clone(), long.replace('/', "@")] {
        assert!(matches!(open(&address), Err(OpenError::Io(_))), "{address}");
    }
}

#[test]
fn a_manager_that_does_not_read_costs_little_and_hears_of_life_later() {
    let manager = Manager::new("deaf");
    let mut service = Service::open(&manager.environment(&[("WATCHDOG_USEC", "8000")])).unwrap();
    service.tell_ready(START, "at work").unwrap();
    let (now, refused) = (0..10_000)
        .find_map(|_| {
            let now = service.next_deadline().unwrap();
            service.on_deadline(now).err().map(|error| (now, error))
        })
        .unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    // A quarter of the period, and not only at the next regular time.
    assert_eq!(service.next_deadline(), Some(now.after(Duration::from_millis(1))));
    while manager.heard().is_some() {}
    service.on_deadline(now.after(Duration::from_millis(1))).unwrap();
    assert_eq!(manager.heard().unwrap(), "WATCHDOG=1");
}

#[test]
fn a_manager_that_starts_anew_is_found_again() {
    let first = Manager::new("again");
    let mut service = Service::open(&first.environment(&[("WATCHDOG_USEC", "2000")])).unwrap();
    service.tell_ready(START, "at work").unwrap();
    drop(first);
    assert!(service.on_deadline(milliseconds(1)).is_err());
    let second = Manager::new("again");
    service.on_deadline(milliseconds(2)).unwrap();
    assert_eq!(second.heard().unwrap(), "WATCHDOG=1");
}

#[test]
fn the_status_says_what_the_daemon_does() {
    let of = |text: &str| status(&crate::config::read(text.as_bytes()).config.unwrap().role);
    assert_eq!(of(""), "Idle: neither Sync nor Stats is configured");
    assert_eq!(of("Stats { }"), "Logging flows that end");
    for mode in ["FTFW", "ALARM", "NOTRACK"] {
        let link = "UDP { IPv4_Destination_Address 192.0.2.2 Port 3780 Interface lo }";
        let text = format!("Sync {{ Mode {mode} {{ }} {link} }}");
        assert_eq!(of(&text), format!("Replicating flows, mode {mode}"));
    }
}
