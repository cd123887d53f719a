//! Checked reading of attribute trees by table.
//!
//! A table names, for each attribute number of a nest, its kernel name, its form, and the slot in which to note where it
//! was found. One walk checks every length and fills the slots; after it no access can fail. Unknown attributes are
//! skipped, of a repeated one the last counts. The parts of a repeated nest are united; no kernel sends one twice. A
//! message must be below 64 KiB, which the kernel's dump buffers of 32 KiB never exceed.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::DecodeError;
use crate::wire::{
    ATTRIBUTE_HEADER_LEN as HEADER_LEN, Attributes, NETFILTER_HEADER_LEN, read_header,
};

/// Form of an attribute's payload. Fixed forms must have exactly their length.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    U8,
    Be16,
    Be32,
    Be64,
    /// Two bytes: flags and mask.
    FlagsAndMask,
    /// 32 bits in host order.
    Host32,
    V4,
    V6,
    /// Text with or without its NUL, at most so many bytes without it.
    Text(usize),
    /// So many bytes at most.
    Bytes(usize),
    /// Bytes with or without a NUL behind them, at most so many without it.
    Terminated(usize),
    /// Labels: 32 bit words, at most 16 bytes.
    Labels,
    /// Attributes of this table, whose slots count from this one.
    Nest(Table, usize),
}

impl Form {
    /// The length of a payload of fixed length.
    const fn fixed_len(self) -> Option<usize> {
        match self {
            Self::U8 => Some(1),
            Self::Be16 | Self::FlagsAndMask => Some(2),
            Self::Be32 | Self::Host32 | Self::V4 => Some(4),
            Self::Be64 => Some(8),
            Self::V6 => Some(16),
            Self::Text(_)
            | Self::Bytes(_)
            | Self::Terminated(_)
            | Self::Labels
            | Self::Nest(..) => None,
        }
    }
}

/// What a table says of one attribute number.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    name: &'static str,
    slot: usize,
    form: Form,
    fixed_len: Option<usize>,
}

/// Fields by attribute number, from 0. `None`: not known, skipped.
pub(crate) type Table = &'static [Option<Field>];

/// A field of a table.
#[expect(clippy::unnecessary_wraps, reason = "the entry of a table that may have gaps")]
pub(crate) const fn field(name: &'static str, slot: usize, form: Form) -> Option<Field> {
    Some(Field { name, slot, form, fixed_len: form.fixed_len() })
}

/// A table of 32 bit numbers from attribute 1 on, each with its own number as slot, all of one name.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, in bounds by the loop")]
pub(crate) const fn numbers<const N: usize>(name: &'static str) -> [Option<Field>; N] {
    let mut table = [None; N];
    let mut number = 1;
    while number < N {
        table[number] = field(name, number, Form::Be32);
        number += 1;
    }
    table
}

/// Where the attributes of a message were found. `N` is the number of slots.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a, const N: usize> {
    body: &'a [u8],
    /// Offset of the payload in the body; 0, where the netfilter header stands, means absent.
    at: [u16; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    /// Walks the body of a message, netfilter header included.
    pub(crate) fn parse(body: &'a [u8], table: Table) -> Result<Self, DecodeError> {
        let too = |expected| DecodeError::Body { len: body.len(), expected };
        if body.len() > usize::from(u16::MAX) {
            return Err(too("at most 65535 bytes"));
        }
        if body.len() < NETFILTER_HEADER_LEN {
            return Err(too("at least 4 bytes"));
        }
        let mut fields = Self { body, at: [0; N] };
        fields.walk(NETFILTER_HEADER_LEN, body.len(), table, 0)?;
        Ok(fields)
    }

    /// Walks the attributes of the body from `at` up to `end`, which lies in it. They are those of `table`.
    ///
    /// This is the inner loop of every list, so it has the few steps that it needs; whatever is wrong with an attribute, it
    /// leaves to [`Attributes`] to say.
    fn walk(
        &mut self,
        mut at: usize,
        end: usize,
        table: Table,
        base: usize,
    ) -> Result<(), DecodeError> {
        while at < end {
            let Some((len, kind)) = self.body.get(at..end).and_then(read_header) else {
                return Err(self.damage(at, end));
            };
            let payload_at = at.wrapping_add(HEADER_LEN);
            let payload_end = at.wrapping_add(len);
            // A body is shorter than 64 KiB, so no sum here is near the end of the numbers.
            if len < HEADER_LEN || payload_end > end {
                return Err(self.damage(at, end));
            }
            at = payload_end.wrapping_add(3) & !3;
            let Some(Some(field)) = table.get(usize::from(kind)) else {
                continue;
            };
            if let (Some(slot), Ok(payload_at)) =
                (self.at.get_mut(base.wrapping_add(field.slot)), u16::try_from(payload_at))
            {
                *slot = payload_at;
            }
            if let Form::Nest(inner, inner_base) = field.form {
                self.walk(payload_at, payload_end, inner, base.wrapping_add(inner_base))?;
            } else if field.fixed_len != Some(len.wrapping_sub(HEADER_LEN)) {
                // Nearly all attributes are of a fixed length and have it.
                let payload = self.body.get(payload_at..payload_end).unwrap_or_default();
                check(field, payload_at.wrapping_sub(HEADER_LEN), payload)?;
            }
        }
        Ok(())
    }

    /// What is wrong with the attribute at `at`.
    #[cold]
    fn damage(&self, at: usize, end: usize) -> DecodeError {
        let rest = self.body.get(at..end).unwrap_or_default();
        match Attributes::new(rest, at).next() {
            Some(Err(error)) => error,
            _ => DecodeError::Leftover { at, len: rest.len() },
        }
    }

    /// The family byte of the netfilter header.
    pub(crate) fn family(&self) -> u8 {
        self.body.first().copied().unwrap_or_default()
    }

    #[inline]
    fn offset(&self, slot: usize) -> Option<usize> {
        match self.at.get(slot) {
            None | Some(0) => None,
            Some(at) => Some(usize::from(*at)),
        }
    }

    /// Whether the attribute is there.
    pub(crate) fn has(&self, slot: usize) -> bool {
        self.offset(slot).is_some()
    }

    #[inline]
    fn fixed<const LEN: usize>(&self, slot: usize) -> Option<[u8; LEN]> {
        self.body.get(self.offset(slot)?..)?.first_chunk().copied()
    }

    pub(crate) fn u8(&self, slot: usize) -> Option<u8> {
        self.fixed::<1>(slot).map(|[byte]| byte)
    }

    pub(crate) fn two_bytes(&self, slot: usize) -> Option<[u8; 2]> {
        self.fixed(slot)
    }

    pub(crate) fn be16(&self, slot: usize) -> Option<u16> {
        self.fixed(slot).map(u16::from_be_bytes)
    }

    pub(crate) fn be32(&self, slot: usize) -> Option<u32> {
        self.fixed(slot).map(u32::from_be_bytes)
    }

    pub(crate) fn host32(&self, slot: usize) -> Option<u32> {
        self.fixed(slot).map(u32::from_ne_bytes)
    }

    pub(crate) fn be64(&self, slot: usize) -> Option<u64> {
        self.fixed(slot).map(u64::from_be_bytes)
    }

    pub(crate) fn v4(&self, slot: usize) -> Option<Ipv4Addr> {
        self.fixed::<4>(slot).map(Ipv4Addr::from)
    }

    pub(crate) fn v6(&self, slot: usize) -> Option<Ipv6Addr> {
        self.fixed::<16>(slot).map(Ipv6Addr::from)
    }

    /// Payload of variable length. The attribute header before it tells how long it is.
    pub(crate) fn bytes(&self, slot: usize) -> Option<&'a [u8]> {
        let at = self.offset(slot)?;
        let header = self.body.get(at.checked_sub(4)?..)?.first_chunk::<2>()?;
        let len = usize::from(u16::from_ne_bytes(*header)).checked_sub(4)?;
        self.body.get(at..at.checked_add(len)?)
    }

    /// Text up to its NUL.
    pub(crate) fn text(&self, slot: usize) -> Option<&'a str> {
        std::str::from_utf8(until_nul(self.bytes(slot)?)).ok()
    }

    /// Fails unless none or all of these attributes of a nest are there.
    pub(crate) fn all_or_none(
        &self,
        attribute: &'static str,
        parts: &[(usize, &'static str)],
    ) -> Result<(), DecodeError> {
        match parts.iter().find(|(slot, _)| !self.has(*slot)) {
            Some((_, missing)) if parts.iter().any(|(slot, _)| self.has(*slot)) => {
                Err(DecodeError::Missing { attribute, missing })
            }
            _ => Ok(()),
        }
    }
}

/// The bytes of a [`Form::Terminated`].
pub(crate) fn without_nul(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(&[0]).unwrap_or(bytes)
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// The whole check of a payload, with the reason if it fails.
#[cold]
fn check(field: &Field, at: usize, payload: &[u8]) -> Result<(), DecodeError> {
    let len = payload.len();
    let (fits, expected) = match field.form {
        Form::U8 => (len == 1, "1"),
        Form::Be16 | Form::FlagsAndMask => (len == 2, "2"),
        Form::Be32 | Form::Host32 | Form::V4 => (len == 4, "4"),
        Form::Be64 => (len == 8, "8"),
        Form::V6 => (len == 16, "16"),
        Form::Text(most) => (until_nul(payload).len() <= most, "a shorter name"),
        Form::Bytes(most) => (len <= most, "fewer bytes"),
        Form::Terminated(most) => (without_nul(payload).len() <= most, "fewer bytes"),
        Form::Labels => (len <= 16 && len.is_multiple_of(4), "4, 8, 12 or 16"),
        Form::Nest(..) => (true, ""),
    };
    if !fits {
        return Err(DecodeError::Length { attribute: field.name, at, len, expected });
    }
    if matches!(field.form, Form::Text(_)) && std::str::from_utf8(until_nul(payload)).is_err() {
        return Err(DecodeError::Text { attribute: field.name, at });
    }
    Ok(())
}
