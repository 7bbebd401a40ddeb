//! From SQLite to another database: schema, rows, and a report of every decision.
//!
//! * `source`: the database at one moment; `read_schema`, `create_text`, `token`: its schema.
//! * `scan`, `kind`: what columns hold, and the type that they get; `value`: one value.
//! * `plan`, `names`, `objects`, `expression`, `defaults`: what is made in the target.
//! * `target`: what differs from one server to another; `postgres`, `mysql`: their words and their
//!   protocols.
//! * `stream`, `tls`: the bytes of a connection.
//! * `load`: rows on their way; `verify`, `digest`: what has arrived.
//! * `state`: what the target knows of a migration, so that the next run goes on with it.
//!
//! No value is lost in silence: it arrives equal, or the report names its row and column, and a
//! table of the target keeps it as it was.

mod address;
mod create_text;
mod dates;
mod defaults;
mod digest;
mod expression;
mod kind;
mod load;
mod make;
mod mysql;
mod names;
mod objects;
mod plan;
mod postgres;
mod read_schema;
pub mod report;
mod scan;
mod schema;
mod source;
mod state;
mod stream;
mod target;
mod tls;
mod token;
mod value;
mod verify;

pub use address::{Address, AddressError, Server};

/// Talks to a server of MySQL that says these bytes, for the fuzz target of it: no answer is an
/// error of the caller's.
#[cfg(feature = "testing")]
pub fn converse_with_mysql(bytes: &[u8]) {
    mysql::converse_by(bytes);
}

use crate::copy::Attend;
use crate::error::Error;
use crate::guard::{Elsewhere, Watch};
use crate::state::Place;
use plan::Plan;
use report::{Ended, Migration, TableReport, TableState};
use source::{Reader, Source};
use state::{Found, Progress, TableRecord};
use std::path::Path;
use target::{Dialect, Target};

/// What is to be done.
pub struct Request<'a> {
    /// The database.
    pub place: &'a Place,
    /// Where to.
    pub target: &'a Address,
    /// These tables only; empty for all.
    pub only: &'a [String],
    /// Not these.
    pub exclude: &'a [String],
    /// How far.
    pub mode: Mode,
    /// Where a copy of the database may be made.
    pub scratch: &'a Path,
    /// What to think of other kernels.
    pub elsewhere: Elsewhere,
}

/// How far a migration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Look, and say what would be done; the target is not asked.
    Plan,
    /// Do it, or go on where a run was cut off.
    Run,
    /// Remove what an earlier run has made, then do it.
    Replace,
}

/// What a migration works with.
pub struct Tools<'a> {
    /// Asked on the way.
    pub attend: &'a mut dyn Attend,
    /// Who has the database open.
    pub watch: &'a mut dyn Watch,
    /// Told what is being done.
    pub on_step: &'a mut dyn FnMut(&str),
    /// Whether the user wishes to stop.
    pub stop_wanted: fn() -> bool,
}

/// Carries it out.
///
/// # Errors
/// Why it could not be carried out; the next run goes on where this one has stopped.
pub fn run(request: &Request<'_>, tools: &mut Tools<'_>) -> Result<Migration, Error> {
    (tools.on_step)("reading the schema and looking at every value");
    let source = Source::open(&mut Reader {
        place: request.place,
        watch: tools.watch,
        elsewhere: request.elsewhere,
        scratch: request.scratch,
        attend: tools.attend,
        stop_wanted: tools.stop_wanted,
    })?;
    let mut schema = read_schema::read(source.connection())?;
    filter(&mut schema, request)?;
    let mut contents = Vec::new();
    for table in &schema.tables {
        contents.push(scan::contents(source.connection(), table, tools.attend)?);
    }
    if request.mode == Mode::Plan {
        let dialect = target::dialect(request.target);
        let plan = plan::plan(schema, contents, dialect);
        let mut migration = begun(request, &source, &plan, dialect);
        migration.notes.extend(dialect.unasked_note().map(str::to_owned));
        make::plan_objects(plan, &mut migration);
        return Ok(migration);
    }
    (tools.on_step)("connecting");
    let mut target = target::connect(request.target)?;
    let plan = plan::plan(schema, contents, target.dialect());
    let mut migration = begun(request, &source, &plan, target.dialect());
    carry(&mut *target, &source, &plan, (request.mode, tools), &mut migration)?;
    migration.ended = Ended::Migrated;
    Ok(migration)
}

/// Brings all of it to the target, or what is not there yet.
fn carry(
    target: &mut dyn Target,
    source: &Source,
    plan: &Plan,
    (mode, tools): (Mode, &mut Tools<'_>),
    migration: &mut Migration,
) -> Result<(), Error> {
    migration.resumed = prepare(target, source, plan, mode)?;
    let mut made = Vec::new();
    for table in &plan.tables {
        made.push(make::table(target, table)?);
    }
    let mut progress = Vec::new();
    for ((table, made), report) in plan.tables.iter().zip(made).zip(&mut migration.tables) {
        (tools.on_step)(&format!("{}: {} rows", table.source.name, table.rows));
        progress.push(match made {
            TableRecord::Made(so_far) if so_far.done => Some(so_far),
            TableRecord::Made(so_far) => {
                Some(load::rows(source.connection(), target, table, so_far, tools.attend)?)
            }
            TableRecord::Refused(reason) => {
                (report.state, report.reason) = (TableState::Refused, Some(reason));
                None
            }
            TableRecord::ToBeMade(_) => {
                let text = format!("the table {} was not made", table.name);
                return Err(Error::MigrationRecord(text));
            }
        });
    }
    source.check_unchanged()?;
    migration.objects.extend(make::plain_columns(plan, &progress));
    make::objects(target, source, plan, tools, migration)?;
    compare(target, plan, &progress, tools, migration)?;
    (migration.altered_count, migration.values) = state::values(target)?;
    source.check_unchanged()?;
    state::finish(target)
}

/// Leaves out what was not asked for.
fn filter(schema: &mut schema::Schema, request: &Request<'_>) -> Result<(), Error> {
    let has =
        |names: &[String], name: &str| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    for wanted in request.only.iter().chain(request.exclude) {
        let tables = schema.tables.iter().map(|table| &table.name);
        let others = schema.others.iter().map(|other| &other.name);
        if !tables.chain(others).any(|name| name.eq_ignore_ascii_case(wanted)) {
            return Err(Error::NotApplicable(format!("there is no table {wanted:?}")));
        }
    }
    let wanted = |name: &str| {
        (request.only.is_empty() || has(request.only, name)) && !has(request.exclude, name)
    };
    schema.tables.retain(|table| wanted(&table.name));
    schema.others.retain(|other| wanted(&other.name));
    let chosen = !(request.only.is_empty() && request.exclude.is_empty());
    if chosen && schema.tables.is_empty() && schema.others.is_empty() {
        let text = "--only and --exclude leave nothing to carry over";
        return Err(Error::NotApplicable(text.to_owned()));
    }
    Ok(())
}

fn begun(request: &Request<'_>, source: &Source, plan: &Plan, dialect: &dyn Dialect) -> Migration {
    let table = |table: &plan::PlannedTable| TableReport {
        name: table.source.name.clone(),
        target_name: table.name.clone(),
        rows: table.rows,
        target_rows: None,
        digest: None,
        target_digest: None,
        state: TableState::Planned,
        sql: dialect.create_table(table, true),
        reason: None,
    };
    let mut notes = plan.notes.clone();
    if source.snapshot == report::Snapshot::Copied {
        notes.push("its files were copied to a local directory, and read there".to_owned());
    }
    Migration {
        schema: report::SCHEMA,
        database: request.place.target().display().to_string(),
        target: request.target.to_string(),
        ended: Ended::Planned,
        snapshot: source.snapshot,
        resumed: false,
        tables: plan.tables.iter().map(table).collect(),
        columns: plan.decisions.clone(),
        values: Vec::new(),
        altered_count: 0,
        objects: Vec::new(),
        renamed: plan.renamed.clone(),
        notes,
    }
}

/// Makes the record, or makes sure that there is one of this plan. Says whether there was.
fn prepare(
    target: &mut dyn Target,
    source: &Source,
    plan: &Plan,
    mode: Mode,
) -> Result<bool, Error> {
    let (identity, digest) = (source.identity(), plan.digest(target.dialect()));
    match state::find(target)? {
        Found::Nothing => {}
        Found::Finished if mode == Mode::Run => return Err(Error::MigrationFinished),
        Found::Cut { identity: before, plan: planned } if mode == Mode::Run => {
            if before != identity || planned != digest {
                return Err(Error::MigrationOfOther);
            }
            return Ok(true);
        }
        Found::Finished | Found::Cut { .. } | Found::Dropped => state::drop_all(target)?,
    }
    state::begin(target, (&identity, &digest), &plan.tables, plan.objects.len())?;
    Ok(false)
}

fn compare(
    target: &mut dyn Target,
    plan: &Plan,
    progress: &[Option<Progress>],
    tools: &mut Tools<'_>,
    migration: &mut Migration,
) -> Result<(), Error> {
    for ((table, progress), report) in plan.tables.iter().zip(progress).zip(&mut migration.tables) {
        let Some(progress) = progress else { continue };
        (tools.on_step)(&format!("{}: comparing what arrived", table.source.name));
        let (rows, digest) = verify::arrived(target, table, tools.attend)?;
        let same = rows == progress.rows && rows == table.rows && digest == progress.digest;
        report.state = if same { TableState::Same } else { TableState::Differs };
        report.target_rows = Some(rows);
        report.digest = Some(progress.digest.to_text());
        report.target_digest = Some(digest.to_text());
        report.sql = target.dialect().create_table(table, progress.generates);
    }
    Ok(())
}
