//! Commits, injections and deletions, and what the table shows of them.

use conntrackd::kernel::{Change, Committer, Entry, Failure, FlowKey, Stage, Tally, Writer};
use ctsync::wire::{Record, Restored};
use flow::{Direction, EventKind, Flow, Mark, ProtoInfo, Status, TcpState, Tuple};

use crate::namespace::{entered, table};
use crate::restored::{entry, numbered, record_of, records};

const TRANSLATED: Status =
    Status::SRC_NAT.union(Status::DST_NAT).union(Status::SRC_NAT_DONE).union(Status::DST_NAT_DONE);

fn entries(records: &[Record]) -> Vec<Entry> {
    records.iter().map(entry).collect()
}

#[track_caller]
fn commit_all(writer: &mut Writer, entries: &[Entry]) {
    let tally = writer.commit(entries, |entry, failure| panic!("{failure:?}: {entry:?}"));
    assert_eq!(tally, Tally { done: entries.len(), ..Tally::default() });
}

fn found(tuple: Tuple) -> Flow {
    let flow = table().into_iter().find(|flow| flow.tuples.original == tuple);
    flow.unwrap_or_else(|| panic!("{tuple:?} is not in the table"))
}

/// The table as records in a fixed order, without what the kernel adds.
fn shown() -> Vec<Record> {
    let mut records: Vec<_> = table()
        .iter()
        .map(|flow| Record { timeout_s: None, synproxy: None, ..record_of(flow) })
        .collect();
    records.sort_by_key(|record| format!("{record:?}"));
    records
}

#[test]
fn flows_of_every_kind_come_back_as_they_were() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let records = records();
    commit_all(&mut writer, &entries(&records));
    let flows = table();
    assert_eq!(flows.len(), records.len());
    for record in &records {
        let flow = found(record.original);
        let status = flow.status.unwrap();
        let asked = record.status.unwrap_or(Status::CONFIRMED);
        assert_eq!(status - TRANSLATED, (asked - TRANSLATED) | Status::CONFIRMED, "{record:?}");
        assert_eq!(status.contains(Status::SRC_NAT), record.nat_src.address.is_some());
        assert_eq!(status.contains(Status::DST_NAT), record.nat_dst.address.is_some());
        let told = record_of(&flow);
        assert_eq!(flow.tuples.reply, record.reply(), "{record:?}");
        assert_eq!(told.zone, record.zone);
        assert_eq!(told.mark.unwrap_or_default(), record.mark.unwrap_or_default());
        assert_eq!(told.protoinfo, record.protoinfo, "{record:?}");
        assert!(flow.timeout_s.is_some_and(|left| (590..=600).contains(&left)), "{flow:?}");
    }
}

#[test]
fn what_is_told_of_a_table_makes_the_same_table() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    commit_all(&mut writer, &entries(&records()));
    let first = shown();
    // What the peer would be told of it, committed in another namespace.
    assert!(entered());
    assert_eq!(shown(), []);
    let mut writer = Writer::open().unwrap();
    commit_all(&mut writer, &entries(&first));
    assert_eq!(shown(), first);
    // Bits that a change cannot take back are gone: everything is replaced.
    let seen = Status::SEEN_REPLY | Status::ASSURED;
    let with_seen = |record: &Record| Record {
        status: record.status.map(|status| status | seen),
        ..record.clone()
    };
    let all_seen: Vec<_> = first.iter().map(with_seen).collect();
    commit_all(&mut writer, &entries(&all_seen));
    assert!(table().iter().all(|flow| flow.status.unwrap().contains(seen)));
    commit_all(&mut writer, &entries(&first));
    assert_eq!(shown(), first);
}

#[test]
fn tcp_is_liberal_unless_the_window_is_tracked() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let record = &records()[1];
    commit_all(&mut writer, &[entry(record)]);
    let Some(ProtoInfo::Tcp(tcp)) = found(record.original).protoinfo else { panic!() };
    assert_eq!(tcp.state, Some(TcpState::ESTABLISHED));
    for direction in Direction::BOTH {
        let flags = tcp.flags[direction].unwrap().flags;
        assert!(flags.contains(flow::TcpFlags::BE_LIBERAL), "{flags:?}");
    }
}

#[test]
fn refused_entries_are_told_and_the_others_done() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let Entry::Flow(mut without_timeout) = entry(&numbered(3)) else { panic!() };
    without_timeout.flow.timeout_s = None;
    let refused = Entry::Flow(without_timeout);
    let entries = [entry(&numbered(1)), refused.clone(), entry(&numbered(2))];
    let mut failures = Vec::new();
    let tally = writer.commit(&entries, |entry, failure| failures.push((entry.clone(), failure)));
    assert_eq!(tally, Tally { done: 2, failed: 1, ..Tally::default() });
    assert_eq!(failures, [(refused, Failure { stage: Stage::Add, errno: 22 })]);
    assert_eq!(table().len(), 2);
}

#[test]
fn a_long_commit_goes_on_in_a_thread_and_tells_what_became_of_each_entry() {
    if !entered() {
        return;
    }
    let mut committer = Committer::new(Writer::open().unwrap());
    let mut tally = Tally::default();
    let mut refused = Vec::new();
    for first in (0..1000).step_by(100) {
        let mut entries: Vec<Entry> = (first..first + 100).map(|n| entry(&numbered(n))).collect();
        if let Some(Entry::Flow(without_timeout)) = entries.get_mut(50) {
            without_timeout.flow.timeout_s = None;
        }
        committer.commit(&mut entries, |batch| {
            tally.done += batch.tally().done;
            refused.extend_from_slice(batch.refused());
        });
        assert!(entries.is_empty());
        // One batch, and no more, goes on when the call returns.
        assert_eq!(committer.under_way(), 100);
    }
    committer.finish(|batch| {
        tally.done += batch.tally().done;
        refused.extend_from_slice(batch.refused());
    });
    assert_eq!((tally.done, refused.len(), committer.under_way()), (990, 10, 0));
    assert!(refused.iter().all(|(_, failure)| failure.errno == 22));
    assert_eq!(table().len(), 990);
    // A few are not worth a thread, and are done when the call returns.
    let mut few = vec![entry(&numbered(5000))];
    let mut done = 0;
    committer.commit(&mut few, |batch| done += batch.tally().done);
    assert_eq!((done, committer.under_way(), table().len()), (1, 0, 991));
}

#[test]
fn helper_and_master_that_are_missing_do_not_cost_the_flow() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let helped = Record { helper: Some("no-such".try_into().unwrap()), ..numbered(1) };
    let orphan = Record { master: Some(numbered(9).original), ..numbered(2) };
    let tally = writer.commit(&entries(&[helped.clone(), orphan.clone()]), |_, failure| {
        panic!("{failure:?}");
    });
    assert_eq!(tally, Tally { done: 2, failed: 0, without_helper: 1, without_master: 1 });
    assert!(!found(helped.original).status.unwrap().contains(Status::HELPER));
    // With its master it is a foretold one.
    commit_all(&mut writer, &entries(&[orphan.clone(), numbered(9)]));
    let flow = found(orphan.original);
    assert!(flow.status.unwrap().contains(Status::EXPECTED));
    assert_eq!(flow.master, orphan.master);
}

fn change(kind: EventKind, record: &Record) -> Change {
    Change { kind, entry: entry(record) }
}

#[test]
fn injected_changes_are_done_in_their_order() {
    use EventKind::{Destroy, New, Update};
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let marked = |number, mark| Record { mark: Some(Mark(mark)), ..numbered(number) };
    commit_all(&mut writer, &entries(&[marked(1, 9), marked(2, 9), marked(3, 9)]));
    let translated = &records()[9];
    let changes = [
        change(New, &marked(1, 1)),
        change(Update, &marked(2, 2)),
        change(Destroy, &marked(3, 0)),
        change(New, &marked(4, 4)),
        change(Destroy, &marked(4, 4)),
        change(Update, &marked(5, 5)),
        change(Update, &marked(5, 6)),
        change(Destroy, &marked(6, 0)),
        change(New, translated),
        change(Update, translated),
    ];
    let tally = writer.inject(&changes, |change, failure| panic!("{failure:?}: {change:?}"));
    assert_eq!(tally, Tally { done: changes.len(), ..Tally::default() });
    assert_eq!(table().len(), 4);
    for (number, mark) in [(1, 1), (2, 2), (5, 6)] {
        assert_eq!(found(numbered(number).original).mark, Some(Mark(mark)));
    }
    assert_eq!(found(translated.original).tuples.reply, translated.reply());
}

#[test]
fn a_change_that_takes_back_what_was_seen_replaces_the_flow() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let seen = Status::CONFIRMED | Status::SEEN_REPLY | Status::ASSURED;
    commit_all(&mut writer, &[entry(&Record { status: Some(seen), ..numbered(1) })]);
    let unseen = Record { status: Some(Status::CONFIRMED), ..numbered(1) };
    let changes = [change(EventKind::Update, &unseen)];
    let tally = writer.inject(&changes, |_, failure| panic!("{failure:?}"));
    assert_eq!(tally.done, 1);
    assert_eq!(found(numbered(1).original).status, Some(Status::CONFIRMED));
}

#[test]
fn flows_are_deleted_by_what_the_table_says_of_them() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    commit_all(&mut writer, &entries(&records()));
    let keys: Vec<_> = table().iter().map(FlowKey::of).collect();
    let stale = FlowKey { id: Some(flow::FlowId(1)), ..keys[0] };
    let (udp, rest) = keys.split_at(1);
    assert_eq!(writer.delete(&[stale], |_, errno| panic!("errno {errno}")).gone, 1);
    assert_eq!(writer.delete(udp, |_, errno| panic!("errno {errno}")).deleted, 1);
    assert_eq!(table().len(), rest.len());
    let tally = writer.delete(&keys, |_, errno| panic!("errno {errno}"));
    assert_eq!((tally.deleted, tally.gone), (rest.len(), 1));
    assert_eq!(table(), []);
    commit_all(&mut writer, &entries(&records()));
    writer.flush_flows().unwrap();
    writer.flush_expectations().unwrap();
    assert_eq!(table(), []);
}

#[test]
fn batches_of_refusals_lose_no_answer() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    let entries: Vec<_> = (0..2000).map(|number| entry(&numbered(number))).collect();
    commit_all(&mut writer, &entries);
    commit_all(&mut writer, &entries);
    let refused: Vec<_> = entries
        .iter()
        .map(|entry| match entry {
            Entry::Flow(Restored { flow, .. }) => {
                let flow = Flow { timeout_s: None, ..flow.clone() };
                Entry::Flow(Restored { flow, nat_src: None, nat_dst: None })
            }
            Entry::Expectation(_) => panic!("these are flows"),
        })
        .collect();
    writer.flush_flows().unwrap();
    let mut errnos = Vec::new();
    let tally = writer.commit(&refused, |_, failure| errnos.push(failure.errno));
    assert_eq!((tally.done, tally.failed), (0, 2000));
    assert_eq!(errnos, [22; 2000]);
}
