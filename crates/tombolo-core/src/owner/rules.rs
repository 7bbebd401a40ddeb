//! Rules of an owner which no other test needs to hold: each on a machine with an engine in memory.

use super::SessionId;
use super::engine::{Changes, Version};
use super::limits::Limits;
use super::machine::Machine;
use super::model::{Buffers, ModelEngine, PAGE_BYTES};
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Begun, Outcome, Reply, Reservation, Settled, Turn};
use crate::wire::request::{
    Access, Commit, CommitId, Durability, Ending, Incarnation, Pages, Request, Seen, TurnWish,
};

const A: SessionId = SessionId(1);
const B: SessionId = SessionId(2);
const C: SessionId = SessionId(3);
const OWNER: Incarnation = Incarnation(7);
const HOLD_MS: u64 = 500;

type Replies = Vec<(SessionId, Reply)>;

struct Rig {
    machine: Machine<ModelEngine, Buffers>,
    now_ms: u64,
}

impl Rig {
    /// Three sessions of a database with three pages.
    fn new() -> Self {
        let pages = (1..=3).map(|number| (number, vec![0; PAGE_BYTES])).collect();
        let limits = Limits { turn_hold_ms: HOLD_MS, ..Limits::default() };
        let mut machine = Machine::new(ModelEngine::new(pages), Buffers, OWNER, limits);
        for session in [A, B, C] {
            machine.open(session, Access::Write, 0);
        }
        machine.take_replies();
        Rig { machine, now_ms: 0 }
    }

    fn ask(&mut self, session: SessionId, request: &Request<'_>) -> Replies {
        self.machine.request(session, request, self.now_ms);
        self.machine.take_replies()
    }

    fn begin(&mut self, session: SessionId, seen: Option<Seen>, wish: TurnWish) -> Begun {
        match self.ask(session, &Request::Begin { seen, wish }).pop() {
            Some((_, Reply::Begun(begun))) => begun,
            other => panic!("{other:?}"),
        }
    }

    /// Begins with the turn, and commits one page that is full of a value.
    fn commit(
        &mut self,
        session: SessionId,
        (page, value): (u32, u8),
        durability: Durability,
    ) -> Replies {
        let begun = self.begin(session, None, TurnWish::IfFree);
        assert_eq!(begun.turn, Turn::Granted);
        self.commit_on(session, begun.version, (page, value), durability)
    }

    fn commit_on(
        &mut self,
        session: SessionId,
        base: Version,
        (page, value): (u32, u8),
        durability: Durability,
    ) -> Replies {
        let mut bytes = Vec::new();
        Pages::append(&mut bytes, page, &[value; PAGE_BYTES]);
        let commit = Commit {
            id: CommitId(value.into()),
            base,
            size_pages: 3,
            durability,
            pieces: 0,
            pages: Pages::new(PAGE_BYTES as u32, &bytes).expect("whole"),
        };
        self.ask(session, &Request::Commit(commit))
    }

    fn tick(&mut self, now_ms: u64) -> Replies {
        self.now_ms = now_ms;
        self.machine.tick(now_ms);
        self.machine.take_replies()
    }

    fn synced(&mut self) -> Replies {
        let until = self.machine.sync_wanted().expect("something waits for it");
        self.machine.synced(until);
        self.machine.take_replies()
    }

    fn stock_commit(&mut self, value: u8) {
        let done = self.machine.engine_mut().stock_commit(|pages| {
            pages.insert(2, vec![value; PAGE_BYTES]);
        });
        assert!(done, "nobody has the write lock");
    }

    fn value(&mut self, page: u32) -> u8 {
        self.machine.engine_mut().latest()[&page][0]
    }
}

fn committed(version: Version) -> Reply {
    Reply::Outcome(Outcome::Committed(version))
}

fn code(replies: &[(SessionId, Reply)]) -> ResultCode {
    match replies {
        [(_, Reply::Failed(error))] => error.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_begin_names_exactly_what_changed_since_the_session_last_looked() {
    let mut rig = Rig::new();
    let first = rig.begin(A, None, TurnWish::None);
    assert_eq!(first.changes, Changes::All, "it knows nothing yet");
    let seen = Seen { incarnation: first.incarnation, version: first.version };
    assert_eq!(rig.begin(A, Some(seen), TurnWish::None).changes, Changes::Pages(vec![]));
    rig.commit(B, (3, 9), Durability::Process);
    rig.stock_commit(8);
    let begun = rig.begin(A, Some(seen), TurnWish::None);
    assert_eq!(begun.changes, Changes::Pages(vec![2, 3]));
    let along: Vec<_> = Pages::new(PAGE_BYTES as u32, &begun.pages)
        .expect("whole")
        .iter()
        .map(|(number, page)| (number, page[0]))
        .collect();
    assert_eq!(along, [(2, 8), (3, 9)], "they come along");
    let other = Seen { incarnation: Incarnation(1), ..seen };
    assert_eq!(rig.begin(A, Some(other), TurnWish::None).changes, Changes::All);
}

#[test]
fn a_commit_is_acknowledged_when_it_is_as_durable_as_was_asked() {
    let mut rig = Rig::new();
    let replies = rig.commit(A, (2, 1), Durability::Process);
    assert!(matches!(&replies[..], [(A, Reply::Outcome(Outcome::Committed(_)))]), "{replies:?}");
    assert_eq!(rig.machine.sync_wanted(), None);
    assert_eq!(rig.commit(B, (2, 2), Durability::Power), [], "the log is not on the disk");
    let first = rig.machine.sync_wanted().expect("somebody waits");
    // It stands on one that may be lost yet.
    assert_eq!(rig.commit(C, (2, 3), Durability::Process), []);
    let second = rig.machine.sync_wanted().expect("somebody waits");
    rig.machine.synced(first);
    assert_eq!(rig.machine.take_replies(), [(B, committed(first))]);
    assert_eq!(rig.synced(), [(C, committed(second))]);
}

#[test]
fn the_turn_passes_on_before_the_sync_and_only_the_next_writer_sees_what_is_not_durable() {
    let mut rig = Rig::new();
    let before = rig.begin(C, None, TurnWish::None).version;
    rig.commit(A, (2, 1), Durability::Power);
    let pending = rig.machine.sync_wanted().expect("A waits");
    let writer = rig.begin(B, None, TurnWish::IfFree);
    assert_eq!((writer.turn, writer.version), (Turn::Granted, pending));
    assert_eq!(writer.state, Settled::No);
    let reader = rig.begin(C, None, TurnWish::None);
    assert_eq!((reader.version, reader.state), (before, Settled::Yes));
    assert_eq!(rig.ask(B, &Request::Settle), []);
    assert_eq!(rig.synced(), [(A, committed(pending)), (B, Reply::Settled)]);
    assert_eq!(rig.begin(C, None, TurnWish::None).version, pending);
}

#[test]
fn a_stock_apps_commit_is_shown_at_once_whatever_it_stands_on() {
    let mut rig = Rig::new();
    rig.commit(A, (3, 1), Durability::Power);
    let pending = rig.machine.sync_wanted().expect("A waits");
    rig.stock_commit(5);
    assert!(rig.begin(C, None, TurnWish::None).version > pending);
    let replies = rig.ask(C, &Request::Read { first: 2, count: 1 });
    assert_eq!(replies, [(C, Reply::Pages(vec![5; PAGE_BYTES]))]);
}

#[test]
fn after_a_sync_that_failed_nobody_is_told_that_it_is_committed() {
    let mut rig = Rig::new();
    let base = rig.begin(A, None, TurnWish::None).version;
    rig.commit(A, (2, 1), Durability::Power);
    rig.begin(B, None, TurnWish::IfFree);
    rig.ask(B, &Request::Settle);
    rig.machine.sync_failed();
    let replies = rig.machine.take_replies();
    let [(A, Reply::Outcome(Outcome::Unknown)), (B, Reply::Failed(error))] = &replies[..] else {
        panic!("{replies:?}");
    };
    assert_eq!(error.code, ResultCode::IOERR);
    let seen = Seen { incarnation: OWNER, version: base };
    let asked = rig.ask(C, &Request::Outcome { id: CommitId(1), seen });
    assert_eq!(asked, [(C, Reply::Outcome(Outcome::Unknown))]);
}

#[test]
fn what_became_of_the_commit_of_another_owner_is_not_known_here() {
    let mut rig = Rig::new();
    let base = rig.begin(A, None, TurnWish::None).version;
    for (incarnation, outcome) in
        [(Incarnation(1), Outcome::Unknown), (OWNER, Outcome::NotCommitted)]
    {
        let seen = Seen { incarnation, version: base };
        let asked = rig.ask(A, &Request::Outcome { id: CommitId(99), seen });
        assert_eq!(asked, [(A, Reply::Outcome(outcome))], "{incarnation:?}");
    }
}

#[test]
fn the_turn_ends_with_the_lock_the_connection_or_the_limit() {
    let ends: [fn(&mut Rig) -> Replies; 4] = [
        |rig| rig.ask(A, &Request::End(Ending::Writing)),
        |rig| rig.ask(A, &Request::End(Ending::Transaction)),
        |rig| {
            rig.machine.closed(A, rig.now_ms);
            rig.machine.take_replies()
        },
        |rig| rig.tick(HOLD_MS),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let mut rig = Rig::new();
        rig.begin(A, None, TurnWish::IfFree);
        rig.ask(A, &Request::Use);
        rig.begin(B, None, TurnWish::None);
        assert_eq!(rig.ask(B, &Request::Reserve { wait_ms: 9_000 }), []);
        assert_eq!(rig.tick(HOLD_MS - 1), [], "{number}: A has it");
        let granted = Reply::Reserved(Reservation::Granted);
        assert_eq!(end(&mut rig), [(B, granted)], "{number}");
        assert!(rig.machine.engine_mut().is_held());
    }
}

#[test]
fn who_writes_for_long_keeps_the_turn() {
    let mut rig = Rig::new();
    let base = rig.begin(A, None, TurnWish::IfFree).version;
    rig.ask(A, &Request::Use);
    for round in 1..=5 {
        rig.tick(round * (HOLD_MS - 1));
        rig.ask(A, &Request::Read { first: 3, count: 1 });
    }
    let replies = rig.commit_on(A, base, (2, 1), Durability::Process);
    let outcome = replies.iter().find(|(to, _)| *to == A).map(|(_, reply)| reply);
    assert!(matches!(outcome, Some(Reply::Outcome(Outcome::Committed(_)))), "{replies:?}");
    assert_eq!(rig.machine.counts().lost_turns, 0);
}

#[test]
fn who_had_the_turn_for_too_long_cannot_commit_over_another() {
    let mut rig = Rig::new();
    let slow = rig.begin(A, None, TurnWish::IfFree);
    rig.ask(A, &Request::Use);
    rig.tick(HOLD_MS);
    rig.commit(B, (2, 2), Durability::Process);
    let replies = rig.commit_on(A, slow.version, (2, 1), Durability::Process);
    assert_eq!(replies, [(A, Reply::Outcome(Outcome::Conflict))]);
    assert_eq!(rig.value(2), 2);
}

#[test]
fn who_waits_hears_busy_when_the_time_is_up_and_who_was_told_so_is_passed_over() {
    let mut rig = Rig::new();
    rig.begin(A, None, TurnWish::IfFree);
    rig.ask(A, &Request::Use);
    for session in [B, C] {
        rig.begin(session, None, TurnWish::None);
    }
    let busy = Reply::Reserved(Reservation::Busy);
    assert_eq!(rig.ask(B, &Request::Reserve { wait_ms: 0 }), [(B, busy.clone())]);
    assert_eq!(rig.ask(C, &Request::Reserve { wait_ms: 50 }), []);
    assert_eq!(rig.tick(49), []);
    assert_eq!(rig.tick(50), [(C, busy)]);
    assert_eq!(rig.ask(C, &Request::Reserve { wait_ms: 50 }), []);
    let granted = Reply::Reserved(Reservation::Granted);
    assert_eq!(rig.ask(A, &Request::End(Ending::Writing)), [(C, granted)], "B came first");
}

#[test]
fn the_write_lock_is_asked_for_again_as_long_as_a_stock_app_has_it() {
    let mut rig = Rig::new();
    rig.machine.engine_mut().stock_writes = true;
    rig.begin(A, None, TurnWish::None);
    assert_eq!(rig.ask(A, &Request::Reserve { wait_ms: 400 }), []);
    assert_eq!(rig.tick(100), []);
    rig.machine.engine_mut().stock_writes = false;
    let next_ms = rig.machine.next_tick_ms().expect("it looks again");
    assert!(next_ms < 400);
    assert_eq!(rig.tick(next_ms), [(A, Reply::Reserved(Reservation::Granted))]);
}

#[test]
fn a_turn_is_not_given_on_a_snapshot_that_a_stock_app_has_overtaken() {
    let mut rig = Rig::new();
    rig.begin(A, None, TurnWish::None);
    rig.stock_commit(5);
    let stale = Reply::Reserved(Reservation::Stale);
    assert_eq!(rig.ask(A, &Request::Reserve { wait_ms: 0 }), [(A, stale)]);
    assert!(!rig.machine.engine_mut().is_held(), "the stock app can go on");
}

#[test]
fn a_file_that_was_put_in_its_place_ends_what_was_open_and_makes_every_cache_void() {
    let mut rig = Rig::new();
    let reader = rig.begin(A, None, TurnWish::None);
    rig.commit(B, (2, 1), Durability::Power);
    let writer = rig.begin(B, None, TurnWish::IfFree);
    assert_eq!(writer.turn, Turn::Granted);
    rig.machine.engine_mut().replaced = true;
    let seen = Seen { incarnation: reader.incarnation, version: reader.version };
    let replies = rig.ask(C, &Request::Begin { seen: Some(seen), wish: TurnWish::None });
    let [(B, Reply::Outcome(Outcome::Unknown)), (C, Reply::Begun(begun))] = &replies[..] else {
        panic!("{replies:?}");
    };
    assert_ne!(begun.incarnation, reader.incarnation);
    assert_eq!(begun.changes, Changes::All);
    assert_eq!(code(&rig.ask(A, &Request::Read { first: 2, count: 1 })), ResultCode::IOERR);
    let replies = rig.commit_on(B, writer.version, (2, 9), Durability::Process);
    assert_eq!(replies, [(B, Reply::Outcome(Outcome::Conflict))]);
    assert_ne!(rig.value(2), 9, "nothing of the old file is in the new one");
    // And the next transaction of each is one of the new file.
    assert_eq!(rig.begin(A, None, TurnWish::None).incarnation, begun.incarnation);
}

/// A door asks for no turn then, but whoever speaks the protocol can send what it likes.
#[test]
fn who_has_opened_for_reading_only_cannot_write_whatever_it_sends() {
    let mut rig = Rig::new();
    let reader = SessionId(4);
    rig.machine.open(reader, Access::Read, 0);
    rig.machine.take_replies();
    let begun = rig.begin(reader, None, TurnWish::IfFree);
    assert_eq!(begun.turn, Turn::NotGranted);
    let asked = rig.ask(reader, &Request::Reserve { wait_ms: 9_000 });
    assert_eq!(code(&asked), ResultCode::READONLY);
    rig.ask(reader, &Request::Use);
    let replies = rig.commit_on(reader, begun.version, (2, 9), Durability::Process);
    assert_eq!(code(&replies), ResultCode::READONLY);
    assert_eq!(rig.value(2), 0);
    assert!(!rig.machine.engine_mut().is_held());
}

#[test]
fn ends_and_pieces_are_told_without_an_answer() {
    let pages = Pages::new(512, &[]).expect("none");
    for (request, is_answered) in [
        (Request::End(Ending::Transaction), false),
        (Request::End(Ending::Writing), false),
        (Request::Use, false),
        (Request::Write(pages), false),
        (Request::Begin { seen: None, wish: TurnWish::None }, true),
    ] {
        assert_eq!(request.is_answered(), is_answered, "{request:?}");
        let mut rig = Rig::new();
        assert_eq!(rig.ask(A, &request).len(), usize::from(is_answered), "{request:?}");
    }
}
