//! A tuple of which only some parts are given: a filter, or the tuple of a request as it was typed.

use std::net::IpAddr;

use crate::tuple::{icmp_reply_kind, icmpv6_reply_kind};
use crate::{AddressPair, IcmpKey, L4Key, Ports, Protocol, Tuple};

/// The given parts of a tuple. As a filter, what is absent matches everything.
///
/// In a request the absent parts are not sent, and the kernel says what it misses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct PartialTuple {
    /// Source address.
    pub src: Option<IpAddr>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// Layer 4 protocol.
    pub protocol: Option<Protocol>,
    /// Source port, or GRE source key.
    pub src_port: Option<u16>,
    /// Destination port, or GRE destination key.
    pub dst_port: Option<u16>,
    /// ICMP or ICMPv6 type.
    pub icmp_kind: Option<u8>,
    /// ICMP or ICMPv6 code.
    pub icmp_code: Option<u8>,
    /// ICMP or ICMPv6 identifier.
    pub icmp_id: Option<u16>,
}

impl PartialTuple {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The tuple of the other direction when nothing is translated, as far as parts are given.
    ///
    /// An ICMP type without a counterpart becomes 255, which the kernel refuses.
    #[must_use]
    pub fn inverted(&self) -> Self {
        // ICMP over IPv6 and ICMPv6 over IPv4 have no exchanges, and no answers.
        let reply_kind = match (self.src.or(self.dst), self.protocol) {
            (Some(IpAddr::V6(_)), _) | (None, Some(Protocol::Icmpv6)) => icmpv6_reply_kind,
            _ => icmp_reply_kind,
        };
        Self {
            src: self.dst,
            dst: self.src,
            src_port: self.dst_port,
            dst_port: self.src_port,
            icmp_kind: self.icmp_kind.map(|kind| reply_kind(kind).unwrap_or(u8::MAX)),
            ..*self
        }
    }

    /// Whether all given parts are those of `tuple`. A part that the tuple does not have differs.
    pub fn matches(&self, tuple: &Tuple) -> bool {
        let ports = tuple.key.ports();
        let icmp = tuple.key.icmp();
        same(self.protocol, Some(tuple.protocol))
            && same(self.src, Some(tuple.addresses.src()))
            && same(self.dst, Some(tuple.addresses.dst()))
            && same(self.src_port, ports.map(|ports| ports.src))
            && same(self.dst_port, ports.map(|ports| ports.dst))
            && same(self.icmp_kind, icmp.map(|key| key.kind))
            && same(self.icmp_code, icmp.map(|key| key.code))
            && same(self.icmp_id, icmp.map(|key| key.id))
    }

    /// The whole tuple, `None` if a part is missing or the families of the addresses differ.
    pub fn complete(&self) -> Option<Tuple> {
        let protocol = self.protocol?;
        let icmp =
            || Some(IcmpKey { kind: self.icmp_kind?, code: self.icmp_code?, id: self.icmp_id? });
        let key = match protocol {
            Protocol::Tcp
            | Protocol::Udp
            | Protocol::UdpLite
            | Protocol::Sctp
            | Protocol::Dccp
            | Protocol::Gre => L4Key::Ports(Ports { src: self.src_port?, dst: self.dst_port? }),
            Protocol::Icmp => L4Key::Icmp(icmp()?),
            Protocol::Icmpv6 => L4Key::Icmpv6(icmp()?),
            Protocol::Other(_) => L4Key::None,
        };
        Some(Tuple { addresses: AddressPair::new(self.src?, self.dst?)?, protocol, key })
    }
}

fn same<T: Copy + PartialEq>(wanted: Option<T>, actual: Option<T>) -> bool {
    wanted.is_none() || wanted == actual
}

impl From<Tuple> for PartialTuple {
    fn from(tuple: Tuple) -> Self {
        let ports = tuple.key.ports();
        let icmp = tuple.key.icmp();
        Self {
            src: Some(tuple.addresses.src()),
            dst: Some(tuple.addresses.dst()),
            protocol: Some(tuple.protocol),
            src_port: ports.map(|ports| ports.src),
            dst_port: ports.map(|ports| ports.dst),
            icmp_kind: icmp.map(|key| key.kind),
            icmp_code: icmp.map(|key| key.code),
            icmp_id: icmp.map(|key| key.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::PartialTuple;
    use crate::Protocol;

    fn udp() -> PartialTuple {
        PartialTuple {
            src: Some([192, 0, 2, 1].into()),
            dst: Some([192, 0, 2, 2].into()),
            protocol: Some(Protocol::Udp),
            src_port: Some(4000),
            dst_port: Some(53),
            ..PartialTuple::default()
        }
    }

    #[test]
    fn only_given_parts_are_compared() {
        let tuple = udp().complete().unwrap();
        assert!(PartialTuple::default().matches(&tuple));
        assert!(udp().matches(&tuple));
        let other_port = PartialTuple { dst_port: Some(54), ..PartialTuple::default() };
        assert!(!other_port.matches(&tuple));
        let icmp_part = PartialTuple { icmp_id: Some(0), ..PartialTuple::default() };
        assert!(!icmp_part.matches(&tuple));
    }

    #[test]
    fn a_missing_or_mixed_part_makes_no_tuple() {
        assert_eq!(PartialTuple { dst_port: None, ..udp() }.complete(), None);
        let mixed = PartialTuple { dst: Some([0u16; 8].into()), ..udp() };
        assert_eq!(mixed.complete(), None);
    }

    #[test]
    fn inversion_swaps_and_answers() {
        let request = PartialTuple {
            icmp_kind: Some(128),
            protocol: Some(Protocol::Icmpv6),
            ..PartialTuple::default()
        };
        assert_eq!(request.inverted().icmp_kind, Some(129));
        let unknown = PartialTuple { icmp_kind: Some(3), ..request };
        assert_eq!(unknown.inverted().icmp_kind, Some(255));
        assert_eq!(udp().inverted().inverted(), udp());
    }
}
