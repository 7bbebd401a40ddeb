//! What is made in the target, each with the line of the record that says so.

use super::plan::{Object, Plan, PlannedTable, not_generated};
use super::report::{Migration, ObjectReport, ObjectState};
use super::source::Source;
use super::state::{self, ObjectRecord, Progress, TableRecord, Variant};
use super::target::{Target, Times};
use super::{Tools, read_schema};
use crate::error::Error;
use rusqlite::Connection;

/// Rows that are named where a foreign key does not hold.
const ORPHANS_NAMED: usize = 20;

/// Makes a table if it is not there yet. Where its generated columns are refused, plain ones take
/// their place; where the table is refused, the others are made all the same.
pub(super) fn table(target: &mut dyn Target, table: &PlannedTable) -> Result<TableRecord, Error> {
    let name = &table.name;
    let record = state::table(target, name)?;
    let TableRecord::ToBeMade(begun) = record else { return Ok(record) };
    if target.has_table("making the tables", name)? {
        match begun {
            // A run was cut off after it had made it, and before it could say so.
            Some(variant) if state::is_empty(target, name)? => {
                state::add_table(target, name, variant)?;
            }
            _ => state::refuse_table(target, name, "a table of this name is there already")?,
        }
        return state::table(target, name);
    }
    let generates = table.columns.iter().any(|column| column.generated.is_some());
    let full = generates.then_some(Variant::Full);
    let mut refused = String::new();
    for variant in full.into_iter().chain([Variant::Lesser]) {
        let sql = target.dialect().create_table(table, variant == Variant::Full);
        match state::make_table(target, name, &sql, variant)? {
            Ok(()) => return state::table(target, name),
            Err(reason) => refused = reason,
        }
    }
    state::refuse_table(target, name, &refused)?;
    state::table(target, name)
}

/// Generated columns that the target did not take.
pub(super) fn plain_columns(plan: &Plan, progress: &[Option<Progress>]) -> Vec<ObjectReport> {
    let mut told = Vec::new();
    for (table, progress) in plan.tables.iter().zip(progress) {
        let Some(progress) = progress else { continue };
        for (column, planned) in table.source.columns.iter().zip(&table.columns) {
            let Some(expression) = &planned.generated else { continue };
            let mut report = not_generated(&table.source, column, "the target refused it");
            if progress.generates {
                (report.state, report.reason) = (ObjectState::Made, None);
                report.sql.clone_from(expression);
            }
            told.push(report);
        }
    }
    told
}

/// What would be made.
pub(super) fn plan_objects(plan: Plan, migration: &mut Migration) {
    migration.objects.extend(plan.told);
    for object in plan.objects {
        migration.objects.push(report(&object, ObjectState::Planned, None));
    }
}

/// Makes what stands on the tables, as far as it is not there yet.
pub(super) fn objects(
    target: &mut dyn Target,
    source: &Source,
    plan: &Plan,
    tools: &mut Tools<'_>,
    migration: &mut Migration,
) -> Result<(), Error> {
    for told in &plan.told {
        migration.objects.push(ObjectReport {
            kind: told.kind.clone(),
            name: told.name.clone(),
            state: told.state,
            reason: told.reason.clone(),
            sql: told.sql.clone(),
        });
    }
    for (number, object) in plan.objects.iter().enumerate() {
        tools.attend.pass()?;
        let (state, reason) = match state::object(target, number)? {
            ObjectRecord::Ended(state, reason) => (state, reason),
            ObjectRecord::ToBeMade(begun) => {
                (tools.on_step)(&format!("{} {}", object.kind, object.name));
                one(target, source.connection(), number, (object, begun))?
            }
        };
        migration.objects.push(report(object, state, reason));
    }
    Ok(())
}

fn report(object: &Object, state: ObjectState, reason: Option<String>) -> ObjectReport {
    let (state, reason, sql) = match (&object.sql, state) {
        (Err(why), _) => (ObjectState::NotMade, Some(why.clone()), object.origin.clone()),
        (Ok(sql), state) => (state, reason, sql.clone()),
    };
    ObjectReport { kind: object.kind.to_owned(), name: object.name.clone(), state, reason, sql }
}

type Became = (ObjectState, Option<String>);

/// Makes an object and records it, or records why the server refused.
fn one(
    target: &mut dyn Target,
    connection: &Connection,
    number: usize,
    (object, begun): (&Object, Option<Variant>),
) -> Result<Became, Error> {
    let mut reason = match &object.sql {
        Err(why) => why.clone(),
        Ok(sql) => {
            let became = match object.differs {
                None => (ObjectState::Made, None),
                Some(difference) => (ObjectState::NotMade, Some(difference.to_owned())),
            };
            let how = (Variant::Full, times(begun, Variant::Full));
            let said = (became.0, became.1.as_deref());
            match state::make_object(target, number, sql, how, said)? {
                Ok(()) => return Ok(became),
                Err(refused) => refused,
            }
        }
    };
    if let Some(table) = &object.foreign_table {
        reason.push_str(&orphans(connection, table));
    }
    if let Some((other, difference)) = &object.fallback {
        let told = format!("{reason}; {difference}");
        let how = (Variant::Lesser, times(begun, Variant::Lesser));
        let said = (ObjectState::NotMade, Some(told.as_str()));
        if state::make_object(target, number, other, how, said)?.is_ok() {
            return Ok((ObjectState::NotMade, Some(told)));
        }
    }
    state::refuse_object(target, number, Some(&reason))?;
    Ok((ObjectState::NotMade, Some(reason)))
}

fn times(begun: Option<Variant>, variant: Variant) -> Times {
    if begun == Some(variant) { Times::Again } else { Times::First }
}

/// The rows that refer to nothing, as SQLite finds them.
fn orphans(connection: &Connection, table: &str) -> String {
    let sql = format!("PRAGMA main.foreign_key_check({})", read_schema::quoted(table));
    let found = || -> rusqlite::Result<(usize, Vec<String>)> {
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let (mut count, mut named) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            count += 1;
            if named.len() < ORPHANS_NAMED {
                let rowid: Option<i64> = row.get(1)?;
                let parent: String = row.get(2)?;
                let rowid = rowid.map_or("without rowid".to_owned(), |rowid| rowid.to_string());
                named.push(format!("{rowid} to {parent}"));
            }
        }
        Ok((count, named))
    };
    match found() {
        Ok((count, named)) if count > 0 => {
            format!("; {count} rows of {table} refer to nothing: {}", named.join(", "))
        }
        _ => String::new(),
    }
}
