//! Message headers: `struct nlmsghdr` (`linux/netlink.h`) and `struct nfgenmsg` (`linux/netfilter/nfnetlink.h`).
//!
//! | bytes | field | order |
//! |---|---|---|
//! | 0-3 | length, header included | host |
//! | 4-5 | type: subsystem, message | host |
//! | 6-7 | flags | host |
//! | 8-11 | sequence | host |
//! | 12-15 | port id | host |
//! | 16 | family | |
//! | 17 | version | |
//! | 18-19 | resource id | big endian |

use crate::DecodeError;

const HEADER_LEN: usize = 16;
/// Length of `struct nfgenmsg`.
pub const NETFILTER_HEADER_LEN: usize = 4;

/// Types below 16 are netlink's own.
pub mod control {
    /// `NLMSG_NOOP`.
    pub const NOOP: u16 = 1;
    /// `NLMSG_ERROR`: a refusal, or an acknowledgement if its error is 0.
    pub const ERROR: u16 = 2;
    /// `NLMSG_DONE`: the end of a dump.
    pub const DONE: u16 = 3;
    /// `NLMSG_OVERRUN`.
    pub const OVERRUN: u16 = 4;
}

/// A netfilter subsystem (`NFNL_SUBSYS_*`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Subsystem(pub u8);

impl Subsystem {
    /// Flows.
    pub const CONNTRACK: Self = Self(1);
    /// Expectations.
    pub const EXPECT: Self = Self(2);
    /// Timeout policies.
    pub const TIMEOUT: Self = Self(8);
    /// Helpers in user space.
    pub const HELPER: Self = Self(9);
    /// Rules of nftables.
    pub const NFTABLES: Self = Self(10);
}

/// Subsystem and message number: the type of a netfilter message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct MessageKind {
    /// Whose message it is.
    pub subsystem: Subsystem,
    /// Number within the subsystem.
    pub message: u8,
}

impl MessageKind {
    /// The type field.
    pub fn number(self) -> u16 {
        u16::from_be_bytes([self.subsystem.0, self.message])
    }
}

impl From<u16> for MessageKind {
    fn from(number: u16) -> Self {
        let [subsystem, message] = number.to_be_bytes();
        Self { subsystem: Subsystem(subsystem), message }
    }
}

bitflags::bitflags! {
    /// Message flags (`NLM_F_*`). Some values mean different things in requests to get and to make something.
    #[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
    pub struct MessageFlags: u16 {
        /// This is a request.
        const REQUEST = 0x01;
        /// More messages of the same answer follow, or so the kernel says: only a dump's end can be relied upon.
        const MULTI = 0x02;
        /// Acknowledge success too.
        const ACK = 0x04;
        /// The dump was disturbed: entries may be missing or doubled.
        const DUMP_INTR = 0x10;
        /// A kernel-side filter was in force.
        const DUMP_FILTERED = 0x20;
        /// Get: all entries (`NLM_F_ROOT | NLM_F_MATCH`).
        const DUMP = 0x300;
        /// Make: refuse if it exists. In an error: the request is not echoed.
        const EXCL = 0x200;
        /// Make: create if it does not exist.
        const CREATE = 0x400;
        /// In an error: attributes follow the echoed request. Same value as `EXCL`.
        const ACK_TLVS = 0x200;
        /// In an error: only the header of the request is echoed.
        const CAPPED = 0x100;

        const _ = !0;
    }
}

/// Sequence number of a request. Its replies carry the same.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Sequence(pub u32);

/// The header of a message, but for its length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MessageHeader {
    /// Type: of [`control`] if below 16, else a [`MessageKind`].
    pub kind: u16,
    /// Flags.
    pub flags: MessageFlags,
    /// Sequence number.
    pub sequence: Sequence,
    /// Port of the requester. In an event: of the program that made the change, 0 if a packet did.
    pub port_id: u32,
}

impl MessageHeader {
    /// Reads length and header of the message that begins here.
    fn read(bytes: &[u8]) -> Option<(usize, Self)> {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        let (flags, rest) = rest.split_first_chunk::<2>()?;
        let (sequence, rest) = rest.split_first_chunk::<4>()?;
        let port_id = rest.first_chunk::<4>()?;
        let header = Self {
            kind: u16::from_ne_bytes(*kind),
            flags: MessageFlags::from_bits_retain(u16::from_ne_bytes(*flags)),
            sequence: Sequence(u32::from_ne_bytes(*sequence)),
            port_id: u32::from_ne_bytes(*port_id),
        };
        Some((usize::try_from(u32::from_ne_bytes(*len)).ok()?, header))
    }
}

/// The netfilter header that follows the netlink one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NetfilterHeader {
    /// Address family, 0 for all or none.
    pub family: u8,
    /// 0, or 1 to make a flush honour the family.
    pub version: u8,
    /// The CPU in per-CPU statistics.
    pub resource_id: u16,
}

/// A message in a datagram: its header and what follows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RawMessage<'a> {
    /// Its header.
    pub header: MessageHeader,
    /// Everything after the header.
    pub body: &'a [u8],
}

impl RawMessage<'_> {
    /// The netfilter header at the beginning of the body.
    pub fn netfilter_header(&self) -> Result<NetfilterHeader, DecodeError> {
        match self.body {
            [family, version, high, low, ..] => Ok(NetfilterHeader {
                family: *family,
                version: *version,
                resource_id: u16::from_be_bytes([*high, *low]),
            }),
            short => Err(DecodeError::Body { len: short.len(), expected: "at least 4 bytes" }),
        }
    }
}

/// Iterator over the messages of a datagram. After an error it ends.
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    datagram: &'a [u8],
    at: usize,
}

impl<'a> Messages<'a> {
    /// The messages of this datagram.
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { datagram, at: 0 }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<RawMessage<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let rest = self.datagram.get(at..).filter(|rest| !rest.is_empty())?;
        let read = MessageHeader::read(rest);
        let len = read.map_or(0, |(len, _)| len);
        let body = rest.get(HEADER_LEN..len);
        let (Some((_, header)), Some(body)) = (read, body) else {
            self.at = self.datagram.len();
            return Some(Err(DecodeError::Message { at, len, available: rest.len() }));
        };
        self.at = at.saturating_add(len.next_multiple_of(4));
        Some(Ok(RawMessage { header, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::{MessageKind, Messages, Subsystem};
    use crate::DecodeError;

    fn message(len: u32, total: usize) -> Vec<u8> {
        let mut bytes = vec![0; total];
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        bytes
    }

    #[test]
    fn messages_follow_each_other_at_multiples_of_four() {
        let datagram = [message(17, 20), message(16, 16)].concat();
        let bodies: Vec<_> =
            Messages::new(&datagram).map(|message| message.unwrap().body.len()).collect();
        assert_eq!(bodies, [1, 0]);
    }

    #[test]
    fn a_length_below_the_header_or_beyond_the_end_is_an_error_and_the_last_item() {
        for (len, total) in [(15, 16), (0, 16), (17, 16), (u32::MAX, 40), (16, 8)] {
            let datagram = message(len, total);
            let mut messages = Messages::new(&datagram);
            assert!(matches!(messages.next(), Some(Err(DecodeError::Message { at: 0, .. }))));
            assert!(messages.next().is_none());
        }
    }

    #[test]
    fn kind_is_subsystem_and_message() {
        let kind = MessageKind { subsystem: Subsystem::CONNTRACK, message: 4 };
        assert_eq!(kind.number(), 0x0104);
        assert_eq!(MessageKind::from(0x0104), kind);
    }
}
