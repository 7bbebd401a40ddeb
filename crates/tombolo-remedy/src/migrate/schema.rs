//! A SQLite schema, as far as another database can have it.

use super::create_text::CheckText;
use super::token::Token;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Schema {
    pub(super) tables: Vec<Table>,
    /// What no table is made of.
    pub(super) others: Vec<Other>,
}

/// Something that is not carried over as it is.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) sql: String,
    pub(super) reason: &'static str,
}

/// A table with rows.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    pub(super) primary_key: Vec<String>,
    pub(super) key: RowKey,
    /// The column that is the rowid.
    pub(super) rowid_column: Option<String>,
    /// The largest key that AUTOINCREMENT has given out.
    pub(super) sequence: Option<i64>,
    pub(super) checks: Vec<CheckText>,
    pub(super) indexes: Vec<Index>,
    pub(super) foreign_keys: Vec<ForeignKey>,
}

/// What names a row, and orders all rows the same way each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RowKey {
    /// A name of the rowid that no column has taken.
    Rowid(&'static str),
    /// The primary key: the table has no rowid, or no name for it.
    Columns(Vec<String>),
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    /// The declared type, as it is written.
    pub(super) declared: String,
    pub(super) affinity: Affinity,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    pub(super) generated: Option<Vec<Token>>,
    /// A collation that is not BINARY.
    pub(super) collation: Option<String>,
}

/// <https://sqlite.org/datatype3.html>, section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

impl Affinity {
    /// By the rules of section 3.1, in their order. `ANY` of a STRICT table has none.
    pub(super) fn of(declared: &str, strict: bool) -> Self {
        let upper = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| upper.contains(word));
        if has(&["INT"]) {
            Affinity::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Affinity::Text
        } else if has(&["BLOB"]) || declared.is_empty() || (strict && upper == "ANY") {
            Affinity::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Affinity::Real
        } else {
            Affinity::Numeric
        }
    }
}

/// An index, or the one behind a UNIQUE constraint.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) origin: Origin,
    pub(super) unique: bool,
    pub(super) parts: Vec<IndexPart>,
    pub(super) condition: Option<Vec<Token>>,
    pub(super) sql: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// `CREATE INDEX`
    Statement,
    /// `UNIQUE` in a table
    Constraint,
}

#[derive(Debug)]
pub(super) struct IndexPart {
    pub(super) what: Indexed,
    pub(super) collation: String,
    pub(super) descending: bool,
}

#[derive(Debug)]
pub(super) enum Indexed {
    Column(String),
    Expression(Vec<Token>),
}

#[derive(Debug)]
pub(super) struct ForeignKey {
    pub(super) name: Option<String>,
    pub(super) columns: Vec<String>,
    pub(super) parent: String,
    /// Empty where the parent's primary key is meant.
    pub(super) parent_columns: Vec<String>,
    pub(super) on_update: String,
    pub(super) on_delete: String,
    pub(super) deferred: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn affinities_follow_the_rules_in_their_order() {
        for (declared, affinity) in [
            ("FLOATING POINT", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("nvarchar(20)", Affinity::Text),
            ("", Affinity::Blob),
            ("DOUBLE", Affinity::Real),
            ("DECIMAL(10,2)", Affinity::Numeric),
            ("STRING", Affinity::Numeric),
            ("ANY", Affinity::Numeric),
        ] {
            assert_eq!(Affinity::of(declared, false), affinity, "{declared}");
        }
        assert_eq!(Affinity::of("ANY", true), Affinity::Blob);
    }
}
