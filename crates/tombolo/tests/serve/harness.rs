//! An owner that is started and ended, and programs at its door.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use tempfile::TempDir;

/// Debian's interpreter, which can load extensions; others are built without.
const PYTHON: &str = "/usr/bin/python3";

/// The library, as the distribution's SQLite loads it.
pub(crate) fn library() -> PathBuf {
    let own = Path::new(env!("CARGO_BIN_EXE_tombolo"));
    let directory = own.parent().expect("it has a directory");
    let built = [directory.join("libtombolo.so"), directory.join("deps/libtombolo.so")];
    // Cargo leaves older builds in one of its directories.
    let changed = |path: &PathBuf| path.metadata().and_then(|status| status.modified()).ok();
    let found = built.into_iter().filter(|path| path.is_file()).max_by_key(changed);
    found.expect("libtombolo.so is built with these tests")
}

/// A directory with a database, and its owner.
pub(crate) struct Owner {
    directory: TempDir,
    child: Child,
    errors: Option<BufReader<ChildStderr>>,
}

impl Owner {
    /// Of a new database.
    pub(crate) fn new() -> Self {
        Self::of(tempfile::tempdir().expect("a directory"))
    }

    /// Of the database in this directory.
    pub(crate) fn of(directory: TempDir) -> Self {
        let (child, errors) = start(&directory.path().join("app.db"));
        Owner { directory, child, errors: Some(errors) }
    }

    /// Of all databases in this directory, whatever they are.
    pub(crate) fn within(directory: TempDir) -> Self {
        let (child, errors) = start(directory.path());
        Owner { directory, child, errors: Some(errors) }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    /// Ends it without a word, and starts it anew.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        let (child, errors) = start(&self.database());
        (self.child, self.errors) = (child, Some(errors));
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) -> std::process::ExitStatus {
        let id = self.child.id().to_string();
        let status = Command::new("kill").arg(id).status().expect("kill runs");
        assert!(status.success());
        self.child.wait().expect("waited for")
    }

    /// Runs SQL in the distribution's shell, through the door.
    pub(crate) fn door(&self, sql: &str) -> Output {
        let mut command = Command::new("sqlite3");
        command.args(["-bail", "-cmd", &format!(".load {}", library().display())]);
        let open = format!(".open 'file:{}?vfs=tombolo'\n", self.database().display());
        run(command, &(open + ".timeout 20000\n" + sql))
    }

    /// Runs SQL in the distribution's shell, on the file itself.
    pub(crate) fn stock(&self, sql: &str) -> Output {
        let mut command = Command::new("sqlite3");
        command.arg("-bail").arg(self.database());
        run(command, &format!(".timeout 20000\n{sql}"))
    }

    /// Starts one of the programs in `programs/`.
    pub(crate) fn program(&self, name: &str, arguments: &[&str]) -> Child {
        program(&self.database(), name, arguments)
    }
}

/// Starts one of the programs in `programs/` on a database.
pub(crate) fn program(database: &Path, name: &str, arguments: &[&str]) -> Child {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs");
    Command::new(PYTHON)
        .arg(programs.join(name))
        .arg(database)
        .args(arguments)
        .env("TOMBOLO_LIBRARY", library())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Debian's python3 is installed")
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts an owner, and waits until it says that it serves.
fn start(database: &Path) -> (Child, BufReader<ChildStderr>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["serve", "--engine", "shared"])
        .arg(database)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("is served at") {
        let count = errors.read_line(&mut said).expect("it speaks");
        assert!(count > 0, "the owner ended: {said}");
    }
    (child, errors)
}

fn run(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the distribution's sqlite3 is installed");
    let mut stdin = child.stdin.take().expect("piped");
    // A shell that ended before has said why.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("waited for")
}

/// What a program printed, which ended well and said nothing else.
pub(crate) fn printed(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a started program printed.
pub(crate) fn finished(child: Child) -> String {
    printed(&child.wait_with_output().expect("waited for"))
}
