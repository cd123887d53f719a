//! Caches: what is known of the flows of one firewall, keyed by original tuple and zone.
//!
//! An entry keeps the body of the message that tells of it, as it goes over the link: to send is to copy, and to keep takes
//! little memory (a TCP flow over IPv4: 32 bytes of entry, 80 of key and body, about 8 of the table). Entries have slots
//! that do not move, which is what queues and timers hold. Bound: `HashLimit` entries, dead ones included.
//!
//! Keys are chosen by strangers, so the hash has a seed that the program passes in.

mod blobs;
mod key;

use std::hash::{BuildHasher, Hasher};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use hashbrown::HashTable;

use crate::time::Instant;
use blobs::Blobs;
pub(crate) use key::Key;

/// Place of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub(crate) struct Slot(pub(crate) u32);

/// No queue holds the entry, no slot is free.
pub(crate) const NONE: u32 = u32::MAX;

/// What an entry is told as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Life {
    /// Not changed since it was made.
    New,
    /// Changed.
    Updated,
    /// Ended, kept until the peer knows.
    Dead,
    /// No entry at all.
    Vacant,
}

/// Counters of one cache, as `-s cache` shows them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CacheCounters {
    /// Entries made.
    pub created: u64,
    /// Entries that could not be made.
    pub create_failed: u64,
    /// Of these: the cache was full.
    pub no_space: u64,
    /// Entries changed.
    pub updated: u64,
    /// Entries ended.
    pub destroyed: u64,
}

/// One entry, but for its bytes.
#[derive(Debug)]
pub(crate) struct Entry {
    hash: u32,
    blob: u32,
    /// When it was made, in seconds.
    pub(crate) created_s: u32,
    /// When something was last heard of it, in seconds.
    pub(crate) updated_s: u32,
    /// Its node in a queue. Of a vacant entry: the next vacant one.
    pub(crate) node: u32,
    len: u16,
    body_len: u16,
    key_len: u8,
    /// What it is told as.
    pub(crate) life: Life,
    /// Number of the dump of the kernel's table in which it was last seen.
    pub(crate) dump: u8,
}

/// A cache.
#[derive(Debug)]
pub(crate) struct Cache {
    table: HashTable<u32>,
    entries: Vec<Entry>,
    vacant: u32,
    alive: usize,
    blobs: Blobs,
    hasher: SeedableRandomState,
    limit: usize,
    scratch: Vec<u8>,
    pub(crate) counters: CacheCounters,
}

/// The table wants 64 bits of which the highest and the lowest matter.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

impl Cache {
    pub(crate) fn new(limit: usize, seed: u64) -> Self {
        Self {
            table: HashTable::new(),
            entries: Vec::new(),
            vacant: NONE,
            alive: 0,
            blobs: Blobs::default(),
            hasher: SeedableRandomState::with_seed(seed, SharedSeed::global_fixed()),
            limit,
            scratch: Vec::with_capacity(blobs::MAX_LEN),
            counters: CacheCounters::default(),
        }
    }

    fn hash(&self, key: &Key) -> u32 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.bytes());
        let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Entries, dead ones included.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Entries that are not dead.
    pub(crate) fn alive(&self) -> usize {
        self.alive
    }

    pub(crate) fn find(&self, key: &Key) -> Option<Slot> {
        let hash = self.hash(key);
        let found = self.table.find(spread(hash), |slot| {
            self.entries.get(index(*slot)).is_some_and(|entry| {
                entry.hash == hash
                    && self
                        .blobs
                        .at(entry.blob, usize::from(entry.len))
                        .get(..usize::from(entry.key_len))
                        == Some(key.bytes())
            })
        });
        found.copied().map(Slot)
    }

    /// Makes an entry for a key that has none. `None` if the cache is full.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        key: &Key,
        body: &[u8],
        tail: &[u8],
    ) -> Option<Slot> {
        let placed = (self.table.len() < self.limit).then(|| self.place(now, key, body, tail));
        if placed.is_none() {
            self.counters.no_space += 1;
        }
        let Some(slot) = placed.flatten() else {
            self.counters.create_failed += 1;
            return None;
        };
        self.counters.created += 1;
        self.alive += 1;
        Some(slot)
    }

    fn place(&mut self, now: Instant, key: &Key, body: &[u8], tail: &[u8]) -> Option<Slot> {
        self.scratch.clear();
        for part in [key.bytes(), body, tail] {
            self.scratch.extend_from_slice(part);
        }
        let hash = self.hash(key);
        let entry = Entry {
            hash,
            blob: self.blobs.insert(&self.scratch)?,
            created_s: now.seconds(),
            updated_s: now.seconds(),
            node: NONE,
            len: u16::try_from(self.scratch.len()).ok()?,
            body_len: u16::try_from(body.len()).ok()?,
            key_len: u8::try_from(key.bytes().len()).ok()?,
            life: Life::New,
            dump: 0,
        };
        let slot = if let Some(vacant) = self.entries.get_mut(index(self.vacant)) {
            let slot = std::mem::replace(&mut self.vacant, vacant.node);
            *vacant = entry;
            slot
        } else {
            let slot = u32::try_from(self.entries.len()).ok()?;
            self.entries.push(entry);
            slot
        };
        let entries = &self.entries;
        self.table.insert_unique(spread(hash), slot, |slot| {
            entries.get(index(*slot)).map_or(0, |entry| spread(entry.hash))
        });
        Some(Slot(slot))
    }

    /// Gives an entry new content. A dead one lives again.
    pub(crate) fn replace(
        &mut self,
        now: Instant,
        slot: Slot,
        life: Life,
        body: &[u8],
        tail: &[u8],
    ) {
        let Some(entry) = self.entries.get_mut(index(slot.0)) else { return };
        let key_len = usize::from(entry.key_len);
        let old = self.blobs.at(entry.blob, usize::from(entry.len));
        self.scratch.clear();
        for part in [old.get(..key_len).unwrap_or_default(), body, tail] {
            self.scratch.extend_from_slice(part);
        }
        let (Ok(len), Ok(body_len)) =
            (u16::try_from(self.scratch.len()), u16::try_from(body.len()))
        else {
            return;
        };
        let Some(blob) = self.blobs.replace(entry.blob, usize::from(entry.len), &self.scratch)
        else {
            return;
        };
        (entry.blob, entry.len, entry.body_len) = (blob, len, body_len);
        entry.updated_s = now.seconds();
        if entry.life == Life::Dead {
            self.alive += 1;
        }
        if life == Life::New {
            entry.created_s = now.seconds();
            self.counters.created += 1;
            if entry.life != Life::Dead {
                self.counters.destroyed += 1;
            }
        } else {
            self.counters.updated += 1;
        }
        entry.life = life;
    }

    /// Ends an entry, which stays until it is removed.
    pub(crate) fn kill(&mut self, slot: Slot) {
        if let Some(entry) = self.entries.get_mut(index(slot.0))
            && !matches!(entry.life, Life::Dead | Life::Vacant)
        {
            entry.life = Life::Dead;
            self.alive = self.alive.saturating_sub(1);
            self.counters.destroyed += 1;
        }
    }

    /// Removes an entry. No queue may hold it any more.
    pub(crate) fn remove(&mut self, slot: Slot) {
        self.kill(slot);
        let Some(entry) = self.entries.get_mut(index(slot.0)) else { return };
        if entry.life == Life::Vacant {
            return;
        }
        if let Ok(found) = self.table.find_entry(spread(entry.hash), |other| *other == slot.0) {
            found.remove();
        }
        self.blobs.remove(entry.blob, usize::from(entry.len));
        entry.life = Life::Vacant;
        entry.node = std::mem::replace(&mut self.vacant, slot.0);
    }

    pub(crate) fn entry(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(index(slot.0)).filter(|entry| entry.life != Life::Vacant)
    }

    pub(crate) fn entry_mut(&mut self, slot: Slot) -> Option<&mut Entry> {
        self.entries.get_mut(index(slot.0)).filter(|entry| entry.life != Life::Vacant)
    }

    /// The body of the message that tells of an entry.
    pub(crate) fn body(&self, slot: Slot) -> &[u8] {
        self.parts(slot).map_or(&[], |(body, _)| body)
    }

    /// What is kept of an entry besides the body.
    pub(crate) fn tail(&self, slot: Slot) -> &[u8] {
        self.parts(slot).map_or(&[], |(_, tail)| tail)
    }

    fn parts(&self, slot: Slot) -> Option<(&[u8], &[u8])> {
        let entry = self.entry(slot)?;
        let blob = self.blobs.at(entry.blob, usize::from(entry.len));
        blob.get(usize::from(entry.key_len)..)?.split_at_checked(usize::from(entry.body_len))
    }

    /// The first slot of an entry at or after `from`: a cursor that survives changes.
    pub(crate) fn next_slot(&self, from: u32) -> Option<Slot> {
        let rest = self.entries.get(index(from)..)?;
        let skipped = rest.iter().position(|entry| entry.life != Life::Vacant)?;
        Some(Slot(from.checked_add(u32::try_from(skipped).ok()?)?))
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        let entries = self.entries.iter().enumerate();
        entries
            .filter(|(_, e)| e.life != Life::Vacant)
            .filter_map(|(i, _)| u32::try_from(i).ok().map(Slot))
    }

    /// Bytes of memory that the cache takes.
    pub(crate) fn memory(&self) -> usize {
        self.entries.len() * size_of::<Entry>()
            + self.blobs.capacity()
            + self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests;
