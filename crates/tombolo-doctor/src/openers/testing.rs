//! Programs for tests: real processes that hold files open until dropped.

use super::Holding;
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tombolo_core::sqlite::source_id;
use tombolo_os::process::{Handle, Held, NameState, OpenMode};

/// A program that has said `ready` and ends with its input.
pub(crate) struct Program(Child);

impl Program {
    /// Starts a command, which must print a line `ready` once it is.
    pub(crate) fn start(command: &mut Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} is needed: {error}"));
        let stdin = child.stdin.as_mut().expect("piped");
        stdin.write_all(input.as_bytes()).expect("written");
        let output = std::io::BufReader::new(child.stdout.as_mut().expect("piped"));
        let lines = output.lines().map_while(Result::ok);
        assert!(lines.into_iter().any(|line| line == "ready"), "{command:?} did not get ready");
        Program(child)
    }

    /// A shell that runs a script in a directory. Read with care: `exec 5<>file` opens for both.
    pub(crate) fn shell(directory: &Path, script: &str) -> Self {
        let script = format!("{script}; echo ready; read end");
        Self::start(Command::new("sh").args(["-c", &script]).current_dir(directory), "")
    }

    /// The `sqlite3` shell with a database open, after some SQL.
    pub(crate) fn sqlite(database: &Path, sql: &str) -> Self {
        let mut command = Command::new("sqlite3");
        Self::start(command.arg("-batch").arg(database), &format!("{sql}\n.print ready\n"))
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a process id")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

/// The version of the `sqlite3` shell.
pub(crate) fn shell_version() -> String {
    let output = Command::new("sqlite3").arg("--version").output().expect("sqlite3 is needed");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split_whitespace().next().expect("a version").to_owned()
}

/// A program made up for a test, which holds `/srv/app.db` once for each of `modes` and has copies
/// of SQLite of these times of check-in.
pub(crate) fn holding(pid: i32, modes: &[OpenMode], builds: &[&str]) -> Holding {
    let held = |(number, mode): (usize, &OpenMode)| Held {
        handle: Handle::Descriptor(i32::try_from(number).expect("small")),
        path: b"/srv/app.db".to_vec(),
        name: NameState::Named,
        mode: *mode,
        locks: Vec::new(),
        mount_id: None,
        inode: None,
    };
    let hash = "a".repeat(64);
    let text = builds.iter().map(|time| format!("{time} {hash}\0")).collect::<String>();
    Holding {
        pid,
        program: "app".to_owned(),
        container: None,
        database: modes.iter().enumerate().map(held).collect(),
        wal_index: Vec::new(),
        deleted: Vec::new(),
        locks: Vec::new(),
        sqlite: source_id::find(text.as_bytes()),
    }
}
