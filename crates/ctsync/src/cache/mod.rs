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
pub(crate) use key::{Key, read_tuple, write_tuple};

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

/// What was found for a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    /// Secret hash of the key: two keys with one fingerprint are one key for all purposes but those of a lookup.
    pub(crate) fingerprint: u64,
    /// Its entry, dead or alive.
    pub(crate) slot: Option<Slot>,
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

/// The bytes of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Content<'a> {
    /// Its [`Key`].
    pub(crate) key: &'a [u8],
    /// The body of the message that tells of it.
    pub(crate) body: &'a [u8],
    /// What is known besides.
    pub(crate) tail: &'a [u8],
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

/// As much of a fingerprint as an entry keeps.
fn short(fingerprint: u64) -> u32 {
    let [a, b, c, d, ..] = fingerprint.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
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

    fn fingerprint(&self, key: &Key) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key.bytes());
        hasher.finish()
    }

    /// Entries, dead ones included.
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    /// Entries that are not dead.
    pub(crate) fn alive(&self) -> usize {
        self.alive
    }

    pub(crate) fn find(&self, key: &Key) -> Found {
        let fingerprint = self.fingerprint(key);
        let hash = short(fingerprint);
        let slot = self.table.find(spread(hash), |slot| {
            self.entries.get(index(*slot)).is_some_and(|entry| {
                entry.hash == hash
                    && self
                        .blobs
                        .at(entry.blob, usize::from(entry.len))
                        .get(..usize::from(entry.key_len))
                        == Some(key.bytes())
            })
        });
        Found { fingerprint, slot: slot.copied().map(Slot) }
    }

    /// The entry of a key, if it has one that is not dead.
    pub(crate) fn find_alive(&self, key: &Key) -> Option<Slot> {
        self.find(key).slot.filter(|slot| self.is_alive(*slot))
    }

    pub(crate) fn is_alive(&self, slot: Slot) -> bool {
        self.entry(slot).is_some_and(|entry| entry.life != Life::Dead)
    }

    /// Makes an entry for a key that has none. `None` if the cache is full.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        (key, fingerprint): (&Key, u64),
        body: &[u8],
        tail: &[u8],
    ) -> Option<Slot> {
        let room = self.table.len() < self.limit;
        let placed = room.then(|| self.place(now, (key, fingerprint), body, tail));
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

    fn place(
        &mut self,
        now: Instant,
        (key, fingerprint): (&Key, u64),
        body: &[u8],
        tail: &[u8],
    ) -> Option<Slot> {
        self.scratch.clear();
        for part in [key.bytes(), body, tail] {
            self.scratch.extend_from_slice(part);
        }
        let hash = short(fingerprint);
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
        self.refresh(slot, body, tail);
        let Some(entry) = self.entries.get_mut(index(slot.0)) else { return };
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

    /// Gives an entry new content that counts for no change.
    pub(crate) fn refresh(&mut self, slot: Slot, body: &[u8], tail: &[u8]) {
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
        let blob = self.blobs.replace(entry.blob, usize::from(entry.len), &self.scratch);
        if let Some(blob) = blob {
            (entry.blob, entry.len, entry.body_len) = (blob, len, body_len);
        }
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
        self.content(slot).map_or(&[], |content| content.body)
    }

    /// All that is kept of an entry.
    pub(crate) fn content(&self, slot: Slot) -> Option<Content<'_>> {
        let entry = self.entry(slot)?;
        let blob = self.blobs.at(entry.blob, usize::from(entry.len));
        let (key, rest) = blob.split_at_checked(usize::from(entry.key_len))?;
        let (body, tail) = rest.split_at_checked(usize::from(entry.body_len))?;
        Some(Content { key, body, tail })
    }

    /// The first slot of an entry at or after `from`: a cursor that survives changes.
    pub(crate) fn next_slot(&self, from: u32) -> Option<Slot> {
        let rest = self.entries.get(index(from)..)?;
        let skipped = rest.iter().position(|entry| entry.life != Life::Vacant)?;
        Some(Slot(from.checked_add(u32::try_from(skipped).ok()?)?))
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
