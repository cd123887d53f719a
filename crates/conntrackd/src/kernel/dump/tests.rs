use std::collections::VecDeque;
use std::io;

use ctnetlink::client::{DumpOutcome, PollTransport, Transport};
use ctnetlink::wire::{
    MessageFlags, MessageHeader, MessageWriter, NetfilterHeader, Sequence, control,
};
use ctnetlink::{Table, encode_flow};
use ctsync::time::{Duration, Instant};
use flow::{AddressPair, Flow, L4Key, PerDirection, Ports, Protocol, Status, Tuple};

use super::{Asked, Dump, DumpCounters, Job, MOST_JOBS, Purpose, Step};
use crate::wake::ClientId;

const FILL: Job = Job { purpose: Purpose::FillCache, table: Table::Flows };
const FLUSH: Job = Job { purpose: Purpose::Flush, table: Table::Flows };

/// A kernel that says what it is told.
#[derive(Default)]
struct Script {
    answers: VecDeque<io::Result<Vec<u8>>>,
    sends: usize,
    refuses: bool,
}

impl Transport for Script {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.sends += 1;
        if self.refuses { Err(io::Error::from_raw_os_error(105)) } else { Ok(()) }
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.try_receive(buffer)?.expect("the script goes on"))
    }
}

impl PollTransport for Script {
    fn try_receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(answer) = self.answers.pop_front() else { return Ok(None) };
        let answer = answer?;
        if let Some(place) = buffer.get_mut(..answer.len()) {
            place.copy_from_slice(&answer);
        }
        Ok(Some(answer.len()))
    }
}

fn at(seconds: u32) -> Instant {
    Instant(Duration::from_secs(seconds).0)
}

fn entry(sequence: u32, port: u16, flags: MessageFlags) -> Vec<u8> {
    entry_of(sequence, port, flags, Status::CONFIRMED)
}

fn entry_of(sequence: u32, port: u16, flags: MessageFlags, status: Status) -> Vec<u8> {
    let original = Tuple {
        addresses: AddressPair::V4 { src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() },
        protocol: Protocol::Udp,
        key: L4Key::Ports(Ports { src: port, dst: 53 }),
    };
    let tuples = PerDirection { original, reply: original.inverted() };
    let flow = Flow { status: Some(status), ..Flow::new(tuples) };
    message(0x0100, sequence, flags, |out| encode_flow(out, &flow))
}

fn message(
    kind: u16,
    sequence: u32,
    flags: MessageFlags,
    content: impl FnOnce(&mut MessageWriter<'_>),
) -> Vec<u8> {
    let mut out = Vec::new();
    let header = MessageHeader { kind, flags, sequence: Sequence(sequence), port_id: 9 };
    let netfilter = NetfilterHeader { family: 2, ..NetfilterHeader::default() };
    let mut writer = MessageWriter::begin(&mut out, header, netfilter);
    content(&mut writer);
    writer.finish();
    out
}

/// The netfilter header stands where the code is, which is 0.
fn done(sequence: u32) -> Vec<u8> {
    let mut out = message(control::DONE, sequence, MessageFlags::MULTI, |_| ());
    out[16] = 0;
    out
}

fn refusal(sequence: u32, errno: i32) -> Vec<u8> {
    let mut out = message(control::ERROR, sequence, MessageFlags::CAPPED, |_| ());
    out[16..20].copy_from_slice(&(-errno).to_ne_bytes());
    out.extend_from_slice(&[20, 0, 0, 0, 1, 1, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
    let len = u32::try_from(out.len()).unwrap();
    out[..4].copy_from_slice(&len.to_ne_bytes());
    out
}

const MULTI: MessageFlags = MessageFlags::MULTI;

fn dump(answers: impl IntoIterator<Item = Vec<u8>>) -> Dump<Script> {
    let answers = answers.into_iter().map(Ok).collect();
    Dump::new(Script { answers, ..Script::default() })
}

fn step(dump: &mut Dump<Script>, now: Instant, count: &mut usize) -> Step {
    dump.on_ready(now, |_, _| *count += 1)
}

#[test]
fn entries_come_part_by_part_and_the_end_says_if_it_was_disturbed() {
    let disturbed = MULTI | MessageFlags::DUMP_INTR;
    let mut dump = dump([
        [entry(1, 1, MULTI), entry(1, 2, MULTI)].concat(),
        entry(1, 3, disturbed),
        done(1),
        entry(2, 1, MULTI),
        done(2),
    ]);
    let mut count = 0;
    assert_eq!(dump.ask(FILL), Asked::Waits);
    assert!(matches!(dump.begin(at(0)), Step::Began(FILL)));
    assert_eq!(dump.ask(FLUSH), Asked::Waits);
    assert!(matches!(dump.begin(at(0)), Step::Idle), "one at a time");
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Part(FILL)));
    assert_eq!(count, 2);
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Part(FILL)));
    let end = step(&mut dump, at(0), &mut count);
    assert!(matches!(end, Step::Ended(FILL, DumpOutcome::Interrupted)), "{end:?}");
    assert_eq!(count, 3);
    assert_eq!(dump.deadline(), Some(at(0)));
    assert!(matches!(dump.begin(at(0)), Step::Began(FLUSH)));
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Part(FLUSH)));
    let end = step(&mut dump, at(0), &mut count);
    assert!(matches!(end, Step::Ended(FLUSH, DumpOutcome::Complete)), "{end:?}");
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Idle));
    assert_eq!((dump.deadline(), dump.running()), (None, None));
    let counters = DumpCounters { ended: 2, interrupted: 1, ..DumpCounters::default() };
    assert_eq!(dump.counters(), counters);
}

#[test]
fn a_flow_whose_end_is_told_is_not_part_of_a_dump() {
    let ending = Status::CONFIRMED | Status::ASSURED | Status::DYING;
    let mut dump =
        dump([[entry(1, 1, MULTI), entry_of(1, 2, MULTI, ending), entry(1, 3, MULTI)].concat()]);
    assert_eq!(dump.ask(FILL), Asked::Waits);
    assert!(matches!(dump.begin(at(0)), Step::Began(FILL)));
    let mut count = 0;
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Part(FILL)));
    assert_eq!((count, dump.counters().unknown_type), (2, 0));
}

#[test]
fn a_dump_that_fails_begins_again_later_and_later() {
    let mut dump = dump([]);
    assert_eq!(dump.ask(FILL), Asked::Waits);
    let mut now = 0;
    for (sequence, pause) in (1..).zip([1, 2, 4, 8, 16, 32, 64, 64]) {
        assert!(matches!(dump.begin(at(now)), Step::Began(FILL)));
        dump.transport.answers.push_back(Ok(refusal(sequence, 16)));
        let failed = dump.on_ready(at(now), |_, _| panic!("no entry"));
        assert!(matches!(failed, Step::Failed(FILL, _)), "{failed:?}");
        assert_eq!(dump.deadline(), Some(at(now + pause)));
        assert!(matches!(dump.begin(at(now + pause - 1)), Step::Idle));
        now += pause;
    }
    assert!(matches!(dump.begin(at(now)), Step::Began(FILL)));
    dump.transport.answers.push_back(Ok(done(9)));
    assert!(matches!(step(&mut dump, at(now), &mut 0), Step::Ended(FILL, _)));
    assert_eq!(dump.pause, Duration::from_secs(1));
}

#[test]
fn polls_that_the_kernel_refuses_do_not_pile_up() {
    const POLL: Job = Job { purpose: Purpose::Poll, table: Table::Flows };
    let mut dump = dump([]);
    let (mut failed, mut sequence) = (0, 0);
    for second in 0..30 {
        // `PollSecs 1'.
        let _ = dump.ask(POLL);
        while dump.deadline().is_some_and(|due| due <= at(second)) {
            assert!(matches!(dump.begin(at(second)), Step::Began(POLL)));
            sequence += 1;
            dump.transport.answers.push_back(Ok(refusal(sequence, 12)));
            assert!(matches!(step(&mut dump, at(second), &mut 0), Step::Failed(POLL, _)));
            failed += 1;
        }
    }
    // After 0, 1, 3, 7 and 15 seconds.
    assert_eq!((failed, dump.counters().failed), (5, 5));
    // It is one dump that makes up for all.
    assert!(matches!(dump.begin(at(31)), Step::Began(POLL)));
    dump.transport.answers.extend([entry(6, 1, MULTI), done(6)].map(Ok));
    let mut count = 0;
    assert!(matches!(step(&mut dump, at(31), &mut count), Step::Part(POLL)));
    assert!(matches!(step(&mut dump, at(31), &mut count), Step::Ended(POLL, _)));
    assert_eq!((count, dump.deadline()), (1, None));
}

#[test]
fn the_rest_of_a_broken_dump_is_passed_over() {
    let mut dump = dump([]);
    let errors = [Err(io::Error::from_raw_os_error(105))];
    let rest = [entry(1, 1, MULTI), done(1), entry(2, 1, MULTI), done(2)].map(Ok);
    dump.transport.answers = errors.into_iter().chain(rest).collect();
    assert_eq!(dump.ask(FILL), Asked::Waits);
    let mut count = 0;
    assert!(matches!(dump.begin(at(0)), Step::Began(FILL)));
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Failed(FILL, _)));
    assert!(matches!(step(&mut dump, at(0), &mut count), Step::Idle));
    assert!(matches!(dump.begin(at(1)), Step::Began(FILL)));
    assert!(matches!(step(&mut dump, at(1), &mut count), Step::Part(FILL)), "end of the first");
    assert_eq!(count, 0);
    assert!(matches!(step(&mut dump, at(1), &mut count), Step::Part(FILL)));
    assert!(matches!(step(&mut dump, at(1), &mut count), Step::Ended(FILL, _)));
    assert_eq!(count, 1);
}

#[test]
fn a_request_that_cannot_be_sent_is_a_failure() {
    let mut dump = Dump::new(Script { refuses: true, ..Script::default() });
    assert_eq!(dump.ask(FILL), Asked::Waits);
    assert!(matches!(dump.begin(at(5)), Step::Failed(FILL, _)));
    assert_eq!(dump.deadline(), Some(at(6)));
}

#[test]
fn a_dump_too_long_or_of_something_else_is_no_panic() {
    let mut dump = dump([
        message(0x0102, 1, MULTI, |_| ()),
        message(0x0100, 1, MULTI, |_| ()),
        vec![0; 70_000],
    ]);
    assert_eq!(dump.ask(FILL), Asked::Waits);
    assert!(matches!(dump.begin(at(0)), Step::Began(FILL)));
    for _ in 0..2 {
        assert!(matches!(step(&mut dump, at(0), &mut 0), Step::Part(FILL)));
    }
    assert_eq!(dump.counters().unknown_type, 2);
    assert!(matches!(step(&mut dump, at(0), &mut 0), Step::Failed(FILL, _)));
}

#[test]
fn equal_dumps_that_wait_are_one_and_those_that_wait_are_bounded() {
    let mut dump = dump([]);
    assert_eq!(dump.ask(FILL), Asked::Waits);
    assert_eq!(dump.ask(FILL), Asked::Merged);
    assert!(matches!(dump.begin(at(0)), Step::Began(FILL)));
    assert_eq!(dump.ask(FILL), Asked::Waits, "the one that runs may have passed a change");
    let print = |number| Job { purpose: Purpose::Print(ClientId(number)), table: Table::Flows };
    let clients = u32::try_from(MOST_JOBS).unwrap() - 1;
    for number in 0..clients {
        assert_eq!(dump.ask(print(number)), Asked::Waits);
    }
    assert_eq!(dump.ask(print(clients)), Asked::Refused);
    dump.forget(print(0));
    assert_eq!(dump.ask(print(clients)), Asked::Waits);
}

#[test]
fn a_client_is_in_the_way_of_those_that_wait_for_the_end_of_its_dump() {
    let mut dump = dump([]);
    let job = |purpose| Job { purpose, table: Table::Flows };
    let client = ClientId(7);
    assert_eq!(dump.ask(job(Purpose::Print(client))), Asked::Waits);
    assert_eq!(dump.client_in_the_way(), None);
    assert!(matches!(dump.begin(at(1)), Step::Began(_)));
    assert_eq!(dump.client_in_the_way(), None);
    assert_eq!(dump.ask(job(Purpose::Bulk)), Asked::Waits);
    assert_eq!(dump.client_in_the_way(), Some(client));
}

#[test]
fn a_whole_dump_is_waited_for() {
    let parts = [entry(1, 1, MULTI), entry(1, 2, MULTI), done(1)];
    let mut count = 0;
    let outcome = dump(parts).run(Table::Flows, |_| count += 1).unwrap();
    assert_eq!((outcome, count), (DumpOutcome::Complete, 2));
    assert!(dump([refusal(1, 1)]).run(Table::Flows, |_| ()).is_err());
}
