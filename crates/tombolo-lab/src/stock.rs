//! Stock SQLite as its users have it: the distribution's shell, in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const MISSING: &str = "sqlite3 runs (package sqlite3)";

/// What it answers to these statements, one line for each row, errors included.
///
/// # Panics
/// Where there is no `sqlite3`.
#[must_use]
pub fn sqlite(database: &Path, statements: &str) -> String {
    let output = Command::new("sqlite3").arg(database).arg(statements).output().expect(MISSING);
    let both = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A program that keeps the database open between statements; it ends when dropped.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Shell {
    /// Starts it. The database is opened with the first statement.
    ///
    /// # Panics
    /// Where there is no `sqlite3`.
    #[must_use]
    pub fn new(database: &Path) -> Self {
        let mut command = Command::new("sqlite3");
        command.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect(MISSING);
        let output = BufReader::new(child.stdout.take().expect("it was asked for"));
        Shell { input: child.stdin.take(), output, child }
    }

    /// The first line of the answer; empty after an error.
    ///
    /// # Panics
    /// When the shell has ended.
    pub fn ask(&mut self, statements: &str) -> String {
        let input = self.input.as_mut().expect("open until the drop");
        writeln!(input, "{statements}\n.print end").expect("the shell listens");
        let mut first = String::new();
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("the shell answers");
            match line.trim_end() {
                "end" | "" => return first,
                other if first.is_empty() => first = other.to_owned(),
                _ => {}
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.wait();
    }
}
