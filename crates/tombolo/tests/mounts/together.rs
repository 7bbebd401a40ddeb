//! `tombolo trace show` of two traces: two stock programs on two mounts whose locks do not cross.

use crate::trace::{assert_perfetto, tombolo};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use tombolo_lab::{Faults, Namespace, TwoMounts, sqlite};

/// Reads a number, and writes the next one when it is told to.
const INCREMENT: &str = "
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute('BEGIN IMMEDIATE')
value = connection.execute('SELECT x FROM t').fetchone()[0]
print(value, flush=True)
sys.stdin.readline()
connection.execute('UPDATE t SET x = ?', (value + 1,))
connection.execute('COMMIT')";

const MADE: &str = "CREATE TABLE t(x); INSERT INTO t VALUES (0); SELECT x FROM t;";

struct Program {
    child: Child,
    trace: PathBuf,
}

impl Program {
    fn start(database: &Path, trace: PathBuf, options: &[&str]) -> Self {
        let child = tombolo()
            .args(["trace", "--output"])
            .arg(&trace)
            .args(options)
            .args(["--", "python3", "-c", INCREMENT])
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        Program { child, trace }
    }

    /// Waits until it has read, and says what.
    fn value(&mut self) -> String {
        let mut line = String::new();
        let output = self.child.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        line
    }

    /// Lets it write and end.
    fn finish(mut self) -> PathBuf {
        self.child.stdin.take().expect("piped").write_all(b"\n").expect("it waits");
        assert!(self.child.wait().expect("waited").success(), "the transaction is acknowledged");
        self.trace
    }
}

fn show(format: &str, traces: &[PathBuf]) -> (Option<i32>, String) {
    let output = tombolo().args(["trace", "show", "--format", format]).args(traces).output();
    let output = output.expect("it runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn kinds(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().expect("a list").iter();
    findings.filter_map(|finding| finding["kind"].as_str()).collect()
}

#[test]
fn a_lost_update_is_named() {
    Namespace::run(|namespace| {
        let mounts = TwoMounts::new(namespace, Faults::default()).expect("two mounts");
        let beside = tempfile::tempdir().expect("a directory");
        let paths = [&mounts.first(), &mounts.second()].map(|mount| mount.path().join("app.db"));
        assert_eq!(sqlite(&paths[0], MADE), "0\n");
        let start = |path: &Path, name: &str, options: &[&str]| {
            Program::start(path, beside.path().join(name), options)
        };
        // Both ways of recording keep the same of contents.
        let mut first = start(&paths[0], "first", &[]);
        assert_eq!(first.value(), "0\n");
        let mut second = start(&paths[1], "second", &["--syscalls"]);
        assert_eq!(second.value(), "0\n", "the lock of the first is not seen");
        let traces = [first.finish(), second.finish()];
        let (exit, text) = show("json", &traces);
        let document: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(exit, Some(1), "{:#}", document["findings"]);
        let kinds = kinds(&document);
        assert_eq!(kinds.iter().filter(|kind| **kind == "lost_update").count(), 1, "{kinds:?}");
        assert!(kinds.contains(&"locks_apart"), "{kinds:?}");
        let lost = &document["findings"][0];
        let sides: Vec<_> = lost["calls"].as_array().expect("two").iter().collect();
        assert_eq!((&sides[0]["trace"], &sides[1]["trace"]), (&1.into(), &2.into()));
        assert!(sides.iter().all(|call| call["call"] == "pwrite"), "{lost:#}");
        let (exit, text) = show("text", &traces);
        assert_eq!(exit, Some(1));
        assert!(text.contains("lost_update: both began from change"), "{text}");
        assert!(text.contains("by the same clock"), "{text}");
        let (_, chrome) = show("chrome", &traces);
        let events: Value = serde_json::from_str(&chrome).expect("JSON");
        assert_perfetto(events["traceEvents"].as_array().expect("a list"));
        let processes = events["traceEvents"].as_array().expect("a list").iter();
        let names: Vec<_> = processes
            .filter(|one| one["ph"] == "M")
            .map(|one| one["args"]["name"].clone())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    });
}

#[test]
fn programs_that_wait_for_one_another_lose_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    assert_eq!(sqlite(&database, MADE), "0\n");
    let traces = ["first", "second"].map(|name| {
        let mut program = Program::start(&database, directory.path().join(name), &[]);
        program.value();
        program.finish()
    });
    assert_eq!(sqlite(&database, "SELECT x FROM t"), "2\n");
    let (exit, text) = show("json", &traces);
    let document: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((exit, kinds(&document)), (Some(0), Vec::new()), "{:#}", document["findings"]);
}
