//! What events spoke of while a dump of the kernel's table goes on.
//!
//! The kernel fills a part of a dump when the part before it is read, so a part may show a flow as it was before an event
//! that has been handled already. What events told since the last boundary but one is therefore remembered, and what
//! a part says of it is older and does not count. An update tells only what changes by it; the rest of what a part says of
//! the flow counts, as it may have changed by an event that was lost.
//!
//! Bound: [`REMEMBERED`] keys between two boundaries. Beyond that everything counts as told until the next boundary but
//! one: a flow that is not known then stays unknown until its next event or the next dump.

use flow::{EventKind, FlowRead};
use hashbrown::HashTable;

/// Keys that are remembered between two boundaries.
const REMEMBERED: usize = 1 << 16;

bitflags::bitflags! {
    /// What events told of a flow.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
    pub struct Told: u8 {
        /// What every event tells: status, timeout, addresses.
        const STATUS = 1;
        /// State of the protocol.
        const PROTOINFO = 1 << 1;
        /// Mark.
        const MARK = 1 << 2;
        /// Labels.
        const LABELS = 1 << 3;
        /// Helper.
        const HELPER = 1 << 4;
        /// Sequence adjustment.
        const ADJUSTMENT = 1 << 5;
        /// State of SYNPROXY.
        const SYNPROXY = 1 << 6;
        /// That it began or ended, and so everything.
        const WHOLE = 1 << 7;
    }
}

impl Told {
    fn by_update(flow: &impl FlowRead) -> Self {
        let parts = [
            (Self::PROTOINFO, flow.protoinfo().is_some()),
            (Self::MARK, flow.mark().is_some()),
            (Self::LABELS, flow.labels().is_some()),
            (Self::HELPER, flow.helper().is_some()),
            (Self::ADJUSTMENT, flow.sequence_adjustment(flow::Direction::Original).is_some()),
            (Self::SYNPROXY, flow.synproxy().is_some()),
        ];
        let told = parts.into_iter().filter(|(_, is_told)| *is_told).map(|(part, _)| part);
        told.fold(Self::STATUS, |all, part| all | part)
    }
}

/// The memory of one dump at a time. Keys go in as secret hashes: two with one hash are one key here.
///
/// ```
/// use ctsync::{DumpMemory, Told};
///
/// let mut memory = DumpMemory::default();
/// memory.begin();
/// memory.note(7, Told::MARK);
/// memory.boundary();
/// assert_eq!(memory.told(7), Told::MARK);
/// memory.boundary();
/// assert_eq!(memory.told(7), Told::empty());
/// ```
#[derive(Debug, Default)]
pub struct DumpMemory {
    runs: bool,
    current: Remembered,
    previous: Remembered,
}

#[derive(Debug, Default)]
struct Remembered {
    keys: HashTable<(u64, Told)>,
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

    /// An event tells this of a key. Does nothing while no dump goes on.
    pub fn note(&mut self, fingerprint: u64, told: Told) {
        if self.runs {
            self.current.insert(fingerprint, told);
        }
    }

    /// The same for an event about a flow.
    pub fn note_flow(&mut self, fingerprint: u64, kind: EventKind, flow: &impl FlowRead) {
        if self.runs {
            let told = if kind == EventKind::Update { Told::by_update(flow) } else { Told::WHOLE };
            self.current.insert(fingerprint, told);
        }
    }

    /// What events told of a key, and a part that comes now may be older.
    pub fn told(&self, fingerprint: u64) -> Told {
        self.current.told(fingerprint) | self.previous.told(fingerprint)
    }
}

impl Remembered {
    fn insert(&mut self, fingerprint: u64, told: Told) {
        let found = self.keys.find_mut(fingerprint, |(other, _)| *other == fingerprint);
        if let Some((_, known)) = found {
            *known |= told;
        } else if self.keys.len() >= REMEMBERED {
            self.overflowed = true;
        } else {
            self.keys.insert_unique(fingerprint, (fingerprint, told), |(same, _)| *same);
        }
    }

    fn told(&self, fingerprint: u64) -> Told {
        if self.overflowed {
            return Told::WHOLE;
        }
        let found = self.keys.find(fingerprint, |(other, _)| *other == fingerprint);
        found.map_or(Told::empty(), |(_, told)| *told)
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.overflowed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{DumpMemory, REMEMBERED, Told};

    #[test]
    fn a_key_is_remembered_until_the_second_boundary() {
        let mut memory = DumpMemory::default();
        memory.note(1, Told::WHOLE);
        assert_eq!(memory.told(1), Told::empty(), "no dump is in progress");
        memory.begin();
        memory.note(1, Told::STATUS);
        memory.note(1, Told::LABELS);
        memory.boundary();
        memory.note(1, Told::MARK);
        memory.note(2, Told::WHOLE);
        assert_eq!(memory.told(1), Told::STATUS | Told::LABELS | Told::MARK);
        assert_eq!((memory.told(2), memory.told(3)), (Told::WHOLE, Told::empty()));
        memory.boundary();
        assert_eq!((memory.told(1), memory.told(2)), (Told::MARK, Told::WHOLE));
        memory.end();
        assert_eq!(memory.told(2), Told::empty());
    }

    #[test]
    fn what_cannot_be_remembered_counts_as_told() {
        let mut memory = DumpMemory::default();
        memory.begin();
        for fingerprint in 0..=REMEMBERED {
            memory.note(u64::try_from(fingerprint).unwrap(), Told::MARK);
        }
        assert_eq!(memory.told(u64::MAX), Told::WHOLE);
        memory.boundary();
        memory.boundary();
        assert_eq!(memory.told(u64::MAX), Told::empty());
    }
}
