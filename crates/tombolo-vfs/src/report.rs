//! What is told to whoever started the program: lines that are added to one file.
//!
//! | line | meaning |
//! |---|---|
//! | `reached PID PATH` | the SQLite in this module goes through the door |
//! | `late PID PATH` | it does from now on, and was initialised before |
//! | `missed PID PATH` | it does not, though its symbols can be looked up |
//! | `loaded PID PATH` | a module without such symbols; what is in it is told by its bytes |
//! | `named PID NUMBER` | a database of the pattern with this number was opened at its owner |

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// The environment variable with the path of the report.
const VARIABLE: &str = "TOMBOLO_RUN_REPORT";
/// Bytes of a report that is full. Programs that start many others say the same again and again.
const REPORT_BYTES_MAX: u64 = 16 << 20;

/// Where lines go; nowhere, if nobody reads them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    path: Option<PathBuf>,
}

impl Report {
    pub(crate) fn of_environment() -> Self {
        Report { path: std::env::var_os(VARIABLE).map(PathBuf::from) }
    }

    /// Adds a line for each of these.
    pub(crate) fn add<'a>(&self, lines: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
        let process = std::process::id().to_string();
        let mut bytes = Vec::new();
        for (word, text) in lines {
            if text.contains(&b'\n') {
                continue;
            }
            for part in [word.as_bytes(), b" ", process.as_bytes(), b" ", text, b"\n"] {
                bytes.extend_from_slice(part);
            }
        }
        if bytes.is_empty() {
            return;
        }
        let Some(path) = &self.path else { return };
        // One write for all lines: processes add to it at the same time. Where it cannot be
        // written, whoever reads it misses what it waits for and says so.
        if let Ok(mut file) = OpenOptions::new().append(true).open(path)
            && file.metadata().is_ok_and(|status| status.len() < REPORT_BYTES_MAX)
        {
            let _ = file.write_all(&bytes);
        }
    }
}
