//! The statements that make tables, and what stands on them.

use super::fit::prefix;
use super::{Flavor, Mysql, quoted};
use crate::migrate::expression;
use crate::migrate::kind::Kind;
use crate::migrate::names::Names;
use crate::migrate::objects;
use crate::migrate::plan::{Object, PlannedTable};
use crate::migrate::report::Rename;
use crate::migrate::schema::{Index, IndexPart, Indexed};
use crate::migrate::target::Dialect as _;

/// Before a statement that makes a foreign key without a look at the rows.
pub(super) const UNCHECKED: &str = "SET foreign_key_checks = 0;\n";

/// What stands at the end of a `CREATE TABLE`.
pub(super) fn options(flavor: Flavor) -> String {
    let collation = flavor.collation();
    format!("ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE={collation}")
}

pub(super) fn create_table(words: &Mysql, table: &PlannedTable, with_generated: bool) -> String {
    let key = table.source.rowid_column.as_ref().and_then(|key| table.column_names.get(key));
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let mut text = format!("  {} {}", quoted(&column.name), words.type_name(column.kind));
            if let Some(expression) = column.generated.as_ref().filter(|_| with_generated) {
                // MariaDB takes no NOT NULL here.
                text.push_str(&format!(" GENERATED ALWAYS AS ({expression}) STORED"));
            } else if column.not_null {
                text.push_str(" NOT NULL");
            }
            if key == Some(column.name.as_str()) {
                text.push_str(" AUTO_INCREMENT");
            }
            text
        })
        .collect();
    // The rows come in the order of this key, and no two of SQLite's are the same.
    lines.extend(key.map(|key| format!("  PRIMARY KEY ({})", quoted(key))));
    let (name, options) = (quoted(&table.name), options(words.flavor));
    format!("CREATE TABLE {name} (\n{}\n) {options}", lines.join(",\n"))
}

pub(super) fn later(
    words: &Mysql,
    tables: &[PlannedTable],
    renamed: &mut Vec<Rename>,
) -> Vec<Object> {
    let mut made = Vec::new();
    for table in tables {
        made.extend(primary_key(words, table));
    }
    for table in tables {
        // Names of indexes are those of one table.
        let mut names = Names::new(words.name_rules(), &["PRIMARY", "GEN_CLUST_INDEX"]);
        for one in &table.source.indexes {
            let name = objects::index_name(table, one, &mut names, renamed);
            made.push(index(words, table, one, &name));
        }
    }
    // Those of constraints are of all.
    let mut names = Names::new(words.name_rules(), &[]);
    for table in tables {
        for check in &table.source.checks {
            let name = names.take(&objects::check_name(table, check));
            made.push(objects::check(words, table, check, &name));
        }
        made.extend(sequence(table));
    }
    for table in tables {
        for key in &table.source.foreign_keys {
            let name = names.take(&objects::foreign_key_name(table, key));
            let mut object = objects::foreign_key(words, table, key, tables, &name);
            if let Ok(sql) = &object.sql {
                let note = "rows refer to nothing; it holds for new rows only";
                object.fallback = Some((format!("{UNCHECKED}{sql}"), note));
                if key.deferred {
                    object.differs =
                        Some("it is checked at each statement: none is deferred there");
                }
            }
            made.push(object);
        }
    }
    made
}

/// A primary key that the table was not made with.
fn primary_key(words: &Mysql, table: &PlannedTable) -> Option<Object> {
    if table.source.primary_key.is_empty() || table.source.rowid_column.is_some() {
        return None;
    }
    let columns = objects::list(words, table, &table.source.primary_key)?;
    let target = quoted(&table.name);
    let key = format!("ALTER TABLE {target} ADD PRIMARY KEY ({columns})");
    let unique = format!("ALTER TABLE {target} ADD UNIQUE INDEX ({columns})");
    let is_long = |column: &String| {
        table
            .known
            .get(&column.to_lowercase())
            .is_some_and(|(_, kind)| matches!(kind, Kind::Text | Kind::Bytes))
    };
    let long = table.source.primary_key.iter().any(is_long);
    let (sql, differs) = match (table.null_in_key, long) {
        (true, _) => (unique, Some("it holds NULL, which no primary key may: it is UNIQUE")),
        (false, true) => (unique, Some("its values are too long for a key: it is UNIQUE")),
        (false, false) => (key, None),
    };
    let mut made = objects::primary_key(&table.source, Ok(sql));
    made.differs = differs;
    Some(made)
}

fn index(words: &Mysql, table: &PlannedTable, index: &Index, name: &str) -> Object {
    let sql = index_sql(words, table, index, name);
    let mut made = objects::index(&table.source, index, sql);
    let nocase = index.parts.iter().any(|part| is_nocase_text(table, part));
    if index.condition.is_some() {
        made.differs = Some("it is of all rows: no index there is of some");
    } else if nocase {
        made.differs = Some("it tells case apart: no collation there folds ASCII alone");
    }
    made
}

fn is_nocase_text(table: &PlannedTable, part: &IndexPart) -> bool {
    let text = match &part.what {
        Indexed::Column(name) => table
            .known
            .get(&name.to_lowercase())
            .is_some_and(|(_, kind)| matches!(kind, Kind::Text | Kind::Varchar(_))),
        Indexed::Expression(_) => true,
    };
    text && part.collation.eq_ignore_ascii_case("NOCASE")
}

fn index_sql(
    words: &Mysql,
    table: &PlannedTable,
    index: &Index,
    name: &str,
) -> Result<String, String> {
    if index.unique && index.condition.is_some() {
        return Err("it is unique among some rows, which no index there is".to_owned());
    }
    let count = index.parts.len();
    let parts: Result<Vec<String>, String> = index
        .parts
        .iter()
        .map(|part| index_part(words, table, part, (index.unique, count)))
        .collect();
    let (target, name) = (quoted(&table.name), quoted(name));
    let unique = if index.unique { "UNIQUE " } else { "" };
    Ok(format!("CREATE {unique}INDEX {name} ON {target} ({})", parts?.join(", ")))
}

fn index_part(
    words: &Mysql,
    table: &PlannedTable,
    part: &IndexPart,
    (unique, count): (bool, usize),
) -> Result<String, String> {
    let known = ["BINARY", "NOCASE"];
    if !known.iter().any(|known| part.collation.eq_ignore_ascii_case(known)) {
        return Err(format!("the collation {} is not translated", part.collation));
    }
    let mut text = match &part.what {
        Indexed::Column(name) => {
            let (name, kind) = table
                .known
                .get(&name.to_lowercase())
                .ok_or_else(|| format!("there is no column {name}"))?;
            let long = matches!(kind, Kind::Text | Kind::Bytes);
            match (unique, prefix(*kind, count)) {
                (true, Some(_)) if long && words.flavor == Flavor::Mysql => {
                    return Err("its values are too long for a key".to_owned());
                }
                // MariaDB keeps a hash of long values.
                (true, _) | (_, None) => quoted(name),
                (false, Some(characters)) => format!("{}({characters})", quoted(name)),
            }
        }
        Indexed::Expression(_) if words.flavor == Flavor::Mariadb => {
            return Err("MariaDB has no indexes on expressions".to_owned());
        }
        Indexed::Expression(tokens) => {
            format!("({})", expression::translate(tokens, &table.known, words)?)
        }
    };
    if part.descending {
        text.push_str(" DESC");
    }
    Ok(text)
}

/// SQLite gives each new row of such a table a key, as AUTO_INCREMENT does.
fn sequence(table: &PlannedTable) -> Option<Object> {
    let key = table.source.rowid_column.as_ref()?;
    let sql = objects::next_key(table)
        .map(|next| format!("ALTER TABLE {} AUTO_INCREMENT = {next}", quoted(&table.name)));
    Some(objects::sequence(&table.source, key, sql))
}
