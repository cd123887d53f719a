//! Writing numbers and addresses without the formatting machinery: the inner loop of every list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

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

/// RFC 5952 with the dotted tails of the C library: `::ffff:a.b.c.d`, and unlike the standard library `::a.b.c.d`.
fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    let groups = address.segments();
    let zeros = longest_zeros(&groups);
    let dotted = match (zeros.start, zeros.len(), groups) {
        (0, 6, [.., high, low]) | (0, 5, [.., 0xffff, high, low]) => Some((high, low)),
        _ => None,
    };
    for (position, group) in (0..).zip(groups) {
        if zeros.contains(&position) {
            if position == zeros.start {
                out.push(b':');
            }
            continue;
        }
        if position > 0 {
            out.push(b':');
        }
        if let (6, Some((high, low))) = (position, dotted) {
            return ipv4(out, Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
        }
        hexadecimal(out, group);
    }
    if zeros.end == groups.len() {
        out.push(b':');
    }
}

/// The first of the longest runs of at least two zero groups; an empty range behind the last if there is none.
fn longest_zeros(groups: &[u16; 8]) -> Range<usize> {
    let (mut longest, mut run) = (9..9, 0..0);
    for (position, group) in groups.iter().enumerate() {
        if *group != 0 {
            run = position + 1..position + 1;
            continue;
        }
        run.end = position + 1;
        if run.len() > 1 && run.len() > longest.len() {
            longest = run.clone();
        }
    }
    longest
}

/// Appends a number in lower-case hexadecimal digits, without leading zeros.
pub(crate) fn hexadecimal(out: &mut Vec<u8>, value: u16) {
    let digit = |shift: u16| match (value >> shift) & 0xf {
        low @ 0..=9 => b'0' + low.to_le_bytes()[0],
        high => b'a' - 10 + high.to_le_bytes()[0],
    };
    for shift in [12, 8, 4] {
        if value >> shift != 0 {
            out.push(digit(shift));
        }
    }
    out.push(digit(0));
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
            ("::1:0:0", "::1:0:0"),
            ("::ffff:0:0", "::ffff:0.0.0.0"),
            ("0:0:0:0:fffe:c000:0201:1", "::fffe:c000:201:1"),
            ("1::", "1::"),
            ("1:0:0:2::", "1:0:0:2::"),
            ("1:0:0:2:0:0:3:4", "1::2:0:0:3:4"),
            ("fe80::abc:de:0:f", "fe80::abc:de:0:f"),
            ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
            ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
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
