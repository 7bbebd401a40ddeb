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
