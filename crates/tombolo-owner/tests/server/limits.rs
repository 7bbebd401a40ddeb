//! What happens at each limit of an owner that is met on a connection.

use crate::harness::{Client, Owner, Serving, settings};
use std::path::Path;
use std::process::Command;
use tombolo_core::owner::limits::Limits;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::Reply;
use tombolo_core::wire::reply::{Begun, Outcome};
use tombolo_core::wire::request::{Ending, Pages, Request};
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
fn who_has_the_turn_for_too_long_cannot_read_what_it_has_sent_nor_commit_it() {
    let limits = Limits { turn_hold_ms: 300, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let (mut client, mut other) = (owner.session(), owner.session());
    let (begun, sent): (Begun, _) = client.begin_all();
    send_piece(&mut client, 1..3);
    loop {
        match client.ask(&Request::Read { first: 2, count: 1 }) {
            Reply::Pages(page) => assert!(page == [7; PAGE], "not what is in the snapshot"),
            reply => {
                assert_eq!(failed(Some(reply)), ResultCode::IOERR);
                break;
            }
        }
    }
    assert_commits(&mut other);
    client.send_commit_of(&begun, 1, &sent);
    assert_eq!(client.heard(), Some(Reply::Outcome(Outcome::Conflict)));
    client.tell(&Request::End(Ending::Transaction));
    assert_commits(&mut client);
}
