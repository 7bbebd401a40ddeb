//! Rules of a whole owner which no other test needs to hold.

use crate::harness::{Owner, Serving, stock};
use std::process::Command;
use tombolo_core::owner::engine::CheckpointMode;
use tombolo_core::owner::limits::Limits;
use tombolo_core::wire::Reply;
use tombolo_core::wire::reply::{Outcome, Turn};
use tombolo_core::wire::request::{Request, TurnWish};

/// Closing any descriptor on the database would drop SQLite's locks (fcntl(2)).
#[test]
fn whatever_is_asked_of_the_owner_meanwhile_its_locks_stay() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let mut writer = owner.session();
    let (begun, pages) = writer.begin_all();
    assert_eq!(begun.turn, Turn::Granted);
    writer.tell(&Request::Use);
    let locked = |what: &str| {
        // Of these locks one is on the wal-index, and one on the database.
        for sql in ["INSERT INTO t VALUES(9);", "PRAGMA journal_mode=DELETE;"] {
            let mut command = Command::new("sqlite3");
            command.arg(owner.database()).arg(sql);
            let output = command.output().expect("the distribution's sqlite3 is installed");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("database is locked"), "{what}, {sql}: {said}");
        }
    };
    locked("the turn");
    let mut other = owner.session();
    locked("a session opens");
    other.begin(TurnWish::IfFree);
    other.ask(&Request::Read { first: 1, count: 9 });
    locked("it reads");
    owner.status();
    locked("the status");
    other.ask(&Request::Checkpoint(CheckpointMode::Passive));
    locked("a checkpoint");
    drop(other);
    owner.session().begin(TurnWish::None);
    locked("another session after it");
    writer.send_commit_of(&begun, 0, &pages);
    let reply = writer.heard();
    assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
    assert_eq!(stock(&owner.database(), "PRAGMA integrity_check; SELECT a FROM t;"), "ok\n1");
}
