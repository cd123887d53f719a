//! Dumps of the kernel's table among events.

use flow::{EventKind, Expectation, Flow, Labels, Mark, Status};

use super::{NOTRACK_BYPASSED, counts, event, expectation, flow, node, outputs, sent};
use crate::node::{CacheName, Event, Node, Origin, Request, Subject, Which};
use crate::time::Instant;

const T: Instant = Instant(0);

fn begin(node: &mut Node, which: Which) {
    node.on_request(T, Request::DumpBegins(which));
}

fn end(node: &mut Node, origin: Origin) {
    node.on_request(T, Request::DumpEnds(origin));
}

fn sent_events(node: &mut Node) -> Vec<EventKind> {
    sent(node).into_iter().flatten().collect()
}

#[test]
fn a_flow_that_ended_since_its_part_was_filled_does_not_come_back() {
    for boundaries in 0..4 {
        let mut node = node(|_| {});
        event(&mut node, EventKind::New, &flow(1));
        begin(&mut node, Which::Flows);
        event(&mut node, EventKind::Destroy, &flow(1));
        for _ in 0..boundaries {
            node.on_request(T, Request::DumpPart);
        }
        node.on_dumped_flow(T, &flow(1), Origin::Others);
        end(&mut node, Origin::Others);
        // From the second boundary on the part is newer than the event.
        assert_eq!(counts(&node), [usize::from(boundaries >= 2), 0], "{boundaries}");
    }
}

#[test]
fn what_an_event_said_is_newer_than_the_dump() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    sent_events(&mut node);
    begin(&mut node, Which::Flows);
    event(&mut node, EventKind::Update, &Flow { mark: Some(Mark(7)), ..flow(1) });
    node.on_dumped_flow(T, &flow(1), Origin::Others);
    // A flow that ended and was opened again lives.
    event(&mut node, EventKind::New, &flow(2));
    event(&mut node, EventKind::Destroy, &flow(2));
    event(&mut node, EventKind::New, &flow(2));
    node.on_dumped_flow(T, &flow(2), Origin::Others);
    end(&mut node, Origin::Others);
    let marks: Vec<_> = node.records(CacheName::Internal).map(|record| record.mark).collect();
    assert_eq!(marks, [Some(Mark(7)), None]);
    assert_eq!(sent_events(&mut node), [EventKind::Update, EventKind::New]);
}

#[test]
fn what_an_update_did_not_tell_is_taken_from_the_dump() {
    let mut node = node(|_| {});
    let old = Flow { mark: Some(Mark(5)), status: Some(Status::CONFIRMED), ..flow(1) };
    event(&mut node, EventKind::New, &old);
    sent_events(&mut node);
    begin(&mut node, Which::Flows);
    // Another mark was told by an event that was lost, and then a reply came.
    let replied = Some(Status::CONFIRMED | Status::SEEN_REPLY);
    let update = Flow { mark: None, status: replied, ..flow(1) };
    event(&mut node, EventKind::Update, &update);
    let dumped = Flow { mark: Some(Mark(6)), status: Some(Status::CONFIRMED), ..flow(1) };
    node.on_dumped_flow(T, &dumped, Origin::Others);
    end(&mut node, Origin::Others);
    let records: Vec<_> = node.records(CacheName::Internal).collect();
    assert_eq!((records[0].mark, records[0].status), (Some(Mark(6)), replied));
    assert_eq!(sent_events(&mut node), [EventKind::Update]);
}

#[test]
fn the_peer_is_told_of_what_changed_and_of_nothing_else() {
    let mut node = node(|_| {});
    let labels = Some(Labels::from_bits([1]));
    let known = [
        flow(1),
        Flow { mark: Some(Mark(0)), ..flow(2) },
        Flow { mark: Some(Mark(5)), ..flow(3) },
        Flow { labels, ..flow(4) },
        flow(5),
        flow(6),
    ];
    for flow in &known {
        event(&mut node, EventKind::New, flow);
    }
    sent_events(&mut node);
    begin(&mut node, Which::Flows);
    let dumped = [
        Flow { timeout_s: Some(1), ..flow(1) },
        flow(2),
        flow(3),
        flow(4),
        Flow { status: Some(Status::CONFIRMED | Status::SEEN_REPLY), ..flow(5) },
        flow(7),
    ];
    for flow in &dumped {
        node.on_dumped_flow(T, flow, Origin::Others);
    }
    end(&mut node, Origin::Others);
    let [new, update, destroy] = [EventKind::New, EventKind::Update, EventKind::Destroy];
    assert_eq!(sent_events(&mut node), [update, update, update, new, destroy]);
    let counters = node.flow_figures(CacheName::Internal).counters;
    assert_eq!((counters.created, counters.updated, counters.destroyed), (7, 3, 1));
    let records: Vec<_> = node.records(CacheName::Internal).collect();
    assert_eq!(records[0].timeout_s, Some(1), "the timeout of the dump is kept all the same");
    assert_eq!(records[2].mark, Some(Mark(0)), "the kernel does not tell a mark of 0");
}

#[test]
fn a_refill_by_the_operator_tells_the_peer_nothing() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    event(&mut node, EventKind::New, &flow(2));
    sent_events(&mut node);
    begin(&mut node, Which::All);
    node.on_dumped_flow(T, &Flow { mark: Some(Mark(1)), ..flow(1) }, Origin::Own);
    node.on_dumped_flow(T, &flow(3), Origin::Own);
    end(&mut node, Origin::Own);
    assert_eq!(sent_events(&mut node), []);
    assert_eq!(counts(&node), [2, 0]);
}

#[test]
fn a_refill_tells_the_peer_of_ends_alone_if_it_is_to() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    event(&mut node, EventKind::New, &flow(2));
    sent_events(&mut node);
    begin(&mut node, Which::Flows);
    node.on_dumped_flow(T, &flow(1), Origin::Own);
    node.on_dumped_flow(T, &flow(3), Origin::Own);
    end(&mut node, Origin::Others);
    assert_eq!(sent_events(&mut node), [EventKind::Destroy]);
    assert_eq!(counts(&node), [2, 0]);
}

#[test]
fn a_flow_that_the_filter_wants_no_more_has_not_ended() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    sent_events(&mut node);
    begin(&mut node, Which::Flows);
    node.on_dumped_unwanted(T, &flow(1));
    node.on_dumped_unwanted(T, &flow(2));
    end(&mut node, Origin::Others);
    assert_eq!(sent_events(&mut node), []);
    assert_eq!(counts(&node), [1, 0], "what is not wanted and was not known stays unknown");
}

#[test]
fn a_dump_sweeps_what_it_was_of() {
    for (which, flows, expectations) in
        [(Which::Flows, 1, 1), (Which::Expectations, 2, 0), (Which::All, 1, 0)]
    {
        let mut node = node(|_| {});
        event(&mut node, EventKind::New, &flow(1));
        event(&mut node, EventKind::New, &flow(2));
        expected(&mut node, EventKind::New, &expectation(1));
        sent_events(&mut node);
        begin(&mut node, which);
        if which != Which::Expectations {
            node.on_dumped_flow(T, &flow(1), Origin::Others);
        }
        end(&mut node, Origin::Others);
        assert_eq!(counts(&node), [flows, 0], "{which:?}");
        assert_eq!(node.expectation_figures(CacheName::Internal).active, expectations);
        let gone = 3 - flows - expectations;
        assert_eq!(sent_events(&mut node), vec![EventKind::Destroy; gone]);
    }
}

#[test]
fn a_dump_that_failed_sweeps_nothing() {
    let mut node = node(|_| {});
    event(&mut node, EventKind::New, &flow(1));
    begin(&mut node, Which::All);
    node.on_request(T, Request::DumpFailed);
    end(&mut node, Origin::Others);
    assert_eq!(counts(&node), [1, 0]);
}

fn expected(node: &mut Node, kind: EventKind, expectation: &Expectation) {
    let subject: Subject<'_, Flow> = Subject::Expectation(expectation);
    node.on_event(T, &Event { kind, origin: Origin::Others, subject });
}

#[test]
fn an_expectation_needs_its_master() {
    let mut node = node(|_| {});
    expected(&mut node, EventKind::New, &expectation(1));
    node.on_dumped_expectation(T, &expectation(1), Origin::Others);
    assert_eq!(node.expectation_figures(CacheName::Internal).objects, 0);
    event(&mut node, EventKind::New, &flow(1));
    expected(&mut node, EventKind::New, &expectation(1));
    assert_eq!(sent_events(&mut node), [EventKind::New; 2]);
    // Known and unchanged: a dump adds nothing.
    begin(&mut node, Which::Expectations);
    let later = Expectation { timeout_s: Some(1), ..expectation(1) };
    node.on_dumped_expectation(T, &later, Origin::Others);
    end(&mut node, Origin::Others);
    assert_eq!(sent_events(&mut node), []);
    expected(&mut node, EventKind::Destroy, &expectation(1));
    assert_eq!(sent_events(&mut node), [EventKind::Destroy]);
}

#[test]
fn without_internal_cache_a_dump_is_the_bulk() {
    let mut node = node(|config| config.mode = NOTRACK_BYPASSED);
    node.on_dumped_flow(T, &flow(1), Origin::Others);
    assert_eq!(sent_events(&mut node), [EventKind::New]);
    assert_eq!(counts(&node), [0, 0]);
    let mut many = 0;
    while node.has_room() {
        node.on_dumped_flow(T, &flow(1), Origin::Others);
        many += 1;
    }
    assert!(many > 5000, "{many}");
    event(&mut node, EventKind::Update, &flow(2));
    assert_eq!(node.statistics().direct_dropped, 0, "there is room for events");
    outputs(&mut node);
    assert!(node.has_room());
}
