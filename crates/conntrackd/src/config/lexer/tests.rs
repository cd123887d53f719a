use super::{TokenKind, lex};
use crate::config::ast::ModeName;
use crate::config::keyword::Keyword;

fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
    lex(text.as_bytes())
        .into_iter()
        .map(|token| (token.kind, &text[token.span.start..token.span.end]))
        .collect()
}

#[test]
fn each_kind_of_token_is_known() {
    for (text, kind) in [
        ("HashSize", TokenKind::Keyword(Keyword::HashSize)),
        ("hashsize", TokenKind::Name),
        ("HashSizes", TokenKind::Name),
        ("oN", TokenKind::Switch(true)),
        ("YES", TokenKind::Switch(true)),
        ("No", TokenKind::Switch(false)),
        ("oFF", TokenKind::Switch(false)),
        ("only", TokenKind::Name),
        ("0017", TokenKind::Number(17)),
        ("99999999999999999999", TokenKind::Number(u64::MAX)),
        ("-20", TokenKind::Signed(-20)),
        ("+99999999999999999999", TokenKind::Signed(i64::MAX)),
        ("300.1.02.3/99", TokenKind::Address),
        ("::", TokenKind::Address),
        ("::1/128", TokenKind::Address),
        ("fe80::1:2", TokenKind::Address),
        ("1:2:3:4:5:6:7:8:9", TokenKind::Address),
        ("bad", TokenKind::Address),
        ("12ab", TokenKind::Address),
        ("abcde", TokenKind::Name),
        ("fe80-x", TokenKind::Name),
        ("br-lan.100_x", TokenKind::Name),
        ("/x}#", TokenKind::Path),
        ("/", TokenKind::Path),
        ("FtFw", TokenKind::Mode(ModeName::Ftfw)),
        ("nack", TokenKind::Mode(ModeName::Nack)),
        ("persistent", TokenKind::Mode(ModeName::Persistent)),
        ("{", TokenKind::Open),
        ("}", TokenKind::Close),
        ("=", TokenKind::Other),
        ("é", TokenKind::Other),
        ("+", TokenKind::Other),
    ] {
        assert_eq!(kinds(text), [(kind, text)]);
    }
}

#[test]
fn the_longest_match_ends_where_the_next_token_starts() {
    for (text, pieces) in [
        ("0x10", &["0", "x10"][..]),
        ("1024;", &["1024", ";"]),
        ("General{HashSize", &["General", "{", "HashSize"]),
        ("1::2::3", &["1::2", "::3"]),
        ("1:2:", &["1:2", ":"]),
        ("10.0.0", &["10", ".", "0", ".", "0"]),
        ("10.0.0.1/", &["10.0.0.1", "/"]),
        ("/a\"b", &["/a", "\"", "b"]),
        ("eth0:1", &["eth0", ":", "1"]),
        ("é=", &["é", "="]),
    ] {
        let found: Vec<_> = kinds(text).into_iter().map(|(_, piece)| piece).collect();
        assert_eq!(found, pieces, "{text}");
    }
}

#[test]
fn comments_and_blanks_are_no_tokens() {
    assert_eq!(kinds("# a { b\n\t\r # at the end of the file").len(), 0);
    assert_eq!(kinds("/path\r\n"), [(TokenKind::Path, "/path")]);
    assert_eq!(kinds("/path\tx").len(), 2);
}
