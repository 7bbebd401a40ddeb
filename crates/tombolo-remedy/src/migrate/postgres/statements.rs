//! The statements that make tables, and what stands on them.

use super::{Postgres, quoted};
use crate::migrate::expression;
use crate::migrate::kind::Kind;
use crate::migrate::names::Names;
use crate::migrate::objects;
use crate::migrate::plan::{Object, PlannedTable};
use crate::migrate::report::Rename;
use crate::migrate::schema::{Index, IndexPart, Indexed, Origin};
use crate::migrate::target::Dialect as _;
use crate::migrate::token::Token;

pub(super) fn create_table(table: &PlannedTable, with_generated: bool) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let kind = Postgres.type_name(column.kind);
            let mut text = format!("  {} {kind}", quoted(&column.name));
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

pub(super) fn later(
    tables: &[PlannedTable],
    relations: &mut Names,
    renamed: &mut Vec<Rename>,
) -> Vec<Object> {
    let mut made = Vec::new();
    for table in tables {
        made.extend(primary_key(table, relations));
    }
    for table in tables {
        for one in &table.source.indexes {
            let name = objects::index_name(table, one, relations, renamed);
            made.push(objects::index(&table.source, one, index_sql(table, one, &name)));
        }
    }
    for table in tables {
        let mut names = Names::new(Postgres.name_rules(), &[]);
        for check in &table.source.checks {
            let name = names.take(&objects::check_name(table, check));
            made.push(objects::check(&Postgres, table, check, &name));
        }
        made.extend(sequence(table));
    }
    for table in tables {
        let mut names = Names::new(Postgres.name_rules(), &[]);
        for key in &table.source.foreign_keys {
            let name = names.take(&objects::foreign_key_name(table, key));
            let mut object = objects::foreign_key(&Postgres, table, key, tables, &name);
            if let Ok(sql) = &mut object.sql {
                if key.deferred {
                    sql.push_str(" DEFERRABLE INITIALLY DEFERRED");
                }
                let note = "rows refer to nothing; it holds for new rows only (NOT VALID)";
                object.fallback = Some((format!("{sql} NOT VALID"), note));
            }
            made.push(object);
        }
    }
    made
}

fn translate(tokens: &[Token], table: &PlannedTable) -> Result<String, String> {
    expression::translate(tokens, &table.known, &Postgres)
}

fn primary_key(table: &PlannedTable, relations: &mut Names) -> Option<Object> {
    if table.source.primary_key.is_empty() {
        return None;
    }
    let name = quoted(&relations.take(&format!("{}_pkey", table.name)));
    let columns = objects::list(&Postgres, table, &table.source.primary_key)?;
    let start = format!("ALTER TABLE {} ADD CONSTRAINT {name}", quoted(&table.name));
    let key = format!("{start} PRIMARY KEY ({columns})");
    let mut made = objects::primary_key(&table.source, Ok(key));
    if table.null_in_key {
        let unique = format!("{start} UNIQUE ({columns})");
        made.fallback = Some((unique, "it holds NULL, which no primary key may: it is UNIQUE"));
    }
    Some(made)
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
        Some(tokens) => format!(" WHERE {}", translate(tokens, table)?),
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
            let expression = translate(tokens, table)?;
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
    let sql = objects::next_key(table).map(|next| {
        format!(
            "ALTER TABLE {} ALTER COLUMN {} ADD GENERATED BY DEFAULT AS IDENTITY \
             (START WITH {next})",
            quoted(&table.name),
            quoted(name)
        )
    });
    Some(objects::sequence(&table.source, key, sql))
}
