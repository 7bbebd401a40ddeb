//! Expressions in the words of PostgreSQL.

use super::Postgres;
use crate::migrate::expression::{Columns, Spot, Words, divides_safely, not_known, not_translated};
use crate::migrate::kind::Kind;
use crate::migrate::token::Token;

/// Functions that mean the same, with how many arguments, and PostgreSQL's names of them.
const FUNCTIONS: [(&str, usize, &str); 12] = [
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

impl Words for Postgres {
    fn quoted(&self, name: &str) -> String {
        super::quoted(name)
    }

    fn literal(&self, text: &str) -> String {
        super::literal(text)
    }

    fn blob(&self, digits: &str) -> String {
        format!("'\\x{digits}'::bytea")
    }

    fn moment(&self, text: &str) -> String {
        super::literal(text)
    }

    fn real(&self, digits: &str) -> String {
        digits.to_owned()
    }

    fn keyword(&self, word: &str) -> String {
        word.to_owned()
    }

    /// The server refuses operands of types that do not belong together.
    fn check(&self, _: &[Token], _: &Columns) -> Result<(), String> {
        Ok(())
    }

    fn operator(&self, spot: &Spot<'_>) -> Result<String, String> {
        match spot.token().text.as_str() {
            symbol @ ("/" | "%") if !divides_safely(spot.after(1)) => Err(not_translated(symbol)),
            symbol => Ok(symbol.to_owned()),
        }
    }

    /// A truth value in SQLite is any number.
    fn column(&self, spot: &Spot<'_>, name: &str, kind: Kind) -> Result<(String, usize), String> {
        let name = super::quoted(name);
        let bare = spot.begins() && spot.ends(1);
        if kind != Kind::Boolean {
            let number = matches!(kind, Kind::Integer | Kind::Real | Kind::Decimal(_));
            return Ok((if bare && number { format!("({name} <> 0)") } else { name }, 1));
        }
        if bare {
            return Ok((name, 1));
        }
        let next = spot.after(1);
        let equals = next.is_some_and(|next| next.is_symbol("=") || next.is_symbol("=="));
        if spot.begins()
            && equals
            && spot.ends(3)
            && let Some(value) =
                spot.after(2).filter(|value| value.text == "0" || value.text == "1")
        {
            return Ok((format!("({name} = {})", value.text == "1"), 3));
        }
        let known =
            next.is_some_and(|next| next.is("IS") || next.is("ISNULL") || next.is("NOTNULL"));
        Ok((if known { name } else { format!("{name}::integer") }, 1))
    }

    fn same(&self, not: bool) -> Result<&'static str, String> {
        Ok(if not { "IS DISTINCT FROM" } else { "IS NOT DISTINCT FROM" })
    }

    fn like(&self, pattern: &str) -> Result<String, String> {
        Ok(format!("ILIKE {} COLLATE \"C\"", super::literal(pattern)))
    }

    fn function(&self, name: &str, arguments: usize) -> Result<(String, &'static str), String> {
        if matches!((name, arguments), ("lower" | "upper", 1)) {
            // SQLite folds ASCII alone, as the collation "C" does.
            return Ok((format!("{name}( ("), ") COLLATE \"C\" )"));
        }
        let known =
            FUNCTIONS.iter().find(|(known, count, _)| *known == name && *count == arguments);
        let (_, _, target) = known.ok_or_else(|| not_known(name))?;
        Ok((format!("{target}("), ")"))
    }

    fn cast(&self, from: Option<Kind>, to: &str) -> Option<&'static str> {
        let integer = matches!(from, Some(Kind::Integer | Kind::Boolean));
        Some(match to {
            "TEXT" if integer || matches!(from, Some(Kind::Text | Kind::Varchar(_))) => "text",
            "INTEGER" | "INT" | "BIGINT" if integer => "bigint",
            "REAL" if integer || from == Some(Kind::Real) => "double precision",
            _ => return None,
        })
    }
}
