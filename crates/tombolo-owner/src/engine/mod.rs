//! [`StockEngine`]: what an owner asks of a database, done by stock SQLite.
//!
//! Pages are read and written by number, through `sqlite_dbpage` inside ordinary transactions, so
//! that locks, log, recovery and checkpoints are SQLite's own. No SQL comes from the file.
//!
//! * `place`: the file, and how connections to it are opened.
//! * `versions`: which version is the newest, and what changed.
//! * `readers`: connections that hold versions.
//! * `commit`: the write lock, and writing.
//! * `log`: the log beside the database, and checkpoints.
//! * `page_one`, `history`, `page_set`: pure.
//! * `redo`: doing once more what was decided.
//! * `young`: [`YoungEngine`], for a database that may have no page yet.

mod commit;
mod error;
mod history;
mod log;
mod page_one;
mod page_set;
mod place;
mod readers;
mod redo;
mod versions;
mod young;

use crate::ffi::{self, Connection, Switch};
use error::{during, error};
use history::History;
use log::{Closing, Framed};
use place::Place;
use readers::{Idle, Pinned};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tombolo_core::owner::engine::{
    Changes, CheckpointMode, Checkpointed, Engine, EngineError, PageNumber, Reserved, Shape,
    Transaction, Version,
};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::sqlite::wal::{Checksum, ChecksumOrder, Salts};
use tombolo_core::sqlite::wal_index::{COPY_BYTES, WalIndexHeader};
use tombolo_core::wire::request::Access;

pub use log::{Checkpointer, LogFile};
pub use place::EngineKind;
pub use redo::{POSITION_BYTES, Position, Redone};
pub(crate) use young::NOTHING_DONE;
pub use young::YoungEngine;

/// Bytes of a page of a new database where nobody says otherwise, as SQLite has it.
pub const NEW_PAGE_SIZE_BYTES: u32 = 4096;

const OPTIONS: [&std::ffi::CStr; 3] =
    [c"ENABLE_DBPAGE_VTAB", c"ENABLE_SNAPSHOT", c"ENABLE_SETLK_TIMEOUT"];

/// The newest version that is known.
#[derive(Clone, Copy, Debug)]
struct Known {
    version: Version,
    /// One copy of the wal-index header: what names this state of the log.
    bytes: [u8; COPY_BYTES],
    header: WalIndexHeader,
}

impl Known {
    /// Before the first look: a state that no log has.
    fn nothing() -> Self {
        let header = WalIndexHeader {
            change_counter: 0,
            wal_checksum_order: ChecksumOrder::LittleEndian,
            page_size_bytes: 0,
            max_frame: 0,
            size_pages: 0,
            frame_checksum: Checksum::default(),
            salts: Salts([0, 0]),
        };
        Known { version: Version(0), bytes: [0; COPY_BYTES], header }
    }
}

#[derive(Debug)]
enum WriteLock {
    Free,
    /// `writer` has a transaction open that holds it.
    Held {
        /// Page 1 as it is.
        first: Vec<u8>,
    },
}

/// One database, by stock SQLite. It is used by one thread at a time.
///
/// 1. `anchor` has the log open, and no transaction, as long as the engine lives: nobody can leave
///    WAL mode or delete the log meanwhile (`sqlite3WalClose` needs the file for itself). It is
///    closed last.
/// 2. Nobody in this process but these connections opens the database or its `-shm`.
#[derive(Debug)]
pub struct StockEngine {
    pinned: HashMap<Version, Pinned>,
    idle: Idle,
    writer: Connection,
    /// The schema that `writer` read last, by its number on page 1.
    writer_schema: Option<u32>,
    checkpointer: Closing,
    // Behind all other connections, for the order in which fields are dropped.
    anchor: Connection,
    place: Place,
    framed: Framed,
    known: Known,
    history: History,
    lock: WriteLock,
    page_size_bytes: u32,
}

impl StockEngine {
    /// Opens a database, makes it where there is none, and brings it into WAL mode.
    ///
    /// A new database gets pages of `new_page_size_bytes`, a power of two from 512 to 65536. It
    /// has no pages for sessions until one of them writes, though SQLite writes page 1 at once.
    ///
    /// # Errors
    ///
    /// `SQLITE_BUSY` while a stock app writes, or keeps the database out of WAL mode;
    /// `SQLITE_NOTADB` for another file; `SQLITE_READONLY_DBMOVED` when another file was put in its
    /// place meanwhile; `SQLITE_ERROR` where the library lacks what the engine needs; SQLite's own.
    pub fn open(
        path: &Path,
        kind: EngineKind,
        new_page_size_bytes: u32,
    ) -> Result<Self, EngineError> {
        if let Some(missing) = OPTIONS.iter().find(|option| !ffi::is_built_with(option)) {
            let message = format!("SQLite was built without {}", missing.to_string_lossy());
            return Err(error(ResultCode::ERROR, message));
        }
        let (place, mut anchor) = Place::open(path, kind, new_page_size_bytes)?;
        let page_size_bytes = page_size_bytes(&mut anchor)?;
        let mut engine = StockEngine {
            pinned: HashMap::new(),
            idle: Idle::default(),
            writer: place.connect()?,
            writer_schema: None,
            checkpointer: Closing(Checkpointer::new(place.connect()?)),
            anchor,
            place,
            framed: Framed::default(),
            known: Known::nothing(),
            history: History::default(),
            lock: WriteLock::Free,
            page_size_bytes,
        };
        engine.observe()?;
        Ok(engine)
    }

    /// The log, for a thread that syncs it.
    #[must_use]
    pub fn log_file(&self) -> Arc<LogFile> {
        self.place.log_file()
    }

    /// Whether it was seen that the name of the log leads to another file than the one that is
    /// written: then whoever opens the database next does not find what is committed here. No
    /// commit is made any more, and no connection opened.
    #[must_use]
    pub fn is_log_lost(&self) -> bool {
        self.place.log().is_lost()
    }

    /// Looks whether it is.
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` where it is; that of looking.
    pub fn check_log(&self) -> Result<(), EngineError> {
        self.place.check()
    }

    /// Copies what is in a lost log into the database, where it is found. A stock app that has
    /// opened the other log shares the wal-index with this one: what it has written means nothing
    /// here, so then nothing is done.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn rescue_log(&mut self) -> Result<Checkpointed, EngineError> {
        let is_as_known = self.look()?.is_some_and(|found| found.bytes == self.known.bytes);
        if !is_as_known || !self.place.is_in_place()? {
            return Err(error(ResultCode::IOERR, "others have written since the log was lost"));
        }
        self.checkpoint(CheckpointMode::Full)
    }

    /// What makes checkpoints in another thread.
    #[must_use]
    pub fn checkpointer(&self) -> Checkpointer {
        self.checkpointer.0.clone()
    }

    /// Makes a checkpoint, here and now. It waits for one that runs, but not for readers and
    /// writers.
    ///
    /// # Errors
    ///
    /// SQLite's own, other than BUSY.
    pub fn checkpoint(&mut self, mode: CheckpointMode) -> Result<Checkpointed, EngineError> {
        self.checkpointer.0.run(mode, Duration::ZERO)
    }

    /// Makes the drop remove the log and the wal-index where nobody else has the database open, as
    /// stock SQLite does with the last connection. What is left in the log is copied then.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub fn remove_log_at_end(&mut self) -> Result<(), EngineError> {
        self.place.check()?;
        let switched = self.anchor.switch(Switch::NoCheckpointOnClose, false);
        switched.map_err(during("the log cannot be removed"))
    }

    /// Copies the log into the file that it belongs to, and empties it, where the path leads to
    /// another file by now: SQLite, which knows a log by its name alone, would write what is in it
    /// over that one. Nothing is read any more.
    fn leave_the_log_empty(&mut self) -> Result<(), EngineError> {
        // A log that was moved along is not beside the other file.
        if self.place.is_in_place()? || self.place.log_file().check().is_err() {
            return Ok(());
        }
        self.pinned.clear();
        self.idle = Idle::default();
        if self.checkpoint(CheckpointMode::Truncate)?.busy {
            let message = "another file is in the place of the database, and its log is in use";
            return Err(error(ResultCode::BUSY, message));
        }
        Ok(())
    }

    /// What names the newest version that is known, without a look.
    fn position(&self) -> Position {
        Position::of(&self.known)
    }

    /// The newest version that is known, without a look.
    fn last_version(&self) -> Version {
        self.known.version
    }

    /// Gives the newest version this number, before anybody knows of it.
    fn count_from(&mut self, version: Version) {
        self.known.version = version;
        self.history = History::default();
    }

    /// Whether the write lock is held, and nobody has ever written.
    fn is_locked_blank(&self) -> bool {
        matches!(&self.lock, WriteLock::Held { first } if page_one::is_blank(first))
    }
}

fn page_size_bytes(connection: &mut Connection) -> Result<u32, EngineError> {
    let failed = during("the size of a page cannot be told");
    match place::read_first(connection).map_err(failed)?.len() {
        0 => Err(error(ResultCode::CORRUPT, "the database has no page 1")),
        length => Ok(u32::try_from(length).unwrap_or(u32::MAX)),
    }
}

impl Engine for StockEngine {
    fn newest(&mut self) -> Result<Version, EngineError> {
        self.observe()
    }

    fn pin(&mut self, version: Version) -> Result<(), EngineError> {
        self.pin_version(version)
    }

    fn unpin(&mut self, version: Version) {
        self.unpin_version(version);
    }

    fn shape(&self, version: Version) -> Result<Shape, EngineError> {
        self.shape_of(version)
    }

    fn changes(&self, since: Version, until: Version) -> Changes {
        self.history.changes(since, until)
    }

    fn read(
        &mut self,
        version: Version,
        first: PageNumber,
        count: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        self.read_pages(version, first, count, into)
    }

    fn reserve(&mut self) -> Result<Reserved, EngineError> {
        self.take_write_lock()
    }

    fn release(&mut self) {
        self.give_write_lock();
    }

    fn commit(&mut self, transaction: &mut dyn Transaction) -> Result<Version, EngineError> {
        self.commit_transaction(transaction)
    }

    fn renew(&mut self) {
        self.renew_newest();
    }

    fn has_company(&self) -> bool {
        self.place.has_company()
    }

    fn log_bytes(&self) -> u64 {
        self.place.log().bytes()
    }

    fn log_used_bytes(&self) -> u64 {
        self.known.header.log_bytes()
    }

    fn reopen(&mut self, access: Access) -> Result<(), EngineError> {
        let next = Version(self.known.version.0 + 1);
        let (path, kind) = self.place.named();
        if access != Access::Create && !path.exists() {
            return Err(error(ResultCode::CANTOPEN, "the database was removed"));
        }
        self.leave_the_log_empty()?;
        *self = StockEngine::open(&path, kind, self.page_size_bytes)?;
        self.count_from(next);
        Ok(())
    }

    fn is_in_place(&self) -> Result<bool, EngineError> {
        self.place.is_in_place()
    }
}
