//! Programs that are told line by line what to do: a connection of SQLite, or a few files.

use super::clock::Clock;
use crate::error::LabError;
use crate::side::{Program, Side};
use crate::workload::{PYTHON, SESSION};
use std::path::Path;
use std::time::Duration;

const FILES: &str = include_str!("../../workloads/files.py");

/// How long one answer may take. What an emulated kernel asks of a busy one is slow.
const ANSWER: Duration = Duration::from_secs(30);

/// What a line led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was done. The rows of an SQL statement, or the one answer of a call.
    Done(Vec<String>),
    /// It failed, with the name of the error.
    Failed(String),
}

impl Said {
    /// `ok`, or the name of the error.
    pub(super) fn outcome(&self) -> &str {
        match self {
            Said::Done(_) => "ok",
            Said::Failed(name) => name,
        }
    }

    /// The first answer, or the name of the error.
    pub(super) fn word(&self) -> &str {
        match self {
            Said::Done(rows) => rows.first().map_or("", String::as_str),
            Said::Failed(name) => name,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self, Said::Done(_))
    }
}

/// One program. Killed when dropped.
#[derive(Debug)]
pub(super) struct Session {
    program: Program,
    clock: Clock,
    name: String,
}

impl Session {
    /// A connection to a database, which waits for no lock.
    pub(super) fn sqlite(side: &Side, database: &Path, clock: Clock) -> Result<Self, LabError> {
        Self::start(side, SESSION, database, clock)
    }

    /// Calls on files of a directory.
    pub(super) fn files(side: &Side, clock: Clock) -> Result<Self, LabError> {
        Self::start(side, FILES, side.directory(), clock)
    }

    fn start(side: &Side, script: &str, path: &Path, clock: Clock) -> Result<Self, LabError> {
        let program = side.start(&[PYTHON, "-I", "-c", script, &path.to_string_lossy()])?;
        Ok(Session { program, clock, name: format!("a program on {}", side.name()) })
    }

    /// Says one line and waits for the answer.
    ///
    /// # Errors
    /// When there is none, as from a program that hangs in a mount; not when the program died.
    pub(super) fn say(&mut self, line: &str) -> Result<Said, LabError> {
        self.send(line);
        self.answer(line)
    }

    /// Says one line.
    pub(super) fn send(&self, line: &str) {
        self.program.write_line(line);
    }

    /// Waits for the answer to the line that was sent.
    ///
    /// # Errors
    /// As [`Session::say`].
    pub(super) fn answer(&mut self, line: &str) -> Result<Said, LabError> {
        let mut rows = Vec::new();
        let limit = self.clock.left(ANSWER)?;
        while let Some(said) = self.program.next_line(limit) {
            let (kind, rest) = said.split_once('\t').unwrap_or((&said, ""));
            match kind {
                "row" => rows.push(rest.to_owned()),
                "done" if rest.is_empty() => return Ok(Said::Done(rows)),
                "done" => return Ok(Said::Done(vec![rest.to_owned()])),
                _ => {
                    let name = rest.split('\t').next().unwrap_or_default();
                    return Ok(Said::Failed(name.to_owned()));
                }
            }
        }
        self.gone(line, limit)
    }

    /// What became of a program that does not answer.
    fn gone(&mut self, line: &str, limit: Duration) -> Result<Said, LabError> {
        match self.program.ended()? {
            Some(end) => Ok(Said::Failed(super::end_of(end.status))),
            None => {
                let what = format!("{}: an answer to {line:?}", self.name);
                Err(LabError::Late { what, after: limit, detail: String::new() })
            }
        }
    }
}
