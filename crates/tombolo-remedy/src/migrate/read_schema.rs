//! The schema, by SQLite's PRAGMAs and the texts of its statements.

use super::create_text::{self, TableText};
use super::schema::{
    Affinity, Column, ForeignKey, Index, IndexPart, Indexed, Origin, Other, RowKey, Schema, Table,
};
use crate::error::Error;
use crate::sqlite::failure;
use rusqlite::{Connection, Row};
use std::collections::HashMap;

const DURING: &str = "reading the schema";

/// Reads all of it.
///
/// # Errors
/// What SQLite said.
pub(super) fn read(connection: &Connection) -> Result<Schema, Error> {
    read_all(connection).map_err(|error| failure(DURING, error))
}

fn read_all(connection: &Connection) -> rusqlite::Result<Schema> {
    let mut schema = Schema::default();
    let texts = texts(connection)?;
    let listed = rows(connection, "PRAGMA main.table_list", |row| {
        Ok((text(row, "name")?, text(row, "type")?, flag(row, "wr")?, flag(row, "strict")?))
    })?;
    let mut listed = listed;
    listed.sort();
    for (name, kind, without_rowid, strict) in listed {
        let sql = texts.get(&("table".to_owned(), name.clone())).cloned().unwrap_or_default();
        let other = |kind, reason| Other { kind, name: name.clone(), sql: sql.clone(), reason };
        match kind.as_str() {
            "table" if is_internal(&name) => {}
            "table" => {
                schema.tables.push(table(connection, &name, &sql, without_rowid, strict, &texts)?);
            }
            "virtual" => {
                let reason = "a virtual table is made by a module of SQLite; build its like anew";
                schema.others.push(other("virtual table", reason));
            }
            "shadow" => {
                let reason = "it is the storage of a virtual table";
                schema.others.push(other("shadow table", reason));
            }
            _ => {}
        }
    }
    for (kind, words) in [("view", "view"), ("trigger", "trigger")] {
        let mut found: Vec<_> = texts.iter().filter(|((other, _), _)| other == kind).collect();
        found.sort();
        for ((_, name), sql) in found {
            schema.others.push(Other {
                kind: words,
                name: name.clone(),
                sql: sql.clone(),
                reason: "statements of SQLite are not translated; write it anew for the target",
            });
        }
    }
    Ok(schema)
}

/// By kind and name.
type Texts = HashMap<(String, String), String>;

fn texts(connection: &Connection) -> rusqlite::Result<Texts> {
    let sql = "SELECT type, name, coalesce(sql, '') AS sql FROM main.sqlite_schema";
    let found = rows(connection, sql, |row| {
        Ok(((text(row, "type")?, text(row, "name")?), text(row, "sql")?))
    })?;
    Ok(found.into_iter().collect())
}

fn is_internal(name: &str) -> bool {
    name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
}

fn table(
    connection: &Connection,
    name: &str,
    sql: &str,
    without_rowid: bool,
    strict: bool,
    texts: &Texts,
) -> rusqlite::Result<Table> {
    let mut text = create_text::table(sql);
    let listed = columns(connection, name, strict, &mut text)?;
    let mut keyed: Vec<(i64, String)> = listed
        .iter()
        .filter(|(_, position)| *position > 0)
        .map(|(column, position)| (*position, column.name.clone()))
        .collect();
    keyed.sort();
    let primary_key: Vec<String> = keyed.into_iter().map(|(_, name)| name).collect();
    let columns: Vec<Column> = listed.into_iter().map(|(column, _)| column).collect();
    let (indexes, has_key_index) = indexes(connection, name, texts)?;
    let rowid_column = match primary_key.as_slice() {
        [one] if !without_rowid && !has_key_index => Some(one.clone()),
        _ => None,
    };
    let taken = |alias: &&str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(alias));
    let alias = ["rowid", "_rowid_", "oid"].into_iter().find(|alias| !taken(alias));
    let key = match alias {
        Some(alias) if !without_rowid => RowKey::Rowid(alias),
        _ => RowKey::Columns(primary_key.clone()),
    };
    let sequence = if text.autoincrement { sequence(connection, name)? } else { None };
    let foreign_keys = foreign_keys(connection, name, &text)?;
    let checks = std::mem::take(&mut text.checks);
    Ok(Table {
        name: name.to_owned(),
        columns,
        primary_key,
        key,
        rowid_column,
        sequence,
        checks,
        indexes,
        foreign_keys,
    })
}

/// Each with its place in the primary key, from 1.
fn columns(
    connection: &Connection,
    table: &str,
    strict: bool,
    text: &mut TableText,
) -> rusqlite::Result<Vec<(Column, i64)>> {
    let sql = format!("PRAGMA main.table_xinfo({})", quoted(table));
    rows(connection, &sql, |row| {
        let name = self::text(row, "name")?;
        let declared = self::text(row, "type")?;
        let hidden: i64 = row.get("hidden")?;
        let position: i64 = row.get("pk")?;
        let of_text = text.columns.remove(&name.to_lowercase()).unwrap_or_default();
        let collation = of_text.collation.filter(|name| !name.eq_ignore_ascii_case("BINARY"));
        let column = Column {
            affinity: Affinity::of(&declared, strict),
            not_null: flag(row, "notnull")?,
            default: row.get("dflt_value")?,
            // 2 and 3 are generated columns (pragma.html, table_xinfo).
            generated: if hidden >= 2 { Some(of_text.generated.unwrap_or_default()) } else { None },
            collation,
            declared,
            name,
        };
        Ok((column, position))
    })
}

/// The indexes but for the one of the primary key, and whether that one exists.
fn indexes(
    connection: &Connection,
    table: &str,
    texts: &Texts,
) -> rusqlite::Result<(Vec<Index>, bool)> {
    let sql = format!("PRAGMA main.index_list({})", quoted(table));
    let mut listed = rows(connection, &sql, |row| {
        Ok((text(row, "name")?, flag(row, "unique")?, text(row, "origin")?))
    })?;
    listed.sort();
    let has_key_index = listed.iter().any(|(_, _, origin)| origin == "pk");
    let mut found = Vec::new();
    for (name, unique, origin) in listed.into_iter().filter(|(_, _, origin)| origin != "pk") {
        let sql = texts.get(&("index".to_owned(), name.clone())).cloned().unwrap_or_default();
        let text = create_text::index(&sql);
        let pragma = format!("PRAGMA main.index_xinfo({})", quoted(&name));
        let mut position = 0;
        let parts = rows(connection, &pragma, |row| {
            if !flag(row, "key")? {
                return Ok(None);
            }
            let column: Option<String> = row.get("name")?;
            let expression = text.parts.get(position).cloned().unwrap_or_default();
            position += 1;
            let what = column.map_or(Indexed::Expression(expression), Indexed::Column);
            let collation = row.get::<_, Option<String>>("coll")?.unwrap_or_default();
            Ok(Some(IndexPart { what, collation, descending: flag(row, "desc")? }))
        })?;
        let origin = if origin == "u" { Origin::Constraint } else { Origin::Statement };
        let parts = parts.into_iter().flatten().collect();
        let condition = text.condition;
        found.push(Index { name, origin, unique, parts, condition, sql });
    }
    Ok((found, has_key_index))
}

fn foreign_keys(
    connection: &Connection,
    table: &str,
    text: &TableText,
) -> rusqlite::Result<Vec<ForeignKey>> {
    let sql = format!("PRAGMA main.foreign_key_list({})", quoted(table));
    let listed = rows(connection, &sql, |row| {
        let (id, seq): (i64, i64) = (row.get("id")?, row.get("seq")?);
        let parent: Option<String> = row.get("to")?;
        let actions = (self::text(row, "on_update")?, self::text(row, "on_delete")?);
        Ok((id, seq, self::text(row, "table")?, self::text(row, "from")?, parent, actions))
    })?;
    let mut keys: HashMap<i64, ForeignKey> = HashMap::new();
    let mut listed = listed;
    listed.sort();
    for (id, _, parent, column, parent_column, (on_update, on_delete)) in listed {
        let key = keys.entry(id).or_insert_with(|| ForeignKey {
            name: None,
            columns: Vec::new(),
            parent,
            parent_columns: Vec::new(),
            on_update,
            on_delete,
            deferred: false,
        });
        key.columns.push(column);
        key.parent_columns.extend(parent_column);
    }
    // The list counts from the last one in the text.
    let mut keys: Vec<(i64, ForeignKey)> = keys.into_iter().collect();
    keys.sort_by_key(|(id, _)| -id);
    let mut keys: Vec<ForeignKey> = keys.into_iter().map(|(_, key)| key).collect();
    if keys.len() == text.foreign_keys.len() {
        for (key, text) in keys.iter_mut().zip(&text.foreign_keys) {
            key.name.clone_from(&text.name);
            key.deferred = text.deferred;
        }
    }
    Ok(keys)
}

fn sequence(connection: &Connection, table: &str) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT seq FROM main.sqlite_sequence WHERE name = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut found = statement.query([table])?;
    Ok(match found.next()? {
        Some(row) => row.get::<_, Option<i64>>(0).unwrap_or_default(),
        None => None,
    })
}

/// A name as SQLite takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(each(row)?);
    }
    Ok(found)
}

fn text(row: &Row<'_>, column: &str) -> rusqlite::Result<String> {
    Ok(row.get::<_, Option<String>>(column)?.unwrap_or_default())
}

fn flag(row: &Row<'_>, column: &str) -> rusqlite::Result<bool> {
    Ok(row.get::<_, Option<i64>>(column)?.unwrap_or_default() != 0)
}
