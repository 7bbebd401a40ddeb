//! What happens at each limit of an owner that is met on a connection.

use crate::harness::{Client, Owner, Serving, settings};
use std::path::Path;
use std::process::Command;
use tombolo_core::owner::limits::Limits;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::Reply;
use tombolo_core::wire::reply::{Begun, Outcome, Reservation};
use tombolo_core::wire::request::{Ending, Pages, Request, TurnWish};
use tombolo_lab::Namespace;
use tombolo_owner::server::{ServeError, Server};

const PAGE: usize = 4096;

/// Sends pages with these numbers as one piece of a transaction.
fn send_piece(client: &mut Client, numbers: std::ops::Range<u32>) {
    let mut bytes = Vec::new();
    for number in numbers {
        Pages::append(&mut bytes, number, &[7; PAGE]);
    }
    client.tell(&Request::Write(Pages::new(PAGE as u32, &bytes).expect("whole pages")));
}

fn assert_commits(client: &mut Client) {
    client.send_commit();
    let reply = client.heard();
    assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
    client.tell(&Request::End(Ending::Transaction));
}

/// As [`assert_commits`], where the turn may be held back for a moment.
fn assert_commits_patiently(client: &mut Client) {
    let begun = client.begin(TurnWish::None);
    let granted = client.ask(&Request::Reserve { wait_ms: 20_000 });
    assert_eq!(granted, Reply::Reserved(Reservation::Granted));
    let Reply::Pages(read) = client.ask(&Request::Read { first: 1, count: 2 }) else {
        panic!("no pages");
    };
    let mut pages = Vec::new();
    for (number, page) in (1..).zip(read.chunks(PAGE)) {
        Pages::append(&mut pages, number, page);
    }
    client.send_commit_of(&begun, 0, &pages);
    let reply = client.heard();
    assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
    client.tell(&Request::End(Ending::Transaction));
}

fn failed(reply: Option<Reply>) -> ResultCode {
    let Some(Reply::Failed(error)) = reply else { panic!("{reply:?}") };
    error.code
}

/// Pages are sent and read again until they cannot be kept; then others commit as ever.
fn assert_full(owner: &Owner, pages: u32) {
    let (mut client, mut other) = (owner.session(), owner.session());
    let (begun, sent) = client.begin_all();
    send_piece(&mut client, 1..3);
    let reply = client.ask(&Request::Read { first: 2, count: 1 });
    assert!(matches!(reply, Reply::Pages(page) if page == [7; PAGE]), "what was sent");
    send_piece(&mut client, 3..pages);
    send_piece(&mut client, pages..pages + 2);
    // Not what the snapshot has in its place.
    assert_eq!(failed(Some(client.ask(&Request::Read { first: 2, count: 1 }))), ResultCode::FULL);
    client.send_commit_of(&begun, 3, &sent);
    assert_eq!(failed(client.heard()), ResultCode::FULL);
    assert_commits(&mut other);
    client.tell(&Request::End(Ending::Transaction));
    assert_commits(&mut client);
}

fn small_memory() -> Limits {
    Limits { transaction_memory_bytes: PAGE as u64, ..Limits::default() }
}

#[test]
fn a_transaction_that_has_no_room_in_memory_is_committed_from_a_file() {
    let owner = Owner::new(Serving::Database, small_memory());
    let mut client = owner.session();
    let (begun, sent) = client.begin_all();
    client.tell(&Request::Write(Pages::new(PAGE as u32, &sent).expect("whole pages")));
    let reply = client.ask(&Request::Read { first: 2, count: 1 });
    assert!(matches!(reply, Reply::Pages(page) if page == sent[sent.len() - PAGE..]));
    client.send_commit_of(&begun, 1, &[]);
    let reply = client.heard();
    assert!(matches!(reply, Some(Reply::Outcome(Outcome::Committed(_)))), "{reply:?}");
    let sound = crate::harness::stock(&owner.database(), "PRAGMA integrity_check;");
    assert_eq!(sound, "ok");
}

#[test]
fn a_transaction_that_is_too_large_fails_as_on_a_full_disk() {
    let limits = Limits { transaction_bytes_max: 20 * PAGE as u64, ..Limits::default() };
    assert_full(&Owner::new(Serving::Database, limits), 20);
}

#[test]
fn a_full_disk_for_large_transactions_fails_the_one_that_has_no_room() {
    Namespace::run(|namespace| {
        let small = namespace.directory("small").expect("made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128k", "none"])
            .arg(&small)
            .status();
        assert!(mounted.expect("mount runs").success());
        assert_full(&Owner::spilling(&small, small_memory()), 200);
    });
}

#[test]
fn an_owner_does_not_begin_where_large_transactions_have_no_place() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut settings = settings(directory.path().join("app.db"), Limits::default());
    settings.spill_directory = Some("/proc".into());
    let error = Server::start(settings).expect_err("no file can be made there");
    assert!(matches!(&error, ServeError::Io { path, .. } if path == Path::new("/proc")), "{error}");
}

#[test]
fn readers_that_follow_each_other_closely_do_not_starve_the_checkpoint() {
    let limits = Limits {
        checkpoint_bytes: 8 * PAGE as u64,
        log_bytes_max: 40 * PAGE as u64,
        ..Limits::default()
    };
    let owner = Owner::new(Serving::Database, limits);
    let (mut writer, mut readers) = (owner.session(), [owner.session(), owner.session()]);
    let used = |owner: &Owner| {
        let log = std::fs::read(owner.directory.path().join("app.db-wal")).expect("readable");
        log.len() as u64
    };
    let mut shrunk = false;
    let mut longest = 0;
    for round in 0..400 {
        // One of them has a snapshot at any time.
        readers[round % 2].begin(TurnWish::None);
        readers[(round + 1) % 2].tell(&Request::End(Ending::Transaction));
        assert_commits_patiently(&mut writer);
        let now = used(&owner);
        shrunk |= now < longest;
        longest = longest.max(now);
        if shrunk {
            break;
        }
    }
    assert!(shrunk, "the log was never begun anew: {longest} bytes");
    let status = owner.status();
    let counts = status.databases.first().expect("one database").counts;
    assert_eq!(counts.expired_snapshots, 0, "nobody had to suffer for it");
}

#[test]
fn a_snapshot_that_holds_up_a_long_log_is_given_up_with_an_error() {
    let limits = Limits {
        checkpoint_bytes: 4 * PAGE as u64,
        log_bytes_max: 8 * PAGE as u64,
        snapshot_age_ms: 1_000,
        ..Limits::default()
    };
    let owner = Owner::new(Serving::Database, limits);
    let (mut writer, mut reader) = (owner.session(), owner.session());
    reader.begin(TurnWish::None);
    let reply = loop {
        assert_commits_patiently(&mut writer);
        match reader.ask(&Request::Read { first: 1, count: 1 }) {
            Reply::Pages(page) => assert_eq!(page.len(), PAGE),
            other => break other,
        }
    };
    assert_eq!(failed(Some(reply)), ResultCode::IOERR);
    assert_eq!(reader.begin(TurnWish::None).shape.size_pages, 2, "the next one is well");
}

#[test]
fn a_request_that_is_not_finished_in_time_ends_its_session_and_no_other() {
    let limits = Limits { request_ms: 300, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let (mut slow, mut deaf, mut other) = (owner.session(), owner.session(), owner.session());
    deaf.begin(TurnWish::None);
    // Answers that it does not read, more than a socket holds, asked for at once: it ends soon.
    let mut requests = Vec::new();
    for _ in 0..400 {
        Request::Read { first: 1, count: 2 }.encode(&mut requests);
    }
    deaf.send(&requests);
    other.begin(TurnWish::None);
    slow.send(&[200, 0, 0, 0, 3]);
    assert_eq!(slow.heard(), None, "the rest never came");
    loop {
        let status = owner.status();
        if status.databases.first().expect("one").session_count == 1 {
            break;
        }
    }
    let reply = other.ask(&Request::Read { first: 1, count: 1 });
    assert!(matches!(reply, Reply::Pages(_)), "one that only thinks is left alone: {reply:?}");
}

#[test]
fn who_says_nothing_for_very_long_is_ended_unless_it_has_a_transaction() {
    let limits = Limits { session_silence_ms: 300, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let (mut idle, mut reader) = (owner.session(), owner.session());
    reader.begin(TurnWish::None);
    assert_eq!(idle.heard(), None);
    let reply = reader.ask(&Request::Read { first: 1, count: 1 });
    assert!(matches!(reply, Reply::Pages(_)), "{reply:?}");
}

#[test]
fn a_newcomer_that_says_nothing_whole_is_ended_however_often_it_says_something() {
    let limits = Limits { newcomer_silence_ms: 400, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let mut stranger = owner.stranger();
    let mut bytes = Vec::new();
    crate::harness::hello().encode(&mut bytes);
    let mut trickled = 0;
    let ended = bytes[..bytes.len() - 1].iter().cycle().any(|_| {
        // Within the frame, so that it is never whole.
        let byte = bytes.get(trickled.min(bytes.len() - 2)).copied().unwrap_or(0);
        trickled += usize::from(trickled < bytes.len() - 2);
        #[expect(clippy::disallowed_methods, reason = "it says something now and then")]
        std::thread::sleep(std::time::Duration::from_millis(40));
        trickled == bytes.len() - 2 || stranger.stream.send(&[byte]).is_err()
    });
    assert!(ended);
    assert_eq!(stranger.heard(), None);
}

#[test]
fn a_queue_that_is_full_tells_busy_at_once() {
    let limits = Limits { queue_max: 1, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let mut sessions: Vec<_> = (0..3).map(|_| owner.session()).collect();
    sessions[0].begin(TurnWish::IfFree);
    sessions[1].tell(&Request::Reserve { wait_ms: 60_000 });
    while owner.status().databases.first().expect("one").queue_length == 0 {}
    let reply = sessions[2].ask(&Request::Reserve { wait_ms: 60_000 });
    assert_eq!(reply, Reply::Reserved(Reservation::Busy));
}

#[test]
fn a_window_has_no_more_pages_than_are_allowed() {
    let limits = Limits { window_bytes_max: PAGE as u32, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let mut session = owner.session();
    session.begin(TurnWish::None);
    for count in [1, 2, u32::MAX] {
        let reply = session.ask(&Request::Read { first: 1, count });
        assert!(matches!(&reply, Reply::Pages(pages) if pages.len() == PAGE), "{reply:?}");
    }
}

#[test]
fn a_page_1_that_would_break_the_file_is_refused() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let mut session = owner.session();
    for (what, place, value) in [
        ("magic", 0, 0),
        ("page size", 16, 0x40),
        ("write format", 18, 9),
        ("read format", 19, 9),
        ("reserved bytes", 20, 0xff),
        ("page count", 31, 0x77),
    ] {
        let (begun, mut pages) = session.begin_all();
        // Behind the number of the page.
        pages[4 + place] = value;
        session.send_commit_of(&begun, 0, &pages);
        assert_eq!(failed(session.heard()), ResultCode::READONLY, "{what}");
        session.tell(&Request::End(Ending::Transaction));
    }
    assert_commits(&mut session);
    assert_eq!(crate::harness::stock(&owner.database(), "PRAGMA integrity_check;"), "ok");
}

#[test]
fn who_has_the_turn_and_says_nothing_can_neither_read_what_it_has_sent_nor_commit_it() {
    let limits = Limits { turn_hold_ms: 300, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let (mut client, mut other) = (owner.session(), owner.session());
    let (begun, sent): (Begun, _) = client.begin_all();
    send_piece(&mut client, 1..3);
    match client.ask(&Request::Read { first: 2, count: 1 }) {
        Reply::Pages(page) => assert!(page == [7; PAGE], "not what is in the snapshot"),
        reply => panic!("{reply:?}"),
    }
    // It gets the turn when the first has said nothing for so long.
    let granted = other.ask(&Request::Reserve { wait_ms: 20_000 });
    assert_eq!(granted, Reply::Reserved(Reservation::Granted));
    assert_commits(&mut other);
    let read = client.ask(&Request::Read { first: 2, count: 1 });
    assert_eq!(failed(Some(read)), ResultCode::IOERR);
    client.send_commit_of(&begun, 1, &sent);
    assert_eq!(client.heard(), Some(Reply::Outcome(Outcome::Conflict)));
    client.tell(&Request::End(Ending::Transaction));
    assert_commits(&mut client);
}
