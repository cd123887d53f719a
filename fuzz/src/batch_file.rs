//! A batch file: its lines, their words, and what these mean.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use conntrack::batch::word_lines;

use crate::command_line::check_words;

/// Reads the bytes as a batch file.
///
/// The numbers of the lines rise from 1, no word is beyond its limit, and words that are quoted again are the same
/// words.
///
/// # Panics
///
/// If that does not hold.
pub fn batch_file(bytes: &[u8]) {
    let mut last = 1;
    for (number, words) in word_lines(bytes) {
        assert!(number >= last);
        last = number;
        let Ok(words) = words else { continue };
        let words: Vec<OsString> = words.into_iter().map(Cow::into_owned).collect();
        assert!(!words.is_empty() && words.len() <= 253);
        assert!(words.iter().all(|word| word.len() < 1024));
        if let Some(line) = quoted(&words) {
            let again: Vec<_> = word_lines(&line).collect();
            assert_eq!(again.len(), 1);
            assert!(again[0].1.as_ref().is_ok_and(|again| *again == words));
        }
        check_words(&words);
    }
}

/// The words as a line, each in quotes; `None` if it would be cut.
fn quoted(words: &[OsString]) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    for word in words {
        line.extend_from_slice(b" \"");
        for byte in word.as_bytes() {
            if matches!(byte, b'"' | b'\\') {
                line.push(b'\\');
            }
            line.push(*byte);
        }
        line.push(b'"');
    }
    (line.len() < 10_000).then_some(line)
}
