//! An owner that is started and ended, and programs at its door.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
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
    arguments: Vec<String>,
    addresses: Vec<String>,
}

impl Owner {
    /// Of a new database.
    pub(crate) fn new() -> Self {
        Self::of(tempfile::tempdir().expect("a directory"))
    }

    /// Of the database in this directory.
    pub(crate) fn of(directory: TempDir) -> Self {
        Self::with(directory, &[])
    }

    /// Of the database in this directory, with further arguments.
    pub(crate) fn with(directory: TempDir, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        let (child, errors, addresses) = start(&directory.path().join("app.db"), &arguments);
        Owner { directory, child, errors: Some(errors), arguments, addresses }
    }

    /// Where it listens, first on its Unix socket, then as it was told by `--listen`.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// Of a new database, by an owner that cannot have more descriptors than so many.
    pub(crate) fn with_descriptors(count: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={count}:{count}")).arg(env!("CARGO_BIN_EXE_tombolo"));
        Self::by(command, directory)
    }

    fn by(command: Command, directory: TempDir) -> Self {
        let (child, errors, addresses) = start_by(command, &directory.path().join("app.db"), &[]);
        Owner { directory, child, errors: Some(errors), arguments: Vec::new(), addresses }
    }

    /// Of the database in this directory, by an owner that meets errors.
    pub(crate) fn under(directory: TempDir, preload: &tombolo_lab::Preload) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        preload.apply(&mut command);
        Self::by(command, directory)
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it still has to say, once it has ended.
    pub(crate) fn said(&mut self) -> String {
        let mut said = String::new();
        if let Some(errors) = &mut self.errors {
            errors.read_to_string(&mut said).expect("text");
        }
        said
    }

    /// Of all databases in this directory, whatever they are.
    pub(crate) fn within(directory: TempDir) -> Self {
        let (child, errors, addresses) = start(directory.path(), &[]);
        Owner { directory, child, errors: Some(errors), arguments: Vec::new(), addresses }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    /// Ends it without a word, and starts it anew.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        let (child, errors, addresses) = start(&self.database(), &self.arguments);
        (self.child, self.errors, self.addresses) = (child, Some(errors), addresses);
    }

    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
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
        door(&self.database(), "", sql)
    }

    /// Runs SQL in the distribution's shell, on the file itself.
    pub(crate) fn stock(&self, sql: &str) -> Output {
        let mut command = Command::new("sqlite3");
        command.arg("-bail").arg(self.database());
        run(command, &format!(".timeout 20000\n{sql}"))
    }

    /// Starts one of the programs in `programs/`.
    pub(crate) fn program(&self, name: &str, arguments: &[&str]) -> Child {
        self.program_at(None, name, arguments)
    }

    /// The same, with the address of an owner in its environment.
    pub(crate) fn program_at(&self, owner: Option<&str>, name: &str, arguments: &[&str]) -> Child {
        program_at(&self.database(), owner, name, arguments)
    }
}

/// Starts one of the programs in `programs/` on a database.
pub(crate) fn program(database: &Path, name: &str, arguments: &[&str]) -> Child {
    program_at(database, None, name, arguments)
}

fn program_at(database: &Path, owner: Option<&str>, name: &str, arguments: &[&str]) -> Child {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs");
    Command::new(PYTHON)
        .arg(programs.join(name))
        .arg(database)
        .args(arguments)
        .env("TOMBOLO_LIBRARY", library())
        .envs(owner.map(|address| ("TOMBOLO_OWNER", address)))
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
pub(crate) fn serve(path: &Path) -> Child {
    start(path, &[]).0
}

/// Runs SQL in the distribution's shell, through the door, with further parameters of the URI: each
/// with an ampersand before it.
pub(crate) fn door(database: &Path, parameters: &str, sql: &str) -> Output {
    let mut command = Command::new("sqlite3");
    command.args(["-bail", "-cmd", &format!(".load {}", library().display())]);
    let open = format!(".open 'file:{}?vfs=tombolo{parameters}'\n", database.display());
    run(command, &(open + ".timeout 20000\n" + sql))
}

/// Starts an owner, and waits until it says where it serves.
fn start(database: &Path, arguments: &[String]) -> (Child, BufReader<ChildStderr>, Vec<String>) {
    start_by(Command::new(env!("CARGO_BIN_EXE_tombolo")), database, arguments)
}

fn start_by(
    mut command: Command,
    database: &Path,
    arguments: &[String],
) -> (Child, BufReader<ChildStderr>, Vec<String>) {
    let mut child = command
        .args(["serve", "--engine", "shared"])
        .args(arguments)
        .arg(database)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    let (mut said, mut addresses) = (String::new(), Vec::new());
    let expected = 1 + arguments.iter().filter(|word| *word == "--listen").count();
    while addresses.len() < expected {
        let from = said.len();
        let count = errors.read_line(&mut said).expect("it speaks");
        assert!(count > 0, "the owner ended: {said}");
        if let Some((_, rest)) = said.get(from..).unwrap_or_default().split_once("is served at ") {
            let address = rest.split_whitespace().next().expect("an address");
            addresses.push(address.to_owned());
        }
    }
    (child, errors, addresses)
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
