//! Text to tokens.
//!
//! The longest match wins, and of equal ones the first in this order: keyword, switch, number, address, path, mode,
//! name. Newlines mean nothing. What fits nowhere is a token of its own, so that every text has tokens and the parser
//! alone refuses. The rules are upstream's with its faults put right (docs/differences.md).

use super::ast::ModeName;
use super::keyword::Keyword;
use super::source::Span;

/// What a piece of the text is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TokenKind {
    /// A reserved word.
    Keyword(Keyword),
    /// `on`, `yes` (true), `off`, `no` (false) in any letter case.
    Switch(bool),
    /// Digits. What does not fit is the largest value.
    Number(u64),
    /// Digits with a sign.
    Signed(i64),
    /// What looks like an IPv4 or IPv6 address, perhaps with a prefix length; also up to four hexadecimal digits.
    Address,
    /// From `/` to a blank or a quotation mark.
    Path,
    /// The name of a mode, in any letter case.
    Mode(ModeName),
    /// A letter, then letters, digits, `.`, `-`, `_`.
    Name,
    /// `{`
    Open,
    /// `}`
    Close,
    /// Anything else, one character.
    Other,
    /// Behind the last token.
    End,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token {
    /// What it is.
    pub(super) kind: TokenKind,
    /// Where.
    pub(super) span: Span,
}

/// The tokens of a text, without that of its end.
pub(super) fn lex(source: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(rest) = source.get(start..)
        && let Some(&first) = rest.first()
    {
        let len = match first {
            b' ' | b'\t' | b'\r' | b'\n' => 1,
            b'#' => run(rest, |byte| byte != b'\n'),
            _ => {
                let (kind, len) = token(first, rest);
                tokens.push(Token { kind, span: Span { start, end: start + len } });
                len
            }
        };
        start += len;
    }
    tokens
}

/// The token at the start of a text that is not empty, and its length, which is at least 1.
fn token(first: u8, rest: &[u8]) -> (TokenKind, usize) {
    match first {
        b'{' => return (TokenKind::Open, 1),
        b'}' => return (TokenKind::Close, 1),
        b'/' => return (TokenKind::Path, run(rest, |byte| !b" \t\r\n\"".contains(&byte))),
        _ => {}
    }
    let word_len = name_len(rest);
    let digits = run(rest, |byte| byte.is_ascii_digit());
    let address_len = ipv4_len(rest).max(ipv6_len(rest));
    let longest = word_len.max(digits).max(address_len);
    if longest > 0 {
        let text = rest.get(..longest).unwrap_or_default();
        return (
            classify(text, [word_len, digits, address_len].map(|len| len == longest)),
            longest,
        );
    }
    if let b'+' | b'-' = first {
        let digits = run(rest.get(1..).unwrap_or_default(), |byte| byte.is_ascii_digit());
        if digits > 0 {
            return (
                TokenKind::Signed(signed(rest.get(..=digits).unwrap_or_default())),
                1 + digits,
            );
        }
    }
    // One character, also if it has several bytes.
    let continued = run(rest.get(1..).unwrap_or_default(), |byte| byte & 0xc0 == 0x80);
    (TokenKind::Other, 1 + if first >= 0xc0 { continued.min(3) } else { 0 })
}

fn classify(text: &[u8], [is_word, is_number, is_address]: [bool; 3]) -> TokenKind {
    if is_word {
        if let Some(keyword) = Keyword::from_text(text) {
            return TokenKind::Keyword(keyword);
        }
        if let Some(value) = switch(text) {
            return TokenKind::Switch(value);
        }
    }
    if is_number {
        return TokenKind::Number(number(text));
    }
    if is_address {
        return TokenKind::Address;
    }
    ModeName::from_text(text).map_or(TokenKind::Name, TokenKind::Mode)
}

fn switch(text: &[u8]) -> Option<bool> {
    match text.to_ascii_lowercase().as_slice() {
        b"on" | b"yes" => Some(true),
        b"off" | b"no" => Some(false),
        _ => None,
    }
}

fn number(digits: &[u8]) -> u64 {
    let digit_value = |&digit: &u8| u64::from(digit.saturating_sub(b'0'));
    digits
        .iter()
        .map(digit_value)
        .fold(0, |value: u64, digit| value.saturating_mul(10).saturating_add(digit))
}

fn signed(text: &[u8]) -> i64 {
    let (sign, digits) = text.split_first().unwrap_or((&b'+', &[]));
    let value = i64::try_from(number(digits)).unwrap_or(i64::MAX);
    if *sign == b'-' { -value } else { value }
}

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|&&byte| belongs(byte)).count()
}

fn name_len(text: &[u8]) -> usize {
    if !text.first().is_some_and(u8::is_ascii_alphabetic) {
        return 0;
    }
    run(text, |byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// Four groups of digits with dots between them, then perhaps `/` and digits. 0 if it is none.
fn ipv4_len(text: &[u8]) -> usize {
    let mut len = 0;
    for group in 0..4 {
        if group > 0 {
            if text.get(len) != Some(&b'.') {
                return 0;
            }
            len += 1;
        }
        let digits = run(text.get(len..).unwrap_or_default(), |byte| byte.is_ascii_digit());
        if digits == 0 {
            return 0;
        }
        len += digits;
    }
    len + prefix_len(text.get(len..).unwrap_or_default())
}

/// Groups of one to four hexadecimal digits with `:` between them, at most once `::`, then perhaps `/` and digits.
fn ipv6_len(text: &[u8]) -> usize {
    let at = |offset: usize| text.get(offset..).unwrap_or_default();
    let group = |offset: usize| run(at(offset), |byte| byte.is_ascii_hexdigit()).min(4);
    let mut len = group(0);
    let mut has_gap = false;
    loop {
        let separator = if !has_gap && at(len).starts_with(b"::") {
            2
        } else if len > 0 && at(len).starts_with(b":") && group(len + 1) > 0 {
            1
        } else {
            break;
        };
        has_gap |= separator == 2;
        len += separator + group(len + separator);
    }
    if len == 0 { 0 } else { len + prefix_len(at(len)) }
}

fn prefix_len(text: &[u8]) -> usize {
    let Some((b'/', digits)) = text.split_first() else { return 0 };
    match run(digits, |byte| byte.is_ascii_digit()) {
        0 => 0,
        len => 1 + len,
    }
}

#[cfg(test)]
mod tests;
