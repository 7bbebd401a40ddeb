//! Connections that send garbage, nothing, or do not read.

use crate::harness::{Client, Owner, Serving, hello};
use std::io::ErrorKind;
use std::time::{Duration, Instant};
use tombolo_core::owner::limits::Limits;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::request::{Request, TurnWish};
use tombolo_core::wire::{PROTOCOL, Reply};
use tombolo_os::socket::stream::Waiting;

#[test]
fn nothing_is_served_to_who_has_not_said_who_it_is() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let mut stranger = owner.stranger();
    assert_eq!(stranger.open(&owner.database()), None);
    for request in [
        Request::Status,
        Request::Begin { seen: None, wish: TurnWish::IfFree },
        Request::Read { first: 1, count: 1 },
    ] {
        let mut stranger = owner.stranger();
        stranger.tell(&request);
        assert_eq!(stranger.heard(), None, "{request:?}");
    }
    let mut twice = owner.known();
    twice.tell(&hello());
    assert_eq!(twice.heard(), None);
    let mut old = owner.stranger();
    let hello = Request::Hello { protocol: PROTOCOL + 1, boot_id: b"", process: 1, program: b"" };
    let reply = old.ask(&hello);
    assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
    assert_eq!(old.heard(), None);
    let status = owner.status();
    assert_eq!(status.databases.first().map(|database| database.counts.sessions), Some(0));
}

#[test]
fn a_malformed_frame_ends_that_session_alone() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let mut other = owner.session();
    let garbage: [&[u8]; 5] = [
        // A length of nothing, one of 4 GiB, a message that there is none of, one that is cut
        // short, and one with something behind its fields.
        &[0, 0, 0, 0],
        &[0xff; 8],
        &[1, 0, 0, 0, 200],
        &[2, 0, 0, 0, 4, 1],
        &[2, 0, 0, 0, 11, 0],
    ];
    for bytes in garbage {
        for mut client in [owner.stranger(), owner.known(), owner.session()] {
            client.send(bytes);
            assert_eq!(client.heard(), None, "{bytes:?}");
        }
        assert_eq!(other.begin(TurnWish::None).shape.size_pages, 2);
    }
    // What is well formed and has no place ends it as well, or is refused.
    let mut session = owner.session();
    let reply = session.ask(&hello());
    assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
    assert_eq!(session.begin(TurnWish::None).shape.size_pages, 2, "it goes on");
}

#[test]
fn a_stranger_has_one_time_for_all_that_it_says_and_may_not_say_much() {
    let limits = Limits { introduction_ms: 300, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let mut slow = owner.stranger();
    slow.stream.set_timeout(Duration::from_millis(20)).expect("set");
    let mut bytes = Vec::new();
    let program = [b'x'; 200];
    Request::Hello { protocol: PROTOCOL, boot_id: b"", process: 1, program: &program }
        .encode(&mut bytes);
    // A byte at a time takes far longer than the whole may.
    let ended = bytes.iter().any(|byte| {
        let sent = slow.stream.send_all(&[*byte]);
        sent.is_err() || matches!(slow.stream.receive(&mut [0; 64]), Ok(0))
    });
    assert!(ended, "it was heard to the end");
    // A frame of a session is announced, and nothing is waited for.
    let mut long = owner.stranger();
    long.send(&(1_u32 << 20).to_le_bytes());
    assert_eq!(long.heard(), None);
    let mut session = owner.session();
    assert_eq!(session.begin(TurnWish::None).shape.size_pages, 2);
}

/// Sends requests and reads nothing, until nothing more is taken or the connection is ended; how
/// many bytes were.
fn flood(client: &mut Client, request: &Request<'_>, bytes_max: usize) -> usize {
    let mut bytes = Vec::new();
    while bytes.len() < 64 << 10 {
        request.encode(&mut bytes);
    }
    client.stream.set_waiting(Waiting::NonBlocking).expect("set");
    let (mut sent, mut refused_since) = (0, None);
    while sent < bytes_max {
        let rest = bytes.get(sent % bytes.len()..).expect("within");
        match client.stream.send(rest) {
            Ok(count) => {
                sent += count;
                refused_since = None;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The owner may be busy; that it takes nothing for so long is no chance.
                let since = *refused_since.get_or_insert_with(Instant::now);
                if since.elapsed() > Duration::from_millis(700) {
                    return sent;
                }
                std::thread::yield_now();
            }
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return sent,
            Err(error) => panic!("{error}"),
        }
    }
    sent
}

#[test]
fn a_client_that_never_reads_is_not_heard_on_and_blocks_nobody() {
    const BYTES_MAX: usize = 16 << 20;
    let owner = Owner::new(Serving::Database, Limits::default());
    let mut other = owner.session();
    let mut deaf = owner.session();
    deaf.begin(TurnWish::None);
    let taken = flood(&mut deaf, &Request::Read { first: 1, count: 2 }, BYTES_MAX);
    assert!(taken < BYTES_MAX, "its requests pile up: {taken} bytes");
    // Neither does one that has only said who it is.
    let mut newcomer = owner.known();
    let taken = flood(&mut newcomer, &Request::Status, BYTES_MAX);
    assert!(taken < BYTES_MAX, "its requests pile up: {taken} bytes");
    for _ in 0..20 {
        assert_eq!(other.begin(TurnWish::None).shape.size_pages, 2);
    }
    // It reads after all, and has missed nothing: it is heard again.
    deaf.stream.set_waiting(Waiting::Blocking).expect("set");
    for _ in 0..500 {
        let reply = deaf.heard();
        assert!(matches!(&reply, Some(Reply::Pages(pages)) if pages.len() == 8192), "{reply:?}");
    }
    drop(deaf);
    while owner.status().databases.first().expect("one").session_count > 1 {}
}

#[test]
fn two_hundred_idle_connections_are_no_burden() {
    let owner = Owner::new(Serving::Database, Limits::default());
    let strangers: Vec<_> = (0..50).map(|_| owner.stranger()).collect();
    let known: Vec<_> = (0..50).map(|_| owner.known()).collect();
    let mut sessions: Vec<_> = (0..100).map(|_| owner.session()).collect();
    let status = owner.status();
    let database = status.databases.first().expect("one database");
    assert_eq!(database.session_count, 100);
    assert!(database.sessions.len() < 100, "the list is bounded");
    assert_eq!(status.newcomer_count, Some(101));
    for session in &mut sessions {
        assert_eq!(session.begin(TurnWish::None).shape.size_pages, 2);
    }
    drop((strangers, known));
}

#[test]
fn a_session_too_many_is_told_and_turned_away() {
    let limits = Limits { sessions_max: 2, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let (_one, two) = (owner.session(), owner.session());
    let mut three = owner.known();
    let reply = three.open(&owner.database());
    let Some(Reply::Failed(error)) = reply else { panic!("{reply:?}") };
    assert_eq!(error.code, ResultCode::CANTOPEN);
    assert!(error.message.contains("has 2 sessions already"), "{}", error.message);
    assert_eq!(three.heard(), None, "its connection is not kept");
    drop(two);
    loop {
        let status = owner.status();
        let database = status.databases.first().expect("one database");
        assert_eq!(database.counts.refused_sessions, 1);
        if database.session_count == 1 {
            break;
        }
    }
    owner.session();
}

#[test]
fn newcomers_are_not_too_many_and_not_for_ever() {
    let limits = Limits { newcomers_max: 3, newcomer_silence_ms: 700, ..Limits::default() };
    let owner = Owner::new(Serving::Database, limits);
    let session = owner.session();
    let mut strangers: Vec<_> = (0..3).map(|_| owner.stranger()).collect();
    assert_eq!(owner.stranger().heard(), None, "the fourth");
    for stranger in &mut strangers {
        assert_eq!(stranger.heard(), None, "it said nothing for too long");
    }
    let status = owner.status();
    assert_eq!(status.newcomer_count, Some(1));
    assert_eq!(status.databases.first().map(|database| database.session_count), Some(1));
    drop(session);
}
