//! A migration that is killed at any moment goes on where it was.

use super::{Database, Server, assert_same, command, errors, migrate, not_made};
use rusqlite::Connection;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Enough bytes for several pieces of each table.
pub(crate) const LARGE: &str = include_str!("sql/large.sql");

/// What another reader sees of all of it.
fn contents(server: &Server) -> Vec<String> {
    [
        "SELECT count(*), sum(id), md5(string_agg(md5(t || b::text || r::text), '' ORDER BY id))
         FROM big",
        "SELECT count(*), md5(string_agg(k || md5(v), '' ORDER BY k COLLATE \"C\")) FROM keyed",
        "SELECT count(*), sum(x) FROM small",
        "SELECT count(*), count(DISTINCT row_key),
         md5(string_agg(original::text, '' ORDER BY row_key))
         FROM tombolo_migration_value",
        "SELECT string_agg(indexname, ',' ORDER BY indexname) FROM pg_indexes
         WHERE schemaname = 'public'",
        "SELECT state FROM tombolo_migration WHERE kind = 'source'",
    ]
    .iter()
    .map(|sql| server.ask("app", sql))
    .collect()
}

/// A line on standard error, and how long after it the run is killed.
const MOMENTS: [(&str, u64); 11] = [
    ("reading the schema", 0),
    ("connecting", 0),
    ("connecting", 20),
    ("big: 20000 rows", 0),
    ("big: 20000 rows", 150),
    ("keyed: ", 0),
    ("keyed: ", 200),
    ("small: ", 2),
    ("index by_text", 5),
    ("index by_value", 0),
    ("big: comparing", 10),
];

#[test]
fn killed_at_any_moment_it_goes_on() {
    let server = Server::start();
    let database = Database::new(LARGE);
    let (code, report) = migrate(&database, &server.address(), &[]);
    assert_eq!(code, 1, "200 values are no UTF-8");
    assert_same(&report);
    let expected = contents(&server);
    assert!(expected[3].starts_with("200|200|"), "{expected:?}");
    let mut resumed = 0;
    // The last round is killed at one moment after the other.
    for moments in MOMENTS.chunks(1).chain([&MOMENTS[..]]) {
        server.ask("postgres", "DROP DATABASE app WITH (FORCE)");
        server.ask("postgres", "CREATE DATABASE app");
        for moment in moments {
            kill_at(&database, &server.address(), *moment);
        }
        let report = finish(&database, &server.address());
        resumed += usize::from(report["resumed"] == true);
        assert_same(&report);
        assert_eq!(not_made(&report), Vec::<String>::new());
        assert_eq!(report["altered_count"], 200);
        assert_eq!(contents(&server), expected, "after {moments:?}");
    }
    assert!(resumed >= MOMENTS.len() - 3, "{resumed} runs went on");
}

pub(crate) fn kill_at(database: &Database, address: &str, (line, after_ms): (&str, u64)) {
    let mut child = command(&database.path(), address, &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    // A run that another one still keeps out ends by itself.
    let reached = stderr.lines().any(|said| said.unwrap().starts_with(line));
    if reached {
        let end = Instant::now() + Duration::from_millis(after_ms);
        while Instant::now() < end {
            std::thread::yield_now();
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The server notices after a while that a client was killed.
pub(crate) fn finish(database: &Database, address: &str) -> serde_json::Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let output = command(&database.path(), address, &[]).output().unwrap();
        if let Ok(report) = serde_json::from_slice(&output.stdout) {
            return report;
        }
        let text = errors(&output);
        assert!(text.contains("another migration"), "{text}");
        assert!(Instant::now() < deadline, "{text}");
    }
}

#[test]
fn a_cut_migration_does_not_go_on_with_another_state() {
    let server = Server::start();
    let database = Database::new("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);");
    migrate(&database, &server.address(), &[]);
    server.ask("app", "UPDATE tombolo_migration SET state = 'running' WHERE kind = 'source'");
    let (_, report) = migrate(&database, &server.address(), &[]);
    assert_eq!(report["resumed"], true);
    server.ask("app", "UPDATE tombolo_migration SET state = 'running' WHERE kind = 'source'");
    Connection::open(database.path()).unwrap().execute_batch("INSERT INTO a VALUES (3)").unwrap();
    let output = command(&database.path(), &server.address(), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("another state"), "{}", errors(&output));
}

#[test]
fn a_value_that_changes_in_the_target_is_noticed() {
    let server = Server::start();
    let database = Database::new("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);");
    migrate(&database, &server.address(), &[]);
    server.ask("app", "UPDATE tombolo_migration SET state = 'running' WHERE kind = 'source'");
    server.ask("app", "UPDATE a SET x = 7 WHERE x = 2");
    let (code, report) = migrate(&database, &server.address(), &[]);
    assert_eq!((code, &report["tables"][0]["state"]), (1, &"differs".into()));
}
