//! `tombolo trace` of a SQLite that the preload library does not stand in front of, by the library
//! as an extension.

use super::trace::traced;

/// Writes a database with the extension loaded; the preload library is dropped before.
const PYTHON: &str = "
import os, sqlite3, sys
assert 'LD_PRELOAD' not in os.environ
loading = sqlite3.connect(':memory:')
loading.enable_load_extension(True)
loading.load_extension(os.environ['TOMBOLO_TRACE_EXTENSION'])
loading.close()
database = sqlite3.connect(sys.argv[1])
database.execute('PRAGMA journal_mode=WAL')
database.execute('CREATE TABLE t(x)')
database.execute('INSERT INTO t VALUES (1)')
database.commit()";

/// The operations that were recorded on the file of this kind.
fn operations(json: &serde_json::Value, kind: &str) -> u64 {
    let files = json["files"].as_array().expect("files");
    let of_kind = files.iter().filter(|file| file["kind"] == kind);
    of_kind.filter_map(|file| file["calls"].as_u64()).sum()
}

#[test]
fn python_that_dropped_the_preload_library_is_recorded_by_the_extension() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    let name = database.to_str().expect("UTF-8");
    let program = ["env", "-u", "LD_PRELOAD", "/usr/bin/python3", "-c", PYTHON, name];
    let trace = traced(directory.path(), &["--db", name], &program);
    assert!(trace.output.status.success(), "{:?}", trace.texts());
    let json = trace.json();
    for kind in ["database", "wal", "wal_index"] {
        assert!(operations(&json, kind) > 0, "{kind} of {}", json["files"]);
    }
    // Without the extension nothing is: it is not the preload library that is seen here.
    let without = PYTHON.replace("loading.load_extension", "str");
    let program = ["env", "-u", "LD_PRELOAD", "/usr/bin/python3", "-c", &without, name];
    let other = tempfile::tempdir().expect("a directory");
    let trace = traced(other.path(), &["--db", name], &program);
    assert_eq!(operations(&trace.json(), "database"), 0, "{:?}", trace.texts());
}

/// Holds a database open for longer than a period of looking.
const HOLDS: &str = "
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1])
database.execute('CREATE TABLE IF NOT EXISTS t(x)')
time.sleep(3)";

#[test]
fn a_program_that_drops_the_library_is_named_beside_one_that_is_recorded() {
    for (drops, named) in [("env -u LD_PRELOAD", true), ("env", false)] {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("app.db");
        let name = database.to_str().expect("UTF-8");
        let script = format!("sqlite3 $0 'CREATE TABLE a(x)'; {drops} python3 -c \"$1\" $0");
        let trace = traced(directory.path(), &["--db", name], &["sh", "-c", &script, name, HOLDS]);
        let said = trace.texts().1;
        assert!(
            trace.output.status.success() && operations(&trace.json(), "database") > 0,
            "{said}"
        );
        let words = format!("has {name} open and is not recorded");
        assert_eq!(said.contains(&words) && said.contains("--syscalls"), named, "{said}");
    }
}

#[test]
fn the_shell_loads_it_and_says_where_there_is_no_trace() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("app.db");
    let name = database.to_str().expect("UTF-8");
    let script = "unset LD_PRELOAD; sqlite3 :memory: \".load $TOMBOLO_TRACE_EXTENSION\" \
                  \"ATTACH '$0' AS app\" 'CREATE TABLE app.t(x)'";
    let trace = traced(directory.path(), &["--db", name], &["sh", "-c", script, name]);
    assert!(trace.output.status.success(), "{:?}", trace.texts());
    assert!(operations(&trace.json(), "database") > 0, "{:?}", trace.texts());
    let script = "unset LD_PRELOAD TOMBOLO_TRACE; \
                  sqlite3 :memory: \".load $TOMBOLO_TRACE_EXTENSION\" 2>&1";
    let other = tempfile::tempdir().expect("a directory");
    let trace = traced(other.path(), &["--db", name], &["sh", "-c", script]);
    let said = String::from_utf8_lossy(&trace.output.stdout).into_owned();
    assert!(said.contains("start the program by `tombolo trace`"), "{said}");
}
