//! A program of the host crashes in the middle of a transaction, and a guest takes its work over.
//!
//! One after the other, that is safe on 9p: what the crash has left behind is seen and undone by
//! the guest.

use crate::common::Connection as _;
use crate::share::{Shared, is_filled};
use tombolo_lab::Session;

const DATABASE: &str = "app.db";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_guest_undoes_what_a_crashed_program_of_the_host_has_begun() {
    let shared = Shared::new();
    let path = shared.database(DATABASE);
    let journal = shared.host("app.db-journal");
    let mut crashing = Session::new(&path).expect("started");
    assert_eq!(crashing.run("BEGIN IMMEDIATE").outcome(), "ok");
    assert_eq!(crashing.increment("host", 0), "ok");
    // More than its cache holds: the file has a part of it, which the journal undoes.
    let insert = "INSERT INTO entry VALUES('host', 1, randomblob(99000))";
    assert_eq!(crashing.run_all(&["PRAGMA cache_size=2", "BEGIN IMMEDIATE", insert]), "ok");
    let before = path.metadata().expect("there").len();
    crashing.kill();
    assert!(is_filled(&journal) && before > 99000);

    let mut heir = shared.session(DATABASE);
    assert_eq!(heir.run("SELECT count(*) FROM entry").value(), Some("1"));
    assert!(!journal.exists());
    assert_eq!(heir.run("BEGIN IMMEDIATE").outcome(), "ok");
    assert_eq!(heir.increment("guest", 0), "ok");

    shared.acknowledge(DATABASE, "host 0\nguest 0\n");
    let verdict = shared.judge(DATABASE);
    assert!(verdict.is_clean() && verdict.unacknowledged.is_empty(), "{verdict:?}");
}
