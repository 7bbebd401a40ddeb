//! A guest is paused in the middle of two transactions, as a laptop is closed or a machine is
//! migrated. It goes on later and knows nothing of it.
//!
//! A pause alone harms nobody. But no lock of the guest is seen by the host, paused or not: a
//! program there goes on with the other database. When the guest comes back, it finishes what it
//! was doing, and what the host had acknowledged meanwhile is gone.

use crate::common::{Connection as _, GuestSession};
use crate::share::{Shared, is_filled};
use tombolo_lab::Session;

const ALONE: &str = "alone.db";
const VISITED: &str = "visited.db";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_pause_harms_nobody_and_a_visitor_meanwhile_loses() {
    let shared = Shared::new();
    for name in [ALONE, VISITED] {
        shared.database(name);
    }
    let mut alone = shared.session(ALONE);
    let mut visited = shared.session(VISITED);
    for connection in [&mut alone, &mut visited] {
        hold_the_lock(connection);
    }
    assert!(is_filled(&shared.host("alone.db-journal")));
    assert!(is_filled(&shared.host("visited.db-journal")));

    shared.guest.pause().expect("paused");
    let mut visitor = Session::new(&shared.host(VISITED)).expect("started");
    assert_eq!(visitor.run("BEGIN EXCLUSIVE").outcome(), "ok");
    assert_eq!(visitor.increment("host", 0), "ok");
    visitor.close().expect("ended");
    shared.acknowledge(VISITED, "host 0\n");
    let verdict = shared.judge(VISITED);
    assert!(verdict.is_clean() && verdict.unacknowledged.is_empty(), "{verdict:?}");
    shared.guest.resume().expect("resumed");

    assert_eq!(alone.run("COMMIT").outcome(), "ok");
    shared.acknowledge(ALONE, "guest 0\n");
    let verdict = shared.judge(ALONE);
    assert!(verdict.is_clean() && verdict.unacknowledged.is_empty(), "{verdict:?}");

    let outcome = visited.run("COMMIT").outcome().to_owned();
    assert_eq!(outcome, "SQLITE_IOERR_DELETE_NOENT");
    let verdict = shared.judge(VISITED);
    assert_eq!(verdict.missing, ["host 0"]);
}

/// In a transaction, before its end.
fn hold_the_lock(connection: &mut GuestSession) {
    let insert = "INSERT INTO entry(client, number) VALUES('guest', 0)";
    let statements = ["BEGIN EXCLUSIVE", "UPDATE counter SET n = n + 1", insert];
    assert_eq!(connection.run_all(&statements), "ok");
}
