//! The texts of one runtime as a file.

use super::expected::{expected, truth};
use super::fault::Fault;
use crate::error::LabError;
use serde::Serialize;
use std::path::Path;

const HEAD: &str = "\
# What this runtime prints when an error of SQLite ends a program, recorded under faults that were
# made on purpose (tombolo-lab record). `text` is unchanged but for paths and process
# ids. `true_cause` is what was really wrong; often no text says so. `expect_first` is the cause
# that an expert would name who sees the text alone. Where the text cannot tell, an honest answer
# has `expect_among_two` among its first two causes, or begins with NEEDS_FACTS.

";

/// All texts of one runtime.
#[derive(Debug, Default, Serialize)]
pub(super) struct Recording {
    pub(super) runtime: String,
    pub(super) version: String,
    pub(super) recorded: Vec<Recorded>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) silent: Vec<Silent>,
}

/// One text.
#[derive(Debug, Serialize)]
pub(super) struct Recorded {
    fault: String,
    journal: String,
    /// The calls that were refused, for faults that are refused calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
    true_cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect_first: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect_among_two: Option<&'static str>,
    why: &'static str,
    text: String,
}

/// A fault under which the program went on to its end without an error.
#[derive(Debug, Serialize)]
pub(super) struct Silent {
    pub(super) fault: String,
    pub(super) journal: String,
}

impl Recorded {
    pub(super) fn new(fault: &Fault, refused: Vec<String>, text: String) -> Self {
        let expected = expected(fault.kind, &text);
        let cause = Some(expected.cause);
        Recorded {
            fault: fault.name.to_owned(),
            journal: fault.journal.mode().to_owned(),
            refused,
            true_cause: truth(fault.kind),
            expect_first: cause.filter(|_| expected.is_told),
            expect_among_two: cause.filter(|_| !expected.is_told),
            why: expected.why,
            text: format!("{text}\n"),
        }
    }
}

impl Recording {
    pub(super) fn add(&mut self, kept: Result<Recorded, Silent>) {
        match kept {
            Ok(recorded) => self.recorded.push(recorded),
            Err(silent) => self.silent.push(silent),
        }
    }

    /// Writes `NAME.toml`.
    pub(super) fn write(&self, out: &Path) -> Result<(), LabError> {
        let path = out.join(format!("{}.toml", self.runtime));
        let text = toml::to_string_pretty(self).map_err(std::io::Error::other);
        let text = text.map_err(LabError::call("serialize", &path))?;
        std::fs::write(&path, format!("{HEAD}{text}")).map_err(LabError::call("write", &path))
    }
}
