//! What the owner asks of a database: the waist between its state machine and stock SQLite.
//!
//! The machine never blocks on anything but these calls. The real engine is in
//! `tombolo-owner`; the simulation has one in memory.

use crate::sqlite::result_code::ResultCode;
use crate::wire::request::Access;
use std::fmt;

/// The state of the database after a commit, counted by the owner from 1 for as long as it lives.
/// Numbers of two owners mean nothing to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// A page number, from 1, as in the file format.
pub type PageNumber = u32;

/// Which pages differ between two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// These and no others; a page beyond the size of the newer version may be among them.
    Pages(Vec<PageNumber>),
    /// Not known: any.
    All,
}

/// Size and shape of the database at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes of a page: a power of two from 512 to 65536; never changes while the file is served.
    pub page_size_bytes: u32,
    /// Pages; 0 for a database in which nothing was ever written.
    pub size_pages: u32,
}

/// What came of asking for SQLite's write lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// It is held; nobody else can commit. This version is the newest.
    At(Version),
    /// A stock app holds it.
    Busy,
}

/// Which of the four kinds of checkpoint (`sqlite3_wal_checkpoint_v2`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointMode {
    /// As much as is possible without waiting.
    Passive,
    /// All frames, waiting for readers of older versions.
    Full,
    /// As `Full`, and the next writer starts the log anew.
    Restart,
    /// As `Restart`, and the log is cut to nothing.
    Truncate,
}

/// The row that `PRAGMA wal_checkpoint` answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpointed {
    /// Whether it was stopped by readers or a writer.
    pub busy: bool,
    /// Frames in the log.
    pub log_frames: u32,
    /// Frames of these that are in the database file.
    pub checkpointed_frames: u32,
}

/// Why the engine did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineError {
    /// What SQLite says, or the code that fits best.
    pub code: ResultCode,
    /// The error number of the system call below, where there is one.
    pub errno: Option<i32>,
    /// One sentence for a log.
    pub message: String,
}

impl fmt::Display for EngineError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.code)?;
        match self.errno {
            Some(errno) => write!(formatter, ", errno {errno}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for EngineError {}

/// What is done with each page of a transaction.
pub type EachPage<'a> = &'a mut dyn FnMut(PageNumber, &[u8]) -> Result<(), EngineError>;

/// A transaction as the owner has it from a session.
pub trait Transaction {
    /// Bytes of its pages. Of a database without pages, this becomes the page size.
    fn page_size_bytes(&self) -> u32;

    /// Size of the database after it, in pages.
    fn size_pages(&self) -> u32;

    /// Calls `each` with every page that was written, in rising order, each once.
    ///
    /// # Errors
    ///
    /// The first error of `each`, or one of reading what was spilled to a file.
    fn for_each(&mut self, each: EachPage<'_>) -> Result<(), EngineError>;
}

/// One database, opened by the one process that owns it.
///
/// 1. A pinned version can be read until it is unpinned as often as it was pinned.
/// 2. Between [`Engine::reserve`] that answered [`Reserved::At`] and [`Engine::release`] or
///    [`Engine::commit`] nobody else commits.
/// 3. What [`Engine::newest`] and [`Engine::reserve`] return never decreases.
pub trait Engine {
    /// The newest committed version. Looks for commits of stock apps at this very moment.
    ///
    /// # Errors
    ///
    /// As SQLite's when a read transaction cannot begin.
    fn newest(&mut self) -> Result<Version, EngineError>;

    /// Holds a version so that it can be read: the newest, or one that is pinned already.
    ///
    /// # Errors
    ///
    /// `SQLITE_ERROR_SNAPSHOT` where the version is gone; SQLite's own.
    fn pin(&mut self, version: Version) -> Result<(), EngineError>;

    /// Gives one [`Engine::pin`] back. One too many changes nothing.
    fn unpin(&mut self, version: Version);

    /// Size and shape at a pinned version.
    ///
    /// # Errors
    ///
    /// `SQLITE_ERROR_SNAPSHOT` where the version is not pinned.
    fn shape(&self, version: Version) -> Result<Shape, EngineError>;

    /// The pages that differ between two versions, `since < until`.
    fn changes(&self, since: Version, until: Version) -> Changes;

    /// Appends `count` pages from `first` on, as they are at a pinned version, to `into`. Stops
    /// before the end of the database; appends whole pages only. The lock-byte page reads as zeros.
    ///
    /// # Errors
    ///
    /// `SQLITE_ERROR_SNAPSHOT` where the version is not pinned; SQLite's own.
    fn read(
        &mut self,
        version: Version,
        first: PageNumber,
        count: u32,
        into: &mut Vec<u8>,
    ) -> Result<(), EngineError>;

    /// Asks for SQLite's write lock, without waiting. Nothing happens where it is held already.
    ///
    /// # Errors
    ///
    /// SQLite's own, other than BUSY.
    fn reserve(&mut self) -> Result<Reserved, EngineError>;

    /// Gives the write lock back, without a change. Nothing happens where it is not held.
    fn release(&mut self);

    /// Commits, with the write lock held, and gives the lock back whatever comes of it. The log is
    /// not synced. Page 1 is checked before anything is touched.
    ///
    /// # Errors
    ///
    /// `SQLITE_READONLY` for a page 1 that would break the file, `SQLITE_FULL`, `SQLITE_IOERR_*`.
    fn commit(&mut self, transaction: &mut dyn Transaction) -> Result<Version, EngineError>;

    /// Holds the newest version, if it is pinned, so that the log can be begun anew: by a reader
    /// that does not need the log, where all of it is in the database file.
    fn renew(&mut self);

    /// Whether stock apps may have the database open. In doubt they have.
    fn has_company(&self) -> bool;

    /// Bytes of the log's file.
    fn log_bytes(&self) -> u64;

    /// Bytes of it that are in use: up to the last frame of the newest known version.
    fn log_used_bytes(&self) -> u64;

    /// Opens what the path names now, after another file was put there. No version is pinned, and
    /// their numbers go on. Where nothing is there, `access` says whether a database is made.
    ///
    /// # Errors
    ///
    /// As when a database is opened first.
    fn reopen(&mut self, access: Access) -> Result<(), EngineError>;

    /// Whether the path still names the file that is open.
    ///
    /// # Errors
    ///
    /// That of looking, other than that nothing is there.
    fn is_in_place(&self) -> Result<bool, EngineError>;
}
