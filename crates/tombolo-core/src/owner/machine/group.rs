//! Transactions over several databases, which are committed together or not at all.
//!
//! Each database has a machine of its own. A transaction that is prepared holds the turn, and
//! waits until an [`Arbiter`] that all machines share has decided on its group. Until then any of
//! them may give it up for all; from then on none of them can.

use super::super::SessionId;
use super::super::buffer::{Complete, Store};
use super::super::engine::{Engine, EngineError, Reserved, Transaction, Version};
use super::super::shown::Pending;
use super::{Machine, Session};
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Outcome, Reply};
use crate::wire::request::{Commit, CommitId, Ending, GroupId, Request};

/// What became of a wish to give a group up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing of it will be committed.
    GivenUp,
    /// It was decided before: all of it will be committed.
    Decided,
}

/// Knows which groups are decided.
pub trait Arbiter: std::fmt::Debug + Send {
    /// Gives a group up, unless it is decided.
    fn give_up(&self, group: GroupId) -> Fate;
}

/// The arbiter of a machine that has no others beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Alone;

impl Arbiter for Alone {
    fn give_up(&self, _group: GroupId) -> Fate {
        Fate::GivenUp
    }
}

/// A transaction that waits for its group.
///
/// 1. Its session has the turn, and its pages are in the session's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    group: GroupId,
    id: CommitId,
    base: Version,
    size_pages: u32,
    page_size_bytes: u32,
    /// Who is told what became of it.
    asker: SessionId,
    ending: Option<Ended>,
}

/// How its session has ended meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Told(Ending),
    Gone,
}

/// What became of a transaction whose group was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is committed, at this version.
    Committed(Version),
    /// It could not be committed at once, and somebody else has committed since.
    Overtaken(EngineError),
    /// Nothing of it is here: another file was put in the database's place.
    NotHere,
}

/// What a machine wants of whoever knows the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupWish {
    /// The session's transaction is ready: it has to be kept so that it survives this process, and
    /// then [`Machine::join`] or [`Machine::refuse`].
    Keep {
        /// Whose.
        session: SessionId,
        /// Of which group.
        group: GroupId,
    },
    /// The group is to be decided: then [`Machine::commit_prepared`] for each member, or
    /// [`Machine::refuse`] for the session that asks.
    Decide {
        /// Who asks.
        session: SessionId,
        /// Which.
        group: GroupId,
        /// How many sessions belong to it.
        members: u32,
    },
}

impl<E: Engine, S: Store> Machine<E, S> {
    /// With an arbiter between this machine and others.
    #[must_use]
    pub fn with_arbiter(mut self, arbiter: Box<dyn Arbiter>) -> Self {
        self.arbiter = arbiter;
        self
    }

    /// What has to be done for groups, in order.
    pub fn take_group_wishes(&mut self) -> Vec<GroupWish> {
        std::mem::take(&mut self.group_wishes)
    }

    fn prepared(&self, session: SessionId) -> Option<Prepared> {
        self.sessions.get(&session).and_then(|state| state.prepared)
    }

    fn prepared_mut(&mut self, session: SessionId) -> Option<&mut Prepared> {
        self.sessions.get_mut(&session).and_then(|state| state.prepared.as_mut())
    }

    pub(super) fn prepare(
        &mut self,
        session: SessionId,
        group: GroupId,
        commit: &Commit<'_>,
        now_ms: u64,
    ) -> Result<Option<Reply>, EngineError> {
        if let Some(outcome) = self.refuse_stale(session, commit, now_ms)? {
            return Ok(Some(Reply::Outcome(outcome)));
        }
        if let Err(error) = self.put(session, commit.pages) {
            self.end_writing(session, now_ms);
            return Err(error);
        }
        let Some(state) = self.sessions.get_mut(&session) else { return Ok(None) };
        state.prepared = Some(Prepared {
            group,
            id: commit.id,
            base: commit.base,
            size_pages: commit.size_pages,
            page_size_bytes: commit.pages.page_size_bytes(),
            asker: session,
            ending: None,
        });
        self.group_wishes.push(GroupWish::Keep { session, group });
        Ok(None)
    }

    pub(super) fn wish_decision(
        &mut self,
        session: SessionId,
        group: GroupId,
        members: u32,
    ) -> Result<Option<Reply>, EngineError> {
        let prepared = self.prepared(session).filter(|prepared| prepared.group == group);
        if prepared.is_none() {
            // It was given up: the turn was held too long.
            return Ok(Some(Reply::Outcome(Outcome::Conflict)));
        }
        self.group_wishes.push(GroupWish::Decide { session, group, members });
        Ok(None)
    }

    /// The prepared transaction of a session, to be kept elsewhere.
    pub fn prepared_transaction(&mut self, session: SessionId) -> Option<impl Transaction> {
        let state = self.sessions.get_mut(&session)?;
        let prepared = state.prepared?;
        Some(Complete {
            buffer: state.buffer.as_mut()?,
            size_pages: prepared.size_pages,
            page_size_bytes: prepared.page_size_bytes,
        })
    }

    /// A prepared transaction is kept, and its group knows of it.
    pub fn join(&mut self, session: SessionId) {
        if self.prepared(session).is_some() {
            self.replies.push((session, Reply::Prepared));
        }
    }

    /// A prepared transaction cannot be kept, or its group was not decided; it was given up there.
    pub fn refuse(&mut self, session: SessionId, why: Option<EngineError>, now_ms: u64) {
        let Some(prepared) = self.take_prepared(session) else { return };
        let outcome = if why.is_some() { Outcome::NotCommitted } else { Outcome::Conflict };
        self.outcomes.insert(prepared.id, prepared.base, outcome);
        self.end_writing(session, now_ms);
        let reply = why.map_or(Reply::Outcome(outcome), Reply::Failed);
        self.replies.push((prepared.asker, reply));
        self.finish_ending(session, prepared.ending, now_ms);
    }

    fn take_prepared(&mut self, session: SessionId) -> Option<Prepared> {
        self.sessions.get_mut(&session).and_then(|state| state.prepared.take())
    }

    /// The group of a session's transaction is decided, so it is committed. It is acknowledged when
    /// the log is synced, whatever its session asked for; the version says when that is.
    ///
    /// # Errors
    ///
    /// The engine's, where it has to be tried again.
    pub fn commit_prepared(
        &mut self,
        session: SessionId,
        now_ms: u64,
    ) -> Result<Decided, EngineError> {
        let Some(prepared) = self.prepared(session) else { return Ok(Decided::NotHere) };
        let version = match self.apply_prepared(session, prepared) {
            Ok(version) => version,
            Err(error) => {
                self.counts.failed_commits += 1;
                if matches!(self.engine.reserve(), Ok(Reserved::At(at)) if at == prepared.base) {
                    self.turn.extend(now_ms);
                    return Err(error);
                }
                // It stands on what is not the newest any more.
                self.engine.release();
                self.leave_prepared(session, now_ms);
                let outcome = Outcome::Unknown;
                self.outcomes.insert(prepared.id, prepared.base, outcome);
                self.replies.push((prepared.asker, Reply::Outcome(outcome)));
                self.serve_queue(now_ms);
                return Ok(Decided::Overtaken(error));
            }
        };
        self.leave_prepared(session, now_ms);
        let Prepared { id, base, asker, .. } = prepared;
        self.outcomes.insert(id, base, Outcome::Committed(version));
        self.counts.commits += 1;
        self.await_sync(Pending { session: Some(asker), id, version }, base);
        self.move_snapshot(session, version, now_ms);
        self.finish_ending(session, prepared.ending, now_ms);
        self.checkpoints.committed(now_ms);
        self.serve_queue(now_ms);
        Ok(Decided::Committed(version))
    }

    fn apply_prepared(
        &mut self,
        session: SessionId,
        prepared: Prepared,
    ) -> Result<Version, EngineError> {
        let Prepared { size_pages, page_size_bytes, .. } = prepared;
        let state = self.sessions.get_mut(&session);
        let Some(buffer) = state.and_then(|state| state.buffer.as_mut()) else {
            let message = "a prepared transaction without pages".to_owned();
            return Err(EngineError { code: ResultCode::MISUSE, errno: None, message });
        };
        self.engine.commit(&mut Complete { buffer, size_pages, page_size_bytes })
    }

    fn leave_prepared(&mut self, session: SessionId, now_ms: u64) {
        self.take_prepared(session);
        self.drop_buffer(session);
        self.free_turn(now_ms);
    }

    /// What its session had said while it could not end.
    fn finish_ending(&mut self, session: SessionId, ending: Option<Ended>, now_ms: u64) {
        match ending {
            None | Some(Ended::Told(Ending::Writing)) => {}
            Some(Ended::Told(Ending::Transaction)) => self.end(session, now_ms),
            Some(Ended::Gone) => self.closed(session, now_ms),
        }
    }

    /// Whether a session's writing may end: it is not prepared, or could be given up.
    pub(super) fn may_end_writing(&mut self, session: SessionId) -> bool {
        let Some(prepared) = self.prepared(session) else { return true };
        match self.arbiter.give_up(prepared.group) {
            Fate::GivenUp => {
                self.take_prepared(session);
                let Prepared { id, base, .. } = prepared;
                self.outcomes.insert(id, base, Outcome::Conflict);
                true
            }
            Fate::Decided => false,
        }
    }

    /// What a session of a decided group says is for later: it ends when its transaction is
    /// committed. Anything else has no place then. Whether the request is dealt with.
    pub(super) fn postpones(&mut self, session: SessionId, request: &Request<'_>) -> bool {
        match request {
            Request::Read { .. } | Request::Decide { .. } | Request::Outcome { .. } => {
                return false;
            }
            _ if self.may_end_writing(session) => return false,
            _ => {}
        }
        if let Request::End(ending) = request {
            self.note_ending(session, Ended::Told(*ending));
        } else if request.is_answered() {
            let message = "the transaction is being committed".to_owned();
            let error = EngineError { code: ResultCode::MISUSE, errno: None, message };
            self.replies.push((session, Reply::Failed(error)));
        }
        true
    }

    fn note_ending(&mut self, session: SessionId, ending: Ended) {
        if let Some(prepared) = self.prepared_mut(session) {
            prepared.ending = Some(ending);
        }
    }

    /// Whether a session whose connection has ended stays, since its transaction has to be
    /// committed.
    pub(super) fn outlives_connection(&mut self, session: SessionId) -> bool {
        let stays = !self.may_end_writing(session);
        if stays {
            self.note_ending(session, Ended::Gone);
        }
        stays
    }

    /// Whether a commit whose outcome is asked for is decided and not made yet; then whoever asks
    /// is told when it is.
    pub(super) fn hand_over_prepared(
        &mut self,
        id: CommitId,
        asker: SessionId,
        now_ms: u64,
    ) -> bool {
        let is_it = |state: &&Session<S::Buffer>| state.prepared.is_some_and(|one| one.id == id);
        let found = self.sessions.iter().find(|(_, state)| is_it(state));
        let Some(session) = found.map(|(session, _)| *session) else { return false };
        self.end_writing(session, now_ms);
        if let Some(prepared) = self.prepared_mut(session) {
            prepared.asker = asker;
            return true;
        }
        false
    }

    /// Another file is at the path: what was prepared for the old one is void.
    pub(super) fn void_prepared(&mut self, session: SessionId) {
        let Some(prepared) = self.prepared(session) else { return };
        if !self.may_end_writing(session) {
            self.take_prepared(session);
            self.outcomes.insert(prepared.id, prepared.base, Outcome::Unknown);
            self.replies.push((prepared.asker, Reply::Outcome(Outcome::Unknown)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::limits::Limits;
    use super::super::super::model::{Buffers, ModelEngine, PAGE_BYTES};
    use super::*;
    use crate::wire::request::{Access, Durability, Incarnation, Pages, Seen, TurnWish};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug, Default)]
    struct Flag(Arc<AtomicBool>);

    impl Arbiter for Flag {
        fn give_up(&self, _group: GroupId) -> Fate {
            if self.0.load(Ordering::Relaxed) { Fate::Decided } else { Fate::GivenUp }
        }
    }

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);
    const GROUP: GroupId = GroupId(3);
    const ID: CommitId = CommitId(4);

    struct Rig {
        machine: Machine<ModelEngine, Buffers>,
        decided: Arc<AtomicBool>,
        base: Version,
    }

    impl Rig {
        /// A session whose transaction is prepared.
        fn prepared() -> Self {
            let engine = ModelEngine::new([(1, vec![0; PAGE_BYTES])].into());
            let arbiter = Flag::default();
            let decided = Arc::clone(&arbiter.0);
            let limits = Limits { turn_hold_ms: 100, ..Limits::default() };
            let machine = Machine::new(engine, Buffers, Incarnation(1), limits);
            let mut machine = machine.with_arbiter(Box::new(arbiter));
            machine.open(A, Access::Write, 0);
            machine.open(B, Access::Write, 0);
            let wish = TurnWish::IfFree;
            machine.request(A, &Request::Begin { seen: None, wish }, 0);
            let Some((_, Reply::Begun(begun))) = machine.take_replies().pop() else {
                panic!("it has begun")
            };
            let mut rig = Rig { machine, decided, base: begun.version };
            let mut bytes = Vec::new();
            Pages::append(&mut bytes, 1, &[7; PAGE_BYTES]);
            let pages = Pages::new(PAGE_BYTES as u32, &bytes).expect("whole");
            let commit = Commit {
                id: ID,
                base: rig.base,
                size_pages: 1,
                durability: Durability::Process,
                pieces: 0,
                pages,
            };
            rig.machine.request(A, &Request::Prepare { group: GROUP, commit }, 0);
            let wishes = rig.machine.take_group_wishes();
            assert_eq!(wishes, [GroupWish::Keep { session: A, group: GROUP }]);
            rig.machine.join(A);
            assert_eq!(rig.replies(), [(A, Reply::Prepared)]);
            rig
        }

        fn replies(&mut self) -> Vec<(SessionId, Reply)> {
            self.machine.take_replies()
        }

        fn is_committed(&mut self) -> bool {
            self.machine.engine_mut().latest()[&1] == vec![7; PAGE_BYTES]
        }

        fn decide(&self) {
            self.decided.store(true, Ordering::Relaxed);
        }

        fn commit(&mut self) -> Version {
            match self.machine.commit_prepared(A, 101) {
                Ok(Decided::Committed(version)) => version,
                other => panic!("{other:?}"),
            }
        }

        fn outcome(&mut self, session: SessionId) {
            let seen = Seen { incarnation: Incarnation(1), version: self.base };
            self.machine.request(session, &Request::Outcome { id: ID, seen }, 1);
        }
    }

    #[test]
    fn it_is_committed_when_its_group_is_and_acknowledged_when_synced() {
        let mut rig = Rig::prepared();
        rig.machine.request(A, &Request::Decide { group: GROUP, members: 1 }, 1);
        let wish = GroupWish::Decide { session: A, group: GROUP, members: 1 };
        assert_eq!(rig.machine.take_group_wishes(), [wish]);
        assert!(!rig.is_committed(), "nobody has decided yet");
        rig.decide();
        let version = rig.commit();
        assert!(rig.is_committed());
        assert_eq!(rig.replies(), []);
        assert_eq!(rig.machine.sync_wanted(), Some(version));
        rig.machine.synced(version);
        assert_eq!(rig.replies(), [(A, Reply::Outcome(Outcome::Committed(version)))]);
    }

    #[test]
    fn before_the_decision_whatever_ends_it_gives_the_group_up() {
        let ends: [fn(&mut Rig); 5] = [
            |rig| rig.machine.request(A, &Request::End(Ending::Writing), 1),
            |rig| rig.machine.request(A, &Request::End(Ending::Transaction), 1),
            |rig| rig.machine.closed(A, 1),
            |rig| rig.machine.tick(100),
            |rig| rig.outcome(B),
        ];
        for end in ends {
            let mut rig = Rig::prepared();
            end(&mut rig);
            rig.replies();
            assert!(!rig.machine.engine_mut().is_held(), "the turn is free");
            rig.decide();
            assert_eq!(rig.machine.commit_prepared(A, 101), Ok(Decided::NotHere));
            assert!(!rig.is_committed());
            rig.machine.request(A, &Request::Decide { group: GROUP, members: 1 }, 102);
            assert_eq!(rig.machine.take_group_wishes(), [], "too late");
        }
    }

    #[test]
    fn after_the_decision_nothing_keeps_it_from_being_committed() {
        let ends: [fn(&mut Rig); 6] = [
            |rig| rig.machine.request(A, &Request::End(Ending::Writing), 1),
            |rig| rig.machine.request(A, &Request::End(Ending::Transaction), 1),
            |rig| rig.machine.request(A, &Request::Reserve { wait_ms: 0 }, 1),
            |rig| rig.machine.closed(A, 1),
            |rig| rig.machine.tick(100),
            |rig| rig.outcome(B),
        ];
        for end in ends {
            let mut rig = Rig::prepared();
            rig.decide();
            end(&mut rig);
            let version = rig.commit();
            assert!(rig.is_committed());
            rig.machine.synced(version);
            rig.machine.closed(A, 102);
            rig.machine.closed(B, 102);
            assert_eq!(rig.machine.engine_mut().pin_count(), 0);
            assert_eq!(rig.machine.session_count(), 0);
        }
    }

    #[test]
    fn who_asks_for_the_outcome_of_what_is_decided_is_told_when_it_is_known() {
        let mut rig = Rig::prepared();
        rig.decide();
        rig.machine.closed(A, 1);
        rig.outcome(B);
        assert_eq!(rig.replies(), []);
        let version = rig.commit();
        rig.machine.synced(version);
        assert_eq!(rig.replies(), [(B, Reply::Outcome(Outcome::Committed(version)))]);
        rig.outcome(B);
        assert_eq!(rig.replies(), [(B, Reply::Outcome(Outcome::Committed(version)))]);
    }

    #[test]
    fn a_commit_that_fails_after_the_decision_is_tried_again() {
        let mut rig = Rig::prepared();
        rig.decide();
        rig.machine.engine_mut().commit_fails = true;
        rig.machine.commit_prepared(A, 1).expect_err("by the model");
        rig.machine.tick(100);
        assert!(rig.machine.engine_mut().is_held(), "nobody else may come before it");
        rig.machine.engine_mut().commit_fails = false;
        rig.commit();
        assert!(rig.is_committed());
    }

    #[test]
    fn what_somebody_else_has_overtaken_is_not_known_to_be_committed() {
        let mut rig = Rig::prepared();
        rig.decide();
        rig.machine.engine_mut().commit_fails = true;
        rig.machine.engine_mut().stock_writes = true;
        let decided = rig.machine.commit_prepared(A, 1).expect("the model");
        assert!(matches!(decided, Decided::Overtaken(_)));
        assert_eq!(rig.replies(), [(A, Reply::Outcome(Outcome::Unknown))]);
        assert!(!rig.machine.engine_mut().is_held());
    }
}
