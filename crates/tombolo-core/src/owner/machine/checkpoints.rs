//! When the log is copied into the database, and which snapshots are too old for that.
//!
//! The checkpoint itself runs elsewhere, beside all that the machine does. Readers cannot starve
//! it:
//!
//! 1. From `checkpoint_bytes` on, what can be copied is copied, which waits for nobody.
//! 2. SQLite begins the log anew only when nobody reads from it. From `log_bytes_max` on the turn
//!    is held back for it: what is copied by then needs the log no longer, so whoever begins
//!    meanwhile reads the file, and so do the readers of the newest version, once
//!    [`Engine::renew`] has moved them.
//! 3. What is left are readers of older versions. The longer the log, the sooner they are given up.

use super::super::SessionId;
use super::super::buffer::Store;
use super::super::engine::{CheckpointMode, Checkpointed, Engine, EngineError};
use super::super::limits::Limits;
use super::{Machine, Note, Stage};
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::Reply;
use std::collections::VecDeque;

/// How often in a row the log is tried to be begun anew while the turn is held back. The first time
/// it may be a reader of the newest version that is in the way: it came after others were moved.
const TRIES_MAX: u32 = 5;

/// Checkpoints that sessions have asked for, and the one that runs.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    asked: VecDeque<(SessionId, CheckpointMode)>,
    running: Option<Running>,
    /// Bytes of the log in use when one was last begun that nobody had asked for.
    attempted_bytes: u64,
    /// The same of those before which the turn is held back.
    forced_bytes: u64,
    forcing: Forcing,
    tries: u32,
    /// When the last commit was that no checkpoint in quiet times has followed.
    committed_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    /// Who waits for it.
    session: Option<SessionId>,
    mode: CheckpointMode,
}

/// How far it is with a log that has grown too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Forcing {
    #[default]
    No,
    /// What can be copied is copied. The turn is held back.
    Copying,
    /// The log is begun anew. The turn is held back.
    Restarting,
}

/// What came of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Well,
    /// Somebody was in the way.
    Busy,
    Failed,
}

impl Checkpoints {
    /// Whether nobody is to have the turn, for a moment: all but passive checkpoints take SQLite's
    /// write lock (`sqlite3WalCheckpoint` in wal.c).
    pub(super) fn hold_the_turn_back(&self) -> bool {
        let locks = |running: Running| running.mode != CheckpointMode::Passive;
        self.forcing != Forcing::No || self.running.is_some_and(locks)
    }

    pub(super) fn committed(&mut self, now_ms: u64) {
        self.committed_ms = Some(now_ms);
    }

    pub(super) fn ask(&mut self, session: SessionId, mode: CheckpointMode) {
        self.asked.push_back((session, mode));
    }

    /// Whether a session waits for one.
    pub(super) fn is_awaited_by(&self, session: SessionId) -> bool {
        let running = self.running.and_then(|running| running.session);
        running == Some(session) || self.asked.iter().any(|(asking, _)| *asking == session)
    }

    /// Nobody waits for the answer to a session any more.
    pub(super) fn forget(&mut self, session: SessionId) {
        self.asked.retain(|(asking, _)| *asking != session);
        if let Some(running) = &mut self.running
            && running.session == Some(session)
        {
            running.session = None;
        }
    }

    /// When there is one to be made because nobody commits any more.
    pub(super) fn quiet_from_ms(&self, limits: &Limits) -> Option<u64> {
        self.committed_ms.map(|committed_ms| committed_ms + limits.quiet_ms)
    }
}

/// Whether the log has grown by a fourth of what a checkpoint is worth since it was so long.
fn has_grown(bytes: u64, since: u64, limits: &Limits) -> bool {
    bytes.saturating_sub(since) >= limits.checkpoint_bytes / 4
}

impl<E: Engine, S: Store> Machine<E, S> {
    /// The checkpoint that is to be begun now, if any. The caller makes it, beside all else, and
    /// then says [`Machine::checkpointed`]; until then there is no other.
    pub fn next_checkpoint(&mut self, now_ms: u64) -> Option<CheckpointMode> {
        if self.checkpoints.running.is_some() {
            return None;
        }
        let (session, mode) = match self.checkpoints.asked.pop_front() {
            Some((session, mode)) => (Some(session), mode),
            None => (None, self.due_checkpoint(now_ms)?),
        };
        self.checkpoints.running = Some(Running { session, mode });
        Some(mode)
    }

    fn due_checkpoint(&mut self, now_ms: u64) -> Option<CheckpointMode> {
        let state = &mut self.checkpoints;
        match state.forcing {
            Forcing::No => {}
            Forcing::Copying => return Some(CheckpointMode::Passive),
            Forcing::Restarting => return Some(CheckpointMode::Truncate),
        }
        let (bytes, limits) = (self.engine.log_used_bytes(), &self.limits);
        // A log that is shorter than it was has been begun anew.
        state.attempted_bytes = state.attempted_bytes.min(bytes);
        state.forced_bytes = state.forced_bytes.min(bytes);
        if bytes > limits.log_bytes_max && has_grown(bytes, state.forced_bytes, limits) {
            state.forced_bytes = bytes;
            state.attempted_bytes = bytes;
            state.forcing = Forcing::Copying;
            return Some(CheckpointMode::Passive);
        }
        if bytes >= limits.checkpoint_bytes && has_grown(bytes, state.attempted_bytes, limits) {
            state.attempted_bytes = bytes;
            return Some(CheckpointMode::Passive);
        }
        let is_quiet = state.quiet_from_ms(limits).is_some_and(|from_ms| from_ms <= now_ms);
        if !is_quiet {
            return None;
        }
        if !self.is_at_rest() {
            // Sessions are many, so this is not looked at all the time.
            self.checkpoints.committed_ms = Some(now_ms);
            return None;
        }
        self.checkpoints.committed_ms = None;
        if self.engine.log_bytes() > self.limits.log_bytes_max {
            return Some(CheckpointMode::Truncate);
        }
        Some(CheckpointMode::Restart)
    }

    /// Whether nobody reads, writes or waits.
    fn is_at_rest(&self) -> bool {
        let is_reading = |stage| matches!(stage, Stage::Reading { .. });
        self.turn.held().is_none()
            && self.turn.queue_length() == 0
            && !self.shown.has_pending()
            && !self.sessions.values().any(|session| is_reading(session.stage))
    }

    /// The checkpoint has ended.
    pub fn checkpointed(&mut self, ended: Result<Checkpointed, EngineError>, now_ms: u64) {
        let Some(running) = self.checkpoints.running.take() else { return };
        if ended.is_ok() {
            self.counts.checkpoints += 1;
        }
        let came = match &ended {
            Ok(done) if done.busy => Came::Busy,
            Ok(_) => Came::Well,
            Err(_) => Came::Failed,
        };
        match running.session {
            Some(session) => {
                let reply = ended.map_or_else(Reply::Failed, Reply::Checkpointed);
                self.replies.push((session, reply));
            }
            None => self.go_on_forcing(came, running.mode),
        }
        if !self.checkpoints.hold_the_turn_back() {
            self.serve_queue(now_ms);
        }
    }

    fn go_on_forcing(&mut self, came: Came, mode: CheckpointMode) {
        let state = &mut self.checkpoints;
        state.forcing = match (state.forcing, came) {
            (Forcing::Copying, Came::Well | Came::Busy) if mode == CheckpointMode::Passive => {
                self.engine.renew();
                state.tries += 1;
                Forcing::Restarting
            }
            (Forcing::Restarting, Came::Busy) if state.tries < TRIES_MAX => Forcing::Copying,
            _ => {
                state.tries = 0;
                Forcing::No
            }
        };
    }

    /// An old snapshot holds the log up; it never turns stale, it fails.
    pub(super) fn give_up_old_snapshots(&mut self, now_ms: u64) {
        let bytes = self.engine.log_used_bytes();
        let Some(age_max_ms) = age_max_ms(bytes, &self.limits) else { return };
        let is_old = |since_ms| now_ms.saturating_sub(since_ms) > age_max_ms;
        for (session, state) in &mut self.sessions {
            if let Some(offered) = state.offered.take_if(|offered| is_old(offered.since_ms)) {
                self.engine.unpin(offered.version);
            }
            if let Stage::Reading { version, since_ms } = state.stage
                && is_old(since_ms)
            {
                self.engine.unpin(version);
                self.counts.expired_snapshots += 1;
                state.stage = Stage::Expired;
                let age_ms = now_ms.saturating_sub(since_ms);
                self.notes.push(Note::SnapshotGivenUp { session: *session, age_ms });
            }
        }
    }

    pub(super) fn ask_checkpoint(
        &mut self,
        session: SessionId,
        mode: CheckpointMode,
    ) -> Result<Option<Reply>, EngineError> {
        if self.checkpoints.asked.len() >= self.limits.queue_max {
            let message = "too many wait for a checkpoint".to_owned();
            return Err(EngineError { code: ResultCode::BUSY, errno: None, message });
        }
        self.checkpoints.ask(session, mode);
        Ok(None)
    }
}

/// How old a snapshot may be with a log of so many bytes; `None`: as old as it likes. At the limit
/// of the log it is the limit of the age, at twice as long a log a fourth of it, and so on: however
/// much is written, the log does not grow without bound.
fn age_max_ms(bytes: u64, limits: &Limits) -> Option<u64> {
    if bytes <= limits.log_bytes_max {
        return None;
    }
    let scaled = |value: u64| {
        let product = u128::from(value) * u128::from(limits.log_bytes_max);
        u64::try_from(product / u128::from(bytes)).unwrap_or(u64::MAX)
    };
    Some(scaled(scaled(limits.snapshot_age_ms)))
}

#[cfg(test)]
mod tests {
    use super::super::super::model::{Buffers, ModelEngine, PAGE_BYTES};
    use super::*;
    use crate::wire::reply::{Outcome, Reservation, Turn};
    use crate::wire::request::{
        Access, Commit, CommitId, Durability, Incarnation, Pages, Request, TurnWish,
    };

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);

    fn machine() -> Machine<ModelEngine, Buffers> {
        let engine = ModelEngine::new([(1, vec![0; PAGE_BYTES])].into());
        let limits = Limits {
            checkpoint_bytes: 100,
            log_bytes_max: 1_000,
            quiet_ms: 50,
            ..Limits::default()
        };
        let mut machine = Machine::new(engine, Buffers, Incarnation(1), limits);
        for session in [A, B] {
            machine.open(session, Access::Write, 0);
        }
        machine.take_replies();
        machine
    }

    fn done() -> Result<Checkpointed, EngineError> {
        Ok(Checkpointed { busy: false, log_frames: 9, checkpointed_frames: 9 })
    }

    fn reserve(machine: &mut Machine<ModelEngine, Buffers>, session: SessionId, now_ms: u64) {
        let wish = TurnWish::None;
        machine.request(session, &Request::Begin { seen: None, wish }, now_ms);
        machine.take_replies();
        machine.request(session, &Request::Reserve { wait_ms: 9_000 }, now_ms);
    }

    #[test]
    fn a_log_is_copied_when_it_has_grown_and_one_at_a_time() {
        let mut machine = machine();
        machine.engine_mut().log_bytes = 99;
        assert_eq!(machine.next_checkpoint(0), None);
        machine.engine_mut().log_bytes = 100;
        assert_eq!(machine.next_checkpoint(0), Some(CheckpointMode::Passive));
        machine.engine_mut().log_bytes = 200;
        assert_eq!(machine.next_checkpoint(0), None, "one is made");
        machine.checkpointed(done(), 1);
        assert_eq!(machine.next_checkpoint(1), Some(CheckpointMode::Passive));
        machine.checkpointed(done(), 2);
        machine.engine_mut().log_bytes = 224;
        assert_eq!(machine.next_checkpoint(2), None, "it has hardly grown");
        // It was begun anew meanwhile.
        machine.engine_mut().log_bytes = 50;
        assert_eq!(machine.next_checkpoint(2), None);
        machine.engine_mut().log_bytes = 110;
        assert_eq!(machine.next_checkpoint(2), Some(CheckpointMode::Passive));
        assert_eq!(machine.counts().checkpoints, 2);
    }

    #[test]
    fn the_turn_is_held_back_until_a_log_that_is_too_long_was_begun_anew() {
        let mut machine = machine();
        machine.engine_mut().log_bytes = 1_001;
        assert_eq!(machine.next_checkpoint(0), Some(CheckpointMode::Passive));
        reserve(&mut machine, A, 1);
        assert_eq!(machine.take_replies(), [], "it waits");
        machine.checkpointed(done(), 2);
        assert_eq!(machine.engine_mut().renewals, 1, "readers of the newest version are moved");
        assert_eq!(machine.next_checkpoint(2), Some(CheckpointMode::Truncate));
        machine.tick(3);
        assert_eq!(machine.take_replies(), []);
        for _ in 1..TRIES_MAX {
            machine.checkpointed(Ok(Checkpointed { busy: true, ..done().unwrap() }), 4);
            assert_eq!(machine.next_checkpoint(4), Some(CheckpointMode::Passive), "once more");
            machine.checkpointed(done(), 4);
            assert_eq!(machine.next_checkpoint(4), Some(CheckpointMode::Truncate));
        }
        assert_eq!(machine.engine_mut().renewals, TRIES_MAX);
        machine.checkpointed(Ok(Checkpointed { busy: true, ..done().unwrap() }), 4);
        let granted = Reply::Reserved(Reservation::Granted);
        assert_eq!(machine.take_replies(), [(A, granted)], "whatever came of it");
        assert_eq!(machine.next_checkpoint(4), None, "it is not tried without end");
        machine.engine_mut().log_bytes = 1_030;
        assert_eq!(machine.next_checkpoint(4), Some(CheckpointMode::Passive));
        let error = EngineError { code: ResultCode::IOERR, errno: None, message: String::new() };
        machine.checkpointed(Err(error), 5);
        assert!(!machine.checkpoints.hold_the_turn_back(), "nor after an error");
    }

    #[test]
    fn in_quiet_times_the_log_is_begun_anew() {
        let mut machine = machine();
        machine.engine_mut().log_bytes = 10;
        machine.checkpoints.committed(0);
        reserve(&mut machine, A, 0);
        assert_eq!(machine.next_tick_ms(), Some(50));
        machine.tick(60);
        assert_eq!(machine.next_checkpoint(60), None, "somebody reads and has the turn");
        machine.closed(A, 70);
        assert_eq!(machine.next_checkpoint(100), None, "it is looked at again later");
        assert_eq!(machine.next_checkpoint(110), Some(CheckpointMode::Restart));
        machine.checkpointed(done(), 111);
        assert_eq!(machine.next_checkpoint(500), None, "nothing was committed since");
        machine.engine_mut().log_bytes = 1_001;
        machine.checkpoints.forced_bytes = 1_001;
        machine.checkpoints.attempted_bytes = 1_001;
        machine.checkpoints.committed(500);
        assert_eq!(machine.next_checkpoint(600), Some(CheckpointMode::Truncate), "it is long");
    }

    #[test]
    fn nobody_is_told_busy_because_of_a_checkpoint_in_quiet_times() {
        let mut machine = machine();
        machine.engine_mut().log_bytes = 10;
        machine.checkpoints.committed(0);
        assert_eq!(machine.next_checkpoint(60), Some(CheckpointMode::Restart));
        // As a stock app does, it has the write lock.
        machine.engine_mut().stock_writes = true;
        let begin = Request::Begin { seen: None, wish: TurnWish::IfFree };
        machine.request(A, &begin, 61);
        let replies = machine.take_replies();
        let Some((_, Reply::Begun(begun))) = replies.first() else { panic!("{replies:?}") };
        assert_eq!(begun.turn, Turn::HeldBack);
        machine.request(A, &Request::Reserve { wait_ms: 0 }, 61);
        machine.tick(3_000);
        assert_eq!(machine.take_replies(), [], "it waits");
        machine.engine_mut().stock_writes = false;
        machine.checkpointed(done(), 3_000);
        assert_eq!(machine.take_replies(), [(A, Reply::Reserved(Reservation::Granted))]);
    }

    #[test]
    fn a_log_that_was_begun_anew_makes_no_snapshot_stale() {
        let mut machine = machine();
        let wish = TurnWish::None;
        for session in [A, B] {
            machine.request(session, &Request::Begin { seen: None, wish }, 0);
        }
        let replies = machine.take_replies();
        let Some((_, Reply::Begun(begun))) = replies.first() else { panic!("{replies:?}") };
        // A version in which nothing is different.
        machine.engine_mut().stock_commit(|_| ());
        machine.request(A, &Request::Reserve { wait_ms: 0 }, 1);
        let page = [7; PAGE_BYTES];
        let mut pages = Vec::new();
        Pages::append(&mut pages, 1, &page);
        machine.request(
            A,
            &Request::Commit(Commit {
                id: CommitId(1),
                base: begun.version,
                size_pages: 1,
                durability: Durability::Power,
                pieces: 0,
                pages: Pages::new(PAGE_BYTES as u32, &pages).expect("whole"),
            }),
            2,
        );
        let until = machine.sync_wanted().expect("it was committed");
        machine.synced(until);
        machine.request(B, &Request::Reserve { wait_ms: 0 }, 3);
        let expected = [
            (A, Reply::Reserved(Reservation::Granted)),
            (A, Reply::Outcome(Outcome::Committed(until))),
            (B, Reply::Reserved(Reservation::Stale)),
        ];
        assert_eq!(machine.take_replies(), expected);
    }

    #[test]
    fn who_asks_for_a_checkpoint_is_answered_when_it_is_made() {
        let mut machine = machine();
        for (session, mode) in [(A, CheckpointMode::Full), (B, CheckpointMode::Truncate)] {
            machine.request(session, &Request::Checkpoint(mode), 0);
        }
        assert_eq!(machine.next_checkpoint(0), Some(CheckpointMode::Full));
        assert_eq!(machine.take_replies(), []);
        machine.closed(A, 0);
        machine.checkpointed(done(), 1);
        assert_eq!(machine.take_replies(), [], "it has gone");
        assert_eq!(machine.next_checkpoint(1), Some(CheckpointMode::Truncate));
        machine.checkpointed(done(), 2);
        assert_eq!(machine.take_replies(), [(B, Reply::Checkpointed(done().unwrap()))]);
        machine.limits.queue_max = 0;
        machine.request(B, &Request::Checkpoint(CheckpointMode::Full), 3);
        let replies = machine.take_replies();
        assert!(
            matches!(&replies[..], [(B, Reply::Failed(error))] if error.code == ResultCode::BUSY)
        );
    }

    #[test]
    fn who_loses_a_snapshot_or_the_turn_is_named() {
        let mut machine = machine();
        reserve(&mut machine, A, 0);
        machine.engine_mut().log_bytes = 2_000;
        let (turn_ms, age_ms) = (machine.limits.turn_hold_ms, machine.limits.snapshot_age_ms / 4);
        machine.tick(turn_ms);
        let lost = Note::TurnLost { session: A, held_ms: turn_ms };
        assert_eq!(machine.take_notes(), [lost]);
        machine.tick(age_ms);
        assert_eq!(machine.take_notes(), []);
        machine.tick(age_ms + 1);
        let given_up = Note::SnapshotGivenUp { session: A, age_ms: age_ms + 1 };
        assert_eq!(machine.take_notes(), [given_up]);
        machine.take_replies();
        machine.request(A, &Request::Read { first: 1, count: 1 }, age_ms + 2);
        let replies = machine.take_replies();
        assert!(
            matches!(&replies[..], [(A, Reply::Failed(error))] if error.code == ResultCode::IOERR)
        );
        assert_eq!(machine.engine_mut().pin_count(), 0);
    }

    #[test]
    fn the_longer_the_log_the_sooner_a_snapshot_is_too_old() {
        let limits = Limits { log_bytes_max: 1000, snapshot_age_ms: 60_000, ..Limits::default() };
        assert_eq!(age_max_ms(1000, &limits), None);
        let ages = [1001, 2000, 10_000, u64::MAX].map(|bytes| age_max_ms(bytes, &limits));
        assert_eq!(ages, [Some(59_880), Some(15_000), Some(600), Some(0)]);
    }
}
