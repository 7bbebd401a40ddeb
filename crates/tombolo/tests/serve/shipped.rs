//! The unit and the compose file in `dist/`: their command lines, run as they stand, with the
//! binary and the directory of this test in the places of the installed ones.

use crate::harness::library;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = "/usr/local/bin/tombolo";
const DIRECTORY: &str = "/srv/tombolo";
/// The doctor looks first.
const PATIENCE: Duration = Duration::from_secs(120);

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(name);
    std::fs::read_to_string(path).expect("it is shipped")
}

/// The rest of the one line that begins so.
fn the_line<'a>(text: &'a str, start: &str) -> &'a str {
    let mut found = text.lines().filter_map(|line| line.trim_start().strip_prefix(start));
    let line = found.next().expect("it is there");
    assert!(found.next().is_none(), "{start} once");
    line
}

fn here(words: &[String], directory: &Path) -> Command {
    let [binary, arguments @ ..] = words else { panic!("no words") };
    assert_eq!(binary, BINARY);
    assert!(arguments.iter().any(|word| word == DIRECTORY), "{arguments:?}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    for word in arguments {
        command.arg(if word == DIRECTORY { directory.as_os_str() } else { word.as_ref() });
    }
    command
}

struct Started {
    child: Child,
    log: PathBuf,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Started {
    fn new(mut command: Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("made");
        let child = command.stdin(Stdio::null()).stderr(file).spawn().expect("it starts");
        let mut started = Started { child, log };
        let began = Instant::now();
        while !started.said().contains("is served at") {
            let ended = started.child.try_wait().expect("looked");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "{}", started.said());
            std::thread::yield_now();
        }
        started
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).expect("read")
    }
}

/// Serves by a command line, uses it, asks how it is by another, and ends it as services are ended.
fn serves(words: &[String], health: &[String]) {
    let directory = tempfile::tempdir().expect("a directory");
    let served = directory.path().join("served");
    std::fs::create_dir(&served).expect("made");
    let mut owner = Started::new(here(words, &served), directory.path().join("log"));
    let mut shell = Command::new("sqlite3")
        .args(["-bail", "-cmd", &format!(".load {}", library().display())])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the distribution's sqlite3 is installed");
    let path = served.join("new.db");
    let sql = format!(
        ".open 'file:{}?vfs=tombolo'\nCREATE TABLE t(a); INSERT INTO t VALUES(7); SELECT a FROM t;",
        path.display()
    );
    shell.stdin.take().expect("piped").write_all(sql.as_bytes()).expect("written");
    let output = shell.wait_with_output().expect("waited for");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "7");
    let looked = here(health, &served).output().expect("it runs");
    assert_eq!(looked.status.code(), Some(0), "{}", String::from_utf8_lossy(&looked.stderr));
    assert!(String::from_utf8_lossy(&looked.stdout).contains("new.db"));
    let id = owner.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
    assert_eq!(owner.child.wait().expect("waited for").code(), Some(0), "{}", owner.said());
    let log = std::fs::metadata(served.join("new.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log is in the database");
    let looked = here(health, &served).output().expect("it runs");
    assert_eq!(looked.status.code(), Some(2), "nobody answers any more");
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_unit_serves() {
    let unit = shipped("tombolo.service");
    let status = words(&format!("{BINARY} status {DIRECTORY}"));
    serves(&words(the_line(&unit, "ExecStart=")), &status);
}

#[test]
fn the_compose_file_serves_and_its_health_is_told() {
    let compose = shipped("compose.yaml");
    let list = |start| -> Vec<String> {
        // A flow sequence of double-quoted words without escapes is JSON (YAML 1.2, 7.4.1).
        serde_json::from_str(the_line(&compose, start)).expect("words")
    };
    let health = list("test: ");
    let (kind, health) = health.split_first().expect("a kind of command");
    assert_eq!(kind, "CMD");
    serves(&list("command: "), health);
    assert!(compose.contains(&format!(":{BINARY}:ro")), "the binary is there");
    assert!(compose.contains(&format!(":{DIRECTORY}\n")), "and the directory");
}
