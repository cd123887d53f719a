//! The header of a message.
//!
//! | bytes | field | order |
//! |---|---|---|
//! | 0 | version in the high four bits, type in the low four | |
//! | 1 | flags | |
//! | 2-3 | length of the message, header included | big endian |
//! | 4-7 | sequence number | big endian |
//!
//! With type control and one of the flags RESYNC, NACK, ACK the header goes on:
//!
//! | bytes | field | order |
//! |---|---|---|
//! | 8-11 | first number of a range | big endian |
//! | 12-15 | last number of the range | big endian |

use flow::EventKind;

use crate::Sequence;

/// The version of the protocol: the only one there is.
pub const VERSION: u8 = 1;

/// Type of a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Kind {
    /// 0 to 2: a flow.
    Flow(EventKind),
    /// 3 to 5: an expectation.
    Expectation(EventKind),
    /// 10: what the flags say.
    Control,
    /// A type that nobody uses.
    Unassigned(u8),
}

impl Kind {
    /// The number of the type, below 16.
    pub fn number(self) -> u8 {
        match self {
            Self::Flow(EventKind::New) => 0,
            Self::Flow(EventKind::Update) => 1,
            Self::Flow(EventKind::Destroy) => 2,
            Self::Expectation(EventKind::New) => 3,
            Self::Expectation(EventKind::Update) => 4,
            Self::Expectation(EventKind::Destroy) => 5,
            Self::Control => 10,
            Self::Unassigned(number) => number & 0xf,
        }
    }

    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Flow(EventKind::New),
            1 => Self::Flow(EventKind::Update),
            2 => Self::Flow(EventKind::Destroy),
            3 => Self::Expectation(EventKind::New),
            4 => Self::Expectation(EventKind::Update),
            5 => Self::Expectation(EventKind::Destroy),
            10 => Self::Control,
            other => Self::Unassigned(other),
        }
    }
}

bitflags::bitflags! {
    /// Flags of a message.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
    pub struct Flags: u8 {
        /// Control: the peer wants everything that we have.
        const RESYNC = 0x02;
        /// Control: a range was not received.
        const NACK = 0x04;
        /// Control: a range was received.
        const ACK = 0x08;
        /// Control: a sign of life.
        const ALIVE = 0x10;
        /// The sender has not heard of us yet (FTFW).
        const HELLO = 0x20;
        /// The sender has heard our HELLO (FTFW).
        const HELLO_BACK = 0x40;

        const _ = !0;
    }
}

impl Flags {
    /// Those that may stand on any message.
    pub const GREETING: Self = Self::HELLO.union(Self::HELLO_BACK);
    const RANGED: Self = Self::RESYNC.union(Self::NACK).union(Self::ACK);
}

/// The header of a message, but for its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Version of the protocol, below 16.
    pub version: u8,
    /// Type.
    pub kind: Kind,
    /// Flags.
    pub flags: Flags,
    /// Sequence number.
    pub sequence: Sequence,
}

impl Header {
    /// Length of every header.
    pub const LEN: usize = 8;
    /// Length of one with a range.
    pub const RANGED_LEN: usize = 16;

    /// Reads the header, and the length that the message claims, from its first bytes.
    pub fn read(bytes: &[u8]) -> Option<(Self, u16)> {
        let [first, flags, len_high, len_low, a, b, c, d] = *bytes.first_chunk()?;
        let header = Self {
            version: first >> 4,
            kind: Kind::from_number(first & 0xf),
            flags: Flags::from_bits_retain(flags),
            sequence: Sequence(u32::from_be_bytes([a, b, c, d])),
        };
        Some((header, u16::from_be_bytes([len_high, len_low])))
    }

    /// The first bytes of a message of this length.
    pub fn to_bytes(self, len: u16) -> [u8; Self::LEN] {
        let [len_high, len_low] = len.to_be_bytes();
        let [a, b, c, d] = self.sequence.0.to_be_bytes();
        let first = self.version << 4 | self.kind.number();
        [first, self.flags.bits(), len_high, len_low, a, b, c, d]
    }

    /// Whether a range follows.
    pub fn is_ranged(&self) -> bool {
        self.kind == Kind::Control && self.flags.intersects(Flags::RANGED)
    }

    /// Length of the header with its range, if it has one.
    pub fn least_len(&self) -> usize {
        if self.is_ranged() { Self::RANGED_LEN } else { Self::LEN }
    }
}

#[cfg(test)]
mod tests {
    use super::{Flags, Header, Kind};
    use crate::Sequence;

    #[test]
    fn type_and_number_are_one_to_one() {
        for number in 0..16 {
            assert_eq!(Kind::from_number(number).number(), number);
        }
    }

    #[test]
    fn header_comes_back_from_its_bytes() {
        let bytes = [0x1a, 0x30, 0, 8, 0x6b, 2, 0xca, 0x87];
        let header = Header {
            version: 1,
            kind: Kind::Control,
            flags: Flags::ALIVE | Flags::HELLO,
            sequence: Sequence(0x6b02_ca87),
        };
        assert_eq!(Header::read(&bytes), Some((header, 8)));
        assert_eq!(header.to_bytes(8), bytes);
        assert_eq!(Header::read(&bytes[..7]), None);
    }

    #[test]
    fn only_control_messages_have_a_range() {
        let header = |kind, flags| Header { version: 1, kind, flags, sequence: Sequence(0) };
        for flags in [Flags::RESYNC, Flags::ACK, Flags::NACK | Flags::HELLO] {
            assert_eq!(header(Kind::Control, flags).least_len(), 16);
            assert_eq!(header(Kind::Unassigned(9), flags).least_len(), 8);
        }
        assert_eq!(header(Kind::Control, Flags::ALIVE).least_len(), 8);
    }
}
