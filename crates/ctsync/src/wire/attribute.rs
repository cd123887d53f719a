//! The walk over the attributes of a message, and the reading of their values.
//!
//! | bytes | field | order |
//! |---|---|---|
//! | 0-1 | length of header and value, padding not counted | big endian |
//! | 2-3 | number | big endian |
//! | 4- | value | |
//! | | padding to a multiple of 4, any content | |
//!
//! The padding of the last attribute may be missing, and up to four bytes after it are passed over, whatever they hold.

use std::net::{Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayString;
use flow::{AddressPair, Ports};

use super::{DecodeError, Header};

const HEADER_LEN: usize = 4;

/// One attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attribute<'a> {
    /// Its number: what it means depends on the type of the message.
    pub number: u16,
    /// Offset of its header from the beginning of the message.
    pub at: usize,
    /// Its value, without padding.
    pub value: &'a [u8],
}

impl Attribute<'_> {
    pub(super) fn unknown(&self) -> DecodeError {
        DecodeError::Number { number: self.number, at: self.at }
    }

    /// The value, if it has this many bytes.
    pub(super) fn fixed<const N: usize>(&self) -> Result<[u8; N], DecodeError> {
        self.value.try_into().map_err(|_| self.wrong_length(N))
    }

    pub(super) fn u8(&self) -> Result<u8, DecodeError> {
        let [value] = self.fixed()?;
        Ok(value)
    }

    /// A small number that has a greatest one.
    pub(super) fn at_most(&self, max: u8) -> Result<u8, DecodeError> {
        let value = self.u8()?;
        if value > max { Err(self.out_of_range(value.into(), max.into())) } else { Ok(value) }
    }

    pub(super) fn out_of_range(&self, value: u32, max: u32) -> DecodeError {
        DecodeError::Value { number: self.number, at: self.at, value, max }
    }

    pub(super) fn be16(&self) -> Result<u16, DecodeError> {
        self.fixed().map(u16::from_be_bytes)
    }

    /// A number that upstream writes in the order of its machine.
    pub(super) fn host16(&self) -> Result<u16, DecodeError> {
        self.fixed().map(u16::from_ne_bytes)
    }

    pub(super) fn be32(&self) -> Result<u32, DecodeError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// So many 32 bit numbers.
    pub(super) fn words<const N: usize>(&self) -> Result<[u32; N], DecodeError> {
        let expected = N.saturating_mul(4);
        if self.value.len() != expected {
            return Err(self.wrong_length(expected));
        }
        let mut words = [0; N];
        for (word, bytes) in words.iter_mut().zip(self.value.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        Ok(words)
    }

    pub(super) fn ports(&self) -> Result<Ports, DecodeError> {
        let (src, dst) = self.halves()?;
        Ok(Ports { src: u16::from_be_bytes(src), dst: u16::from_be_bytes(dst) })
    }

    pub(super) fn ipv4(&self) -> Result<Ipv4Addr, DecodeError> {
        self.fixed::<4>().map(Ipv4Addr::from)
    }

    pub(super) fn ipv6(&self) -> Result<Ipv6Addr, DecodeError> {
        self.fixed::<16>().map(Ipv6Addr::from)
    }

    pub(super) fn ipv4_pair(&self) -> Result<AddressPair, DecodeError> {
        let (src, dst) = self.halves::<4>()?;
        Ok(AddressPair::V4 { src: src.into(), dst: dst.into() })
    }

    pub(super) fn ipv6_pair(&self) -> Result<AddressPair, DecodeError> {
        let (src, dst) = self.halves::<16>()?;
        Ok(AddressPair::V6 { src: src.into(), dst: dst.into() })
    }

    /// Two values of `N` bytes each.
    fn halves<const N: usize>(&self) -> Result<([u8; N], [u8; N]), DecodeError> {
        let wrong = self.wrong_length(N.saturating_mul(2));
        let (first, second) = self.value.split_first_chunk().ok_or(wrong)?;
        Ok((*first, second.try_into().map_err(|_| wrong)?))
    }

    /// A name of at most `N` bytes up to its NUL. An empty one says that there is none.
    pub(super) fn text<const N: usize>(&self) -> Result<Option<ArrayString<N>>, DecodeError> {
        let Self { number, at, value } = *self;
        let too_long = self.wrong_length(N.saturating_add(1));
        if value.len() > N.saturating_add(1) {
            return Err(too_long);
        }
        let end = value.iter().position(|byte| *byte == 0);
        let name = end.and_then(|end| value.get(..end));
        let name = name.ok_or(DecodeError::Unterminated { number, at })?;
        if !name.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(DecodeError::Unprintable { number, at });
        }
        let name = std::str::from_utf8(name);
        let name = name.map_err(|_| DecodeError::Unprintable { number, at })?;
        let name = ArrayString::from(name).map_err(|_| too_long)?;
        Ok((!name.is_empty()).then_some(name))
    }

    pub(super) fn wrong_length(&self, expected: usize) -> DecodeError {
        DecodeError::Length { number: self.number, at: self.at, len: self.value.len(), expected }
    }
}

/// Iterator over attributes. After an error it ends.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Attributes<'a> {
    /// The attributes in the body of a message about a flow or an expectation.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body, at: Header::LEN }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (at, available) = (self.at, self.rest.len());
        // Up to four bytes that are left are not looked at, though an attribute without a value would have as many.
        if available <= HEADER_LEN {
            return None;
        }
        let [len_high, len_low, number_high, number_low] = *self.rest.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let number = u16::from_be_bytes([number_high, number_low]);
        let Some(value) = self.rest.get(HEADER_LEN..len) else {
            self.rest = &[];
            return Some(Err(DecodeError::Attribute { number, at, len, available }));
        };
        let step = len.next_multiple_of(4);
        self.rest = self.rest.get(step..).unwrap_or_default();
        self.at = at.saturating_add(step);
        Some(Ok(Attribute { number, at, value }))
    }
}

#[cfg(test)]
mod tests {
    use super::Attributes;
    use crate::wire::DecodeError;

    fn attribute(len: u16, number: u16, value: &[u8]) -> Vec<u8> {
        [&len.to_be_bytes(), &number.to_be_bytes(), value].concat()
    }

    fn walk(body: &[u8]) -> Vec<Result<(u16, usize, usize), DecodeError>> {
        Attributes::new(body).map(|found| found.map(|a| (a.number, a.at, a.value.len()))).collect()
    }

    #[test]
    fn padding_is_skipped_and_the_last_one_may_miss_it() {
        let padded = attribute(5, 2, &[6, 1, 2, 3]);
        let body = [padded, attribute(6, 14, &[0, 1])].concat();
        assert_eq!(walk(&body), [Ok((2, 8, 1)), Ok((14, 16, 2))]);
    }

    #[test]
    fn up_to_four_bytes_at_the_end_are_passed_over() {
        for len in 0..=4 {
            let body = [attribute(8, 7, &[0; 4]), vec![0xff; len]].concat();
            assert_eq!(walk(&body), [Ok((7, 8, 4))], "{len}");
        }
        let body = [attribute(8, 7, &[0; 4]), vec![0; 5]].concat();
        let error = DecodeError::Attribute { number: 0, at: 16, len: 0, available: 5 };
        assert_eq!(walk(&body), [Ok((7, 8, 4)), Err(error)]);
    }

    #[test]
    fn a_length_that_cannot_be_ends_the_walk() {
        for len in [0, 3, 9, u16::MAX] {
            let body = attribute(len, 7, &[0; 4]);
            let len = usize::from(len);
            let error = DecodeError::Attribute { number: 7, at: 8, len, available: 8 };
            assert_eq!(walk(&body), [Err(error)]);
        }
    }
}
