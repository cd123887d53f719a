//! Expectations: what of them reaches the table, and their events.

use conntrackd::kernel::{
    Change, Dump, Entry, EventGroups, EventSource, Failure, Stage, Tally, Writer,
};
use ctnetlink::Table;
use ctsync::Subject;
use ctsync::time::Instant;
use ctsync::wire::Record;
use flow::{AddressPair, EventKind, Expectation, L4Key, Ports, Protocol, Tuple};

use crate::namespace::{entered, settings, skipped};
use crate::restored::{entry, tuple, v4};

/// A data connection to this port, foretold by an FTP flow.
fn expectation(port: u16) -> Expectation {
    let tuple_of = |src, dst| tuple(v4(), Protocol::Tcp, src, dst);
    let all = AddressPair::V4 { src: [255; 4].into(), dst: [255; 4].into() };
    Expectation {
        tuple: tuple_of(0, port),
        mask: Tuple { addresses: all, key: L4Key::Ports(Ports { src: 0, dst: 65535 }), ..master() },
        master: master(),
        nat: None,
        timeout_s: Some(30),
        id: None,
        zone: None,
        flags: None,
        class: Some(0),
        helper: None,
        function: None,
    }
}

fn master() -> Tuple {
    tuple(v4(), Protocol::Tcp, 4000, 21)
}

/// The expected ports.
fn table() -> Vec<u16> {
    let mut ports = Vec::new();
    let outcome = Dump::open().unwrap().run(Table::Expectations, |subject| match subject {
        Subject::Flow(view) => panic!("{view:?}"),
        Subject::Expectation(expectation) => {
            ports.push(expectation.tuple.key.ports().unwrap().dst);
        }
    });
    let _ = outcome.unwrap();
    ports
}

#[test]
fn a_refused_expectation_is_told_and_a_missing_one_is_deleted() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let entry = Entry::Expectation(expectation(4001));
    let mut failures = Vec::new();
    let tally = writer.commit(std::slice::from_ref(&entry), |_, failure| failures.push(failure));
    assert_eq!((tally.done, tally.failed), (0, 1));
    assert_eq!(failures, [Failure { stage: Stage::Add, errno: 2 }], "its master is missing");
    let changes = [Change { kind: EventKind::Destroy, entry }];
    assert_eq!(writer.inject(&changes, |_, failure| panic!("{failure:?}")).done, 1);
}

#[test]
fn expectations_follow_their_masters_into_the_table() {
    if !entered() {
        return;
    }
    let mut source = EventSource::open(&settings(1 << 20, 1 << 20)).unwrap();
    source.subscribe(EventGroups::FlowsAndExpectations).unwrap();
    let mut writer = Writer::open().unwrap();
    let helped = Record { helper: Some("ftp".try_into().unwrap()), ..Record::new(master()) };
    let entries = [Entry::Expectation(expectation(4001)), entry(&helped)];
    let first = writer.commit(&entries, |_, failure| println!("{failure:?}"));
    if first.without_helper > 0 {
        return skipped("the kernel has no FTP helper");
    }
    assert_eq!(first, Tally { done: 2, ..Tally::default() });
    assert_eq!(table(), [4001]);
    // It exists: both are replaced, and the expectation ends with its master.
    let again = writer.commit(&entries, |_, failure| panic!("{failure:?}"));
    assert_eq!((again.done, table()), (2, vec![4001]));
    let change = |kind, port| Change { kind, entry: Entry::Expectation(expectation(port)) };
    // The helper allows one expectation at a time: each new one pushes out the last.
    let changes = [
        change(EventKind::New, 4001),
        change(EventKind::Destroy, 4001),
        change(EventKind::Update, 4002),
    ];
    let tally = writer.inject(&changes, |_, failure| panic!("{failure:?}"));
    assert_eq!((tally.done, table()), (3, vec![4002]));
    writer.flush_expectations().unwrap();
    assert_eq!(table(), []);
    let (mut made, mut ended) = (0, 0);
    source
        .read(Instant(0), 100, |event| {
            // The kernel says that it was itself which ended one with its master, or pushed it out.
            let is_own = event.port_id == writer.port_id();
            assert!(is_own || (event.port_id, event.kind) == (0, EventKind::Destroy), "{event:?}");
            match (event.subject, event.kind) {
                (Subject::Expectation(_), EventKind::New) => made += 1,
                (Subject::Expectation(_), EventKind::Destroy) => ended += 1,
                (Subject::Expectation(_), EventKind::Update) => panic!("there is no such event"),
                (Subject::Flow(_), _) => {}
            }
        })
        .unwrap();
    assert!(made >= 4 && made == ended, "{made} made, {ended} ended");
}
