//! How an owner and its databases end.

use crate::harness::{Client, Owner, Serving, stock};
use std::time::{Duration, Instant};
use tombolo_core::owner::limits::Limits;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::Reply;
use tombolo_core::wire::reply::{Outcome, Turn};
use tombolo_core::wire::request::{Ending, Request, TurnWish};
use tombolo_owner::server::{ServeError, Stopped};

fn log_bytes(owner: &Owner) -> u64 {
    let log = owner.directory.path().join("app.db-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

#[test]
fn what_was_to_be_committed_is_acknowledged_before_the_end() {
    for _ in 0..5 {
        let mut owner = Owner::new(Serving::Database, Limits::default());
        let mut clients: Vec<_> = (0..3).map(|_| owner.session()).collect();
        let base = clients[0].send_commit();
        owner.end();
        let reply = clients[0].heard();
        let Some(Reply::Outcome(Outcome::Committed(version))) = reply else { panic!("{reply:?}") };
        assert!(version > base);
        for client in &mut clients {
            assert_eq!(client.heard(), None, "it is told by the end of its connection");
        }
        owner.ended().expect("it ended well");
        assert!(!owner.socket.exists(), "nobody is to knock there any more");
        for ending in ["-wal", "-shm"] {
            let left = owner.directory.path().join(format!("app.db{ending}"));
            assert!(!left.exists(), "{ending} is left");
        }
        assert_eq!(stock(&owner.database(), "PRAGMA integrity_check; SELECT a FROM t;"), "ok\n1");
    }
}

#[test]
fn a_transaction_that_is_open_at_the_end_is_rolled_back() {
    let mut owner = Owner::new(Serving::Database, Limits::default());
    let mut client = owner.session();
    assert_eq!(client.begin(TurnWish::IfFree).turn, Turn::Granted);
    owner.end();
    assert_eq!(client.heard(), None);
    owner.ended().expect("it ended well");
    // The write lock went with it.
    stock(&owner.database(), "INSERT INTO t VALUES(2);");
}

#[test]
fn a_stock_reader_does_not_hold_up_the_end() {
    let mut owner = Owner::new(Serving::Database, Limits::default());
    let reader = rusqlite::Connection::open(owner.database()).expect("opened");
    reader.execute_batch("BEGIN; SELECT * FROM t;").expect("a snapshot is held");
    let mut client = owner.session();
    client.send_commit();
    let reply = client.heard();
    assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
    owner.end();
    owner.ended().expect("it ended well");
    let count: i64 =
        reader.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("read");
    assert_eq!(count, 1);
}

#[test]
fn a_database_of_a_directory_is_closed_when_nobody_has_it_and_opened_again() {
    let limits = Limits { idle_database_ms: 300, ..Limits::default() };
    let owner = Owner::new(Serving::Directory, limits);
    for _ in 0..2 {
        let mut session = owner.session();
        session.send_commit();
        assert!(matches!(session.heard(), Some(Reply::Outcome(Outcome::Committed(_)))));
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(1200) {
            assert_eq!(owner.status().database_count, 1, "somebody has it");
        }
        drop(session);
        let began = Instant::now();
        while owner.status().database_count > 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "it is not closed");
        }
        assert_eq!(log_bytes(&owner), 0, "the log is in the database");
    }
}

#[test]
fn who_comes_while_a_database_is_being_closed_does_not_notice() {
    // It is closed whenever nobody has it.
    let limits = Limits { idle_database_ms: 0, ..Limits::default() };
    let mut owner = Owner::new(Serving::Directory, limits);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..60 {
                    let mut session = owner.session();
                    assert_eq!(session.begin(TurnWish::None).shape.size_pages, 2);
                    drop(session);
                    std::thread::yield_now();
                }
            });
        }
    });
    owner.end();
    owner.ended().expect("it ended well");
}

/// Renames the log, and puts a device in its place.
fn break_log(owner: &Owner) {
    let log = owner.directory.path().join("app.db-wal");
    std::fs::rename(&log, owner.directory.path().join("elsewhere")).expect("renamed");
    std::os::unix::fs::symlink("/dev/null", &log).expect("linked");
}

/// The log is broken while a client commits.
fn assert_not_committed(owner: &Owner, client: &mut Client) {
    client.commit_after(|| break_log(owner));
    let reply = client.heard();
    let Some(Reply::Failed(error)) = reply else { panic!("{reply:?}") };
    assert_eq!(error.code, ResultCode::IOERR, "{error}");
    assert_eq!(client.heard(), None);
}

#[test]
fn a_database_that_cannot_be_served_any_longer_ends_its_owner() {
    let mut owner = Owner::new(Serving::Database, Limits::default());
    let mut client = owner.session();
    client.send_commit();
    let reply = client.heard();
    assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
    client.tell(&Request::End(Ending::Transaction));
    assert_not_committed(&owner, &mut client);
    let error = owner.ended().expect_err("it cannot go on");
    assert!(matches!(error, ServeError::Stopped { why: Stopped::LogLost, .. }), "{error:?}");
    assert!(!owner.socket.exists());
    // What was acknowledged before was saved from the log.
    std::fs::remove_file(owner.directory.path().join("app.db-wal")).expect("removed");
    assert_eq!(stock(&owner.database(), "PRAGMA integrity_check; SELECT a FROM t;"), "ok\n1");
}

#[test]
fn one_of_several_that_cannot_be_served_any_longer_ends_alone() {
    let mut owner = Owner::new(Serving::Directory, Limits::default());
    stock(&owner.directory.path().join("other.db"), "PRAGMA journal_mode=WAL; CREATE TABLE o(a);");
    let mut other = owner.known();
    assert!(matches!(
        other.open(&owner.directory.path().join("other.db")),
        Some(Reply::Opened { .. })
    ));
    let mut client = owner.session();
    assert_not_committed(&owner, &mut client);
    while owner.status().database_count > 1 {}
    assert_eq!(other.begin(TurnWish::None).shape.size_pages, 2);
    owner.end();
    owner.ended().expect("it ended well");
}
