//! What is made in the target, before anything is.

use super::defaults;
use super::expression::{self, Columns};
use super::kind::{self, Choice, Kind};
use super::names::{Names, Renamed};
use super::report::{ColumnDecision, ObjectReport, ObjectState, Rename};
use super::scan::{Class, Contents};
use super::schema::{Column, Schema, Table};
use super::target::Dialect;
use sha2::{Digest as _, Sha256};

/// Tables of the target that hold how far a migration is and the values that were altered.
pub(super) const STATE_TABLE: &str = "tombolo_migration";
pub(super) const VALUE_TABLE: &str = "tombolo_migration_value";

/// A column of the target.
#[derive(Debug)]
pub(super) struct PlannedColumn {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) not_null: bool,
    /// The expression in the target's words.
    pub(super) generated: Option<String>,
    /// Values of other classes are named one by one.
    pub(super) usual: Option<Class>,
}

/// A table of the target.
#[derive(Debug)]
pub(super) struct PlannedTable {
    pub(super) source: Table,
    pub(super) name: String,
    pub(super) columns: Vec<PlannedColumn>,
    /// What an expression of the table can name.
    pub(super) known: Columns,
    /// Target names of columns.
    pub(super) column_names: Renamed,
    pub(super) rows: u64,
    /// The largest rowid and more than that, where it is known.
    pub(super) largest_key: Option<i64>,
    /// Columns of the primary key that hold NULL, as SQLite allows.
    pub(super) null_in_key: bool,
    /// No row is longer when the target sends it back, in bytes.
    pub(super) longest_row_bytes: u64,
}

/// Something made after the rows are there.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: &'static str,
    pub(super) name: String,
    /// The statement, or why there is none.
    pub(super) sql: Result<String, String>,
    /// Another statement where the first is refused, and what is different then.
    pub(super) fallback: Option<(String, &'static str)>,
    /// What is different from SQLite when it is made.
    pub(super) differs: Option<&'static str>,
    /// SQLite's text, for the report.
    pub(super) origin: String,
    /// The table whose foreign keys are to be checked when it is refused.
    pub(super) foreign_table: Option<String>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) tables: Vec<PlannedTable>,
    pub(super) objects: Vec<Object>,
    pub(super) decisions: Vec<ColumnDecision>,
    pub(super) renamed: Vec<Rename>,
    /// What cannot be made, told at once.
    pub(super) told: Vec<ObjectReport>,
    /// What else to know.
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Changes when anything is to be made otherwise.
    pub(super) fn digest(&self, dialect: &dyn Dialect) -> String {
        let mut digest = Sha256::new();
        for table in &self.tables {
            digest.update(dialect.create_table(table, true));
            digest.update(format!("{:?}", table.source.key));
        }
        for object in &self.objects {
            digest.update(format!("{} {} {:?}\n", object.kind, object.name, object.sql));
        }
        crate::copy::hexadecimal(&digest.finalize())
    }
}

/// Plans a schema whose contents are known.
pub(super) fn plan(
    schema: Schema,
    contents: Vec<(Vec<Contents>, u64)>,
    dialect: &dyn Dialect,
) -> Plan {
    let mut plan = Plan::default();
    let reserved = [STATE_TABLE, VALUE_TABLE];
    let mut relations = Names::new(dialect.name_rules(), &reserved);
    for other in schema.others {
        plan.told.push(ObjectReport {
            kind: other.kind.to_owned(),
            name: other.name,
            state: ObjectState::NotMade,
            reason: Some(other.reason.to_owned()),
            sql: other.sql,
        });
    }
    for (table, (contents, rows)) in schema.tables.into_iter().zip(contents) {
        let name = relations.take(&table.name);
        note_rename(&mut plan.renamed, None, &table.name, &name);
        let planned = plan_table(dialect, (table, name), &contents, rows, &mut plan);
        plan.tables.push(planned);
    }
    let objects = dialect.later(&plan.tables, &mut relations, &mut plan.renamed);
    plan.objects.extend(objects);
    plan.notes.extend(date_notes(&plan.tables, dialect));
    plan
}

/// Texts that become dates are written in the target's way when they are read there.
fn date_notes(tables: &[PlannedTable], dialect: &dyn Dialect) -> Vec<String> {
    let columns = tables
        .iter()
        .flat_map(|table| table.columns.iter().map(move |column| (&table.name, column)));
    let notes = columns.filter_map(|(table, column)| match column.kind {
        Kind::Moment(form) => Some(format!(
            "{table}.{}: texts as {} are the same moments as {}{}",
            column.name,
            form.as_str(),
            dialect.type_name(column.kind),
            dialect.moment_note(form)
        )),
        _ => None,
    });
    notes.collect()
}

pub(super) fn note_rename(
    renamed: &mut Vec<Rename>,
    table: Option<&str>,
    name: &str,
    target: &str,
) {
    if name != target {
        renamed.push(Rename {
            table: table.map(str::to_owned),
            name: name.to_owned(),
            target_name: target.to_owned(),
        });
    }
}

fn plan_table(
    dialect: &dyn Dialect,
    (source, name): (Table, String),
    contents: &[Contents],
    rows: u64,
    plan: &mut Plan,
) -> PlannedTable {
    let mut names = Names::new(dialect.name_rules(), dialect.reserved_columns());
    let limits = dialect.limits();
    let chosen = source.columns.iter().zip(contents);
    let mut choices: Vec<Choice> =
        chosen.map(|(column, contents)| kind::choose(column, contents, &limits)).collect();
    plan.notes.extend(dialect.fit(&source, contents, &mut choices));
    let mut known = Columns::new();
    let mut column_names = Renamed::default();
    let mut columns = Vec::new();
    for ((column, contents), choice) in source.columns.iter().zip(contents).zip(choices) {
        let target = names.take(&column.name);
        note_rename(&mut plan.renamed, Some(&source.name), &column.name, &target);
        plan.decisions.extend(decide(&source.name, (column, contents), &choice, dialect));
        known.insert(column.name.to_lowercase(), (target.clone(), choice.kind));
        column_names.put(&column.name, target.clone());
        let key = source.rowid_column.as_ref() == Some(&column.name);
        columns.push(PlannedColumn {
            name: target,
            kind: choice.kind,
            not_null: (column.not_null || key) && contents.nulls == 0,
            generated: None,
            usual: choice.usual,
        });
    }
    let in_key = |column: &Column| source.primary_key.contains(&column.name);
    let null_in_key = source
        .columns
        .iter()
        .zip(contents)
        .any(|(column, contents)| in_key(column) && contents.nulls > 0);
    let largest = source.rowid_column.as_ref().and_then(|key| {
        let index = source.columns.iter().position(|column| column.name == *key)?;
        contents.get(index).filter(|contents| contents.integers > 0)
    });
    let largest_key = largest.map(|contents| contents.largest).max(source.sequence);
    for ((column, contents), planned) in source.columns.iter().zip(contents).zip(&mut columns) {
        let translated = generated(&source, column, (&known, dialect));
        planned.generated = translated.unwrap_or_else(|told| {
            plan.told.push(told);
            None
        });
        plan.told.extend(note_column(&source, column, contents, dialect));
        let of_default = column.default.as_deref().filter(|_| column.generated.is_none());
        let place = (name.as_str(), planned.name.as_str());
        if let Some(text) = of_default {
            let label = format!("{}.{}", source.name, column.name);
            plan.objects.extend(defaults::object(dialect, place, label, text, planned.kind));
        }
    }
    PlannedTable {
        source,
        name,
        columns,
        known,
        column_names,
        rows,
        largest_key,
        null_in_key,
        longest_row_bytes: longest_row_bytes(contents),
    }
}

/// What no row of these contents exceeds in any protocol: a blob that is read back as digits has
/// two and a mark for each byte, a byte that is no UTF-8 becomes three, and one can be escaped.
fn longest_row_bytes(contents: &[Contents]) -> u64 {
    const GROWTH: u64 = 4;
    // A number as text has some hundred digits at most.
    const CELL_BYTES: u64 = 1024;
    // An error can come in the place of a row.
    const ERROR_BYTES: u64 = 64 * 1024;
    let cells = contents.iter().map(|held| held.longest_bytes.saturating_mul(GROWTH));
    cells.fold(ERROR_BYTES, |sum, cell| sum.saturating_add(cell).saturating_add(CELL_BYTES))
}

fn decide(
    table: &str,
    (column, contents): (&Column, &Contents),
    choice: &Choice,
    dialect: &dyn Dialect,
) -> Option<ColumnDecision> {
    let against = choice.against.as_ref()?;
    let mut reason = against.text();
    if let Some(usual) = choice.usual {
        reason.push_str(&format!("; values that are not {} are named", usual.as_str()));
    }
    Some(ColumnDecision {
        kind: against.name(),
        table: table.to_owned(),
        column: column.name.clone(),
        declared: column.declared.clone(),
        decided: dialect.type_name(choice.kind),
        reason,
        classes: contents
            .classes()
            .into_iter()
            .map(|class| (class, contents.count(class)))
            .collect(),
    })
}

/// The expression of a generated column; where it cannot be had, its values arrive as plain ones.
fn generated(
    table: &Table,
    column: &Column,
    (known, dialect): (&Columns, &dyn Dialect),
) -> Result<Option<String>, ObjectReport> {
    let Some(tokens) = &column.generated else { return Ok(None) };
    let translated = expression::translate(tokens, known, dialect);
    translated.map(Some).map_err(|reason| not_generated(table, column, &reason))
}

/// Says that a generated column has become a plain one.
pub(super) fn not_generated(table: &Table, column: &Column, reason: &str) -> ObjectReport {
    let words = column.generated.iter().flatten().map(|token| token.text.as_str());
    ObjectReport {
        kind: "generated".to_owned(),
        name: format!("{}.{}", table.name, column.name),
        state: ObjectState::NotMade,
        reason: Some(format!("{reason}; its values arrive in a plain column")),
        sql: words.collect::<Vec<_>>().join(" "),
    }
}

fn note_column(
    table: &Table,
    column: &Column,
    contents: &Contents,
    dialect: &dyn Dialect,
) -> Vec<ObjectReport> {
    let lost = |kind: &str, reason: String, sql: String| ObjectReport {
        kind: kind.to_owned(),
        name: format!("{}.{}", table.name, column.name),
        state: ObjectState::NotMade,
        reason: Some(reason),
        sql,
    };
    let mut told = Vec::new();
    if let Some(collation) = &column.collation {
        let reason = dialect.collation_note(collation);
        told.push(lost("collation", reason, format!("COLLATE {collation}")));
    }
    if column.not_null && contents.nulls > 0 {
        let reason = format!("NULLs that it holds all the same: {}", contents.nulls);
        told.push(lost("not_null", reason, "NOT NULL".to_owned()));
    }
    told
}
