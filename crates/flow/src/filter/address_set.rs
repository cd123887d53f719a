//! A set of networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses as numbers, both ends included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressRange<T> {
    /// The lowest.
    pub first: T,
    /// The highest.
    pub last: T,
}

/// A set of addresses of both families.
///
/// Networks are kept as ranges, ascending, overlapping and adjacent ones united: a search halves what is left, so the
/// thousandth network costs one comparison more than the five hundredth.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AddressSet {
    v4: Vec<AddressRange<u32>>,
    v6: Vec<AddressRange<u128>>,
}

impl AddressSet {
    /// The addresses of these networks: address and length of the prefix. Bits behind the prefix do not count, and a
    /// prefix longer than the address is taken as the whole address.
    pub fn from_networks(networks: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        let mut set = Self::default();
        for (address, prefix_len) in networks {
            match address {
                IpAddr::V4(address) => {
                    let behind = u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
                    let first = address.to_bits() & !behind;
                    set.v4.push(AddressRange { first, last: first | behind });
                }
                IpAddr::V6(address) => {
                    let behind = u128::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
                    let first = address.to_bits() & !behind;
                    set.v6.push(AddressRange { first, last: first | behind });
                }
            }
        }
        unite(&mut set.v4, |last| last.checked_add(1));
        unite(&mut set.v6, |last| last.checked_add(1));
        set
    }

    /// Whether the address is a member.
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.contains_v4(address),
            IpAddr::V6(address) => self.contains_v6(address),
        }
    }

    /// Whether the address is a member.
    pub fn contains_v4(&self, address: Ipv4Addr) -> bool {
        contains(&self.v4, address.to_bits())
    }

    /// Whether the address is a member.
    pub fn contains_v6(&self, address: Ipv6Addr) -> bool {
        contains(&self.v6, address.to_bits())
    }

    /// The IPv4 members: ascending ranges with gaps between them.
    pub fn v4(&self) -> &[AddressRange<u32>] {
        &self.v4
    }

    /// The IPv6 members: ascending ranges with gaps between them.
    pub fn v6(&self) -> &[AddressRange<u128>] {
        &self.v6
    }
}

fn contains<T: Copy + Ord>(ranges: &[AddressRange<T>], address: T) -> bool {
    let begun = ranges.partition_point(|range| range.first <= address);
    begun.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|range| address <= range.last)
}

/// Sorts, and unites ranges that overlap or touch.
fn unite<T: Copy + Ord>(ranges: &mut Vec<AddressRange<T>>, following: impl Fn(T) -> Option<T>) {
    ranges.sort_unstable_by_key(|range| range.first);
    ranges.dedup_by(|range, before| {
        let touches = following(before.last).is_none_or(|next| range.first <= next);
        if touches {
            before.last = before.last.max(range.last);
        }
        touches
    });
    ranges.shrink_to_fit();
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::AddressSet;

    fn set(networks: &[(&str, u8)]) -> AddressSet {
        AddressSet::from_networks(networks.iter().map(|(text, len)| (text.parse().unwrap(), *len)))
    }

    #[test]
    fn networks_have_the_addresses_between_their_ends() {
        let set = set(&[
            ("10.1.2.3", 8),
            ("192.0.2.1", 32),
            ("255.255.255.0", 24),
            ("2001:db8::1", 32),
            ("fd00::7", 128),
        ]);
        for (address, expected) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("192.0.2.0", false),
            ("192.0.2.1", true),
            ("192.0.2.2", false),
            ("255.255.254.255", false),
            ("255.255.255.255", true),
            ("0.0.0.0", false),
            ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("2001:db8::", true),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("fd00::6", false),
            ("fd00::7", true),
            ("::10.0.0.1", false),
        ] {
            assert_eq!(set.contains(address.parse::<IpAddr>().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn overlapping_and_adjacent_networks_are_one() {
        let set = set(&[
            ("10.0.1.0", 24),
            ("10.0.0.0", 24),
            ("10.0.0.0", 16),
            ("10.0.0.9", 32),
            ("10.1.0.0", 32),
            ("10.1.0.2", 32),
        ]);
        assert_eq!(set.v4().len(), 2);
    }

    #[test]
    fn a_prefix_of_nothing_has_all_of_its_family() {
        let set = set(&[("1.2.3.4", 0), ("128.0.0.0", 1), ("::1", 128)]);
        assert_eq!((set.v4().len(), set.v6().len()), (1, 1));
        assert!(set.contains([255, 255, 255, 255].into()) && set.contains([0; 4].into()));
        assert!(!set.contains([0u16; 8].into()));
    }

    #[test]
    fn thousands_of_networks_are_searched() {
        let networks = (0..20_000u32).map(|n| (std::net::Ipv4Addr::from(n << 9).into(), 24));
        let set = AddressSet::from_networks(networks);
        assert_eq!(set.v4().len(), 20_000);
        for n in 0..20_000u32 {
            assert!(
                set.contains_v4((n << 9 | 255).into()) && !set.contains_v4((n << 9 | 256).into())
            );
        }
    }
}
