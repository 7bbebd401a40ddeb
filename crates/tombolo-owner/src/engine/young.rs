//! [`YoungEngine`]: a database from before anything was written to it.
//!
//! Only the first transaction tells which page size a database gets, and a log fixes it. So as long
//! as the file has no byte, no log is made and nothing is written to it: it stays what stock SQLite
//! makes of a new database as well.

use super::error::{error, system};
use super::place::{EngineKind, Identity, make};
use super::{Checkpointer, LogFile, NEW_PAGE_SIZE_BYTES, Position, StockEngine};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tombolo_core::owner::engine::{
    Changes, CheckpointMode, Checkpointed, Engine, EngineError, PageNumber, Reserved, Shape,
    Transaction, Version,
};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::request::Access;

/// The shape of a database without a page. The size of pages is a proposal.
const EMPTY: Shape = Shape { page_size_bytes: NEW_PAGE_SIZE_BYTES, size_pages: 0 };

/// A checkpoint where there is no log.
pub(crate) const NOTHING_DONE: Checkpointed =
    Checkpointed { busy: false, log_frames: 0, checkpointed_frames: 0 };

/// A database that may be empty, and is opened by a [`StockEngine`] when it is not.
///
/// 1. `empty`, if any, is older than every version of `grown`.
#[derive(Debug)]
pub struct YoungEngine {
    path: PathBuf,
    kind: EngineKind,
    /// The version in which the file had no byte. It can be read at any time.
    empty: Option<Version>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Empty {
        identity: Identity,
        lock: EmptyLock,
    },
    Grown(Box<StockEngine>),
    /// What was put at the path could not be opened.
    Gone {
        last: Version,
    },
}

/// Whether a session has asked for the write lock. SQLite's own is taken by the commit: there is
/// no log yet to take it of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EmptyLock {
    Free,
    Promised,
}

impl YoungEngine {
    /// Opens a database, and makes a file without a byte where there is none.
    ///
    /// # Errors
    ///
    /// As [`StockEngine::open`].
    pub fn open(path: &Path, kind: EngineKind) -> Result<Self, EngineError> {
        let (path, kind) = (path.to_owned(), kind);
        let mut engine =
            YoungEngine { path, kind, empty: None, stage: Stage::Gone { last: Version(0) } };
        engine.enter(Version(1))?;
        Ok(engine)
    }

    /// The log, as [`StockEngine::log_file`].
    ///
    /// # Errors
    ///
    /// `SQLITE_IOERR` where there is no log.
    pub fn log_file(&self) -> Result<Arc<LogFile>, EngineError> {
        self.stock().map(StockEngine::log_file)
    }

    /// As [`StockEngine::is_log_lost`].
    #[must_use]
    pub fn is_log_lost(&self) -> bool {
        self.stock().is_ok_and(StockEngine::is_log_lost)
    }

    /// As [`StockEngine::check_log`].
    ///
    /// # Errors
    ///
    /// As there, and where there is no log.
    pub fn check_log(&self) -> Result<(), EngineError> {
        self.stock()?.check_log()
    }

    /// As [`StockEngine::rescue_log`].
    ///
    /// # Errors
    ///
    /// As there, and where there is no log.
    pub fn rescue_log(&mut self) -> Result<Checkpointed, EngineError> {
        match &mut self.stage {
            Stage::Grown(engine) => engine.rescue_log(),
            Stage::Empty { .. } | Stage::Gone { .. } => Err(no_log()),
        }
    }

    /// As [`StockEngine::checkpointer`]; `None` where there is no log.
    #[must_use]
    pub fn checkpointer(&self) -> Option<Checkpointer> {
        self.stock().ok().map(StockEngine::checkpointer)
    }

    /// As [`StockEngine::checkpoint`]. Where there is no log, nothing is to be done.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn checkpoint(&mut self, mode: CheckpointMode) -> Result<Checkpointed, EngineError> {
        match &mut self.stage {
            Stage::Grown(engine) => engine.checkpoint(mode),
            Stage::Empty { .. } | Stage::Gone { .. } => Ok(NOTHING_DONE),
        }
    }

    /// As [`StockEngine::remove_log_at_end`].
    ///
    /// # Errors
    ///
    /// As there. Where there is no log, there is nothing to remove.
    pub fn remove_log_at_end(&mut self) -> Result<(), EngineError> {
        match &mut self.stage {
            Stage::Grown(engine) => engine.remove_log_at_end(),
            Stage::Empty { .. } | Stage::Gone { .. } => Ok(()),
        }
    }

    fn stock(&self) -> Result<&StockEngine, EngineError> {
        match &self.stage {
            Stage::Grown(engine) => Ok(engine),
            Stage::Empty { .. } | Stage::Gone { .. } => Err(no_log()),
        }
    }

    /// What names the newest version that is known, to another process as well.
    #[must_use]
    pub fn position(&self) -> Position {
        match &self.stage {
            Stage::Grown(engine) => engine.position(),
            Stage::Empty { .. } | Stage::Gone { .. } => Position::default(),
        }
    }

    /// Opens what is at the path, as this version.
    fn enter(&mut self, version: Version) -> Result<(), EngineError> {
        // What was open is closed first: SQLite has one table of locks for both, by their names.
        self.stage = Stage::Gone { last: version };
        self.empty = None;
        make(&self.path, self.kind)?;
        match self.length_bytes()? {
            0 => {
                let identity = self.identity()?.ok_or_else(gone)?;
                self.empty = Some(version);
                self.stage = Stage::Empty { identity, lock: EmptyLock::Free };
            }
            _ => self.grow(NEW_PAGE_SIZE_BYTES, version)?,
        }
        Ok(())
    }

    fn grow(&mut self, page_size_bytes: u32, version: Version) -> Result<(), EngineError> {
        let mut engine = StockEngine::open(&self.path, self.kind, page_size_bytes)?;
        engine.count_from(version);
        self.stage = Stage::Grown(Box::new(engine));
        Ok(())
    }

    fn identity(&self) -> Result<Option<Identity>, EngineError> {
        let cannot = system(ResultCode::IOERR, "the path cannot be looked at");
        Identity::of(&self.path).map_err(cannot)
    }

    fn length_bytes(&self) -> Result<u64, EngineError> {
        let cannot = system(ResultCode::IOERR, "the path cannot be looked at");
        Ok(std::fs::metadata(&self.path).map_err(cannot)?.len())
    }

    /// Looks whether a stock app has written to an empty file.
    fn look(&mut self) -> Result<(), EngineError> {
        let Stage::Empty { .. } = self.stage else { return Ok(()) };
        if self.length_bytes()? == 0 {
            return Ok(());
        }
        self.grow(NEW_PAGE_SIZE_BYTES, Version(self.last().0 + 1))
    }

    fn last(&self) -> Version {
        match &self.stage {
            Stage::Empty { .. } => self.empty.unwrap_or(Version(0)),
            Stage::Grown(engine) => engine.last_version(),
            Stage::Gone { last } => *last,
        }
    }

    fn grown(&mut self) -> Result<&mut StockEngine, EngineError> {
        match &mut self.stage {
            Stage::Grown(engine) => Ok(engine),
            Stage::Empty { .. } | Stage::Gone { .. } => Err(gone()),
        }
    }

    /// The first transaction, which makes the database.
    fn commit_first(
        &mut self,
        empty: Version,
        transaction: &mut dyn Transaction,
    ) -> Result<Version, EngineError> {
        if transaction.size_pages() == 0 {
            return Ok(empty);
        }
        self.grow(transaction.page_size_bytes(), Version(empty.0 + 1))?;
        let engine = self.grown()?;
        match engine.reserve()? {
            Reserved::At(_) if engine.is_locked_blank() => engine.commit(transaction),
            Reserved::At(_) | Reserved::Busy => {
                engine.release();
                let message = "a stock app has made the database meanwhile";
                Err(error(ResultCode::BUSY_SNAPSHOT, message))
            }
        }
    }
}

fn no_log() -> EngineError {
    error(ResultCode::IOERR, "there is no log")
}

fn gone() -> EngineError {
    error(ResultCode::CANTOPEN, "the database was removed")
}

impl Engine for YoungEngine {
    fn newest(&mut self) -> Result<Version, EngineError> {
        self.look()?;
        match &mut self.stage {
            Stage::Empty { .. } => Ok(self.last()),
            Stage::Grown(engine) => engine.newest(),
            Stage::Gone { .. } => Err(gone()),
        }
    }

    fn pin(&mut self, version: Version) -> Result<(), EngineError> {
        if self.empty == Some(version) { Ok(()) } else { self.grown()?.pin(version) }
    }

    fn unpin(&mut self, version: Version) {
        if self.empty != Some(version)
            && let Stage::Grown(engine) = &mut self.stage
        {
            engine.unpin(version);
        }
    }

    fn shape(&self, version: Version) -> Result<Shape, EngineError> {
        match &self.stage {
            _ if self.empty == Some(version) => Ok(EMPTY),
            Stage::Grown(engine) => engine.shape(version),
            Stage::Empty { .. } | Stage::Gone { .. } => Err(gone()),
        }
    }

    fn changes(&self, since: Version, until: Version) -> Changes {
        match &self.stage {
            Stage::Grown(engine) if self.empty != Some(since) => engine.changes(since, until),
            _ => Changes::All,
        }
    }

    fn read(
        &mut self,
        version: Version,
        first: PageNumber,
        count: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), EngineError> {
        if self.empty == Some(version) {
            return Ok(());
        }
        self.grown()?.read(version, first, count, into)
    }

    fn reserve(&mut self) -> Result<Reserved, EngineError> {
        self.look()?;
        let last = self.last();
        match &mut self.stage {
            Stage::Empty { lock, .. } => {
                *lock = EmptyLock::Promised;
                Ok(Reserved::At(last))
            }
            Stage::Grown(engine) => engine.reserve(),
            Stage::Gone { .. } => Err(gone()),
        }
    }

    fn release(&mut self) {
        match &mut self.stage {
            Stage::Empty { lock, .. } => *lock = EmptyLock::Free,
            Stage::Grown(engine) => engine.release(),
            Stage::Gone { .. } => {}
        }
    }

    fn commit(&mut self, transaction: &mut dyn Transaction) -> Result<Version, EngineError> {
        let last = self.last();
        match &mut self.stage {
            Stage::Empty { lock, .. } => match std::mem::replace(lock, EmptyLock::Free) {
                EmptyLock::Promised => self.commit_first(last, transaction),
                EmptyLock::Free => {
                    Err(error(ResultCode::MISUSE, "a commit without the write lock"))
                }
            },
            Stage::Grown(engine) => engine.commit(transaction),
            Stage::Gone { .. } => Err(gone()),
        }
    }

    fn renew(&mut self) {
        if let Stage::Grown(engine) = &mut self.stage {
            engine.renew();
        }
    }

    fn has_company(&self) -> bool {
        match &self.stage {
            Stage::Grown(engine) => engine.has_company(),
            Stage::Empty { .. } | Stage::Gone { .. } => true,
        }
    }

    fn log_bytes(&self) -> u64 {
        match &self.stage {
            Stage::Grown(engine) => engine.log_bytes(),
            Stage::Empty { .. } | Stage::Gone { .. } => 0,
        }
    }

    fn log_used_bytes(&self) -> u64 {
        match &self.stage {
            Stage::Grown(engine) => engine.log_used_bytes(),
            Stage::Empty { .. } | Stage::Gone { .. } => 0,
        }
    }

    fn reopen(&mut self, access: Access) -> Result<(), EngineError> {
        if access != Access::Create && self.identity()?.is_none() {
            return Err(gone());
        }
        if let Stage::Grown(engine) = &mut self.stage {
            engine.leave_the_log_empty()?;
        }
        self.enter(Version(self.last().0 + 1))
    }

    fn is_in_place(&self) -> Result<bool, EngineError> {
        match &self.stage {
            Stage::Empty { identity, .. } => Ok(self.identity()? == Some(*identity)),
            Stage::Grown(engine) => engine.is_in_place(),
            Stage::Gone { .. } => Ok(false),
        }
    }
}
