//! Numbers. Upstream has two ways to read them, and both matter for what a text means.

use flow::{Mark, MaskedMark};

/// A whole word as `strtoul` with base 0 reads it: decimal, octal (`0`), hexadecimal (`0x`), after blanks and a sign.
///
/// A negative number wraps within 64 bits, as it does there, so nearly all of them are too large for an option.
pub(crate) fn strtoul<T: TryFrom<u64>>(text: &str) -> Option<T> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (digits.get(2..)?, 16),
        [b'0', _, ..] => (digits.get(1..)?, 8),
        _ => (digits, 10),
    };
    let value = digits_of(digits, radix)?;
    let value = if negative { value.wrapping_neg() } else { value };
    T::try_from(value).ok()
}

/// A whole word of decimal digits. Leading zeros do not make it octal (`atoi`).
pub(crate) fn decimal<T: TryFrom<u64>>(text: &str) -> Option<T> {
    T::try_from(digits_of(text, 10)?).ok()
}

/// The same, or hexadecimal digits after `0x`, which upstream reads as 0.
pub(crate) fn decimal_or_hex<T: TryFrom<u64>>(text: &str) -> Option<T> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => T::try_from(digits_of(digits, 16)?).ok(),
        None => decimal(text),
    }
}

/// The same of one to nine decimal digits, which nearly all are; `None` says nothing.
pub(crate) fn few_digits(text: &[u8]) -> Option<u32> {
    if !(1..=9).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
    })
}

/// `VALUE` or `VALUE/MASK`, 32 bits each, as [`strtoul`] reads them.
pub(crate) fn masked_mark(text: &str) -> Option<MaskedMark> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (value, strtoul(mask)?),
        None => (text, u32::MAX),
    };
    Some(MaskedMark { value: Mark(strtoul(value)?), mask })
}

/// Only digits and at least one: `from_str_radix` alone would take a sign.
fn digits_of(text: &str, radix: u32) -> Option<u64> {
    let (first, rest) = text.as_bytes().split_first()?;
    let digit = |byte: &u8| char::from(*byte).to_digit(radix).map(u64::from);
    rest.iter().try_fold(digit(first)?, |number, byte| {
        number.checked_mul(u64::from(radix))?.checked_add(digit(byte)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decimal, decimal_or_hex, few_digits, masked_mark, strtoul};

    proptest! {
        #[test]
        fn few_digits_are_the_number_that_they_are_otherwise(text in "[0-9]{0,11}|[0-9x+]{0,5}") {
            if let Some(number) = few_digits(text.as_bytes()) {
                prop_assert_eq!(Some(number), decimal_or_hex::<u32>(&text));
                prop_assert_eq!(u16::try_from(number).ok(), decimal_or_hex::<u16>(&text));
            } else {
                prop_assert!(decimal::<u32>(&text).is_none_or(|_| text.len() > 9));
            }
        }
    }

    #[test]
    fn strtoul_knows_bases_blanks_and_signs() {
        for (text, value) in [
            ("0", Some(0)),
            ("10", Some(10)),
            ("010", Some(8)),
            ("0x10", Some(16)),
            ("0XfF", Some(255)),
            (" \t7", Some(7)),
            ("+7", Some(7)),
            ("00", Some(0)),
            ("-18446744073709551615", Some(1)),
            ("65535", Some(65535)),
            ("65536", None),
            ("-1", None),
            ("", None),
            (" ", None),
            ("+", None),
            ("0x", None),
            ("08", None),
            ("7 ", None),
            ("7x", None),
            ("+-7", None),
            ("0x+7", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(strtoul::<u16>(text), value, "{text:?}");
        }
    }

    #[test]
    fn decimal_keeps_leading_zeros_decimal() {
        assert_eq!(decimal::<u16>("080"), Some(80));
        assert_eq!(decimal_or_hex::<u16>("080"), Some(80));
        assert_eq!(decimal_or_hex::<u16>("0x50"), Some(80));
        assert_eq!(decimal::<u16>("0x50"), None);
        for text in ["", "0x", "+1", " 1", "1 ", "-1", "80x", "http", "65536", "٣"] {
            assert_eq!(decimal_or_hex::<u16>(text), None, "{text:?}");
        }
    }

    #[test]
    fn mark_needs_both_sides_of_the_slash() {
        let masked = masked_mark("0x10/0xf0").unwrap();
        assert_eq!((masked.value.0, masked.mask), (0x10, 0xf0));
        assert_eq!(masked_mark("1").unwrap().mask, u32::MAX);
        for text in ["", "/", "1/", "/1", "1/2/3", "1/2x", "1x", "1/4294967296"] {
            assert_eq!(masked_mark(text), None, "{text:?}");
        }
    }
}
