//! The turn, together with a new begin for whoever has waited for it.

use super::super::SessionId;
use super::super::buffer::Store;
use super::super::engine::{Engine, EngineError, Version};
use super::super::turn::{By, Want};
use super::{Machine, Offered, Stage};
use crate::wire::reply::{Reply, Reservation, Turn};
use crate::wire::request::Seen;

impl<E: Engine, S: Store> Machine<E, S> {
    /// A session waits for the turn, and for a begin with it.
    pub(super) fn wait(
        &mut self,
        session: SessionId,
        seen: Option<Seen>,
        wait_ms: u32,
        now_ms: u64,
    ) -> Result<Option<Reply>, EngineError> {
        self.refuse_readers(session)?;
        let want = Want::Begin { seen };
        if let Some(held) = self.turn.held().filter(|held| held.session == session) {
            self.withdraw_offer(session);
            return self.grant(session, want, held.at, now_ms).map(Some);
        }
        let has_room = self.turn.queue_length() < self.limits.queue_max;
        if wait_ms == 0 || !(has_room || self.turn.has_place(session)) {
            return Ok(Some(Reply::Reserved(Reservation::Busy)));
        }
        self.turn.enqueue(session, wait_ms, want, now_ms);
        // If it is the first, and the turn is free, it is answered at once.
        self.serve_queue(now_ms);
        Ok(None)
    }

    /// A session waits no longer. The reply, if it has not got it before.
    pub(super) fn stop_waiting(&mut self, session: SessionId, now_ms: u64) -> Option<Reply> {
        let waited = self.turn.stop_waiting(session, now_ms);
        waited.then_some(Reply::Reserved(Reservation::Busy))
    }

    /// Gives the turn, at the newest version, to who has waited for it.
    pub(super) fn grant(
        &mut self,
        session: SessionId,
        want: Want,
        at: Version,
        now_ms: u64,
    ) -> Result<Reply, EngineError> {
        let is_current = !self.reads_other_than(session, at);
        match want {
            Want::Word if is_current => {
                self.turn.grant(session, at, By::Wish, now_ms);
                Ok(Reply::Reserved(Reservation::Granted))
            }
            Want::Word => Ok(Reply::Reserved(Reservation::Stale)),
            Want::Begin { .. } if !self.engine.is_in_place()? => {
                // What follows the path is a begin of its own.
                Ok(Reply::Reserved(Reservation::Busy))
            }
            Want::Begin { .. } if is_current && self.is_reading(session) => {
                self.turn.grant(session, at, By::Begin, now_ms);
                Ok(Reply::Reserved(Reservation::Granted))
            }
            Want::Begin { seen } => {
                self.withdraw_offer(session);
                self.engine.pin(at)?;
                let begun = self.begun(at, seen, Turn::Granted);
                if begun.is_err() {
                    self.engine.unpin(at);
                    return begun;
                }
                self.turn.grant(session, at, By::Begin, now_ms);
                if let Some(state) = self.sessions.get_mut(&session) {
                    state.offered = Some(Offered { version: at, since_ms: now_ms });
                }
                begun
            }
        }
    }

    fn is_reading(&self, session: SessionId) -> bool {
        let stage = self.sessions.get(&session).map(|state| state.stage);
        matches!(stage, Some(Stage::Reading { .. }))
    }

    /// A session goes over to the version that it was offered, and writes if it still has the turn,
    /// or gets it again. What has grown too old for that is not to be read.
    pub(super) fn adopt(&mut self, session: SessionId, version: Version, now_ms: u64) {
        self.leave_snapshot(session);
        let Some(state) = self.sessions.get_mut(&session) else { return };
        match state.offered.take() {
            Some(Offered { version: at, since_ms }) if at == version => {
                state.stage = Stage::Reading { version, since_ms };
                self.use_turn(session, now_ms);
            }
            other => {
                state.stage = Stage::Expired;
                other.into_iter().for_each(|offered| self.engine.unpin(offered.version));
            }
        }
    }

    pub(super) fn withdraw_offer(&mut self, session: SessionId) {
        let state = self.sessions.get_mut(&session);
        if let Some(offered) = state.and_then(|state| state.offered.take()) {
            self.engine.unpin(offered.version);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::limits::Limits;
    use super::super::super::model::{Buffers, ModelEngine, PAGE_BYTES};
    use super::*;
    use crate::sqlite::result_code::ResultCode;
    use crate::wire::reply::{Begun, Outcome};
    use crate::wire::request::{
        Access, Commit, CommitId, Durability, Ending, Incarnation, Pages, Request, TurnWish,
    };

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    type Made = Machine<ModelEngine, Buffers>;

    /// A has the turn, B reads, and page 2 is full of 1.
    fn machine() -> Made {
        let page = |byte| vec![byte; PAGE_BYTES];
        let engine = ModelEngine::new([(1, page(0)), (2, page(1))].into());
        let mut machine = Machine::new(engine, Buffers, Incarnation(1), Limits::default());
        for session in [A, B] {
            machine.open(session, Access::Write, 0);
        }
        machine.request(A, &Request::Begin { seen: None, wish: TurnWish::IfFree }, 0);
        machine.request(A, &Request::Use, 0);
        machine.request(B, &Request::Begin { seen: None, wish: TurnWish::None }, 0);
        machine.take_replies();
        machine
    }

    fn base(machine: &Made, session: SessionId) -> Version {
        match machine.sessions.get(&session).map(|state| state.stage) {
            Some(Stage::Reading { version, .. }) => version,
            other => panic!("{other:?}"),
        }
    }

    /// A session fills page 2, from the version that it reads.
    fn commit(machine: &mut Made, session: SessionId, byte: u8, now_ms: u64) -> Outcome {
        let mut bytes = Vec::new();
        Pages::append(&mut bytes, 2, &[byte; PAGE_BYTES]);
        let commit = Commit {
            id: CommitId(u128::from(byte)),
            base: base(machine, session),
            size_pages: 2,
            durability: Durability::Process,
            pieces: 0,
            pages: Pages::new(PAGE_BYTES as u32, &bytes).expect("whole"),
        };
        machine.request(session, &Request::Commit(commit), now_ms);
        let replies = machine.take_replies();
        let own = replies.iter().find_map(|(to, reply)| match reply {
            Reply::Outcome(outcome) if *to == session => Some(*outcome),
            _ => None,
        });
        for other in replies.into_iter().filter(|(to, _)| *to != session) {
            machine.replies.push(other);
        }
        own.expect("it is answered")
    }

    fn wait(machine: &mut Made, now_ms: u64) {
        machine.request(B, &Request::Await { seen: None, wait_ms: 60_000 }, now_ms);
    }

    fn told(machine: &mut Made) -> Option<Reply> {
        let mut replies = machine.take_replies();
        assert!(replies.len() < 2, "{replies:?}");
        replies.pop().map(|(to, reply)| {
            assert_eq!(to, B);
            reply
        })
    }

    fn offered(machine: &mut Made) -> Begun {
        match told(machine) {
            Some(Reply::Begun(begun)) => begun,
            other => panic!("{other:?}"),
        }
    }

    fn page_two(machine: &mut Made) -> Result<u8, ResultCode> {
        machine.request(B, &Request::Read { first: 2, count: 1 }, 9);
        match told(machine) {
            Some(Reply::Pages(page)) => Ok(page[0]),
            Some(Reply::Failed(error)) => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_turn_brings_a_begin_and_the_old_snapshot_stays_until_that_is_adopted() {
        let mut machine = machine();
        wait(&mut machine, 1);
        assert_eq!(told(&mut machine), None, "A has the turn");
        assert!(matches!(commit(&mut machine, A, 7, 2), Outcome::Committed(_)));
        let begun = offered(&mut machine);
        assert_eq!(begun.turn, Turn::Granted);
        assert_eq!(page_two(&mut machine), Ok(1), "it still reads what it began to read");
        machine.request(B, &Request::Reserve { wait_ms: 0 }, 3);
        assert_eq!(told(&mut machine), Some(Reply::Reserved(Reservation::Stale)));
        machine.request(B, &Request::Adopt { version: begun.version }, 4);
        assert_eq!(page_two(&mut machine), Ok(7));
        machine.tick(5_000);
        assert!(matches!(commit(&mut machine, B, 8, 5_001), Outcome::Committed(_)), "it is used");
        for session in [A, B] {
            machine.closed(session, 6_000);
        }
        assert_eq!(machine.engine_mut().pin_count(), 0);
    }

    #[test]
    fn who_reads_the_newest_version_gets_the_turn_for_it() {
        let mut machine = machine();
        wait(&mut machine, 1);
        machine.request(A, &Request::End(Ending::Transaction), 2);
        assert_eq!(told(&mut machine), Some(Reply::Reserved(Reservation::Granted)));
        machine.request(B, &Request::Use, 3);
        assert!(matches!(commit(&mut machine, B, 8, 4), Outcome::Committed(_)));
    }

    #[test]
    fn who_leaves_is_answered_once_and_does_not_get_the_turn() {
        let mut machine = machine();
        wait(&mut machine, 1);
        machine.request(B, &Request::Leave, 2);
        assert_eq!(told(&mut machine), Some(Reply::Reserved(Reservation::Busy)));
        machine.request(B, &Request::Leave, 3);
        machine.request(A, &Request::End(Ending::Transaction), 4);
        assert_eq!(told(&mut machine), None);
        assert!(!machine.turn.is_held_by(B));
    }

    #[test]
    fn an_offer_that_is_not_taken_stops_nobody_and_is_whole_when_it_is_taken_late() {
        for others_came in [false, true] {
            let mut machine = machine();
            wait(&mut machine, 1);
            commit(&mut machine, A, 7, 2);
            let begun = offered(&mut machine);
            machine.tick(102);
            assert!(!machine.turn.is_held_by(B), "as a turn that came along with a begin");
            if others_came {
                let engine = machine.engine_mut();
                assert!(engine.stock_commit(|pages| drop(pages.insert(2, vec![9; PAGE_BYTES]))));
            }
            machine.request(B, &Request::Adopt { version: begun.version }, 103);
            assert_eq!(page_two(&mut machine), Ok(7), "what it was told of it holds");
            let committed = commit(&mut machine, B, 8, 104);
            assert_eq!(committed == Outcome::Conflict, others_came, "{committed:?}");
        }
    }

    #[test]
    fn what_was_not_offered_cannot_be_adopted() {
        let mut machine = machine();
        wait(&mut machine, 1);
        commit(&mut machine, A, 7, 2);
        let begun = offered(&mut machine);
        machine.request(B, &Request::Adopt { version: Version(begun.version.0 + 1) }, 3);
        assert_eq!(page_two(&mut machine), Err(ResultCode::IOERR));
        machine.request(B, &Request::End(Ending::Transaction), 4);
        machine.request(A, &Request::End(Ending::Transaction), 4);
        assert_eq!(machine.engine_mut().pin_count(), 0);
        assert!(!machine.engine_mut().is_held());
    }
}
