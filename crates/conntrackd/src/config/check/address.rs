//! Addresses as the C library's functions read them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::diagnostic::Version;

/// An IPv4 address as `inet_aton` takes it: a group that starts with 0 is octal.
pub(super) fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut groups = text.split('.');
    for octet in &mut octets {
        let group = groups.next()?;
        let (digits, radix) = match group.strip_prefix('0') {
            Some(rest) if !rest.is_empty() => (rest, 8),
            _ => (group, 10),
        };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *octet = u8::from_str_radix(digits, radix).ok()?;
    }
    groups.next().is_none().then(|| octets.into())
}

/// An IPv6 address as `inet_pton` takes it.
pub(super) fn ipv6(text: &str) -> Option<Ipv6Addr> {
    text.parse().ok()
}

/// An address of a version.
pub(super) fn of_version(text: &str, version: Version) -> Option<IpAddr> {
    match version {
        Version::V4 => ipv4(text).map(IpAddr::V4),
        Version::V6 => ipv6(text).map(IpAddr::V6),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::ipv4;

    #[test]
    fn groups_are_decimal_or_octal() {
        for (text, octets) in [
            ("10.0.0.1", Some([10, 0, 0, 1])),
            ("010.00.0.0377", Some([8, 0, 0, 255])),
            ("08.0.0.1", None),
            ("0.0.0.256", None),
            ("0.0.0.0400", None),
            ("10.0.0.0/8", None),
            ("10.0.0", None),
            ("10.0.0.0.0", None),
            ("1.+1.1.1", None),
            ("::1", None),
            ("bad", None),
        ] {
            assert_eq!(ipv4(text), octets.map(Ipv4Addr::from), "{text}");
        }
    }
}
