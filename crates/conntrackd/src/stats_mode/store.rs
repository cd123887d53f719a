//! The flows of statistics mode, each as small as its text allows.
//!
//! Kept is what the plain and the XML form show of a flow that lives. What most flows lack is kept apart: the reply tuple
//! of a flow that is translated, and helper, zones of one direction, security marks. An entry is found by original tuple
//! and zone. Keys are chosen by strangers, so the hash has a seed that the program passes in.

use std::hash::BuildHasher;

use ctsync::Told;
use flow::{
    Counters, DccpInfo, DccpState, Direction, FlowId, FlowRead, HelperName, Labels, Mark,
    PerDirection, ProtoInfo, SctpInfo, SctpState, SequenceAdjustment, Status, Synproxy, TcpInfo,
    TcpState, TimeNs, Tuple, Zone,
};
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use hashbrown::HashTable;

use super::slab::{NOWHERE, Slab};

/// A tracker's state by its number; the rest of what a tracker tells is not shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Unknown,
    Tcp(u8),
    Sctp(u8),
    Dccp(u8),
}

/// An entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// `TimeNs`, 0 if not told.
    start: u64,
    original: Tuple,
    /// Place of the reply tuple; [`NOWHERE`] if it is the original one inverted.
    reply: u32,
    /// Place of what most flows lack.
    rare: u32,
    status: u32,
    mark: u32,
    id: u32,
    /// When it was made, in seconds of the program's clock.
    pub(super) created_s: u32,
    /// Of the original direction, 0 if none.
    zone: u16,
    state: State,
    given: Given,
    /// Number of the dump that it was last part of.
    pub(super) dump: u8,
}

impl Entry {
    fn key(&self) -> Key {
        (self.original, self.zone)
    }
}

bitflags::bitflags! {
    /// Which numbers were told.
    #[derive(Clone, Copy, Debug)]
    struct Given: u8 {
        const STATUS = 1;
        const MARK = 1 << 1;
        const ID = 1 << 2;
        /// A zone of both directions.
        const ZONE = 1 << 3;
    }
}

/// What most flows lack.
#[derive(Debug, Default)]
struct Rare {
    tuple_zones: PerDirection<Option<Zone>>,
    helper: Option<HelperName>,
    secmark: Option<u32>,
    secctx: Option<Box<[u8]>>,
}

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    table: HashTable<u32>,
    entries: Slab<Entry>,
    replies: Slab<Tuple>,
    rares: Slab<Rare>,
    hasher: SeedableRandomState,
}

/// Original tuple and zone.
type Key = (Tuple, u16);

fn key_of(flow: &impl FlowRead) -> Key {
    let zone = flow.zone().or_else(|| flow.tuple_zone(Direction::Original));
    (flow.tuple(Direction::Original), zone.unwrap_or_default().0)
}

impl Store {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            table: HashTable::new(),
            entries: Slab::new(),
            replies: Slab::new(),
            rares: Slab::new(),
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// The secret hash of a flow's key, and the number of its entry.
    pub(super) fn find(&self, flow: &impl FlowRead) -> (u64, Option<u32>) {
        let key = key_of(flow);
        let fingerprint = self.hasher.hash_one(key);
        let is_meant =
            |number: &u32| self.entries.get(*number).is_some_and(|entry| entry.key() == key);
        (fingerprint, self.table.find(fingerprint, is_meant).copied())
    }

    /// Makes the entry of a flow that has none. `None` if there is no room.
    pub(super) fn insert(&mut self, flow: &impl FlowRead, created_s: u32, dump: u8) -> Option<u32> {
        let key = key_of(flow);
        let entry = Entry {
            start: 0,
            original: key.0,
            reply: NOWHERE,
            rare: NOWHERE,
            status: 0,
            mark: 0,
            id: 0,
            created_s,
            zone: key.1,
            state: State::Unknown,
            given: if flow.zone().is_some() { Given::ZONE } else { Given::empty() },
            dump,
        };
        let number = self.entries.insert(entry)?;
        self.merge(number, flow);
        let Self { table, entries, hasher, .. } = self;
        table.insert_unique(hasher.hash_one(key), number, |number| {
            entries.get(*number).map_or(0, |entry| hasher.hash_one(entry.key()))
        });
        Some(number)
    }

    /// Takes over what is told of a flow. What is not told stays as it was.
    pub(super) fn merge(&mut self, number: u32, flow: &impl FlowRead) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        for (value, told, bit) in [
            (&mut entry.status, flow.status().map(|status| status.bits()), Given::STATUS),
            (&mut entry.mark, flow.mark().map(|mark| mark.0), Given::MARK),
            (&mut entry.id, flow.id().map(|id| id.0), Given::ID),
        ] {
            if let Some(told) = told {
                *value = told;
                entry.given |= bit;
            }
        }
        if let Some(start) = flow.start() {
            entry.start = start.0;
        }
        match flow.protoinfo() {
            Some(ProtoInfo::Tcp(TcpInfo { state: Some(state), .. })) => {
                entry.state = State::Tcp(state.0);
            }
            Some(ProtoInfo::Sctp(SctpInfo { state: Some(state), .. })) => {
                entry.state = State::Sctp(state.0);
            }
            Some(ProtoInfo::Dccp(DccpInfo { state: Some(state), .. })) => {
                entry.state = State::Dccp(state.0);
            }
            Some(_) | None => {}
        }
        self.merge_reply(number, flow);
        self.merge_rare(number, flow);
    }

    /// The same with what a dump tells, that is all but a mark of 0, as far as events did not tell something newer. Whether
    /// what changes in a flow has changed.
    pub(super) fn merge_dumped(&mut self, number: u32, flow: &impl FlowRead, told: Told) -> bool {
        let seen = |entry: &Entry| (entry.status, entry.mark, entry.state);
        let Some(before) = self.entries.get(number).map(seen) else { return false };
        if let Some(entry) = self.entries.get_mut(number) {
            entry.mark = 0;
        }
        self.merge(number, flow);
        let Some(entry) = self.entries.get_mut(number) else { return false };
        if told.contains(Told::STATUS) {
            entry.status = before.0;
        }
        if told.contains(Told::MARK) {
            entry.mark = before.1;
        }
        if told.contains(Told::PROTOINFO) {
            entry.state = before.2;
        }
        seen(entry) != before
    }

    fn merge_reply(&mut self, number: u32, flow: &impl FlowRead) {
        let Some(entry) = self.entries.get_mut(number) else { return };
        let reply = flow.tuple(Direction::Reply);
        if let Some(kept) = self.replies.get_mut(entry.reply) {
            *kept = reply;
        } else if reply != entry.original.inverted() {
            entry.reply = self.replies.insert(reply).unwrap_or(NOWHERE);
        }
    }

    fn merge_rare(&mut self, number: u32, flow: &impl FlowRead) {
        let tuple_zones = PerDirection::from_fn(|direction| flow.tuple_zone(direction));
        let (secmark, secctx) = (flow.secmark(), flow.secctx());
        let helper = flow.helper().and_then(|name| HelperName::from(name).ok());
        let is_plain = tuple_zones == PerDirection::default()
            && secmark.is_none()
            && secctx.is_none()
            && helper.is_none();
        let Some(entry) = self.entries.get_mut(number) else { return };
        if is_plain {
            return;
        }
        if entry.rare == NOWHERE {
            entry.rare = self.rares.insert(Rare::default()).unwrap_or(NOWHERE);
        }
        let Some(rare) = self.rares.get_mut(entry.rare) else { return };
        for direction in Direction::BOTH {
            rare.tuple_zones[direction] = tuple_zones[direction].or(rare.tuple_zones[direction]);
        }
        rare.helper = helper.or(rare.helper.take());
        rare.secmark = secmark.or(rare.secmark);
        if secctx.is_some() && secctx != rare.secctx.as_deref() {
            rare.secctx = secctx.map(Box::from);
        }
    }

    pub(super) fn remove(&mut self, number: u32) {
        let Some(entry) = self.entries.get(number) else { return };
        let hash = self.hasher.hash_one(entry.key());
        if let Ok(found) = self.table.find_entry(hash, |other| *other == number) {
            found.remove();
        }
        if let Some(entry) = self.entries.remove(number) {
            self.replies.remove(entry.reply);
            self.rares.remove(entry.rare);
        }
    }

    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.entries.clear();
        self.replies.clear();
        self.rares.clear();
    }

    pub(super) fn entry_mut(&mut self, number: u32) -> Option<&mut Entry> {
        self.entries.get_mut(number)
    }

    /// The flow of this number.
    pub(super) fn flow(&self, number: u32) -> Option<StoredFlow<'_>> {
        let entry = self.entries.get(number)?;
        let reply = self.replies.get(entry.reply).copied();
        let reply = reply.unwrap_or_else(|| entry.original.inverted());
        Some(StoredFlow { entry, reply, rare: self.rares.get(entry.rare) })
    }

    /// The numbers of entries are below this.
    pub(super) fn numbers(&self) -> u32 {
        self.entries.places()
    }

    pub(super) fn memory(&self) -> usize {
        self.table.allocation_size()
            + self.entries.memory()
            + self.replies.memory()
            + self.rares.memory()
    }
}

/// A flow of the cache: what was told of it last, but for counters and timeout.
#[derive(Clone, Copy, Debug)]
pub struct StoredFlow<'a> {
    entry: &'a Entry,
    reply: Tuple,
    rare: Option<&'a Rare>,
}

impl StoredFlow<'_> {
    pub(super) fn entry(&self) -> &Entry {
        self.entry
    }

    fn given(&self, bit: Given, value: u32) -> Option<u32> {
        self.entry.given.contains(bit).then_some(value)
    }
}

impl FlowRead for StoredFlow<'_> {
    fn tuple(&self, direction: Direction) -> Tuple {
        match direction {
            Direction::Original => self.entry.original,
            Direction::Reply => self.reply,
        }
    }
    fn tuple_zone(&self, direction: Direction) -> Option<Zone> {
        self.rare.and_then(|rare| rare.tuple_zones[direction])
    }
    fn zone(&self) -> Option<Zone> {
        self.entry.given.contains(Given::ZONE).then_some(Zone(self.entry.zone))
    }
    fn status(&self) -> Option<Status> {
        self.given(Given::STATUS, self.entry.status).map(Status::from_bits_retain)
    }
    fn timeout_s(&self) -> Option<u32> {
        None
    }
    fn mark(&self) -> Option<Mark> {
        self.given(Given::MARK, self.entry.mark).map(Mark)
    }
    fn protoinfo(&self) -> Option<ProtoInfo> {
        match self.entry.state {
            State::Unknown => None,
            State::Tcp(number) => Some(ProtoInfo::Tcp(TcpInfo {
                state: Some(TcpState(number)),
                ..TcpInfo::default()
            })),
            State::Sctp(number) => Some(ProtoInfo::Sctp(SctpInfo {
                state: Some(SctpState(number)),
                ..SctpInfo::default()
            })),
            State::Dccp(number) => Some(ProtoInfo::Dccp(DccpInfo {
                state: Some(DccpState(number)),
                ..DccpInfo::default()
            })),
        }
    }
    fn counters(&self, _: Direction) -> Option<Counters> {
        None
    }
    fn start(&self) -> Option<TimeNs> {
        (self.entry.start != 0).then_some(TimeNs(self.entry.start))
    }
    fn stop(&self) -> Option<TimeNs> {
        None
    }
    fn event_time(&self) -> Option<TimeNs> {
        None
    }
    fn helper(&self) -> Option<&str> {
        self.rare.and_then(|rare| rare.helper.as_deref())
    }
    fn helper_info(&self) -> Option<&[u8]> {
        None
    }
    fn use_count(&self) -> Option<u32> {
        None
    }
    fn id(&self) -> Option<FlowId> {
        self.given(Given::ID, self.entry.id).map(FlowId)
    }
    fn labels(&self) -> Option<Labels> {
        None
    }
    fn master(&self) -> Option<Tuple> {
        None
    }
    fn sequence_adjustment(&self, _: Direction) -> Option<SequenceAdjustment> {
        None
    }
    fn synproxy(&self) -> Option<Synproxy> {
        None
    }
    fn secmark(&self) -> Option<u32> {
        self.rare.and_then(|rare| rare.secmark)
    }
    fn secctx(&self) -> Option<&[u8]> {
        self.rare.and_then(|rare| rare.secctx.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 80);
    }
}
