//! `tombolo run --exclusive`: the databases are one process's alone, without shared memory.

use super::watch;
use crate::args::RunArguments;
use crate::exit::{Exit, Failure};
use crate::preload::{self, OWN_FAILURE, Program, Reach, say};
use crate::unused::Kernel;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tombolo_remedy::Error;
use tombolo_remedy::guard::{self, Elsewhere, Unseen};
use tombolo_remedy::state::Place;

/// What the library reads; its own documentation says what is in them.
const DATABASES_VARIABLE: &str = "TOMBOLO_EXCLUSIVE";
const REPORT_VARIABLE: &str = "TOMBOLO_EXCLUSIVE_REPORT";

/// For programs that a preload does not reach.
const OTHER_WAY: &str = "use the program's own setting for vfs=unix-excl, or move the database";

pub(super) fn run(arguments: &RunArguments) -> Result<ExitCode, Failure> {
    let elsewhere = if arguments.assume_unused { Elsewhere::AssumeUnused } else { Elsewhere::Look };
    let mut databases = Vec::new();
    for path in &arguments.databases {
        databases.push(claimable(path, elsewhere)?);
    }
    let program = Program::find(&arguments.command, Reach::Preload(OTHER_WAY))?;
    let report = watch::Report::new()?;
    let mut command = Command::new(program.path());
    command
        .args(program.arguments())
        .env("LD_PRELOAD", preload::libraries(preload::CALLS)?)
        .env(DATABASES_VARIABLE, preload::joined(&databases))
        .env(REPORT_VARIABLE, report.path());
    let mut told = BTreeSet::new();
    let status = preload::attend(command, &mut || {
        for database in &databases {
            watch::tell_of_others(database, &report, &mut told);
        }
    })?;
    let missed: Vec<&PathBuf> =
        databases.iter().filter(|database| !report.claimed(database)).collect();
    for database in &missed {
        say(&format!(
            "{} was not opened through this door: the program did not use it, or its SQLite does \
             not call libc",
            database.display()
        ));
    }
    Ok(match status {
        Some(code) if missed.is_empty() => ExitCode::from(code),
        _ => ExitCode::from(OWN_FAILURE),
    })
}

/// The path of a database as SQLite opens it, if nobody has it open.
fn claimable(path: &Path, elsewhere: Elsewhere) -> Result<PathBuf, Failure> {
    let refused = |error: Error| {
        let hint = error.hint();
        Failure::new(Exit::Findings, error).hint_if_any(hint)
    };
    if !path.exists() {
        let text = format!("{} does not exist", path.display());
        let failure = Failure::new(Exit::NotExamined, text);
        return Err(failure.hint("let the program make it first, where SQLite works"));
    }
    let place = Place::of(path).map_err(refused)?;
    guard::check(&place, &mut Kernel, elsewhere, Unseen::Locked).map_err(refused)?;
    Ok(place.target())
}
