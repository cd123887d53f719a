//! Sequence numbers of messages: 32 bits that wrap (RFC 1982).
//!
//! There is no `Ord`: an order that wraps is not transitive. As upstream does, `a` is before `b` if the difference `a - b`
//! is negative as a signed number. Two numbers that are 2^31 apart are therefore each before the other.

/// Number of a message. Every message of a sender has the next one, a repeated message too.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Sequence(pub u32);

impl Sequence {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// The number before this one.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }

    /// How many numbers one has to go on from `earlier` to come here.
    pub fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether this number is older than `other`.
    pub fn is_before(self, other: Self) -> bool {
        self.since(other).cast_signed().is_negative()
    }

    /// Whether this number is newer than `other`.
    pub fn is_after(self, other: Self) -> bool {
        other.is_before(self)
    }
}

/// Numbers from one to another, both included; at most 2^31 of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct SequenceRange {
    from: Sequence,
    to: Sequence,
}

impl SequenceRange {
    /// The range, `None` if its end is before its beginning.
    pub fn new(from: Sequence, to: Sequence) -> Option<Self> {
        (!to.is_before(from)).then_some(Self { from, to })
    }

    /// The range of one number.
    pub fn of(number: Sequence) -> Self {
        Self { from: number, to: number }
    }

    /// The first number.
    pub fn from(self) -> Sequence {
        self.from
    }

    /// The last number.
    pub fn to(self) -> Sequence {
        self.to
    }

    /// How many numbers it has, one at least.
    pub fn count(self) -> u32 {
        self.to.since(self.from).saturating_add(1)
    }

    /// Whether the number is in it.
    pub fn contains(self, number: Sequence) -> bool {
        number.since(self.from) <= self.to.since(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::{Sequence, SequenceRange};

    #[test]
    fn order_wraps() {
        let last = Sequence(u32::MAX);
        assert_eq!(last.next(), Sequence(0));
        assert_eq!(Sequence(0).previous(), last);
        assert!(last.is_before(Sequence(0)));
        assert!(Sequence(0).is_after(last));
        assert_eq!(Sequence(3).since(last), 4);
        assert!(!last.is_before(last) && !last.is_after(last));
    }

    #[test]
    fn half_of_the_circle_is_before() {
        let zero = Sequence(0);
        assert!(zero.is_before(Sequence(0x7fff_ffff)));
        assert!(!zero.is_before(Sequence(0x8000_0001)));
        // As far apart as can be: each is before the other, none is after.
        let opposite = Sequence(0x8000_0000);
        assert!(zero.is_before(opposite) && opposite.is_before(zero));
    }

    #[test]
    fn a_range_has_its_ends_and_may_wrap() {
        let range = SequenceRange::new(Sequence(u32::MAX), Sequence(1)).unwrap();
        assert_eq!(range.count(), 3);
        for (number, inside) in [(u32::MAX - 1, false), (u32::MAX, true), (0, true), (1, true)] {
            assert_eq!(range.contains(Sequence(number)), inside, "{number}");
        }
        assert!(!range.contains(Sequence(2)));
        assert_eq!(SequenceRange::new(Sequence(5), Sequence(4)), None);
        assert_eq!(
            SequenceRange::new(Sequence(5), Sequence(5)),
            Some(SequenceRange::of(Sequence(5)))
        );
        let widest = SequenceRange::new(Sequence(0), Sequence(0x7fff_ffff)).unwrap();
        assert_eq!(widest.count(), 0x8000_0000);
    }
}
