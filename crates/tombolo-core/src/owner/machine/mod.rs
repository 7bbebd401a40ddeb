//! One database and its sessions: requests, closed connections, finished syncs and the time come
//! in; replies go out.
//!
//! * `checkpoints`: when the log is copied, and which snapshots are too old for that.
//! * `reading`: begins and pages.
//! * `waiting`: the turn, with a new begin for who has waited for it.
//! * `writing`: the turn, commits and their acknowledgement.
//! * `group`: commits of several databases together.
//! * `telling`: what it says of itself.

mod checkpoints;
mod group;
mod reading;
mod telling;
mod waiting;
mod writing;

use super::SessionId;
use super::buffer::Store;
use super::engine::{Engine, EngineError, Version};
use super::fairness::Fairness;
use super::limits::Limits;
use super::outcomes::Outcomes;
use super::shown::Shown;
use super::status::{Counts, Recent};
use super::turn::{By, Turn};
use crate::sqlite::header::HEADER_BYTES;
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::Reply;
use crate::wire::request::{Access, Ending, Incarnation, Request};
use checkpoints::Checkpoints;
use group::{Alone, Prepared};
use std::collections::HashMap;

pub use group::{Arbiter, Decided, Fate, GroupWish};
pub use telling::{Surroundings, Who};

/// The state machine of an owner.
///
/// 1. A session in a transaction has exactly one pin, on the version that it reads.
/// 2. Whoever has the turn holds the engine's write lock, and nobody else does.
#[derive(Debug)]
pub struct Machine<E: Engine, S: Store> {
    engine: E,
    store: S,
    incarnation: Incarnation,
    limits: Limits,
    sessions: HashMap<SessionId, Session<S::Buffer>>,
    turn: Turn,
    fairness: Fairness,
    /// When the write lock is asked for again that a stock app had, or may have.
    retry_ms: Option<u64>,
    shown: Shown,
    /// Sessions that wait until what they read is durable.
    settling: Vec<(SessionId, Version)>,
    outcomes: Outcomes,
    checkpoints: Checkpoints,
    notes: Vec<Note>,
    counts: Counts,
    recent: Recent,
    arbiter: Box<dyn Arbiter>,
    group_wishes: Vec<GroupWish>,
    /// When it was last told the time.
    ticked_ms: u64,
    replies: Vec<(SessionId, Reply)>,
    /// Memory for the next pages that are read.
    spare: Vec<u8>,
}

/// One session.
#[derive(Debug)]
struct Session<B> {
    access: Access,
    stage: Stage,
    /// What came along with the turn that it had waited for, until it is adopted or another
    /// transaction begins or ends.
    offered: Option<Offered>,
    /// What it has sent of a transaction, and in how many pieces.
    buffer: Option<B>,
    pieces: u32,
    prepared: Option<Prepared>,
    /// Why that was given up, if it was.
    given_up: Option<GivenUp>,
}

/// A version that is pinned for a session which may still read another one.
#[derive(Clone, Copy, Debug)]
struct Offered {
    version: Version,
    since_ms: u64,
}

/// What was sent of a transaction cannot be read again, nor committed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GivenUp {
    /// It could not be kept.
    NotKept(EngineError),
    /// The turn was held for too long.
    TurnLost,
}

impl GivenUp {
    /// For who reads what it has sent. What the snapshot has in its place would be wrong.
    fn error(&self) -> EngineError {
        match self {
            GivenUp::NotKept(error) => error.clone(),
            GivenUp::TurnLost => {
                let message = "the turn to write was held for too long".to_owned();
                EngineError { code: ResultCode::IOERR, errno: None, message }
            }
        }
    }
}

/// What was done to a session without its asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It reads a version that holds the log up, and cannot any longer.
    SnapshotGivenUp {
        /// Whose.
        session: SessionId,
        /// How long it was held, in milliseconds.
        age_ms: u64,
    },
    /// It had the turn to write for too long.
    TurnLost {
        /// Who.
        session: SessionId,
        /// For how long, in milliseconds.
        held_ms: u64,
    },
}

/// How far a session's transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Reading {
        version: Version,
        since_ms: u64,
    },
    /// The snapshot was given up.
    Expired,
}

impl<E: Engine, S: Store> Machine<E, S> {
    /// An owner of an open database.
    pub fn new(engine: E, store: S, incarnation: Incarnation, limits: Limits) -> Self {
        Machine {
            engine,
            store,
            incarnation,
            sessions: HashMap::new(),
            turn: Turn::default(),
            fairness: Fairness::default(),
            retry_ms: None,
            shown: Shown::default(),
            settling: Vec::new(),
            outcomes: Outcomes::new(limits.outcomes_max),
            checkpoints: Checkpoints::default(),
            notes: Vec::new(),
            counts: Counts::default(),
            recent: Recent::default(),
            arbiter: Box::new(Alone),
            group_wishes: Vec::new(),
            ticked_ms: 0,
            replies: Vec::new(),
            spare: Vec::new(),
            limits,
        }
    }

    /// The engine, for what does not concern sessions.
    pub fn engine_mut(&mut self) -> &mut E {
        &mut self.engine
    }

    /// Sessions that are open.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether a session is open.
    #[must_use]
    pub fn has_session(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Whether a session has no transaction, and waits for nothing.
    #[must_use]
    pub fn is_idle(&self, session: SessionId) -> bool {
        let is_outside =
            self.sessions.get(&session).is_some_and(|state| state.stage == Stage::Idle);
        is_outside
            && !self.turn.is_held_by(session)
            && !self.turn.has_place(session)
            && !self.shown.is_awaited_by(session)
            && !self.checkpoints.is_awaited_by(session)
    }

    /// What has to be sent, in order.
    pub fn take_replies(&mut self) -> Vec<(SessionId, Reply)> {
        std::mem::take(&mut self.replies)
    }

    /// What a log has to say of it.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The version up to which the log has to be synced before all commits can be acknowledged.
    #[must_use]
    pub fn sync_wanted(&self) -> Option<Version> {
        self.shown.newest_pending()
    }

    /// When [`Machine::tick`] has something to do next, in milliseconds of the same clock.
    #[must_use]
    pub fn next_tick_ms(&self) -> Option<u64> {
        let limits = &self.limits;
        let held = self.turn.held().map(|held| match held.by {
            By::Begin => held.since_ms + limits.turn_hold_ms.min(limits.turn_unused_ms),
            By::Wish => held.heard_ms + limits.turn_hold_ms,
        });
        // One that is due and cannot be made yet waits for whoever prevents it.
        let quiet = self.checkpoints.quiet_from_ms(&self.limits);
        let quiet = quiet.filter(|from_ms| *from_ms > self.ticked_ms);
        let due = [held, self.turn.next_expiry_ms(), self.retry_ms, quiet];
        due.into_iter().flatten().min()
    }

    /// A session opens the database.
    pub fn open(&mut self, session: SessionId, access: Access, now_ms: u64) {
        let reply = match self.opened(session, access, now_ms) {
            Ok(reply) => {
                self.counts.sessions += 1;
                reply
            }
            Err(error) => {
                self.counts.refused_sessions += 1;
                Reply::Failed(error)
            }
        };
        self.replies.push((session, reply));
    }

    fn opened(
        &mut self,
        session: SessionId,
        access: Access,
        now_ms: u64,
    ) -> Result<Reply, EngineError> {
        if self.sessions.len() >= self.limits.sessions_max {
            let message = format!("the owner has {} sessions already", self.sessions.len());
            return Err(EngineError { code: ResultCode::CANTOPEN, errno: None, message });
        }
        self.follow_the_path(access, now_ms)?;
        let version = self.pin_shown()?;
        let mut page = Vec::new();
        let shape = self.engine.shape(version);
        let read = self.engine.read(version, 1, 1, &mut page);
        self.engine.unpin(version);
        let shape = shape?;
        read?;
        let mut header = Box::new([0; HEADER_BYTES]);
        if let Some(start) = page.first_chunk::<HEADER_BYTES>() {
            *header = *start;
        }
        let state = Session {
            access,
            stage: Stage::Idle,
            offered: None,
            buffer: None,
            pieces: 0,
            given_up: None,
            prepared: None,
        };
        self.sessions.insert(session, state);
        Ok(Reply::Opened { shape, header })
    }

    /// A session asks for something.
    pub fn request(&mut self, session: SessionId, request: &Request<'_>, now_ms: u64) {
        if !self.sessions.contains_key(&session) || self.postpones(session, request) {
            return;
        }
        self.turn.heard(session, now_ms);
        let answered = match request {
            Request::Begin { seen, wish } => self.begin(session, *seen, *wish, now_ms).map(Some),
            Request::Read { first, count } => self.read(session, *first, *count).map(Some),
            Request::Reserve { wait_ms } => self.reserve(session, *wait_ms, now_ms),
            Request::Await { seen, wait_ms } => self.wait(session, *seen, *wait_ms, now_ms),
            Request::Leave => Ok(self.stop_waiting(session, now_ms)),
            Request::Adopt { version } => {
                self.adopt(session, *version, now_ms);
                Ok(None)
            }
            Request::Use => {
                self.use_turn(session, now_ms);
                Ok(None)
            }
            Request::Write(pages) => {
                self.write(session, *pages, now_ms);
                Ok(None)
            }
            Request::Commit(commit) => self.commit(session, commit, now_ms),
            Request::Prepare { group, commit } => self.prepare(session, *group, commit, now_ms),
            Request::Decide { group, members } => self.wish_decision(session, *group, *members),
            Request::End(Ending::Writing) => {
                self.end_writing(session, now_ms);
                Ok(None)
            }
            Request::End(Ending::Transaction) => {
                self.end(session, now_ms);
                Ok(None)
            }
            Request::Outcome { id, seen } => Ok(self.outcome(session, *id, *seen, now_ms)),
            Request::Settle => self.settle(session),
            Request::Checkpoint(mode) => self.ask_checkpoint(session, *mode),
            Request::Hello { .. } | Request::Open { .. } | Request::Status => {
                let message = "this request has no place here".to_owned();
                Err(EngineError { code: ResultCode::MISUSE, errno: None, message })
            }
        };
        match answered {
            Ok(Some(reply)) => self.replies.push((session, reply)),
            Ok(None) => {}
            Err(error) => self.replies.push((session, Reply::Failed(error))),
        }
    }

    /// A connection has ended.
    pub fn closed(&mut self, session: SessionId, now_ms: u64) {
        if self.sessions.contains_key(&session) && !self.outlives_connection(session) {
            self.end(session, now_ms);
            self.turn.leave(session);
            self.shown.forget(session);
            self.checkpoints.forget(session);
            self.settling.retain(|waiting| waiting.0 != session);
            self.sessions.remove(&session);
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64) {
        self.ticked_ms = now_ms;
        let unused_ms = self.limits.turn_unused_ms;
        if let Some(session) =
            now_ms.checked_sub(unused_ms).and_then(|at| self.turn.unused_since(at))
        {
            self.end_writing(session, now_ms);
        }
        let expired = self
            .turn
            .held()
            .filter(|held| held.heard_ms + self.limits.turn_hold_ms <= now_ms)
            .map(|held| (held.session, now_ms.saturating_sub(held.since_ms)));
        if let Some((session, held_ms)) = expired {
            let has_sent = self.sessions.get(&session).is_some_and(|state| state.pieces > 0);
            self.end_writing(session, now_ms);
            if self.turn.is_held_by(session) {
                self.turn.extend(now_ms);
            } else {
                self.counts.lost_turns += 1;
                self.notes.push(Note::TurnLost { session, held_ms });
                if has_sent && let Some(state) = self.sessions.get_mut(&session) {
                    state.given_up = Some(GivenUp::TurnLost);
                }
            }
        }
        // Whoever waits until now for a rest to end gets the turn.
        self.serve_queue(now_ms);
        for session in self.turn.expire(now_ms) {
            let busy = crate::wire::reply::Reservation::Busy;
            self.replies.push((session, Reply::Reserved(busy)));
        }
        self.give_up_old_snapshots(now_ms);
        self.recent.note(self.counts, now_ms);
    }
}
