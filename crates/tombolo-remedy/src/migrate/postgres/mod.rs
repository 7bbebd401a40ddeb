//! PostgreSQL: its words, its types, its protocol.

mod client;
mod statements;

pub(super) use client::Client;
pub(super) use statements::{create_table, later};

use super::dates::Form;
use super::kind::Kind;

/// `NAMEDATALEN - 1`, <https://www.postgresql.org/docs/current/limits.html>.
pub(super) const NAME_BYTES_MAX: usize = 63;

/// Columns that every table has, <https://www.postgresql.org/docs/current/ddl-system-columns.html>.
pub(super) const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// A name, as it is.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, where `standard_conforming_strings` is on.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// The type of a column.
pub(super) fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Boolean => "boolean".to_owned(),
        Kind::Integer => "bigint".to_owned(),
        Kind::Real => "double precision".to_owned(),
        Kind::Decimal => "numeric".to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::Varchar(limit) => format!("varchar({limit})"),
        Kind::Bytes => "bytea".to_owned(),
        Kind::Moment(Form::Date) => "date".to_owned(),
        Kind::Moment(form) if form.has_zone() => "timestamp with time zone".to_owned(),
        Kind::Moment(_) => "timestamp without time zone".to_owned(),
    }
}
