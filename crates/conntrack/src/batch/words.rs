//! The lines of a batch file and their words.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::BufRead as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::report::BatchError;

/// A line is cut here; the rest counts as the next line.
pub(super) const MAX_LINE: usize = 10_239;
/// A word must be shorter than this.
const MAX_WORD: usize = 1024;
/// With the name of the program that upstream puts in front, 254 words are too many.
const MAX_WORDS: usize = 253;

/// The lines of a file that are not empty or comments, with their numbers, as words.
pub fn word_lines(
    text: &[u8],
) -> impl Iterator<Item = (usize, Result<Vec<Cow<'_, OsStr>>, BatchError>)> {
    lines(text, 1).filter_map(|(number, line)| {
        let mut words = Words::default();
        match words.split(line) {
            Ok([]) => None,
            Ok(_) => Some((number, Ok(words.done))),
            Err(error) => Some((number, Err(error))),
        }
    })
}

/// Lines with their numbers, of which the first is given. One that is too long goes on as another of the same number.
pub(super) fn lines(text: &[u8], first: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = text;
    let lines = std::iter::from_fn(move || (!rest.is_empty()).then(|| take_line(&mut rest)));
    (first..)
        .zip(lines)
        .flat_map(|(number, line)| line.chunks(MAX_LINE).map(move |part| (number, part)))
}

/// Takes a line off, without the newline that ends it, or the two bytes that end one of a CRLF file.
pub(super) fn take_line<'t>(rest: &mut &'t [u8]) -> &'t [u8] {
    let whole = *rest;
    // Reading from memory does not fail. The library finds the end of a line faster than a loop over bytes does.
    let len = rest.skip_until(b'\n').unwrap_or(whole.len());
    let line = whole.get(..len).unwrap_or(whole);
    line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// How many bytes there are before the first blank, tab or quotation mark. Eight at a time: this sees every byte of a file.
fn plain_len(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    // All three are below it, and nearly nothing else.
    const ABOVE_QUOTE: u64 = ONES * (b'"' as u64 + 1);
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"');
    let (mut len, mut rest) = (0_usize, bytes);
    while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
        let eight = u64::from_le_bytes(*eight);
        // The lowest bit that is set is that of the first byte below the bound.
        let below = eight.wrapping_sub(ABOVE_QUOTE) & !eight & (ONES << 7);
        if below != 0 {
            let first = usize::try_from(below.trailing_zeros() / 8).unwrap_or(0);
            let after = first.saturating_add(1);
            len = len.saturating_add(first);
            match rest.split_at_checked(after) {
                Some(([.., byte], behind)) if !is_end(byte) => {
                    len = len.saturating_add(1);
                    rest = behind;
                    continue;
                }
                _ => return len,
            }
        }
        len = len.saturating_add(8);
        rest = behind;
    }
    len.saturating_add(rest.iter().position(is_end).unwrap_or(rest.len()))
}

/// The words of one line after the other.
#[derive(Default)]
pub(super) struct Words<'t> {
    done: Vec<Cow<'t, OsStr>>,
    word: Vec<u8>,
}

impl<'t> Words<'t> {
    /// The words of a line; none for an empty one and for a comment.
    ///
    /// Blanks and tabs part words. `"` opens and closes a quotation anywhere, in which `\` takes the next byte literally;
    /// the closing one ends the word.
    pub(super) fn split(&mut self, line: &'t [u8]) -> Result<&[Cow<'t, OsStr>], BatchError> {
        self.done.clear();
        let line = line.trim_ascii_start();
        if line.first() == Some(&b'#') {
            return Ok(&[]);
        }
        let mut rest = line;
        while let Some((word, after)) = rest.split_at_checked(plain_len(rest)) {
            if after.first() == Some(&b'"') {
                self.split_quoted(line)?;
                break;
            }
            if !word.is_empty() {
                self.push(Cow::Borrowed(OsStr::from_bytes(word)))?;
            }
            let Some((_, next)) = after.split_first() else { break };
            rest = next;
        }
        Ok(&self.done)
    }

    fn split_quoted(&mut self, line: &[u8]) -> Result<(), BatchError> {
        self.done.clear();
        self.word.clear();
        let mut quoted = false;
        let mut bytes = line.iter().copied();
        while let Some(byte) = bytes.next() {
            match byte {
                b'"' if quoted => {
                    quoted = false;
                    self.end_word(true)?;
                }
                b'"' => quoted = true,
                b'\\' if quoted => self.word.extend(bytes.next()),
                b' ' | b'\t' if !quoted => self.end_word(false)?,
                other => self.word.push(other),
            }
        }
        self.end_word(false)
    }

    fn end_word(&mut self, even_if_empty: bool) -> Result<(), BatchError> {
        if self.word.is_empty() && !even_if_empty {
            return Ok(());
        }
        let word = OsString::from_vec(std::mem::take(&mut self.word));
        self.push(Cow::Owned(word))
    }

    fn push(&mut self, word: Cow<'t, OsStr>) -> Result<(), BatchError> {
        if word.len() >= MAX_WORD {
            return Err(BatchError::LongWord);
        }
        if self.done.len() >= MAX_WORDS {
            return Err(BatchError::ManyWords);
        }
        self.done.push(word);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::ffi::OsString;

    use proptest::prelude::*;

    use super::{BatchError, Words, lines, plain_len};

    fn words(line: &str) -> Vec<OsString> {
        let mut words = Words::default();
        words.split(line.as_bytes()).unwrap().iter().cloned().map(Cow::into_owned).collect()
    }

    #[test]
    fn quotes_join_and_end_words() {
        for (line, expected) in [
            ("-I -s 10.0.0.1", vec!["-I", "-s", "10.0.0.1"]),
            ("  \t-I\t-s  x ", vec!["-I", "-s", "x"]),
            ("u\"dp\"", vec!["udp"]),
            ("\"a\"b", vec!["a", "b"]),
            (r#""a \" b" c"#, vec!["a \" b", "c"]),
            (r"a\b", vec![r"a\b"]),
            ("\"\" x", vec!["", "x"]),
            ("\"open end", vec!["open end"]),
            ("# comment", vec![]),
            ("-F # no comment", vec!["-F", "#", "no", "comment"]),
            ("", vec![]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn too_long_a_word_and_too_many_words_are_errors() {
        assert_eq!(words(&"x".repeat(1023)).len(), 1);
        assert_eq!(Words::default().split(&[b'x'; 1024]), Err(BatchError::LongWord));
        assert_eq!(words(&"x ".repeat(253)).len(), 253);
        let many = "x ".repeat(254);
        assert_eq!(Words::default().split(many.as_bytes()), Err(BatchError::ManyWords));
    }

    proptest! {
        #[test]
        fn plain_bytes_end_where_a_search_byte_by_byte_says(
            bytes in proptest::collection::vec(
                prop_oneof![6 => any::<u8>(), 6 => b'!'..b'~', 1 => 0_u8..0x24, 1 => Just(0xa0)],
                0..40,
            ),
        ) {
            let end = bytes.iter().position(|byte| b" \t\"".contains(byte));
            prop_assert_eq!(plain_len(&bytes), end.unwrap_or(bytes.len()));
        }
    }

    #[test]
    fn a_carriage_return_is_part_of_the_end_of_a_line_and_of_nothing_else() {
        let found: Vec<_> = lines(b"-t 10\r\n\r\na\rb\r\r\n-F\r", 1).collect();
        let expected: [(usize, &[u8]); 4] = [(1, b"-t 10"), (3, b"a\rb\r"), (4, b"-F\r"), (0, b"")];
        assert_eq!(found, expected[..3]);
    }

    #[test]
    fn lines_keep_their_numbers() {
        let numbers: Vec<_> = lines(b"a\n\nb\n", 1).map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 3]);
    }
}
