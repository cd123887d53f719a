//! What stands behind a keyword.

use super::{Parsed, Parser};
use crate::config::ast::{Address, Number, Path, Switch, SwitchOr, Word};
use crate::config::diagnostic::Problem;
use crate::config::lexer::{Token, TokenKind};
use crate::config::source::{At, Span};

impl Parser<'_> {
    pub(super) fn number(&mut self) -> Parsed<Number> {
        match self.peek().kind {
            TokenKind::Number(value) => Ok(self.taken(value)),
            _ => self.unexpected("a number"),
        }
    }

    pub(super) fn signed(&mut self) -> Parsed<At<i64>> {
        match self.peek().kind {
            TokenKind::Signed(value) => Ok(self.taken(value)),
            _ => self.unexpected("a number with its sign"),
        }
    }

    pub(super) fn switch(&mut self) -> Parsed<Switch> {
        match self.peek().kind {
            TokenKind::Switch(value) => Ok(self.taken(value)),
            _ => self.unexpected("`on' or `off'"),
        }
    }

    pub(super) fn path(&mut self) -> Parsed<Path> {
        match self.peek().kind {
            TokenKind::Path => {
                let path = self.bytes(self.peek().span).to_vec();
                let path = self.taken(path);
                if path.value.ends_with(b"}") {
                    self.note(Problem::PathBrace, path.span);
                }
                Ok(path)
            }
            _ => self.unexpected("an absolute path without quotes"),
        }
    }

    /// A switch, or what the parser given reads.
    pub(super) fn switch_or<T>(
        &mut self,
        expected: &'static str,
        other: fn(&mut Self) -> Parsed<T>,
    ) -> Parsed<SwitchOr<T>> {
        if let TokenKind::Switch(value) = self.peek().kind {
            self.advance();
            return Ok(SwitchOr::Switch(value));
        }
        let value = other(self);
        value.map(SwitchOr::Value).map_err(|syntax| super::Syntax { expected, ..syntax })
    }

    pub(super) fn address(&mut self) -> Parsed<Address> {
        match self.peek().kind {
            TokenKind::Address => {
                let text = self.text(self.peek().span);
                Ok(self.taken(text))
            }
            _ => self.unexpected("an address"),
        }
    }

    /// A name. Words that also mean something else are names here: modes, switches, hexadecimal digits.
    pub(super) fn name(&mut self, expected: &'static str) -> Parsed<Word> {
        if !self.is_name() {
            return self.unexpected(expected);
        }
        let text = self.text(self.peek().span);
        Ok(self.taken(text))
    }

    pub(super) fn is_name(&self) -> bool {
        let token = self.peek();
        match token.kind {
            TokenKind::Name | TokenKind::Mode(_) | TokenKind::Switch(_) => true,
            TokenKind::Address => {
                let text = self.bytes(token.span);
                text.first().is_some_and(u8::is_ascii_alphabetic)
                    && text.iter().all(u8::is_ascii_alphanumeric)
            }
            _ => false,
        }
    }

    /// The name of a device: all that is written without a blank or a brace. Another keyword is a name only if it stands
    /// on the same line as `Interface`, else the name is missing.
    pub(super) fn device(&mut self) -> Parsed<Word> {
        let (before, first) = (self.last_span(), self.peek());
        let gap = self.bytes(Span { start: before.end, end: first.span.start });
        let is_missing = match first.kind {
            TokenKind::Open | TokenKind::Close | TokenKind::End | TokenKind::Path => true,
            TokenKind::Other => self.bytes(first.span) == b"\"",
            TokenKind::Keyword(_) => gap.contains(&b'\n'),
            _ => false,
        };
        if is_missing {
            return self.unexpected("the name of a device");
        }
        let mut span = self.advance().span;
        while self.continues(span) {
            span = span.to(self.advance().span);
        }
        Ok(At { value: self.text(span), span })
    }

    fn continues(&self, word: Span) -> bool {
        let Token { kind, span } = self.peek();
        span.start == word.end
            && !matches!(kind, TokenKind::Open | TokenKind::Close | TokenKind::End)
    }

    pub(super) fn taken<T>(&mut self, value: T) -> At<T> {
        At { value, span: self.advance().span }
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.source.get(span.start..span.end).unwrap_or_default()
    }

    fn text(&self, span: Span) -> String {
        String::from_utf8_lossy(self.bytes(span)).into_owned()
    }
}
