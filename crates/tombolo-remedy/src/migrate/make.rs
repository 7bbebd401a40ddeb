//! What is made in the target, each in a transaction with the line of the record that says so.

use super::plan::{Object, Plan, PlannedTable, not_generated};
use super::postgres::{Client, create_table};
use super::report::{Migration, ObjectReport, ObjectState};
use super::source::Source;
use super::state::{self, Progress};
use super::{Tools, read_schema};
use crate::error::Error;
use rusqlite::Connection;

const DURING: &str = "making the tables";

/// Rows that are named where a foreign key does not hold.
const ORPHANS_NAMED: usize = 20;

/// Makes a table. Where its generated columns are refused, plain ones take their place; where the
/// table is refused, the others are made all the same.
pub(super) fn table(client: &mut Client, table: &PlannedTable) -> Result<(), Error> {
    let generates = table.columns.iter().any(|column| column.generated.is_some());
    let mut refused = None;
    for with_generated in [true, false].into_iter().filter(|with| *with == generates || !with) {
        client.execute(DURING, "SAVEPOINT made")?;
        match client.execute(DURING, &create_table(table, with_generated)) {
            Ok(()) => return state::add_table(client, &table.name, Ok(with_generated)),
            Err(Error::Server { text, code: Some(code), .. }) => {
                client.execute(DURING, "ROLLBACK TO SAVEPOINT made")?;
                refused = Some(format!("{text} ({code})"));
            }
            Err(error) => return Err(error),
        }
    }
    state::add_table(client, &table.name, Err(&refused.unwrap_or_default()))
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
    client: &mut Client,
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
        let (state, reason) = match state::object(client, number)? {
            Some(known) => known,
            None => {
                (tools.on_step)(&format!("{} {}", object.kind, object.name));
                one(client, source.connection(), number, object)?
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

fn one(
    client: &mut Client,
    connection: &Connection,
    number: usize,
    object: &Object,
) -> Result<Became, Error> {
    let became = match &object.sql {
        Err(why) => (ObjectState::NotMade, Some(why.clone())),
        Ok(sql) => match attempt(client, number, sql, (ObjectState::Made, None))? {
            Ok(became) => return Ok(became),
            Err(mut reason) => {
                if let Some(table) = &object.foreign_table {
                    reason.push_str(&orphans(connection, table));
                }
                if let Some((other, difference)) = &object.fallback {
                    let told = format!("{reason}; {difference}");
                    let became = (ObjectState::NotMade, Some(told));
                    if let Ok(became) = attempt(client, number, other, became)? {
                        return Ok(became);
                    }
                }
                (ObjectState::NotMade, Some(reason))
            }
        },
    };
    state::add_object(client, number, became.0, became.1.as_deref())?;
    Ok(became)
}

/// Makes an object and records it, or says why the server refused.
fn attempt(
    client: &mut Client,
    number: usize,
    sql: &str,
    became: Became,
) -> Result<Result<Became, String>, Error> {
    const MAKING: &str = "making indexes and constraints";
    client.execute(MAKING, "BEGIN")?;
    match client.execute(MAKING, sql) {
        Ok(()) => {
            state::add_object(client, number, became.0, became.1.as_deref())?;
            client.execute(MAKING, "COMMIT")?;
            Ok(Ok(became))
        }
        Err(Error::Server { text, code: Some(code), .. }) => {
            client.execute(MAKING, "ROLLBACK")?;
            Ok(Err(format!("{text} ({code})")))
        }
        Err(error) => Err(error),
    }
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
