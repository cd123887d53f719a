//! Which paths a piece of Rust names, found by its words alone.
//!
//! Comments and literals are skipped and group imports written out, so `use std::{fs, io::Read};`
//! names `std::fs` and `std::io::Read`. What a macro or an alias hides is not seen.

use std::iter::Peekable;
use std::str::Chars;

/// Keywords that a path which begins with `::` may follow.
const KEYWORDS: &[&str] = &["as", "dyn", "for", "impl", "in", "match", "mut", "return", "use"];

/// The segments of a path; a macro's last segment ends with `!`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct NamedPath(Vec<String>);

impl NamedPath {
    /// Whether the segments of `pattern` stand side by side in the path.
    pub(super) fn contains(&self, pattern: &[&str]) -> bool {
        self.0.windows(pattern.len()).any(|window| window == pattern)
    }

    /// Whether the path begins with this crate or name.
    pub(super) fn begins_with(&self, name: &str) -> bool {
        self.0.first().is_some_and(|first| first == name)
    }
}

/// Leaves out the items marked `#[cfg(test)]`, relying on the indentation that rustfmt gives.
pub(super) fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept += line;
            kept.push('\n');
            continue;
        }
        let indentation = line.split('#').next().unwrap_or_default();
        let ends_item = |line: &&str| {
            let own = line.strip_prefix(indentation).unwrap_or_default();
            !own.starts_with(' ') && (own.starts_with('}') || own.ends_with([';', '}']))
        };
        lines.by_ref().find(ends_item);
    }
    kept
}

/// Every path in the text, in order.
pub(super) fn named(text: &str) -> Vec<NamedPath> {
    let mut found = Vec::new();
    // The paths in front of the open braces; empty where a brace opens a block.
    let mut groups: Vec<NamedPath> = Vec::new();
    let mut current = NamedPath::default();
    let mut before = Token::Other;
    for token in Tokens::of(text) {
        match &token {
            Token::Word(word) => {
                if before != Token::Colons {
                    found.push(std::mem::take(&mut current));
                    current = groups.last().cloned().unwrap_or_default();
                }
                current.0.push(word.clone());
            }
            Token::Colons => {
                // `::name` begins a path of its own.
                if !matches!(before, Token::Word(_)) {
                    found.push(std::mem::take(&mut current));
                }
            }
            Token::Open => {
                let group = std::mem::take(&mut current);
                if before == Token::Colons {
                    groups.push(group);
                } else {
                    found.push(group);
                    groups.push(NamedPath::default());
                }
            }
            Token::Close => {
                found.push(std::mem::take(&mut current));
                groups.pop();
            }
            Token::Other => found.push(std::mem::take(&mut current)),
        }
        before = token;
    }
    found.push(current);
    found.retain(|path| !path.0.is_empty());
    found
}

#[derive(Debug, Eq, PartialEq)]
enum Token {
    /// A name, with `!` when that follows.
    Word(String),
    Colons,
    Open,
    Close,
    Other,
}

struct Tokens<'a> {
    rest: Peekable<Chars<'a>>,
}

impl<'a> Tokens<'a> {
    fn of(text: &'a str) -> Self {
        Self { rest: text.chars().peekable() }
    }

    fn word(&mut self, first: char) -> Token {
        let mut word = String::from(first);
        let is_part = |c: &char| c.is_alphanumeric() || *c == '_';
        while let Some(c) = self.rest.next_if(is_part) {
            word.push(c);
        }
        if matches!(word.as_str(), "r" | "br" | "cr") && self.skip_raw_string() {
            return Token::Other;
        }
        if KEYWORDS.contains(&word.as_str()) {
            return Token::Other;
        }
        if self.rest.next_if_eq(&'!').is_some() {
            word.push('!');
        }
        Token::Word(word)
    }

    /// After `r`: skips `"..."` or `#"..."#`. False when it was a name such as `r#type` instead.
    fn skip_raw_string(&mut self) -> bool {
        let mut hashes = 0;
        while self.rest.next_if_eq(&'#').is_some() {
            hashes += 1;
        }
        if self.rest.next_if_eq(&'"').is_none() {
            return false;
        }
        while let Some(c) = self.rest.next() {
            if c == '"' && (0..hashes).all(|_| self.rest.next_if_eq(&'#').is_some()) {
                break;
            }
        }
        true
    }

    fn skip_string(&mut self) {
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => drop(self.rest.next()),
                '"' => break,
                _ => {}
            }
        }
    }

    /// After `'`: skips a character, and only the mark of a lifetime.
    fn skip_character(&mut self) {
        let mut ahead = self.rest.clone();
        let is_escape = ahead.next() == Some('\\');
        if is_escape {
            // The escaped character may be the quote itself.
            self.rest.nth(1);
            self.rest.find(|&c| c == '\'');
        } else if ahead.next() == Some('\'') {
            self.rest.nth(1);
        }
    }

    /// After `/`: skips a comment, if it is one.
    fn skip_comment(&mut self) {
        if self.rest.next_if_eq(&'/').is_some() {
            self.rest.find(|&c| c == '\n');
        } else if self.rest.next_if_eq(&'*').is_some() {
            let mut before = ' ';
            self.rest.find(|&c| std::mem::replace(&mut before, c) == '*' && c == '/');
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let c = self.rest.next()?;
            return Some(match c {
                c if c.is_whitespace() => continue,
                c if c.is_alphabetic() || c == '_' => self.word(c),
                ':' if self.rest.next_if_eq(&':').is_some() => Token::Colons,
                '{' => Token::Open,
                '}' => Token::Close,
                '"' => {
                    self.skip_string();
                    Token::Other
                }
                '\'' => {
                    self.skip_character();
                    Token::Other
                }
                '/' => {
                    self.skip_comment();
                    continue;
                }
                _ => Token::Other,
            });
        }
    }
}
