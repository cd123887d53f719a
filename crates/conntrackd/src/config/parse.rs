//! Tokens to statements.
//!
//! One token decides what follows, so this is a plain descent. An error is noted, then the parser goes on at the next
//! statement that the block may have, at the block's closing brace, or at the next section, whichever comes first: one
//! run finds all errors. Every pass of a loop takes at least one token, and the depth is that of the grammar.

mod arguments;
mod general;
mod sections;
mod sync;
#[cfg(test)]
mod tests;

use super::ast::{Block, File};
use super::diagnostic::{Diagnostic, Problem};
use super::keyword::Keyword;
use super::lexer::{Token, TokenKind, lex};
use super::source::{At, Span, line_number, shown};

/// The most errors of the grammar in one run. A text with more is something else than a configuration.
const ERRORS_MAX: usize = 100;

/// Reads a text. What has an error is left out of the file and named in the diagnostics.
pub(super) fn parse(source: &[u8], diagnostics: &mut Vec<Diagnostic>) -> File {
    let tokens = lex(source);
    let head = Span::default();
    Parser { source, tokens: &tokens, next: 0, head, unexpected_at: None, errors: 0, diagnostics }
        .file()
}

/// What the grammar does not allow here.
struct Syntax {
    /// The token in the way.
    token: Token,
    /// What could have stood there.
    expected: &'static str,
}

type Parsed<T> = Result<T, Syntax>;

struct Parser<'a> {
    source: &'a [u8],
    tokens: &'a [Token],
    /// Index of the token that is looked at.
    next: usize,
    /// The keyword whose arguments are read.
    head: Span,
    /// Start of the last token that was complained about, which is not done twice.
    unexpected_at: Option<usize>,
    errors: usize,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Parser<'_> {
    fn peek(&self) -> Token {
        let end = Span { start: self.source.len(), end: self.source.len() };
        let token = self.tokens.get(self.next).copied();
        token.unwrap_or(Token { kind: TokenKind::End, span: end })
    }

    fn advance(&mut self) -> Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    /// Whether the next token is this one, which then is taken.
    fn takes(&mut self, kind: TokenKind) -> bool {
        let is_next = self.peek().kind == kind;
        self.next += usize::from(is_next);
        is_next
    }

    fn unexpected<T>(&self, expected: &'static str) -> Parsed<T> {
        Err(Syntax { token: self.peek(), expected })
    }

    fn expect(&mut self, kind: TokenKind, expected: &'static str) -> Parsed<Token> {
        if self.peek().kind == kind { Ok(self.advance()) } else { self.unexpected(expected) }
    }

    fn file(&mut self) -> File {
        let mut file = File::default();
        loop {
            let token = self.peek();
            match token.kind {
                TokenKind::End => return file,
                TokenKind::Keyword(keyword) if keyword.is_section() => {
                    self.head = self.advance().span;
                    match self.section(keyword) {
                        Ok(section) => file.sections.push(section),
                        Err(syntax) => self.report(&syntax),
                    }
                    if keyword == Keyword::Helper {
                        self.note(Problem::HelperLater, token.span);
                    }
                }
                _ => {
                    self.report(&Syntax { token, expected: "a section" });
                    self.skip_to_section();
                }
            }
        }
    }

    /// The statements of a block, each started by one of these words, with the braces.
    fn block<S>(
        &mut self,
        keywords: &[Keyword],
        statement: fn(&mut Self, Keyword) -> Parsed<S>,
    ) -> Parsed<Block<S>> {
        let head = self.head;
        self.expect(TokenKind::Open, "`{'")?;
        let close = Span::default();
        let mut block = Block { statements: Vec::new(), head, close, is_damaged: false };
        loop {
            let token = self.peek();
            let parsed = match token.kind {
                TokenKind::Close => {
                    block.close = self.advance().span;
                    return Ok(block);
                }
                TokenKind::Keyword(keyword) if keywords.contains(&keyword) => {
                    self.head = self.advance().span;
                    statement(self, keyword)
                }
                _ => Err(Syntax { token, expected: "a statement of this block or `}'" }),
            };
            match parsed {
                Ok(value) => {
                    let span = token.span.to(self.last_span());
                    block.statements.push(At { value, span });
                }
                Err(syntax) => {
                    self.report(&syntax);
                    block.is_damaged = true;
                    self.skip_to_statement(keywords);
                    if self.ends_all_blocks() {
                        self.report(&Syntax { token: self.peek(), expected: "`}'" });
                        block.close = self.peek().span;
                        return Ok(block);
                    }
                }
            }
        }
    }

    /// Words between braces. An error takes the rest of the list with it.
    fn list<T>(&mut self, item: fn(&mut Self, &mut Vec<T>) -> Parsed<()>) -> Parsed<Vec<T>> {
        self.expect(TokenKind::Open, "`{'")?;
        let mut items = Vec::new();
        while !self.takes(TokenKind::Close) {
            if let Err(syntax) = item(self, &mut items) {
                self.report(&syntax);
                self.skip_to_statement(&[]);
                if self.ends_all_blocks() {
                    return self.unexpected("`}'");
                }
            }
        }
        Ok(items)
    }

    fn last_span(&self) -> Span {
        let last = self.next.checked_sub(1).and_then(|index| self.tokens.get(index));
        last.map_or(Span::default(), |token| token.span)
    }

    /// Whether a section starts here or the text ends, so that the closing braces are missing.
    fn ends_all_blocks(&self) -> bool {
        match self.peek().kind {
            TokenKind::End => true,
            TokenKind::Keyword(keyword) => keyword.is_section(),
            _ => false,
        }
    }

    fn skip_to_statement(&mut self, keywords: &[Keyword]) {
        let mut depth = 0_usize;
        loop {
            match self.peek().kind {
                TokenKind::End => return,
                TokenKind::Open => depth += 1,
                TokenKind::Close if depth == 0 => return,
                TokenKind::Close => depth -= 1,
                TokenKind::Keyword(keyword)
                    if depth == 0 && (keywords.contains(&keyword) || keyword.is_section()) =>
                {
                    return;
                }
                _ => {}
            }
            self.advance();
        }
    }

    fn skip_to_section(&mut self) {
        let mut depth = 0_usize;
        while !(depth == 0 && self.ends_all_blocks() || self.peek().kind == TokenKind::End) {
            match self.advance().kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn report(&mut self, syntax: &Syntax) {
        let span = syntax.token.span;
        if self.unexpected_at == Some(span.start) {
            return;
        }
        self.unexpected_at = Some(span.start);
        self.errors += 1;
        if self.errors == ERRORS_MAX {
            self.next = self.tokens.len();
            self.unexpected_at = Some(self.source.len());
        }
        let problem = Problem::Syntax {
            line: line_number(self.source, span.start),
            symbol: shown(self.source, span),
            expected: syntax.expected,
        };
        self.note(problem, span);
    }

    fn note(&mut self, problem: Problem, span: Span) {
        self.diagnostics.push(Diagnostic { problem, span, raised_at: span.start });
    }
}
