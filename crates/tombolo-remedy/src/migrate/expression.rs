//! Expressions of SQLite in the words of PostgreSQL.
//!
//! Only what means the same in both is translated, token by token; at anything else this stops, and
//! the report says at what. The target has the last word: it refuses what its types do not allow.

use super::kind::Kind;
use super::postgres::{literal, quoted};
use super::token::{self, Token};
use std::collections::HashMap;

/// The columns that an expression can name, by name in lower case.
pub(super) type Columns = HashMap<String, (String, Kind)>;

/// Keywords that mean the same.
const KEYWORDS: [&str; 19] = [
    "AND", "OR", "NOT", "NULL", "IN", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "ISNULL",
    "NOTNULL", "TRUE", "FALSE", "IS", "DISTINCT", "FROM", "ESCAPE",
];

/// Functions that mean the same, with how many arguments, and PostgreSQL's names of them.
const FUNCTIONS: [(&str, usize, &str); 14] = [
    ("lower", 1, "lower"),
    ("upper", 1, "upper"),
    ("length", 1, "length"),
    ("abs", 1, "abs"),
    ("nullif", 2, "nullif"),
    ("ifnull", 2, "coalesce"),
    ("coalesce", 2, "coalesce"),
    ("coalesce", 3, "coalesce"),
    ("coalesce", 4, "coalesce"),
    ("trim", 1, "btrim"),
    ("ltrim", 1, "ltrim"),
    ("rtrim", 1, "rtrim"),
    ("replace", 3, "replace"),
    ("instr", 2, "strpos"),
];

/// Translates an expression.
///
/// # Errors
/// What stands in the way.
pub(super) fn translate(tokens: &[Token], columns: &Columns) -> Result<String, String> {
    if tokens.is_empty() {
        return Err("its text could not be read".to_owned());
    }
    let mut out = Writer { columns, parts: Vec::new() };
    out.all(tokens, Place::Condition)?;
    Ok(out.parts.join(" "))
}

/// What stands around a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A truth value may be wanted.
    Condition,
    /// Values are.
    Values,
}

struct Writer<'a> {
    columns: &'a Columns,
    parts: Vec<String>,
}

impl Writer<'_> {
    fn all(&mut self, tokens: &[Token], place: Place) -> Result<(), String> {
        let mut index = 0;
        while index < tokens.len() {
            index += self.one(tokens, index, place)?;
        }
        Ok(())
    }

    /// Translates what begins at `index`, and says how many tokens that was.
    fn one(&mut self, tokens: &[Token], index: usize, place: Place) -> Result<usize, String> {
        let token = &tokens[index];
        let next = tokens.get(index + 1);
        match token.kind {
            token::Kind::Number => self.put(number(&token.text)?),
            token::Kind::Text => self.put(literal(&token.text)),
            token::Kind::Blob => self.put(format!("'\\x{}'::bytea", token.text.to_lowercase())),
            token::Kind::Symbol => return self.symbol(tokens, index, place),
            token::Kind::Name | token::Kind::Word => {
                let opens = next.is_some_and(|next| next.is_symbol("("));
                if token.kind == token::Kind::Word && opens && !is_keyword(token) {
                    return self.function(tokens, index);
                }
                if let Some((name, kind)) = self.columns.get(&token.text.to_lowercase()) {
                    return Ok(self.column(tokens, index, place, name.clone(), *kind));
                }
                if token.double_quoted {
                    self.put(literal(&token.text));
                } else if token.is("IS") {
                    return self.is(tokens, index);
                } else if token.is("LIKE") {
                    return self.like(tokens, index);
                } else if token.kind == token::Kind::Word && is_keyword(token) {
                    self.put(token.text.to_uppercase());
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

    fn symbol(&mut self, tokens: &[Token], index: usize, place: Place) -> Result<usize, String> {
        match tokens[index].text.as_str() {
            "(" => {
                let (inside, after) = token::in_parentheses(tokens, index)
                    .ok_or_else(|| "its parentheses do not match".to_owned())?;
                let list = index > 0 && tokens[index - 1].is("IN");
                let inner = if list { Place::Values } else { place };
                self.put("(");
                self.all(inside, inner)?;
                self.put(")");
                Ok(after - index)
            }
            "==" => Ok(self.symbol_as("=")),
            "!=" => Ok(self.symbol_as("<>")),
            symbol @ ("=" | "<>" | "<" | ">" | "<=" | ">=" | "+" | "-" | "*" | "||" | "," | "&"
            | "|" | "<<" | ">>" | "~") => Ok(self.symbol_as(symbol)),
            // Division by zero is NULL in SQLite and an error in PostgreSQL.
            "/" | "%" if divides_safely(tokens.get(index + 1)) => {
                Ok(self.symbol_as(&tokens[index].text))
            }
            other => Err(format!("the operator {other} is not translated")),
        }
    }

    fn symbol_as(&mut self, symbol: &str) -> usize {
        self.put(symbol);
        1
    }

    /// A column: a truth value in SQLite is any number.
    fn column(
        &mut self,
        tokens: &[Token],
        index: usize,
        place: Place,
        name: String,
        kind: Kind,
    ) -> usize {
        let before = index.checked_sub(1).map(|before| &tokens[before]);
        let (next, third) = (tokens.get(index + 1), tokens.get(index + 2));
        let joins = |token: &Token, words: &[&str]| words.iter().any(|word| token.is(word));
        let free_before = before.is_none_or(|token| joins(token, &["AND", "OR", "NOT", "WHEN"]));
        let free_after =
            |token: Option<&Token>| token.is_none_or(|token| joins(token, &["AND", "OR", "THEN"]));
        let name = quoted(&name);
        let bare = place == Place::Condition && free_before && free_after(next);
        if kind != Kind::Boolean {
            let number = matches!(kind, Kind::Integer | Kind::Real | Kind::Decimal);
            self.put(if bare && number { format!("({name} <> 0)") } else { name });
            return 1;
        }
        if bare {
            self.put(name);
            return 1;
        }
        let equals = next.is_some_and(|next| next.is_symbol("=") || next.is_symbol("=="));
        if place == Place::Condition
            && free_before
            && equals
            && free_after(tokens.get(index + 3))
            && let Some(value) = third.filter(|third| third.text == "0" || third.text == "1")
        {
            self.put(format!("({name} = {})", value.text == "1"));
            return 3;
        }
        let known =
            next.is_some_and(|next| next.is("IS") || next.is("ISNULL") || next.is("NOTNULL"));
        self.put(if known { name } else { format!("{name}::integer") });
        1
    }

    /// `IS` compares values; PostgreSQL's knows NULL and truth values only.
    fn is(&mut self, tokens: &[Token], index: usize) -> Result<usize, String> {
        let not = tokens.get(index + 1).is_some_and(|token| token.is("NOT"));
        let length = 1 + usize::from(not);
        let after = tokens.get(index + length);
        let known = after.is_some_and(|token| token.is("NULL") || token.is("DISTINCT"));
        self.put(match (known, not) {
            (true, false) => "IS",
            (true, true) => "IS NOT",
            (false, false) => "IS NOT DISTINCT FROM",
            (false, true) => "IS DISTINCT FROM",
        });
        Ok(length)
    }

    /// SQLite's LIKE does not tell ASCII case apart and has no escape character of its own.
    fn like(&mut self, tokens: &[Token], index: usize) -> Result<usize, String> {
        match tokens.get(index + 1) {
            Some(pattern)
                if pattern.kind == token::Kind::Text
                    && pattern.text.is_ascii()
                    && !pattern.text.contains('\\') =>
            {
                self.put(format!("ILIKE {} COLLATE \"C\"", literal(&pattern.text)));
                Ok(2)
            }
            _ => Err("LIKE is translated for plain patterns only".to_owned()),
        }
    }

    fn function(&mut self, tokens: &[Token], index: usize) -> Result<usize, String> {
        let name = tokens[index].text.to_lowercase();
        let (inside, after) = token::in_parentheses(tokens, index + 1)
            .ok_or_else(|| "its parentheses do not match".to_owned())?;
        let arguments = token::split_at_commas(inside);
        if name == "typeof" {
            self.type_of(inside)?;
            return Ok(after - index);
        }
        if name == "cast" {
            self.cast(inside)?;
            return Ok(after - index);
        }
        let known =
            FUNCTIONS.iter().find(|(known, count, _)| *known == name && *count == arguments.len());
        let Some((_, _, target)) = known else {
            return Err(format!("the function {name} is not translated"));
        };
        self.put(format!("{target}("));
        if matches!(name.as_str(), "lower" | "upper") {
            // SQLite folds ASCII alone, as the collation "C" does.
            self.put("(");
            self.all(inside, Place::Values)?;
            self.put(") COLLATE \"C\"");
        } else {
            self.all(inside, Place::Values)?;
        }
        self.put(")");
        Ok(after - index)
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
            Kind::Real | Kind::Decimal => "real",
            Kind::Text | Kind::Varchar(_) | Kind::Moment(_) => "text",
            Kind::Bytes => "blob",
        };
        let name = quoted(name);
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
        let integer = matches!(kind, Some(Kind::Integer | Kind::Boolean));
        let to = to.text.to_ascii_uppercase();
        let target = match to.as_str() {
            "TEXT" if integer || matches!(kind, Some(Kind::Text | Kind::Varchar(_))) => "text",
            "INTEGER" | "INT" | "BIGINT" if integer => "bigint",
            "REAL" if integer || kind == Some(Kind::Real) => "double precision",
            _ => return Err(refused()),
        };
        self.put("CAST(");
        self.all(what, Place::Values)?;
        self.put(format!("AS {target})"));
        Ok(())
    }
}

fn divides_safely(divisor: Option<&Token>) -> bool {
    divisor.is_some_and(|token| {
        token.kind == token::Kind::Number && token.text.chars().any(|c| ('1'..='9').contains(&c))
    })
}

fn is_keyword(token: &Token) -> bool {
    KEYWORDS.iter().any(|keyword| token.is(keyword))
}

fn number(text: &str) -> Result<String, String> {
    let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) else {
        return Ok(text.to_owned());
    };
    let value = u64::from_str_radix(digits, 16).map_err(|_| format!("{text} is no number"))?;
    // SQLite takes the 64 bits as a signed integer.
    Ok(value.cast_signed().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let found = translate(&token::tokens(sql), &columns());
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
            let found = translate(&token::tokens(sql), &columns());
            assert!(found.is_err(), "{sql}: {found:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(sql in "[ab t()=<>0-9'\",.NULISCAE]{0,40}") {
            let _ = translate(&token::tokens(&sql), &columns());
        }
    }
}
