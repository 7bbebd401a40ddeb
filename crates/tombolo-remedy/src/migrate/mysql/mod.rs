//! MySQL and MariaDB: their words, their types, their protocol.

mod client;
mod code;
mod fit;
#[cfg(any(test, feature = "testing"))]
mod hostile;
mod login;
mod operands;
mod packet;
mod rows;
mod statements;
mod words;

pub(super) use client::Client;
#[cfg(feature = "testing")]
pub(crate) use hostile::converse_by;

use super::dates::{self, Form};
use super::kind::{Choice, DecimalLimit, Holds, Kind, Limits};
use super::names::{Case, Longest, Names, Rules};
use super::plan::{Object, PlannedTable};
use super::report::Rename;
use super::scan::Contents;
use super::schema::Table;
use super::target::{Clock, Dialect};

/// <https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html>
const NAME_CHARACTERS_MAX: usize = 64;

/// Bytes of a row but for those of TEXT and BLOB,
/// <https://dev.mysql.com/doc/refman/8.4/en/column-count-limit.html>.
const ROW_BYTES_MAX: u32 = 65_535;

/// Bytes of a key of InnoDB in pages of 16 KiB,
/// <https://dev.mysql.com/doc/refman/8.4/en/innodb-limits.html>.
const KEY_BYTES_MAX: u32 = 3072;

/// Bytes of a character of utf8mb4, as lengths of keys and rows count them.
const CHARACTER_BYTES: u32 = 4;

/// Names that InnoDB keeps for itself (innodb-limits.html).
const INNODB_COLUMNS: [&str; 4] = ["DB_ROW_ID", "DB_TRX_ID", "DB_ROLL_PTR", "FTS_DOC_ID"];

/// The words of one of the two.
pub(super) struct Mysql {
    flavor: Flavor,
}

/// MySQL's.
pub(super) static MYSQL: Mysql = Mysql { flavor: Flavor::Mysql };

/// MariaDB's.
pub(super) static MARIADB: Mysql = Mysql { flavor: Flavor::Mariadb };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavor {
    Mysql,
    Mariadb,
}

impl Flavor {
    /// The collation that compares bytes, trailing blanks included, as SQLite's BINARY does:
    /// <https://mariadb.com/kb/en/supported-character-sets-and-collations/> (from 10.2) and
    /// <https://dev.mysql.com/doc/refman/8.4/en/charset-unicode-sets.html> (from 8.0.17).
    const fn collation(self) -> &'static str {
        match self {
            Flavor::Mysql => "utf8mb4_0900_bin",
            Flavor::Mariadb => "utf8mb4_nopad_bin",
        }
    }
}

/// A name, as it is.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text, where NO_BACKSLASH_ESCAPES is off.
fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for character in text.chars() {
        match character {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

/// A name may hold no character beyond the Basic Multilingual Plane, and end in no blank,
/// <https://dev.mysql.com/doc/refman/8.4/en/identifiers.html>.
fn plain_name(name: &str) -> String {
    let held = |character: char| character != '\0' && character <= '\u{ffff}';
    let name: String =
        name.chars().map(|character| if held(character) { character } else { '_' }).collect();
    match name.strip_suffix(char::is_whitespace) {
        Some(start) => format!("{start}_"),
        None => name,
    }
}

impl Dialect for Mysql {
    fn name_rules(&self) -> Rules {
        Rules {
            longest: Longest::Characters(NAME_CHARACTERS_MAX),
            case: Case::Folded,
            plain: plain_name,
        }
    }

    fn reserved_columns(&self) -> &'static [&'static str] {
        &INNODB_COLUMNS
    }

    fn limits(&self) -> Limits {
        Limits {
            varchar: ROW_BYTES_MAX / CHARACTER_BYTES,
            // <https://dev.mysql.com/doc/refman/8.4/en/precision-math-decimal-characteristics.html>
            decimal: DecimalLimit::Digits { all: 65, fraction: 30 },
            infinity: Holds::No,
            nul: Holds::Yes,
        }
    }

    fn type_name(&self, kind: Kind) -> String {
        match kind {
            Kind::Boolean => "tinyint(1)".to_owned(),
            Kind::Integer => "bigint".to_owned(),
            Kind::Real => "double".to_owned(),
            Kind::Decimal(digits) => {
                let digits = digits.unwrap_or_default();
                format!("decimal({},{})", digits.whole + digits.fraction, digits.fraction)
            }
            Kind::Text => "longtext".to_owned(),
            Kind::Varchar(limit) => format!("varchar({limit})"),
            Kind::Bytes => "longblob".to_owned(),
            Kind::Varbinary(limit) => format!("varbinary({limit})"),
            Kind::Moment(Form::Date) => "date".to_owned(),
            // TIMESTAMP ends in 2038.
            Kind::Moment(_) => "datetime(6)".to_owned(),
        }
    }

    fn fit(&self, table: &Table, contents: &[Contents], choices: &mut [Choice]) -> Vec<String> {
        fit::fit(table, contents, choices)
    }

    fn create_table(&self, table: &PlannedTable, with_generated: bool) -> String {
        statements::create_table(self, table, with_generated)
    }

    fn create_record(&self, name: &str, definitions: &str) -> String {
        let options = statements::options(self.flavor);
        format!("CREATE TABLE IF NOT EXISTS {} ({definitions}) {options}", quoted(name))
    }

    fn later(
        &self,
        tables: &[PlannedTable],
        _: &mut Names,
        renamed: &mut Vec<Rename>,
    ) -> Vec<Object> {
        statements::later(self, tables, renamed)
    }

    fn set_default(&self, table: &str, column: &str, kind: Kind, value: &str) -> String {
        let (table, column) = (quoted(table), quoted(column));
        // Of TEXT and BLOB a default is an expression.
        let value = match kind {
            Kind::Text | Kind::Bytes if !value.starts_with('(') => format!("({value})"),
            _ => value.to_owned(),
        };
        format!("ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {value}")
    }

    fn truth(&self, value: bool) -> &'static str {
        if value { "1" } else { "0" }
    }

    fn present(&self, clock: Clock, kind: Kind) -> Option<String> {
        let format = match clock {
            Clock::Timestamp => "%Y-%m-%d %H:%i:%S",
            Clock::Date => "%Y-%m-%d",
            Clock::Time => "%H:%i:%S",
        };
        let text = match (kind, clock) {
            (Kind::Text | Kind::Varchar(_), _) => {
                format!("(date_format(utc_timestamp(), '{format}'))")
            }
            (Kind::Moment(Form::Date), Clock::Date) => "(utc_date())".to_owned(),
            (Kind::Moment(form), Clock::Timestamp) if form != Form::Date => {
                "(utc_timestamp())".to_owned()
            }
            _ => return None,
        };
        Some(text)
    }

    fn collation_note(&self, collation: &str) -> String {
        format!(
            "comparisons by {collation} are not carried over: no collation there folds ASCII alone"
        )
    }

    fn moment_note(&self, form: Form) -> &'static str {
        if form.has_zone() { ", in UTC: that type has no zone" } else { "" }
    }

    fn unasked_note(&self) -> Option<&'static str> {
        Some(match self.flavor {
            Flavor::Mysql => {
                "the server was not asked: if it is MariaDB, its words are those for mariadb://"
            }
            Flavor::Mariadb => {
                "the server was not asked: if it is MySQL, its words are those for mysql://"
            }
        })
    }
}

/// The text of a moment in a type without a zone.
fn moment_text(since_1970_us: i64, form: Form) -> String {
    dates::write(since_1970_us, if form == Form::Date { Form::Date } else { Form::Space })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_what_they_were() {
        assert_eq!(quoted("a`b"), "`a``b`");
        assert_eq!(literal("it's \\ \0 \u{1f600}"), "'it''s \\\\ \\0 \u{1f600}'");
        assert_eq!(plain_name("a b "), "a b_");
        assert_eq!(plain_name("\u{1f600}\0\u{e9}"), "__\u{e9}");
    }
}
