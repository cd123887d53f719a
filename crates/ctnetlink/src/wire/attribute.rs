//! The walk over attributes: `struct nlattr` (`linux/netlink.h`), two host-order 16 bit fields, length and type.

use crate::DecodeError;

/// Length of the two fields.
pub(crate) const HEADER_LEN: usize = 4;
/// Without `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
const TYPE_MASK: u16 = 0x3fff;

/// One attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Attribute<'a> {
    /// Number without flags.
    pub kind: u16,
    /// Offset of its header from where the walk counts.
    pub at: usize,
    /// Its content, without padding.
    pub payload: &'a [u8],
}

impl Attribute<'_> {
    /// Offset of the payload from where the walk counts.
    pub fn payload_at(&self) -> usize {
        self.at.saturating_add(HEADER_LEN)
    }
}

/// Length with the header, and number without flags, of the attribute that begins here.
#[inline]
pub(crate) fn read_header(bytes: &[u8]) -> Option<(usize, u16)> {
    let [len_low, len_high, kind_low, kind_high] = *bytes.first_chunk::<HEADER_LEN>()?;
    let len = usize::from(u16::from_ne_bytes([len_low, len_high]));
    Some((len, u16::from_ne_bytes([kind_low, kind_high]) & TYPE_MASK))
}

/// Iterator over attributes. After an error it ends.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`, of which the first byte has the offset `at`.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { rest: bytes, at }
    }

    /// Ends the walk.
    fn fail(&mut self, error: DecodeError) -> DecodeError {
        self.rest = &[];
        error
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at;
        let available = self.rest.len();
        let Some((len, kind)) = read_header(self.rest) else {
            if available == 0 {
                return None;
            }
            return Some(Err(self.fail(DecodeError::Leftover { at, len: available })));
        };
        let Some(payload) = self.rest.get(HEADER_LEN..len) else {
            return Some(Err(self.fail(DecodeError::Attribute { kind, at, len, available })));
        };
        // The padding of the last attribute may be missing.
        let step = len.next_multiple_of(4).min(available);
        self.rest = self.rest.get(step..).unwrap_or_default();
        self.at = at.saturating_add(step);
        Some(Ok(Attribute { kind, at, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::Attributes;
    use crate::DecodeError;

    fn header(len: u16, kind: u16) -> Vec<u8> {
        [len.to_ne_bytes(), kind.to_ne_bytes()].concat()
    }

    #[test]
    fn flags_are_masked_and_padding_is_skipped() {
        let bytes = [header(5, 0x8001), vec![7, 0, 0, 0], header(4, 2)].concat();
        let found: Vec<_> = Attributes::new(&bytes, 100)
            .map(|attribute| attribute.map(|a| (a.kind, a.at, a.payload.len())))
            .collect();
        assert_eq!(found, [Ok((1, 100, 1)), Ok((2, 108, 0))]);
    }

    #[test]
    fn a_short_or_overlong_length_is_an_error_with_its_offset() {
        for len in [0, 3, 9] {
            let bytes = [header(len, 8), vec![0; 4]].concat();
            let mut attributes = Attributes::new(&bytes, 20);
            let error =
                DecodeError::Attribute { kind: 8, at: 20, len: usize::from(len), available: 8 };
            assert_eq!(attributes.next(), Some(Err(error)));
            assert_eq!(attributes.next(), None);
        }
        let leftover = [header(4, 1), vec![0; 3]].concat();
        let last = Attributes::new(&leftover, 0).last();
        assert_eq!(last, Some(Err(DecodeError::Leftover { at: 4, len: 3 })));
    }
}
