//! What a migration did, and each decision that it took.

use super::scan::Class;
use serde::Serialize;

/// Name and version of the JSON.
pub const SCHEMA: &str = "tombolo.migration/1";

/// Values that a report names; all of them are in a table of the target.
pub const VALUES_MAX: usize = 1000;

/// A migration.
#[derive(Debug, Serialize)]
pub struct Migration {
    /// [`SCHEMA`]
    pub schema: &'static str,
    /// The database that was read.
    pub database: String,
    /// Where to, without the password.
    pub target: String,
    /// How far it got.
    pub ended: Ended,
    /// How the database was read.
    pub snapshot: Snapshot,
    /// Whether it went on where an earlier run was cut off.
    pub resumed: bool,
    /// Each table with rows.
    pub tables: Vec<TableReport>,
    /// What was decided for whole columns against their declaration.
    pub columns: Vec<ColumnDecision>,
    /// Values that do not arrive as they were, by table, column and reason.
    pub values: Vec<ValueDecision>,
    /// Values that do not arrive as they were, in all; `values` names the first ones.
    pub altered_count: u64,
    /// Indexes, constraints, defaults, views and triggers.
    pub objects: Vec<ObjectReport>,
    /// Names that the target does not take.
    pub renamed: Vec<Rename>,
    /// What else to know.
    pub notes: Vec<String>,
}

impl Migration {
    /// Whether all of the database is in the target as it was.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let tables = self
            .tables
            .iter()
            .all(|table| table.state != TableState::Differs && table.state != TableState::Refused);
        let objects = self.objects.iter().all(|object| object.state != ObjectState::NotMade);
        tables
            && objects
            && self.columns.is_empty()
            && self.altered_count == 0
            && self.renamed.is_empty()
    }
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Nothing was done.
    Planned,
    /// All tables are in the target, and what arrived was compared.
    Migrated,
}

/// How the database was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshot {
    /// In one read transaction, which keeps writers out.
    Locked,
    /// From a copy of its files.
    Copied,
}

/// One table.
#[derive(Debug, Serialize)]
pub struct TableReport {
    /// Its name in SQLite.
    pub name: String,
    /// Its name in the target.
    pub target_name: String,
    /// Rows in SQLite.
    pub rows: u64,
    /// Rows in the target.
    pub target_rows: Option<u64>,
    /// The digest of the values that were to arrive.
    pub digest: Option<String>,
    /// The digest of the values that are in the target.
    pub target_digest: Option<String>,
    /// What became of it.
    pub state: TableState,
    /// The statement that made it.
    pub sql: String,
    /// The target's words, where it refused the table.
    pub reason: Option<String>,
}

/// What became of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// Nothing was done.
    Planned,
    /// Both databases hold the same.
    Same,
    /// They do not.
    Differs,
    /// The target did not take the table.
    Refused,
}

/// A column that is not what it was declared to be.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnDecision {
    /// `mixed_types`, `other_type`, `date_format`, `longer_than_declared`, `out_of_range`
    pub kind: &'static str,
    /// The table, by its name in SQLite.
    pub table: String,
    /// The column.
    pub column: String,
    /// As it was declared.
    pub declared: String,
    /// The type that it got.
    pub decided: String,
    /// Why.
    pub reason: String,
    /// How many values of each class it holds.
    pub classes: Vec<(Class, u64)>,
}

/// A value that does not arrive as it was.
#[derive(Clone, Debug, Serialize)]
pub struct ValueDecision {
    /// `invalid_utf8`, `nul_in_text`, `mixed_types`
    pub kind: String,
    /// The table, by its name in SQLite.
    pub table: String,
    /// The rowid, or the primary key where there is none.
    pub rowid: String,
    /// The column.
    pub column: String,
    /// What was decided.
    pub decided: String,
}

/// An index, a constraint, or something else.
#[derive(Debug, Serialize)]
pub struct ObjectReport {
    /// `index`, `unique`, `primary_key`, `check`, `foreign_key`, `default`, `generated`,
    /// `collation`, `not_null`, `sequence`, `view`, `trigger`, `virtual table`, `shadow table`
    pub kind: String,
    /// Its name, or that of its table and columns.
    pub name: String,
    /// What became of it.
    pub state: ObjectState,
    /// Why it was not made, or what is different.
    pub reason: Option<String>,
    /// The statement of the target, or of SQLite where there is none.
    pub sql: String,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    /// It is to be made.
    Planned,
    /// It is there.
    Made,
    /// It is not there, or not as it was.
    NotMade,
}

/// A name that had to be changed.
#[derive(Clone, Debug, Serialize)]
pub struct Rename {
    /// The table, where a column was renamed.
    pub table: Option<String>,
    /// The name in SQLite.
    pub name: String,
    /// The name in the target.
    pub target_name: String,
}
