//! The two directions of a flow, and a pair of values indexed by them.

/// A direction of a flow (`enum ip_conntrack_dir`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Direction {
    /// From the side that opened the flow (`IP_CT_DIR_ORIGINAL`).
    Original,
    /// The answer to it (`IP_CT_DIR_REPLY`).
    Reply,
}

impl Direction {
    /// Both, in the order in which the kernel sends them.
    pub const BOTH: [Self; 2] = [Self::Original, Self::Reply];
}

/// One value for each direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct PerDirection<T> {
    /// That of [`Direction::Original`].
    pub original: T,
    /// That of [`Direction::Reply`].
    pub reply: T,
}

impl<T> PerDirection<T> {
    /// Makes the value of each direction with `make`.
    pub fn from_fn(mut make: impl FnMut(Direction) -> T) -> Self {
        Self { original: make(Direction::Original), reply: make(Direction::Reply) }
    }

    /// Turns the value of each direction into another.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerDirection<U> {
        PerDirection { original: change(self.original), reply: change(self.reply) }
    }
}

impl<T> std::ops::Index<Direction> for PerDirection<T> {
    type Output = T;

    fn index(&self, direction: Direction) -> &T {
        match direction {
            Direction::Original => &self.original,
            Direction::Reply => &self.reply,
        }
    }
}

impl<T> std::ops::IndexMut<Direction> for PerDirection<T> {
    fn index_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Original => &mut self.original,
            Direction::Reply => &mut self.reply,
        }
    }
}
