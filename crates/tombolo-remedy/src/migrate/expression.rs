//! Expressions of SQLite in the words of a target.
//!
//! Only what means the same in both is translated, token by token; at anything else this stops, and
//! the report says at what. The target has the last word: it refuses what its types do not allow.

use super::kind::Kind;
use super::token::{self, Token};
use std::collections::HashMap;

/// The columns that an expression can name, by name in lower case.
pub(super) type Columns = HashMap<String, (String, Kind)>;

/// Keywords that mean the same, or are one in the words of the target.
const KEYWORDS: [&str; 19] = [
    "AND", "OR", "NOT", "NULL", "IN", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "ISNULL",
    "NOTNULL", "TRUE", "FALSE", "IS", "DISTINCT", "FROM", "ESCAPE",
];

/// The words of a target for expressions.
pub(super) trait Words {
    /// A name, as it is.
    fn quoted(&self, name: &str) -> String;

    /// A text.
    fn literal(&self, text: &str) -> String;

    /// A blob, by its digits in lower case.
    fn blob(&self, digits: &str) -> String;

    /// A date or a time, as SQLite has it.
    fn moment(&self, text: &str) -> String;

    /// A number that is no integer.
    fn real(&self, digits: &str) -> String;

    /// A keyword, in upper case.
    fn keyword(&self, word: &str) -> String;

    /// Whether the target compares and computes with these operands as SQLite does.
    ///
    /// # Errors
    /// What it would do otherwise.
    fn check(&self, tokens: &[Token], columns: &Columns) -> Result<(), String>;

    /// An operator that does not mean the same everywhere.
    ///
    /// # Errors
    /// Why it does not mean the same here.
    fn operator(&self, spot: &Spot<'_>) -> Result<String, String>;

    /// A column, and how many tokens that were.
    ///
    /// # Errors
    /// Why it cannot stand here.
    fn column(&self, spot: &Spot<'_>, name: &str, kind: Kind) -> Result<(String, usize), String>;

    /// `IS` and `IS NOT` with what is not NULL.
    ///
    /// # Errors
    /// Why there is no such thing.
    fn same(&self, not: bool) -> Result<&'static str, String>;

    /// `LIKE` with an ASCII pattern without a backslash.
    ///
    /// # Errors
    /// Why it would mean something else.
    fn like(&self, pattern: &str) -> Result<String, String>;

    /// What stands around the arguments of a function, of which there are so many.
    ///
    /// # Errors
    /// Why it would mean something else.
    fn function(&self, name: &str, arguments: usize) -> Result<(String, &'static str), String>;

    /// The type that a value of this kind is cast to, if that means the same.
    fn cast(&self, from: Option<Kind>, to: &str) -> Option<&'static str>;
}

/// A token and what stands around it.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) index: usize,
    pub(super) place: Place,
    pub(super) columns: &'a Columns,
}

/// What stands around a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A truth value may be wanted.
    Condition,
    /// Values are.
    Values,
}

impl<'a> Spot<'a> {
    pub(super) fn token(&self) -> &'a Token {
        &self.tokens[self.index]
    }

    /// The one that stands so many tokens after it.
    pub(super) fn after(&self, count: usize) -> Option<&'a Token> {
        self.tokens.get(self.index + count)
    }

    pub(super) fn before(&self) -> Option<&'a Token> {
        self.index.checked_sub(1).map(|before| &self.tokens[before])
    }

    /// Whether a truth value ends before it, so that another begins here.
    pub(super) fn begins(&self) -> bool {
        let joins = |token: &Token| is_one(token, &["AND", "OR", "NOT", "WHEN"]);
        self.place == Place::Condition && self.before().is_none_or(joins)
    }

    /// Whether a truth value ends before the one that stands so many tokens after it.
    pub(super) fn ends(&self, count: usize) -> bool {
        self.after(count).is_none_or(|token| is_one(token, &["AND", "OR", "THEN"]))
    }

    /// The kind of the column that a token names.
    pub(super) fn kind_of(&self, token: &Token) -> Option<Kind> {
        self.columns.get(&token.text.to_lowercase()).map(|(_, kind)| *kind)
    }
}

fn is_one(token: &Token, words: &[&str]) -> bool {
    words.iter().any(|word| token.is(word))
}

/// Translates an expression.
///
/// # Errors
/// What stands in the way.
pub(super) fn translate<W: Words + ?Sized>(
    tokens: &[Token],
    columns: &Columns,
    words: &W,
) -> Result<String, String> {
    if tokens.is_empty() {
        return Err("its text could not be read".to_owned());
    }
    let mut out = Writer { columns, words, parts: Vec::new() };
    out.all(tokens, Place::Condition)?;
    words.check(tokens, columns)?;
    Ok(out.parts.join(" "))
}

struct Writer<'a, W: ?Sized> {
    columns: &'a Columns,
    words: &'a W,
    parts: Vec<String>,
}

impl<W: Words + ?Sized> Writer<'_, W> {
    fn all(&mut self, tokens: &[Token], place: Place) -> Result<(), String> {
        let mut index = 0;
        while index < tokens.len() {
            index += self.one(&Spot { tokens, index, place, columns: self.columns })?;
        }
        Ok(())
    }

    /// Translates what begins at a spot, and says how many tokens that was.
    fn one(&mut self, spot: &Spot<'_>) -> Result<usize, String> {
        let token = spot.token();
        match token.kind {
            token::Kind::Number => self.put(self.number(&token.text)?),
            token::Kind::Text => self.put(self.words.literal(&token.text)),
            token::Kind::Blob => self.put(self.words.blob(&token.text.to_lowercase())),
            token::Kind::Symbol => return self.symbol(spot),
            token::Kind::Name | token::Kind::Word => {
                let opens = spot.after(1).is_some_and(|next| next.is_symbol("("));
                if token.kind == token::Kind::Word && opens && !is_keyword(token) {
                    return self.function(spot);
                }
                if let Some((name, kind)) = self.columns.get(&token.text.to_lowercase()) {
                    let (text, length) = self.words.column(spot, name, *kind)?;
                    self.put(text);
                    return Ok(length);
                }
                if token.double_quoted {
                    self.put(self.words.literal(&token.text));
                } else if token.is("IS") {
                    return self.is(spot);
                } else if token.is("LIKE") {
                    return self.like(spot);
                } else if token.kind == token::Kind::Word && is_keyword(token) {
                    self.put(self.words.keyword(&token.text.to_uppercase()));
                } else {
                    return Err(format!("{} is not translated", token.text));
                }
            }
        }
        Ok(1)
    }

    fn put(&mut self, part: impl Into<String>) {
        self.parts.push(part.into());
    }

    fn number(&self, text: &str) -> Result<String, String> {
        let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) else {
            let whole = text.bytes().all(|byte| byte.is_ascii_digit());
            return Ok(if whole { text.to_owned() } else { self.words.real(text) });
        };
        let value = u64::from_str_radix(digits, 16).map_err(|_| format!("{text} is no number"))?;
        // SQLite takes the 64 bits as a signed integer.
        Ok(value.cast_signed().to_string())
    }

    fn symbol(&mut self, spot: &Spot<'_>) -> Result<usize, String> {
        match spot.token().text.as_str() {
            "(" => {
                let (inside, after) = token::in_parentheses(spot.tokens, spot.index)
                    .ok_or_else(|| "its parentheses do not match".to_owned())?;
                let list = spot.before().is_some_and(|before| before.is("IN"));
                let inner = if list { Place::Values } else { spot.place };
                self.put("(");
                self.all(inside, inner)?;
                self.put(")");
                return Ok(after - spot.index);
            }
            "==" => self.put("="),
            "!=" => self.put("<>"),
            symbol @ ("=" | "<>" | "<" | ">" | "<=" | ">=" | "+" | "-" | "*" | "||" | ",") => {
                self.put(symbol);
            }
            "/" | "%" | "&" | "|" | "<<" | ">>" | "~" => self.put(self.words.operator(spot)?),
            other => return Err(not_translated(other)),
        }
        Ok(1)
    }

    /// `IS` compares values; that of other databases knows NULL and truth values only.
    fn is(&mut self, spot: &Spot<'_>) -> Result<usize, String> {
        let not = spot.after(1).is_some_and(|token| token.is("NOT"));
        let length = 1 + usize::from(not);
        let after = spot.after(length);
        if after.is_some_and(|token| token.is("DISTINCT")) {
            if !spot.after(length + 1).is_some_and(|token| token.is("FROM")) {
                return Err("IS DISTINCT wants FROM".to_owned());
            }
            self.put(self.words.same(!not)?);
            return Ok(length + 2);
        }
        let null = after.is_some_and(|token| token.is("NULL"));
        self.put(match (null, not) {
            (true, false) => "IS",
            (true, true) => "IS NOT",
            (false, not) => self.words.same(not)?,
        });
        Ok(length)
    }

    /// SQLite's LIKE does not tell ASCII case apart and has no escape character of its own.
    fn like(&mut self, spot: &Spot<'_>) -> Result<usize, String> {
        match spot.after(1) {
            Some(pattern)
                if pattern.kind == token::Kind::Text
                    && pattern.text.is_ascii()
                    && !pattern.text.contains('\\') =>
            {
                self.put(self.words.like(&pattern.text)?);
                Ok(2)
            }
            _ => Err("LIKE is translated for plain patterns only".to_owned()),
        }
    }

    fn function(&mut self, spot: &Spot<'_>) -> Result<usize, String> {
        let name = spot.token().text.to_lowercase();
        let (inside, after) = token::in_parentheses(spot.tokens, spot.index + 1)
            .ok_or_else(|| "its parentheses do not match".to_owned())?;
        let length = after - spot.index;
        match name.as_str() {
            "typeof" => self.type_of(inside)?,
            "cast" => self.cast(inside)?,
            _ => {
                let arguments = token::split_at_commas(inside).len();
                let (open, close) = self.words.function(&name, arguments)?;
                self.put(open);
                self.all(inside, Place::Values)?;
                self.put(close);
            }
        }
        Ok(length)
    }

    /// Each column has one type in the target: what `typeof` says of it is known.
    fn type_of(&mut self, inside: &[Token]) -> Result<(), String> {
        let [one] = inside else {
            return Err("typeof is translated for columns only".to_owned());
        };
        let found = self.columns.get(&one.text.to_lowercase());
        let (name, kind) = found.ok_or("typeof is translated for columns only")?;
        let class = match kind {
            Kind::Boolean | Kind::Integer => "integer",
            Kind::Real | Kind::Decimal(_) => "real",
            Kind::Text | Kind::Varchar(_) | Kind::Moment(_) => "text",
            Kind::Bytes | Kind::Varbinary(_) => "blob",
        };
        let name = self.words.quoted(name);
        self.put(format!("CASE WHEN {name} IS NULL THEN 'null' ELSE '{class}' END"));
        Ok(())
    }

    /// Casts of texts to numbers read as far as there are digits, so they are not translated.
    fn cast(&mut self, inside: &[Token]) -> Result<(), String> {
        let refused = || "this CAST is not translated".to_owned();
        let at = inside.iter().position(|token| token.is("AS")).ok_or_else(refused)?;
        let (what, to) = (&inside[..at], &inside[at + 1..]);
        let [to] = to else { return Err(refused()) };
        let kind = match what {
            [one] => self.columns.get(&one.text.to_lowercase()).map(|(_, kind)| *kind),
            _ => None,
        };
        let to = self.words.cast(kind, &to.text.to_ascii_uppercase()).ok_or_else(refused)?;
        self.put("CAST(");
        self.all(what, Place::Values)?;
        self.put(format!("AS {to})"));
        Ok(())
    }
}

/// Why an operator is not translated.
pub(super) fn not_translated(operator: &str) -> String {
    format!("the operator {operator} is not translated")
}

/// Why a function is not translated.
pub(super) fn not_known(function: &str) -> String {
    format!("the function {function} is not translated")
}

/// Whether it is a number that is not zero: division by zero is NULL in SQLite.
pub(super) fn divides_safely(divisor: Option<&Token>) -> bool {
    divisor.is_some_and(|token| {
        token.kind == token::Kind::Number && token.text.chars().any(|c| ('1'..='9').contains(&c))
    })
}

fn is_keyword(token: &Token) -> bool {
    KEYWORDS.iter().any(|keyword| token.is(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::postgres::Postgres;

    fn columns() -> Columns {
        [("a", Kind::Integer), ("b", Kind::Boolean), ("t", Kind::Text), ("r", Kind::Real)]
            .into_iter()
            .map(|(name, kind)| (name.to_owned(), (name.to_owned(), kind)))
            .collect()
    }

    #[test]
    fn what_means_the_same_is_translated() {
        for (sql, wanted) in [
            ("a > 0 AND T IS NOT NULL", "\"a\" > 0 AND \"t\" IS NOT NULL"),
            ("b = 1", "(\"b\" = true)"),
            ("NOT b", "NOT \"b\""),
            ("a", "(\"a\" <> 0)"),
            ("b IN (0, 1)", "\"b\"::integer IN ( 0 , 1 )"),
            ("length(t) == 3", "length( \"t\" ) = 3"),
            ("ifnull(t, 'it''s')", "coalesce( \"t\" , 'it''s' )"),
            ("t IS 'x'", "\"t\" IS NOT DISTINCT FROM 'x'"),
            ("t LIKE 'a%'", "\"t\" ILIKE 'a%' COLLATE \"C\""),
            ("lower(t) = 'x'", "lower( ( \"t\" ) COLLATE \"C\" ) = 'x'"),
            ("a / 2 = \"no column\"", "\"a\" / 2 = 'no column'"),
            (
                "typeof(a) = 'integer'",
                "CASE WHEN \"a\" IS NULL THEN 'null' ELSE 'integer' END = 'integer'",
            ),
            ("0xff", "255"),
            ("x'0A'", "'\\x0a'::bytea"),
        ] {
            let found = translate(&token::tokens(sql), &columns(), &Postgres);
            assert_eq!(found.as_deref(), Ok(wanted), "{sql}");
        }
    }

    #[test]
    fn what_may_mean_something_else_is_not() {
        for sql in [
            "t GLOB 'a*'",
            "a / r",
            "strftime('%s', t) > 0",
            "unknown",
            "a -> '$.x'",
            "(a",
            "",
            "EXISTS (SELECT 1)",
            "t LIKE t",
            "CAST(t AS INTEGER)",
            "max(a, 1)",
            "t COLLATE NOCASE = 'a'",
            "a % 0",
            "CURRENT_TIME",
            "round(r, 1)",
        ] {
            let found = translate(&token::tokens(sql), &columns(), &Postgres);
            assert!(found.is_err(), "{sql}: {found:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(sql in "[ab t()=<>0-9'\",.NULISCAE]{0,40}") {
            let _ = translate(&token::tokens(&sql), &columns(), &Postgres);
        }
    }
}
