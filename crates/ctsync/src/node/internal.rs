//! The kernel's table into the internal cache: events, dumps, and the operator's flush.

use flow::{EventKind, Expectation, FlowRead, Mark};

use super::tail::Tail;
use super::{CacheName, DIRECT_LIMIT, Node, Origin, Replication, Which};
use crate::Sequence;
use crate::cache::{Found, Key, Life, Slot};
use crate::dump_memory::Told;
use crate::queue::Item;
use crate::wire::{ExpectationRecord, Header, Record, Stamp};

/// The cache that an entry is in.
#[derive(Clone, Copy, Debug)]
enum Table {
    Flows,
    Expectations,
}

/// What is written for a cache: the message, and after it the tail.
#[derive(Debug, Default)]
pub(super) struct Written {
    message: Vec<u8>,
    tail: Vec<u8>,
}

impl Written {
    fn flow(&mut self, record: &Record, tail: &Tail<'_>) {
        self.message.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut self.message);
        self.tail.clear();
        tail.write(&mut self.tail);
    }

    /// An expectation, and its helper if the record has no room for the name.
    fn expectation(&mut self, record: &ExpectationRecord, expectation: &Expectation) {
        self.message.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut self.message);
        self.tail.clear();
        let helper = expectation.helper.as_deref().filter(|_| record.helper.is_none());
        Tail { helper, ..Tail::default() }.write(&mut self.tail);
    }

    fn body(&self) -> &[u8] {
        self.message.get(Header::LEN..).unwrap_or_default()
    }
}

/// Of a flow that a dump shows, what events told counts more.
fn keep_told(dumped: &mut Record, known: &Record, told: Told) {
    if told.contains(Told::STATUS) {
        (dumped.status, dumped.timeout_s) = (known.status, known.timeout_s);
    }
    if told.contains(Told::PROTOINFO) {
        dumped.protoinfo = known.protoinfo;
    }
    if told.contains(Told::MARK) {
        dumped.mark = known.mark;
    }
    if told.contains(Told::LABELS) {
        dumped.labels.clone_from(&known.labels);
    }
    if told.contains(Told::HELPER) {
        dumped.helper.clone_from(&known.helper);
    }
    if told.contains(Told::ADJUSTMENT) {
        dumped.sequence_adjustment = known.sequence_adjustment;
    }
    if told.contains(Told::SYNPROXY) {
        dumped.synproxy = known.synproxy;
    }
}

impl Node {
    pub(super) fn flow_event(&mut self, kind: EventKind, origin: Origin, flow: &impl FlowRead) {
        let key = Key::of_flow(flow);
        let found = self.out.flows.find(&key);
        self.dump.memory.note_flow(found.fingerprint, kind, flow);
        if kind == EventKind::Destroy {
            if let Some(slot) = found.slot.filter(|slot| self.out.flows.is_alive(*slot)) {
                self.end_entry(Item::Flow(slot), origin);
            }
            return;
        }
        let mut record = Record::from_flow(flow, self.parts());
        let alive = found.slot.filter(|slot| self.out.flows.is_alive(*slot));
        let mut life = Life::New;
        let known = alive.filter(|_| kind == EventKind::Update);
        if let Some(content) = known.and_then(|slot| self.out.flows.content(slot))
            && let Ok(mut known) = Record::decode(content.body)
        {
            life = Life::Updated;
            if flow.labels().is_some_and(|labels| labels.is_empty()) {
                known.labels = None;
            }
            known.update(&record);
            record = known;
            let tail =
                Tail::of(flow, &record).or(Tail::read(content.tail), flow.helper().is_some());
            self.written.flow(&record, &tail);
        } else {
            self.written.flow(&record, &Tail::of(flow, &record));
        }
        self.store(Table::Flows, &key, found, life, origin);
    }

    pub(super) fn expectation_event(
        &mut self,
        kind: EventKind,
        origin: Origin,
        expectation: &Expectation,
    ) {
        let record = ExpectationRecord::from_expectation(expectation, self.parts());
        let key = Key::of_expectation(&record);
        let found = self.out.expectations.find(&key);
        self.dump.memory.note(found.fingerprint, Told::WHOLE);
        if kind == EventKind::Destroy {
            let alive = found.slot.filter(|slot| self.out.expectations.is_alive(*slot));
            if let Some(slot) = alive {
                self.end_entry(Item::Expectation(slot), origin);
            }
            return;
        }
        if !self.knows_master(expectation) {
            return;
        }
        let alive = found.slot.is_some_and(|slot| self.out.expectations.is_alive(slot));
        let life = if alive && kind == EventKind::Update { Life::Updated } else { Life::New };
        self.written.expectation(&record, expectation);
        self.store(Table::Expectations, &key, found, life, origin);
    }

    /// Without its master an expectation is nothing. The kernel does not tell its zone, so one in a zone has no master here.
    fn knows_master(&self, expectation: &Expectation) -> bool {
        self.out.flows.find_alive(&Key::of_tuple(&expectation.master)).is_some()
    }

    /// A flow of a dump: it says everything, but for a mark of 0.
    pub(super) fn merge_flow(&mut self, flow: &impl FlowRead, origin: Origin) {
        let key = Key::of_flow(flow);
        let found = self.out.flows.find(&key);
        let alive = found.slot.filter(|slot| self.out.flows.is_alive(*slot));
        let told = self.dump.memory.told(found.fingerprint);
        if told.contains(Told::WHOLE) {
            self.seen(alive.map(Item::Flow));
            return;
        }
        let mut record = Record::from_flow(flow, self.parts());
        let Some(slot) = alive else {
            self.written.flow(&record, &Tail::of(flow, &record));
            self.repaired(origin);
            self.store(Table::Flows, &key, found, Life::New, origin);
            return;
        };
        let Some(content) = self.out.flows.content(slot) else { return };
        let known = Record::decode(content.body).ok();
        if let Some(known) = &known {
            keep_told(&mut record, known, told);
        }
        if known.as_ref().is_some_and(|known| known.mark.is_some()) {
            record.mark.get_or_insert(Mark(0));
        }
        let tail = Tail::of(flow, &record).or(Tail::read(content.tail), true);
        let is_same = known.is_some_and(|known| {
            let told = Record { timeout_s: known.timeout_s, ..record.clone() };
            self.written.flow(&told, &tail);
            self.written.body() == content.body
        });
        self.written.flow(&record, &tail);
        if is_same {
            self.out.flows.refresh(slot, self.written.body(), &self.written.tail);
            self.seen(Some(Item::Flow(slot)));
        } else {
            self.repaired(origin);
            self.store(Table::Flows, &key, found, Life::Updated, origin);
        }
    }

    pub(super) fn merge_unwanted(&mut self, flow: &impl FlowRead) {
        let found = self.out.flows.find(&Key::of_flow(flow));
        let alive = found.slot.filter(|slot| self.out.flows.is_alive(*slot));
        self.seen(alive.map(Item::Flow));
    }

    /// A dump differs from the cache: if it was to repair a loss, it has.
    pub(super) fn repaired(&mut self, origin: Origin) {
        self.statistics.repaired += u64::from(origin == Origin::Others);
    }

    pub(super) fn merge_expectation(&mut self, expectation: &Expectation, origin: Origin) {
        let record = ExpectationRecord::from_expectation(expectation, self.parts());
        let key = Key::of_expectation(&record);
        let found = self.out.expectations.find(&key);
        let alive = found.slot.filter(|slot| self.out.expectations.is_alive(*slot));
        if !self.dump.memory.told(found.fingerprint).is_empty() {
            self.seen(alive.map(Item::Expectation));
            return;
        }
        if !self.knows_master(expectation) {
            return;
        }
        let Some(slot) = alive else {
            self.written.expectation(&record, expectation);
            self.store(Table::Expectations, &key, found, Life::New, origin);
            return;
        };
        let known = ExpectationRecord::decode(self.out.expectations.body(slot));
        let is_same = known.is_ok_and(|known| {
            known == ExpectationRecord { timeout_s: known.timeout_s, ..record.clone() }
        });
        self.written.expectation(&record, expectation);
        if is_same {
            self.out.expectations.refresh(slot, self.written.body(), &self.written.tail);
            self.seen(Some(Item::Expectation(slot)));
        } else {
            self.store(Table::Expectations, &key, found, Life::Updated, origin);
        }
    }

    /// The dump in progress showed an entry.
    fn seen(&mut self, item: Option<Item>) {
        let number = self.dump.number;
        if let Some(entry) = item.and_then(|item| self.out.entry_mut(item)) {
            entry.dump = number;
        }
    }

    /// Keeps what was written, and tells the peer if others caused it.
    fn store(&mut self, table: Table, key: &Key, found: Found, life: Life, origin: Origin) {
        let (cache, item): (_, fn(Slot) -> Item) = match table {
            Table::Flows => (&mut self.out.flows, Item::Flow),
            Table::Expectations => (&mut self.out.expectations, Item::Expectation),
        };
        let (body, tail) = (self.written.body(), self.written.tail.as_slice());
        let slot = match found.slot {
            Some(slot) => {
                cache.replace(self.now, slot, life, body, tail);
                slot
            }
            None => match cache.insert(self.now, (key, found.fingerprint), body, tail) {
                Some(slot) => slot,
                None => return self.found_no_room(CacheName::Internal),
            },
        };
        let item = item(slot);
        self.seen(Some(item));
        if origin == Origin::Others {
            self.out.transmit(item);
        }
        if let Replication::Alarm(alarm) = &mut self.replication {
            alarm.arm_refresh(self.now, item);
        }
    }

    fn end_entry(&mut self, item: Item, origin: Origin) {
        if let Replication::Alarm(alarm) = &mut self.replication {
            alarm.disarm_refresh(item);
        }
        if origin == Origin::Own {
            self.out.forget(item);
            return;
        }
        match item {
            Item::Flow(slot) => self.out.flows.kill(slot),
            Item::Expectation(slot) => self.out.expectations.kill(slot),
            Item::Control(_) => {}
        }
        self.out.transmit(item);
    }

    /// The dump is over: what it did not show is gone.
    pub(super) fn end_dump(&mut self, origin: Origin) {
        let Some(which) = self.dump.end() else { return };
        let number = self.dump.number;
        if which != Which::Expectations {
            let before = self.out.flows.alive();
            self.end_all(Table::Flows, origin, |dump| dump != number);
            if origin == Origin::Others {
                let ended = before.saturating_sub(self.out.flows.alive());
                self.statistics.repaired += u64::try_from(ended).unwrap_or(u64::MAX);
            }
        }
        if which != Which::Flows {
            self.end_all(Table::Expectations, origin, |dump| dump != number);
        }
    }

    /// `-f internal`, or the internal half of `-f` and `-t`. The ends of flows that the peer does not know of yet stay.
    pub(super) fn flush_internal(&mut self, which: Which) {
        self.purge_at = None;
        self.end_all(Table::Flows, Origin::Own, |_| true);
        if which == Which::All {
            self.end_all(Table::Expectations, Origin::Own, |_| true);
        }
    }

    /// Ends the living entries whose last dump the condition names. 262,144 flows take about 5 ms.
    fn end_all(&mut self, table: Table, origin: Origin, wanted: impl Fn(u8) -> bool) {
        let mut next = 0;
        loop {
            let (cache, item): (_, fn(Slot) -> Item) = match table {
                Table::Flows => (&self.out.flows, Item::Flow),
                Table::Expectations => (&self.out.expectations, Item::Expectation),
            };
            let Some(slot) = cache.next_slot(next) else { break };
            next = slot.0.saturating_add(1);
            let ends = cache
                .entry(slot)
                .is_some_and(|entry| entry.life != Life::Dead && wanted(entry.dump));
            if ends {
                self.end_entry(item(slot), origin);
            }
        }
    }

    /// Without internal cache a message says what the event says.
    pub(super) fn send_directly(&mut self, kind: EventKind, flow: &impl FlowRead) {
        if self.direct.len() >= DIRECT_LIMIT && self.direct_at >= DIRECT_LIMIT / 2 {
            self.direct.drain(..self.direct_at);
            self.direct_at = 0;
        }
        if self.direct.len() >= DIRECT_LIMIT {
            self.statistics.direct_dropped += 1;
            return;
        }
        let stamp = Stamp::plain(self.out.sequence);
        self.out.sequence = self.out.sequence.next();
        Record::from_flow(flow, self.parts()).encode(kind, stamp, &mut self.direct);
        match kind {
            EventKind::New => self.statistics.direct_new += 1,
            EventKind::Update => self.statistics.direct_updated += 1,
            EventKind::Destroy => self.statistics.direct_destroyed += 1,
        }
    }
}
