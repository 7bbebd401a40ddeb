//! SQLite's TCL tests: each file on the stock VFS, and through the door.

use super::expected::{Copied, Expected, File};
use super::outcome::Outcome;
use super::owner::Tombolo;
use super::source::Programs;
use crate::shell::{self, Failure};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Runs a file command by command, so that an error between tests does not end it.
const EACH: &str = include_str!("each.tcl");
/// How long one file may take, in seconds, as `timeout` takes it.
const FILE_TIMEOUT_S: &str = "600";

/// Runs files; the names of those that were asked for, or all that are listed.
pub(super) fn run(
    programs: &Programs,
    tombolo: &Tombolo,
    wanted: &[String],
) -> Result<(), Failure> {
    let program = programs.testfixture()?;
    check_default(&program, &programs.source, tombolo)?;
    let expected = Expected::read()?;
    let mut bad = Vec::new();
    if wanted.is_empty() {
        bad = expected.unaccounted(&all_names(&programs.source.join("test"))?);
        for apart in &expected.apart {
            println!("{} not run: {}", apart.files.join(" "), apart.because);
        }
    }
    let mut passed = 0;
    let apart_count: usize = expected.apart.iter().map(|apart| apart.files.len()).sum();
    let files = expected.files(wanted);
    let count = files.len();
    for file in files {
        let test = programs.source.join(format!("test/{}.test", file.name));
        if !test.is_file() {
            bad.push(format!("{}: there is no such file", file.name));
            continue;
        }
        let stock = one(&program, &test, None)?;
        let door = one(&program, &test, Some((tombolo, file.copied)))?;
        let complaints = report(&file, &stock, &door);
        passed += door.passed();
        bad.extend(complaints.into_iter().map(|complaint| format!("{}: {complaint}", file.name)));
    }
    println!(
        "{count} files, {passed} tests passed through the door; {apart_count} are listed apart"
    );
    if bad.is_empty() { Ok(()) } else { Err(Failure::Check(bad.join("\n"))) }
}

/// The names of all files of tests in a directory, without their ending.
fn all_names(directory: &Path) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(directory).map_err(Failure::file(directory))?;
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    Ok(names.filter_map(|name| name.strip_suffix(".test").map(str::to_owned)).collect())
}

/// Whether the tests go through the door at all: `tester.tcl` shuts SQLite down and starts it anew.
fn check_default(program: &Path, source: &Path, tombolo: &Tombolo) -> Result<(), Failure> {
    let directory = tempfile::tempdir().map_err(super::no_directory)?;
    let script = directory.path().join("default.test");
    let tester = source.join("test/tester.tcl");
    let text = format!(
        "set testdir {{{}}}\nsource {{{}}}\nputs \"VFS: [file_control_vfsname db]\"\n\
         finish_test\n",
        source.join("test").display(),
        tester.display()
    );
    std::fs::write(&script, text).map_err(Failure::file(&script))?;
    let door = Some((tombolo, Copied::No));
    let printed = printed(program, &script, directory.path(), door)?.0;
    if printed.lines().any(|line| line.starts_with("VFS: tombolo")) {
        return Ok(());
    }
    Err(Failure::Check(format!("the tests do not open databases through the door:\n{printed}")))
}

fn report(file: &File, stock: &Outcome, door: &Outcome) -> Vec<String> {
    let worse = door.worse_than(stock);
    println!(
        "{}: {} tests passed on the stock VFS, {} through the door, {} differ",
        file.name,
        stock.passed(),
        door.passed(),
        worse.failed.len() + worse.missing.len()
    );
    if let Some(reason) = &file.fewer {
        println!("  {} did not come up: {reason}", worse.missing.len());
    }
    for difference in &file.differs {
        println!("  {}: {}", difference.tests.join(" "), difference.because);
    }
    let mut complaints = file.complaints(&worse);
    if stock.passed() == 0 {
        complaints.push("no test passed on the stock VFS: it did not run".to_owned());
    }
    complaints
}

/// What a run goes through: the stock VFS, or the door.
type Door<'a> = Option<(&'a Tombolo, Copied)>;

/// One run of one file in a directory of its own.
fn one(program: &Path, test: &Path, door: Door<'_>) -> Result<Outcome, Failure> {
    let directory = TempDir::with_prefix("suites-").map_err(super::no_directory)?;
    let (printed, owned) = printed(program, test, directory.path(), door)?;
    if let Some(kept) = std::env::var_os("SUITES_OUTPUT") {
        let side = if door.is_some() { "door" } else { "stock" };
        let name = test.file_stem().unwrap_or_default().to_string_lossy();
        let path = Path::new(&kept).join(format!("{name}.{side}"));
        std::fs::write(&path, &printed).map_err(Failure::file(&path))?;
    }
    match owned {
        Owned::Throughout => Ok(Outcome::parse(&printed)),
        Owned::NotToTheEnd => Err(Failure::Check(format!("the owner ended in {}", test.display()))),
    }
}

/// Whether the owner, if any was wanted, lived as long as the test.
enum Owned {
    Throughout,
    NotToTheEnd,
}

fn printed(
    program: &Path,
    test: &Path,
    directory: &Path,
    door: Door<'_>,
) -> Result<(String, Owned), Failure> {
    let mut owner = door.map(|(tombolo, _)| tombolo.serve(directory)).transpose()?;
    let mut command = Command::new("timeout");
    let each = tempfile::NamedTempFile::new().map_err(super::no_directory)?;
    std::fs::write(each.path(), EACH).map_err(Failure::file(each.path()))?;
    command.args(["--kill-after=5", FILE_TIMEOUT_S]).arg(program).arg(each.path()).arg(test);
    command.current_dir(directory).stdin(Stdio::null());
    if let Some((tombolo, copied)) = door {
        command.env("TOMBOLO_LIBRARY", &tombolo.vfs).env("TOMBOLO_DEFAULT", "1");
        if copied == Copied::Yes {
            command.env("TOMBOLO_COPIED", "1");
        }
    }
    let (_, printed) = shell::output(&mut command)?;
    let is_alive = owner.as_mut().is_none_or(super::owner::Owner::is_alive);
    Ok((printed, if is_alive { Owned::Throughout } else { Owned::NotToTheEnd }))
}
