//! A Rust file as a flat row of tokens with line numbers. Comments and the insides of string
//! literals cannot be mistaken for code.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::str::FromStr;

/// One token: an identifier, a literal, one character of punctuation, or one bracket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
}

/// A Rust file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) tokens: Vec<Token>,
    /// Where tests begin: 1 in a file of tests, past the end where there are none.
    pub(crate) first_test_line: usize,
}

impl Source {
    /// Reads a file; `None` if it is not made of Rust tokens, which the compiler will say better.
    pub(crate) fn parse(path: &str, text: &str) -> Option<Source> {
        let mut tokens = Vec::new();
        flatten(TokenStream::from_str(text).ok()?, &mut tokens);
        Some(Source { tokens, first_test_line: first_test_line(path, text) })
    }

    /// The tokens outside tests.
    pub(crate) fn product(&self) -> &[Token] {
        let end = self.tokens.partition_point(|token| token.line < self.first_test_line);
        &self.tokens[..end]
    }

    /// The tokens of tests.
    pub(crate) fn tests(&self) -> &[Token] {
        &self.tokens[self.product().len()..]
    }
}

/// From here to the end of the file stand tests: a house rule that keeps this simple is that the
/// test module is the last item of its file.
pub(crate) fn first_test_line(path: &str, text: &str) -> usize {
    if path.contains("/tests/") || path.ends_with("/tests.rs") {
        return 1;
    }
    let lines = text.lines().count();
    text.lines().position(|line| line == "#[cfg(test)]").map_or(lines + 1, |index| index + 1)
}

/// Where a sequence of tokens begins, each time; `path` is written as in Rust: `std :: fs`.
pub(crate) fn find<'a>(
    tokens: &'a [Token],
    words: &'a [&'a str],
) -> impl Iterator<Item = &'a Token> {
    tokens
        .windows(words.len())
        .filter(move |window| window.iter().zip(words).all(|(token, word)| token.text == *word))
        .filter_map(|window| window.first())
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                tokens.push(Token { text: open.into(), line });
                flatten(group.stream(), tokens);
                let line = group.span_close().end().line;
                tokens.push(Token { text: close.into(), line });
            }
            other => tokens.push(Token { text: other.to_string(), line }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_not_code() {
        let source =
            Source::parse("a.rs", "// unsafe\nfn f() { \"unsafe {\"; }\nunsafe {}\n").unwrap();
        let lines: Vec<usize> = find(&source.tokens, &["unsafe"]).map(|t| t.line).collect();
        assert_eq!(lines, [3]);
    }

    #[test]
    fn tests_are_told_from_product() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\n";
        let source = Source::parse("crates/x/src/a.rs", text).unwrap();
        assert!(find(source.product(), &["fn", "a"]).next().is_some());
        assert!(find(source.product(), &["fn", "b"]).next().is_none());
        assert!(find(source.tests(), &["fn", "b"]).next().is_some());
        let whole = Source::parse("crates/x/tests/a.rs", text).unwrap();
        assert!(whole.product().is_empty());
    }
}
