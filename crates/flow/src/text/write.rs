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

/// Appends `text`, padded with blanks on the right to `width`, which is at most 16.
pub(crate) fn padded(out: &mut Vec<u8>, text: &str, width: usize) {
    const BLANKS: &str = "                ";
    out.extend_from_slice(text.as_bytes());
    let missing = width.saturating_sub(text.len());
    out.extend_from_slice(BLANKS.get(..missing).unwrap_or(BLANKS).as_bytes());
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

/// An octet as text: its digits and a dot, and how long that is.
#[derive(Clone, Copy)]
struct OctetText {
    text: [u8; 4],
    len: u8,
}

/// All of them: an address is the larger part of a line, and copying four bytes is the least work.
static OCTETS: [OctetText; 256] = octets();

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, in bounds by the loop")]
const fn octets() -> [OctetText; 256] {
    let mut all = [OctetText { text: *b"0...", len: 2 }; 256];
    let mut value = 1_u8;
    loop {
        let [hundreds, tens, ones] = [value / 100, value / 10 % 10, value % 10];
        let digits = [b'0' + hundreds, b'0' + tens, b'0' + ones];
        all[value as usize] = match value {
            100.. => OctetText { text: [digits[0], digits[1], digits[2], b'.'], len: 4 },
            10.. => OctetText { text: [digits[1], digits[2], b'.', b'.'], len: 3 },
            _ => OctetText { text: [digits[2], b'.', b'.', b'.'], len: 2 },
        };
        if value == u8::MAX {
            return all;
        }
        value += 1;
    }
}

fn ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    // Each octet overwrites what the one before left behind its dot.
    let mut text = [0; 16];
    let mut len = 0_usize;
    for octet in address.octets() {
        let octet = OCTETS.get(usize::from(octet)).map_or((*b"....", 0), |o| (o.text, o.len));
        if let Some(place) = text.get_mut(len..).and_then(|rest| rest.first_chunk_mut()) {
            *place = octet.0;
        }
        len = len.saturating_add(usize::from(octet.1));
    }
    // Without the last dot.
    out.extend_from_slice(text.get(..len.saturating_sub(1)).unwrap_or_default());
}

/// RFC 5952 with the dotted tails of the C library: `::ffff:a.b.c.d`, and unlike the standard library `::a.b.c.d`.
fn ipv6(out: &mut Vec<u8>, address: Ipv6Addr) {
    let groups = address.segments();
    let zeros = longest_zeros(&groups);
    let dotted = match (zeros.start, zeros.len(), groups) {
        (0, 6, [.., high, low]) | (0, 5, [.., 0xffff, high, low]) => Some((high, low)),
        _ => None,
    };
    let mut text = Short::default();
    for (position, group) in (0..).zip(groups) {
        if zeros.contains(&position) {
            if position == zeros.start {
                text.push(b':');
            }
            continue;
        }
        if position > 0 {
            text.push(b':');
        }
        if let (6, Some((high, low))) = (position, dotted) {
            out.extend_from_slice(text.written());
            return ipv4(out, Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
        }
        text.push_hexadecimal(group);
    }
    if zeros.end == groups.len() {
        text.push(b':');
    }
    out.extend_from_slice(text.written());
}

/// Text of at most 40 bytes that is put together byte by byte. What is more is lost.
struct Short {
    bytes: [u8; 40],
    len: usize,
}

impl Default for Short {
    fn default() -> Self {
        Self { bytes: [0; 40], len: 0 }
    }
}

impl Short {
    #[inline]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len = self.len.wrapping_add(1);
        }
    }

    /// Lower-case digits without leading zeros.
    #[inline]
    fn push_hexadecimal(&mut self, value: u16) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for shift in [12, 8, 4, 0] {
            if shift == 0 || value >> shift != 0 {
                let digit = DIGITS.get(usize::from((value >> shift) & 0xf));
                self.push(digit.copied().unwrap_or_default());
            }
        }
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
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
    let mut text = Short::default();
    text.push_hexadecimal(value);
    out.extend_from_slice(text.written());
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
