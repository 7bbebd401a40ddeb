//! The end of a transaction that has written.
//!
//! SQLite announces the end of phase one by `SQLITE_FCNTL_SYNC`, also with `synchronous=OFF`, and
//! sends the same after it has rolled a spilled transaction back (`pager.c`). The two are told
//! apart by the change counter: commits move it.

use super::ladder::{Snapshot, State};
use super::written::{Fit, UnderLock, Written};
use super::{Facade, Habit, Refusal, page_one};
use crate::owner::engine::Version;
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Outcome, Settled};
use crate::wire::request::{Durability, Seen};

/// What has to be sent for a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The version that it was made from.
    pub base: Seen,
    /// Size of the database after it, in pages.
    pub size_pages: u32,
    /// When it is acknowledged.
    pub durability: Durability,
    /// Bytes of a page.
    pub page_size_bytes: u32,
    /// Pages, as bytes for [`crate::wire::request::Pages`].
    pub pages: Vec<u8>,
}

impl Facade {
    /// SQLite has written all that belongs to a transaction, or to its rollback. `None`: nothing is
    /// to be committed. The outcome goes to [`Facade::committed`].
    ///
    /// # Errors
    ///
    /// `SQLITE_READONLY` where pages of another size were written; `SQLITE_IOERR` after a lost
    /// connection.
    pub fn sync(&mut self) -> Result<Option<Commit>, Refusal> {
        let (snapshot, written) = match &mut self.state {
            State::Writing(snapshot, written) => (snapshot, written),
            State::Broken => return Err(Refusal::broken()),
            State::Idle | State::Reading(_) => return Ok(None),
        };
        if written.fit == Fit::Misfit {
            // The rollback that follows ends with the same announcement.
            let written = std::mem::take(written);
            self.forget(written);
            let message = "the page size of a database that is served cannot be changed";
            return Err(Refusal::new(ResultCode::READONLY, message));
        }
        let is_moved = written.page_one().is_some_and(|page| self.counter.is_moved_by(page));
        let goes_on = written.under_lock == UnderLock::Committed && !written.is_empty();
        if !is_moved && !goes_on {
            return Ok(None);
        }
        let size_pages = written.page_one().map_or(self.shape.size_pages, page_one::size_pages);
        Ok(Some(Commit {
            base: snapshot.seen,
            size_pages,
            durability: self.durability,
            page_size_bytes: self.shape.page_size_bytes,
            pages: written.rest(size_pages),
        }))
    }

    /// What became of a commit.
    ///
    /// # Errors
    ///
    /// `SQLITE_BUSY_SNAPSHOT` after a conflict, `SQLITE_IOERR` where it was not committed or nobody
    /// knows: then SQLite rolls back. Never plain `SQLITE_BUSY`, after which it would try again for
    /// ever.
    pub fn committed(&mut self, outcome: Outcome, size_pages: u32) -> Result<(), Refusal> {
        let State::Writing(snapshot, written) = &mut self.state else {
            return Err(Refusal::unexpected());
        };
        let snapshot = *snapshot;
        let written = std::mem::take(written);
        let version = match version_of(outcome) {
            Ok(version) => version,
            Err(refusal) => {
                self.forget(written);
                return Err(refusal);
            }
        };
        let seen = Seen { version, ..snapshot.seen };
        let snapshot = Snapshot { seen, state: Settled::Yes, ..snapshot };
        let (here, sent) = written.into_parts();
        for number in sent {
            self.cache.remove(number);
        }
        for (number, page) in here {
            if number <= size_pages {
                self.cache.insert(number, &page);
            } else {
                self.cache.remove(number);
            }
        }
        self.shape.size_pages = size_pages;
        self.counter.committed();
        self.seen = Some(seen);
        self.habit = Habit::Writes;
        self.state = State::Writing(snapshot, Written::after_commit());
        Ok(())
    }
}

fn version_of(outcome: Outcome) -> Result<Version, Refusal> {
    let (code, message) = match outcome {
        Outcome::Committed(version) => return Ok(version),
        Outcome::Conflict => (
            ResultCode::BUSY_SNAPSHOT,
            "another transaction has committed, or the turn was held too long",
        ),
        Outcome::NotCommitted => (ResultCode::IOERR, "the owner has not committed the transaction"),
        Outcome::Unknown => {
            (ResultCode::IOERR, "outcome unknown: the transaction may be committed or not")
        }
    };
    Err(Refusal::new(code, message))
}
