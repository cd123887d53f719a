//! Addresses, prefix lengths and networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flow::Family;

use super::number::{decimal, strtoul};

/// An address and the mask that says which of its bits count. Both are of one family; the others are 0.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    address: IpAddr,
    mask: IpAddr,
}

impl Network {
    /// The network that an address is in, `None` if the families differ.
    pub fn new(address: IpAddr, mask: IpAddr) -> Option<Self> {
        let address = masked(address, mask)?;
        Some(Self { address, mask })
    }

    /// Its lowest address.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The bits that count. Any set of bits, not only a prefix.
    pub fn mask(self) -> IpAddr {
        self.mask
    }

    /// Whether an address is in it. One of the other family is not.
    pub fn contains(self, address: IpAddr) -> bool {
        masked(address, self.mask) == Some(self.address)
    }
}

fn masked(address: IpAddr, mask: IpAddr) -> Option<IpAddr> {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => Some((address & mask).into()),
        (IpAddr::V6(address), IpAddr::V6(mask)) => Some((address & mask).into()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// A prefix length that fits its family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PrefixLen {
    family: Family,
    len: u32,
}

impl PrefixLen {
    /// A decimal number up to 32 or 128.
    pub fn parse(text: &str, family: Family) -> Option<Self> {
        let len = decimal(text).filter(|len| *len <= address_bits(family))?;
        Some(Self { family, len })
    }

    /// The mask, `None` if the prefix is the whole address.
    pub fn mask(self) -> Option<IpAddr> {
        let host_bits = address_bits(self.family) - self.len;
        match self.family {
            _ if host_bits == 0 => None,
            Family::Ipv4 => {
                let bits = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Some(Ipv4Addr::from_bits(bits).into())
            }
            Family::Ipv6 => {
                let bits = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Some(Ipv6Addr::from_bits(bits).into())
            }
        }
    }
}

fn address_bits(family: Family) -> u32 {
    match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    }
}

/// The address and the text of its prefix length, if there is a slash.
pub fn split_prefix(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((address, len)) => (address, Some(len)),
        None => (text, None),
    }
}

/// An IPv4 address in one of the forms of `inet_aton`, or an IPv6 address (RFC 4291, section 2.2).
///
/// Unlike `inet_aton` this takes no text after a blank.
pub fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::from);
    }
    // Nearly all are in the form that the standard library knows, which takes a leading zero for an error.
    text.parse::<Ipv4Addr>().ok().or_else(|| parse_ipv4(text)).map(IpAddr::from)
}

/// One to four numbers in decimal, octal or hexadecimal. The last one fills the bytes that are left.
fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.');
    let last = parse_part(parts.next_back()?)?;
    let mut leading: u32 = 0;
    let mut free_bits: u32 = 32;
    for part in parts {
        let byte = u8::try_from(parse_part(part)?).ok()?;
        // A fourth leading part leaves no bits for the last one.
        free_bits = free_bits.checked_sub(8).filter(|bits| *bits >= 8)?;
        leading |= u32::from(byte) << free_bits;
    }
    let limit = u32::MAX.checked_shr(32 - free_bits)?;
    (last <= limit).then(|| Ipv4Addr::from_bits(leading | last))
}

fn parse_part(part: &str) -> Option<u32> {
    part.starts_with(|first: char| first.is_ascii_digit()).then(|| strtoul(part)).flatten()
}

#[cfg(test)]
mod tests {
    use super::{Network, PrefixLen, parse_address};
    use flow::Family;

    #[test]
    fn ipv4_is_read_as_inet_aton_does() {
        for (text, address) in [
            ("10.0.0.1", "10.0.0.1"),
            ("10.1", "10.0.0.1"),
            ("1.2.3", "1.2.0.3"),
            ("1.2.65535", "1.2.255.255"),
            ("167772161", "10.0.0.1"),
            ("0x0a000001", "10.0.0.1"),
            ("012.0.0.1", "10.0.0.1"),
            ("0", "0.0.0.0"),
            ("4294967295", "255.255.255.255"),
            ("255.16777215", "255.255.255.255"),
        ] {
            assert_eq!(parse_address(text), Some(address.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "1.2.3.4.5",
            "1.2.3.256",
            "256.1",
            "1.16777216",
            "1.2.65536",
            "4294967296",
            "1.",
            ".1",
            "1..2",
            "08",
            "0x",
            "10.0.0.1 x",
            "10.0.0.1 ",
            " 10.0.0.1",
            "+1",
            "localhost",
        ] {
            assert_eq!(parse_address(text), None, "{text:?}");
        }
    }

    #[test]
    fn ipv6_has_neither_brackets_nor_scope() {
        for text in ["::", "fd00::0.0.0.1", "::ffff:10.0.0.1", "1:2:3:4:5:6:7::"] {
            assert_eq!(parse_address(text), Some(text.parse().unwrap()));
        }
        for text in ["[fd00::1]", "fe80::1%lo", "1:2:3:4:5:6:7:8::", ":::", "::08.1.1.1"] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }

    #[test]
    fn prefix_length_is_bounded_by_the_family() {
        let mask = |text, family| PrefixLen::parse(text, family).unwrap().mask();
        assert_eq!(mask("32", Family::Ipv4), None);
        assert_eq!(mask("128", Family::Ipv6), None);
        assert_eq!(mask("0", Family::Ipv4), Some([0; 4].into()));
        assert_eq!(mask("0", Family::Ipv6), Some([0; 16].into()));
        assert_eq!(mask("08", Family::Ipv4), Some([255, 0, 0, 0].into()));
        assert_eq!(mask("7", Family::Ipv6), Some("fe00::".parse().unwrap()));
        for text in ["", "33", "-1", "+8", "x", "24x", "255.255.255.0", "8/8"] {
            assert_eq!(PrefixLen::parse(text, Family::Ipv4), None, "{text}");
        }
        assert_eq!(PrefixLen::parse("129", Family::Ipv6), None);
    }

    #[test]
    fn network_clears_host_bits() {
        let network = Network::new([10, 9, 9, 9].into(), [255, 0, 0, 0].into()).unwrap();
        assert_eq!(network.address(), std::net::IpAddr::from([10, 0, 0, 0]));
        assert!(network.contains([10, 1, 2, 3].into()));
        assert!(!network.contains([11, 0, 0, 0].into()));
        assert!(!network.contains([0u16; 8].into()));
        assert_eq!(Network::new([10, 0, 0, 0].into(), [0u16; 8].into()), None);
    }
}
