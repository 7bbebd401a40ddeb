//! Begins and pages.

use super::super::SessionId;
use super::super::buffer::{Buffer, Found, Store};
use super::super::engine::{Changes, Engine, EngineError, PageNumber, Reserved, Version};
use super::super::turn::{By, Want};
use super::{Machine, Stage};
use crate::sqlite::result_code::ResultCode;
use crate::wire::limits::{PAGES_BYTES_MAX, PREFETCH_PAGES_MAX};
use crate::wire::reply::{Begun, Reply, Settled, Turn};
use crate::wire::request::{Access, Incarnation, Pages, Seen, TurnWish};

/// How often a version is looked for that a stock app does not overtake meanwhile.
const PIN_ATTEMPTS: usize = 16;

impl<E: Engine, S: Store> Machine<E, S> {
    pub(super) fn begin(
        &mut self,
        session: SessionId,
        seen: Option<Seen>,
        wish: TurnWish,
        now_ms: u64,
    ) -> Result<Reply, EngineError> {
        self.leave_snapshot(session);
        self.withdraw_offer(session);
        if let Some(state) = self.sessions.get_mut(&session) {
            state.given_up = None;
        }
        self.follow_the_path(Access::Write, now_ms)?;
        let has_turn = self.turn.is_held_by(session)
            || (wish == TurnWish::IfFree && self.take_turn_along(session, now_ms)?);
        let is_free = self.turn.held().is_none() && self.turn.is_next(session);
        let is_held_back = wish == TurnWish::IfFree
            && ((is_free && self.rests(now_ms)) || self.unused_left_ms(session).is_some());
        if wish == TurnWish::IfFree && !has_turn && self.turn.queue_length() < self.limits.queue_max
        {
            // The door takes this for an answer, as if it had asked for the turn by itself.
            self.turn.enqueue(session, 0, Want::Word, now_ms);
        }
        let version = match self.turn.held() {
            Some(held) if has_turn => {
                self.engine.pin(held.at)?;
                held.at
            }
            _ => self.pin_shown()?,
        };
        self.set_stage(session, Stage::Reading { version, since_ms: now_ms });
        let turn = match (has_turn, is_held_back) {
            (true, _) => Turn::Granted,
            (false, true) => Turn::HeldBack,
            (false, false) => Turn::NotGranted,
        };
        self.begun(version, seen, turn)
    }

    /// What a session is told of a pinned version that it begins to read.
    pub(super) fn begun(
        &mut self,
        version: Version,
        seen: Option<Seen>,
        turn: Turn,
    ) -> Result<Reply, EngineError> {
        self.counts.begins += 1;
        let shape = self.engine.shape(version)?;
        let changes = self.changes_since(seen, version);
        let pages = self.prefetch(version, &changes, shape.page_size_bytes)?;
        let state = if self.shown.is_settled(version) { Settled::Yes } else { Settled::No };
        Ok(Reply::Begun(Begun {
            incarnation: self.incarnation,
            version,
            shape,
            changes,
            turn,
            state,
            pages,
        }))
    }

    fn changes_since(&self, seen: Option<Seen>, version: Version) -> Changes {
        match seen {
            Some(seen) if seen.incarnation != self.incarnation => Changes::All,
            Some(seen) if seen.version == version => Changes::Pages(Vec::new()),
            Some(seen) if seen.version < version => self.engine.changes(seen.version, version),
            // A version that was its own and is not shown yet, or none at all.
            _ => Changes::All,
        }
    }

    /// A few changed pages come along: whoever follows a writer will ask for them.
    fn prefetch(
        &mut self,
        version: Version,
        changes: &Changes,
        page_size_bytes: u32,
    ) -> Result<Vec<u8>, EngineError> {
        let mut pages = Vec::new();
        let Changes::Pages(numbers) = changes else { return Ok(pages) };
        if numbers.len() > PREFETCH_PAGES_MAX {
            return Ok(pages);
        }
        let mut page = Vec::with_capacity(page_size_bytes as usize);
        for number in numbers {
            page.clear();
            self.engine.read(version, *number, 1, &mut page)?;
            if !page.is_empty() {
                Pages::append(&mut pages, *number, &page);
            }
        }
        Ok(pages)
    }

    fn take_turn_along(&mut self, session: SessionId, now_ms: u64) -> Result<bool, EngineError> {
        let may = self.turn.held().is_none()
            && self.turn.is_next(session)
            && self.access(session) != Some(Access::Read)
            && !self.rests(now_ms);
        if !may {
            return Ok(false);
        }
        match self.engine.reserve()? {
            Reserved::At(at) => {
                self.turn.grant(session, at, By::Begin, now_ms);
                Ok(true)
            }
            Reserved::Busy => Ok(false),
        }
    }

    /// Pins the version that a begin is shown.
    pub(super) fn pin_shown(&mut self) -> Result<Version, EngineError> {
        let mut attempts = 0;
        loop {
            let version = self.shown.of(self.engine.newest()?);
            match self.engine.pin(version) {
                Ok(()) => return Ok(version),
                Err(error)
                    if error.code != ResultCode::ERROR_SNAPSHOT || attempts == PIN_ATTEMPTS =>
                {
                    return Err(error);
                }
                Err(_) => attempts += 1,
            }
        }
    }

    /// Where another file was put at the path, it is opened, and all that was known of the old one
    /// is void.
    pub(super) fn follow_the_path(
        &mut self,
        access: Access,
        now_ms: u64,
    ) -> Result<(), EngineError> {
        if self.engine.is_in_place()? {
            return Ok(());
        }
        if let Some(held) = self.turn.held() {
            self.void_prepared(held.session);
            self.end_writing(held.session, now_ms);
        }
        self.fail_pending();
        for session in self.sessions.values_mut() {
            session.offered = None;
            session.buffer = None;
            session.pieces = 0;
            session.given_up = None;
            if session.stage != Stage::Idle {
                session.stage = Stage::Expired;
            }
        }
        self.engine.reopen(access)?;
        self.incarnation = Incarnation(self.incarnation.0.wrapping_add(1));
        Ok(())
    }

    pub(super) fn read(
        &mut self,
        session: SessionId,
        first: PageNumber,
        count: u32,
    ) -> Result<Reply, EngineError> {
        let Some(state) = self.sessions.get_mut(&session) else { return Err(no_transaction()) };
        let version = match state.stage {
            Stage::Reading { version, .. } => version,
            Stage::Idle => return Err(no_transaction()),
            Stage::Expired => return Err(expired()),
        };
        if let Some(given_up) = &state.given_up {
            return Err(given_up.error());
        }
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.clear();
        if let Some(buffer) = &mut state.buffer
            && buffer.get(first, &mut bytes)? == Found::Here
        {
            return Ok(Reply::Pages(bytes));
        }
        let page_size_bytes = self.engine.shape(version)?.page_size_bytes;
        let most = self.limits.window_bytes_max.min(PAGES_BYTES_MAX as u32) / page_size_bytes;
        let count = count.clamp(1, most.max(1));
        bytes.reserve(count as usize * page_size_bytes as usize);
        self.engine.read(version, first.max(1), count, &mut bytes)?;
        self.counts.pages_read += bytes.len() as u64 / u64::from(page_size_bytes);
        Ok(Reply::Pages(bytes))
    }

    /// Takes memory back of a reply that was sent.
    pub fn reuse(&mut self, reply: Reply) {
        if let Reply::Pages(bytes) = reply
            && bytes.capacity() <= PAGES_BYTES_MAX
        {
            self.spare = bytes;
        }
    }

    pub(super) fn access(&self, session: SessionId) -> Option<Access> {
        self.sessions.get(&session).map(|state| state.access)
    }

    pub(super) fn set_stage(&mut self, session: SessionId, stage: Stage) {
        if let Some(state) = self.sessions.get_mut(&session) {
            state.stage = stage;
        }
    }

    /// Gives back what a session reads.
    pub(super) fn leave_snapshot(&mut self, session: SessionId) {
        let Some(state) = self.sessions.get_mut(&session) else { return };
        if let Stage::Reading { version, .. } = state.stage {
            self.engine.unpin(version);
        }
        state.stage = Stage::Idle;
    }

    /// A transaction ends.
    pub(super) fn end(&mut self, session: SessionId, now_ms: u64) {
        self.leave_snapshot(session);
        self.withdraw_offer(session);
        self.end_writing(session, now_ms);
    }
}

pub(super) fn no_transaction() -> EngineError {
    let message = "no transaction is open".to_owned();
    EngineError { code: ResultCode::MISUSE, errno: None, message }
}

pub(super) fn expired() -> EngineError {
    let message = "the snapshot is older than the owner allows, or the file was replaced";
    EngineError { code: ResultCode::IOERR, errno: None, message: message.to_owned() }
}
