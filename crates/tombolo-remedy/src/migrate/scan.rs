//! What a table's columns really hold.

use super::dates::{self, Form};
use super::kind::Digits;
use super::read_schema::quoted;
use super::schema::{Column, RowKey, Table};
use crate::copy::Attend;
use crate::error::Error;
use crate::sqlite::failure;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::Serialize;

/// Rows between two questions whether to stop.
const STRIDE: u64 = 1000;

/// A storage class of SQLite, <https://sqlite.org/datatype3.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A signed integer.
    Integer,
    /// A floating-point number.
    Real,
    /// A text.
    Text,
    /// Bytes.
    Blob,
}

impl Class {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Integer => "integer",
            Class::Real => "real",
            Class::Text => "text",
            Class::Blob => "blob",
        }
    }

    pub(super) const fn of(value: &ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => None,
            ValueRef::Integer(_) => Some(Class::Integer),
            ValueRef::Real(_) => Some(Class::Real),
            ValueRef::Text(_) => Some(Class::Text),
            ValueRef::Blob(_) => Some(Class::Blob),
        }
    }
}

/// What all values of a column have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    pub(super) nulls: u64,
    pub(super) integers: u64,
    pub(super) reals: u64,
    pub(super) texts: u64,
    pub(super) blobs: u64,
    pub(super) smallest: i64,
    pub(super) largest: i64,
    /// Infinite reals: SQLite has no NaN.
    pub(super) infinite: u64,
    /// Of the finite reals.
    pub(super) real_digits: Digits,
    pub(super) not_utf8: u64,
    pub(super) with_nul: u64,
    pub(super) longest_characters: u64,
    pub(super) longest_bytes: u64,
    pub(super) dates: Dates,
}

/// Whether all texts are dates of one form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Dates {
    #[default]
    NoText,
    All(Form),
    /// With a text that is none of the kind.
    Not(String),
}

/// A real keeps integers up to this apart.
const EXACT: i64 = 1 << 53;

impl Contents {
    pub(super) fn count(&self, class: Class) -> u64 {
        match class {
            Class::Integer => self.integers,
            Class::Real => self.reals,
            Class::Text => self.texts,
            Class::Blob => self.blobs,
        }
    }

    /// The classes that are there.
    pub(super) fn classes(&self) -> Vec<Class> {
        [Class::Integer, Class::Real, Class::Text, Class::Blob]
            .into_iter()
            .filter(|class| self.count(*class) > 0)
            .collect()
    }

    /// The class that most values have.
    pub(super) fn majority(&self) -> Option<Class> {
        self.classes().into_iter().rev().max_by_key(|class| self.count(*class))
    }

    /// Whether every integer is one that a real can be.
    pub(super) fn exact_as_real(&self) -> bool {
        self.smallest >= -EXACT && self.largest <= EXACT
    }

    /// Of all numbers.
    pub(super) fn digits(&self) -> Digits {
        let largest = self.smallest.unsigned_abs().max(self.largest.unsigned_abs());
        let whole = largest.checked_ilog10().map_or(1, |power| power + 1);
        self.real_digits.max(Digits { whole, fraction: 0 })
    }

    fn add(&mut self, value: ValueRef<'_>, dated: bool) {
        match value {
            ValueRef::Null => self.nulls += 1,
            ValueRef::Integer(integer) => {
                let first = self.integers == 0;
                self.smallest = if first { integer } else { self.smallest.min(integer) };
                self.largest = if first { integer } else { self.largest.max(integer) };
                self.integers += 1;
            }
            ValueRef::Real(real) => {
                self.reals += 1;
                self.infinite += u64::from(!real.is_finite());
                if real.is_finite() {
                    self.real_digits = self.real_digits.max(Digits::of_real(real));
                }
            }
            ValueRef::Blob(bytes) => {
                self.blobs += 1;
                self.longest_bytes = self.longest_bytes.max(bytes.len() as u64);
            }
            ValueRef::Text(bytes) => self.add_text(bytes, dated),
        }
    }

    fn add_text(&mut self, bytes: &[u8], dated: bool) {
        self.texts += 1;
        self.longest_bytes = self.longest_bytes.max(bytes.len() as u64);
        self.with_nul += u64::from(bytes.contains(&0));
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.not_utf8 += 1;
            self.longest_characters = self.longest_characters.max(bytes.len() as u64);
            self.dates = Dates::Not(String::new());
            return;
        };
        if text.len() as u64 > self.longest_characters {
            self.longest_characters = self.longest_characters.max(text.chars().count() as u64);
        }
        if dated && !matches!(self.dates, Dates::Not(_)) {
            let form = dates::parse(text).map(|moment| moment.form);
            self.dates = match (&self.dates, form) {
                (Dates::NoText, Some(form)) => Dates::All(form),
                (Dates::All(before), Some(form)) if *before == form => Dates::All(form),
                _ => Dates::Not(text.chars().take(40).collect()),
            };
        }
    }
}

/// Whether the declared type promises dates.
pub(super) fn is_dated(column: &Column) -> bool {
    let upper = column.declared.to_ascii_uppercase();
    upper.contains("DATE") || upper.contains("TIMESTAMP")
}

/// The statement that reads all rows in the order of their keys, from one key on.
pub(super) fn select(table: &Table, from_rowid: Option<i64>) -> String {
    let names: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let name = quoted(&table.name);
    let names = names.join(", ");
    match &table.key {
        RowKey::Rowid(alias) => {
            let condition =
                from_rowid.map(|from| format!(" WHERE {alias} > {from}")).unwrap_or_default();
            format!("SELECT {names}, {alias} FROM main.{name}{condition} ORDER BY {alias}")
        }
        RowKey::Columns(key) if key.is_empty() => format!("SELECT {names} FROM main.{name}"),
        RowKey::Columns(key) => {
            let key: Vec<String> = key.iter().map(|column| quoted(column)).collect();
            format!("SELECT {names} FROM main.{name} ORDER BY {}", key.join(", "))
        }
    }
}

/// Looks at every value of a table.
///
/// # Errors
/// What SQLite said, and the wish to stop.
pub(super) fn contents(
    connection: &Connection,
    table: &Table,
    attend: &mut dyn Attend,
) -> Result<(Vec<Contents>, u64), Error> {
    let failed = |error| failure("reading a table", error);
    let mut found = vec![Contents::default(); table.columns.len()];
    let dated: Vec<bool> = table.columns.iter().map(is_dated).collect();
    let mut statement = connection.prepare(&select(table, None)).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(failed)? {
        for (index, contents) in found.iter_mut().enumerate() {
            contents.add(row.get_ref(index).map_err(failed)?, dated[index]);
        }
        count += 1;
        if count % STRIDE == 0 {
            attend.pass()?;
        }
    }
    Ok((found, count))
}
