//! The power of a guest fails while three of its programs are at work.
//!
//! What they have acknowledged must be there: SQLite on the host recovers from what the guest had
//! passed on. One program is in rollback mode, one in WAL mode with the index in its heap, and one
//! is caught in a transaction that stands half in the file.

use crate::common::{Connection as _, wait_until};
use crate::share::{Shared, is_filled, seed};
use tombolo_lab::{Answer, sqlite};

const ROLLBACK: &str = "rollback.db";
const WAL: &str = "wal.db";
const CAUGHT: &str = "caught.db";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn what_was_acknowledged_outlives_the_guest() {
    let seed = seed("kill");
    let shared = Shared::new();
    for name in [ROLLBACK, WAL, CAUGHT] {
        shared.database(name);
    }

    let mut caught = shared.session(CAUGHT);
    let insert = "INSERT INTO entry VALUES('guest', 0, randomblob(99000))";
    assert_eq!(caught.run_all(&["PRAGMA cache_size=2", "BEGIN IMMEDIATE", insert]), "ok");
    let forever = ["--count", "1000000"];
    let to_wal = ["--setup=PRAGMA locking_mode=EXCLUSIVE", "--setup=PRAGMA journal_mode=WAL"];
    let _rollback = shared.increments(ROLLBACK, seed, &forever);
    let _wal = shared.increments(WAL, seed, &[&forever[..], &to_wal].concat());

    // At some moment, and both are in the middle of something nearly all the time.
    let enough = 5 + usize::try_from(seed % 40).expect("small");
    let acknowledged = |name| shared.acknowledged(name);
    wait_until("both are at work", || acknowledged(ROLLBACK).min(acknowledged(WAL)) >= enough);
    shared.guest.kill().expect("killed");

    for name in [ROLLBACK, WAL] {
        let verdict = shared.judge(name);
        assert!(verdict.is_clean(), "{name}, seed {seed}: {verdict:?}");
        assert!(verdict.acknowledged >= enough, "{name}, seed {seed}: {verdict:?}");
        // One may have been committed and not acknowledged any more.
        assert!(verdict.unacknowledged.len() <= 1, "{name}, seed {seed}: {verdict:?}");
    }
    // The third has left a hot journal, and the next program of the host rolls it back.
    let journal = shared.host("caught.db-journal");
    assert!(is_filled(&journal));
    let question = "SELECT count(*) FROM entry; PRAGMA integrity_check;";
    assert_eq!(sqlite(&shared.host(CAUGHT), question), "0\nok\n");
    assert!(!journal.exists());
    assert_eq!(caught.run("COMMIT"), Answer::Died);
}
