//! Statistics mode: which flows there are, a line in the log for each that ends, and their traffic in total.
//!
//! Pure: events and dumps go in with the time, lines come out. Bound: `HashLimit` flows. A flow takes about 100 bytes, a
//! translated one 150, and up to twice that after growth. A warm cache allocates nothing for an event.
//!
//! | what | becomes |
//! |---|---|
//! | NEW | an entry; if there is one, its end was lost or a dump showed the flow already, and it says what the event says |
//! | UPDATE, part of a dump | changes the entry, or makes one |
//! | DESTROY | the line of the event and its traffic, if there is an entry, which goes |
//! | part of a dump, of what events told since that part may have been filled | nothing |
//! | not part of a whole dump | the line of the entry, without counters; the entry goes |
//!
//! To poll is to dump again and again. Behaviour: the cases `stats_mode` and `polling` of the conformance set.

mod slab;
mod store;

use ctsync::time::Instant;
use ctsync::{CacheCounters, DumpMemory, Told};
use flow::text::LocalTime;
use flow::{Counters, Direction, EventKind, Flow, FlowRead};

use crate::lines;
use store::Store;
pub use store::StoredFlow;

/// The time, by both clocks.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// Since some moment, for ages.
    pub instant: Instant,
    /// Seconds since 1970.
    pub wall_s: u64,
    /// The time zone of what the log says of a flow.
    pub local: LocalTime<'a>,
}

/// Where a list of the flows goes on. It survives changes: a flow that stays is listed once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cursor(u32);

/// What a step of [`StatsMode::purge`] came upon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purged<'a> {
    /// The text of a flow that was not part of the dump, as [`StatsMode::on_event`] gives it. More may follow.
    Flow(&'a [u8]),
    /// Nothing among so many flows. More may follow.
    Nothing,
    /// Nothing at all is left to do.
    Done,
}

/// The state of statistics mode.
#[derive(Debug)]
pub struct StatsMode {
    store: Store,
    limit: usize,
    counters: CacheCounters,
    traffic: Counters,
    /// Number of the dump that is under way, or was the last.
    dump: u8,
    memory: DumpMemory,
    /// Flows in which a dump differed from what was known.
    differed: u64,
    /// Where the search for flows that were not part of the dump goes on.
    purge: Option<u32>,
    line: Vec<u8>,
}

impl StatsMode {
    /// Without any flow. `hash_limit` is the most flows that are kept; the seed is random and secret.
    pub fn new(hash_limit: usize, seed: u64) -> Self {
        Self {
            store: Store::new(seed),
            limit: hash_limit,
            counters: CacheCounters::default(),
            traffic: Counters::default(),
            dump: 0,
            memory: DumpMemory::default(),
            differed: 0,
            purge: None,
            line: Vec::new(),
        }
    }

    /// An event that the filter wants. A flow that ends leaves a text for the log, if it was known: without time and line end,
    /// and lent until the next call.
    pub fn on_event(
        &mut self,
        now: &Now<'_>,
        kind: EventKind,
        flow: &impl FlowRead,
    ) -> Option<&[u8]> {
        let (fingerprint, known) = self.store.find(flow);
        self.memory.note_flow(fingerprint, kind, flow);
        match (kind, known) {
            (EventKind::New, Some(number)) => {
                // The same if it was part of a dump before, another one if the end of the last was lost.
                self.store.merge_dumped(number, flow, Told::empty());
                self.touch(number);
            }
            (EventKind::Update, Some(number)) => self.update(number, flow),
            (EventKind::New | EventKind::Update, None) => self.insert(now, flow),
            (EventKind::Destroy, None) => {}
            (EventKind::Destroy, Some(number)) => {
                self.remove(number);
                for direction in Direction::BOTH {
                    let counted = flow.counters(direction).unwrap_or_default();
                    self.traffic.packets = self.traffic.packets.wrapping_add(counted.packets);
                    self.traffic.bytes = self.traffic.bytes.wrapping_add(counted.bytes);
                }
                // The event tells the rest of the timeout, which the line does not have.
                let mut ended = Flow::copied_from(flow);
                ended.timeout_s = None;
                return Some(write_ended(&mut self.line, now, &ended));
            }
        }
        None
    }

    /// A dump of the table begins that is compared with what is known: a resync or a poll. One that was under way does not
    /// count. At the start, when nothing is known, flows of a dump come without this.
    pub fn dump_begins(&mut self) {
        self.dump = self.dump.wrapping_add(1);
        self.memory.begin();
        self.purge = None;
    }

    /// The next part of the dump begins.
    pub fn dump_part(&mut self) {
        self.memory.boundary();
    }

    /// A flow of the dump that the filter wants.
    pub fn on_dumped(&mut self, now: &Now<'_>, flow: &impl FlowRead) {
        let (fingerprint, known) = self.store.find(flow);
        let told = self.memory.told(fingerprint);
        match known {
            Some(number) => {
                if !told.contains(Told::WHOLE) {
                    self.differed += u64::from(self.store.merge_dumped(number, flow, told));
                    self.counters.updated += 1;
                }
                self.touch(number);
            }
            None if told.is_empty() => {
                self.differed += u64::from(self.memory.runs());
                self.insert(now, flow);
            }
            None => {}
        }
    }

    /// A flow of the dump that the filter does not want now. If it did, by a state that the flow had, the entry stays as
    /// it was: the flow has not ended.
    pub fn on_dumped_unwanted(&mut self, flow: &impl FlowRead) {
        if let (_, Some(number)) = self.store.find(flow) {
            self.touch(number);
        }
    }

    /// All of the table was dumped: what was not part of it is gone. [`StatsMode::purge`] follows.
    ///
    /// Not to be called after a dump that the kernel calls disturbed, since flows may be missing from it: begin another.
    pub fn dump_ends(&mut self) {
        self.memory.end();
        self.purge = Some(0);
    }

    /// Goes on to remove flows that were not part of the dump; looks at `most` of them, until one is found.
    pub fn purge(&mut self, now: &Now<'_>, most: u32) -> Purged<'_> {
        let Some(from) = self.purge else { return Purged::Done };
        let to = from.saturating_add(most).min(self.store.numbers());
        let gone = (from..to).find(|number| {
            self.store.flow(*number).is_some_and(|flow| flow.entry().dump != self.dump)
        });
        if let Some(number) = gone
            && let Some(flow) = self.store.flow(number)
        {
            self.purge = Some(number.saturating_add(1));
            write_ended(&mut self.line, now, &flow);
            self.differed += 1;
            self.remove(number);
            return Purged::Flow(&self.line);
        }
        self.purge = (to < self.store.numbers()).then_some(to);
        if self.purge.is_some() { Purged::Nothing } else { Purged::Done }
    }

    /// Forgets all flows (`-f`, `-f internal`). They leave no lines.
    pub fn flush(&mut self) {
        let flows = u64::try_from(self.store.len()).unwrap_or(u64::MAX);
        self.counters.destroyed = self.counters.destroyed.saturating_add(flows);
        self.store.clear();
    }

    /// The next flow of a list (`-i`), its age in seconds, and where the list goes on; `None` at its end. Looks at `most`
    /// places, and if all are vacant tells no flow, only where to go on.
    pub fn next_flow(
        &self,
        from: Cursor,
        now: Instant,
        most: u32,
    ) -> Option<(Cursor, Option<(StoredFlow<'_>, u32)>)> {
        let end = self.store.numbers();
        if from.0 >= end {
            return None;
        }
        let to = from.0.saturating_add(most.max(1)).min(end);
        for number in from.0..to {
            if let Some(flow) = self.store.flow(number) {
                let age_s = now.seconds().saturating_sub(flow.entry().created_s);
                return Some((Cursor(number.saturating_add(1)), Some((flow, age_s))));
            }
        }
        Some((Cursor(to), None))
    }

    /// How many flows are known.
    pub fn flow_count(&self) -> usize {
        self.store.len()
    }

    /// What happened to entries.
    pub fn counters(&self) -> CacheCounters {
        self.counters
    }

    /// How often a dump differed from what was known of a flow, and so repaired it.
    pub fn differed(&self) -> u64 {
        self.differed
    }

    /// Packets and bytes of both directions of the flows that ended (`traffic processed`).
    pub fn traffic(&self) -> Counters {
        self.traffic
    }

    /// Bytes of memory of the cache.
    pub fn memory(&self) -> usize {
        self.store.memory()
    }

    fn insert(&mut self, now: &Now<'_>, flow: &impl FlowRead) {
        let is_full = self.store.len() >= self.limit;
        if !is_full && self.store.insert(flow, now.instant.seconds(), self.dump).is_some() {
            self.counters.created += 1;
            return;
        }
        self.counters.create_failed += 1;
        self.counters.no_space += u64::from(is_full);
    }

    fn update(&mut self, number: u32, flow: &impl FlowRead) {
        self.store.merge(number, flow);
        self.counters.updated += 1;
        self.touch(number);
    }

    /// Notes that the flow is there.
    fn touch(&mut self, number: u32) {
        if let Some(entry) = self.store.entry_mut(number) {
            entry.dump = self.dump;
        }
    }

    fn remove(&mut self, number: u32) {
        self.store.remove(number);
        self.counters.destroyed += 1;
    }
}

/// Writes what the log says of a flow that ended into the buffer.
fn write_ended<'a>(out: &'a mut Vec<u8>, now: &Now<'_>, flow: &impl FlowRead) -> &'a [u8] {
    out.clear();
    lines::ended(out, flow, now.local, &|| now.wall_s);
    out
}

#[cfg(test)]
mod tests;
