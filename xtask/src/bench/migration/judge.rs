//! What arrived, read back by `psql` and held against what Python reads from the database. Neither
//! of the measured programs has a part in it.

use crate::bench::server::Server;
use crate::shell::{self, Failure};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What became of the rows of one table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) rows: usize,
    /// In the target with the same value.
    pub(super) equal: usize,
    /// Not equal, or not there, and named by table, row and column.
    pub(super) named: usize,
    /// In the target with another value, and not named.
    pub(super) changed: usize,
    /// Not in the target, and not named.
    pub(super) missing: usize,
}

impl Counts {
    pub(super) fn add(&mut self, other: Counts) {
        self.rows += other.rows;
        self.equal += other.equal;
        self.named += other.named;
        self.changed += other.changed;
        self.missing += other.missing;
    }

    /// Rows that are not there as they were, and nobody was told which.
    pub(super) fn lost(&self) -> usize {
        self.changed + self.missing
    }
}

/// Rows that a program has named: table and row.
pub(super) type Named = BTreeSet<(String, String)>;

/// One table as it is in SQLite.
pub(super) struct Table {
    pub(super) name: String,
    rows: Vec<Row>,
}

struct Row {
    key: String,
    value: Original,
}

#[derive(Debug, PartialEq)]
enum Original {
    Null,
    Integer(String),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

/// Reads the one table of a database by Python.
pub(super) fn original(dump: &mut Command) -> Result<Table, Failure> {
    let (status, said) = shell::output(dump)?;
    let tables = serde_json::from_str(&said).ok().and_then(|json| tables(&json));
    tables
        .and_then(|mut tables| tables.pop())
        .filter(|table| !table.rows.is_empty())
        .ok_or_else(|| Failure::Check(format!("the database could not be read back: {status}")))
}

fn tables(json: &Value) -> Option<Vec<Table>> {
    let table = |table: &Value| {
        let rows = table["rows"].as_array()?.iter().map(row).collect::<Option<Vec<_>>>()?;
        Some(Table { name: table["name"].as_str()?.to_owned(), rows })
    };
    json.as_array()?.iter().map(table).collect()
}

fn row(row: &Value) -> Option<Row> {
    let (key, class, text) = (row[0].as_str()?, row[1].as_str()?, row[2].as_str()?);
    let value = match class {
        "null" => Original::Null,
        "integer" => Original::Integer(text.to_owned()),
        "real" => Original::Real(f64::from_bits(u64::from_str_radix(text, 16).ok()?)),
        "text" => Original::Text(from_hex(text)?),
        "blob" => Original::Blob(from_hex(text)?),
        _ => return None,
    };
    Some(Row { key: key.to_owned(), value })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(pair).collect()
}

/// Counts what became of each row of a table.
pub(super) fn judge(server: &Server, table: &Table, named: &Named) -> Result<Counts, Failure> {
    let arrived = arrived(server, &table.name)?;
    let mut counts = Counts { rows: table.rows.len(), ..Counts::default() };
    for row in &table.rows {
        let there = arrived.rows.get(&row.key);
        let is_named = named.contains(&(table.name.clone(), row.key.clone()));
        match there {
            Some(text) if same(&row.value, &arrived.kind, text.as_deref()) => counts.equal += 1,
            _ if is_named => counts.named += 1,
            Some(_) => counts.changed += 1,
            None => counts.missing += 1,
        }
    }
    Ok(counts)
}

/// The second column of a table in the target, by the first.
#[derive(Default)]
struct Arrived {
    kind: String,
    rows: BTreeMap<String, Option<String>>,
}

/// Both programs may spell a name otherwise: letters and digits count.
fn essence(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn arrived(server: &Server, name: &str) -> Result<Arrived, Failure> {
    let wanted = essence(name);
    let list = server.ask(
        "app",
        "COPY (SELECT table_schema, table_name, column_name, data_type \
         FROM information_schema.columns \
         WHERE table_schema NOT IN ('pg_catalog', 'information_schema') \
         ORDER BY table_name, ordinal_position) TO STDOUT",
    )?;
    let columns: Vec<Vec<String>> =
        list.lines().map(|line| line.split('\t').map(unescaped).collect()).collect();
    let mut of_table =
        columns.iter().filter(|column| column.get(1).is_some_and(|table| essence(table) == wanted));
    let (Some(key), Some(value)) = (of_table.next(), of_table.next()) else {
        return Ok(Arrived::default());
    };
    let [schema, table, key_name, _] = key.as_slice() else { return Ok(Arrived::default()) };
    let (Some(value_name), Some(kind)) = (value.get(2), value.get(3)) else {
        return Ok(Arrived::default());
    };
    let [schema, table, key_name, value_name] =
        [schema, table, key_name, value_name].map(|name| name.replace('"', "\"\""));
    let rows = server.ask(
        "app",
        &format!(
            "COPY (SELECT \"{key_name}\"::text, \"{value_name}\"::text \
             FROM \"{schema}\".\"{table}\") TO STDOUT"
        ),
    )?;
    let pair = |line: &str| {
        let (key, value) = line.split_once('\t')?;
        Some((unescaped(key), (value != "\\N").then(|| unescaped(value))))
    };
    Ok(Arrived { kind: kind.clone(), rows: rows.split('\n').filter_map(pair).collect() })
}

/// A field in the text format of `COPY` (PostgreSQL, sql-copy.html, "Text Format").
fn unescaped(field: &str) -> String {
    let mut plain = String::new();
    let mut characters = field.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some('r') => plain.push('\r'),
                Some('b') => plain.push('\u{8}'),
                Some('f') => plain.push('\u{c}'),
                Some('v') => plain.push('\u{b}'),
                Some(other) => plain.push(other),
                None => {}
            },
            (other, false) => plain.push(other),
        }
    }
    plain
}

/// Whether what PostgreSQL shows of a value of one of its types is the value of SQLite.
fn same(original: &Original, kind: &str, arrived: Option<&str>) -> bool {
    let Some(text) = arrived else { return *original == Original::Null };
    match original {
        Original::Null => false,
        Original::Integer(number) if kind == "boolean" => {
            matches!((number.as_str(), text), ("1", "true" | "t") | ("0", "false" | "f"))
        }
        Original::Integer(number) => {
            number == text
                || text.strip_prefix(number.as_str()).is_some_and(|rest| {
                    rest.starts_with('.') && rest[1..].chars().all(|digit| digit == '0')
                })
        }
        Original::Real(number) => {
            text.parse::<f64>().is_ok_and(|there| there.to_bits() == number.to_bits())
        }
        Original::Text(bytes) if kind.starts_with("timestamp") || kind == "date" => {
            std::str::from_utf8(bytes).is_ok_and(|written| !written.is_empty())
                && text.as_bytes().starts_with(bytes)
        }
        Original::Text(bytes) if kind == "bytea" => is_hex_of(text, bytes),
        Original::Text(bytes) => text.as_bytes() == bytes,
        Original::Blob(bytes) => kind == "bytea" && is_hex_of(text, bytes),
    }
}

fn is_hex_of(text: &str, bytes: &[u8]) -> bool {
    text.strip_prefix("\\x").and_then(from_hex).is_some_and(|there| there == bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_same_only_with_every_bit() {
        assert!(same(&Original::Null, "text", None) && !same(&Original::Null, "text", Some("")));
        let integer = Original::Integer("7".into());
        assert!(same(&integer, "bigint", Some("7")) && same(&integer, "numeric", Some("7.0")));
        assert!(!same(&integer, "numeric", Some("7.5")) && !same(&integer, "bigint", None));
        assert!(same(&Original::Integer("1".into()), "boolean", Some("true")));
        assert!(!same(&Original::Integer("2".into()), "boolean", Some("true")));
        assert!(same(&Original::Real(5e-324), "double precision", Some("5e-324")));
        assert!(!same(&Original::Real(-0.0), "double precision", Some("0")));
        assert!(same(&Original::Text(b"a".to_vec()), "text", Some("a")));
        let day = Original::Text(b"2024-01-02".to_vec());
        assert!(same(&day, "timestamp with time zone", Some("2024-01-02 00:00:00+00")));
        assert!(!same(&Original::Text(Vec::new()), "date", Some("2024-01-02")));
        assert!(same(&Original::Blob(vec![0, 255]), "bytea", Some("\\x00ff")));
        assert!(!same(&Original::Blob(vec![0, 255]), "text", Some("\\x00ff")));
    }

    #[test]
    fn a_field_of_copy_is_unescaped() {
        assert_eq!(unescaped("a\\tb\\n\\\\N"), "a\tb\n\\N");
    }

    #[test]
    fn names_are_the_same_by_their_letters() {
        assert_eq!(essence("Odd name's [\"table\"]"), essence("odd_name_s___table__"));
    }

    #[test]
    fn rows_are_read_as_python_writes_them() {
        let json = serde_json::json!([{ "name": "t",
            "rows": [["1", "real", "3ff0000000000000"], ["2", "text", "61"], ["3", "null", ""]] }]);
        let tables = tables(&json).expect("tables");
        let values: Vec<&Original> = tables[0].rows.iter().map(|row| &row.value).collect();
        let text = Original::Text(b"a".to_vec());
        assert_eq!(values, [&Original::Real(1.0), &text, &Original::Null]);
        assert!(
            super::tables(&serde_json::json!([{ "name": "t", "rows": [["1", "x", ""]] }]))
                .is_none()
        );
    }
}
