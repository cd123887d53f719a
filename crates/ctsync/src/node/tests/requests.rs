//! What the operator asks for, and the peer.

use flow::EventKind;

use super::{FTFW, NOTRACK, NOTRACK_BYPASSED, counts, event, flow, message, node, outputs, sent};
use crate::Sequence;
use crate::node::{
    CacheName, ExternalCache, KernelRequest, LinkId, ModeConfig, Node, Notice, Output, Request,
    Sending, Which,
};
use crate::time::{Duration, Instant};
use crate::wire::{Carrier, Control, DatagramLimit, Flags, Frames, Stamp};

const T: Instant = Instant(0);
const ALARM: ModeConfig = ModeConfig::Alarm { refresh_s: 60, cache_timeout_s: 180 };

fn asks(node: &mut Node, request: Request) -> (Vec<KernelRequest>, Vec<Notice>) {
    node.on_request(T, request);
    outputs(node)
}

fn ms(milliseconds: u32) -> Instant {
    T.after(Duration::from_millis(milliseconds))
}

#[test]
fn each_flush_has_its_notice_and_its_caches() {
    for (request, left, notice) in [
        (Request::Flush, [0, 0], Notice::FlushingAll),
        (Request::FlushInternal, [0, 1], Notice::FlushingInternal),
        (Request::FlushExternal, [1, 0], Notice::FlushingExternal),
    ] {
        let mut node = node(|_| {});
        event(&mut node, EventKind::New, &flow(1));
        node.on_datagram(T, LinkId(0), &message(1, 1, EventKind::New, false));
        outputs(&mut node);
        assert_eq!(asks(&mut node, request), (vec![], vec![notice]));
        assert_eq!(counts(&node), left);
    }
}

#[test]
fn a_flush_during_a_commit_changes_nothing() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    node.on_datagram(T, LinkId(0), &message(1, 1, EventKind::New, false));
    node.on_request(T, Request::Commit(Which::All));
    node.on_request(T, Request::PurgeKernel);
    for request in [Request::Flush, Request::FlushExternal, Request::Commit(Which::All)] {
        node.on_request(T, request);
    }
    let (_, notices) = outputs(&mut node);
    let ignored = notices.iter().filter(|notice| **notice == Notice::FlushIgnored).count();
    assert_eq!((ignored, counts(&node)), (2, [1, 1]));
    assert!(notices.contains(&Notice::CommitInProgress), "{notices:?}");
    assert!(node.next_deadline().is_some());
    node.on_deadline(T.after(Duration::from_secs(60)));
    assert!(outputs(&mut node).1.contains(&Notice::PurgeBegins), "it is still to come");
}

#[test]
fn a_datagram_during_a_commit_does_not_take_the_commit_along() {
    let mut node = node(|_| {});
    for number in 1..4 {
        let sequence = u32::from(number);
        node.on_datagram(T, LinkId(0), &message(number, sequence, EventKind::New, false));
    }
    outputs(&mut node);
    node.on_request(T, Request::Commit(Which::Flows));
    node.on_datagram(T, LinkId(0), &message(4, 4, EventKind::New, false));
    let begins = node.next_effect();
    assert!(matches!(begins, Some(Output::Notice(Notice::CommitStarted(Which::Flows)))));
    assert!(node.next_effect().is_none());
    assert_eq!(outputs(&mut node).0.len(), 4);
}

#[test]
fn what_the_peer_does_not_know_yet_survives_a_flush() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    outputs(&mut node);
    event(&mut node, EventKind::Destroy, &flow(1));
    asks(&mut node, Request::Flush);
    assert_eq!(node.statistics().resend_len, 1, "the end of the flow");
}

#[test]
fn a_purge_is_announced_once_and_done_in_time() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    assert_eq!(asks(&mut node, Request::PurgeKernel).1, [Notice::PurgeScheduled]);
    assert_eq!(asks(&mut node, Request::PurgeKernel).1, []);
    node.on_deadline(ms(59_999));
    assert_eq!(outputs(&mut node), (vec![], vec![]));
    node.on_deadline(ms(60_000));
    let flush = KernelRequest::Flush(Which::Flows);
    assert_eq!(outputs(&mut node), (vec![flush], vec![Notice::PurgeBegins]));
    assert_eq!(counts(&node), [0, 0]);
    node.on_deadline(ms(120_000));
    assert_eq!(outputs(&mut node), (vec![], vec![]));
}

#[test]
fn a_commit_and_a_flush_call_a_purge_off() {
    for (request, is_off) in [
        (Request::Commit(Which::Flows), true),
        (Request::Flush, true),
        (Request::FlushInternal, true),
        (Request::FlushExternal, false),
    ] {
        let mut node = node(|_| {});
        node.on_request(T, Request::PurgeKernel);
        node.on_request(T, request);
        outputs(&mut node);
        node.on_deadline(ms(60_000));
        assert_eq!(outputs(&mut node).0.is_empty(), is_off, "{request:?}");
    }
}

#[test]
fn the_kernel_is_flushed_by_whoever_drives_the_node() {
    let mut node = node(|_| {});
    let flush = KernelRequest::Flush(Which::All);
    let notice = Notice::FlushingKernel(Which::All);
    assert_eq!(asks(&mut node, Request::FlushKernel(Which::All)), (vec![flush], vec![notice]));
}

#[test]
fn without_external_cache_a_commit_is_over_at_once() {
    let mut node = node(|config| config.external = ExternalCache::Injected);
    assert_eq!(asks(&mut node, Request::Commit(Which::All)).1, [Notice::NothingToCommit]);
    assert_eq!(asks(&mut node, Request::FlushExternal).1, []);
    assert_eq!(asks(&mut node, Request::Flush).1, [Notice::FlushingAll]);
}

#[test]
fn alarm_has_no_resync_and_no_bulk() {
    let mut node = node(|config| config.mode = ALARM);
    event(&mut node, EventKind::New, &flow(1));
    outputs(&mut node);
    for request in [Request::Resync, Request::Bulk] {
        node.on_request(T, request);
        assert_eq!(sent(&mut node), []);
        assert_eq!(asks(&mut node, request), (vec![], vec![]));
    }
}

fn resync(sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    Control::Resync.encode(Stamp::plain(Sequence(sequence)), &mut bytes);
    bytes
}

#[test]
fn many_resyncs_of_the_peer_are_one_bulk_a_second() {
    for mode in [FTFW, NOTRACK] {
        let mut node = node(|config| config.mode = mode);
        for number in 0..5000 {
            let mut flow = flow(number);
            flow.status = None;
            event(&mut node, EventKind::New, &flow);
        }
        outputs(&mut node);
        let (mut bulks, mut asked) = (0, 0);
        let mut now = T;
        for number in 0..10_000 {
            now = now.after(Duration::from_millis(1));
            node.on_datagram(now, LinkId(0), &resync(number));
            if node.next_deadline().is_some_and(|due| due <= now) {
                node.on_deadline(now);
            }
            for notice in outputs(&mut node).1 {
                bulks += u32::from(notice == Notice::BulkStarted);
                asked += u32::from(notice == Notice::ResyncRequestedByPeer);
            }
        }
        assert_eq!((bulks, asked), (10, 11), "{mode:?}");
        // The last one that was asked for is not lost.
        let due = node.next_deadline().unwrap().min(now.after(Duration::from_secs(1)));
        node.on_deadline(due.max(now.after(Duration::from_secs(1))));
        assert!(outputs(&mut node).1.contains(&Notice::BulkStarted));
    }
}

#[test]
fn a_bulk_of_the_operator_begins_at_once_or_follows_the_one_that_runs() {
    let mut node = node(|_| {});
    for _ in 0..2 {
        assert_eq!(asks(&mut node, Request::Bulk).1, [Notice::BulkStarted]);
    }
    node.on_request(T, Request::Bulk);
    node.on_request(T, Request::Bulk);
    node.on_request(T, Request::Bulk);
    assert_eq!(outputs(&mut node).1, [Notice::BulkStarted]);
    node.on_deadline(ms(1000));
    assert_eq!(outputs(&mut node).1, [Notice::BulkStarted]);
    node.on_deadline(ms(3000));
    assert_eq!(outputs(&mut node).1, []);
}

#[test]
fn without_internal_cache_one_dump_at_a_time_is_asked_for() {
    let mut node = node(|config| config.mode = NOTRACK_BYPASSED);
    assert_eq!(asks(&mut node, Request::Bulk).0, [KernelRequest::DumpForBulk]);
    assert_eq!(asks(&mut node, Request::Bulk).0, []);
    node.on_datagram(ms(1), LinkId(0), &resync(1));
    node.on_deadline(ms(1500));
    assert_eq!(outputs(&mut node).0, []);
    node.on_request(ms(1600), Request::BulkDumped);
    node.on_deadline(ms(1600));
    assert_eq!(outputs(&mut node).0, [KernelRequest::DumpForBulk]);
    node.on_request(ms(1700), Request::BulkDumped);
    node.on_deadline(ms(9000));
    assert_eq!(outputs(&mut node).0, []);
}

#[test]
fn while_sending_is_held_everything_waits_and_nothing_spins() {
    for mode in [FTFW, NOTRACK, NOTRACK_BYPASSED, ALARM] {
        let mut node = node(|config| config.mode = mode);
        node.hold_sending(Sending::Held);
        let mut now = T;
        for number in 0..2000 {
            now = now.after(Duration::from_millis(10));
            let flow = flow(u16::try_from(number % 100).unwrap());
            let event = super::event_of(EventKind::New, &flow);
            node.on_event(now, &event);
            // A gap each time: something to acknowledge, and something that is missed.
            node.on_datagram(now, LinkId(0), &message(1, number * 3, EventKind::New, false));
            if number == 1000 {
                node.on_request(now, Request::Bulk);
            }
            while let Some(due) = node.next_deadline().filter(|due| *due <= now) {
                node.on_deadline(now);
                assert!(node.next_deadline().is_none_or(|next| next > due), "{mode:?}");
            }
            while let Some(output) = node.next_output() {
                assert!(!matches!(output, Output::Send(_)));
            }
        }
        let statistics = node.statistics();
        assert!(statistics.transmit_len <= 100 + 2 * crate::queue::CONTROLS, "{statistics:?}");
        node.hold_sending(Sending::Open);
        node.on_deadline(now);
        let messages = sent(&mut node).len();
        assert!(messages >= 100, "{messages} in {mode:?}");
        assert_eq!(node.statistics().transmit_len, 0);
    }
}

#[test]
fn the_limit_of_a_datagram_follows_the_link() {
    let mut node = node(|_| {});
    let mut longest = [0, 0];
    for (longest, mtu) in longest.iter_mut().zip([1500, 600]) {
        node.set_datagram_limit(DatagramLimit::of(mtu, Carrier::UdpIpv6));
        node.on_request(T, Request::Bulk);
        for number in 0..100 {
            event(&mut node, EventKind::New, &flow(number));
        }
        while let Some(output) = node.next_output() {
            if let Output::Send(bytes) = output {
                *longest = bytes.len().max(*longest);
            }
        }
    }
    assert!(longest[0] > 1300 && longest[0] < 1452, "{longest:?}");
    assert!(longest[1] > 400 && longest[1] < 552, "{longest:?}");
}

#[test]
fn garbage_is_one_notice_a_kind() {
    let mut node = node(|_| {});
    for _ in 0..1000 {
        node.on_datagram(T, LinkId(0), &[0x20, 0, 0, 8, 0, 0, 0, 1]);
        node.on_datagram(T, LinkId(0), &[1, 2, 3]);
    }
    let notices = outputs(&mut node).1;
    assert_eq!(notices.len(), 2);
    assert!(notices.iter().all(|n| matches!(n, Notice::BadMessages { count: 1000, .. })));
    assert_eq!(node.statistics().malformed, 2000);
}

#[test]
fn links_that_take_turns_cost_no_memory() {
    let mut node = node(|_| {});
    for number in 0..1000 {
        let bytes = message(1, number, EventKind::New, false);
        node.on_datagram(T, LinkId(u8::try_from(number % 2).unwrap()), &bytes);
    }
    let mut links = Vec::new();
    while let Some(output) = node.next_output() {
        if let Output::UseLink(link) = output {
            links.push(link);
        }
    }
    assert_eq!(links, [LinkId(1)]);
}

#[test]
fn whoever_is_late_finds_nothing_due_for_ever() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    node.on_datagram(T, LinkId(0), &message(1, 1, EventKind::New, false));
    outputs(&mut node);
    // The machine slept: what was sent is long due again, and the peer was not heard since.
    let mut now = ms(60_000);
    for _ in 0..10 {
        node.on_deadline(now);
        outputs(&mut node);
        let next = node.next_deadline().unwrap();
        assert!(next > now, "{next:?}");
        now = next;
    }
}

#[test]
fn a_peer_that_starts_again_at_once_is_answered_when_that_is_understood() {
    let greets = |sequence| {
        let mut bytes = Vec::new();
        let stamp = Stamp { greeting: Flags::HELLO, sequence: Sequence(sequence) };
        Control::Resync.encode(stamp, &mut bytes);
        bytes
    };
    let answers = |node: &mut Node, now, bytes: &[u8]| {
        node.on_datagram(now, LinkId(0), bytes);
        event(node, EventKind::Update, &flow(1));
        let mut answered = false;
        while let Some(output) = node.next_output() {
            if let Output::Send(bytes) = output {
                let messages = Frames::new(bytes).map(|frame| frame.unwrap().message().unwrap());
                answered |= messages
                    .fold(false, |any, message| any | message.flags.contains(Flags::HELLO_BACK));
            }
        }
        answered
    };
    let mut node = node(|_| {});
    assert!(answers(&mut node, T, &greets(100)));
    for number in 101..150 {
        assert!(!answers(&mut node, ms(10), &message(1, number, EventKind::New, false)));
    }
    // It may be a late one. If it is not, and were answered, the peer would take our acknowledgements of its former numbers
    // for those of the new ones, and not ask again.
    assert!(!answers(&mut node, ms(700), &greets(101)));
    assert_eq!(node.statistics().before, 1);
    assert!(answers(&mut node, ms(2700), &greets(103)));
    assert_eq!(node.statistics().before, 1);
}

#[test]
fn what_is_too_long_for_a_datagram_waits_until_it_fits() {
    for mode in [FTFW, NOTRACK] {
        let mut node = node(|config| config.mode = mode);
        event(&mut node, EventKind::New, &flow(1));
        assert_eq!(sent(&mut node), [Some(EventKind::New)]);
        let tiny = DatagramLimit::of(68, Carrier::UdpIpv4);
        node.set_datagram_limit(tiny);
        event(&mut node, EventKind::New, &flow(2));
        event(&mut node, EventKind::Destroy, &flow(1));
        let (_, notices) = outputs(&mut node);
        assert!(matches!(notices[..], [Notice::TooLong { count: 2, .. }]), "{notices:?}");
        node.set_datagram_limit(tiny);
        assert_eq!(
            outputs(&mut node),
            (vec![], vec![]),
            "as long as nothing changes, nothing is tried"
        );
        node.set_datagram_limit(DatagramLimit::of(1500, Carrier::UdpIpv4));
        assert_eq!(sent(&mut node), [Some(EventKind::New), Some(EventKind::Destroy)]);
        assert_eq!(outputs(&mut node), (vec![], vec![]));
    }
}

#[test]
fn ends_that_are_too_long_do_not_fill_the_cache() {
    let mut node = node(|config| config.limit = DatagramLimit::of(68, Carrier::UdpIpv4));
    for number in 0..10_000 {
        event(&mut node, EventKind::New, &flow(number));
        event(&mut node, EventKind::Destroy, &flow(number));
        outputs(&mut node);
    }
    let figures = node.flow_figures(CacheName::Internal);
    assert!((1..5000).contains(&figures.objects), "{figures:?}");
}

#[test]
fn a_full_cache_is_one_notice() {
    let mut node = node(|config| config.hash_limit = 10);
    for number in 0..30 {
        event(&mut node, EventKind::New, &flow(number));
        node.on_datagram(T, LinkId(0), &message(number, number.into(), EventKind::New, false));
    }
    let full = |cache| Notice::CacheFull { cache, count: 20 };
    let expected = [full(CacheName::Internal), full(CacheName::External)];
    assert_eq!(outputs(&mut node).1, expected);
    assert_eq!((outputs(&mut node).1, counts(&node)), (vec![], [10, 10]));
}
