//! Indexes and constraints, as far as their statements are the same for all targets.

use super::create_text::CheckText;
use super::expression;
use super::names::Names;
use super::plan::{Object, PlannedTable, note_rename};
use super::report::Rename;
use super::schema::{ForeignKey, Index, IndexPart, Indexed, Origin, Table};
use super::target::Dialect;
use super::token::Token;

impl Object {
    pub(super) fn new(
        kind: &'static str,
        name: String,
        sql: Result<String, String>,
        origin: String,
    ) -> Self {
        Object { kind, name, sql, fallback: None, differs: None, origin, foreign_table: None }
    }
}

/// The name of an index in the target. That of a statement is told where it is another there.
pub(super) fn index_name(
    table: &PlannedTable,
    index: &Index,
    names: &mut Names,
    renamed: &mut Vec<Rename>,
) -> String {
    match index.origin {
        Origin::Statement => {
            let name = names.take(&index.name);
            note_rename(renamed, None, &index.name, &name);
            name
        }
        Origin::Constraint => {
            names.take(&format!("{}_{}_key", table.name, column_words(&index.parts)))
        }
    }
}

/// The columns of an index, for a name.
fn column_words(parts: &[IndexPart]) -> String {
    let names = parts.iter().map(|part| match &part.what {
        Indexed::Column(name) => name.as_str(),
        Indexed::Expression(_) => "expr",
    });
    names.collect::<Vec<_>>().join("_")
}

/// Columns by their names in the target.
pub(super) fn list(
    dialect: &dyn Dialect,
    table: &PlannedTable,
    columns: &[String],
) -> Option<String> {
    let quoted = |column: &String| table.column_names.get(column).map(|name| dialect.quoted(name));
    let names: Option<Vec<String>> = columns.iter().map(quoted).collect();
    names.map(|names| names.join(", "))
}

fn words(tokens: &[Token]) -> String {
    tokens.iter().map(|token| token.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// The name that a CHECK constraint would have.
pub(super) fn check_name(table: &PlannedTable, check: &CheckText) -> String {
    check.name.clone().unwrap_or_else(|| format!("{}_check", table.name))
}

/// A CHECK constraint.
pub(super) fn check(
    dialect: &dyn Dialect,
    table: &PlannedTable,
    check: &CheckText,
    name: &str,
) -> Object {
    let translated = expression::translate(&check.expression, &table.known, dialect);
    let sql = translated.map(|expression| {
        let (target, name) = (dialect.quoted(&table.name), dialect.quoted(name));
        format!("ALTER TABLE {target} ADD CONSTRAINT {name} CHECK ({expression})")
    });
    let label = format!("{}.{name}", table.source.name);
    Object::new("check", label, sql, format!("CHECK ({})", words(&check.expression)))
}

/// A primary key.
pub(super) fn primary_key(table: &Table, sql: Result<String, String>) -> Object {
    let origin = format!("PRIMARY KEY ({})", table.primary_key.join(", "));
    Object::new("primary_key", table.name.clone(), sql, origin)
}

/// An index, or a constraint that is one.
pub(super) fn index(table: &Table, index: &Index, sql: Result<String, String>) -> Object {
    let columns = column_words(&index.parts);
    match index.origin {
        Origin::Statement => Object::new("index", index.name.clone(), sql, index.sql.clone()),
        Origin::Constraint => {
            let label = format!("{} ({columns})", table.name);
            Object::new("unique", label, sql, format!("UNIQUE ({columns})"))
        }
    }
}

/// What gives each new row a key.
pub(super) fn sequence(table: &Table, key: &str, sql: Result<String, String>) -> Object {
    let label = format!("{}.{key}", table.name);
    Object::new("sequence", label, sql, "INTEGER PRIMARY KEY".to_owned())
}

/// The next key of a table whose rowid is a column.
pub(super) fn next_key(table: &PlannedTable) -> Result<i64, String> {
    let largest = table.largest_key.unwrap_or(0).max(0);
    largest
        .checked_add(1)
        .ok_or_else(|| "the largest key is taken: there is no next one".to_owned())
}

/// The name that a foreign key would have.
pub(super) fn foreign_key_name(table: &PlannedTable, key: &ForeignKey) -> String {
    let words = key.columns.join("_");
    key.name.clone().unwrap_or_else(|| format!("{}_{words}_fkey", table.name))
}

/// A foreign key that is checked at each statement.
pub(super) fn foreign_key(
    dialect: &dyn Dialect,
    table: &PlannedTable,
    key: &ForeignKey,
    tables: &[PlannedTable],
    name: &str,
) -> Object {
    let origin = format!(
        "FOREIGN KEY ({}) REFERENCES {} ({})",
        key.columns.join(", "),
        key.parent,
        key.parent_columns.join(", ")
    );
    let label = format!("{}.{name}", table.source.name);
    let sql = foreign_sql(dialect, table, key, tables, name);
    let mut made = Object::new("foreign_key", label, sql, origin);
    if made.sql.is_ok() {
        made.foreign_table = Some(table.source.name.clone());
    }
    made
}

fn foreign_sql(
    dialect: &dyn Dialect,
    table: &PlannedTable,
    key: &ForeignKey,
    tables: &[PlannedTable],
    name: &str,
) -> Result<String, String> {
    let parent = tables
        .iter()
        .find(|other| other.source.name.eq_ignore_ascii_case(&key.parent))
        .ok_or_else(|| format!("the table {} is not in the target", key.parent))?;
    let parent_columns = if key.parent_columns.is_empty() {
        &parent.source.primary_key
    } else {
        &key.parent_columns
    };
    let missing = || "a column of it does not exist".to_owned();
    let columns = list(dialect, table, &key.columns).ok_or_else(missing)?;
    let others = list(dialect, parent, parent_columns)
        .filter(|list| !list.is_empty())
        .ok_or_else(missing)?;
    let mut sql = format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({columns}) REFERENCES {} ({others})",
        dialect.quoted(&table.name),
        dialect.quoted(name),
        dialect.quoted(&parent.name)
    );
    for (event, action) in [("UPDATE", &key.on_update), ("DELETE", &key.on_delete)] {
        let known = ["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"];
        if known.contains(&action.as_str()) {
            sql.push_str(&format!(" ON {event} {action}"));
        }
    }
    Ok(sql)
}
