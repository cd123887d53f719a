//! Tuples: what identifies one direction of a flow.
//!
//! A tuple is the address pair, the protocol, and the key that the protocol's tracker uses. The key is kept apart from
//! the protocol number because the kernel does: one built without the SCTP, UDP-Lite, GRE or DCCP tracker keeps such
//! flows as generic ones, by number alone.

use crate::{AddressPair, Protocol};

/// Source and destination port, or for GRE the two 16 bit keys (`CTA_PROTO_SRC_PORT`, `CTA_PROTO_DST_PORT`).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct Ports {
    /// Source port or key.
    pub src: u16,
    /// Destination port or key.
    pub dst: u16,
}

/// Type, code and identifier of an ICMP or ICMPv6 exchange.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub struct IcmpKey {
    /// Message type. In the reply tuple it is the type of the answer.
    pub kind: u8,
    /// Message code.
    pub code: u8,
    /// Identifier.
    pub id: u16,
}

/// What a tracker tells two flows between the same hosts apart by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum L4Key {
    /// Nothing: the generic tracker.
    None,
    /// TCP, UDP, UDP-Lite, SCTP, DCCP ports or GRE keys.
    Ports(Ports),
    /// ICMP (`CTA_PROTO_ICMP_*`).
    Icmp(IcmpKey),
    /// ICMPv6 (`CTA_PROTO_ICMPV6_*`).
    Icmpv6(IcmpKey),
}

impl L4Key {
    /// The ports (GRE: keys), if the key is of that kind.
    pub fn ports(self) -> Option<Ports> {
        match self {
            Self::Ports(ports) => Some(ports),
            Self::None | Self::Icmp(_) | Self::Icmpv6(_) => None,
        }
    }

    /// The ICMP or ICMPv6 key, if it is of that kind.
    pub fn icmp(self) -> Option<IcmpKey> {
        match self {
            Self::Icmp(key) | Self::Icmpv6(key) => Some(key),
            Self::None | Self::Ports(_) => None,
        }
    }
}

/// One direction of a flow (`struct nf_conntrack_tuple`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub struct Tuple {
    /// Source and destination.
    pub addresses: AddressPair,
    /// Layer 4 protocol.
    pub protocol: Protocol,
    /// Ports, keys or ICMP identification.
    pub key: L4Key,
}

impl Tuple {
    /// The tuple of the other direction when nothing is translated.
    ///
    /// An ICMP type without a counterpart becomes 255, which the kernel refuses.
    #[must_use]
    pub fn inverted(self) -> Self {
        let key = match self.key {
            L4Key::None => L4Key::None,
            L4Key::Ports(Ports { src, dst }) => L4Key::Ports(Ports { src: dst, dst: src }),
            L4Key::Icmp(key) => L4Key::Icmp(key.inverted(icmp_reply_kind)),
            L4Key::Icmpv6(key) => L4Key::Icmpv6(key.inverted(icmpv6_reply_kind)),
        };
        Self { addresses: self.addresses.swapped(), protocol: self.protocol, key }
    }
}

impl IcmpKey {
    fn inverted(self, reply_kind: fn(u8) -> Option<u8>) -> Self {
        Self { kind: reply_kind(self.kind).unwrap_or(u8::MAX), ..self }
    }
}

/// The ICMP type that answers `kind` (RFC 792, RFC 950), `None` if it is not part of an exchange.
pub(crate) fn icmp_reply_kind(kind: u8) -> Option<u8> {
    match kind {
        8 => Some(0),
        0 => Some(8),
        13 => Some(14),
        14 => Some(13),
        15 => Some(16),
        16 => Some(15),
        17 => Some(18),
        18 => Some(17),
        _ => None,
    }
}

/// The ICMPv6 type that answers `kind` (RFC 4443, RFC 4620), `None` if it is not part of an exchange.
pub(crate) fn icmpv6_reply_kind(kind: u8) -> Option<u8> {
    match kind {
        128 => Some(129),
        129 => Some(128),
        139 => Some(140),
        140 => Some(139),
        _ => None,
    }
}
