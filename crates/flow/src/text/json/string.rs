//! Texts that came from outside: helpers, security contexts, labels, programs.

/// Appends a string with its quotes. What is not UTF-8 becomes U+FFFD, and control characters are escaped: those that
/// JSON allows as they are (DEL and U+0080 to U+009F) too, lest they reach a terminal.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(bytes);
    } else {
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|c| character(out, c));
            if !chunk.invalid().is_empty() {
                character(out, char::REPLACEMENT_CHARACTER);
            }
        }
    }
    out.push(b'"');
}

fn character(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // No control character is above U+009F.
        c if c.is_control() => {
            let digit = |shift: u32| match u32::from(c) >> shift & 0xf {
                low @ 0..=9 => b'0' + u8::try_from(low).unwrap_or_default(),
                high => b'a' - 10 + u8::try_from(high).unwrap_or_default(),
            };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(4), digit(0)]);
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::string;

    #[test]
    fn hostile_texts_stay_strings() {
        for (bytes, text) in [
            (&b"ftp"[..], r#""ftp""#),
            (b"", r#""""#),
            (br#"a"b\c"#, r#""a\"b\\c""#),
            (b"\x00\x1f\n\r\t\x7f", r#""\u0000\u001f\n\r\t\u007f""#),
            ("Ж\u{9b}31m\u{1f600}".as_bytes(), "\"Ж\\u009b31m\u{1f600}\""),
            (b"a\xff\xc3(\xe2\x82", "\"a\u{fffd}\u{fffd}(\u{fffd}\""),
        ] {
            let mut out = Vec::new();
            string(&mut out, bytes);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
