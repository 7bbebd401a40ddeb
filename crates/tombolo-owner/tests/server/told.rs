//! What the owner says of itself.

use crate::harness::{Owner, Serving};
use tombolo_core::owner::limits::Limits;
use tombolo_core::owner::status::{
    EngineName, SCHEMA, SessionKernel, Status, TransactionState, TurnState,
};
use tombolo_core::wire::Reply;
use tombolo_core::wire::reply::{Outcome, Reservation, Turn};
use tombolo_core::wire::request::{Request, TurnWish};

fn only(status: &Status) -> &tombolo_core::owner::status::DatabaseStatus {
    assert_eq!((status.schema.as_str(), status.database_count), (SCHEMA, 1));
    assert_eq!(status.silent_count, 0);
    status.databases.first().expect("one database")
}

#[test]
fn sessions_are_told_with_their_transactions_the_turn_and_the_queue() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let (mut writer, mut waiting, _idle) = (owner.session(), owner.session(), owner.session());
    assert_eq!(writer.begin(TurnWish::IfFree).turn, Turn::Granted);
    waiting.begin(TurnWish::None);
    waiting.tell(&Request::Reserve { wait_ms: 30_000 });
    let status = loop {
        // The request to wait has no answer that could be waited for.
        let status = owner.status();
        if only(&status).queue_length > 0 {
            break status;
        }
    };
    // Who asks, and those who asked before, as long as it was not noticed that they have gone.
    assert!(status.newcomer_count >= Some(1), "{status:?}");
    assert_eq!(status.process, std::process::id());
    let database = only(&status);
    assert_eq!(database.path, owner.database().canonicalize().expect("real").to_string_lossy());
    assert_eq!(database.engine, EngineName::Shared);
    assert_eq!((database.page_size_bytes, database.size_pages), (Some(4096), Some(2)));
    assert_eq!((database.session_count, database.queue_length), (3, 1));
    assert_eq!(database.counts.begins, 2);
    let seen: Vec<_> = database
        .sessions
        .iter()
        .map(|session| (session.turn, session.transaction, session.turn_ms.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            (TurnState::Held, TransactionState::Open, true),
            (TurnState::Queued, TransactionState::Open, false),
            (TurnState::None, TransactionState::None, false),
        ]
    );
    for session in &database.sessions {
        assert_eq!(session.program, "tester?[2J", "it cannot steer a terminal");
        assert_eq!((session.process, session.kernel), (77, SessionKernel::Other));
    }
    drop(writer);
    assert_eq!(waiting.heard(), Some(Reply::Reserved(Reservation::Granted)));
}

#[test]
fn commits_syncs_and_conflicts_are_counted_and_timed() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let mut session = owner.session();
    for _ in 0..3 {
        session.send_commit();
        let reply = session.heard();
        assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
        session.tell(&Request::End(tombolo_core::wire::request::Ending::Transaction));
    }
    // In a session, the same of its one database.
    let status = session.status();
    assert_eq!(status.newcomer_count, None);
    let database = only(&status);
    let counts = database.counts;
    assert_eq!((counts.commits, counts.conflicts, counts.failed_commits), (3, 0, 0));
    assert_eq!((counts.pages_read, counts.pages_written), (6, 6));
    assert_eq!(counts.syncs, 3);
    assert!(database.log_bytes >= 3 * 4096, "{}", database.log_bytes);
    assert!(database.rates.commits_per_second > 0.0, "{:?}", database.rates);
    for latency in [&database.latencies.commit, &database.latencies.sync] {
        assert_eq!(latency.count, 3);
        assert!(latency.sum_us > 0 && latency.max_us <= latency.sum_us, "{latency:?}");
        let last = latency.classes.last().expect("classes");
        assert_eq!(last.count, 3);
    }
    let (commit, sync) = (&database.latencies.commit, &database.latencies.sync);
    assert!(commit.sum_us >= sync.sum_us, "a commit waits for its sync");
}

#[test]
fn a_directory_without_open_databases_says_so() {
    let owner = Owner::new(Serving::Directory, Limits::default());
    let status = owner.status();
    assert_eq!((status.database_count, status.databases.len()), (0, 0));
    let _session = owner.session();
    assert_eq!(only(&owner.status()).session_count, 1);
}
