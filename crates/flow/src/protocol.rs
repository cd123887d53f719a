//! Layer 4 protocols by number and by the name that the tools print.

/// Layer 4 protocol (IANA protocol numbers). Those with a tracker or options of their own have a name.
///
/// Make one with [`Protocol::from`]: `Other` never holds the number of a named one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
pub enum Protocol {
    /// 1.
    Icmp,
    /// 6.
    Tcp,
    /// 17.
    Udp,
    /// 33. Kernels from about 6.16 on have no tracker for it and keep such flows without ports.
    Dccp,
    /// 47.
    Gre,
    /// 58.
    Icmpv6,
    /// 132.
    Sctp,
    /// 136.
    UdpLite,
    /// Any other number.
    Other(u8),
}

impl Protocol {
    /// The named ones, in ascending order of their numbers.
    pub const NAMED: [Self; 8] = [
        Self::Icmp,
        Self::Tcp,
        Self::Udp,
        Self::Dccp,
        Self::Gre,
        Self::Icmpv6,
        Self::Sctp,
        Self::UdpLite,
    ];

    /// The IANA number.
    pub fn number(self) -> u8 {
        match self {
            Self::Icmp => 1,
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Dccp => 33,
            Self::Gre => 47,
            Self::Icmpv6 => 58,
            Self::Sctp => 132,
            Self::UdpLite => 136,
            Self::Other(number) => number,
        }
    }

    /// The name in lists and on command lines; `None` for the others, which are printed as `unknown`.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Icmp => Some("icmp"),
            Self::Tcp => Some("tcp"),
            Self::Udp => Some("udp"),
            Self::Dccp => Some("dccp"),
            Self::Gre => Some("gre"),
            Self::Icmpv6 => Some("icmpv6"),
            Self::Sctp => Some("sctp"),
            Self::UdpLite => Some("udplite"),
            Self::Other(_) => None,
        }
    }
}

impl From<u8> for Protocol {
    fn from(number: u8) -> Self {
        match number {
            1 => Self::Icmp,
            6 => Self::Tcp,
            17 => Self::Udp,
            33 => Self::Dccp,
            47 => Self::Gre,
            58 => Self::Icmpv6,
            132 => Self::Sctp,
            136 => Self::UdpLite,
            other => Self::Other(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    #[test]
    fn number_and_protocol_are_one_to_one() {
        for number in 0..=255 {
            assert_eq!(Protocol::from(number).number(), number);
        }
        for named in Protocol::NAMED {
            assert_eq!(Protocol::from(named.number()), named);
            assert!(named.name().is_some());
        }
    }
}
