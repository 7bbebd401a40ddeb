//! What `tombolo status`, the PRAGMA and the log tell.

use crate::harness::{Owner, printed};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn status(path: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("status").args(arguments).arg(path).output().expect("it runs")
}

fn json(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).expect("one document");
    assert_eq!(document["schema"], "tombolo.status/1");
    document
}

#[test]
fn an_owner_is_told_as_text_as_json_and_for_prometheus() {
    let owner = Owner::new();
    printed(&owner.door("CREATE TABLE t(a); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);"));
    let path = owner.database();
    let document = json(&printed(&status(&path, &["--format", "json"])));
    let counts = &document["databases"][0]["counts"];
    assert_eq!(counts["commits"], 3);
    assert_eq!(counts["sessions"], 1);
    let text = printed(&status(&path, &[]));
    assert!(text.contains("1 sessions") && text.contains("3 commits"), "{text}");
    let metrics = printed(&status(&path, &["--format", "prometheus"]));
    let expected = format!("tombolo_commits_total{{database=\"{}\"}} 3", path.display());
    assert!(metrics.lines().any(|line| line == expected), "{metrics}");
    let address = format!("unix:{}-tombolo/owner.sock", path.display());
    let mut by_address = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    by_address.args(["status", "--format", "json", "--owner", &address]);
    json(&printed(&by_address.output().expect("it runs")));
}

#[test]
fn the_pragma_tells_of_its_own_session() {
    let owner = Owner::new();
    let answer = printed(&owner.door("CREATE TABLE t(a); BEGIN IMMEDIATE; PRAGMA tombolo_status;"));
    let document = json(&answer);
    let session = &document["databases"][0]["sessions"][0];
    assert_eq!(session["program"], "sqlite3");
    assert_eq!(session["kernel"], "same");
    assert_eq!(session["transaction"], "open");
    assert_eq!(session["turn"], "held");
}

#[test]
fn the_pragma_is_answered_outside_transactions_and_by_the_next_owner() {
    let mut owner = Owner::new();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs");
    let mut child = Command::new("/usr/bin/python3")
        .arg(programs.join("again.py"))
        .arg(owner.database())
        .env("TOMBOLO_LIBRARY", crate::harness::library())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Debian's python3 is installed");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    let expected = ["{\"schema\":\"tombolo.status/1\",", "0"];
    assert_eq!([next(), next()], expected);
    owner.kill_and_restart();
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"\n\n").expect("it waits");
    assert_eq!([next(), next()], expected);
    assert!(child.wait().expect("waited for").success());
}

#[test]
fn who_watches_sees_more_than_once_and_ends_with_the_owner() {
    let mut owner = Owner::new();
    let mut watcher = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["status", "--watch", "--format", "json"])
        .arg(owner.database())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(watcher.stdout.take().expect("piped")).lines();
    let uptimes = [(); 2].map(|()| {
        let line = lines.next().expect("a line").expect("text");
        json(&line)["uptime_ms"].as_u64().expect("a number")
    });
    assert!(uptimes[0] < uptimes[1], "{uptimes:?}");
    assert_eq!(owner.stop().code(), Some(0));
    assert_eq!(watcher.wait().expect("waited for").code(), Some(2), "nobody answers any more");
}

#[test]
fn where_no_owner_is_nothing_is_said_to_be_well() {
    let directory = tempfile::tempdir().expect("a directory");
    let output = status(directory.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no owner"));
    let mut both = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    both.args(["status", "--owner", "tcp:nowhere"]);
    assert_eq!(both.output().expect("it runs").status.code(), Some(3));
}

#[test]
fn the_log_tells_beginnings_and_ends_as_json() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["serve", "--engine", "shared", "--log-format", "json", "--log-level", "debug"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut next = || -> Option<Value> {
        let line = lines.next()?.expect("text");
        Some(serde_json::from_str(&line).expect("one object a line"))
    };
    let mut said = Vec::new();
    loop {
        let event = next().expect("it goes on");
        let message = event["message"].as_str().expect("text").to_owned();
        said.push(event);
        if message.contains("is served at") {
            break;
        }
    }
    // Whoever asks for the status has no session; one that opens the database has.
    let output = Command::new("sqlite3")
        .args(["-cmd", &format!(".load {}", crate::harness::library().display())])
        .args(["-cmd", &format!(".open 'file:{}?vfs=tombolo'", path.display()), ":memory:"])
        .arg("SELECT 1;")
        .output()
        .expect("the distribution's sqlite3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().expect("kill runs").success());
    said.extend(std::iter::from_fn(next));
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
    for (level, message) in [
        ("info", "the engine is chosen"),
        ("info", "a database is open"),
        ("debug", "a session begins"),
        ("debug", "a session ends"),
        ("info", "it ends"),
        ("info", "the last checkpoint"),
        ("info", "a database is closed"),
    ] {
        let found = said.iter().find(|event| event["message"] == message);
        let event = found.unwrap_or_else(|| panic!("{message} is missing in {said:?}"));
        assert_eq!(event["level"], level, "{message}");
        assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
    }
    let begin = said.iter().find(|event| event["message"] == "a session begins");
    assert_eq!(begin.expect("seen above")["program"], "sqlite3");
}
