use std::num::NonZeroU32;
use std::time::Duration;

use flow::TcpState;

use crate::config::diagnostic::{Level, Stage};
use crate::config::{
    Alarm, Config, Ends, ExpectationSync, Facility, Filter, FilterPlace, Ftfw, General, Group,
    HelperPolicy, LinkKind, Links, Mode, Notrack, Policy, RealTimePolicy, Role, Scheduling, Source,
    Sync, read,
};

/// A link with which a daemon can start.
const LINK: &str =
    "UDP { IPv4_address 10.0.0.1 IPv4_Destination_Address 10.0.0.2 Port 3780 Interface lo }";

fn config(text: &str) -> Config {
    let reading = read(text.as_bytes());
    reading.config.unwrap_or_else(|| panic!("{text}: {:?}", reading.diagnostics))
}

fn general(statements: &str) -> General {
    config(&format!("General {{ {statements} }}")).general
}

fn sync(statements: &str) -> Sync {
    match config(&format!("Sync {{ {statements} {LINK} }}")).role {
        Role::Sync(sync) => sync,
        other => panic!("{other:?}"),
    }
}

fn links(statements: &str) -> Links {
    match config(&format!("Sync {{ {statements} }}")).role {
        Role::Sync(sync) => sync.links,
        other => panic!("{other:?}"),
    }
}

fn filter(statements: &str) -> Filter {
    general(&format!("Filter {{ {statements} }}")).filter.unwrap()
}

/// What is said of a text, each with `!` for an error and `start:` for one that only a daemon meets.
fn said(text: &str) -> Vec<String> {
    let reading = read(text.as_bytes());
    let is_refused = reading.diagnostics.iter().any(|one| one.problem.level() == Level::Error);
    assert_eq!(reading.config.is_none(), is_refused, "{text}");
    let line = |stage, level, text: String| {
        let stage = if stage == Stage::Start { "start: " } else { "" };
        let level = if level == Level::Error { "!" } else { "" };
        format!("{stage}{level}{}", text.trim_end())
    };
    reading
        .diagnostics
        .iter()
        .map(|one| &one.problem)
        .filter(|problem| !problem.to_string().ends_with("has no effect in this version"))
        .map(|problem| line(problem.stage(), problem.level(), problem.to_string()))
        .collect()
}

fn said_sorted(text: &str) -> Vec<String> {
    let mut found = said(text);
    found.sort();
    found
}

fn sorted<'a>(expected: &[&'a str]) -> Vec<&'a str> {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    expected
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_empty_text_gives_the_defaults() {
    let Config { general, role, helpers } = config("");
    assert_eq!((role, helpers), (Role::Idle, None));
    assert_eq!(general.hash_size.get(), 65_536);
    assert_eq!(general.hash_limit.get(), 262_144);
    assert_eq!(general.iteration_limit.get(), 100);
    assert_eq!((&general.log.file, general.log.syslog), (&None, None));
    assert_eq!(general.lock_file.to_str(), Some("/var/lock/conntrackd.lock"));
    assert_eq!(general.control_socket.to_str(), Some("/var/run/conntrackd.ctl"));
    assert_eq!(general.filter, None);
    assert_eq!(general.scheduling, Scheduling::Unsaid);
    assert!(general.systemd);
    let Source::Events(events) = general.source else { panic!("no events") };
    assert_eq!((events.buffer_bytes, events.buffer_max_bytes), (None, 0));
    assert_eq!((events.overrun_resync, events.is_reliable), (Some(seconds(30)), false));
}

#[test]
fn zero_is_the_default_of_numbers() {
    let zero = general("HashSize 0 HashLimit 0 EventIterationLimit 0 NetlinkOverrunResync 0");
    assert_eq!(zero, general(""));
    let timers = "RefreshTime 0 CacheTimeout 0 CommitTimeout 0 PurgeTimeout 0";
    assert_eq!(sync(&format!("Mode ALARM {{ {timers} }}")), sync("Mode ALARM { }"));
    let queues = "ResendQueueSize 0 ACKWindowSize 0";
    assert_eq!(sync(&format!("Mode FTFW {{ {queues} }}")), sync("Mode FTFW { }"));
}

#[test]
fn later_values_replace_earlier_ones_in_any_section() {
    let config = config("General { HashSize 5 HashLimit 9 } General { HashSize 7 }");
    assert_eq!((config.general.hash_size.get(), config.general.hash_limit.get()), (7, 9));
}

#[test]
fn logs_are_files_and_facilities() {
    let file = |text: &str| general(text).log.file.map(|path| path.display().to_string());
    assert_eq!(file("LogFile on"), Some("/var/log/conntrackd.log".into()));
    assert_eq!(file("LogFile off"), None);
    assert_eq!(file("LogFile on LogFile off"), Some("/var/log/conntrackd.log".into()));
    assert_eq!(file("LogFile /a LogFile /b"), Some("/b".into()));
    let syslog = |text: &str| general(text).log.syslog;
    assert_eq!(syslog("Syslog on"), Some(Facility::Daemon));
    assert_eq!(syslog("Syslog daemon"), Some(Facility::Daemon));
    assert_eq!(syslog("Syslog local0"), Some(Facility::Local(0)));
    assert_eq!(syslog("Syslog local7"), Some(Facility::Local(7)));
    assert_eq!(syslog("Syslog on Syslog off"), None);
    assert_eq!(syslog("Syslog local8"), None);
    let Role::Stats(stats) = config("Stats { LogFile on Syslog local1 }").role else { panic!() };
    assert_eq!(stats.log.file.unwrap().to_str(), Some("/var/log/conntrackd-stats.log"));
    assert_eq!(stats.log.syslog, Some(Facility::Local(1)));
    let conflict = config("Stats { Syslog local1 } General { Syslog local0 }");
    let Role::Stats(stats) = conflict.role else { panic!() };
    assert_eq!(stats.log.syslog, Some(Facility::Local(0)));
}

#[test]
fn a_buffer_that_may_not_grow_to_its_own_size_is_left_to_the_system() {
    for (text, bytes, max) in [
        ("NetlinkBufferSize 10 NetlinkBufferSizeMaxGrowth 20", 10, 20),
        ("SocketBufferSize 10 SocketBufferSizeMaxGrown 10", 10, 10),
        ("SocketBufferSize 10 SocketBufferSizeMaxGrowth 9", 0, 0),
        ("NetlinkBufferSize 10", 0, 0),
        ("NetlinkBufferSizeMaxGrowth 20", 0, 20),
    ] {
        let Source::Events(events) = general(text).source else { panic!("{text}") };
        assert_eq!(events.buffer_bytes, NonZeroU32::new(bytes), "{text}");
        assert_eq!(events.buffer_max_bytes, max, "{text}");
    }
}

#[test]
fn events_are_read_or_the_table_is_polled() {
    assert_eq!(general("PollSecs 15").source, Source::Polling { interval: seconds(15) });
    for (text, resync) in [
        ("NetlinkOverrunResync on", Some(30)),
        ("NetlinkOverrunResync off", None),
        ("NetlinkOverrunResync off NetlinkOverrunResync yes", Some(30)),
        ("NetlinkOverrunResync 7", Some(7)),
    ] {
        let Source::Events(events) = general(text).source else { panic!("{text}") };
        assert_eq!(events.overrun_resync, resync.map(seconds), "{text}");
    }
}

#[test]
fn a_scheduler_needs_its_type() {
    let real_time = |policy, priority| Scheduling::RealTime { policy, priority };
    for (text, scheduling) in [
        ("Type fifo Priority 99", real_time(RealTimePolicy::Fifo, 99)),
        ("Priority 1 Type Rr", real_time(RealTimePolicy::RoundRobin, 1)),
        ("Type RR", real_time(RealTimePolicy::RoundRobin, 0)),
        ("Priority 5", Scheduling::Unsaid),
    ] {
        assert_eq!(general(&format!("Scheduler {{ {text} }}")).scheduling, scheduling, "{text}");
    }
}

#[test]
fn filters_gather_lists() {
    let filter = filter(
        "Address Ignore { IPv4_address 10.1.2.3/8 IPv4_address 10.9.9.9/8 IPv6_address ::1 }
        State Accept { LISTEN CLOSED for TCP CLOSE for TCP } Protocol Ignore { TCP }
        } Filter From Kernelspace { Protocol Accept { SCTP TCP }",
    );
    assert_eq!(filter.place, FilterPlace::Kernelspace);
    let addresses = filter.addresses.unwrap();
    let networks: Vec<_> =
        addresses.members.iter().map(|one| (one.address().to_string(), one.prefix_len())).collect();
    assert_eq!(networks, [("10.0.0.0".to_owned(), 8), ("::1".to_owned(), 128)]);
    assert_eq!(addresses.policy, Policy::Ignore);
    let protocols = filter.protocols.unwrap();
    assert_eq!((protocols.policy, protocols.members.len()), (Policy::Accept, 2));
    let states = filter.tcp_states.unwrap();
    assert_eq!(states.members, [TcpState::SYN_SENT2, TcpState::CLOSE]);
}

#[test]
fn modes_have_their_settings() {
    let sync_of = |text: &str| sync(text).mode;
    let alarm = |refresh, cache| {
        Mode::Alarm(Alarm { refresh_time: seconds(refresh), cache_timeout: seconds(cache) })
    };
    let ftfw = |queue, window, external_cache, startup_resync| {
        Mode::Ftfw(Ftfw {
            resend_queue_size: NonZeroU32::new(queue).unwrap(),
            ack_window_size: NonZeroU32::new(window).unwrap(),
            external_cache,
            startup_resync,
        })
    };
    for (text, mode) in [
        ("Mode ALARM { }", alarm(60, 180)),
        ("Mode PERSISTENT { RefreshTime 5 } CacheTimeout 6", alarm(5, 6)),
        ("", ftfw(131_072, 300, true, false)),
        ("Mode NACK { ResendQueueSize 7 ACKWindowSize 8 }", ftfw(7, 8, true, false)),
        ("Mode FTFW { DisableExternalCache on StartupResync on }", ftfw(131_072, 300, false, true)),
        (
            "Mode NOTRACK { DisableInternalCache yes }",
            Mode::Notrack(Notrack {
                internal_cache: false,
                external_cache: true,
                startup_resync: false,
            }),
        ),
        ("Mode NOTRACK { } Mode ALARM { }", alarm(60, 180)),
        ("Mode FTFW { } Mode ALARM { } Mode NOTRACK { }", ftfw(131_072, 300, true, false)),
    ] {
        assert_eq!(sync_of(text), mode, "{text}");
    }
}

#[test]
fn timers_and_options_of_all_modes() {
    let default = sync("Mode FTFW { }");
    assert_eq!((default.commit_timeout, default.purge_timeout), (None, seconds(60)));
    assert!(!default.tcp_window_tracking);
    let given =
        sync("Mode FTFW { CommitTimeout 5 } PurgeTimeout 6 Options { TCPWindowTracking on }");
    assert_eq!((given.commit_timeout, given.purge_timeout), (Some(seconds(5)), seconds(6)));
    assert!(given.tcp_window_tracking);
    let dropped = sync("Mode FTFW { CommitTimeout 5 DisableExternalCache on }");
    assert_eq!(dropped.commit_timeout, None);
    let some =
        |names: &[&str]| ExpectationSync::Helpers(names.iter().map(|&name| name.into()).collect());
    for (text, expected) in [
        ("", ExpectationSync::Off),
        ("ExpectationSync on", ExpectationSync::All),
        ("ExpectationSync { }", ExpectationSync::All),
        ("ExpectationSync { FTP sip ftp }", some(&["ftp", "sip"])),
        (
            "ExpectationSync { ftp } ExpectationSync on ExpectationSync { sip }",
            some(&["ftp", "sip"]),
        ),
        ("ExpectationSync on ExpectationSync off", ExpectationSync::Off),
        ("ExpectationSync { ftp } ExpectationSync off ExpectationSync { }", ExpectationSync::All),
    ] {
        assert_eq!(sync(&format!("Options {{ {text} }}")).expectations, expected, "{text}");
    }
}

#[test]
fn links_are_complete() {
    let udp = links(
        "UDP { Port 5 Interface eth0:1 IPv6_Destination_Address ::2 Checksum off SndSocketBuffer 9 }",
    );
    let LinkKind::Udp(list) = &udp.kind else { panic!("{udp:?}") };
    let [link] = &list[..] else { panic!("{udp:?}") };
    let ends = Ends::V6 { own: "::".parse().unwrap(), peer: "::2".parse().unwrap() };
    assert_eq!((link.addresses, link.port, link.checksum), (ends, 5, false));
    assert_eq!((link.send_buffer_bytes, link.receive_buffer_bytes), (NonZeroU32::new(9), None));
    assert_eq!(link.interface.0, "eth0:1");

    let tcp = "IPv4_Destination_Address 010.0.0.1 Port 5 Interface a";
    let tcp = links(&format!("TCP {{ {tcp} }} TCP Default {{ {tcp} ErrorQueueLength 7 }}"));
    assert_eq!(tcp.first, 1);
    let LinkKind::Tcp { links: list, error_queue_length } = tcp.kind else { panic!() };
    assert_eq!((list.len(), error_queue_length.get()), (2, 7));
    let ends = Ends::V4 { own: [0, 0, 0, 0].into(), peer: [8, 0, 0, 1].into() };
    assert_eq!(list.first().unwrap().addresses, ends);
}

#[test]
fn the_order_of_statements_in_a_multicast_link_is_free() {
    let first = links("Multicast { IPv6_address ff02::4 Interface lo Group 3780 }");
    assert_eq!(first, links("Multicast { Group 3780 Interface lo IPv6_address ff02::4 }"));
    let v4 =
        links("Multicast { IPv4_interface 10.0.0.1 Interface lo Group 1 IPv4_address 225.0.0.50 }");
    let LinkKind::Multicast(list) = v4.kind else { panic!() };
    let group = Group::V4 { group: [225, 0, 0, 50].into(), own: Some([10, 0, 0, 1].into()) };
    assert_eq!(list.first().unwrap().addresses, group);
}

#[test]
fn helpers_have_queues_and_a_policy() {
    let text = "Helper { Setup on Type rpc inet6 udp { QueueNum 3 QueueLen 9 \
        Policy rpc { ExpectMax 2 } Policy rpc { ExpectTimeout 300 } } Type ftp inet tcp { } }";
    let helpers = config(text).helpers.unwrap();
    assert!(helpers.setup);
    let [rpc, ftp] = &helpers.helpers[..] else { panic!("{helpers:?}") };
    assert_eq!((rpc.queue, rpc.queue_len), (3, 9));
    assert_eq!(rpc.policy, Some(HelperPolicy { expect_max: 0, expect_timeout: seconds(300) }));
    assert_eq!((ftp.queue, ftp.policy), (0, None));
}

#[test]
fn what_is_wrong_is_said_of_all_at_once() {
    let path = "/".to_owned() + &"x".repeat(256);
    for (text, expected) in [
        (format!("General {{ LockFile {path} LogFile {path} }}"), &[
            "!LockFile path is longer than 256 characters",
            "!LogFile path is longer than 256 characters",
        ][..]),
        (format!("Stats {{ LogFile {path} }}"), &["!stats LogFile path is longer than 256 characters"]),
        (format!("General {{ UNIX {{ Path {path} Backlog 3 }} }}"), &[
            "!Path is longer than 107 characters",
            "deprecated unix backlog configuration, ignoring.",
        ]),
        (
            "General { Nice -5; } Sync { CommitTimeout 3 Mode FTFW { DisableExternalCache on } ".into(),
            &[
                "deprecated nice configuration, ignoring. The nice value can be set externally with nice(1) and renice(1).",
                "!parsing config file in line (1), symbol ';': syntax error",
                "!parsing config file in line (1), symbol '': syntax error",
                "`CommitTimeout' can't be combined with `DisableExternalCache', ignoring this option. Fix your configuration file.",
            ],
        ),
        ("General { PollSecs 0 Scheduler { Type x Priority 100 } }".into(), &[
            "!`PollSecs' clause must be > 0",
            "!unknown scheduler `x'",
            "!`Priority' must be [0, 99]",
        ]),
        ("General { Syslog kern } Stats { Syslog Local0 }".into(), &[
            "'kern' is not a known syslog facility, ignoring",
            "'Local0' is not a known syslog facility, ignoring.",
        ]),
        ("General { Syslog local0 } Stats { Syslog local1 Syslog local0 }".into(), &[
            "conflicting Syslog facility values, defaulting to General",
        ]),
        ("General { HashLimit 4294967296 UNIX { Path /a} }}".into(), &[
            "start: number is larger than 4294967295, using 4294967295",
            "start: the path ends with `}', which closes no block: write a blank before it",
        ]),
        ("Stats { } Sync { } Sync { }".into(), &[
            "!cannot use both `Stats' and `Sync' clauses in conntrackd.conf",
            "start: No synchronization mode specified. Defaulting to FT-FW mode.",
            "start: !can't open channel socket: no dedicated link is given",
        ]),
        ("General { Filter { Address Ignore { IPv4_address 10.0.0.300/8 IPv4_address 10.0.0.1/32 \
            IPv4_address 10.0.0.1/32 IPv4_address 10.0.0.0/8 IPv4_address 10.0.0.0/8 IPv4_address 10.1.0.0/8 \
            IPv6_address ::/129 IPv6_address 10.0.0.1 IPv6_address 1:2/64 IPv6_address ::/8 IPv6_address ::/8 } } }".into(), &[
            "10.0.0.300 is not a valid IPv4, ignoring",
            "netmask 10.0.0.0 is repeated in the ignore pool",
            "::/129 is not a valid network, ignoring",
            "10.0.0.1 is not a valid IPv6, ignoring",
            "1:2 is not a valid IPv6, ignoring",
        ]),
    ] {
        assert_eq!(said(&text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_links_is_said() {
    let four = format!("{LINK} {LINK} {LINK} {LINK}");
    let mode = "Sync { Mode FTFW { }";
    for (text, expected) in [
        (
            format!("{mode} {four} {LINK} }}"),
            &["!too many dedicated links in the configuration file (Maximum: 4)"][..],
        ),
        (
            format!("{mode} {LINK} TCP {{ Port 3 }} }}"),
            &["!cannot use `TCP' with other dedicated link protocols!"],
        ),
        (
            format!("{mode} UDP {{ }} }}"),
            &[
                "start: !the link has no address of the other node",
                "start: !the link has no `Port'",
                "start: !the link has no `Interface'",
            ],
        ),
        (
            format!("{mode} Multicast {{ Interface lo IPv4_address 10.0.0.1 Group 65536 }} }}"),
            &[
                "start: !10.0.0.1 is not a multicast address",
                "start: port is larger than 65535, using 0",
                "start: !the link has no `Group'",
            ],
        ),
        (
            format!("{mode} UDP {{ Interface lo IPv4_Destination_Address 1.1.1.1 Port 70000 }} }}"),
            &["start: port is larger than 65535, using 4464"],
        ),
        (
            format!(
                "{mode} UDP {{ Interface lo IPv4_address 1.1.1.1 IPv6_Destination_Address ::1 Port 7 }} }}"
            ),
            &["start: addresses of both families are given, using those of IPv6"],
        ),
        (
            format!(
                "{mode} UDP {{ Interface lo IPv4_address 1.1.1.1/8 IPv6_address 1.1.1.1 IPv6_Destination_Address ::1 Port 7 }} }}"
            ),
            &["1.1.1.1/8 is not a valid IPv4 address", "1.1.1.1 is not a valid IPv6 address"],
        ),
    ] {
        assert_eq!(said_sorted(&text), sorted(expected), "{text}");
    }
}

#[test]
fn statements_that_contradict_each_other_are_said() {
    let mode = "Sync { Mode FTFW { }";
    for (text, expected) in [
        (
            format!(
                "{mode} Multicast {{ Interface lo Group 3 IPv6_address ff02::1 IPv4_address 225.0.0.1 \
            IPv4_interface 10.0.0.1 IPv6_interface ::1 }} }}"
            ),
            &[
                "your multicast address is IPv4 but is binded to an IPv6 interface? Surely, this is not what you want",
                "your multicast interface is IPv4 but is binded to an IPv6 interface? Surely, this is not what you want",
                "`IPv6_interface' not required, ignoring",
            ][..],
        ),
        (
            format!("Sync {{ Mode nack {{ }} Mode persistent {{ }} {LINK} }}"),
            &[
                "Now `nack' mode is called `ftfw'. Please, update your conntrackd.conf file.",
                "Now `persistent' mode is called `alarm'. Please, update your conntrackd.conf file.",
                "start: several modes are given, using FTFW",
            ],
        ),
        // Of a block with an error nothing is said to be missing.
        (
            "Sync { Mode FTFW { UDP { bad } }".into(),
            &[
                "!parsing config file in line (1), symbol 'UDP': syntax error",
                "!parsing config file in line (1), symbol '': syntax error",
            ],
        ),
        (
            "Sync { Mode FTFW { } UDP { Interface Port 3 } }".into(),
            &["!parsing config file in line (1), symbol '3': syntax error"],
        ),
    ] {
        assert_eq!(said_sorted(&text), sorted(expected), "{text}");
    }
}

#[test]
fn what_is_wrong_with_helpers_is_said() {
    for (inner, expected) in [
        ("Type ftp ipv4 tcp { }", &["!unknown layer 3 protocol"][..]),
        ("Type ftp inet sctp { }", &["!unknown layer 4 protocol"]),
        ("Type nosuch ipv4 tcp { }", &["!unknown layer 3 protocol", "!Unknown `nosuch' helper"]),
        ("Type ftp inet udp { }", &["!Unknown `ftp' helper"]),
        (
            "Type ftp inet tcp { Policy ftp { } }",
            &["!Helper policy configuration empty, fix your configuration file, please"],
        ),
        (
            "Type ftp inet tcp { Policy abcdefghijklmnopq { ExpectMax 1 } }",
            &["!Helper Policy is longer than 16 characters"],
        ),
        (
            "Type ftp inet tcp { Policy rpc { ExpectMax 1 } QueueNum 65536 }",
            &[
                "start: !`QueueNum' is larger than 65535",
                "!Unknown policy `rpc' in helper configuration",
            ],
        ),
    ] {
        assert_eq!(said(&format!("Helper {{ {inner} }}")), expected, "{inner}");
    }
}
