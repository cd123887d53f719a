//! Writing numbers and addresses without the formatting machinery: the inner loop of every list.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Appends a decimal number.
pub(crate) fn number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends `name` and the number.
pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: impl itoa::Integer) {
    out.extend_from_slice(name.as_bytes());
    number(out, value);
}

/// Appends `text`, padded with blanks on the right to `width`.
pub(crate) fn padded(out: &mut Vec<u8>, text: &str, width: usize) {
    out.extend_from_slice(text.as_bytes());
    for _ in text.len()..width {
        out.push(b' ');
    }
}

/// Appends a number of two digits, the first one `pad` for numbers below 10.
pub(crate) fn two_digits(out: &mut Vec<u8>, value: u8, pad: u8) {
    if value < 10 {
        out.push(pad);
    }
    number(out, value);
}

/// Appends an address in the form of `inet_ntop`.
pub(crate) fn address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => ipv4(out, address),
        IpAddr::V6(address) => ipv6(out, address),
    }
}

fn ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let [a, b, c, d] = address.octets();
    number(out, a);
    for octet in [b, c, d] {
        out.push(b'.');
        number(out, octet);
    }
}

/// RFC 5952, but for `::a.b.c.d`: the C library also prints an IPv4-compatible address with a dotted tail.
fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    if let [0, 0, 0, 0, 0, 0, high, low] = address.segments()
        && high != 0
    {
        out.extend_from_slice(b"::");
        ipv4(out, Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
        return;
    }
    // Writing to a vector cannot fail.
    let _ = write!(out, "{address}");
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    fn text(address: &str) -> String {
        let mut out = Vec::new();
        super::address(&mut out, address.parse::<IpAddr>().unwrap());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn addresses_are_those_of_inet_ntop() {
        for (given, printed) in [
            ("192.0.2.1", "192.0.2.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("::", "::"),
            ("::1", "::1"),
            ("::ffff", "::ffff"),
            ("::1:0", "::0.1.0.0"),
            ("::c000:0201", "::192.0.2.1"),
            ("::ffff:c000:0201", "::ffff:192.0.2.1"),
            ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
            ("FD00::ABCD", "fd00::abcd"),
        ] {
            assert_eq!(text(given), printed);
        }
    }
}
