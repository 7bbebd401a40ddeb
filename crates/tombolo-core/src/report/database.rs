//! A database file and what stands beside it.

use serde::{Deserialize, Serialize};

/// What was read of a database, without SQLite and without locks.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Database {
    /// Its path.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// The journal mode that the header asks for.
    pub journal_mode: HeaderMode,
    /// Bytes of a page; `None` where the header makes no sense.
    pub page_size_bytes: Option<u32>,
    /// Version number of the library that wrote last, such as `3045001` (header offset 96).
    pub writer_version: Option<u32>,
    /// The WAL, if there is one.
    pub wal: Option<WalSummary>,
    /// The wal-index, if there is one.
    pub wal_index: Option<WalIndexSummary>,
    /// The rollback journal, if there is one.
    pub journal: Option<JournalSummary>,
    /// Programs of this kernel that have it open.
    pub openers: Vec<Opener>,
    /// Codes of the findings about this file.
    pub findings: Vec<crate::finding::Code>,
}

/// Journal mode by header bytes 18 and 19 (file format, section 1.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderMode {
    /// 2/2.
    Wal,
    /// 1/1.
    Rollback,
    /// A file of zero bytes; the first writer decides.
    Empty,
    /// The header is not one of SQLite's, or the two bytes make no sense.
    Unreadable,
}

/// A `-wal` file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WalSummary {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Frames that belong to the current generation (salts and checksums agree).
    pub frames: u64,
    /// Frames up to the last commit.
    pub committed_frames: u64,
    /// Whether summarising stopped early because of its bound.
    pub truncated_scan: bool,
}

/// A `-shm` file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WalIndexSummary {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Whether both copies of the header agree and are whole.
    pub consistent: bool,
    /// Last valid frame in the WAL, by the wal-index.
    pub max_frame: Option<u32>,
    /// Frames already copied into the database.
    pub backfilled_frames: Option<u32>,
}

/// A `-journal` file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct JournalSummary {
    /// Size in bytes.
    pub size_bytes: u64,
    /// What the next opener will do with it.
    pub state: JournalState,
    /// The super-journal that it names, if any.
    pub super_journal: Option<String>,
}

/// What a `-journal` file means to the next opener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalState {
    /// Empty, or its header was zeroed: nothing happens.
    Cold,
    /// Would be played back unless a live process holds RESERVED.
    Hot,
    /// The header is not a journal's.
    Unreadable,
}

/// A program of this kernel that has the database open.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Opener {
    /// Process id.
    pub pid: i32,
    /// Program name.
    pub program: String,
    /// Whether it may write through its descriptor.
    pub writable: bool,
    /// Its container, if it is in one.
    pub container: Option<String>,
    /// Locks it holds on the database, in the words of SQLite (SHARED, RESERVED, ...).
    pub locks: Vec<String>,
    /// SQLite version found in its modules, if one was.
    pub sqlite_version: Option<String>,
}
