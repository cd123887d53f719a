//! Values in numbered places that do not move.

/// Number of no place.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The values. A place that was left is taken again before memory grows; memory is not given back.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Place<T>>,
    /// The first vacant place.
    vacant: u32,
}

#[derive(Debug)]
enum Place<T> {
    Taken(T),
    /// Names the next vacant place.
    Vacant(u32),
}

fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

impl<T> Slab<T> {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), vacant: NOWHERE }
    }

    /// Keeps a value. `None` if all numbers of places are taken.
    pub(super) fn insert(&mut self, value: T) -> Option<u32> {
        if let Some(place) = self.places.get_mut(index(self.vacant)) {
            let number = self.vacant;
            if let Place::Vacant(next) = *place {
                self.vacant = next;
            }
            *place = Place::Taken(value);
            return Some(number);
        }
        let number = u32::try_from(self.places.len()).ok().filter(|number| *number != NOWHERE)?;
        self.places.push(Place::Taken(value));
        Some(number)
    }

    pub(super) fn get(&self, number: u32) -> Option<&T> {
        match self.places.get(index(number))? {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        }
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        match self.places.get_mut(index(number))? {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        }
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let place = self.places.get_mut(index(number))?;
        if let Place::Vacant(_) = place {
            return None;
        }
        let left = std::mem::replace(place, Place::Vacant(self.vacant));
        self.vacant = number;
        match left {
            Place::Taken(value) => Some(value),
            Place::Vacant(_) => None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.places.clear();
        self.vacant = NOWHERE;
    }

    /// How many places there are, vacant ones included.
    pub(super) fn places(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.places.capacity().saturating_mul(size_of::<Place<T>>())
    }
}

#[cfg(test)]
mod tests {
    use super::{NOWHERE, Slab};

    #[test]
    fn places_are_taken_again_before_there_are_more() {
        let mut slab = Slab::new();
        let numbers = ["a", "b", "c"].map(|value| slab.insert(value).unwrap());
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!((slab.remove(1), slab.remove(1), slab.remove(0)), (Some("b"), None, Some("a")));
        assert_eq!((slab.get(1), slab.get(2), slab.get(NOWHERE)), (None, Some(&"c"), None));
        assert_eq!(["d", "e", "f"].map(|value| slab.insert(value).unwrap()), [0, 1, 3]);
        *slab.get_mut(0).unwrap() = "g";
        assert_eq!((slab.get(0), slab.places()), (Some(&"g"), 4));
        slab.clear();
        assert_eq!(slab.get(0), None);
        assert_eq!(slab.insert("h"), Some(0));
    }
}
