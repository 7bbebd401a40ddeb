//! Locks of SQLite on a database file (lockingv3.html), and what each permits here.

use super::waiting::Offer;
use super::written::{UnderLock, Written};
use super::{Facade, Habit, Refusal};
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Begun, Reservation, Settled, Turn};
use crate::wire::request::{Access, Ending, Pages, Request, Seen, TurnWish};

/// A lock that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// To read.
    Shared,
    /// To write, with others reading.
    Reserved,
    /// To write the file: no more than `Reserved` here, since readers keep their snapshots.
    Exclusive,
}

/// What remains of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlock {
    /// Reading goes on.
    ToShared,
    /// Nothing.
    ToNone,
}

/// What a lock gave, and so what may be done.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing.
    Idle,
    /// Reading one version.
    Reading(Snapshot),
    /// Reading one version, with the turn, and with what was written on top.
    Writing(Snapshot, Written),
    /// The connection was lost: nothing until the locks are given back.
    Broken,
}

/// The version that a transaction reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) seen: Seen,
    pub(super) turn: Turn,
    pub(super) state: Settled,
}

impl Facade {
    /// What has to be asked of the owner before a lock is had; nothing where it is had already.
    /// The reply goes to [`Facade::begun`] or [`Facade::reserved`]. What is not answered has to be
    /// told, and the lock is had.
    ///
    /// # Errors
    ///
    /// `SQLITE_READONLY` where the file was opened for reading only; `SQLITE_IOERR` after a lost
    /// connection; `SQLITE_MISUSE` for a lock that skips one.
    pub fn lock(&mut self, lock: Lock) -> Result<Option<Request<'static>>, Refusal> {
        match (&self.state, lock) {
            (State::Broken, _) => Err(Refusal::broken()),
            (State::Idle, Lock::Shared) => {
                if let Some(begun) = self.take_offer() {
                    return self.begun(&begun).map(|()| None);
                }
                let writes = self.habit == Habit::Writes && self.access != Access::Read;
                let wish = if writes { TurnWish::IfFree } else { TurnWish::None };
                self.wish = wish;
                Ok(Some(Request::Begin { seen: self.seen, wish }))
            }
            (State::Idle, _) => Err(Refusal::no_lock()),
            (State::Reading(_), Lock::Shared) | (State::Writing(..), _) => Ok(None),
            (State::Reading(_), _) if self.access == Access::Read => {
                Err(Refusal::new(ResultCode::READONLY, "the file was opened for reading only"))
            }
            (State::Reading(snapshot), _) => {
                if snapshot.turn == Turn::Granted {
                    self.state = State::Writing(*snapshot, Written::default());
                    return Ok(Some(self.adopt().unwrap_or(Request::Use)));
                }
                if std::mem::take(&mut self.is_told_busy) {
                    return Err(busy());
                }
                Ok(Some(Request::Reserve { wait_ms: 0 }))
            }
        }
    }

    /// The owner's answer to a begin: the shared lock is had.
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` where no begin was asked for, or the page size is another than before.
    pub fn begun(&mut self, begun: &Begun) -> Result<(), Refusal> {
        if !matches!(self.state, State::Idle) {
            return Err(Refusal::unexpected());
        }
        let now = Seen { incarnation: begun.incarnation, version: begun.version };
        match self.seen {
            Some(seen) if seen == now => {}
            Some(seen) if seen.incarnation == now.incarnation => self.cache.apply(&begun.changes),
            _ => self.cache.clear(),
        }
        if self.seen.is_some_and(|seen| seen != now) {
            self.counter.advance();
        }
        self.shape = begun.shape;
        self.seen = Some(now);
        let pages = Pages::new(begun.shape.page_size_bytes, &begun.pages);
        for (number, page) in pages.iter().flat_map(Pages::iter) {
            self.cache.insert(number, page);
        }
        self.is_told_busy = self.wish == TurnWish::IfFree && begun.turn == Turn::NotGranted;
        self.state = State::Reading(Snapshot { seen: now, turn: begun.turn, state: begun.state });
        Ok(())
    }

    /// The owner's answer to a reservation: the reserved lock is had, or not.
    ///
    /// # Errors
    ///
    /// `SQLITE_BUSY` where another has the turn; `SQLITE_BUSY_SNAPSHOT` where another has committed
    /// since the transaction began, as in WAL mode.
    pub fn reserved(&mut self, reservation: Reservation) -> Result<(), Refusal> {
        let State::Reading(snapshot) = self.state else { return Err(Refusal::unexpected()) };
        self.habit = Habit::Writes;
        match reservation {
            Reservation::Granted => {
                let snapshot = Snapshot { turn: Turn::Granted, ..snapshot };
                self.state = State::Writing(snapshot, Written::default());
                Ok(())
            }
            Reservation::Busy => Err(busy()),
            Reservation::Stale => {
                let message = "another transaction has committed since this one began to read";
                Err(Refusal::new(ResultCode::BUSY_SNAPSHOT, message))
            }
        }
    }

    /// Gives back a turn that was taken along by a transaction which reads, so that it stops no
    /// writer; the next one does not take it along. What is returned is to be told to the owner.
    pub fn give_turn_back(&mut self) -> Option<Request<'static>> {
        let State::Reading(snapshot) = &mut self.state else { return None };
        if snapshot.turn != Turn::Granted {
            return None;
        }
        snapshot.turn = Turn::NotGranted;
        self.habit = Habit::Reads;
        Some(Request::End(Ending::Writing))
    }

    /// The turn came along with a begin so long ago that the owner may have taken it back. Whoever
    /// writes now asks for it.
    pub fn doubt_turn(&mut self) {
        if let State::Reading(snapshot) = &mut self.state {
            snapshot.turn = Turn::NotGranted;
        }
    }

    /// Whether [`Request::Settle`] has to be answered before locks are given back: a transaction
    /// that had the turn, has seen what is not durable yet, and ends without a commit of its own.
    #[must_use]
    pub fn must_settle(&self) -> bool {
        matches!(&self.state, State::Writing(snapshot, _) if snapshot.state == Settled::No)
    }

    /// The owner's answer to [`Request::Settle`].
    pub fn settled(&mut self) {
        if let State::Reading(snapshot) | State::Writing(snapshot, _) = &mut self.state {
            snapshot.state = Settled::Yes;
        }
    }

    /// Gives locks back. What is returned is to be told to the owner.
    pub fn unlock(&mut self, unlock: Unlock) -> Option<Request<'static>> {
        match (std::mem::replace(&mut self.state, State::Idle), unlock) {
            (State::Idle, _) => None,
            (State::Broken, Unlock::ToShared) => {
                self.state = State::Broken;
                None
            }
            (State::Broken, Unlock::ToNone) => None,
            (State::Reading(snapshot), Unlock::ToShared) => {
                self.state = State::Reading(snapshot);
                None
            }
            (State::Writing(snapshot, written), Unlock::ToShared) => {
                // The commit has given the turn back.
                let is_over = written.under_lock == UnderLock::Committed && written.is_empty();
                self.forget(written);
                self.state = State::Reading(Snapshot { turn: Turn::NotGranted, ..snapshot });
                (!is_over).then_some(Request::End(Ending::Writing))
            }
            (State::Reading(snapshot), Unlock::ToNone) => {
                if let Offer::Waiting(_) = self.offer {
                    // The next begin, which has come already, ends this one.
                    return None;
                }
                self.offer = Offer::None;
                // A turn that was taken along for nothing is not taken along the next time.
                if snapshot.turn == Turn::Granted {
                    self.habit = Habit::Reads;
                }
                Some(Request::End(Ending::Transaction))
            }
            (State::Writing(_, written), Unlock::ToNone) => {
                self.forget(written);
                Some(Request::End(Ending::Transaction))
            }
        }
    }

    /// What was written and not committed is gone; what was read back of it as well.
    pub(super) fn forget(&mut self, written: Written) {
        for number in written.into_parts().1 {
            self.cache.remove(number);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_told_busy(&self) -> bool {
        self.is_told_busy
    }
}

fn busy() -> Refusal {
    Refusal::new(ResultCode::BUSY, "another transaction is writing")
}
