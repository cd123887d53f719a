//! What can be wrong with a message, and which counter of the statistics tells of it.

use flow::{Family, Protocol};

use super::{Flags, Kind};
use crate::Sequence;

/// A message that is not accepted.
///
/// Offsets of attributes count from the first byte of the message's header.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Too few bytes for a header. The rest of the datagram is lost.
    #[error("{available} bytes left, a header has {least}")]
    Truncated {
        /// How many bytes there are.
        available: usize,
        /// How many a header of this kind has.
        least: usize,
    },
    /// The length of a message is below that of its header or beyond the end. The rest of the datagram is lost; a stream
    /// is out of step.
    #[error("message length {len}, at least {least}, of which {available} bytes are there")]
    Size {
        /// The length that the message claims.
        len: u16,
        /// Length of its header.
        least: usize,
        /// How many bytes there are.
        available: usize,
    },
    /// Another version of the protocol.
    #[error("protocol version {0}")]
    Version(u8),
    /// A type that nobody uses, in a mode that looks at types last (ALARM).
    #[error("message type {0:?}")]
    Kind(Kind),
    /// A type or a combination of flags that has no meaning in this mode.
    #[error("message type {kind:?} with {flags:?}")]
    Unexpected {
        /// The type.
        kind: Kind,
        /// Its flags.
        flags: Flags,
    },
    /// A range of sequence numbers that ends before it begins.
    #[error("numbers from {} to {}", from.0, to.0)]
    Range {
        /// First number.
        from: Sequence,
        /// Last number.
        to: Sequence,
    },
    /// The length of an attribute is below 4 or beyond the end of the message.
    #[error("attribute {number} at byte {at}: length {len}, of which {available} bytes are there")]
    Attribute {
        /// The number that it claims.
        number: u16,
        /// Where it begins.
        at: usize,
        /// The length that it claims, header included.
        len: usize,
        /// How many bytes the message has from there on.
        available: usize,
    },
    /// An attribute that the protocol does not have.
    #[error("unknown attribute {number} at byte {at}")]
    Number {
        /// Its number.
        number: u16,
        /// Where it begins.
        at: usize,
    },
    /// An attribute whose value has the wrong size.
    #[error("attribute {number} at byte {at}: {len} bytes, {expected} expected")]
    Length {
        /// Its number.
        number: u16,
        /// Where it begins.
        at: usize,
        /// Size of the value.
        len: usize,
        /// The size that it must have, or must not exceed.
        expected: usize,
    },
    /// A name without its end.
    #[error("attribute {number} at byte {at}: text without an end")]
    Unterminated {
        /// Number of the attribute.
        number: u16,
        /// Where it begins.
        at: usize,
    },
    /// A name with something else than printable ASCII.
    #[error("attribute {number} at byte {at}: text that is not printable")]
    Unprintable {
        /// Number of the attribute.
        number: u16,
        /// Where it begins.
        at: usize,
    },
    /// A state, role, scale or direction beyond those there are.
    #[error("attribute {number} at byte {at}: value {value}, at most {max} is known")]
    Value {
        /// Number of the attribute.
        number: u16,
        /// Where it begins.
        at: usize,
        /// Its value.
        value: u32,
        /// The greatest one with a meaning.
        max: u32,
    },
    /// Addresses of both families in one message.
    #[error("attribute {number} at byte {at}: not an address of {}", family.name())]
    MixedFamilies {
        /// Number of the attribute that differs from those before it.
        number: u16,
        /// Where it begins.
        at: usize,
        /// Family of those before it.
        family: Family,
    },
    /// An attribute of another protocol's flows.
    #[error("attribute {number} in a message about {protocol:?}")]
    Unfit {
        /// Number of the attribute.
        number: u16,
        /// Protocol of the tuple.
        protocol: Protocol,
    },
    /// An attribute that a message of this content must have.
    #[error("attribute {number} is missing")]
    Missing {
        /// Number of the attribute; for addresses that of IPv4.
        number: u16,
    },
}

impl DecodeError {
    /// What it is counted as.
    pub fn counter(self) -> Counter {
        match self {
            Self::Truncated { .. } => Counter::Truncated,
            Self::Size { .. } => Counter::Size,
            Self::Version(_) => Counter::Version,
            Self::Kind(_) => Counter::Kind,
            Self::Unexpected { .. } | Self::Range { .. } => Counter::Header,
            Self::Attribute { .. }
            | Self::Number { .. }
            | Self::Length { .. }
            | Self::Unterminated { .. }
            | Self::Unprintable { .. }
            | Self::Value { .. }
            | Self::MixedFamilies { .. }
            | Self::Unfit { .. }
            | Self::Missing { .. } => Counter::Payload,
        }
    }
}

/// The counters of rejected messages, as upstream divides and names them. Their sum is `Malformed messages`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Counter {
    /// `Wrong protocol version`.
    Version,
    /// `Malformed header`.
    Header,
    /// `Malformed payload`.
    Payload,
    /// `Bad message type`.
    Kind,
    /// `Truncated message`.
    Truncated,
    /// `Bad message size`.
    Size,
}

impl Counter {
    /// All, in the order in which the statistics list them.
    pub const ALL: [Self; 6] =
        [Self::Version, Self::Header, Self::Payload, Self::Kind, Self::Truncated, Self::Size];

    /// The name in the statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Version => "Wrong protocol version",
            Self::Header => "Malformed header",
            Self::Payload => "Malformed payload",
            Self::Kind => "Bad message type",
            Self::Truncated => "Truncated message",
            Self::Size => "Bad message size",
        }
    }
}
