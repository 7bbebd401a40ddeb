//! From a value of SQLite to the one that arrives.

use super::dates::{self, Form};
use super::kind::{Holds, Kind};
use rusqlite::types::ValueRef;
use std::borrow::Cow;

/// A value as the target holds it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
    Moment(i64, Form),
}

/// How a value differs from the one in SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Altered {
    NotUtf8,
    Nul,
    NumberAsText,
    BlobAsText,
    BlobAsDigits,
    AsBytes,
}

impl Altered {
    /// The name of the decision in a report.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Altered::NotUtf8 => "invalid_utf8",
            Altered::Nul => "nul_in_text",
            _ => "mixed_types",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Altered::NotUtf8 => "bytes that are no UTF-8 arrive as U+FFFD",
            Altered::Nul => "NUL arrives as U+2400",
            Altered::NumberAsText => "the number arrives as text",
            Altered::BlobAsText => "the blob arrives as the text that its bytes are",
            Altered::BlobAsDigits => "the blob arrives as \\x and hexadecimal digits",
            Altered::AsBytes => "it arrives as the bytes of its text",
        }
    }
}

/// The value that arrives, and how it differs. `None` where the type was chosen for other values.
pub(super) fn convert<'a>(
    value: ValueRef<'a>,
    kind: Kind,
    nul: Holds,
) -> Option<(Cell<'a>, Option<Altered>)> {
    let same = |cell| Some((cell, None));
    match (kind, value) {
        (_, ValueRef::Null) => same(Cell::Null),
        (Kind::Boolean, ValueRef::Integer(value @ (0 | 1))) => same(Cell::Boolean(value == 1)),
        (Kind::Integer | Kind::Decimal(_) | Kind::Real, ValueRef::Integer(value)) => {
            same(Cell::Integer(value))
        }
        (Kind::Real | Kind::Decimal(_), ValueRef::Real(value)) => same(Cell::Real(value)),
        (Kind::Text | Kind::Varchar(_), value) => Some(text(value, nul)),
        (Kind::Bytes | Kind::Varbinary(_), ValueRef::Blob(bytes)) => {
            same(Cell::Bytes(Cow::Borrowed(bytes)))
        }
        (Kind::Bytes | Kind::Varbinary(_), ValueRef::Text(bytes)) => {
            Some((Cell::Bytes(Cow::Borrowed(bytes)), Some(Altered::AsBytes)))
        }
        (Kind::Bytes | Kind::Varbinary(_), value) => {
            let (cell, _) = text(value, nul);
            let Cell::Text(text) = cell else { return None };
            Some((Cell::Bytes(Cow::Owned(text.into_owned().into())), Some(Altered::AsBytes)))
        }
        (Kind::Moment(form), ValueRef::Text(bytes)) => {
            let moment = dates::parse(std::str::from_utf8(bytes).ok()?)?;
            (moment.form == form).then_some(())?;
            same(Cell::Moment(moment.since_1970_us, form))
        }
        _ => None,
    }
}

fn text(value: ValueRef<'_>, nul: Holds) -> (Cell<'_>, Option<Altered>) {
    let held = |text: &str| nul == Holds::Yes || !text.contains('\0');
    let replaced = |text: &str| text.replace('\0', "\u{2400}");
    match value {
        ValueRef::Null => (Cell::Null, None),
        ValueRef::Integer(value) => {
            (Cell::Text(Cow::Owned(value.to_string())), Some(Altered::NumberAsText))
        }
        ValueRef::Real(value) => {
            (Cell::Text(Cow::Owned(real_text(value))), Some(Altered::NumberAsText))
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if held(text) => (Cell::Text(Cow::Borrowed(text)), None),
            Ok(text) => (Cell::Text(Cow::Owned(replaced(text))), Some(Altered::Nul)),
            Err(_) => {
                let text = String::from_utf8_lossy(bytes);
                let text = if held(&text) { text.into_owned() } else { replaced(&text) };
                (Cell::Text(Cow::Owned(text)), Some(Altered::NotUtf8))
            }
        },
        ValueRef::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => {
                (Cell::Text(Cow::Borrowed(text)), Some(Altered::BlobAsText))
            }
            _ => {
                let digits = format!("\\x{}", crate::copy::hexadecimal(bytes));
                (Cell::Text(Cow::Owned(digits)), Some(Altered::BlobAsDigits))
            }
        },
    }
}

/// Digits that read back as the same number: the shortest ones, but for integers.
pub(super) fn real_text(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    // A real that is an integer beyond 64 bits shows all its digits, as it was written most likely.
    if value.fract() == 0.0 && (1e15..1e21).contains(&size) {
        return format!("{value:.0}");
    }
    if size != 0.0 && !(1e-5..1e15).contains(&size) {
        format!("{value:e}")
    } else {
        format!("{value:?}")
    }
}

/// A number of the target, read from its digits.
pub(super) fn number(text: &str) -> Option<Cell<'static>> {
    if let Ok(integer) = text.parse() {
        return Some(Cell::Integer(integer));
    }
    text.parse().ok().map(Cell::Real)
}
