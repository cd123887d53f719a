//! Labels of a flow (`CTA_LABELS`) and the file that names their bits.

use std::collections::HashMap;

use arrayvec::ArrayVec;

/// Most bytes of labels that a flow can have (`NF_CT_LABELS_MAX_SIZE`).
const MAX_BYTES: usize = 16;
/// Label numbers of the file are below this.
const MAX_BIT: u32 = 1024;
/// A line of the file is cut at this many bytes.
const MAX_LINE: usize = 1023;

/// The label bits of a flow: 4, 8, 12 or 16 bytes as the kernel sends them.
///
/// Bit `n` is bit `n % 32` of the host-order 32 bit word `n / 32`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Labels(ArrayVec<u8, MAX_BYTES>);

impl Labels {
    /// Labels of these bytes; `None` if they are more than 16 or not whole 32 bit words.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if !bytes.len().is_multiple_of(4) {
            return None;
        }
        bytes.try_into().ok().map(Self)
    }

    /// A flow has room for bits below this.
    pub const MAX_BITS: u32 = 128;

    /// Sixteen bytes with these bits set. A bit that a flow has no room for is left out: check it before.
    pub fn from_bits(bits: impl IntoIterator<Item = u32>) -> Self {
        let mut labels = Self([0; MAX_BYTES].into());
        for bit in bits {
            if let Some(byte) = labels.0.get_mut(byte_of(bit)) {
                *byte |= 1 << (bit % 8);
            }
        }
        labels
    }

    /// The bytes as they are sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the bit is set.
    pub fn has(&self, bit: u32) -> bool {
        self.0.get(byte_of(bit)).is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
    }

    /// The bits that are set, ascending.
    pub fn bits(&self) -> impl Iterator<Item = u32> + '_ {
        (0..).take(self.0.len() * 8).filter(|bit| self.has(*bit))
    }

    /// Whether all bits of `wanted` are set here.
    pub fn contains(&self, wanted: &Self) -> bool {
        wanted.bits().all(|bit| self.has(bit))
    }

    /// These labels without those of `removed`.
    #[must_use]
    pub fn without(&self, removed: &Self) -> Self {
        let mut kept = self.clone();
        for (byte, gone) in kept.0.iter_mut().zip(&removed.0) {
            *byte &= !gone;
        }
        kept
    }

    /// These labels and those of `added`, as far as this value has room for them.
    #[must_use]
    pub fn with(&self, added: &Self) -> Self {
        let mut sum = self.clone();
        for (byte, new) in sum.0.iter_mut().zip(&added.0) {
            *byte |= new;
        }
        sum
    }

    /// Whether no bit is set.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }
}

/// Where a bit is: words are in host order, so on a big endian machine the bytes of a word are reversed.
fn byte_of(bit: u32) -> usize {
    let byte = (bit / 8) as usize;
    if cfg!(target_endian = "big") { byte ^ 3 } else { byte }
}

/// Names of label bits, as in `/etc/xtables/connlabel.conf`.
#[derive(Clone, Debug, Default)]
pub struct LabelMap {
    names: HashMap<u32, String>,
    bits: HashMap<String, u32>,
}

impl LabelMap {
    /// Reads the text of a label file: lines of a number below 1024 and a name.
    ///
    /// The number is decimal, octal (`0`) or hexadecimal (`0x`). A name holds letters, digits, blanks and `-`; blanks
    /// around it do not count. As upstream does, lines of another form and repeated numbers or names are passed over:
    /// the first one counts. A line that begins with `#` is a comment, and one is cut after 1023 bytes.
    pub fn parse(text: &[u8]) -> Self {
        let mut map = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            for part in line.chunks(MAX_LINE) {
                if let Some((bit, name)) = parse_line(part) {
                    map.insert(bit, name);
                }
            }
        }
        map
    }

    fn insert(&mut self, bit: u32, name: &str) {
        if !self.names.contains_key(&bit) && !self.bits.contains_key(name) {
            self.names.insert(bit, name.to_owned());
            self.bits.insert(name.to_owned(), bit);
        }
    }

    /// The bit of a name, compared exactly.
    pub fn bit(&self, name: &str) -> Option<u32> {
        self.bits.get(name).copied()
    }

    /// The name of a bit.
    pub fn name(&self, bit: u32) -> Option<&str> {
        self.names.get(&bit).map(String::as_str)
    }

    /// Whether the file named no label at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn parse_line(line: &[u8]) -> Option<(u32, &str)> {
    let line = std::str::from_utf8(line).ok()?;
    if line.starts_with('#') {
        return None;
    }
    let line = line.trim_start();
    let (digits, radix) = match line.strip_prefix("0x").or_else(|| line.strip_prefix("0X")) {
        Some(rest) => (rest, 16),
        None if line.starts_with('0') => (line, 8),
        None => (line, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (number, name) = digits.split_at_checked(end)?;
    let bit = u32::from_str_radix(number, radix).ok().filter(|bit| *bit < MAX_BIT)?;
    if !name.starts_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let name = name.trim_matches(|c: char| c.is_ascii_whitespace());
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '-';
    (!name.is_empty() && name.chars().all(allowed)).then_some((bit, name))
}

#[cfg(test)]
mod tests {
    use super::{LabelMap, Labels};

    #[test]
    fn first_line_wins_and_bad_lines_are_passed_over() {
        let map = LabelMap::parse(
            b"# comment\n0 zero\n 1  eth0-in \n0x10 hex\n010 octal\n1 again\n7 zero\n8\n1024 big\n9 a_b\n12x y\n33 two words\n",
        );
        assert_eq!(map.bit("zero"), Some(0));
        assert_eq!(map.name(1), Some("eth0-in"));
        assert_eq!(map.bit("hex"), Some(16));
        assert_eq!(map.bit("octal"), Some(8));
        assert_eq!(map.bit("two words"), Some(33));
        for absent in ["again", "big", "a_b", "y", ""] {
            assert_eq!(map.bit(absent), None, "{absent}");
        }
        assert_eq!(map.name(7), None);
    }

    #[test]
    fn bits_and_bytes_agree() {
        let labels = Labels::from_bits([0, 33, 127, 128, 1023]);
        assert_eq!(labels.bits().collect::<Vec<_>>(), [0, 33, 127]);
        assert_eq!(Labels::from_bytes(labels.as_bytes()), Some(labels));
        assert_eq!(Labels::from_bytes(&[0; 5]), None);
        assert_eq!(Labels::from_bytes(&[0; 20]), None);
    }

    #[test]
    fn sums_and_differences_keep_the_size() {
        let short = Labels::from_bytes(&[1, 0, 0, 0]).unwrap();
        let wide = Labels::from_bits([0, 1, 64]);
        assert_eq!(short.with(&wide).as_bytes().len(), 4);
        assert_eq!(wide.without(&short).bits().collect::<Vec<_>>(), [1, 64]);
        assert!(wide.contains(&short));
        assert!(!short.contains(&wide));
    }
}
