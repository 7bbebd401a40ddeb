//! A migration that is killed at any moment goes on where it was, though statements that make
//! tables and indexes commit at once.

use super::server::Server;
use crate::resume::{LARGE, finish, kill_at};
use crate::{Database, assert_same, command, errors, migrate, not_made};
use rusqlite::Connection;

/// What another reader sees of all of it.
fn contents(server: &Server) -> Vec<String> {
    [
        "SELECT count(*), sum(id),
         md5(group_concat(md5(concat(t, hex(b), r)) ORDER BY id)) FROM big",
        "SELECT count(*), md5(group_concat(k, md5(v) ORDER BY k)) FROM keyed",
        "SELECT count(*), sum(x) FROM small",
        "SELECT count(*), count(DISTINCT row_key),
         md5(group_concat(hex(original) ORDER BY row_key)) FROM tombolo_migration_value",
        "SELECT group_concat(table_name, '.', index_name, '.', column_name ORDER BY 1)
         FROM information_schema.statistics WHERE table_schema = 'app'",
        "SELECT group_concat(constraint_name ORDER BY 1)
         FROM information_schema.table_constraints WHERE constraint_schema = 'app'",
        "SELECT state FROM tombolo_migration WHERE kind = 'source'",
    ]
    .iter()
    .map(|sql| server.ask("app", &format!("SET group_concat_max_len = 10000000; {sql}")))
    .collect()
}

/// A line on standard error, and how long after it the run is killed.
const MOMENTS: [(&str, u64); 12] = [
    ("reading the schema", 0),
    ("connecting", 0),
    ("connecting", 30),
    ("connecting", 60),
    ("big: 20000 rows", 0),
    ("big: 20000 rows", 200),
    ("keyed: ", 0),
    ("keyed: ", 200),
    ("index by_text", 20),
    ("index by_value", 0),
    ("check ", 5),
    ("big: comparing", 10),
];

#[test]
fn killed_at_any_moment_it_goes_on() {
    let server = Server::start();
    let database = Database::new(LARGE);
    let address = server.address("app");
    let (code, report) = migrate(&database, &address, &[]);
    assert_eq!(code, 1, "200 values are no UTF-8");
    assert_same(&report);
    let expected = contents(&server);
    assert!(expected[3].starts_with("200\t200\t"), "{expected:?}");
    let lost = not_made(&report);
    let mut resumed = 0;
    // The last round is killed at one moment after the other.
    for moments in MOMENTS.chunks(1).chain([&MOMENTS[..]]) {
        server.ask("", "DROP DATABASE app; CREATE DATABASE app");
        for moment in moments {
            kill_at(&database, &address, *moment);
        }
        let report = finish(&database, &address);
        resumed += usize::from(report["resumed"] == true);
        assert_same(&report);
        assert_eq!(not_made(&report), lost);
        assert_eq!(report["altered_count"], 200);
        assert_eq!(contents(&server), expected, "after {moments:?}");
    }
    assert!(resumed >= MOMENTS.len() - 4, "{resumed} runs went on");
}

/// The record as it is where a run was cut off between a statement and the line that says so.
#[test]
fn what_was_made_and_not_yet_recorded_is_taken_up() {
    let server = Server::start();
    let address = server.address("app");
    let database = Database::new(
        "CREATE TABLE a (x INTEGER, y TEXT UNIQUE, z AS (x + 1) STORED, CHECK (x > 0));
        CREATE TABLE b (k TEXT PRIMARY KEY, y TEXT REFERENCES a (y)) WITHOUT ROWID;
        CREATE INDEX i ON a (x);",
    );
    let (code, report) = migrate(&database, &address, &[]);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    server.ask(
        "app",
        "UPDATE tombolo_migration SET state = 'running' WHERE kind = 'source';
        UPDATE tombolo_migration SET state = 'begun', detail = 'full' WHERE kind <> 'source'",
    );
    let (code, report) = migrate(&database, &address, &[]);
    assert_eq!((code, not_made(&report)), (0, vec![]), "{report:#}");
    assert_eq!(report["resumed"], true);
    assert_same(&report);
}

#[test]
fn a_cut_migration_does_not_go_on_with_another_state() {
    let server = Server::start();
    let address = server.address("app");
    let database = Database::new("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);");
    migrate(&database, &address, &[]);
    let cut = "UPDATE tombolo_migration SET state = 'running' WHERE kind = 'source'";
    server.ask("app", cut);
    server.ask("app", "UPDATE a SET x = 7 WHERE x = 2");
    let (code, report) = migrate(&database, &address, &[]);
    assert_eq!((code, &report["tables"][0]["state"]), (1, &"differs".into()));
    server.ask("app", cut);
    Connection::open(database.path()).unwrap().execute_batch("INSERT INTO a VALUES (3)").unwrap();
    let output = command(&database.path(), &address, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("another state"), "{}", errors(&output));
    // Dropping was cut off.
    server.ask("app", "UPDATE tombolo_migration SET state = 'dropped' WHERE kind = 'source'");
    server.ask("app", "DROP TABLE a");
    let (code, report) = migrate(&database, &address, &[]);
    assert_same(&report);
    assert_eq!(code, 0);
}
