//! The sending half: changes of the kernel's table into the internal cache, and from there into datagrams.

use flow::{EventKind, Expectation, FlowId, FlowRead};

use super::{
    Cursor, DIRECT_LIMIT, KernelRequest, Node, Notice, Origin, Output, Replication, Which,
};
use crate::Sequence;
use crate::cache::{Cache, Key, Life, Slot};
use crate::queue::{Item, List};
use crate::time::Instant;
use crate::wire::{Control, ExpectationRecord, Flags, Header, Mode, Record, Room, Stamp};

impl Node {
    pub(super) fn cache_flow(&mut self, kind: EventKind, origin: Origin, flow: &impl FlowRead) {
        let key = Key::of_flow(flow);
        let found = self.out.flows.find(&key);
        if kind == EventKind::Destroy {
            if let Some(slot) = found {
                self.end_entry(Item::Flow(slot), origin);
            }
            return;
        }
        let mut record = Record::from_flow(flow, self.parts());
        let alive = found.filter(|slot| {
            self.out.flows.entry(*slot).is_some_and(|entry| entry.life != Life::Dead)
        });
        if let (EventKind::Update, Some(slot)) = (kind, alive)
            && let Ok(mut known) = Record::decode(self.out.flows.body(slot))
        {
            if flow.labels().is_some_and(|labels| labels.is_empty()) {
                known.labels = None;
            }
            known.update(&record);
            record = known;
        }
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut body);
        let id = flow.id().map(|FlowId(id)| id.to_be_bytes());
        let tail = id.as_ref().map_or(&[][..], |id| &id[..]);
        let life =
            if alive.is_some() && kind == EventKind::Update { Life::Updated } else { Life::New };
        let bytes = body.get(Header::LEN..).unwrap_or_default();
        let slot = Self::keep(&mut self.out.flows, self.now, (&key, found), life, bytes, tail);
        self.scratch = body;
        if let Some(slot) = slot {
            self.entry_changed(Item::Flow(slot), origin);
        }
    }

    pub(super) fn cache_expectation(
        &mut self,
        kind: EventKind,
        origin: Origin,
        expectation: &Expectation,
    ) {
        let record = ExpectationRecord::from_expectation(expectation, self.parts());
        let key = Key::of_expectation(&record);
        let found = self.out.expectations.find(&key);
        if kind == EventKind::Destroy {
            if let Some(slot) = found {
                self.end_entry(Item::Expectation(slot), origin);
            }
            return;
        }
        let mut body = std::mem::take(&mut self.scratch);
        body.clear();
        record.encode(EventKind::New, Stamp::plain(Sequence(0)), &mut body);
        let life =
            if found.is_some() && kind == EventKind::Update { Life::Updated } else { Life::New };
        let bytes = body.get(Header::LEN..).unwrap_or_default();
        let slot =
            Self::keep(&mut self.out.expectations, self.now, (&key, found), life, bytes, &[]);
        self.scratch = body;
        if let Some(slot) = slot {
            self.entry_changed(Item::Expectation(slot), origin);
        }
    }

    pub(super) fn keep(
        cache: &mut Cache,
        now: Instant,
        (key, found): (&Key, Option<Slot>),
        life: Life,
        body: &[u8],
        tail: &[u8],
    ) -> Option<Slot> {
        let Some(slot) = found else { return cache.insert(now, key, body, tail) };
        cache.replace(now, slot, life, body, tail);
        Some(slot)
    }

    pub(super) fn entry_changed(&mut self, item: Item, origin: Origin) {
        let dump = self.dump;
        let entry = match item {
            Item::Flow(slot) => self.out.flows.entry_mut(slot),
            Item::Expectation(slot) => self.out.expectations.entry_mut(slot),
            Item::Control(_) => None,
        };
        if let Some(entry) = entry {
            entry.dump = dump;
        }
        if origin == Origin::Others {
            self.out.transmit(item);
        }
        if let Replication::Alarm(alarm) = &mut self.replication {
            alarm.arm_refresh(self.now, item);
        }
    }

    pub(super) fn end_entry(&mut self, item: Item, origin: Origin) {
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

    /// Without internal cache a message says what the event says.
    pub(super) fn send_directly(&mut self, kind: EventKind, flow: &impl FlowRead) {
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

    pub(super) fn fill_datagram(&mut self) {
        self.datagram.clear();
        while let Some(rest) = self.direct.get(self.direct_at..).filter(|rest| !rest.is_empty()) {
            let len = Header::read(rest).map_or(rest.len(), |(_, len)| usize::from(len));
            match self.config.limit.room(self.datagram.len(), len) {
                Ok(Room::Begins) => return,
                Ok(Room::Joins) => {
                    self.datagram.extend_from_slice(rest.get(..len).unwrap_or_default());
                }
                Err(error) => self.pending.push_back(Output::Notice(Notice::TooLong(error))),
            }
            self.direct_at = self.direct_at.saturating_add(len.max(1));
        }
        self.direct.clear();
        self.direct_at = 0;
        while let Some(number) = self.out.queues.head(List::Transmit) {
            let Some(item) = self.out.queues.node(number).map(|node| node.item) else { return };
            let len = self.out.message_len(item);
            match self.config.limit.room(self.datagram.len(), len) {
                Ok(Room::Begins) => break,
                Ok(Room::Joins) => {}
                Err(error) => {
                    self.out.release(number);
                    self.pending.push_back(Output::Notice(Notice::TooLong(error)));
                    continue;
                }
            }
            let greeting = match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.greet(),
                Replication::Notrack(_) | Replication::Alarm(_) => Flags::empty(),
            };
            let sequence = self.out.encode(item, greeting, &mut self.datagram);
            self.statistics.sent_messages += 1;
            match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.sent(self.now, &mut self.out, number, sequence),
                Replication::Notrack(_) | Replication::Alarm(_) => self.out.release(number),
            }
        }
        if !self.datagram.is_empty() {
            match &mut self.replication {
                Replication::Ftfw(ftfw) => ftfw.ran(self.now),
                Replication::Notrack(notrack) => notrack.sent_at = self.now,
                Replication::Alarm(_) => {}
            }
        }
    }

    pub(super) fn ask_resync(&mut self) {
        if self.mode != Mode::Alarm {
            self.notice(Notice::ResyncRequested);
            self.out.transmit(Item::Control(Control::Resync));
        }
    }

    pub(super) fn begin_bulk(&mut self) {
        if self.mode == Mode::Alarm {
            return;
        }
        self.notice(Notice::BulkStarted);
        if self.config.mode.has_internal_cache() {
            self.bulk = Some(Cursor { pass: 0, next: 0, which: Which::All });
        } else {
            self.push(Output::Kernel(KernelRequest::DumpForBulk));
        }
    }

    pub(super) fn bulk_step(&mut self) {
        while let Some(cursor) = &mut self.bulk
            && self.bulk_budget > 0
        {
            let (cache, item): (_, fn(Slot) -> Item) = match cursor.pass {
                0 => (&self.out.flows, Item::Flow),
                _ => (&self.out.expectations, Item::Expectation),
            };
            if let Some(slot) = cache.next_slot(cursor.next) {
                cursor.next = slot.0.saturating_add(1);
                self.bulk_budget -= 1;
                self.out.transmit(item(slot));
            } else if cursor.pass == 0 {
                (cursor.pass, cursor.next) = (1, 0);
            } else {
                self.bulk = None;
            }
        }
    }

    pub(super) fn end_dump(&mut self, origin: Origin) {
        let mut next = 0;
        while let Some(slot) = self.out.flows.next_slot(next) {
            next = slot.0.saturating_add(1);
            let gone = self
                .out
                .flows
                .entry(slot)
                .is_some_and(|entry| entry.dump != self.dump && entry.life != Life::Dead);
            if gone {
                self.end_entry(Item::Flow(slot), origin);
            }
        }
    }

    pub(super) fn flush_internal(&mut self, both: bool) {
        self.purge_at = None;
        self.notice(Notice::FlushingInternal);
        let mut next = 0;
        while let Some(slot) = self.out.flows.next_slot(next) {
            next = slot.0.saturating_add(1);
            self.end_entry(Item::Flow(slot), Origin::Own);
        }
        let mut next = 0;
        while let Some(slot) = self.out.expectations.next_slot(next).filter(|_| both) {
            next = slot.0.saturating_add(1);
            self.end_entry(Item::Expectation(slot), Origin::Own);
        }
    }
}
