//! PostgreSQL: its words, its types, its protocol.

mod client;
mod copy_text;
mod statements;
mod words;

pub(super) use client::Client;

use super::dates::Form;
use super::kind::{Choice, DecimalLimit, Holds, Kind, Limits};
use super::names::{Case, Longest, Names, Rules};
use super::plan::{Object, PlannedTable};
use super::report::Rename;
use super::scan::Contents;
use super::schema::Table;
use super::target::{Clock, Dialect};

/// `NAMEDATALEN - 1`, <https://www.postgresql.org/docs/current/limits.html>.
const NAME_BYTES_MAX: usize = 63;

/// Longest VARCHAR (datatype-character.html).
const VARCHAR_MAX: u32 = 10_485_760;

/// Columns that every table has, <https://www.postgresql.org/docs/current/ddl-system-columns.html>.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Its words.
pub(super) struct Postgres;

/// A name, as it is.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text, where `standard_conforming_strings` is on.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

impl Dialect for Postgres {
    fn name_rules(&self) -> Rules {
        Rules {
            longest: Longest::Bytes(NAME_BYTES_MAX),
            case: Case::Kept,
            plain: |name| name.replace('\0', "_"),
        }
    }

    fn reserved_columns(&self) -> &'static [&'static str] {
        &SYSTEM_COLUMNS
    }

    fn limits(&self) -> Limits {
        Limits {
            varchar: VARCHAR_MAX,
            decimal: DecimalLimit::None,
            infinity: Holds::Yes,
            nul: Holds::No,
        }
    }

    fn type_name(&self, kind: Kind) -> String {
        match kind {
            Kind::Boolean => "boolean".to_owned(),
            Kind::Integer => "bigint".to_owned(),
            Kind::Real => "double precision".to_owned(),
            Kind::Decimal(_) => "numeric".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Varchar(limit) => format!("varchar({limit})"),
            Kind::Bytes | Kind::Varbinary(_) => "bytea".to_owned(),
            Kind::Moment(Form::Date) => "date".to_owned(),
            Kind::Moment(form) if form.has_zone() => "timestamp with time zone".to_owned(),
            Kind::Moment(_) => "timestamp without time zone".to_owned(),
        }
    }

    fn fit(&self, _: &Table, _: &[Contents], _: &mut [Choice]) -> Vec<String> {
        Vec::new()
    }

    fn create_table(&self, table: &PlannedTable, with_generated: bool) -> String {
        statements::create_table(table, with_generated)
    }

    fn create_record(&self, name: &str, definitions: &str) -> String {
        format!("CREATE TABLE IF NOT EXISTS {} ({definitions})", quoted(name))
    }

    fn later(
        &self,
        tables: &[PlannedTable],
        relations: &mut Names,
        renamed: &mut Vec<Rename>,
    ) -> Vec<Object> {
        statements::later(tables, relations, renamed)
    }

    fn set_default(&self, table: &str, column: &str, _: Kind, value: &str) -> String {
        let (table, column) = (quoted(table), quoted(column));
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}")
    }

    fn truth(&self, value: bool) -> &'static str {
        if value { "true" } else { "false" }
    }

    fn present(&self, clock: Clock, kind: Kind) -> Option<String> {
        let format = match clock {
            Clock::Timestamp => "YYYY-MM-DD HH24:MI:SS",
            Clock::Date => "YYYY-MM-DD",
            Clock::Time => "HH24:MI:SS",
        };
        let text = match (kind, clock) {
            (Kind::Text | Kind::Varchar(_), _) => {
                format!("to_char(now() AT TIME ZONE 'UTC', '{format}')")
            }
            (Kind::Moment(Form::Date), Clock::Date) => {
                "(now() AT TIME ZONE 'UTC')::date".to_owned()
            }
            (Kind::Moment(form), Clock::Timestamp) if form.has_zone() => {
                "date_trunc('second', now())".to_owned()
            }
            (Kind::Moment(form), Clock::Timestamp) if form != Form::Date => {
                "date_trunc('second', now() AT TIME ZONE 'UTC')".to_owned()
            }
            _ => return None,
        };
        Some(text)
    }

    fn collation_note(&self, collation: &str) -> String {
        format!(
            "comparisons by {collation} are not carried over; indexes by NOCASE are, on lower()"
        )
    }

    fn moment_note(&self, _: Form) -> &'static str {
        ""
    }

    fn unasked_note(&self) -> Option<&'static str> {
        None
    }
}
