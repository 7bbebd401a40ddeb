//! `tombolo doctor` without a path, as a program is used. Root is needed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const TOMBOLO: &str = env!("CARGO_BIN_EXE_tombolo");

/// The `sqlite3` shell with a database open; it ends with its input.
struct Shell(Child);

impl Shell {
    fn open(database: &Path) -> Self {
        let mut child = Command::new("sqlite3")
            .arg("-batch")
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3 is needed");
        let sql = b"PRAGMA journal_mode=WAL; CREATE TABLE t(x);\n.print ready\n";
        child.stdin.as_mut().expect("piped").write_all(sql).expect("written");
        let lines = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "ready"));
        Shell(child)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().ok();
    }
}

fn scene() -> (tempfile::TempDir, PathBuf, Shell) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("real path").join("app.db");
    let shell = Shell::open(&path);
    (directory, path, shell)
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn every_database_in_use_is_listed_for_programs_and_for_people() {
    let (directory, path, shell) = scene();
    std::fs::remove_file(directory.path().join("app.db-wal")).expect("deleted");
    let output = Command::new(TOMBOLO).args(["doctor", "--format", "json"]).output().expect("run");
    assert_eq!(output.status.code(), Some(1), "a program works on a deleted file");
    let report = json(&output);
    assert_eq!(report["schema"], "tombolo.machine/1");
    let databases = report["databases"].as_array().expect("a list");
    let found = databases.iter().find(|one| one["path"] == path.to_str().expect("UTF-8"));
    let found = found.expect("the database");
    assert_eq!(found["state"], "endangered");
    assert_eq!(found["findings"][0]["code"], "TMB-DB-008");
    assert_eq!(found["database"]["openers"][0]["pid"], shell.0.id());
    let output = Command::new(TOMBOLO).arg("doctor").output().expect("run");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains(&format!("DANGER  {}", path.display())), "{text}");
    assert!(text.contains("No experiment was made"), "{text}");
}

#[test]
fn what_another_user_may_not_see_is_counted_and_never_exits_like_nothing_wrong() {
    let (directory, path, _shell) = scene();
    // A user without rights cannot reach the build directory of everybody.
    let binary = directory.path().join("tombolo");
    std::fs::copy(TOMBOLO, &binary).expect("copied");
    for one in [directory.path(), &binary] {
        std::fs::set_permissions(one, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&binary)
        .args(["doctor", "--format", "json"])
        .current_dir("/")
        .output()
        .expect("setpriv (util-linux) is needed");
    let report = json(&output);
    assert_ne!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["completeness"]["state"], "partial");
    assert!(report["unseen"]["programs"].as_u64().expect("a number") > 0, "run this as root");
    assert!(report["unseen"]["programs_with_locks"].as_u64().expect("a number") > 0);
    let databases = report["databases"].as_array().expect("a list");
    assert!(databases.iter().all(|one| one["path"] != path.to_str().expect("UTF-8")));
}
