//! The unit file: valid, and what it leaves the daemon is enough.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nix::libc::SCHED_RR;
use nix::sys::signal::Signal;

use crate::stage::{Console, PROGRAM, Stage, has_programs, scheduling};

fn unit() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../etc/conntrackd");
    fs::read_to_string(path.join("conntrackd.service")).unwrap()
}

fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let head = format!("{name}=");
    unit.lines().find_map(|line| line.strip_prefix(&head)).unwrap()
}

#[test]
fn systemd_takes_every_line_of_it() {
    let Some(stage) = Stage::new("unit") else { return };
    if !has_programs(&["systemd-analyze"]) {
        return;
    }
    let verify = |unit: &str| {
        // What is installed here is another matter.
        let unit = unit.replace("/usr/sbin/conntrackd", PROGRAM);
        let path = stage.path("conntrackd.service");
        fs::write(&path, unit).unwrap();
        let mut verify = Command::new("systemd-analyze");
        let output = verify.args(["verify", "--man=no"]).arg(path).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let of_unit = |said: String| -> Vec<String> {
        let lines = said.lines().filter(|line| line.contains("conntrackd.service"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(of_unit(verify(&unit())), [""; 0]);
    assert_eq!(of_unit(verify(&unit().replace("ProtectSystem", "ProtectSystems"))).len(), 1);
}

/// The start warns of what it may not do: forced buffers, filter, scheduling.
#[test]
fn its_capabilities_are_enough_and_each_is_needed() {
    let Some(stage) = Stage::new("capabilities") else { return };
    if !has_programs(&["setpriv", "ip"]) {
        return;
    }
    let ip = |words: &str| {
        assert!(Command::new("ip").args(words.split(' ')).status().unwrap().success(), "{words}");
    };
    ip("link add sync0 type veth peer name other0");
    ip("address add 192.0.2.1/24 dev sync0");
    // Without waiting for an answer whether another one has the address.
    ip("address add 2001:db8:5::1/64 dev sync0 nodad");
    ip("link set sync0 up");
    ip("link set other0 up");
    let unit = unit();
    let capabilities = setting(&unit, "CapabilityBoundingSet").to_ascii_lowercase();
    let names: Vec<_> =
        capabilities.split(' ').map(|name| name.strip_prefix("cap_").unwrap()).collect();
    assert_eq!(names, ["net_admin", "sys_nice"]);
    let buffers = "SndSocketBuffer 4194304 RcvSocketBuffer 4194304";
    let multicast = "Multicast { IPv4_address 225.0.0.50 IPv4_interface 192.0.2.1 Group 3780";
    let multicast6 = "Multicast { IPv6_address ff05::50 Group 3780";
    let peers = "IPv4_address 192.0.2.1 IPv4_Destination_Address 192.0.2.2 Port 3780";
    let filter = "Filter From Kernelspace { Address Ignore { IPv4_address 127.0.0.1 } }";
    let general =
        format!("NetlinkBufferSize 4194304 NetlinkBufferSizeMaxGrowth 8388608 Systemd on {filter}");
    let with = |names: &[&str]| {
        let added: Vec<_> = names.iter().map(|name| format!(",+{name}")).collect();
        let set = format!("--bounding-set=-all{}", added.concat());
        Console::start(&mut stage.command(&["setpriv", "--no-new-privs", &set], &[]))
    };
    for link in [multicast, multicast6, &format!("UDP {{ {peers}"), &format!("TCP {{ {peers}")] {
        let link = format!("{link} Interface sync0 {buffers} }}");
        let sync = format!("Sync {{ Mode FTFW {{ }} {link} Options {{ ExpectationSync on }} }}");
        stage.configure(&sync, &general);
        let daemon = with(&names).unwrap();
        let (policy, _) = scheduling(daemon.pid());
        assert_eq!(i32::try_from(policy), Ok(SCHED_RR));
        for request in ["-s", "-c", "-f", "-F", "-R", "-B", "-n"] {
            assert!(stage.run(&[request]).status.success());
        }
        assert_eq!(daemon.end(Signal::SIGTERM), (Some(0), String::new()), "{link}");
        let log = stage.text("log");
        assert!(!log.contains("[warning]") && !log.contains("[ERROR]"), "{log}");
    }
    assert!(with(&["sys_nice"]).is_err());
    let (_, said) = with(&["net_admin"]).unwrap().end(Signal::SIGTERM);
    assert!(said.contains("scheduler configuration failed: Operation not permitted"), "{said}");
}
