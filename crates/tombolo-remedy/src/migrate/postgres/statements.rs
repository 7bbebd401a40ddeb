//! The statements that make tables, and what stands on them.

use super::{NAME_BYTES_MAX, quoted, type_name};
use crate::migrate::expression::translate;
use crate::migrate::kind::Kind;
use crate::migrate::names::Names;
use crate::migrate::plan::{Object, PlannedTable, note_rename};
use crate::migrate::report::Rename;
use crate::migrate::schema::{ForeignKey, Index, IndexPart, Indexed, Origin};

/// The statement that makes a table, with its generated columns or with plain ones in their place.
pub(in crate::migrate) fn create_table(table: &PlannedTable, with_generated: bool) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let mut text = format!("  {} {}", quoted(&column.name), type_name(column.kind));
            if let Some(expression) = column.generated.as_ref().filter(|_| with_generated) {
                text.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
            }
            if column.not_null {
                text.push_str(" NOT NULL");
            }
            text
        })
        .collect();
    format!("CREATE TABLE {} (\n{}\n)", quoted(&table.name), columns.join(",\n"))
}

/// What is made when all rows are there, in this order.
pub(in crate::migrate) fn later(
    tables: &[PlannedTable],
    relations: &mut Names,
    renamed: &mut Vec<Rename>,
) -> Vec<Object> {
    let mut objects = Vec::new();
    for table in tables {
        objects.extend(primary_key(table, relations));
    }
    for table in tables {
        for one in &table.source.indexes {
            let wanted = match one.origin {
                Origin::Statement => one.name.clone(),
                Origin::Constraint => format!("{}_{}_key", table.name, column_words(&one.parts)),
            };
            let name = relations.take(&wanted);
            if one.origin == Origin::Statement {
                note_rename(renamed, None, &one.name, &name);
            }
            objects.push(index(table, one, &name));
        }
    }
    for table in tables {
        let mut names = Names::new(NAME_BYTES_MAX, &[]);
        for check in &table.source.checks {
            let wanted = check.name.clone().unwrap_or_else(|| format!("{}_check", table.name));
            let name = names.take(&wanted);
            let sql = translate(&check.expression, &table.known).map(|expression| {
                let table = quoted(&table.name);
                format!("ALTER TABLE {table} ADD CONSTRAINT {} CHECK ({expression})", quoted(&name))
            });
            let words: Vec<&str> =
                check.expression.iter().map(|token| token.text.as_str()).collect();
            let label = format!("{}.{name}", table.source.name);
            objects.push(object("check", label, sql, format!("CHECK ({})", words.join(" "))));
        }
        objects.extend(sequence(table));
    }
    for table in tables {
        let mut names = Names::new(NAME_BYTES_MAX, &[]);
        for key in &table.source.foreign_keys {
            objects.push(foreign_key(table, key, tables, &mut names));
        }
    }
    objects
}

fn object(kind: &'static str, name: String, sql: Result<String, String>, origin: String) -> Object {
    Object { kind, name, sql, fallback: None, origin, foreign_table: None }
}

fn column_words(parts: &[IndexPart]) -> String {
    let names = parts.iter().map(|part| match &part.what {
        Indexed::Column(name) => name.as_str(),
        Indexed::Expression(_) => "expr",
    });
    names.collect::<Vec<_>>().join("_")
}

fn list(table: &PlannedTable, columns: &[String]) -> Option<String> {
    let names: Option<Vec<String>> =
        columns.iter().map(|column| table.column_names.get(column).map(quoted)).collect();
    names.map(|names| names.join(", "))
}

fn primary_key(table: &PlannedTable, relations: &mut Names) -> Option<Object> {
    if table.source.primary_key.is_empty() {
        return None;
    }
    let name = quoted(&relations.take(&format!("{}_pkey", table.name)));
    let columns = list(table, &table.source.primary_key)?;
    let target = quoted(&table.name);
    let origin = format!("PRIMARY KEY ({})", table.source.primary_key.join(", "));
    let unique = format!("ALTER TABLE {target} ADD CONSTRAINT {name} UNIQUE ({columns})");
    let key = format!("ALTER TABLE {target} ADD CONSTRAINT {name} PRIMARY KEY ({columns})");
    let mut made = object("primary_key", table.source.name.clone(), Ok(key), origin);
    if table.null_in_key {
        made.fallback = Some((unique, "it holds NULL, which no primary key may: it is UNIQUE"));
    }
    Some(made)
}

/// An index, or a constraint that is one.
fn index(table: &PlannedTable, index: &Index, name: &str) -> Object {
    let kind = match index.origin {
        Origin::Constraint => "unique",
        Origin::Statement => "index",
    };
    let label = match index.origin {
        Origin::Constraint => format!("{} ({})", table.source.name, column_words(&index.parts)),
        Origin::Statement => index.name.clone(),
    };
    let sql = index_sql(table, index, name);
    let mut made = object(kind, label, sql, index.sql.clone());
    if index.origin == Origin::Constraint {
        made.origin = format!("UNIQUE ({})", column_words(&index.parts));
    }
    made
}

fn index_sql(table: &PlannedTable, index: &Index, name: &str) -> Result<String, String> {
    let plain = index.parts.iter().all(|part| {
        matches!(part.what, Indexed::Column(_)) && part.collation.eq_ignore_ascii_case("BINARY")
    });
    let parts: Result<Vec<String>, String> =
        index.parts.iter().map(|part| index_part(table, part)).collect();
    let (target, name) = (quoted(&table.name), quoted(name));
    if index.origin == Origin::Constraint && plain {
        // A constraint has no direction.
        let columns: Vec<String> = index
            .parts
            .iter()
            .filter_map(|part| match &part.what {
                Indexed::Column(name) => table.column_names.get(name).map(quoted),
                Indexed::Expression(_) => None,
            })
            .collect();
        let columns = columns.join(", ");
        return Ok(format!("ALTER TABLE {target} ADD CONSTRAINT {name} UNIQUE ({columns})"));
    }
    let unique = if index.unique { "UNIQUE " } else { "" };
    let condition = match &index.condition {
        None => String::new(),
        Some(tokens) => format!(" WHERE {}", translate(tokens, &table.known)?),
    };
    Ok(format!("CREATE {unique}INDEX {name} ON {target} ({}){condition}", parts?.join(", ")))
}

fn index_part(table: &PlannedTable, part: &IndexPart) -> Result<String, String> {
    let is_text = |kind: Kind| matches!(kind, Kind::Text | Kind::Varchar(_));
    let nocase = part.collation.eq_ignore_ascii_case("NOCASE");
    if !nocase && !part.collation.eq_ignore_ascii_case("BINARY") {
        return Err(format!("the collation {} is not translated", part.collation));
    }
    let mut text = match &part.what {
        Indexed::Column(name) => {
            let (name, kind) = table
                .known
                .get(&name.to_lowercase())
                .ok_or_else(|| format!("there is no column {name}"))?;
            match nocase && is_text(*kind) {
                // "C" folds ASCII alone, as NOCASE does.
                true => format!("lower({} COLLATE \"C\")", quoted(name)),
                false => quoted(name),
            }
        }
        Indexed::Expression(tokens) => {
            let expression = translate(tokens, &table.known)?;
            if nocase {
                format!("lower(({expression}) COLLATE \"C\")")
            } else {
                format!("({expression})")
            }
        }
    };
    if part.descending {
        text.push_str(" DESC");
    }
    Ok(text)
}

/// SQLite gives each new row of such a table a key; so does an identity column.
fn sequence(table: &PlannedTable) -> Option<Object> {
    let key = table.source.rowid_column.as_ref()?;
    let (name, kind) = table.known.get(&key.to_lowercase())?;
    if *kind != Kind::Integer {
        return None;
    }
    let sql = match table.largest_key.unwrap_or(0).max(0).checked_add(1) {
        Some(next) => Ok(format!(
            "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED BY DEFAULT AS IDENTITY \
             (START WITH {next})",
            quoted(&table.name),
            quoted(name)
        )),
        None => Err("the largest key is taken: there is no next one".to_owned()),
    };
    let label = format!("{}.{key}", table.source.name);
    Some(object("sequence", label, sql, "INTEGER PRIMARY KEY".to_owned()))
}

fn foreign_key(
    table: &PlannedTable,
    key: &ForeignKey,
    tables: &[PlannedTable],
    names: &mut Names,
) -> Object {
    let words = key.columns.join("_");
    let wanted = key.name.clone().unwrap_or_else(|| format!("{}_{words}_fkey", table.name));
    let name = names.take(&wanted);
    let origin = format!(
        "FOREIGN KEY ({}) REFERENCES {} ({})",
        key.columns.join(", "),
        key.parent,
        key.parent_columns.join(", ")
    );
    let label = format!("{}.{name}", table.source.name);
    let mut made = object("foreign_key", label, foreign_sql(table, key, tables, &name), origin);
    if let Ok(sql) = &made.sql {
        let note = "rows refer to nothing; it holds for new rows only (NOT VALID)";
        made.fallback = Some((format!("{sql} NOT VALID"), note));
        made.foreign_table = Some(table.source.name.clone());
    }
    made
}

fn foreign_sql(
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
    let columns = list(table, &key.columns).ok_or_else(missing)?;
    let others =
        list(parent, parent_columns).filter(|list| !list.is_empty()).ok_or_else(missing)?;
    let mut sql = format!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({columns}) REFERENCES {} ({others})",
        quoted(&table.name),
        quoted(name),
        quoted(&parent.name)
    );
    for (event, action) in [("UPDATE", &key.on_update), ("DELETE", &key.on_delete)] {
        let known = ["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"];
        if known.contains(&action.as_str()) {
            sql.push_str(&format!(" ON {event} {action}"));
        }
    }
    if key.deferred {
        sql.push_str(" DEFERRABLE INITIALLY DEFERRED");
    }
    Ok(sql)
}
