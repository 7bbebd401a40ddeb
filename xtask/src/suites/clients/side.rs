//! One run of a suite, on the stock VFS or through the door.

use super::catalogue::{Enters, Place, Prints, Suite};
use super::installed::Installed;
use crate::shell::{self, Failure};
use crate::suites::no_directory;
use crate::suites::owner::{Owner, Tombolo};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// How long one run may take, in seconds, as `timeout` takes it.
const RUN_TIMEOUT_S: &str = "1800";
/// What the owner's log says of each session.
const SESSION_BEGINS: &str = "a session begins";
/// Lines of errors that are shown of a run that ended badly.
const LAST_LINES: usize = 15;

/// What a run goes through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Side<'a> {
    Stock,
    Door(&'a Tombolo),
}

/// What came of a run.
#[derive(Debug)]
pub(super) struct Ran {
    /// The results, in the suite's format.
    pub(super) printed: String,
    pub(super) errors: String,
    /// None if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) owner_ended: bool,
    pub(super) served: Served,
}

/// What an owner served.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) sessions: usize,
    pub(super) databases: BTreeSet<String>,
}

impl Ran {
    /// The end of what it said.
    pub(super) fn last_words(&self) -> String {
        let lines: Vec<&str> = self.errors.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

pub(super) fn run(suite: &Suite, installed: &Installed, side: Side<'_>) -> Result<Ran, Failure> {
    let directory = TempDir::with_prefix("clients-").map_err(no_directory)?;
    let word = if matches!(side, Side::Door(_)) { "door" } else { "stock" };
    let beside = |end: &str| installed.logs.join(format!("{}.{word}.{end}", suite.name));
    let results = beside("results");
    // What an earlier run left is not taken for this one's.
    fs::write(&results, "").map_err(Failure::file(&results))?;
    let place = Place { directory: directory.path(), results: &results };
    let command = suite.command(installed, &place)?;
    let owner = match side {
        Side::Stock => None,
        Side::Door(tombolo) => Some(Counted::serve(tombolo, directory.path())?),
    };
    let mut command = through(&command, side, suite.enters, directory.path());
    let (output, errors) = (beside("output"), beside("errors"));
    for (path, is_output) in [(&output, true), (&errors, false)] {
        let file = File::create(path).map_err(Failure::file(path))?;
        if is_output {
            command.stdout(file)
        } else {
            command.stderr(file)
        };
    }
    let status = shell::status(&mut command)?;
    let (owner_ended, served) = owner.map_or_else(Default::default, Counted::end);
    let printed = if suite.prints == Prints::Junit { &results } else { &output };
    Ok(Ran {
        printed: lossy(printed)?,
        errors: format!("{}{}", lossy(&output)?, lossy(&errors)?),
        code: status.code(),
        owner_ended,
        served,
    })
}

fn lossy(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(Failure::file(path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The command in its directory, where its temporary files are as well, by the way of a side.
fn through(command: &Command, side: Side<'_>, enters: Enters, directory: &Path) -> Command {
    let mut whole = Command::new("timeout");
    whole.args(["--kill-after=5", RUN_TIMEOUT_S]);
    if let Side::Door(tombolo) = side {
        match enters {
            Enters::Run => whole.arg(&tombolo.command).args(["run", "--"]),
            Enters::Extension => {
                whole.env("TOMBOLO_LIBRARY", &tombolo.vfs).env("TOMBOLO_DEFAULT", "1")
            }
        };
    }
    whole.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole.current_dir(directory).env("TMPDIR", directory).stdin(Stdio::null());
    whole
}

/// An owner whose sessions are counted.
#[derive(Debug)]
struct Counted {
    owner: Owner,
    counting: JoinHandle<Served>,
}

impl Counted {
    fn serve(tombolo: &Tombolo, directory: &Path) -> Result<Self, Failure> {
        let (owner, log) = tombolo.serve_with_log(directory)?;
        let counting = thread::spawn(move || counted(log));
        Ok(Counted { owner, counting })
    }

    /// Ends the owner: whether it had ended by itself, and what it served.
    fn end(mut self) -> (bool, Served) {
        let has_ended = !self.owner.is_alive();
        drop(self.owner);
        // It cannot panic; had it, nothing would have been counted, which is a failure.
        (has_ended, self.counting.join().unwrap_or_default())
    }
}

/// Reads a log in JSON to its end.
fn counted(mut log: BufReader<ChildStderr>) -> Served {
    let mut served = Served::default();
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        // Names of files need not be UTF-8.
        served.add(&String::from_utf8_lossy(&line));
        line.clear();
    }
    served
}

impl Served {
    fn add(&mut self, line: &str) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        if event["message"] == SESSION_BEGINS {
            self.sessions += 1;
            self.databases.insert(event["path"].as_str().unwrap_or_default().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_by_the_log() {
        let mut served = Served::default();
        for line in [
            r#"{"message":"a session begins","path":"/a.db"}"#,
            r#"{"message":"a session begins","path":"/a.db"}"#,
            r#"{"message":"a session ends","path":"/b.db"}"#,
            "it is served",
        ] {
            served.add(line);
        }
        assert_eq!((served.sessions, served.databases.len()), (2, 1));
    }
}
