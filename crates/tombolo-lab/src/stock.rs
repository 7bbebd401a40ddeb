//! Stock SQLite as its users have it: the distribution's shell, in a process of its own.

use std::collections::BTreeMap;
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

/// Makes a database in WAL mode with its 500 rows of the table `t` in the log only, as a program
/// leaves it that was killed: `app.db`, `app.db-wal` and `app.db-shm`.
///
/// # Panics
/// Where there is no `sqlite3`, or the directory cannot be written.
pub fn killed_in_wal_mode(directory: &Path) {
    let live = tempfile::tempdir().expect("a directory");
    let mut program = Shell::new(&live.path().join("app.db"));
    program.ask("PRAGMA journal_mode=WAL;");
    program.ask("CREATE TABLE t(id INTEGER PRIMARY KEY, x);");
    program.ask("PRAGMA wal_checkpoint(TRUNCATE);");
    program.ask(
        "INSERT INTO t WITH RECURSIVE n(i) AS
           (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
         SELECT i, hex(randomblob(100)) FROM n;",
    );
    for name in ["app.db", "app.db-wal", "app.db-shm"] {
        std::fs::copy(live.path().join(name), directory.join(name)).expect("copied");
    }
}

/// The files of a directory by their names, with their bytes. What is no regular file is left out.
#[derive(Clone, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// As they are.
    ///
    /// # Panics
    /// Where they cannot be read.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let entries = std::fs::read_dir(directory).expect("readable");
        let files = entries
            .map(|entry| entry.expect("read"))
            .filter(|entry| entry.file_type().expect("a type").is_file());
        let read = files.map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("read"))
        });
        Files(read.collect())
    }

    /// Their names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// They are the same, byte for byte.
    ///
    /// # Panics
    /// Where they are not, with the name of the first that differs.
    #[track_caller]
    pub fn assert_same(&self, before: &Files) {
        assert_eq!(self.names(), before.names());
        for (name, bytes) in &before.0 {
            assert!(self.0.get(name) == Some(bytes), "{name} is not as before");
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.wait();
    }
}
