//! Defaults of columns.

use super::dates::{self, Form};
use super::expression::{self, Columns};
use super::kind::Kind;
use super::plan::Object;
use super::postgres::{literal, quoted};
use super::token::{self, Token, tokens};

/// The statement that gives a column its default; `None` where there is nothing to say.
pub(super) fn object(
    (table, column): (&str, &str),
    label: String,
    text: &str,
    kind: Kind,
) -> Option<Object> {
    let all = tokens(text);
    let value = match stripped(&all) {
        [only] if only.is("NULL") => return None,
        inner => translated(inner, kind),
    };
    let (table, column) = (quoted(table), quoted(column));
    let sql =
        value.map(|value| format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}"));
    Some(Object {
        kind: "default",
        name: label,
        sql,
        fallback: None,
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

fn translated(all: &[Token], kind: Kind) -> Result<String, String> {
    let texts: Vec<String> = all.iter().map(|token| token.text.to_lowercase()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let now = match texts.as_slice() {
        ["current_timestamp"] | ["datetime", "(", "now", ")"] => Some("YYYY-MM-DD HH24:MI:SS"),
        ["current_date"] | ["date", "(", "now", ")"] => Some("YYYY-MM-DD"),
        ["current_time"] | ["time", "(", "now", ")"] => Some("HH24:MI:SS"),
        _ => None,
    };
    if let Some(format) = now {
        return moment(format, kind);
    }
    match all {
        [one] if one.kind == token::Kind::Number => number(&one.text, kind),
        [sign, one] if one.kind == token::Kind::Number && sign.is_symbol("+") => {
            number(&one.text, kind)
        }
        [sign, one] if one.kind == token::Kind::Number && sign.is_symbol("-") => {
            number(&format!("-{}", one.text), kind)
        }
        [one] if one.kind == token::Kind::Text || one.kind == token::Kind::Name => {
            of_text(&one.text, kind)
        }
        [one] if one.is("TRUE") => number("1", kind),
        [one] if one.is("FALSE") => number("0", kind),
        [one] if one.kind == token::Kind::Blob && kind == Kind::Bytes => {
            Ok(format!("'\\x{}'::bytea", one.text.to_lowercase()))
        }
        _ => expression::translate(all, &Columns::new()).map(|value| format!("({value})")),
    }
}

fn mismatch(text: &str) -> Result<String, String> {
    Err(format!("{text} is no value of the column's type"))
}

fn number(text: &str, kind: Kind) -> Result<String, String> {
    match kind {
        Kind::Boolean if text == "0" => Ok("false".to_owned()),
        Kind::Boolean if text == "1" => Ok("true".to_owned()),
        Kind::Integer if text.parse::<i64>().is_ok() => Ok(text.to_owned()),
        Kind::Integer => match text.parse::<f64>() {
            Ok(value) if value.fract() == 0.0 && value.abs() < 9e15 => Ok(format!("{value:.0}")),
            _ => mismatch(text),
        },
        Kind::Real | Kind::Decimal if text.parse::<f64>().is_ok() => Ok(text.to_owned()),
        Kind::Text | Kind::Varchar(_) => Ok(literal(text)),
        _ => mismatch(text),
    }
}

fn of_text(text: &str, kind: Kind) -> Result<String, String> {
    match kind {
        Kind::Text | Kind::Varchar(_) => Ok(literal(text)),
        Kind::Moment(form) if dates::parse(text).is_some_and(|moment| moment.form == form) => {
            Ok(literal(text))
        }
        Kind::Bytes => Ok(format!("'\\x{}'::bytea", crate::copy::hexadecimal(text.as_bytes()))),
        Kind::Boolean | Kind::Integer | Kind::Real | Kind::Decimal => number(text.trim(), kind),
        Kind::Moment(_) => mismatch(&literal(text)),
    }
}

/// The present time, in UTC as SQLite has it.
fn moment(format: &str, kind: Kind) -> Result<String, String> {
    match kind {
        Kind::Text | Kind::Varchar(_) => {
            Ok(format!("to_char(now() AT TIME ZONE 'UTC', '{format}')"))
        }
        Kind::Moment(Form::Date) if format == "YYYY-MM-DD" => {
            Ok("(now() AT TIME ZONE 'UTC')::date".to_owned())
        }
        Kind::Moment(form) if form != Form::Date && format.starts_with("YYYY-MM-DD ") => {
            Ok(if form.has_zone() {
                "date_trunc('second', now())".to_owned()
            } else {
                "date_trunc('second', now() AT TIME ZONE 'UTC')".to_owned()
            })
        }
        _ => mismatch("the present time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_has_the_columns_type() {
        let value = |text: &str, kind| {
            object(("t", "c"), "t.c".to_owned(), text, kind).map(|object| {
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
