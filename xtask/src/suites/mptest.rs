//! SQLite's test of several processes on one database.

use super::owner::Tombolo;
use super::source::Programs;
use crate::shell::{self, Failure};
use std::process::{Command, Stdio};

/// The scripts, in `mptest/`.
const SCRIPTS: [&str; 4] = ["config01", "config02", "crash01", "multiwrite01"];
/// What config02 shows after it has changed the page size, which cannot be changed in WAL mode
/// either.
const PAGE_SIZES_LEFT: usize = 4;

pub(super) fn run(programs: &Programs, tombolo: &Tombolo) -> Result<(), Failure> {
    let program = programs.mptest()?;
    for script in SCRIPTS {
        let directory = tempfile::tempdir().map_err(super::no_directory)?;
        let _owner = tombolo.serve(directory.path())?;
        let mut command = Command::new(&program);
        command.current_dir(directory.path()).args(["test.db", "--vfs", "tombolo"]);
        command.arg(programs.source.join(format!("mptest/{script}.test")));
        command.env("TOMBOLO_LIBRARY", &tombolo.vfs).stdin(Stdio::null());
        let (_, printed) = shell::output(&mut command)?;
        let summary = printed.lines().rev().find(|line| line.contains("errors out of"));
        let summary = summary.unwrap_or("it did not end").trim();
        println!("mptest {script}: {summary}");
        let numbers: Vec<usize> =
            summary.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let expected = if script == "config02" { PAGE_SIZES_LEFT } else { 0 };
        // No test at all is no success.
        if !matches!(numbers.as_slice(), [errors, tests] if *errors == expected && *tests > 0) {
            let message = format!("{expected} errors of some tests were expected:\n{printed}");
            return Err(Failure::Check(message));
        }
    }
    Ok(())
}
