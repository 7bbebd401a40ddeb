//! What it says of itself.

use super::super::SessionId;
use super::super::buffer::Store;
use super::super::engine::{Engine, EngineError, Shape};
use super::super::status::{
    Counts, DatabaseLatencies, DatabaseStatus, EngineName, SESSIONS_SHOWN_MAX, SessionAccess,
    SessionKernel, SessionStatus, TransactionState, TurnState,
};
use super::{Machine, Session, Stage};
use crate::wire::request::Access;
use std::cmp::Reverse;

/// What the machine does not know of itself.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The path of the database.
    pub path: &'a str,
    /// The engine.
    pub engine: EngineName,
    /// How long things took: the machine has no clock that is fine enough.
    pub latencies: DatabaseLatencies,
}

/// Who a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The name of its program.
    pub program: String,
    /// Its process.
    pub process: u32,
    /// Where that runs.
    pub kernel: SessionKernel,
    /// The boot id of that kernel, if it told.
    pub boot_id: Option<String>,
    /// Where its connection comes from; `None` of a Unix socket.
    pub address: Option<String>,
}

impl<E: Engine, S: Store> Machine<E, S> {
    /// What happened since the database was opened.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// What it says of itself, at `now_ms` since the database was opened. `who` tells who a session
    /// is.
    pub fn status(
        &mut self,
        surroundings: Surroundings<'_>,
        who: impl Fn(SessionId) -> Who,
        now_ms: u64,
    ) -> DatabaseStatus {
        let shape = self.shape_now().ok();
        DatabaseStatus {
            path: surroundings.path.to_owned(),
            engine: surroundings.engine,
            open_ms: now_ms,
            page_size_bytes: shape.map(|shape| shape.page_size_bytes),
            size_pages: shape.map(|shape| shape.size_pages),
            log_bytes: self.engine.log_bytes(),
            session_count: self.sessions.len() as u64,
            sessions: self.sessions_shown(&who, now_ms),
            queue_length: self.turn.queue_length() as u64,
            pending_count: self.shown.pending_count() as u64,
            counts: self.counts,
            rates: self.recent.rates(self.counts, now_ms),
            latencies: surroundings.latencies,
        }
    }

    fn shape_now(&mut self) -> Result<Shape, EngineError> {
        let version = self.pin_shown()?;
        let shape = self.engine.shape(version);
        self.engine.unpin(version);
        shape
    }

    /// Who has the turn, then the longest transactions, then the others by age.
    fn sessions_shown(&self, who: &impl Fn(SessionId) -> Who, now_ms: u64) -> Vec<SessionStatus> {
        let mut order: Vec<_> = self.sessions.iter().collect();
        order.sort_by_key(|(id, session)| {
            let age_ms = self.transaction_ms(session, now_ms);
            (!self.turn.is_held_by(**id), Reverse(age_ms), **id)
        });
        let shown = order.into_iter().take(SESSIONS_SHOWN_MAX);
        shown.map(|(id, session)| self.session_status(*id, session, who(*id), now_ms)).collect()
    }

    fn transaction_ms(&self, session: &Session<S::Buffer>, now_ms: u64) -> Option<u64> {
        match session.stage {
            Stage::Reading { since_ms, .. } => Some(now_ms.saturating_sub(since_ms)),
            Stage::Idle | Stage::Expired => None,
        }
    }

    fn session_status(
        &self,
        id: SessionId,
        session: &Session<S::Buffer>,
        who: Who,
        now_ms: u64,
    ) -> SessionStatus {
        let held = self.turn.held().filter(|held| held.session == id);
        SessionStatus {
            program: who.program,
            process: who.process,
            kernel: who.kernel,
            boot_id: who.boot_id,
            address: who.address,
            access: match session.access {
                Access::Read => SessionAccess::Read,
                Access::Write | Access::Create => SessionAccess::Write,
            },
            transaction: match session.stage {
                Stage::Idle => TransactionState::None,
                Stage::Reading { .. } => TransactionState::Open,
                Stage::Expired => TransactionState::Expired,
            },
            transaction_ms: self.transaction_ms(session, now_ms),
            turn: match held {
                Some(_) => TurnState::Held,
                None if self.turn.has_place(id) => TurnState::Queued,
                None => TurnState::None,
            },
            turn_ms: held.map(|held| now_ms.saturating_sub(held.since_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::limits::Limits;
    use super::super::super::model::{Buffers, ModelEngine, PAGE_BYTES};
    use super::super::super::status::Latencies;
    use super::*;
    use crate::sqlite::result_code::ResultCode;
    use crate::wire::Reply;
    use crate::wire::reply::Reservation;
    use crate::wire::request::{Ending, Incarnation, Pages, Request, TurnWish};

    type Made = Machine<ModelEngine, Buffers>;

    fn machine(limits: Limits) -> Made {
        let engine = ModelEngine::new([(1, vec![0; PAGE_BYTES])].into());
        Machine::new(engine, Buffers, Incarnation(1), limits)
    }

    fn told(machine: &mut Made, now_ms: u64) -> DatabaseStatus {
        let none = Latencies::default().told();
        let latencies = DatabaseLatencies { commit: none.clone(), sync: none };
        let surroundings = Surroundings { path: "/app.db", engine: EngineName::Sole, latencies };
        let who = |SessionId(number)| Who {
            program: number.to_string(),
            process: 1,
            kernel: SessionKernel::NotKnown,
            boot_id: None,
            address: None,
        };
        machine.status(surroundings, who, now_ms)
    }

    fn begin(machine: &mut Made, session: u64, wish: TurnWish, now_ms: u64) {
        machine.request(SessionId(session), &Request::Begin { seen: None, wish }, now_ms);
    }

    #[test]
    fn the_list_is_bounded_and_begins_with_whom_others_wait_for() {
        let mut machine = machine(Limits::default());
        let count = SESSIONS_SHOWN_MAX as u64 + 10;
        for session in 0..count {
            machine.open(SessionId(session), Access::Write, 0);
        }
        begin(&mut machine, 70, TurnWish::None, 100);
        begin(&mut machine, 71, TurnWish::None, 50);
        begin(&mut machine, 72, TurnWish::IfFree, 150);
        machine.request(SessionId(71), &Request::Reserve { wait_ms: 900 }, 160);
        let pins = machine.engine_mut().pin_count();
        let status = told(&mut machine, 200);
        assert_eq!(machine.engine_mut().pin_count(), pins, "looking holds nothing");
        assert_eq!((status.session_count, status.sessions.len()), (count, SESSIONS_SHOWN_MAX));
        let first: Vec<_> = status.sessions.iter().take(4).collect();
        let names: Vec<_> = first.iter().map(|session| session.program.as_str()).collect();
        assert_eq!(names, ["72", "71", "70", "0"]);
        let turns: Vec<_> = first.iter().map(|session| (session.turn, session.turn_ms)).collect();
        let none = (TurnState::None, None);
        assert_eq!(turns, [(TurnState::Held, Some(50)), (TurnState::Queued, None), none, none]);
        let ages: Vec<_> = first.iter().map(|session| session.transaction_ms).collect();
        assert_eq!(ages, [Some(50), Some(150), Some(100), None]);
        assert_eq!((status.queue_length, status.counts.begins), (1, 3));
    }

    #[test]
    fn nobody_is_told_busy_while_the_lock_rests_for_stock_apps() {
        let mut machine = machine(Limits::default());
        machine.open(SessionId(1), Access::Write, 0);
        // The lock is never free for long, until stock apps have their time.
        let mut now_ms = 0;
        let waited_ms = loop {
            begin(&mut machine, 1, TurnWish::None, now_ms);
            machine.take_replies();
            machine.request(SessionId(1), &Request::Reserve { wait_ms: 0 }, now_ms);
            let asked_ms = now_ms;
            if machine.take_replies().is_empty() {
                let granted = loop {
                    now_ms = machine.next_tick_ms().expect("somebody waits");
                    machine.tick(now_ms);
                    if let Some((_, reply)) = machine.take_replies().pop() {
                        break reply;
                    }
                };
                assert_eq!(granted, Reply::Reserved(Reservation::Granted));
                break now_ms - asked_ms;
            }
            now_ms += 20;
            machine.request(SessionId(1), &Request::End(Ending::Transaction), now_ms);
            assert!(now_ms < 10_000, "the lock never rests");
        };
        assert!((1..=200).contains(&waited_ms), "{waited_ms}");
    }

    #[test]
    fn waiting_for_the_turn_takes_two_messages() {
        let mut machine = machine(Limits { turn_hold_ms: u64::MAX / 2, ..Limits::default() });
        for session in [1, 2] {
            machine.open(SessionId(session), Access::Write, 0);
        }
        begin(&mut machine, 1, TurnWish::IfFree, 0);
        machine.request(SessionId(1), &Request::Use, 0);
        machine.take_replies();
        machine.request(SessionId(2), &Request::Reserve { wait_ms: 3_600_000 }, 0);
        for now_ms in (1..3_000_000).step_by(500) {
            machine.tick(now_ms);
        }
        assert_eq!(machine.take_replies(), [], "one in, and none out as long as it waits");
        machine.request(SessionId(1), &Request::End(Ending::Transaction), 3_000_000);
        // Stock apps may come first, for a moment.
        machine.tick(3_001_000);
        let granted = Reply::Reserved(Reservation::Granted);
        assert_eq!(machine.take_replies(), [(SessionId(2), granted)]);
    }

    #[test]
    fn a_turn_that_came_along_and_is_not_used_is_taken_back() {
        for (used, until_ms) in [(false, 100), (true, 10_000)] {
            let mut machine = machine(Limits::default());
            for session in [1, 2] {
                machine.open(SessionId(session), Access::Write, 0);
            }
            begin(&mut machine, 1, TurnWish::IfFree, 0);
            if used {
                machine.request(SessionId(1), &Request::Use, 0);
            }
            machine.request(SessionId(2), &Request::Reserve { wait_ms: 60_000 }, 1);
            machine.take_replies();
            machine.tick(until_ms - 1);
            assert_eq!(machine.take_replies(), []);
            assert_eq!(machine.next_tick_ms(), Some(until_ms));
            machine.tick(until_ms);
            // Stock apps may come first, for a moment.
            machine.tick(until_ms + 1_000);
            let granted = Reply::Reserved(Reservation::Granted);
            assert_eq!(machine.take_replies(), [(SessionId(2), granted)], "used: {used}");
        }
    }

    #[test]
    fn who_uses_a_turn_after_it_was_taken_back_gets_it_again_or_reads_nothing_wrong() {
        for others_came in [false, true] {
            let mut machine = machine(Limits::default());
            for session in [1, 2] {
                machine.open(SessionId(session), Access::Write, 0);
            }
            begin(&mut machine, 1, TurnWish::IfFree, 0);
            machine.tick(100);
            if others_came {
                machine
                    .engine_mut()
                    .stock_commit(|pages| drop(pages.insert(1, vec![9; PAGE_BYTES])));
            }
            machine.request(SessionId(1), &Request::Use, 101);
            let mut bytes = Vec::new();
            Pages::append(&mut bytes, 1, &[7; PAGE_BYTES]);
            let pages = Pages::new(PAGE_BYTES as u32, &bytes).expect("whole");
            machine.request(SessionId(1), &Request::Write(pages), 102);
            machine.take_replies();
            machine.request(SessionId(1), &Request::Read { first: 1, count: 1 }, 103);
            let replies = machine.take_replies();
            match replies.as_slice() {
                [(_, Reply::Pages(page))] if !others_came => assert_eq!(page, &[7; PAGE_BYTES]),
                [(_, Reply::Failed(error))] if others_came => {
                    assert_eq!(error.code, ResultCode::IOERR);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_begin_that_is_told_busy_keeps_its_place() {
        let mut machine = machine(Limits::default());
        for session in [1, 2, 3] {
            machine.open(SessionId(session), Access::Write, 0);
        }
        begin(&mut machine, 1, TurnWish::IfFree, 0);
        begin(&mut machine, 2, TurnWish::IfFree, 0);
        begin(&mut machine, 3, TurnWish::None, 0);
        machine.request(SessionId(3), &Request::Reserve { wait_ms: 500 }, 0);
        machine.request(SessionId(2), &Request::Reserve { wait_ms: 500 }, 1);
        machine.take_replies();
        machine.request(SessionId(1), &Request::End(Ending::Transaction), 2);
        let granted = Reply::Reserved(Reservation::Granted);
        assert_eq!(machine.take_replies(), [(SessionId(2), granted)], "it came before the other");
    }

    #[test]
    fn what_was_taken_back_is_counted() {
        let limits = Limits {
            sessions_max: 1,
            turn_hold_ms: 100,
            snapshot_age_ms: 100,
            log_bytes_max: 0,
            ..Limits::default()
        };
        let mut machine = machine(limits);
        machine.open(SessionId(1), Access::Write, 0);
        machine.open(SessionId(2), Access::Write, 0);
        begin(&mut machine, 1, TurnWish::IfFree, 0);
        machine.request(SessionId(1), &Request::Use, 0);
        machine.engine_mut().log_bytes = 1;
        machine.tick(99);
        assert_eq!(machine.counts().lost_turns, 0);
        machine.tick(101);
        let status = told(&mut machine, 101);
        let counts = status.counts;
        assert_eq!((counts.sessions, counts.refused_sessions), (1, 1));
        assert_eq!((counts.lost_turns, counts.expired_snapshots), (1, 1));
        let session = status.sessions.first().expect("one");
        assert_eq!(
            (session.transaction, session.turn),
            (TransactionState::Expired, TurnState::None)
        );
    }
}
