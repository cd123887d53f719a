//! Blocks beside the bytes that Debian's conntrackd 1.4.7 printed for the same numbers.

use super::*;

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

const CACHE: Cache = Cache {
    active: 13,
    total: 14,
    objects: 14,
    created: 14,
    create_failed: 0,
    no_memory: 0,
    no_space: 0,
    updated: 5,
    destroyed: 1,
};

#[test]
fn a_cache_is_one_block() {
    assert_eq!(
        text(|out| cache(out, "internal", &CACHE)),
        "cache internal:\n\
         current active connections:\t          13\n\
         connections created:\t\t          14\tfailed:\t           0\n\
         connections updated:\t\t           5\tfailed:\t           0\n\
         connections destroyed:\t\t           1\tfailed:\t           0\n\n"
    );
    assert_eq!(
        text(|out| cache_extended(out, "internal", &CACHE)),
        "cache:internal\tactive objects:\t\t          14\n\
         \tactive/total entries:\t\t          13/          14\n\
         \tcreation OK/failed:\t\t          14/           0\n\
         \t\tno memory available:\t           0\n\
         \t\tno space left in cache:\t           0\n\
         \tupdate OK/failed:\t\t           5/           0\n\
         \t\tentry not found:\t           0\n\
         \tdeletion created/failed:\t           1/           0\n\
         \t\tentry not found:\t           0\n\n"
    );
}

#[test]
fn a_full_cache_tells_of_failures() {
    let full = Cache { create_failed: 7, no_memory: 2, no_space: 5, ..CACHE };
    let short = text(|out| cache(out, "stats", &full));
    assert!(short.starts_with("cache stats:\n"));
    assert!(short.contains("created:\t\t          14\tfailed:\t           7\n"));
    let extended = text(|out| cache_extended(out, "stats", &full));
    assert!(extended.starts_with("cache:stats\tactive objects"));
    assert!(extended.contains("creation OK/failed:\t\t          14/           7\n"));
    assert!(extended.contains("no memory available:\t           2\n"));
    assert!(extended.contains("no space left in cache:\t           5\n"));
}

#[test]
fn what_stands_for_a_cache_that_is_off() {
    let bypass = Bypass { new: 2, updated: 3, destroyed: 0 };
    assert_eq!(
        text(|out| internal_bypass(out, &bypass)),
        "internal bypass:\n\
         connections new:\t\t           2\n\
         connections updated:\t\t           3\n\
         connections destroyed:\t\t           0\n\n"
    );
    let inject = Inject {
        created: 1,
        create_failed: 0,
        updated: 2,
        update_failed: 4,
        destroyed: 0,
        destroy_failed: 6,
    };
    assert_eq!(
        text(|out| external_inject(out, &inject)),
        "external inject:\n\
         connections created:\t\t           1\tfailed:\t           0\n\
         connections updated:\t\t           2\tfailed:\t           4\n\
         connections destroyed:\t\t           0\tfailed:\t           6\n\n"
    );
}

#[test]
fn the_general_answer_ends_with_traffic_link_and_tracking() {
    let active = Link {
        kind: LinkKind::Tcp(Sessions { server: true, client: true }),
        device: "s0",
        transfer: Transfer {
            bytes_sent: 404,
            bytes_received: 268,
            packets_sent: 4,
            packets_received: 4,
            send_errors: 1,
            receive_errors: 0,
        },
    };
    let printed = text(|out| {
        traffic(out, Traffic { bytes: 612, packets: 7 });
        link(out, &active);
        message_tracking(out, Tracking::default());
    });
    assert_eq!(
        printed,
        "traffic processed:\n                 612 Bytes                         7 Pckts\n\n\
         TCP traffic (active device=s0) server=connected client=connected:\n                 \
         404 Bytes sent                  268 Bytes recv\n                   \
         4 Pckts sent                    4 Pckts recv\n                   \
         1 Error send                    0 Error recv\n\n\
         message tracking:\n                   0 Malformed msgs                    0 Lost msgs\n\n"
    );
}

#[test]
fn each_kind_of_link_has_its_title() {
    let title = |kind, device| {
        let printed = text(|out| link(out, &Link { kind, device, transfer: Transfer::default() }));
        printed.lines().next().unwrap().to_owned()
    };
    let tcp = |server, client| LinkKind::Tcp(Sessions { server, client });
    for (kind, expected) in [
        (LinkKind::Multicast, "multicast traffic (active device=eth1):"),
        (LinkKind::Udp, "UDP traffic (active device=eth1):"),
        (
            tcp(false, false),
            "TCP traffic (active device=eth1) server=disconnected client=disconnected:",
        ),
        (
            tcp(true, false),
            "TCP traffic (active device=eth1) server=connected client=disconnected:",
        ),
        (
            tcp(false, true),
            "TCP traffic (active device=eth1) server=disconnected client=connected:",
        ),
    ] {
        assert_eq!(title(kind, "eth1"), expected);
    }
}

#[test]
fn the_extended_form_of_a_link_tells_state_and_role_but_no_sessions() {
    let transfer = Transfer {
        bytes_sent: 732,
        bytes_received: 340,
        packets_sent: 11,
        packets_received: 7,
        ..Transfer::default()
    };
    let first = Link { kind: LinkKind::Multicast, device: "s0", transfer };
    assert_eq!(
        text(|out| link_extended(out, &first, LinkStatus::Running, LinkRole::Active)),
        "multicast traffic device=s0 status=RUNNING role=ACTIVE:\n                 \
         732 Bytes sent                  340 Bytes recv\n                  \
         11 Pckts sent                    7 Pckts recv\n                   \
         0 Error send                    0 Error recv\n\n"
    );
    let sessions = Sessions { server: true, client: false };
    for (kind, status, role, expected) in [
        (
            LinkKind::Udp,
            LinkStatus::NoCarrier,
            LinkRole::Backup,
            "UDP traffic device=s0 status=NO-CARRIER role=BACKUP:",
        ),
        (
            LinkKind::Tcp(sessions),
            LinkStatus::Down,
            LinkRole::Active,
            "TCP traffic device=s0 status=DOWN role=ACTIVE:",
        ),
    ] {
        let printed = text(|out| link_extended(out, &Link { kind, ..first }, status, role));
        assert_eq!(printed.lines().next().unwrap(), expected);
    }
}

#[test]
fn the_network_block_names_each_defect() {
    let numbers = Network {
        malformed: 1,
        wrong_version: 2,
        malformed_header: 3,
        malformed_payload: 4,
        bad_type: 5,
        truncated: 6,
        bad_size: 7,
        send_malformed: 8,
        lost: 9,
        before: 10,
    };
    assert_eq!(
        text(|out| network(out, &numbers)),
        "network statistics:\n\trecv:\n\
         \t\tMalformed messages:\t                   1\n\
         \t\tWrong protocol version:\t                   2\n\
         \t\tMalformed header:\t                   3\n\
         \t\tMalformed payload:\t                   4\n\
         \t\tBad message type:\t                   5\n\
         \t\tTruncated message:\t                   6\n\
         \t\tBad message size:\t                   7\n\
         \tsend:\n\
         \t\tMalformed messages:\t                   8\n\n\
         sequence tracking statistics:\n\trecv:\n\
         \t\tPackets lost:\t\t                   9\n\
         \t\tPackets before:\t\t                  10\n\n"
    );
}

#[test]
fn runtime_counts_what_the_kernel_said_and_what_failed() {
    let numbers = Runtime {
        uptime_s: 61,
        netlink: Netlink {
            events: 16,
            filtered: 2,
            unknown_events: 3,
            event_errors: 4,
            unknown_dumped: 5,
            overruns: 6,
            flushes: 7,
            resyncs: 8,
            buffer_bytes: 2_097_152,
        },
        child_failed: 1,
        child_crashed: 2,
        child_terminated: 3,
        poll_failed: 4,
        wait_failed: 5,
        read_failed: 6,
        unknown_requests: 0,
        losses: None,
    };
    assert_eq!(
        text(|out| runtime(out, &numbers)),
        "daemon uptime: 1 min\n\nnetlink stats:\n\
         \tevents received:\t                  16\n\
         \tevents filtered:\t                   2\n\
         \tevents unknown type:\t\t           3\n\
         \tcatch event failed:\t\t           4\n\
         \tdump unknown type:\t\t           5\n\
         \tnetlink overrun:\t\t           6\n\
         \tflush kernel table:\t\t           7\n\
         \tresync with kernel table:\t           8\n\
         \tcurrent buffer size (in bytes):\t     2097152\n\n\
         runtime stats:\n\
         \tchild process failed:\t\t           1\n\
         \t\tchild process segfault:\t           2\n\
         \t\tchild process termsig:\t           3\n\
         \tselect failed:\t\t\t           4\n\
         \twait failed:\t\t\t           5\n\
         \tlocal read failed:\t\t           6\n\
         \tlocal unknown request:\t\t           0\n\n"
    );
}

#[test]
fn losses_are_shown_behind_what_upstream_shows() {
    let without = text(|out| runtime(out, &Runtime::default()));
    let losses = Some(Losses { events: 71_234, repaired: 850 });
    let with = text(|out| runtime(out, &Runtime { losses, ..Runtime::default() }));
    assert_eq!(
        with.strip_prefix(&without).unwrap(),
        "losses:\n\tevents lost:\t\t               71234\n\tflows repaired:\t\t                 850\n\n"
    );
}

/// Recorded with the daemon's clock moved forward.
#[test]
fn the_uptime_shows_days_and_hours_when_there_are_any() {
    for (uptime_s, expected) in [
        (0, "0 min"),
        (59, "0 min"),
        (61, "1 min"),
        (3540, "59 min"),
        (3600, "1 h 0 min"),
        (3661, "1 h 1 min"),
        (86_370, "23 h 59 min"),
        (86_405, "1 day 0 min"),
        (90_000, "1 day 1 h 0 min"),
        (90_100, "1 day 1 h 1 min"),
        (172_805, "2 days 0 min"),
        (180_060, "2 days 2 h 1 min"),
        (8_640_000, "100 days 0 min"),
    ] {
        let printed = text(|out| runtime(out, &Runtime { uptime_s, ..Runtime::default() }));
        assert!(printed.starts_with(&format!("daemon uptime: {expected}\n\n")), "{uptime_s}");
    }
}

#[test]
fn queues_are_listed_behind_their_nodes() {
    let printed = text(|out| {
        queue_nodes(out, 1);
        for (name, elements, maximum, no_space) in
            [("txqueue", 0, 2_147_483_647, 0), ("errorq", 2, 128, 3), ("rsqueue", 1, 131_072, 0)]
        {
            queue(out, &Queue { name, elements, maximum, no_space });
        }
    });
    assert_eq!(
        printed,
        "allocated queue nodes:\t\t           1\n\n\
         queue txqueue:\ncurrent elements:\t\t           0\n\
         maximum elements:\t\t  2147483647\nnot enough space errors:\t           0\n\n\
         queue errorq:\ncurrent elements:\t\t           2\n\
         maximum elements:\t\t         128\nnot enough space errors:\t           3\n\n\
         queue rsqueue:\ncurrent elements:\t\t           1\n\
         maximum elements:\t\t      131072\nnot enough space errors:\t           0\n\n"
    );
}

#[test]
fn the_resend_queue_is_listed_by_element() {
    let printed = text(|out| {
        resend_queue(out, 2);
        resend_element(out, ResendElement::Object { sequence: 1_795_364_293 });
        resend_element(out, ResendElement::Control { sequence: u32::MAX, flags: 8 });
    });
    assert_eq!(
        printed,
        "resent queue (len=2)\nobject -> seq:1795364293\n\
         control -> seq:4294967295 flags:8\n"
    );
}

#[test]
fn children_are_listed_with_what_they_do() {
    let printed = text(|out| {
        for (pid, kind) in
            [(7, ProcessKind::Any), (8, ProcessKind::Flush), (4_194_304, ProcessKind::Commit)]
        {
            process(out, Process { pid, kind });
        }
    });
    assert_eq!(printed, "PID=7 type=any\nPID=8 type=flush\nPID=4194304 type=commit\n");
}

#[test]
fn large_numbers_are_not_cut() {
    let printed = text(|out| traffic(out, Traffic { bytes: u64::MAX, packets: u64::MAX }));
    assert_eq!(printed.matches("18446744073709551615").count(), 2);
    let huge = Cache { active: 1_234_567_890_123, ..CACHE };
    let printed = text(|out| cache(out, "internal", &huge));
    assert!(printed.contains("active connections:\t1234567890123\n"));
}
