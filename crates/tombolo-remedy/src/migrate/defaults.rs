//! Defaults of columns.

use super::dates;
use super::expression::{self, Columns};
use super::kind::Kind;
use super::plan::Object;
use super::target::{Clock, Dialect};
use super::token::{self, Token, tokens};

/// The statement that gives a column its default; `None` where there is nothing to say.
pub(super) fn object(
    dialect: &dyn Dialect,
    (table, column): (&str, &str),
    label: String,
    text: &str,
    kind: Kind,
) -> Option<Object> {
    let all = tokens(text);
    let value = match stripped(&all) {
        [only] if only.is("NULL") => return None,
        inner => Words { dialect, kind }.translated(inner),
    };
    let sql = value.map(|value| dialect.set_default(table, column, kind, &value));
    Some(Object {
        kind: "default",
        name: label,
        sql,
        fallback: None,
        differs: None,
        origin: text.to_owned(),
        foreign_table: None,
    })
}

/// Without the parentheses around all of it.
fn stripped(all: &[Token]) -> &[Token] {
    match token::in_parentheses(all, 0) {
        Some((inside, after)) if after == all.len() && !inside.is_empty() => stripped(inside),
        _ => all,
    }
}

/// The words of a target for values of one kind.
struct Words<'a> {
    dialect: &'a dyn Dialect,
    kind: Kind,
}

impl Words<'_> {
    fn translated(&self, all: &[Token]) -> Result<String, String> {
        let texts: Vec<String> = all.iter().map(|token| token.text.to_lowercase()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let clock = match texts.as_slice() {
            ["current_timestamp"] | ["datetime", "(", "now", ")"] => Some(Clock::Timestamp),
            ["current_date"] | ["date", "(", "now", ")"] => Some(Clock::Date),
            ["current_time"] | ["time", "(", "now", ")"] => Some(Clock::Time),
            _ => None,
        };
        if let Some(clock) = clock {
            let present = self.dialect.present(clock, self.kind);
            return present.map_or_else(|| mismatch("the present time"), Ok);
        }
        match all {
            [one] if one.kind == token::Kind::Number => self.number(&one.text),
            [sign, one] if one.kind == token::Kind::Number && sign.is_symbol("+") => {
                self.number(&one.text)
            }
            [sign, one] if one.kind == token::Kind::Number && sign.is_symbol("-") => {
                self.number(&format!("-{}", one.text))
            }
            [one] if one.kind == token::Kind::Text || one.kind == token::Kind::Name => {
                self.of_text(&one.text)
            }
            [one] if one.is("TRUE") => self.number("1"),
            [one] if one.is("FALSE") => self.number("0"),
            [one] if one.kind == token::Kind::Blob && self.holds_bytes() => {
                Ok(self.dialect.blob(&one.text.to_lowercase()))
            }
            _ => expression::translate(all, &Columns::new(), self.dialect)
                .map(|value| format!("({value})")),
        }
    }

    fn holds_bytes(&self) -> bool {
        matches!(self.kind, Kind::Bytes | Kind::Varbinary(_))
    }

    fn number(&self, text: &str) -> Result<String, String> {
        match self.kind {
            Kind::Boolean if text == "0" => Ok(self.dialect.truth(false).to_owned()),
            Kind::Boolean if text == "1" => Ok(self.dialect.truth(true).to_owned()),
            Kind::Integer if text.parse::<i64>().is_ok() => Ok(text.to_owned()),
            Kind::Integer => match text.parse::<f64>() {
                Ok(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
                    Ok(format!("{value:.0}"))
                }
                _ => mismatch(text),
            },
            Kind::Real | Kind::Decimal(_) if text.parse::<f64>().is_ok() => Ok(text.to_owned()),
            Kind::Text | Kind::Varchar(_) => Ok(self.dialect.literal(text)),
            _ => mismatch(text),
        }
    }

    fn of_text(&self, text: &str) -> Result<String, String> {
        let literal = self.dialect.literal(text);
        match self.kind {
            Kind::Text | Kind::Varchar(_) => Ok(literal),
            Kind::Moment(form) if dates::parse(text).is_some_and(|moment| moment.form == form) => {
                Ok(self.dialect.moment(text))
            }
            Kind::Bytes | Kind::Varbinary(_) => {
                Ok(self.dialect.blob(&crate::copy::hexadecimal(text.as_bytes())))
            }
            Kind::Boolean | Kind::Integer | Kind::Real | Kind::Decimal(_) => {
                self.number(text.trim())
            }
            Kind::Moment(_) => mismatch(&literal),
        }
    }
}

fn mismatch(text: &str) -> Result<String, String> {
    Err(format!("{text} is no value of the column's type"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::dates::Form;
    use crate::migrate::postgres::Postgres;

    #[test]
    fn a_default_has_the_columns_type() {
        let value = |text: &str, kind| {
            object(&Postgres, ("t", "c"), "t.c".to_owned(), text, kind).map(|object| {
                let head = "ALTER TABLE \"t\" ALTER COLUMN \"c\" SET DEFAULT ";
                object.sql.map(|sql| sql.strip_prefix(head).expect("a default").to_owned())
            })
        };
        let moment = Kind::Moment(Form::Space);
        for (text, kind, wanted) in [
            ("0", Kind::Boolean, "false"),
            ("'1'", Kind::Boolean, "true"),
            ("((7))", Kind::Integer, "7"),
            ("-1.0", Kind::Integer, "-1"),
            ("0", Kind::Text, "'0'"),
            ("\"it's\"", Kind::Text, "'it''s'"),
            ("x'0A'", Kind::Bytes, "'\\x0a'::bytea"),
            ("'a'", Kind::Bytes, "'\\x61'::bytea"),
            ("'0001-01-01 00:00:00'", moment, "'0001-01-01 00:00:00'"),
            ("CURRENT_TIMESTAMP", moment, "date_trunc('second', now() AT TIME ZONE 'UTC')"),
            ("(1 + 2)", Kind::Integer, "(1 + 2)"),
        ] {
            assert_eq!(value(text, kind), Some(Ok(wanted.to_owned())), "{text}");
        }
        assert_eq!(value("NULL", Kind::Text), None);
        for (text, kind) in [
            ("2", Kind::Boolean),
            ("'soon'", moment),
            ("1.5", Kind::Integer),
            ("(random())", Kind::Integer),
            ("(strftime('%s','now'))", Kind::Integer),
        ] {
            assert!(matches!(value(text, kind), Some(Err(_))), "{text}");
        }
    }
}
