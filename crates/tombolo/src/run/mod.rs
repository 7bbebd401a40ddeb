//! `tombolo run`: a program in which something of SQLite is other than it would be by itself.

mod program;
mod watch;

use crate::args::RunArguments;
use crate::exit::{Exit, Failure};
use crate::unused::Kernel;
use program::Program;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use tombolo_remedy::Error;
use tombolo_remedy::guard::{self, Elsewhere, Unseen};
use tombolo_remedy::state::Place;

/// The library, beside this program or in the directory that Cargo builds it into.
const LIBRARY: &str = "libtombolo_preload.so";
/// What the library reads; its own documentation says what is in them.
const DATABASES_VARIABLE: &str = "TOMBOLO_EXCLUSIVE";
const REPORT_VARIABLE: &str = "TOMBOLO_EXCLUSIVE_REPORT";

/// Exit code where the program could not be started, or was not reached: the one by which env(1)
/// and timeout(1) tell their own failures from those of the program.
const OWN_FAILURE: u8 = 125;

pub(crate) fn run(arguments: &RunArguments) -> Result<ExitCode, Failure> {
    let elsewhere = if arguments.assume_unused { Elsewhere::AssumeUnused } else { Elsewhere::Look };
    let mut databases = Vec::new();
    for path in &arguments.databases {
        databases.push(claimable(path, elsewhere)?);
    }
    let program = Program::find(&arguments.command)?;
    let report = watch::Report::new()?;
    let mut command = Command::new(program.path());
    command
        .args(program.arguments())
        .env("LD_PRELOAD", preloaded()?)
        .env(DATABASES_VARIABLE, joined(&databases))
        .env(REPORT_VARIABLE, report.path());
    let status = watch::attend(command, &report, &databases)?;
    let missed: Vec<&PathBuf> =
        databases.iter().filter(|database| !report.claimed(database)).collect();
    for database in &missed {
        watch::say(&format!(
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
        let failure = Failure::new(Exit::Findings, error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
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

/// The library, and what the user has preloaded already.
fn preloaded() -> Result<OsString, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::new(Exit::NotExamined, error))?;
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|directory| {
            [
                directory.join(LIBRARY),
                directory.join("deps").join(LIBRARY),
                directory.join("lib").join(LIBRARY),
            ]
        })
        .find(|path| path.is_file());
    let Some(library) = found else {
        let text = format!("{LIBRARY} is not beside {}", own.display());
        let failure = Failure::new(Exit::NotExamined, text);
        return Err(failure.hint("keep the two files together"));
    };
    let mut value = library.into_os_string();
    if let Some(before) = std::env::var_os("LD_PRELOAD").filter(|before| !before.is_empty()) {
        value.push(":");
        value.push(before);
    }
    Ok(value)
}

fn joined(databases: &[PathBuf]) -> OsString {
    let paths: Vec<&std::ffi::OsStr> = databases.iter().map(|path| path.as_os_str()).collect();
    paths.join(std::ffi::OsStr::from_bytes(b"\n"))
}
