//! SQLite's test of several processes on one database.

use super::owner::Tombolo;
use super::source::Programs;
use crate::shell::{self, Failure};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The scripts, in `mptest/`, and how many of the page sizes that they ask for later they look for
/// in vain: the page size cannot be changed in WAL mode either.
const SCRIPTS: [(&str, usize); 4] =
    [("config01", 1), ("config02", 4), ("crash01", 0), ("multiwrite01", 0)];
/// How a script begins that would do nothing on a VFS of another name.
const GUARD: &str = "--if vfsname() GLOB 'unix'";

pub(super) fn run(programs: &Programs, tombolo: &Tombolo) -> Result<(), Failure> {
    let program = programs.mptest()?;
    let scripts = tempfile::tempdir().map_err(super::no_directory)?;
    copy_without_guards(&programs.source.join("mptest"), scripts.path())?;
    for (script, expected) in SCRIPTS {
        let directory = tempfile::tempdir().map_err(super::no_directory)?;
        let _owner = tombolo.serve(directory.path())?;
        let mut command = Command::new(&program);
        command.current_dir(directory.path()).args(["test.db", "--vfs", "tombolo"]);
        command.arg(scripts.path().join(format!("{script}.test")));
        command.env("TOMBOLO_LIBRARY", &tombolo.vfs).stdin(Stdio::null());
        let (_, printed) = shell::output(&mut command)?;
        let summary = printed.lines().rev().find(|line| line.contains("errors out of"));
        let summary = summary.unwrap_or("it did not end").trim();
        println!("mptest {script}: {summary}");
        let numbers: Vec<usize> =
            summary.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // No test at all is no success.
        if !matches!(numbers.as_slice(), [errors, tests] if *errors == expected && *tests > 0) {
            let message = format!("{expected} errors of some tests were expected:\n{printed}");
            return Err(Failure::Check(message));
        }
    }
    Ok(())
}

/// Copies the scripts, which name one another, without what would keep them from running here.
fn copy_without_guards(from: &Path, to: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(from).map_err(Failure::file(from))? {
        let path = entry.map_err(Failure::file(from))?.path();
        let is_script = path.extension().is_some_and(|end| end == "test" || end == "subtest");
        let Some(name) = path.file_name().filter(|_| is_script) else { continue };
        let text = fs::read_to_string(&path).map_err(Failure::file(&path))?;
        let lines: Vec<&str> = text.lines().filter(|line| line.trim() != GUARD).collect();
        let copy = to.join(name);
        fs::write(&copy, lines.join("\n") + "\n").map_err(Failure::file(&copy))?;
    }
    Ok(())
}
