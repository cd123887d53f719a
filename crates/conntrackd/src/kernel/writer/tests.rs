//! Against a made-up kernel that keeps a table of flows by original port.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use ctnetlink::client::{BatchBounds, PollTransport, Transport};
use ctnetlink::wire::{MessageFlags, MessageKind, Messages, RawMessage};
use ctnetlink::{ExpectationAttributes, FlowAttributes};
use ctsync::wire::{Record, RestoreOptions};
use flow::{
    AddressPair, Direction, EventKind, Expectation, FlowId, L4Key, Mark, Ports, Protocol, Tuple,
};

use super::{Change, Entry, Failure, FlowKey, Stage, Tally, Writer};

/// The mark of each flow by its original source port, and the expected ports.
#[derive(Default)]
struct Table {
    flows: BTreeMap<u16, u32>,
    expected: Vec<u16>,
    /// Requests about this port are refused with this errno.
    refused: Vec<(u16, i32)>,
    /// No helper is known.
    without_helpers: bool,
    waiting: VecDeque<Vec<u8>>,
    datagrams: Vec<usize>,
    log: Vec<String>,
}

impl Table {
    fn flow(&mut self, message: &RawMessage<'_>, deletes: bool) -> i32 {
        let request = FlowAttributes::parse(message.body).unwrap();
        let port = request.partial_tuple(Direction::Original).unwrap().src_port.unwrap();
        if let Some((_, errno)) = self.refused.iter().find(|(refused, _)| *refused == port) {
            return *errno;
        }
        let exists = self.flows.contains_key(&port);
        let flags = message.header.flags;
        if deletes {
            self.log.push(format!("delete {port}"));
            return if self.flows.remove(&port).is_some() { 0 } else { 2 };
        }
        let creates = flags.contains(MessageFlags::CREATE);
        self.log.push(format!("{} {port}", if creates { "create" } else { "update" }));
        match (exists, creates) {
            (true, true) => return 17,
            (false, false) => return 2,
            _ => {}
        }
        if creates && request.helper().is_some() && self.without_helpers {
            return 95;
        }
        let master = request.partial_master().and_then(|master| master.src_port);
        if creates && master.is_some_and(|master| !self.flows.contains_key(&master)) {
            return 2;
        }
        self.flows.insert(port, request.mark().map_or(0, |mark| mark.0));
        0
    }

    fn expectation(&mut self, message: &RawMessage<'_>, deletes: bool) -> i32 {
        let request = ExpectationAttributes::parse(message.body).unwrap();
        if deletes {
            let before = self.expected.len();
            // The request names the tuple alone.
            self.expected.clear();
            return if before == 0 { 2 } else { 0 };
        }
        let port = request.to_expectation().unwrap().tuple.key.ports().unwrap().dst;
        if self.expected.contains(&port) {
            return 17;
        }
        self.expected.push(port);
        0
    }
}

impl Transport for Table {
    fn send(&mut self, datagram: &[u8]) -> io::Result<()> {
        self.datagrams.push(Messages::new(datagram).count());
        for message in Messages::new(datagram) {
            let message = message.unwrap();
            let kind = MessageKind::from(message.header.kind);
            let errno = match (kind.subsystem.0, kind.message) {
                (1, number) => self.flow(&message, number == 2),
                (_, number) => self.expectation(&message, number == 2),
            };
            if errno != 0 || message.header.flags.contains(MessageFlags::ACK) {
                let mut answer = 36_u32.to_ne_bytes().to_vec();
                answer.extend_from_slice(&[2, 0, 0, 1]);
                let sequence = message.header.sequence.0;
                for word in [sequence, 0, (-errno).cast_unsigned(), 20, 0, sequence, 0] {
                    answer.extend_from_slice(&word.to_ne_bytes());
                }
                self.waiting.push_back(answer);
            }
        }
        Ok(())
    }

    fn receive(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unreachable!("a writer does not wait")
    }
}

impl PollTransport for Table {
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        Ok(self.waiting.pop_front().map(|answer| {
            buffer[..answer.len()].copy_from_slice(&answer);
            answer.len()
        }))
    }
}

fn tuple(port: u16) -> Tuple {
    Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: port, dst: port }),
    }
}

fn record(port: u16, mark: u32) -> Record {
    Record { mark: Some(Mark(mark)), ..Record::new(tuple(port)) }
}

fn entry(record: &Record) -> Entry {
    let options = RestoreOptions { timeout_s: Some(60), window_tracking: false };
    Entry::Flow(record.restore(options))
}

fn flow(port: u16, mark: u32) -> Entry {
    entry(&record(port, mark))
}

fn expectation(port: u16, master: u16) -> Entry {
    Entry::Expectation(Expectation {
        tuple: tuple(port),
        mask: tuple(65535),
        master: tuple(master),
        nat: None,
        timeout_s: None,
        id: None,
        zone: None,
        flags: None,
        class: None,
        helper: None,
        function: None,
    })
}

fn writer(table: Table) -> Writer<Table> {
    Writer::new(table, 7, BatchBounds { requests: 4, bytes: 65536 })
}

fn table(writer: &Writer<Table>) -> &Table {
    writer.client.transport()
}

fn no_failure<E>(_: &E, failure: Failure) {
    panic!("{failure:?}");
}

#[test]
fn a_commit_makes_all_and_replaces_what_is_there() {
    let mut writer = writer(Table { flows: [(2, 99), (5, 99)].into(), ..Table::default() });
    let entries: Vec<_> = (1..=6).map(|port| flow(port, u32::from(port))).collect();
    let tally = writer.commit(&entries, no_failure);
    assert_eq!(tally, Tally { done: 6, ..Tally::default() });
    assert_eq!(table(&writer).flows, (1..=6).map(|port| (port, u32::from(port))).collect());
    assert_eq!(table(&writer).datagrams, [4, 2, 4], "two pairs are one batch");
    assert_eq!(writer.commit(&entries, no_failure).done, 6);
}

#[test]
fn a_refused_entry_does_not_stop_the_others() {
    let mut writer = writer(Table { refused: vec![(2, 12)], ..Table::default() });
    let entries: Vec<_> = (1..=6).map(|port| flow(port, 0)).collect();
    let mut failed = Vec::new();
    let tally = writer.commit(&entries, |entry, failure| failed.push((entry.clone(), failure)));
    assert_eq!(tally, Tally { done: 5, failed: 1, ..Tally::default() });
    assert_eq!(failed, [(flow(2, 0), Failure { stage: Stage::Add, errno: 12 })]);
}

#[test]
fn a_commit_puts_masters_before_what_they_foretold() {
    let mut writer = writer(Table::default());
    let child = entry(&Record { master: Some(tuple(9)), ..record(1, 0) });
    let entries = [expectation(21, 9), child.clone(), flow(9, 0)];
    let tally = writer.commit(&entries, no_failure);
    assert_eq!(tally, Tally { done: 3, ..Tally::default() });
    assert_eq!(table(&writer).log, ["create 9", "create 1"]);
    assert_eq!(table(&writer).expected, [21]);
    let mut writer = self::writer(Table::default());
    let tally = writer.commit(&[child], no_failure);
    assert_eq!(tally, Tally { done: 1, without_master: 1, ..Tally::default() });
}

#[test]
fn a_flow_is_kept_without_a_helper_that_is_not_known() {
    let mut writer = writer(Table { without_helpers: true, ..Table::default() });
    let helped = entry(&Record { helper: Some("sip".try_into().unwrap()), ..record(1, 4) });
    let tally = writer.commit(&[helped], no_failure);
    assert_eq!(tally, Tally { done: 1, without_helper: 1, ..Tally::default() });
    assert_eq!(table(&writer).flows, [(1, 4)].into());
}

fn change(kind: EventKind, entry: Entry) -> Change {
    Change { kind, entry }
}

#[test]
fn changes_of_one_flow_are_done_one_after_the_other() {
    use EventKind::{Destroy, New, Update};
    let mut writer = writer(Table { flows: [(1, 99), (3, 99)].into(), ..Table::default() });
    let tally = writer.inject(
        &[
            change(New, flow(1, 1)),
            change(Update, flow(2, 2)),
            change(Destroy, flow(1, 0)),
            change(Update, flow(2, 3)),
            change(Destroy, flow(3, 0)),
            change(New, flow(3, 4)),
            change(Destroy, flow(7, 0)),
            change(Update, flow(3, 5)),
        ],
        no_failure,
    );
    assert_eq!(tally, Tally { done: 8, ..Tally::default() });
    assert_eq!(table(&writer).flows, [(2, 3), (3, 5)].into());
    let of = |port: &str| -> Vec<_> {
        let log = table(&writer).log.iter();
        log.filter(|line| line.ends_with(port)).map(String::as_str).collect()
    };
    assert_eq!(of(" 1"), ["create 1", "delete 1", "create 1", "delete 1"]);
    assert_eq!(of(" 2"), ["update 2", "create 2", "update 2"]);
    assert_eq!(of(" 3"), ["delete 3", "create 3", "update 3"]);
}

#[test]
fn an_injected_flow_waits_for_its_master() {
    let mut writer = writer(Table { flows: [(9, 99)].into(), ..Table::default() });
    let child = entry(&Record { master: Some(tuple(9)), ..record(1, 0) });
    let tally = writer.inject(
        &[
            change(EventKind::Destroy, flow(9, 0)),
            change(EventKind::New, flow(9, 1)),
            change(EventKind::New, child),
            change(EventKind::New, expectation(21, 9)),
            change(EventKind::Update, expectation(21, 9)),
        ],
        no_failure,
    );
    assert_eq!(tally, Tally { done: 5, ..Tally::default() });
    assert_eq!(table(&writer).log.last().unwrap(), "create 1");
    assert_eq!(table(&writer).expected, [21]);
}

#[test]
fn failures_of_an_injection_say_how_far_they_came() {
    use EventKind::{Destroy, New, Update};
    let mut writer = writer(Table { refused: vec![(1, 12)], ..Table::default() });
    for (kind, stage) in [(New, Stage::Add), (Update, Stage::Update), (Destroy, Stage::Destroy)] {
        let mut failures = Vec::new();
        let tally = writer.inject(&[change(kind, flow(1, 0))], |_, failure| failures.push(failure));
        assert_eq!((tally.done, tally.failed), (0, 1));
        assert_eq!(failures, [Failure { stage, errno: 12 }]);
    }
}

#[test]
fn flows_are_deleted_in_batches_and_those_gone_are_counted() {
    let flows = (1..=9).map(|port| (port, 0)).collect();
    let mut writer = writer(Table { flows, refused: vec![(3, 16)], ..Table::default() });
    let keys: Vec<_> = (1..=10)
        .map(|port| FlowKey {
            original: tuple(port),
            zone: None,
            original_zone: None,
            id: Some(FlowId(u32::from(port))),
        })
        .collect();
    let mut refused = Vec::new();
    let tally = writer.delete(&keys, |key, errno| refused.push((*key, errno)));
    assert_eq!((tally.deleted, tally.gone, tally.failed), (8, 1, 1));
    assert_eq!(refused, [(keys[2], 16)]);
    assert_eq!(table(&writer).datagrams, [4, 4, 2]);
    assert_eq!(writer.flush_expectations(), Err(2));
    assert_eq!(writer.port_id(), 7);
}
