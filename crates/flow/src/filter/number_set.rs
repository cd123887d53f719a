//! A set of small numbers.

/// A set of numbers from 0 to 255, as bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NumberSet([u64; 4]);

impl NumberSet {
    /// Adds a number.
    pub fn insert(&mut self, number: u8) {
        if let Some(word) = self.0.get_mut(usize::from(number / 64)) {
            *word |= 1 << (number % 64);
        }
    }

    /// Whether the number is a member.
    pub fn contains(&self, number: u8) -> bool {
        self.0.get(usize::from(number / 64)).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// The members as runs: first and last number, ascending, no two of them adjacent.
    pub fn runs(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        let mut next = Some(0);
        std::iter::from_fn(move || {
            let first = (next?..=u8::MAX).find(|number| self.contains(*number))?;
            let behind = (first..=u8::MAX).find(|number| !self.contains(*number));
            next = behind;
            Some((first, behind.map_or(u8::MAX, |number| number.saturating_sub(1))))
        })
    }
}

impl FromIterator<u8> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::NumberSet;

    #[test]
    fn members_and_runs_are_what_was_inserted() {
        for (members, runs) in [
            (vec![], vec![]),
            (vec![0, 1, 2, 17, 63, 64, 255], vec![(0, 2), (17, 17), (63, 64), (255, 255)]),
            ((0..=255).collect(), vec![(0, 255)]),
        ] {
            let set: NumberSet = members.iter().copied().collect();
            assert_eq!((0..=255).filter(|n| set.contains(*n)).collect::<Vec<_>>(), members);
            assert_eq!(set.runs().collect::<Vec<_>>(), runs);
        }
    }
}
