//! What became of a database, by the word of stock SQLite alone.
//!
//! The judge opens a copy: opening rolls a hot journal back, plays a log in and truncates `-shm`,
//! and whoever judges changes nothing.

use crate::child::Batch;
use crate::error::LabError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What belongs to a database beside itself. Not `-shm`, which SQLite makes of the rest.
const SET: [&str; 3] = ["", "-wal", "-journal"];

/// No test makes a larger file; a damaged one may say that it is.
const LARGEST_BYTES: u64 = 1 << 30;

/// How long one question may take. A damaged database can lead SQLite round in circles.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// What the judge is told beforehand.
#[derive(Clone, Debug, Default)]
pub struct Charge {
    /// Logs of acknowledgements, one row in each line. A last line without its end was never
    /// acknowledged.
    pub acknowledgements: Vec<PathBuf>,
    /// A query for all rows, in the words of the logs; empty where there are no logs.
    pub rows: String,
    /// What must hold.
    pub invariants: Vec<Invariant>,
}

/// A question that has one right answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// What it means.
    pub name: &'static str,
    /// The query.
    pub question: String,
    /// All that it must answer, its rows on lines of their own.
    pub answer: String,
}

impl Charge {
    /// For a database in which [`Increments`](crate::Increments) were made.
    #[must_use]
    pub fn of_increments(acknowledgements: Vec<PathBuf>) -> Self {
        let counted = Invariant {
            name: "the counter is the number of entries",
            question: "SELECT (SELECT n FROM counter) = (SELECT count(*) FROM entry);".to_owned(),
            answer: "1".to_owned(),
        };
        let rows = "SELECT client || ' ' || number FROM entry;".to_owned();
        Charge { acknowledgements, rows, invariants: vec![counted] }
    }
}

/// What the judge found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What `PRAGMA integrity_check` said.
    pub integrity: Integrity,
    /// How many rows were acknowledged.
    pub acknowledged: usize,
    /// Acknowledged rows that are not there, sorted.
    pub missing: Vec<String>,
    /// Rows that are there more than once, sorted.
    pub duplicates: Vec<String>,
    /// Rows that nobody acknowledged. A program that was killed may leave one.
    pub unacknowledged: Vec<String>,
    /// Invariants that do not hold, with what was answered.
    pub broken: Vec<(Invariant, String)>,
}

/// What `PRAGMA integrity_check` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Integrity {
    /// `ok`.
    Sound,
    /// Something else.
    Damaged(String),
    /// Nothing, but this error.
    Unreadable(String),
}

impl Verdict {
    /// Nothing was lost, doubled, broken or damaged.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.integrity == Integrity::Sound
            && self.missing.is_empty()
            && self.duplicates.is_empty()
            && self.broken.is_empty()
    }
}

/// Judges the database, which nobody may be writing.
///
/// # Errors
/// When files cannot be read or copied, or there is no `sqlite3`. Whatever is wrong with the
/// database itself is a verdict.
pub fn judge(database: &Path, charge: &Charge) -> Result<Verdict, LabError> {
    let directory = tempfile::tempdir().map_err(LabError::call("mkdtemp", Path::new("")))?;
    let copy = directory.path().join("copy.db");
    for suffix in SET {
        let from = with_suffix(database, suffix);
        copy_file(&from, &with_suffix(&copy, suffix)).map_err(LabError::call("copy", &from))?;
    }
    let integrity = match ask(&copy, "PRAGMA integrity_check;")? {
        Ok(said) if said == "ok" => Integrity::Sound,
        Ok(said) => Integrity::Damaged(said),
        Err(error) => Integrity::Unreadable(error),
    };
    let mut acknowledged = BTreeSet::new();
    for log in &charge.acknowledgements {
        acknowledged.extend(lines(log).map_err(LabError::call("read", log))?);
    }
    let found = if charge.rows.is_empty() { Ok(String::new()) } else { ask(&copy, &charge.rows)? };
    let mut there = BTreeMap::<&str, usize>::new();
    // What cannot be read is not there.
    for row in found.iter().flat_map(|rows| rows.lines()) {
        *there.entry(row).or_default() += 1;
    }
    let mut broken = Vec::new();
    for invariant in &charge.invariants {
        let answer = ask(&copy, &invariant.question)?.unwrap_or_else(|error| error);
        if answer != invariant.answer {
            broken.push((invariant.clone(), answer));
        }
    }
    let texts = |rows: Vec<&str>| rows.into_iter().map(str::to_owned).collect();
    let absent = |row: &&str| !there.contains_key(row);
    let unheard = |row: &&str| !acknowledged.contains(*row);
    Ok(Verdict {
        integrity,
        acknowledged: acknowledged.len(),
        missing: texts(acknowledged.iter().map(String::as_str).filter(absent).collect()),
        duplicates: texts(there.iter().filter(|row| *row.1 > 1).map(|row| *row.0).collect()),
        unacknowledged: texts(there.keys().copied().filter(unheard).collect()),
        broken,
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Copies what there is.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let status = match std::fs::metadata(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        status => status?,
    };
    if !status.is_file() || status.len() > LARGEST_BYTES {
        return Err(ErrorKind::FileTooLarge.into());
    }
    std::fs::copy(from, to).map(drop)
}

/// The whole lines of a log; none where there is no log yet.
fn lines(log: &Path) -> io::Result<Vec<String>> {
    let mut text = String::new();
    match File::open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        file => drop(file?.take(LARGEST_BYTES).read_to_string(&mut text)?),
    }
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    Ok(whole.lines().map(str::to_owned).collect())
}

/// What the shell answers, or the error that it reports.
fn ask(database: &Path, question: &str) -> Result<Result<String, String>, LabError> {
    let mut command = Command::new("sqlite3");
    // No settings of whoever runs it.
    command.args(["-batch", "-bail", "-noheader", "-list", "-init", "/dev/null"]);
    command.arg(database).arg(question);
    let ended = Batch::start(&mut command, "install the package sqlite3")?.end(ANSWER_WITHIN)?;
    let errors = ended.errors.trim();
    if ended.status.success() && errors.is_empty() {
        return Ok(Ok(ended.output.trim_end().to_owned()));
    }
    Ok(Err(format!("{errors} ({})", ended.status)))
}
