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
    if text.as_bytes().contains(&b':') {
        let address = eight_groups(text.as_bytes());
        return address.or_else(|| text.parse::<Ipv6Addr>().ok()).map(IpAddr::from);
    }
    dotted_quad(text.as_bytes()).or_else(|| parse_ipv4(text)).map(IpAddr::from)
}

/// An address in the form that nearly all have, without a prefix length; `None` says nothing.
pub(crate) fn plain_address(text: &[u8]) -> Option<IpAddr> {
    dotted_quad(text).map(IpAddr::from).or_else(|| eight_groups(text).map(IpAddr::from))
}

/// An IPv4 address of four decimal numbers without leading zeros, which nearly all are; `None` says nothing.
fn dotted_quad(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut address, mut number, mut digits, mut dots) = (0_u32, 0_u32, 0_u32, 0_u32);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits == 0 || (number != 0 && digits < 3) => {
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && dots < 3 && number <= 255 => {
                address = address << 8 | number;
                (number, digits, dots) = (0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (dots == 3 && digits > 0 && number <= 255).then(|| Ipv4Addr::from_bits(address << 8 | number))
}

/// An IPv6 address of hexadecimal groups, of which `::` may stand for some; `None` says nothing.
fn eight_groups(text: &[u8]) -> Option<Ipv6Addr> {
    // The groups so far, and those before `::`, each in the lowest bits.
    let (mut groups, mut count, mut before) = (0_u128, 0_u32, None);
    let mut rest = text;
    if let Some(behind) = text.strip_prefix(b"::") {
        (before, rest) = (Some((0, 0)), behind);
    }
    while !rest.is_empty() {
        let (mut group, mut digits) = (0, 0);
        while let Some((digit, behind)) = hex_digit(rest) {
            (group, digits, rest) = (group << 4 | digit, digits + 1, behind);
        }
        if !(1..=4).contains(&digits) || count == 8 {
            return None;
        }
        (groups, count) = (groups << 16 | group, count + 1);
        rest = match rest {
            [] => break,
            [b':', b':', behind @ ..] if before.is_none() => {
                before = Some((groups, count));
                behind
            }
            [b':', behind @ ..] if !behind.is_empty() => behind,
            _ => return None,
        };
    }
    match before {
        None => (count == 8).then(|| Ipv6Addr::from_bits(groups)),
        Some((head, of_head)) if count < 8 => {
            let of_tail = count.checked_sub(of_head)?;
            let tail = groups & !u128::MAX.checked_shl(16 * of_tail).unwrap_or(0);
            let head: u128 = head;
            Some(Ipv6Addr::from_bits(head.checked_shl(16 * (8 - of_head)).unwrap_or(0) | tail))
        }
        Some(_) => None,
    }
}

fn hex_digit(text: &[u8]) -> Option<(u128, &[u8])> {
    let (first, behind) = text.split_first()?;
    Some((u128::from(char::from(*first).to_digit(16)?), behind))
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
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::{Network, PrefixLen, dotted_quad, eight_groups, parse_address, parse_ipv4};
    use flow::Family;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn four_decimal_numbers_are_read_as_any_other_form(text in "[0-9.]{0,16}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
            let quad = dotted_quad(text.as_bytes());
            prop_assert_eq!(quad, text.parse::<Ipv4Addr>().ok());
            if quad.is_some() {
                prop_assert_eq!(quad, parse_ipv4(&text));
            }
        }

        #[test]
        fn groups_are_read_as_the_library_reads_them(
            text in "[0-9a-fA-F:]{0,20}|([0-9a-f]{1,4}:){0,8}(:[0-9A-F]{1,5}){0,8}|(0:){6,8}:?1?",
            bits in any::<u128>(),
            holes in any::<u8>(),
        ) {
            prop_assert_eq!(eight_groups(text.as_bytes()), text.parse::<Ipv6Addr>().ok());
            let mut groups = Ipv6Addr::from_bits(bits).segments();
            for (index, group) in groups.iter_mut().enumerate() {
                *group *= u16::from(holes >> index & 1);
            }
            let address = Ipv6Addr::from(groups);
            // Some are shown with a dotted end, which is left to the library.
            let read = eight_groups(address.to_string().as_bytes());
            prop_assert!(read == Some(address) || address.to_string().contains('.'));
        }
    }

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
