//! `tombolo migrate` against `pgloader`: the same database, the same server, in turn.
//!
//! Three questions. How long and with how much memory does each carry two million rows over? What
//! becomes of values that are seldom thought of? Does a database of 1 GB go through in little
//! memory? The answers are written into `docs/benchmarks.md`, by this program alone.

mod judge;
mod page;

use super::server::Server;
use crate::shell::{self, Failure};
use judge::{Counts, Named};
use serde_json::Value;
use std::ffi::OsStr;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Makes the databases, and says what is in one.
const DATA: &str = include_str!("data.py");

const ROWS: usize = 2_000_000;
const LARGE_BYTES: u64 = 1_000_000_000;

/// Memory that a database of [`LARGE_BYTES`] may take.
const LARGE_LIMIT_BYTES: u64 = 200_000_000;

/// A program that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Tombolo,
    Pgloader,
}

impl Program {
    const ALL: [Program; 2] = [Program::Tombolo, Program::Pgloader];

    fn name(self) -> &'static str {
        match self {
            Program::Tombolo => "tombolo migrate",
            Program::Pgloader => "pgloader",
        }
    }
}

/// What one run of a program took, and what it said.
struct Run {
    seconds: f64,
    peak_bytes: u64,
    code: Option<i32>,
    said: String,
}

/// Several runs on one database.
#[derive(Default)]
struct Figures {
    seconds: Vec<f64>,
    peak_bytes: Vec<f64>,
}

/// What one program made of one table.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    counts: Counts,
    code: Option<i32>,
}

/// A table of values that are seldom thought of, and what became of it, in the order of
/// [`Program::ALL`].
struct Odd {
    table: String,
    kept: [Kept; 2],
}

/// All that is written down.
struct Results {
    machine: String,
    versions: String,
    rounds: u16,
    bytes: u64,
    figures: [Figures; 2],
    odd: Vec<Odd>,
    large: (u64, Run),
}

struct Bench<'a> {
    binary: &'a Path,
    directory: &'a Path,
    server: Server,
}

/// Measures, prints, and writes the page; what does not hold is added to `slow`.
pub(super) fn run(
    binary: &Path,
    directory: &Path,
    rounds: u16,
    slow: &mut Vec<String>,
) -> Result<(), Failure> {
    for (program, argument) in [("pgloader", "--version"), ("/usr/bin/time", "--version")] {
        if !shell::available(program, &[argument]) {
            let text = format!("NOT MEASURED: {program} is missing; install pgloader and time");
            return Err(Failure::Check(text));
        }
    }
    std::fs::create_dir_all(directory).map_err(Failure::file(directory))?;
    let bench = Bench { binary, directory, server: Server::start()? };
    let (bytes, figures) = bench.rounds(rounds)?;
    let odd = bench.odd()?;
    let large = bench.large()?;
    let machine = super::machine()?;
    let versions = bench.versions()?;
    let results = Results { machine, versions, rounds, bytes, figures, odd, large };
    println!("\n{}", page::section(&results));
    super::page::put(&page::section(&results))?;
    slow.extend(complaints(&results));
    Ok(())
}

/// What was promised and does not hold.
fn complaints(results: &Results) -> Vec<String> {
    let [ours, theirs] = &results.figures;
    let mut complaints = Vec::new();
    if median(&ours.seconds) >= median(&theirs.seconds) {
        complaints.push("migration, time".to_owned());
    }
    if median(&ours.peak_bytes) >= median(&theirs.peak_bytes) {
        complaints.push("migration, memory".to_owned());
    }
    let lost: usize = results.odd.iter().map(|odd| odd.kept[0].counts.lost()).sum();
    if lost > 0 {
        complaints.push(format!("migration, {lost} rows lost in silence"));
    }
    if results.large.1.peak_bytes >= LARGE_LIMIT_BYTES {
        complaints.push("migration, memory for a large database".to_owned());
    }
    complaints
}

impl Bench<'_> {
    /// A database of this kind, made where there is none.
    fn database(&self, kind: &str, amount: u64) -> Result<PathBuf, Failure> {
        // Another program would make others of the same names.
        let mut hasher = std::hash::DefaultHasher::new();
        DATA.hash(&mut hasher);
        let name = format!("{kind}-{amount}-{:016x}.db", hasher.finish());
        let path = self.directory.join(name);
        let status = shell::status(self.python(kind, &path).arg(amount.to_string()))?;
        match status.success() {
            true => Ok(path),
            false => Err(Failure::Check(format!("{kind} was not made: {status}"))),
        }
    }

    fn python(&self, what: &str, path: &Path) -> Command {
        let mut command = Command::new("python3");
        command.args(["-c", DATA, what]).arg(path);
        command
    }

    /// Both programs in turn; each begins every second round.
    fn rounds(&self, rounds: u16) -> Result<(u64, [Figures; 2]), Failure> {
        let database = self.database("many", ROWS as u64)?;
        let bytes = database.metadata().map_err(Failure::file(&database))?.len();
        let mut figures = [Figures::default(), Figures::default()];
        for round in 0..rounds {
            let mut order = [(Program::Tombolo, 0), (Program::Pgloader, 1)];
            order.rotate_left(usize::from(round % 2));
            for (program, place) in order {
                let run = self.carry(program, &database)?;
                let rows = "SELECT (SELECT count(*) FROM item) + (SELECT count(*) FROM play)";
                let arrived = self.server.ask("app", rows)?;
                if run.code != Some(0) || arrived.trim() != ROWS.to_string() {
                    let text = format!(
                        "{} ended with {:?} and {} of {ROWS} rows: {}",
                        program.name(),
                        run.code,
                        arrived.trim(),
                        run.said
                    );
                    return Err(Failure::Check(text));
                }
                let (seconds, peak_bytes) = (run.seconds, run.peak_bytes);
                eprintln!("  {}: {seconds:.2} s, {peak_bytes} bytes", program.name());
                figures[place].seconds.push(seconds);
                figures[place].peak_bytes.push(peak_bytes as f64);
            }
        }
        Ok((bytes, figures))
    }

    /// What each program makes of values that are seldom thought of, table by table.
    fn odd(&self) -> Result<Vec<Odd>, Failure> {
        let (_, count) = shell::output(&mut self.python("count", self.directory))?;
        let count = count.trim().parse::<u64>().unwrap_or(0);
        let tables =
            (0..count).map(|place| self.odd_table(place)).collect::<Result<Vec<_>, _>>()?;
        match tables.is_empty() {
            true => Err(Failure::Check("there are no odd tables".into())),
            false => Ok(tables),
        }
    }

    fn odd_table(&self, place: u64) -> Result<Odd, Failure> {
        let database = self.database("odd", place)?;
        let original = judge::original(&mut self.python("dump", &database))?;
        let mut kept = [Kept::default(); 2];
        for (kept, program) in kept.iter_mut().zip(Program::ALL) {
            let run = self.carry(program, &database)?;
            let named = match program {
                Program::Tombolo => named(&run)?,
                // It prints how many errors there were, and no row.
                Program::Pgloader => Named::new(),
            };
            kept.code = run.code;
            kept.counts = judge::judge(&self.server, &original, &named)?;
        }
        Ok(Odd { table: original.name, kept })
    }

    fn large(&self) -> Result<(u64, Run), Failure> {
        let database = self.database("large", LARGE_BYTES)?;
        let bytes = database.metadata().map_err(Failure::file(&database))?.len();
        let run = self.carry(Program::Tombolo, &database)?;
        if bytes < LARGE_BYTES || run.code != Some(0) {
            let text = format!("{bytes} bytes ended with {:?}: {}", run.code, run.said);
            return Err(Failure::Check(text));
        }
        Ok((bytes, run))
    }

    /// Carries a database over into an empty one.
    fn carry(&self, program: Program, database: &Path) -> Result<Run, Failure> {
        self.server.empty_database()?;
        let address = self.server.address();
        let mut arguments: Vec<&OsStr> = Vec::new();
        let source = format!("sqlite://{}", database.display());
        match program {
            Program::Tombolo => {
                arguments.extend([self.binary.as_os_str(), OsStr::new("migrate")]);
                arguments.extend([database.as_os_str(), OsStr::new("--to"), OsStr::new(&address)]);
                arguments.extend(["--format", "json"].map(OsStr::new));
            }
            Program::Pgloader => {
                arguments.extend([OsStr::new("pgloader"), OsStr::new("--root-dir")]);
                arguments.extend([self.directory.as_os_str(), OsStr::new(&source)]);
                arguments.push(OsStr::new(&address));
            }
        }
        measured(&arguments, self.directory)
    }

    fn versions(&self) -> Result<String, Failure> {
        let mut asked = Command::new("dpkg-query");
        asked.args(["--show", "--showformat=${Version}", "pgloader"]);
        let (_, pgloader) = shell::output(&mut asked)?;
        let server = self.server.ask("postgres", "SHOW server_version")?;
        Ok(format!("pgloader {}, PostgreSQL {}", pgloader.trim(), server.trim()))
    }
}

/// The rows that our report names, by table and row.
fn named(run: &Run) -> Result<Named, Failure> {
    let report: Value = serde_json::from_str(&run.said)
        .map_err(|error| Failure::Check(format!("the report of the migration: {error}")))?;
    let values = report["values"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    Ok(values.iter().map(|value| (text(value, "table"), text(value, "rowid"))).collect())
}

/// Runs a program under GNU time, which asks the kernel for the peak of its resident memory
/// (`ru_maxrss`, getrusage(2)).
fn measured(arguments: &[&OsStr], directory: &Path) -> Result<Run, Failure> {
    let figures = directory.join("peak");
    let mut command = Command::new("/usr/bin/time");
    command.args(["--quiet", "--format=%M", "--output"]).arg(&figures).args(arguments);
    command.current_dir(directory).stdin(Stdio::null());
    let started = Instant::now();
    let (status, said) = shell::output(&mut command)?;
    let seconds = started.elapsed().as_secs_f64();
    let written = std::fs::read_to_string(&figures).map_err(Failure::file(&figures))?;
    let peak_kib: u64 = written
        .trim()
        .parse()
        .map_err(|_| Failure::Check(format!("GNU time wrote {written:?} ({status})")))?;
    Ok(Run { seconds, peak_bytes: peak_kib * 1024, code: status.code(), said })
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(seconds: f64, peak_bytes: f64) -> Figures {
        Figures { seconds: vec![seconds], peak_bytes: vec![peak_bytes] }
    }

    pub(super) fn results(missing: usize) -> Results {
        let ours = Counts { rows: 9, equal: 8 - missing, named: 1, changed: 0, missing };
        let theirs = Counts { rows: 9, equal: 0, named: 0, changed: 2, missing: 7 };
        let run = Run { seconds: 3.0, peak_bytes: 9_000_000, code: Some(0), said: String::new() };
        Results {
            machine: "a machine".into(),
            versions: "versions".into(),
            rounds: 1,
            bytes: 100_000_000,
            figures: [figures(1.0, 1e7), figures(4.0, 3e8)],
            odd: vec![Odd {
                table: "we|ird".into(),
                kept: [(ours, 1), (theirs, 0)]
                    .map(|(counts, code)| Kept { counts, code: Some(code) }),
            }],
            large: (LARGE_BYTES, run),
        }
    }

    #[test]
    fn what_does_not_hold_is_said() {
        assert_eq!(complaints(&results(0)), [""; 0]);
        assert_eq!(complaints(&results(2)), ["migration, 2 rows lost in silence"]);
        let mut slow = results(0);
        slow.figures.reverse();
        slow.large.1.peak_bytes = LARGE_LIMIT_BYTES;
        assert_eq!(complaints(&slow).len(), 3);
    }

    #[test]
    fn a_program_is_measured_by_what_it_took() {
        let directory = tempfile::tempdir().expect("a directory");
        let program = ["sh", "-c", "echo said; exit 3"].map(OsStr::new);
        let run = measured(&program, directory.path()).expect("GNU time, of the package time");
        assert_eq!((run.code, run.said.as_str()), (Some(3), "said\n"));
        assert!(run.peak_bytes > 100_000 && run.seconds > 0.0);
    }
}
