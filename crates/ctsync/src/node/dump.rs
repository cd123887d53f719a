//! A dump of the kernel's table while events go on.
//!
//! The kernel fills a part of a dump when the part before it is read, so a part may show a flow as it was before an event
//! that has been handled already. What events spoke of since the last boundary but one is therefore remembered, and what
//! a part says of it is older and does not count.
//!
//! Bound: [`REMEMBERED`] keys between two boundaries. Beyond that everything counts as spoken of until the next boundary
//! but one: a flow that is not known then stays unknown until its next event or the next dump.

use hashbrown::HashTable;

use super::Which;

/// Keys that are remembered between two boundaries.
const REMEMBERED: usize = 1 << 16;

/// State of a dump.
#[derive(Debug, Default)]
pub(super) struct Dump {
    /// Number of the dump that began last; entries have that of the last one in which they were seen.
    pub(super) number: u8,
    /// What the dump in progress is of.
    of: Option<Which>,
    current: Remembered,
    previous: Remembered,
}

#[derive(Debug, Default)]
struct Remembered {
    fingerprints: HashTable<u64>,
    overflowed: bool,
}

impl Dump {
    pub(super) fn begin(&mut self, which: Which) {
        self.number = self.number.wrapping_add(1).max(1);
        self.forget();
        self.of = Some(which);
    }

    /// A part begins that was filled after this moment or, at the worst, after the last one.
    pub(super) fn boundary(&mut self) {
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.clear();
    }

    /// What the dump that ends was of.
    pub(super) fn end(&mut self) -> Option<Which> {
        self.forget();
        self.of.take()
    }

    fn forget(&mut self) {
        self.current.clear();
        self.previous.clear();
    }

    /// An event speaks of this key.
    pub(super) fn note(&mut self, fingerprint: u64) {
        if self.of.is_some() {
            self.current.insert(fingerprint);
        }
    }

    /// Whether an event spoke of it, and a part that comes now may be older.
    pub(super) fn is_outdated(&self, fingerprint: u64) -> bool {
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
    use super::{Dump, REMEMBERED};
    use crate::node::Which;

    #[test]
    fn a_key_is_remembered_until_the_second_boundary() {
        let mut dump = Dump::default();
        dump.note(1);
        assert!(!dump.is_outdated(1), "no dump is in progress");
        dump.begin(Which::Flows);
        dump.note(1);
        dump.boundary();
        dump.note(2);
        assert!(dump.is_outdated(1) && dump.is_outdated(2) && !dump.is_outdated(3));
        dump.boundary();
        assert!(!dump.is_outdated(1) && dump.is_outdated(2));
        assert_eq!(dump.end(), Some(Which::Flows));
        assert!(!dump.is_outdated(2));
    }

    #[test]
    fn what_cannot_be_remembered_counts_as_spoken_of() {
        let mut dump = Dump::default();
        dump.begin(Which::All);
        for fingerprint in 0..=REMEMBERED {
            dump.note(u64::try_from(fingerprint).unwrap());
        }
        assert!(dump.is_outdated(u64::MAX));
        dump.boundary();
        dump.boundary();
        assert!(!dump.is_outdated(u64::MAX));
    }
}
