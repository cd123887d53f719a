//! What can be asked of a node: counters, and the caches one entry at a time.

use flow::{Direction, Expectation, Flow, HelperName, PerDirection};

use super::tail::Tail;
use super::{Node, Replication, Statistics};
use crate::Sequence;
use crate::cache::{Cache, CacheCounters, Life, Slot, read_tuple};
use crate::queue::{Item, List};
use crate::wire::{Control, ExpectationRecord, Flags, Record};

/// Which cache.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum CacheName {
    /// Of this firewall's own table.
    Internal,
    /// Of the peer's.
    External,
}

/// What `-s` and `-s cache` show of one cache.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CacheFigures {
    /// Living entries: `current active connections`, and the first of `active/total entries`.
    pub active: usize,
    /// All entries, those included that have ended and wait for an acknowledgement: `active objects`, and the second of
    /// `active/total entries`.
    pub objects: usize,
    /// What was done with them.
    pub counters: CacheCounters,
}

/// A place in a cache, from which reading goes on. It stays good whatever happens to the cache: what is there the whole
/// time is read once, what comes or goes may be read or not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CacheCursor(u32);

impl CacheCursor {
    /// Before the first entry.
    pub const START: Self = Self(0);
}

/// What a cache knows of a flow. Neither timeout nor counters: they would be old.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KnownFlow {
    /// A flow of the own kernel, with all that is shown of it.
    Whole(Flow),
    /// A flow of the peer, as far as messages tell of one: there is no reply tuple and no id. That in the value is what a
    /// commit would make, and is not shown.
    WithoutReply(Flow),
}

/// A flow as a cache has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedFlow {
    /// What is known of it.
    pub known: KnownFlow,
    /// Seconds since it was added.
    pub age_s: u32,
    /// Seconds until it is forgotten: external cache in ALARM mode.
    pub expires_in_s: Option<u32>,
}

/// An expectation as a cache has it, without its timeout.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CachedExpectation {
    /// What is known of it.
    pub expectation: Expectation,
    /// Seconds since it was added.
    pub age_s: u32,
    /// Seconds until it is forgotten: external cache in ALARM mode.
    pub expires_in_s: Option<u32>,
}

/// A place in the resend queue, from which reading goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ResendCursor {
    node: u32,
    sequence: Sequence,
}

impl Node {
    /// The counters.
    pub fn statistics(&self) -> Statistics {
        let mut all = self.statistics;
        match &self.replication {
            Replication::Ftfw(ftfw) => {
                (all.lost, all.before) = (ftfw.lost, ftfw.before);
                (all.resend_no_space, all.resend_limit) = (ftfw.no_space, ftfw.resend_limit());
            }
            Replication::Notrack(notrack) => {
                (all.lost, all.before) = (notrack.lost, notrack.before);
            }
            Replication::Alarm(_) => {}
        }
        let queues = &self.out.queues;
        all.transmit_len = queues.len(List::Transmit);
        all.resend_len = queues.len(List::Resend);
        all.parked_len = queues.len(List::Parked).saturating_add(queues.len(List::TooLong));
        all
    }

    /// Figures of a cache of flows.
    pub fn flow_figures(&self, name: CacheName) -> CacheFigures {
        figures(self.flows(name))
    }

    /// Figures of a cache of expectations.
    pub fn expectation_figures(&self, name: CacheName) -> CacheFigures {
        figures(self.expectations(name))
    }

    /// Bytes of memory of a cache of flows.
    pub fn cache_memory(&self, name: CacheName) -> usize {
        self.flows(name).memory()
    }

    /// The next living flow of a cache, and from where to go on.
    ///
    /// ```
    /// use ctsync::{CacheCursor, CacheName, Node};
    ///
    /// fn count(node: &Node) -> usize {
    ///     let (mut cursor, mut count) = (CacheCursor::START, 0);
    ///     while let Some((next, _flow)) = node.flow_after(CacheName::Internal, cursor) {
    ///         (cursor, count) = (next, count + 1);
    ///     }
    ///     count
    /// }
    /// ```
    pub fn flow_after(
        &self,
        name: CacheName,
        cursor: CacheCursor,
    ) -> Option<(CacheCursor, CachedFlow)> {
        let cache = self.flows(name);
        let (next, slot, known) = after(cursor, cache, |slot| known_flow(cache, name, slot))?;
        let (age_s, expires_in_s) = self.times(cache, name, 0, slot);
        Some((next, CachedFlow { known, age_s, expires_in_s }))
    }

    /// The next living expectation of a cache, and from where to go on.
    pub fn expectation_after(
        &self,
        name: CacheName,
        cursor: CacheCursor,
    ) -> Option<(CacheCursor, CachedExpectation)> {
        let cache = self.expectations(name);
        let (next, slot, expectation) = after(cursor, cache, |slot| expectation(cache, slot))?;
        let (age_s, expires_in_s) = self.times(cache, name, 1, slot);
        Some((next, CachedExpectation { expectation, age_s, expires_in_s }))
    }

    /// The record of a flow, as it is or was told, for tests that compare both sides.
    pub fn records(&self, name: CacheName) -> impl Iterator<Item = Record> + '_ {
        let cache = self.flows(name);
        let mut cursor = CacheCursor::START;
        std::iter::from_fn(move || {
            let read = |slot| Record::decode(cache.body(slot)).ok();
            let (next, _, record) = after(cursor, cache, read)?;
            cursor = next;
            Some(record)
        })
    }

    /// The next element of the resend queue, oldest first: its number, and the flags of a control message. It goes on
    /// behind the number of the cursor if that element is gone.
    pub fn resend_after(
        &self,
        cursor: Option<ResendCursor>,
    ) -> Option<(ResendCursor, Option<Flags>)> {
        let queues = &self.out.queues;
        let in_place = |cursor: &ResendCursor| {
            queues
                .node(cursor.node)
                .is_some_and(|node| node.list == List::Resend && node.sequence == cursor.sequence)
        };
        let number = match cursor {
            None => queues.head(List::Resend)?,
            Some(cursor) if in_place(&cursor) => queues.next(cursor.node)?,
            Some(cursor) => {
                let mut next = queues.head(List::Resend);
                while let Some(number) = next
                    && !queues.node(number)?.sequence.is_after(cursor.sequence)
                {
                    next = queues.next(number);
                }
                next?
            }
        };
        let node = queues.node(number)?;
        let flags = match node.item {
            Item::Flow(_) | Item::Expectation(_) => None,
            Item::Control(Control::Received(_)) => Some(Flags::ACK),
            Item::Control(Control::Missed(_)) => Some(Flags::NACK),
            Item::Control(Control::Resync) => Some(Flags::RESYNC),
            Item::Control(Control::Alive) => Some(Flags::ALIVE),
        };
        Some((ResendCursor { node: number, sequence: node.sequence }, flags))
    }

    fn flows(&self, name: CacheName) -> &Cache {
        let [external, _] = &self.external;
        match name {
            CacheName::Internal => &self.out.flows,
            CacheName::External => external,
        }
    }

    fn expectations(&self, name: CacheName) -> &Cache {
        let [_, external] = &self.external;
        match name {
            CacheName::Internal => &self.out.expectations,
            CacheName::External => external,
        }
    }

    /// Age and rest of life of an entry.
    fn times(
        &self,
        cache: &Cache,
        name: CacheName,
        which: usize,
        slot: Slot,
    ) -> (u32, Option<u32>) {
        let created_s = cache.entry(slot).map_or(0, |entry| entry.created_s);
        let expires = match (&self.replication, name) {
            (Replication::Alarm(alarm), CacheName::External) => alarm.expires(which, slot),
            _ => None,
        };
        let left = expires.map(|due| u32::try_from(due.since(self.now).0 / 1_000_000_000));
        (self.now.seconds().saturating_sub(created_s), left.and_then(Result::ok))
    }
}

impl ResendCursor {
    /// The number of the element.
    pub fn sequence(self) -> Sequence {
        self.sequence
    }
}

fn figures(cache: &Cache) -> CacheFigures {
    CacheFigures { active: cache.alive(), objects: cache.len(), counters: cache.counters }
}

/// The first living entry at the cursor or behind it that can be read.
fn after<T>(
    cursor: CacheCursor,
    cache: &Cache,
    read: impl Fn(Slot) -> Option<T>,
) -> Option<(CacheCursor, Slot, T)> {
    let mut next = cursor.0;
    loop {
        let slot = cache.next_slot(next)?;
        next = slot.0.saturating_add(1);
        let is_alive = cache.entry(slot).is_some_and(|entry| entry.life != Life::Dead);
        if let Some(value) = is_alive.then(|| read(slot)).flatten() {
            return Some((CacheCursor(next), slot, value));
        }
    }
}

fn known_flow(cache: &Cache, name: CacheName, slot: Slot) -> Option<KnownFlow> {
    let content = cache.content(slot)?;
    let record = Record::decode(content.body).ok()?;
    let mut flow = record.to_flow();
    flow.timeout_s = None;
    if name == CacheName::External {
        return Some(KnownFlow::WithoutReply(flow));
    }
    let (original, _) = read_tuple(content.key)?;
    let tail = Tail::read(content.tail);
    let reply = tail.reply.unwrap_or_else(|| record.reply_to(original));
    let long_name = tail.helper.and_then(|name| HelperName::from(name).ok());
    Some(KnownFlow::Whole(Flow {
        tuples: PerDirection { original, reply },
        tuple_zones: PerDirection::from_fn(|direction: Direction| tail.zones[direction]),
        id: tail.id,
        helper: long_name.or(flow.helper),
        start: tail.start,
        secctx: tail.secctx.map(Box::from),
        ..flow
    }))
}

fn expectation(cache: &Cache, slot: Slot) -> Option<Expectation> {
    let content = cache.content(slot)?;
    let record = ExpectationRecord::decode(content.body).ok()?;
    let expectation = record.restore(None);
    let long_name = Tail::read(content.tail).helper.and_then(|name| HelperName::from(name).ok());
    Some(Expectation { helper: long_name.or(expectation.helper), ..expectation })
}
