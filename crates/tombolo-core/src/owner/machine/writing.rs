//! The turn, commits and their acknowledgement.

use super::super::SessionId;
use super::super::buffer::{Buffer, Complete, Store};
use super::super::engine::{Changes, Engine, EngineError, Reserved, Version};
use super::super::fairness::Others;
use super::super::shown::Pending;
use super::super::turn::{By, Want};
use super::reading::{expired, no_transaction};
use super::{GivenUp, Machine, Stage};
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Outcome, Reply, Reservation};
use crate::wire::request::{Access, Commit, CommitId, Durability, Pages, Seen};

/// How soon the write lock is asked for again that a stock app has.
const RETRY_MS: u64 = 1;
/// How long a session waits at most for the turn, though it did not ask for that, while it is held
/// back for a checkpoint: a slow disk takes seconds for a long log.
const HELD_BACK_MS: u32 = 10_000;

impl<E: Engine, S: Store> Machine<E, S> {
    pub(super) fn reserve(
        &mut self,
        session: SessionId,
        wait_ms: u32,
        now_ms: u64,
    ) -> Result<Option<Reply>, EngineError> {
        let answer = |reservation| Ok(Some(Reply::Reserved(reservation)));
        self.refuse_readers(session)?;
        if self.turn.is_held_by(session) {
            if self.sessions.get(&session).is_some_and(|state| state.offered.is_some()) {
                // Its snapshot is older than what it was offered.
                return answer(Reservation::Stale);
            }
            self.turn.used_by(session);
            return answer(Reservation::Granted);
        }
        let is_free = self.turn.held().is_none() && self.turn.is_next(session);
        let rest_ms =
            if is_free { self.rest_left_ms(now_ms) } else { self.unused_left_ms(session) };
        // Nobody writes, though the lock is not to be had yet: nobody is told busy for that.
        let wait_ms = rest_ms.map_or(wait_ms, |rest_ms| wait_ms.max(rest_ms));
        if is_free && rest_ms.is_none() {
            match self.engine.reserve()? {
                Reserved::At(at) if self.reads_other_than(session, at) => {
                    self.engine.release();
                    self.turn.enqueue(session, 0, Want::Word, now_ms);
                    return answer(Reservation::Stale);
                }
                Reserved::At(at) => {
                    self.turn.grant(session, at, By::Wish, now_ms);
                    return answer(Reservation::Granted);
                }
                Reserved::Busy => self.retry_ms = Some(now_ms + RETRY_MS),
            }
        }
        if self.turn.queue_length() >= self.limits.queue_max {
            return answer(Reservation::Busy);
        }
        self.turn.enqueue(session, wait_ms, Want::Word, now_ms);
        if wait_ms == 0 { answer(Reservation::Busy) } else { Ok(None) }
    }

    pub(super) fn refuse_readers(&self, session: SessionId) -> Result<(), EngineError> {
        if self.access(session) != Some(Access::Read) {
            return Ok(());
        }
        let message = "the session has opened the database for reading only".to_owned();
        Err(EngineError { code: ResultCode::READONLY, errno: None, message })
    }

    /// Whether the write lock, which is free, is left to stock apps for a while.
    pub(super) fn rests(&mut self, now_ms: u64) -> bool {
        self.rest_left_ms(now_ms).is_some()
    }

    /// For how long it is waited at most for a turn that another took along with a begin: it may
    /// only read, and then gives the turn back or loses it soon.
    pub(super) fn unused_left_ms(&self, session: SessionId) -> Option<u32> {
        let held = self.turn.held()?;
        let is_unused = held.by == By::Begin && held.session != session;
        let wait_ms = self.limits.turn_unused_ms.saturating_mul(2);
        (is_unused && self.turn.is_next(session))
            .then(|| u32::try_from(wait_ms).unwrap_or(u32::MAX).max(1))
    }

    /// For how long it is left to them, or held back for a checkpoint, at most.
    fn rest_left_ms(&mut self, now_ms: u64) -> Option<u32> {
        if self.checkpoints.hold_the_turn_back() {
            return Some(HELD_BACK_MS);
        }
        let engine = &self.engine;
        let others = || if engine.has_company() { Others::Present } else { Others::Absent };
        let until_ms = self.fairness.rest(now_ms, others);
        self.retry_ms = until_ms.or(self.retry_ms);
        until_ms.map(|until_ms| u32::try_from(until_ms.saturating_sub(now_ms)).unwrap_or(u32::MAX))
    }

    /// The turn is over, whatever came of it.
    pub(super) fn free_turn(&mut self, now_ms: u64) {
        self.turn.free();
        self.fairness.freed(now_ms);
    }

    /// Whether nothing was committed between a version and one that is not older: a log that is
    /// begun anew makes a version as well.
    fn is_same(&self, version: Version, at: Version) -> bool {
        let nothing = Changes::Pages(Vec::new());
        version == at || (version < at && self.engine.changes(version, at) == nothing)
    }

    pub(super) fn reads_other_than(&self, session: SessionId, at: Version) -> bool {
        match self.sessions.get(&session).map(|state| state.stage) {
            Some(Stage::Reading { version, .. }) => !self.is_same(version, at),
            Some(Stage::Expired) => true,
            Some(Stage::Idle) | None => false,
        }
    }

    /// Gives the turn to the first that waits for it, if it is free.
    pub(super) fn serve_queue(&mut self, now_ms: u64) {
        self.retry_ms = None;
        if self.turn.held().is_some() {
            return;
        }
        let Some((session, want)) = self.turn.first_waiting() else { return };
        if self.rests(now_ms) {
            return;
        }
        let reply = match self.engine.reserve() {
            Ok(Reserved::Busy) => {
                self.retry_ms = Some(now_ms + RETRY_MS);
                return;
            }
            Ok(Reserved::At(at)) => {
                let granted = self.grant(session, want, at, now_ms);
                if !self.turn.is_held_by(session) {
                    self.engine.release();
                    self.turn.leave(session);
                }
                granted.unwrap_or_else(Reply::Failed)
            }
            Err(error) => {
                self.turn.leave(session);
                Reply::Failed(error)
            }
        };
        self.replies.push((session, reply));
        if self.turn.held().is_none() {
            self.serve_queue(now_ms);
        }
    }

    /// A session begins to write that has the turn, or had it and lost it unused, or has committed
    /// under the same lock before: then it gets it again if nobody else has come in between.
    pub(super) fn use_turn(&mut self, session: SessionId, now_ms: u64) {
        if self.turn.held().is_none()
            && self.access(session) != Some(Access::Read)
            && let Some(Stage::Reading { version, .. }) =
                self.sessions.get(&session).map(|state| state.stage)
        {
            // Where the engine fails, the commit that follows hears why.
            let _ = self.may_commit(session, version, now_ms);
        }
        self.turn.used_by(session);
    }

    pub(super) fn write(&mut self, session: SessionId, pages: Pages<'_>, now_ms: u64) {
        let Some(state) = self.sessions.get(&session) else { return };
        if state.given_up.is_some() {
            return;
        }
        self.use_turn(session, now_ms);
        if !self.turn.is_held_by(session) {
            if let Some(state) = self.sessions.get_mut(&session) {
                // The commit that follows will be a conflict.
                state.given_up = Some(GivenUp::TurnLost);
            }
            return;
        }
        match self.put(session, pages) {
            Ok(()) => {
                if let Some(state) = self.sessions.get_mut(&session) {
                    state.pieces += 1;
                }
            }
            Err(error) => {
                self.drop_buffer(session);
                if let Some(state) = self.sessions.get_mut(&session) {
                    state.given_up = Some(GivenUp::NotKept(error));
                }
            }
        }
    }

    pub(super) fn put(&mut self, session: SessionId, pages: Pages<'_>) -> Result<(), EngineError> {
        let Some(state) = self.sessions.get_mut(&session) else { return Ok(()) };
        let size = pages.page_size_bytes();
        let buffer = state.buffer.get_or_insert_with(|| self.store.buffer(size));
        pages.iter().try_for_each(|(number, page)| {
            self.counts.pages_written += 1;
            buffer.put(number, page)
        })
    }

    pub(super) fn drop_buffer(&mut self, session: SessionId) {
        if let Some(state) = self.sessions.get_mut(&session) {
            state.buffer = None;
            state.pieces = 0;
            state.given_up = None;
        }
    }

    /// The outcome of a commit that is known, or that cannot be made.
    pub(super) fn refuse_stale(
        &mut self,
        session: SessionId,
        commit: &Commit<'_>,
        now_ms: u64,
    ) -> Result<Option<Outcome>, EngineError> {
        self.refuse_readers(session)?;
        if let Some(outcome) = self.outcomes.get(commit.id) {
            return Ok(Some(outcome));
        }
        let state = self.sessions.get(&session);
        if let Some(GivenUp::NotKept(error)) = state.and_then(|state| state.given_up.clone()) {
            self.end_writing(session, now_ms);
            self.counts.failed_commits += 1;
            self.outcomes.insert(commit.id, commit.base, Outcome::NotCommitted);
            return Err(error);
        }
        let pieces = state.map_or(0, |state| state.pieces);
        if pieces == commit.pieces && self.may_commit(session, commit.base, now_ms)? {
            return Ok(None);
        }
        self.end_writing(session, now_ms);
        self.counts.conflicts += 1;
        self.outcomes.insert(commit.id, commit.base, Outcome::Conflict);
        Ok(Some(Outcome::Conflict))
    }

    pub(super) fn commit(
        &mut self,
        session: SessionId,
        commit: &Commit<'_>,
        now_ms: u64,
    ) -> Result<Option<Reply>, EngineError> {
        let id = commit.id;
        if let Some(outcome) = self.refuse_stale(session, commit, now_ms)? {
            return Ok(Some(Reply::Outcome(outcome)));
        }
        let committed = self.put(session, commit.pages).and_then(|()| self.apply(session, commit));
        self.free_turn(now_ms);
        self.drop_buffer(session);
        let version = match committed {
            Ok(version) => version,
            Err(error) => {
                self.engine.release();
                self.counts.failed_commits += 1;
                self.outcomes.insert(id, commit.base, Outcome::NotCommitted);
                self.serve_queue(now_ms);
                return Err(error);
            }
        };
        self.counts.commits += 1;
        let acknowledged = self.acknowledge(session, commit, version);
        self.move_snapshot(session, version, now_ms);
        self.checkpoints.committed(now_ms);
        self.serve_queue(now_ms);
        Ok(acknowledged)
    }

    /// Whether a transaction stands on the newest version, with the turn, or with one that is free:
    /// a session in exclusive locking mode commits several times under one lock.
    fn may_commit(
        &mut self,
        session: SessionId,
        base: Version,
        now_ms: u64,
    ) -> Result<bool, EngineError> {
        if let Some(held) = self.turn.held() {
            return Ok(held.session == session && self.is_same(base, held.at));
        }
        match self.engine.reserve()? {
            Reserved::At(at) if self.is_same(base, at) => {
                self.turn.grant(session, at, By::Wish, now_ms);
                Ok(true)
            }
            Reserved::At(_) => {
                self.engine.release();
                Ok(false)
            }
            Reserved::Busy => Ok(false),
        }
    }

    fn apply(&mut self, session: SessionId, commit: &Commit<'_>) -> Result<Version, EngineError> {
        let Some(buffer) = self.sessions.get_mut(&session).and_then(|state| state.buffer.as_mut())
        else {
            let message = "a commit without pages".to_owned();
            return Err(EngineError { code: ResultCode::MISUSE, errno: None, message });
        };
        self.engine.commit(&mut Complete {
            buffer,
            size_pages: commit.size_pages,
            page_size_bytes: commit.pages.page_size_bytes(),
        })
    }

    /// The reply, if the commit is as durable as was asked; else it follows the sync.
    fn acknowledge(
        &mut self,
        session: SessionId,
        commit: &Commit<'_>,
        version: Version,
    ) -> Option<Reply> {
        let id = commit.id;
        self.outcomes.insert(id, commit.base, Outcome::Committed(version));
        if commit.durability == Durability::Process && !self.shown.has_pending() {
            return Some(Reply::Outcome(Outcome::Committed(version)));
        }
        self.await_sync(Pending { session: Some(session), id, version }, commit.base);
        None
    }

    /// A commit that is acknowledged when the log is synced.
    pub(super) fn await_sync(&mut self, pending: Pending, base: Version) {
        let (pins, unpin) = self.shown.push(pending, base);
        for pin in pins {
            // Where a stock app has committed since, its version is shown, and no pin is needed.
            let _ = self.engine.pin(pin);
        }
        if let Some(version) = unpin {
            self.engine.unpin(version);
        }
    }

    /// The session goes on reading what it has committed.
    pub(super) fn move_snapshot(&mut self, session: SessionId, version: Version, now_ms: u64) {
        let pinned = self.engine.pin(version).is_ok();
        self.leave_snapshot(session);
        let reading = Stage::Reading { version, since_ms: now_ms };
        self.set_stage(session, if pinned { reading } else { Stage::Expired });
    }

    pub(super) fn end_writing(&mut self, session: SessionId, now_ms: u64) {
        if !self.may_end_writing(session) {
            return;
        }
        self.drop_buffer(session);
        if self.turn.is_held_by(session) {
            self.free_turn(now_ms);
            self.engine.release();
            self.serve_queue(now_ms);
        }
    }

    /// The log is synced: commits up to a version are as durable as they were asked to be.
    pub fn synced(&mut self, until: Version) {
        self.counts.syncs += 1;
        let (done, unpins) = self.shown.synced(until);
        for version in unpins {
            self.engine.unpin(version);
        }
        for Pending { session, version, .. } in done {
            self.tell(session, Outcome::Committed(version));
        }
        let shown = &self.shown;
        let settled = self.settling.extract_if(.., |waiting| shown.is_settled(waiting.1));
        self.replies.extend(settled.map(|(session, _)| (session, Reply::Settled)));
    }

    /// Answers when what a session reads is durable.
    pub(super) fn settle(&mut self, session: SessionId) -> Result<Option<Reply>, EngineError> {
        match self.sessions.get(&session).map(|state| state.stage) {
            Some(Stage::Reading { version, .. }) if !self.shown.is_settled(version) => {
                self.settling.push((session, version));
                Ok(None)
            }
            Some(Stage::Reading { .. }) => Ok(Some(Reply::Settled)),
            Some(Stage::Expired) => Err(expired()),
            Some(Stage::Idle) | None => Err(no_transaction()),
        }
    }

    /// The log could not be synced. What waited for it is neither committed nor not; the caller
    /// must serve nobody any more.
    pub fn sync_failed(&mut self) {
        self.fail_pending();
    }

    pub(super) fn fail_pending(&mut self) {
        let (done, unpins) = self.shown.give_up();
        for version in unpins {
            self.engine.unpin(version);
        }
        for Pending { session, id, version } in done {
            self.outcomes.insert(id, version, Outcome::Unknown);
            self.tell(session, Outcome::Unknown);
        }
        for (session, _) in std::mem::take(&mut self.settling) {
            self.replies.push((session, Reply::Failed(expired())));
        }
    }

    fn tell(&mut self, session: Option<SessionId>, outcome: Outcome) {
        if let Some(session) = session {
            self.replies.push((session, Reply::Outcome(outcome)));
        }
    }

    pub(super) fn outcome(
        &mut self,
        session: SessionId,
        id: CommitId,
        seen: Seen,
        now_ms: u64,
    ) -> Option<Reply> {
        if seen.incarnation != self.incarnation {
            return Some(Reply::Outcome(Outcome::Unknown));
        }
        if self.hand_over_prepared(id, session, now_ms) || self.shown.hand_over(id, session) {
            return None;
        }
        Some(Reply::Outcome(self.outcomes.settle(id, seen.version)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::limits::Limits;
    use super::super::super::model::{Buffers, ModelEngine, PAGE_BYTES};
    use super::*;
    use crate::wire::reply::Turn;
    use crate::wire::request::{Ending, Incarnation, Request, TurnWish};

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    #[test]
    fn nobody_is_told_busy_by_one_that_took_the_turn_along_and_only_reads() {
        let engine = ModelEngine::new([(1, vec![0; PAGE_BYTES])].into());
        let mut machine = Machine::new(engine, Buffers, Incarnation(1), Limits::default());
        for session in [A, B] {
            machine.open(session, Access::Write, 0);
        }
        let begin = Request::Begin { seen: None, wish: TurnWish::IfFree };
        let begun = |machine: &mut Machine<ModelEngine, Buffers>, session, now_ms| {
            machine.request(session, &begin, now_ms);
            match machine.take_replies().pop() {
                Some((_, Reply::Begun(begun))) => begun.turn,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(begun(&mut machine, A, 0), Turn::Granted);
        assert_eq!(begun(&mut machine, B, 10), Turn::HeldBack);
        let reserve = Request::Reserve { wait_ms: 0 };
        machine.request(B, &reserve, 10);
        machine.tick(99);
        assert_eq!(machine.take_replies(), [], "it waits");
        machine.tick(100);
        let answer = |reservation| (B, Reply::Reserved(reservation));
        assert_eq!(machine.take_replies(), [answer(Reservation::Granted)]);
        machine.request(B, &Request::End(Ending::Transaction), 101);
        // One that does write is in the way.
        assert_eq!(begun(&mut machine, A, 102), Turn::Granted);
        assert_eq!(begun(&mut machine, B, 102), Turn::HeldBack);
        machine.request(B, &reserve, 102);
        machine.request(A, &Request::Use, 103);
        machine.tick(301);
        assert_eq!(machine.take_replies(), []);
        machine.tick(302);
        assert_eq!(machine.take_replies(), [answer(Reservation::Busy)]);
        assert_eq!(begun(&mut machine, B, 303), Turn::NotGranted);
    }
}
