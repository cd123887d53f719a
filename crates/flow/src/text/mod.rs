//! Text forms of flows. All of them append to a byte buffer and never allocate for a flow.

pub mod json;
pub mod plain;
mod write;
pub mod xml;

/// A point in time, taken apart in some time zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CivilTime {
    /// Year, for example 2026.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
    /// Day of the week, Sunday is 0.
    pub weekday: u8,
}

/// Which tuples of a cached flow are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sides {
    /// Both.
    Both,
    /// The original one: what a peer told of a flow does not contain the other.
    Original,
}

/// How much of a flow is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Extent {
    /// All that is known.
    Whole,
    /// Without what each packet changes, which a cache cannot keep up with: timeout, counters, use count.
    Cached(Sides),
}

impl Extent {
    fn is_whole(self) -> bool {
        self == Self::Whole
    }

    fn shows_reply(self) -> bool {
        self != Self::Cached(Sides::Original)
    }
}

/// Turns seconds since 1970 (UTC) into local time. Text forms ask it for the times that they print.
pub type LocalTime<'a> = &'a dyn Fn(u64) -> CivilTime;
