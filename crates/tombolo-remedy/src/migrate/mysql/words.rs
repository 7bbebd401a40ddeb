//! Expressions in the words of MySQL and MariaDB.

use super::{Mysql, operands, rows};
use crate::migrate::expression::{Columns, Spot, Words, divides_safely, not_known, not_translated};
use crate::migrate::kind::Kind;
use crate::migrate::token::{self, Token};

/// Functions that mean the same, with how many arguments, and the names of them here.
const FUNCTIONS: [(&str, usize, &str); 12] = [
    ("length", 1, "char_length"),
    ("abs", 1, "abs"),
    ("nullif", 2, "nullif"),
    ("ifnull", 2, "coalesce"),
    ("coalesce", 2, "coalesce"),
    ("coalesce", 3, "coalesce"),
    ("coalesce", 4, "coalesce"),
    ("trim", 1, "trim"),
    ("ltrim", 1, "ltrim"),
    ("rtrim", 1, "rtrim"),
    ("replace", 3, "replace"),
    ("instr", 2, "instr"),
];

impl Words for Mysql {
    fn quoted(&self, name: &str) -> String {
        super::quoted(name)
    }

    fn literal(&self, text: &str) -> String {
        super::literal(text)
    }

    fn blob(&self, digits: &str) -> String {
        format!("x'{digits}'")
    }

    fn moment(&self, text: &str) -> String {
        super::literal(&rows::literal_moment(text))
    }

    /// Digits without an exponent are a DECIMAL.
    fn real(&self, digits: &str) -> String {
        if digits.contains(['e', 'E']) { digits.to_owned() } else { format!("{digits}e0") }
    }

    fn keyword(&self, word: &str) -> String {
        match word {
            "ISNULL" => "IS NULL".to_owned(),
            "NOTNULL" => "IS NOT NULL".to_owned(),
            other => other.to_owned(),
        }
    }

    fn check(&self, tokens: &[Token], columns: &Columns) -> Result<(), String> {
        operands::check(tokens, columns)
    }

    fn operator(&self, spot: &Spot<'_>) -> Result<String, String> {
        let symbol = spot.token().text.as_str();
        let digits = |token: &Token| {
            token.kind == token::Kind::Number
                && token.text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let by_number = spot.after(1).is_some_and(digits);
        match symbol {
            // Of integers both cut the fraction off, and have the sign of what is divided.
            "/" | "%" if by_number && divides_safely(spot.after(1)) && divides_column(spot) => {
                Ok(if symbol == "/" { "DIV" } else { "%" }.to_owned())
            }
            // Without a sign there, which makes no difference here.
            "&" if by_number => Ok("&".to_owned()),
            other => Err(not_translated(other)),
        }
    }

    fn column(&self, spot: &Spot<'_>, name: &str, kind: Kind) -> Result<(String, usize), String> {
        let bare = spot.begins() && spot.ends(1);
        let number = matches!(kind, Kind::Integer | Kind::Real | Kind::Decimal(_) | Kind::Boolean);
        if bare && !number {
            return Err(format!("{name} is no truth value"));
        }
        Ok((super::quoted(name), 1))
    }

    fn same(&self, not: bool) -> Result<&'static str, String> {
        if not { Err("IS NOT is translated for NULL only".to_owned()) } else { Ok("<=>") }
    }

    /// The collation tells case apart, so it is the same where there are no letters.
    fn like(&self, pattern: &str) -> Result<String, String> {
        if pattern.contains(|character: char| character.is_ascii_alphabetic()) {
            return Err("LIKE with letters tells case apart there".to_owned());
        }
        Ok(format!("LIKE {}", super::literal(pattern)))
    }

    fn function(&self, name: &str, arguments: usize) -> Result<(String, &'static str), String> {
        if matches!(name, "lower" | "upper") {
            return Err(format!("{name} folds more than ASCII there"));
        }
        let known =
            FUNCTIONS.iter().find(|(known, count, _)| *known == name && *count == arguments);
        let (_, _, target) = known.ok_or_else(|| not_known(name))?;
        Ok((format!("{target}("), ")"))
    }

    fn cast(&self, from: Option<Kind>, to: &str) -> Option<&'static str> {
        let integer = matches!(from, Some(Kind::Integer | Kind::Boolean));
        Some(match to {
            "TEXT" if integer || matches!(from, Some(Kind::Text | Kind::Varchar(_))) => "char",
            "INTEGER" | "INT" | "BIGINT" if integer => "signed",
            "REAL" if integer || from == Some(Kind::Real) => "double",
            _ => return None,
        })
    }
}

/// Whether what is divided is one column of integers.
fn divides_column(spot: &Spot<'_>) -> bool {
    let Some(dividend) = spot.before() else { return false };
    let further = spot.index.checked_sub(2).map(|further| &spot.tokens[further]);
    let tighter = |token: &Token| ["*", "/", "%", "||", "-"].iter().any(|it| token.is_symbol(it));
    spot.kind_of(dividend) == Some(Kind::Integer) && !further.is_some_and(tighter)
}

#[cfg(test)]
mod tests {
    use crate::migrate::dates::Form;
    use crate::migrate::expression::{Columns, translate};
    use crate::migrate::kind::Kind;
    use crate::migrate::mysql::MARIADB;
    use crate::migrate::token;

    fn columns() -> Columns {
        [
            ("a", Kind::Integer),
            ("b", Kind::Boolean),
            ("t", Kind::Text),
            ("r", Kind::Real),
            ("d", Kind::Moment(Form::Date)),
            ("x", Kind::Bytes),
        ]
        .into_iter()
        .map(|(name, kind)| (name.to_owned(), (name.to_owned(), kind)))
        .collect()
    }

    #[test]
    fn what_means_the_same_is_translated() {
        for (sql, wanted) in [
            ("a > 0 AND T IS NOT NULL", "`a` > 0 AND `t` IS NOT NULL"),
            ("b = 1 OR NOT a", "`b` = 1 OR NOT `a`"),
            ("r < 0.5", "`r` < 0.5e0"),
            ("length(t) == 3", "char_length( `t` ) = 3"),
            ("ifnull(t, 'it''s\\') = ''", "coalesce( `t` , 'it''s\\\\' ) = ''"),
            ("t IS 'x'", "`t` <=> 'x'"),
            ("t NOTNULL", "`t` IS NOT NULL"),
            ("t LIKE '%@%'", "`t` LIKE '%@%'"),
            (
                "t IN ('x', 'y') AND a BETWEEN 1 AND 5",
                "`t` IN ( 'x' , 'y' ) AND `a` BETWEEN 1 AND 5",
            ),
            ("a / 2 = a & 7", "`a` DIV 2 = `a` & 7"),
            ("d > '2024-05-06'", "`d` > '2024-05-06'"),
            ("(a > 1) = b", "( `a` > 1 ) = `b`"),
            ("t || 'x' <> ''", "`t` || 'x' <> ''"),
            ("x = x'0A'", "`x` = x'0a'"),
            (
                "typeof(a) = 'integer'",
                "CASE WHEN `a` IS NULL THEN 'null' ELSE 'integer' END = 'integer'",
            ),
        ] {
            let found = translate(&token::tokens(sql), &columns(), &MARIADB);
            assert_eq!(found.as_deref(), Ok(wanted), "{sql}");
        }
    }

    #[test]
    fn what_means_something_else_is_not() {
        for sql in [
            "lower(t) = 'x'",
            "t LIKE 'a%'",
            "t > 5",
            "a = '5'",
            "t IN (1, 2)",
            "t BETWEEN 'a' AND 5",
            "a IS NOT 5",
            "~a = 1",
            "a | 4",
            "a * r / 2",
            "r / 2",
            "a % 0",
            "d > 'soon'",
            "length(d) = 10",
            "t",
            "a || 'x'",
            "abs(t) = 1",
            "instr(t, 1) = 1",
            "t = x'00'",
            "CASE t WHEN 'x' THEN 1 END",
            "CASE WHEN a THEN 'x' ELSE 5 END",
        ] {
            let found = translate(&token::tokens(sql), &columns(), &MARIADB);
            assert!(found.is_err(), "{sql}: {found:?}");
        }
    }
}
