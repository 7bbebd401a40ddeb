//! The words of SQL as SQLite writes it, <https://sqlite.org/lang.html>.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word: a keyword or a name.
    Word,
    /// A name in `""`, <code>``</code> or `[]`; its text is without them.
    Name,
    /// A text in `''`, without them.
    Text,
    /// The digits of a blob literal.
    Blob,
    /// A number.
    Number,
    /// An operator or a sign.
    Symbol,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// A name in `""`: where no such column exists, SQLite takes it for a text
    /// (<https://sqlite.org/quirks.html>, section 8).
    pub(super) double_quoted: bool,
}

impl Token {
    /// Whether it is this bare keyword.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == Kind::Symbol && self.text == symbol
    }

    /// The name that it can stand for; SQLite also takes a text in `''` for one.
    pub(super) fn name(&self) -> Option<&str> {
        matches!(self.kind, Kind::Word | Kind::Name | Kind::Text).then_some(self.text.as_str())
    }
}

const SYMBOLS: [&str; 10] = ["->>", "->", "||", "<=", ">=", "<>", "!=", "==", "<<", ">>"];

/// All tokens, without comments and blanks. What is cut off ends where the text ends.
pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first);
        found.extend(token);
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    found
}

fn next(rest: &str, first: char) -> (Option<Token>, usize) {
    let plain = |kind, text: &str| Token { kind, text: text.to_owned(), double_quoted: false };
    if first.is_ascii_whitespace() {
        return (None, 1);
    }
    if rest.starts_with("--") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    match first {
        '\'' | '"' | '`' | '[' => {
            let kind = if first == '\'' { Kind::Text } else { Kind::Name };
            let (text, length) = quoted(rest, if first == '[' { ']' } else { first });
            (Some(Token { kind, text, double_quoted: first == '"' }), length)
        }
        'x' | 'X' if rest[1..].starts_with('\'') => {
            let (text, length) = quoted(&rest[1..], '\'');
            (Some(plain(Kind::Blob, &text)), length + 1)
        }
        '0'..='9' => number(rest),
        '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => number(rest),
        _ if is_word(first) => {
            let length = rest.find(|other| !is_word(other)).unwrap_or(rest.len());
            (Some(plain(Kind::Word, &rest[..length])), length)
        }
        _ => {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let length = symbol.map_or(first.len_utf8(), |symbol| symbol.len());
            (Some(plain(Kind::Symbol, &rest[..length])), length)
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || character == '_'
        || character == '$'
        || !character.is_ascii()
}

/// A number ends where its digits do; an exponent may have a sign.
fn number(rest: &str) -> (Option<Token>, usize) {
    let mut length = 0;
    let mut before = ' ';
    for character in rest.chars() {
        let sign = matches!(character, '+' | '-')
            && matches!(before, 'e' | 'E')
            && !rest.starts_with("0x")
            && !rest.starts_with("0X");
        if !(character.is_ascii_alphanumeric() || matches!(character, '.' | '_') || sign) {
            break;
        }
        length += 1;
        before = character;
    }
    let text = rest[..length].replace('_', "");
    (Some(Token { kind: Kind::Number, text, double_quoted: false }), length)
}

/// A quoted text, with its doubled quotes made single, and its length with the quotes.
fn quoted(rest: &str, close: char) -> (String, usize) {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character != close {
            text.push(character);
        } else if close != ']' && characters.next_if(|(_, next)| *next == close).is_some() {
            text.push(close);
        } else {
            return (text, index + 1);
        }
    }
    (text, rest.len())
}

/// The parts between commas that are in no parentheses.
pub(super) fn split_at_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (index, token) in tokens.iter().enumerate() {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_symbol(",") {
            parts.push(&tokens[start..index]);
            start = index + 1;
        }
    }
    parts.push(&tokens[start..]);
    parts
}

/// What stands in the parentheses that begin at `open`, and the index after them.
pub(super) fn in_parentheses(tokens: &[Token], open: usize) -> Option<(&[Token], usize)> {
    let mut depth = 0_usize;
    if !tokens.get(open)?.is_symbol("(") {
        return None;
    }
    for (index, token) in tokens.iter().enumerate().skip(open) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
            if depth == 0 {
                return Some((&tokens[open + 1..index], index + 1));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        tokens(sql).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn names_texts_numbers_and_comments_are_told_apart() {
        assert_eq!(
            texts("a \"b\"\"c\" [d e] `f``g` 'h''i' x'0aF' 1.5e-3 .5 0xff||b--c\n/*d*/->>"),
            ["a", "b\"c", "d e", "f`g", "h'i", "0aF", "1.5e-3", ".5", "0xff", "||", "b", "->>"]
        );
        assert_eq!(texts("gr\u{f6}\u{df}e>=1_000"), ["gr\u{f6}\u{df}e", ">=", "1000"]);
    }

    #[test]
    fn what_is_cut_off_ends_with_the_text() {
        for sql in ["'a", "\"a", "/*", "--", "x'", "[", "(", "1e", "'''"] {
            tokens(sql);
        }
        assert!(in_parentheses(&tokens("(a"), 0).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_tokens(sql in "\\PC{0,60}") {
            for token in tokens(&sql) {
                proptest::prop_assert!(token.kind != Kind::Symbol || !token.text.is_empty());
            }
        }
    }
}
