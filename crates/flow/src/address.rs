//! Address families and the pair of addresses of a tuple.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Layer 3 protocol of a flow (`nfgen_family`).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Family {
    /// `AF_INET`, 2.
    Ipv4,
    /// `AF_INET6`, 10.
    Ipv6,
}

impl Family {
    /// The number in `nfgen_family` and in `-o extended`.
    pub fn number(self) -> u8 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }

    /// The family of a number, if it is one that connection tracking knows.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            2 => Some(Self::Ipv4),
            10 => Some(Self::Ipv6),
            _ => None,
        }
    }

    /// The name as the tools print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// Source and destination address. The two are of one family by construction.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum AddressPair {
    /// IPv4.
    V4 {
        /// Source.
        src: Ipv4Addr,
        /// Destination.
        dst: Ipv4Addr,
    },
    /// IPv6.
    V6 {
        /// Source.
        src: Ipv6Addr,
        /// Destination.
        dst: Ipv6Addr,
    },
}

impl AddressPair {
    /// A pair of two addresses, `None` if their families differ.
    pub fn new(src: IpAddr, dst: IpAddr) -> Option<Self> {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => Some(Self::V4 { src, dst }),
            (IpAddr::V6(src), IpAddr::V6(dst)) => Some(Self::V6 { src, dst }),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// The family of both.
    pub fn family(self) -> Family {
        match self {
            Self::V4 { .. } => Family::Ipv4,
            Self::V6 { .. } => Family::Ipv6,
        }
    }

    /// The source address.
    pub fn src(self) -> IpAddr {
        match self {
            Self::V4 { src, .. } => src.into(),
            Self::V6 { src, .. } => src.into(),
        }
    }

    /// The destination address.
    pub fn dst(self) -> IpAddr {
        match self {
            Self::V4 { dst, .. } => dst.into(),
            Self::V6 { dst, .. } => dst.into(),
        }
    }

    /// Source and destination exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::V4 { src, dst } => Self::V4 { src: dst, dst: src },
            Self::V6 { src, dst } => Self::V6 { src: dst, dst: src },
        }
    }
}
