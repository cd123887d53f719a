//! The mark of a flow (`CTA_MARK`) and a mark with a mask.

/// A flow's mark, set by rules (`ct mark`) or by hand.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Mark(pub u32);

/// `VALUE/MASK`: as a filter, or as a change of the bits in the mask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MaskedMark {
    /// The wanted or new bits.
    pub value: Mark,
    /// Which bits count. All ones when no mask was given.
    pub mask: u32,
}

impl MaskedMark {
    /// Whether `mark` has the wanted bits. A value outside of the mask never matches, as in the kernel.
    pub fn matches(self, mark: Mark) -> bool {
        mark.0 & self.mask == self.value.0
    }

    /// The mark after the change: bits of the mask are replaced, value bits outside of it are flipped.
    ///
    /// This is what the kernel does with `CTA_MARK` and `CTA_MARK_MASK`, and what upstream's `-U -m` documents.
    #[must_use]
    pub fn apply(self, old: Mark) -> Mark {
        Mark((old.0 & !self.mask) ^ self.value.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, MaskedMark};

    #[test]
    fn mask_selects_what_is_compared_and_replaced() {
        let masked = MaskedMark { value: Mark(2), mask: 6 };
        assert!(masked.matches(Mark(3)));
        assert!(!masked.matches(Mark(6)));
        assert_eq!(masked.apply(Mark(0b1101)), Mark(0b1011));
    }

    #[test]
    fn value_outside_of_the_mask_flips_bits_and_never_matches() {
        let masked = MaskedMark { value: Mark(1), mask: 0 };
        assert!(!masked.matches(Mark(1)));
        assert_eq!(masked.apply(Mark(1)), Mark(0));
    }
}
