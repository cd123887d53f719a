//! What events spoke of while a dump of the kernel's table goes on.
//!
//! The kernel fills a part of a dump when the part before it is read, so a part may show a flow as it was before an event
//! that has been handled already. What events spoke of since the last boundary but one is therefore remembered, and what
//! a part says of it is older and does not count.
//!
//! Bound: [`REMEMBERED`] keys between two boundaries. Beyond that everything counts as spoken of until the next boundary
//! but one: a flow that is not known then stays unknown until its next event or the next dump.

use hashbrown::HashTable;

/// Keys that are remembered between two boundaries.
const REMEMBERED: usize = 1 << 16;

/// The memory of one dump at a time. Keys go in as secret hashes: two with one hash are one key here.
///
/// ```
/// use ctsync::DumpMemory;
///
/// let mut memory = DumpMemory::default();
/// memory.begin();
/// memory.note(7);
/// memory.boundary();
/// assert!(memory.is_outdated(7));
/// memory.boundary();
/// assert!(!memory.is_outdated(7));
/// ```
#[derive(Debug, Default)]
pub struct DumpMemory {
    runs: bool,
    current: Remembered,
    previous: Remembered,
}

#[derive(Debug, Default)]
struct Remembered {
    fingerprints: HashTable<u64>,
    overflowed: bool,
}

impl DumpMemory {
    /// A dump was asked for.
    pub fn begin(&mut self) {
        self.forget();
        self.runs = true;
    }

    /// Whether a dump goes on.
    pub fn runs(&self) -> bool {
        self.runs
    }

    /// A part begins that was filled after this moment or, at the worst, after the last one.
    pub fn boundary(&mut self) {
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.clear();
    }

    /// The dump is over.
    pub fn end(&mut self) {
        self.forget();
        self.runs = false;
    }

    fn forget(&mut self) {
        self.current.clear();
        self.previous.clear();
    }

    /// An event speaks of this key. Does nothing while no dump goes on.
    pub fn note(&mut self, fingerprint: u64) {
        if self.runs {
            self.current.insert(fingerprint);
        }
    }

    /// Whether an event spoke of it, and a part that comes now may be older.
    pub fn is_outdated(&self, fingerprint: u64) -> bool {
        self.current.has(fingerprint) || self.previous.has(fingerprint)
    }
}

impl Remembered {
    fn insert(&mut self, fingerprint: u64) {
        if self.fingerprints.len() >= REMEMBERED {
            self.overflowed = true;
        } else if !self.has(fingerprint) {
            self.fingerprints.insert_unique(fingerprint, fingerprint, |same| *same);
        }
    }

    fn has(&self, fingerprint: u64) -> bool {
        self.overflowed
            || self.fingerprints.find(fingerprint, |other| *other == fingerprint).is_some()
    }

    fn clear(&mut self) {
        self.fingerprints.clear();
        self.overflowed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{DumpMemory, REMEMBERED};

    #[test]
    fn a_key_is_remembered_until_the_second_boundary() {
        let mut memory = DumpMemory::default();
        memory.note(1);
        assert!(!memory.is_outdated(1), "no dump is in progress");
        memory.begin();
        memory.note(1);
        memory.boundary();
        memory.note(2);
        assert!(memory.is_outdated(1) && memory.is_outdated(2) && !memory.is_outdated(3));
        memory.boundary();
        assert!(!memory.is_outdated(1) && memory.is_outdated(2));
        memory.end();
        assert!(!memory.is_outdated(2));
    }

    #[test]
    fn what_cannot_be_remembered_counts_as_spoken_of() {
        let mut memory = DumpMemory::default();
        memory.begin();
        for fingerprint in 0..=REMEMBERED {
            memory.note(u64::try_from(fingerprint).unwrap());
        }
        assert!(memory.is_outdated(u64::MAX));
        memory.boundary();
        memory.boundary();
        assert!(!memory.is_outdated(u64::MAX));
    }
}
