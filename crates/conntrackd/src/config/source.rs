//! Places in a configuration text.

/// A range of bytes of the text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte behind the last.
    pub end: usize,
}

impl Span {
    /// From the start of this one to the end of another.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// A value and where it was written. Two are equal when their values are, so that a text and its rendering compare.
#[derive(Clone, Copy, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

/// Number of the line that holds a byte, from 1 on. A line ends behind its newline.
pub fn line_number(source: &[u8], offset: usize) -> usize {
    let before = source.get(..offset).unwrap_or(source);
    before.split(|&byte| byte == b'\n').count()
}

/// The bytes of the line that holds a byte, without its newline.
pub fn line_span(source: &[u8], offset: usize) -> Span {
    let (before, behind) = source.split_at(offset.min(source.len()));
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let rest = behind.iter().position(|&byte| byte == b'\n').unwrap_or(behind.len());
    Span { start, end: before.len() + rest }
}

/// What stands in a span, with control characters written as escapes and what is no UTF-8 replaced.
pub fn shown(source: &[u8], span: Span) -> String {
    shown_bytes(source.get(span.start..span.end).unwrap_or_default())
}

/// The same of bytes.
pub fn shown_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Span, line_number, line_span, shown_bytes};

    #[test]
    fn a_newline_belongs_to_the_line_it_ends() {
        let source = b"ab\n\ncd";
        for (offset, number, start, end) in
            [(0, 1, 0, 2), (2, 1, 0, 2), (3, 2, 3, 3), (4, 3, 4, 6), (6, 3, 4, 6), (99, 3, 4, 6)]
        {
            assert_eq!(line_number(source, offset), number, "{offset}");
            assert_eq!(line_span(source, offset), Span { start, end }, "{offset}");
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(shown_bytes(b"a\x1b[1m\xff\0"), "a\\u{1b}[1m\u{fffd}\\u{0}");
    }
}
