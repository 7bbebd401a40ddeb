//! Ways to say what is to be done, and what is refused.

use super::{Database, Server, assert_same, command, errors, migrate};
use rusqlite::Connection;

pub(crate) const TWO: &str = "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);
    CREATE TABLE b (y TEXT REFERENCES a (x)); INSERT INTO b VALUES ('b');";

fn table_names(server: &Server) -> String {
    let sql = "SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_tables \
               WHERE schemaname = 'public'";
    server.ask("app", sql)
}

#[test]
fn a_dry_run_asks_no_server() {
    let database = Database::new(TWO);
    let before = std::fs::read(database.path()).unwrap();
    let (code, report) = migrate(&database, "postgres://nobody@192.0.2.1/none", &["--dry-run"]);
    assert_eq!((code, &report["ended"]), (0, &"planned".into()));
    assert_eq!(report["tables"][0]["sql"], "CREATE TABLE \"a\" (\n  \"x\" bigint\n)");
    assert_eq!(report["schema"], "tombolo.migration/1");
    assert_eq!(std::fs::read(database.path()).unwrap(), before);
}

#[test]
fn tables_are_chosen_by_name() {
    let server = Server::start();
    let database = Database::new(TWO);
    let output = command(&database.path(), &server.address(), &["--only", "c"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("no table \"c\""), "{}", errors(&output));
    let nothing = ["--only", "a", "--exclude", "A"];
    let output = command(&database.path(), &server.address(), &nothing).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("nothing to carry over"), "{}", errors(&output));
    assert_eq!(table_names(&server), "");
    let (code, report) = migrate(&database, &server.address(), &["--exclude", "A"]);
    assert_same(&report);
    assert_eq!(code, 1, "the foreign key has no parent there");
    assert_eq!(table_names(&server), "b,tombolo_migration,tombolo_migration_value");
}

/// The server says so after it has let the user in, and hangs up.
#[test]
fn a_database_that_is_not_there_is_named_by_the_server() {
    let server = Server::start();
    let absent = server.address().replace("/app", "/absent");
    let output = command(&Database::new(TWO).path(), &absent, &[]).output().unwrap();
    let said = errors(&output);
    assert!(said.contains("\"absent\" does not exist (3D000)"), "{said}");
    assert!(said.contains("CREATE DATABASE"), "{said}");
}

#[test]
fn a_finished_migration_is_made_anew_when_told_so() {
    let server = Server::start();
    let database = Database::new("CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);");
    assert_eq!(migrate(&database, &server.address(), &[]).0, 0);
    let again = command(&database.path(), &server.address(), &[]).output().unwrap();
    assert_eq!(again.status.code(), Some(1));
    assert!(errors(&again).contains("--replace"), "{}", errors(&again));
    Connection::open(database.path()).unwrap().execute_batch("DELETE FROM a").unwrap();
    let (code, report) = migrate(&database, &server.address(), &["--replace"]);
    assert_same(&report);
    assert_eq!((code, server.ask("app", "SELECT count(*) FROM a").as_str()), (0, "0"));
}

#[test]
fn a_table_that_is_there_is_not_touched() {
    let server = Server::start();
    server.ask("app", "CREATE TABLE a (mine int); INSERT INTO a VALUES (7)");
    let (code, report) = migrate(&Database::new(TWO), &server.address(), &[]);
    assert_eq!(code, 1);
    assert_eq!(report["tables"][0]["state"], "refused");
    assert_eq!(report["tables"][1]["state"], "same");
    let (code, _) = migrate(&Database::new(TWO), &server.address(), &["--replace"]);
    assert_eq!(code, 1);
    assert_eq!(server.ask("app", "SELECT mine FROM a"), "7");
}

#[test]
fn a_password_is_asked_for_and_never_told() {
    for method in ["scram-sha-256", "md5", "password"] {
        let server = Server::start_with(method, Some("s3cret word"));
        let database = Database::new(TWO);
        let address = server.tcp_address();
        let run = |password: &str| {
            let mut command = command(&database.path(), &address, &[]);
            command.env("PGPASSWORD", password).output().unwrap()
        };
        let wrong = run("wrong");
        assert_eq!(wrong.status.code(), Some(2), "{method}");
        assert!(errors(&wrong).contains("28P01"), "{method}: {}", errors(&wrong));
        let right = run("s3cret word");
        let told = String::from_utf8_lossy(&right.stdout).into_owned() + &errors(&right);
        assert!(told.contains("\"migrated\""), "{method}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn a_database_in_wal_mode_is_copied_and_left_as_it_is() {
    let server = Server::start();
    let database = Database::new(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;
        CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1), (2);",
    );
    // As a program leaves it that was killed: its rows are in its log only.
    let killed = tempfile::tempdir().unwrap();
    let live = Connection::open(database.path()).unwrap();
    live.execute_batch("PRAGMA wal_autocheckpoint = 0; INSERT INTO a VALUES (3)").unwrap();
    let wal = database.path().with_extension("db-wal");
    std::fs::copy(database.path(), killed.path().join("app.db")).unwrap();
    std::fs::copy(&wal, killed.path().join("app.db-wal")).unwrap();
    let files = || {
        let read = |name: &str| std::fs::read(killed.path().join(name)).unwrap();
        (read("app.db"), read("app.db-wal"), std::fs::read_dir(killed.path()).unwrap().count())
    };
    let before = files();
    let scratch = tempfile::tempdir().unwrap();
    let mut command = command(&killed.path().join("app.db"), &server.address(), &[]);
    let output = command.arg("--scratch").arg(scratch.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert_eq!(server.ask("app", "SELECT count(*) FROM a"), "3");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"copied\""));
    assert!(files() == before, "the files changed");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "the copy was left");
}

#[test]
fn a_database_in_use_is_refused() {
    let database = Database::new(TWO);
    let mut shell = tombolo_lab::Shell::new(&database.path());
    shell.ask("SELECT count(*) FROM a;");
    let address = "postgres://nobody@192.0.2.1/none";
    let output = command(&database.path(), address, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("has it open"), "{}", errors(&output));
}
