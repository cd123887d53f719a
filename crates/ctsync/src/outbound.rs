//! What a node tells of: the internal caches, the queues over them, and the writing of messages.

use flow::EventKind;

use crate::Sequence;
use crate::cache::{Cache, Entry, Life, NONE, Slot};
use crate::queue::{Item, List, Queues};
use crate::wire::{Control, Flags, Header, Kind, MessageWriter, Stamp, VERSION};

/// The sending half of a node.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) flows: Cache,
    pub(crate) expectations: Cache,
    pub(crate) queues: Queues,
    /// Number of the next message.
    pub(crate) sequence: Sequence,
}

impl Outbound {
    /// Whether the element still has something to tell of.
    pub(crate) fn entry(&self, item: Item) -> Option<&Entry> {
        match item {
            Item::Flow(slot) => self.flows.entry(slot),
            Item::Expectation(slot) => self.expectations.entry(slot),
            Item::Control(_) => None,
        }
    }

    pub(crate) fn entry_mut(&mut self, item: Item) -> Option<&mut Entry> {
        let (cache, slot) = self.cache_mut(item)?;
        cache.entry_mut(slot)
    }

    fn cache_mut(&mut self, item: Item) -> Option<(&mut Cache, Slot)> {
        match item {
            Item::Flow(slot) => Some((&mut self.flows, slot)),
            Item::Expectation(slot) => Some((&mut self.expectations, slot)),
            Item::Control(_) => None,
        }
    }

    /// Puts something at the end of the transmit queue. What waits there already keeps its place; what was sent and not
    /// acknowledged moves over, as only its newest state counts.
    pub(crate) fn transmit(&mut self, item: Item) {
        let node = self.entry(item).map_or(NONE, |entry| entry.node);
        match self.queues.node(node).map(|node| node.list) {
            Some(List::Transmit) => {}
            Some(List::Resend | List::Parked | List::TooLong) => {
                self.queues.shift(node, List::Transmit);
            }
            None => {
                let node = self.queues.push(List::Transmit, item);
                if let Some((cache, slot)) = self.cache_mut(item)
                    && let Some(entry) = cache.entry_mut(slot)
                {
                    entry.node = node;
                }
            }
        }
    }

    /// Takes an element out of its queue for good. A dead entry goes with it.
    pub(crate) fn release(&mut self, node: u32) {
        let Some(item) = self.queues.node(node).map(|node| node.item) else { return };
        self.queues.remove(node);
        if let Some((cache, slot)) = self.cache_mut(item)
            && let Some(entry) = cache.entry_mut(slot)
        {
            entry.node = NONE;
            if entry.life == Life::Dead {
                cache.remove(slot);
            }
        }
    }

    /// Removes an entry and tells nobody.
    pub(crate) fn forget(&mut self, item: Item) {
        let node = self.entry(item).map_or(NONE, |entry| entry.node);
        if node != NONE {
            self.queues.remove(node);
        }
        if let Some((cache, slot)) = self.cache_mut(item) {
            cache.remove(slot);
        }
    }

    /// Length of the message of an element.
    pub(crate) fn message_len(&self, item: Item) -> usize {
        let body = match item {
            Item::Flow(slot) => self.flows.body(slot).len(),
            Item::Expectation(slot) => self.expectations.body(slot).len(),
            Item::Control(Control::Alive) => 0,
            Item::Control(_) => Header::RANGED_LEN - Header::LEN,
        };
        Header::LEN.saturating_add(body)
    }

    /// Appends the message of an element, with the next number.
    pub(crate) fn encode(&mut self, item: Item, greeting: Flags, out: &mut Vec<u8>) -> Sequence {
        let sequence = self.sequence;
        self.sequence = sequence.next();
        let event = match self.entry(item).map(|entry| entry.life) {
            Some(Life::New) => EventKind::New,
            Some(Life::Updated) => EventKind::Update,
            Some(Life::Dead | Life::Vacant) | None => EventKind::Destroy,
        };
        let (kind, body) = match item {
            Item::Control(control) => {
                control.encode(Stamp { greeting, sequence }, out);
                return sequence;
            }
            Item::Flow(slot) => (Kind::Flow(event), self.flows.body(slot)),
            Item::Expectation(slot) => (Kind::Expectation(event), self.expectations.body(slot)),
        };
        let header = Header { version: VERSION, kind, flags: greeting, sequence };
        let mut message = MessageWriter::begin(out, header);
        message.raw(body);
        message.finish();
        sequence
    }
}
