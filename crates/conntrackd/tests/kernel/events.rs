//! Events, their causes, and what is left of them when the buffer is full.

use conntrackd::kernel::{
    Asked, BufferNotice, Change, Dump, EventCause, EventCounters, EventGroups, EventSource, Job,
    Ports, Purpose, Step, Writer,
};
use ctnetlink::Table;
use ctsync::Subject;
use ctsync::time::{Duration, Instant};
use flow::{Direction, EventKind, FlowRead, Mark};

use crate::namespace::{entered, events, settings};
use crate::restored::{entry, numbered, records};

const NOW: Instant = Instant(0);

fn fill(writer: &mut Writer, numbers: std::ops::Range<u32>) {
    let entries: Vec<_> = numbers.map(|number| entry(&numbered(number))).collect();
    let tally = writer.commit(&entries, |_, failure| panic!("{failure:?}"));
    assert_eq!(tally.done, entries.len());
}

fn inject(writer: &mut Writer, kind: EventKind, number: u32, mark: u32) {
    let record = ctsync::wire::Record { mark: Some(Mark(mark)), ..numbered(number) };
    let changes = [Change { kind, entry: entry(&record) }];
    assert_eq!(writer.inject(&changes, |_, failure| panic!("{failure:?}")).done, 1);
}

#[test]
fn events_tell_what_happened_to_which_flow_and_who_caused_it() {
    use EventCause::{Injected, Others, Own};
    use EventKind::{Destroy, New, Update};
    if !entered() {
        return;
    }
    let mut source = events(1 << 20, 1 << 20);
    let [mut commit, mut flush, mut inject_writer, mut stranger] =
        [(); 4].map(|()| Writer::open().unwrap());
    let ports =
        Ports { commit: commit.port_id(), flush: flush.port_id(), inject: inject_writer.port_id() };
    fill(&mut commit, 1..2);
    inject(&mut inject_writer, EventKind::New, 2, 7);
    inject(&mut inject_writer, EventKind::Update, 2, 8);
    inject(&mut stranger, EventKind::New, 3, 9);
    inject(&mut stranger, EventKind::Update, 1, 10);
    flush.flush_flows().unwrap();
    let mut seen = Vec::new();
    let taken = source.read(NOW, 100, |event| {
        let Subject::Flow(view) = event.subject else { panic!("{event:?}") };
        let original = view.tuple(Direction::Original);
        let number = (1..=3).find(|number| numbered(*number).original == original).unwrap();
        let mark = view.mark().unwrap_or_default();
        seen.push((event.kind, ports.cause(event.port_id), number, mark.0));
    });
    assert_eq!((taken.as_ref().unwrap().datagrams, taken.unwrap().has_more), (8, false));
    let mut ended = seen.split_off(5);
    ended.sort_by_key(|(_, _, number, _)| *number);
    assert_eq!(
        seen,
        [
            (New, Own, 1, 0),
            (New, Injected, 2, 7),
            (Update, Injected, 2, 8),
            (New, Others, 3, 9),
            (Update, Others, 1, 10)
        ]
    );
    assert_eq!(ended, [(Destroy, Own, 1, 10), (Destroy, Own, 2, 8), (Destroy, Own, 3, 9)]);
    assert_eq!(source.counters(), EventCounters { received: 8, ..EventCounters::default() });
}

#[test]
fn events_of_flows_of_every_kind_can_be_read() {
    if !entered() {
        return;
    }
    let mut source = events(1 << 20, 1 << 20);
    let mut writer = Writer::open().unwrap();
    let entries: Vec<_> = records().iter().map(entry).collect();
    assert_eq!(writer.commit(&entries, |_, failure| panic!("{failure:?}")).done, entries.len());
    writer.flush_flows().unwrap();
    source.read(NOW, 1000, |_| ()).unwrap();
    let received = u64::try_from(2 * entries.len()).unwrap();
    assert_eq!(source.counters(), EventCounters { received, ..EventCounters::default() });
}

#[test]
fn a_call_takes_no_more_than_its_limit() {
    if !entered() {
        return;
    }
    let mut source = events(1 << 20, 1 << 20);
    let mut writer = Writer::open().unwrap();
    fill(&mut writer, 0..200);
    let mut count = 0;
    for (limit, expected, has_more) in
        [(0, 0, true), (100, 100, true), (99, 99, true), (9, 1, false)]
    {
        let before = count;
        let taken = source.read(NOW, limit, |_| count += 1).unwrap();
        assert_eq!((taken.datagrams, taken.has_more), (expected, has_more));
        assert_eq!(count - before, expected);
    }
}

#[test]
fn the_buffer_is_as_upstream_says() {
    if !entered() {
        return;
    }
    // What Debian's conntrackd 1.4.7 prints for these on Linux 6.18.
    for (buffer, max, bytes) in [
        (2_097_152, 8_388_608, 2_097_152),
        (100_000, 100_000, 100_000),
        (100_001, 300_000, 100_000),
        (1000, 300_000, 2304),
        (3_000_000_000, u32::MAX, 2_147_483_646),
    ] {
        let mut source = EventSource::open(&settings(buffer, max)).unwrap();
        assert_eq!(source.next_notice(), Some(BufferNotice::Set { bytes }));
        assert_eq!((source.next_notice(), source.buffer_bytes()), (None, bytes));
    }
    let mut source = EventSource::open(&settings(0, 8_388_608)).unwrap();
    let bytes = source.buffer_bytes();
    assert_eq!(source.next_notice(), Some(BufferNotice::OfSystem));
    assert_eq!(source.next_notice(), Some(BufferNotice::Set { bytes }));
}

#[test]
fn lost_events_are_counted_exactly_and_the_buffer_grows() {
    if !entered() {
        return;
    }
    let mut source = events(20_000, 50_000);
    assert_eq!(source.next_notice(), Some(BufferNotice::Set { bytes: 20_000 }));
    let mut writer = Writer::open().unwrap();
    let (mut received, mut now) = (0_u32, NOW);
    let rounds =
        [Some(BufferNotice::Doubled { bytes: 40_000 }), Some(BufferNotice::CannotGrow), None];
    for (round, notice) in (0..).zip(rounds) {
        fill(&mut writer, round * 500..(round + 1) * 500);
        let taken = source.read(now, 10_000, |_| received += 1).unwrap();
        assert!(!taken.has_more);
        assert_eq!(source.next_notice(), notice, "round {round}");
        now = now.after(Duration::from_secs(10));
    }
    let counters = source.counters();
    assert_eq!((counters.overruns, counters.catch_failed), (3, 3));
    assert_eq!(counters.received, u64::from(received));
    assert_eq!(received + source.drops().unwrap(), 1500);
    assert_eq!(source.buffer_bytes(), 40_000);
    assert_eq!(source.resync().deadline(), Some(NOW.after(Duration::from_secs(30))));
    assert!(source.resync_mut().take(now.after(Duration::from_secs(1))));
    // After the losses everything is heard again.
    inject(&mut writer, EventKind::New, 9999, 1);
    source.read(now, 10, |_| received += 1).unwrap();
    assert_eq!(received + source.drops().unwrap(), 1501);
}

#[test]
fn as_many_changes_as_there_is_room_for_lose_no_event() {
    if !entered() {
        return;
    }
    for buffer in [4000, 20_000, 212_992] {
        let mut source = events(buffer, buffer);
        let room = u32::try_from(source.room()).unwrap();
        let mut writer = Writer::open().unwrap();
        fill(&mut writer, 0..room);
        source.read(NOW, 10_000, |_| ()).unwrap();
        assert_eq!(source.drops().unwrap(), 0, "{room} in {buffer} bytes");
        assert_eq!(source.counters().received, u64::from(room));
        writer.flush_flows().unwrap();
    }
}

#[test]
fn a_reliable_socket_loses_no_end() {
    if !entered() {
        return;
    }
    let reliable = conntrackd::config::Events { is_reliable: true, ..settings(20_000, 20_000) };
    let mut source = EventSource::open(&reliable).unwrap();
    source.subscribe(EventGroups::FlowsAndExpectations).unwrap();
    let mut writer = Writer::open().unwrap();
    let mut ended = 0;
    for part in 0..50 {
        fill(&mut writer, part * 4..(part + 1) * 4);
        source.read(NOW, 100, |_| ()).unwrap();
    }
    writer.flush_flows().unwrap();
    for _ in 0..2000 {
        source
            .read(NOW, 1000, |event| ended += u32::from(event.kind == EventKind::Destroy))
            .unwrap();
        if ended == 200 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!((ended, source.counters().overruns), (200, 0));
}

#[test]
fn a_dump_comes_in_parts_beside_other_work() {
    if !entered() {
        return;
    }
    let mut writer = Writer::open().unwrap();
    fill(&mut writer, 0..1000);
    let mut dump = Dump::open().unwrap();
    let job = Job { purpose: Purpose::FillCache, table: Table::Flows };
    assert_eq!(dump.ask(job), Asked::Waits);
    assert!(matches!(dump.begin(NOW), Step::Began(_)));
    let (mut entries, mut parts) = (0, 0);
    loop {
        match dump.on_ready(NOW, |_, _| entries += 1) {
            Step::Part(_) => parts += 1,
            Step::Ended(ended, _) => break assert_eq!(ended, job),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(entries, 1000);
    assert!(parts >= 6, "{parts} parts");
    let expectations = Job { table: Table::Expectations, ..job };
    assert_eq!(dump.ask(expectations), Asked::Waits);
    assert!(matches!(dump.begin(NOW), Step::Began(_)));
    assert!(matches!(dump.on_ready(NOW, |_, _| panic!("there is none")), Step::Ended(..)));
}
