//! What a door shows to a program: a database file with a rollback journal, whose locks never
//! conflict between readers and the writer, over an owner that works in WAL mode.
//!
//! The facade is a state machine. What the program's SQLite does to the file comes in as calls;
//! what has to be asked of the owner goes out as a value, and the answer comes in by another call.
//! So the same machine serves a VFS of SQLite, a preload of libc and a FUSE mount, and a
//! simulation.
//!
//! * [`ladder`]: locks, and what each of them permits.
//! * [`page_one`]: the fields of page 1 that a program must see otherwise than they are on disk.
//! * [`waiting`]: the turn to write, and a begin with it.
//! * [`written`]: what a transaction has written.
//! * [`commit`]: how a commit is told from a rollback, and what is sent.
//! * [`cache`]: pages of the last version that was seen.
//! * [`pragma`]: which PRAGMAs the file answers itself.

pub mod cache;
pub mod commit;
mod io;
pub mod ladder;
pub mod page_one;
pub mod pragma;
mod refusal;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod tests;
pub mod waiting;
pub mod written;

pub use io::Read;
pub use ladder::{Lock, Unlock};
pub use refusal::Refusal;

use crate::owner::engine::{PageNumber, Shape};
use crate::sqlite::header::HEADER_BYTES;
use crate::wire::request::{Access, Durability, Seen, TurnWish};
use cache::Cache;
use ladder::State;
use page_one::Counter;
use waiting::Offer;

/// One open file.
#[derive(Debug)]
pub struct Facade {
    access: Access,
    shape: Shape,
    /// The first bytes as they were when the file was opened: SQLite reads them without a lock.
    header: Box<[u8; HEADER_BYTES]>,
    state: State,
    /// The version that the cache is of.
    ///
    /// 1. Each page in the cache is as it is in this version.
    /// 2. It changes only together with the counter that page 1 shows, but for commits of this
    ///    file.
    seen: Option<Seen>,
    cache: Cache,
    counter: Counter,
    durability: Durability,
    /// Whether this file's transactions write, as far as the last one tells.
    habit: Habit,
    /// What the last begin asked for.
    wish: TurnWish,
    /// The begin asked for the turn in vain, and nothing but page 1 was read since: who wants to
    /// write now does so from the start of its transaction, and was just told that it cannot.
    is_told_busy: bool,
    /// A begin that came with the turn.
    offer: Offer,
    ahead: ReadAhead,
}

/// What the last transaction was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    Reads,
    Writes,
}

/// How far a scan is ahead.
#[derive(Clone, Copy, Debug, Default)]
struct ReadAhead {
    /// The page behind the last window.
    next: PageNumber,
    /// Pages of the last window.
    pages: u32,
}

impl Facade {
    /// A file as the owner describes it. At most `cache_bytes_max` bytes of pages are kept.
    #[must_use]
    pub fn new(
        access: Access,
        shape: Shape,
        header: Box<[u8; HEADER_BYTES]>,
        cache_bytes_max: usize,
    ) -> Self {
        Facade {
            access,
            shape,
            counter: Counter::of_header(&header),
            header,
            state: State::Idle,
            seen: None,
            cache: Cache::new(cache_bytes_max),
            durability: Durability::Power,
            habit: Habit::Reads,
            wish: TurnWish::None,
            is_told_busy: false,
            offer: Offer::None,
            ahead: ReadAhead::default(),
        }
    }

    /// What `PRAGMA synchronous` asks for.
    pub fn set_durability(&mut self, durability: Durability) {
        self.durability = durability;
    }

    /// The connection is gone, and with it what a transaction had. What is asked of it from now on
    /// fails until it ends; the next one begins anew.
    pub fn lost(&mut self) {
        self.offer = Offer::None;
        if !matches!(self.state, State::Idle) {
            self.state = State::Broken;
        }
    }

    /// The version that the open transaction reads.
    #[must_use]
    pub fn base(&self) -> Option<Seen> {
        match &self.state {
            State::Reading(snapshot) | State::Writing(snapshot, _) => Some(snapshot.seen),
            State::Idle | State::Broken => None,
        }
    }

    /// Bytes of a page.
    #[must_use]
    pub fn page_size_bytes(&self) -> u32 {
        self.shape.page_size_bytes
    }

    /// Whether no transaction is open.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }
}
