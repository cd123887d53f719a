//! Changes of the kernel's tables, in batches.
//!
//! The kernel works a batch off while it is sent, so a call returns when all is done; some 300 flows take a millisecond. Only
//! the last request of a batch is acknowledged, the others are answered if they are refused, and those entries go into a
//! second and a third batch (`attempt`). Each change makes an event, and one that replaces makes two. They wait at the event
//! socket: give a call no more entries than half of [`EventSource::room`](super::EventSource::room), and read the events
//! before the next call.
//!
//! What a kernel does not take does not cost the flow: one whose helper it does not know, or whose master is gone, is made
//! without it and counted. (Upstream gives such a flow up.)

mod attempt;
mod request;

use std::collections::HashMap;
use std::io;

use ctnetlink::client::{BatchBounds, BatchClient, PollTransport, open_for_batches};
use ctnetlink::wire::Sequence;
use ctnetlink::{Answer, CreateMode, ExpectationRequest, Request};
use ctsync::wire::Restored;
use flow::{EventKind, Expectation, Tuple, Zone};
use sys::netlink::Socket;

use attempt::{Attempt, Goal, Question, Verdict};
use request::Parts;

pub use attempt::{Failure, Stage};
pub use request::FlowKey;

/// An entry of a table.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are flows; a box each would be an allocation each"
)]
pub enum Entry {
    /// A flow.
    Flow(Restored),
    /// An expectation.
    Expectation(Expectation),
}

/// A change that the peer told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What happened there and is to happen here.
    pub kind: EventKind,
    /// To what.
    pub entry: Entry,
}

/// What became of entries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Done.
    pub done: usize,
    /// Refused for good.
    pub failed: usize,
    /// Of the done ones those without their helper, which this kernel does not know.
    pub without_helper: usize,
    /// Of the done ones those without their master, which is gone.
    pub without_master: usize,
}

/// What became of flows to delete.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DeleteTally {
    /// Deleted.
    pub deleted: usize,
    /// Gone already.
    pub gone: usize,
    /// Refused.
    pub failed: usize,
}

/// What two changes of an injection must have in common to be done one after the other.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Key {
    Flow(Tuple, Zone),
    /// Original tuple of the master: a new expectation may push out another one of the same master.
    Expectation(Tuple),
}

/// Makes, changes and deletes entries over a socket of its own.
#[derive(Debug)]
pub struct Writer<T = Socket> {
    client: BatchClient<T>,
    port_id: u32,
    attempts: Vec<Attempt>,
    again: Vec<Attempt>,
    repeated: Vec<Attempt>,
    waves: HashMap<Key, u32>,
}

impl Writer<Socket> {
    /// Opens a socket for changes.
    ///
    /// # Errors
    ///
    /// If the socket cannot be opened.
    pub fn open() -> io::Result<Self> {
        let (socket, bounds) = open_for_batches()?;
        let port_id = socket.port_id()?;
        Ok(Self::new(socket, port_id, bounds))
    }
}

impl<T: PollTransport> Writer<T> {
    /// Writes over this transport, whose events carry this port.
    pub fn new(transport: T, port_id: u32, bounds: BatchBounds) -> Self {
        Self {
            client: BatchClient::new(transport, Sequence(1), bounds),
            port_id,
            attempts: Vec::new(),
            again: Vec::new(),
            repeated: Vec::new(),
            waves: HashMap::new(),
        }
    }

    /// The port that the events of these changes carry.
    pub fn port_id(&self) -> u32 {
        self.port_id
    }

    /// Puts entries into the tables: makes each, and if it exists, deletes it and makes it once more.
    ///
    /// Flows without master come first, then those with one, then expectations. No two may be the same.
    pub fn commit(&mut self, entries: &[Entry], mut refused: impl FnMut(&Entry, Failure)) -> Tally {
        self.waves.clear();
        self.attempts.clear();
        for (index, entry) in entries.iter().enumerate() {
            let wave = match entry {
                Entry::Flow(Restored { flow, .. }) => u32::from(flow.master.is_some()),
                Entry::Expectation(_) => {
                    let (key, _) = keys(entry);
                    let next = self.waves.entry(key).or_insert(2);
                    std::mem::replace(next, next.saturating_add(1))
                }
            };
            self.attempts.push(Attempt::new(index, wave, Goal::Make));
        }
        self.work(
            |index| entries.get(index),
            |index, failure| entries.get(index).into_iter().for_each(|e| refused(e, failure)),
        )
    }

    /// Does here what happened there, as if one after the other; changes of different flows are mixed. Those of one flow,
    /// of what it foretold, and of the expectations of one master keep their order.
    pub fn inject(
        &mut self,
        changes: &[Change],
        mut refused: impl FnMut(&Change, Failure),
    ) -> Tally {
        self.waves.clear();
        self.attempts.clear();
        for (index, change) in changes.iter().enumerate() {
            let (key, master) = keys(&change.entry);
            let next = |key: &Key| self.waves.get(key).copied().unwrap_or(0);
            let wave = next(&key).max(master.as_ref().map_or(0, next));
            self.waves.insert(key, wave.saturating_add(1));
            let goal = match (change.kind, &change.entry) {
                (EventKind::Destroy, _) => Goal::Delete,
                // An expectation cannot be changed.
                (EventKind::New, _) | (_, Entry::Expectation(_)) => Goal::Make,
                (EventKind::Update, Entry::Flow(_)) => Goal::Change,
            };
            self.attempts.push(Attempt::new(index, wave, goal));
        }
        self.work(
            |index| changes.get(index).map(|change| &change.entry),
            |index, failure| changes.get(index).into_iter().for_each(|c| refused(c, failure)),
        )
    }

    /// Deletes flows. One that is gone is fine.
    pub fn delete(
        &mut self,
        flows: &[FlowKey],
        mut refused: impl FnMut(&FlowKey, i32),
    ) -> DeleteTally {
        const ENOENT: i32 = 2;
        let mut tally = DeleteTally::default();
        let mut rest = flows.iter().peekable();
        while rest.peek().is_some() {
            self.client.clear();
            let batch = rest.clone();
            while let Some(flow) = rest.next_if(|_| self.client.has_room_for(1)) {
                self.client.push(&Request::DeleteFlow(&flow.request()));
            }
            for (flow, answer) in batch.zip(self.client.run()) {
                match answer {
                    Answer::Refused(ENOENT) => tally.gone += 1,
                    Answer::Refused(errno) => {
                        tally.failed += 1;
                        refused(flow, *errno);
                    }
                    Answer::Done | Answer::None => tally.deleted += 1,
                }
            }
        }
        tally
    }

    /// Deletes all flows, in one long call: half a second for each million of the table's buckets, and an event for each
    /// flow. An errno if it is refused.
    pub fn flush_flows(&mut self) -> Result<(), i32> {
        self.single(&Request::FlushFlows { family: None, version: 0 })
    }

    /// Deletes all expectations. An errno if it is refused.
    pub fn flush_expectations(&mut self) -> Result<(), i32> {
        self.single(&Request::FlushExpectations(None))
    }

    fn single(&mut self, request: &Request<'_>) -> Result<(), i32> {
        self.client.clear();
        self.client.push(request);
        match self.client.run() {
            [Answer::Refused(errno)] => Err(*errno),
            _ => Ok(()),
        }
    }

    /// Works the attempts off, wave by wave; those that are to be repeated before the next wave begins.
    fn work<'e>(
        &mut self,
        entry_at: impl Fn(usize) -> Option<&'e Entry>,
        mut refused: impl FnMut(usize, Failure),
    ) -> Tally {
        let mut tally = Tally::default();
        let mut attempts = std::mem::take(&mut self.attempts);
        let mut repeated = std::mem::take(&mut self.repeated);
        attempts.sort_unstable_by_key(|attempt| (attempt.wave, attempt.index));
        for wave in attempts.chunk_by(|a, b| a.wave == b.wave) {
            self.round(wave, &entry_at, &mut tally, &mut refused);
            while !self.again.is_empty() {
                std::mem::swap(&mut repeated, &mut self.again);
                self.again.clear();
                self.round(&repeated, &entry_at, &mut tally, &mut refused);
            }
        }
        // Their memory serves the next time.
        (self.attempts, self.repeated) = (attempts, repeated);
        tally
    }

    /// Asks each once; what is to be asked again is in `again` afterwards.
    fn round<'e>(
        &mut self,
        attempts: &[Attempt],
        entry_at: &impl Fn(usize) -> Option<&'e Entry>,
        tally: &mut Tally,
        refused: &mut impl FnMut(usize, Failure),
    ) {
        let mut rest = attempts.iter().peekable();
        while rest.peek().is_some() {
            self.client.clear();
            let batch = rest.clone();
            let room = |client: &BatchClient<T>, attempt: &Attempt| {
                client.has_room_for(attempt.question.requests())
            };
            while let Some(attempt) = rest.next_if(|attempt| room(&self.client, attempt)) {
                if let Some(entry) = entry_at(attempt.index) {
                    push(&mut self.client, attempt, entry);
                }
            }
            let mut answers = self.client.run();
            for attempt in batch {
                let Some(entry) = entry_at(attempt.index) else { continue };
                let Some((own, others)) = answers.split_at_checked(attempt.question.requests())
                else {
                    break;
                };
                answers = others;
                match attempt.judge(parts(entry), own) {
                    Verdict::Done => {
                        tally.done += 1;
                        let without = |part| usize::from(attempt.without.contains(part));
                        tally.without_helper += without(Parts::HELPER);
                        tally.without_master += without(Parts::MASTER);
                    }
                    Verdict::Again(next) => self.again.push(next),
                    Verdict::Failed(failure) => {
                        tally.failed += 1;
                        refused(attempt.index, failure);
                    }
                }
            }
        }
    }
}

fn push<T: PollTransport>(client: &mut BatchClient<T>, attempt: &Attempt, entry: &Entry) {
    use Question::{Create, Delete, DeleteAndCreate, Update};
    let without = attempt.without;
    match (entry, attempt.question) {
        (Entry::Flow(flow), question) => {
            if matches!(question, Delete | DeleteAndCreate) {
                client.push(&Request::DeleteFlow(&request::deletion(flow)));
            }
            if matches!(question, Create | DeleteAndCreate) {
                let creation = request::creation(flow, without);
                client.push(&Request::PutFlow(&creation, CreateMode::CreateOnly));
            }
            if question == Update {
                let update = request::update(flow, without);
                client.push(&Request::PutFlow(&update, CreateMode::UpdateOnly));
            }
        }
        (Entry::Expectation(expectation), question) => {
            if matches!(question, Delete | DeleteAndCreate) {
                let deletion = request::expectation_deletion(expectation);
                client.push(&Request::DeleteExpectation(&deletion));
            }
            if matches!(question, Create | DeleteAndCreate | Update) {
                let creation = ExpectationRequest::from(expectation);
                client.push(&Request::PutExpectation(&creation, CreateMode::CreateOnly));
            }
        }
    }
}

/// The parts of an entry that can be given up.
fn parts(entry: &Entry) -> Parts {
    let Entry::Flow(Restored { flow, .. }) = entry else { return Parts::empty() };
    let part = |part, is_there| if is_there { part } else { Parts::empty() };
    part(Parts::HELPER, flow.helper.is_some())
        | part(Parts::MASTER, flow.master.is_some())
        | part(Parts::LABELS, flow.labels.is_some())
}

/// The key of an entry, and that of its master.
fn keys(entry: &Entry) -> (Key, Option<Key>) {
    match entry {
        Entry::Flow(Restored { flow, .. }) => {
            let zone = flow.zone.unwrap_or_default();
            let master = flow.master.map(|master| Key::Flow(master, zone));
            (Key::Flow(flow.tuples.original, zone), master)
        }
        Entry::Expectation(expectation) => {
            let zone = expectation.zone.unwrap_or_default();
            let master = expectation.master;
            (Key::Expectation(master), Some(Key::Flow(master, zone)))
        }
    }
}

#[cfg(test)]
mod tests;
