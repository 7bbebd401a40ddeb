//! What was seen of a database.

use super::wal_scan::WalScan;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::header::{Header, HeaderFault};
use tombolo_core::sqlite::journal::{JournalContent, SuperJournalName};
use tombolo_core::sqlite::wal::WalHeaderFault;
use tombolo_core::sqlite::wal_index::{Agreement, WalIndex, WalIndexFault};
use tombolo_os::read::{Kind, Status};

/// Everything that was seen of one database.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The path that was asked about.
    pub path: PathBuf,
    /// The same without symbolic links. SQLite resolves them, so the sidecars stand beside this.
    pub resolved: PathBuf,
    /// Owner, size and links of the database; `None` where there is none or it cannot be seen.
    pub status: Option<Status>,
    /// When a name in the directory was made or removed last, as far as it can be seen.
    pub directory_modified: Option<SystemTime>,
    /// What the file is.
    pub content: Content,
    /// Whether another process of this kernel writes into the database or is about to: it holds a
    /// lock that readers do not take. A journal is then in use.
    pub writer: Presence,
    /// The `-wal`.
    pub wal: Sidecar<WalContent>,
    /// The `-shm`.
    pub wal_index: Sidecar<WalIndexFacts>,
    /// The `-journal`.
    pub journal: Sidecar<JournalFacts>,
    /// Whether the files were at rest.
    pub stability: Stability,
}

/// Whether files were seen at rest, so that what looks wrong is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// Nothing looked wrong, or it went on looking so while nothing moved and nobody held a lock to
    /// write.
    Settled,
    /// Something looked wrong, and a program was at work, or time ran out.
    Moving,
}

impl Facts {
    /// The path of a sidecar.
    #[must_use]
    pub fn sidecar_path(&self, kind: SidecarKind) -> PathBuf {
        kind.path_beside(&self.resolved)
    }

    /// The header, where it is one that SQLite would open.
    #[must_use]
    pub fn header(&self) -> Option<&Header> {
        match &self.content {
            Content::Header(header) => Some(header),
            _ => None,
        }
    }

    /// What stands at the three sidecar names and whose it is.
    #[must_use]
    pub fn sidecar_statuses(&self) -> Vec<(SidecarKind, Status)> {
        let statuses = [
            (SidecarKind::Wal, self.wal.status()),
            (SidecarKind::WalIndex, self.wal_index.status()),
            (SidecarKind::Journal, self.journal.status()),
        ];
        statuses.into_iter().filter_map(|(kind, status)| Some((kind, status?))).collect()
    }
}

/// Which sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidecarKind {
    /// The write-ahead log.
    Wal,
    /// The wal-index.
    WalIndex,
    /// The rollback journal.
    Journal,
}

impl SidecarKind {
    /// All three.
    pub const ALL: [SidecarKind; 3] =
        [SidecarKind::Wal, SidecarKind::WalIndex, SidecarKind::Journal];

    /// What its name ends with.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            SidecarKind::Wal => "-wal",
            SidecarKind::WalIndex => "-shm",
            SidecarKind::Journal => "-journal",
        }
    }

    /// Its path beside a database.
    #[must_use]
    pub fn path_beside(self, database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(self.suffix());
        PathBuf::from(name)
    }
}

/// What a database file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There is none.
    Missing,
    /// It has no bytes, or one, which SQLite takes for none.
    Empty,
    /// A header that SQLite would open.
    Header(Header),
    /// Another content.
    Damaged(HeaderFault),
    /// Not a regular file.
    NotRegular(Kind),
    /// It could not be read.
    Unreadable(Errno),
}

/// Whether a process of this kernel holds a lock. Those of other kernels may be invisible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// One does.
    Somebody,
    /// None does.
    Nobody,
    /// The kernel did not say.
    Unknown,
}

/// What stands at the name of a sidecar.
#[derive(Clone, Debug)]
pub enum Sidecar<T> {
    /// Nothing.
    Absent,
    /// A regular file.
    Present {
        /// Owner and size.
        status: Status,
        /// What was read of it.
        content: T,
    },
    /// Something else, such as a directory.
    NotRegular(Kind),
    /// It could not be read.
    Unreadable(Errno),
}

impl<T> Sidecar<T> {
    /// What was read of it.
    #[must_use]
    pub fn content(&self) -> Option<&T> {
        match self {
            Sidecar::Present { content, .. } => Some(content),
            _ => None,
        }
    }

    /// Owner and size.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Sidecar::Present { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// What a `-wal` is.
#[derive(Clone, Copy, Debug)]
pub enum WalContent {
    /// No bytes: a checkpoint truncated it, or it is new.
    Empty,
    /// A log.
    Log(WalScan),
    /// SQLite takes it for empty, or refuses it.
    Damaged(WalHeaderFault),
}

impl WalContent {
    /// The log.
    #[must_use]
    pub fn log(&self) -> Option<&WalScan> {
        match self {
            WalContent::Log(scan) => Some(scan),
            _ => None,
        }
    }
}

/// What was read of a `-shm`.
#[derive(Clone, Debug)]
pub struct WalIndexFacts {
    /// Its content.
    pub content: WalIndexContent,
    /// Whether some process of this kernel holds the dead man's switch, so that it is in use.
    pub users: Presence,
    /// Whether one holds any lock exclusively: it appends to the log, checkpoints, recovers, or has
    /// just made the file.
    pub writer: Presence,
}

/// What a `-shm` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalIndexContent {
    /// Not initialised, or truncated: the next to open the database builds it anew.
    Unbuilt(WalIndexFault),
    /// Wrong each time it was read.
    Inconsistent(WalIndexFault),
    /// Whole.
    Whole {
        /// What it says.
        index: WalIndex,
        /// How it fits the log; `None` without a log, or where it moved each time it was read.
        agreement: Option<Agreement>,
    },
}

/// What was read of a `-journal`.
#[derive(Clone, Debug)]
pub struct JournalFacts {
    /// What the next opener will do with it.
    pub content: JournalContent,
    /// The super-journal that it names, if it is hot.
    pub super_journal: Option<SuperJournal>,
}

/// A super-journal that a hot journal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SuperJournal {
    /// It exists: the transaction over several databases is to be rolled back.
    Exists(SuperJournalName),
    /// It is gone: SQLite takes the transaction for committed and throws the journal away.
    Gone(SuperJournalName),
    /// Whether it exists could not be seen.
    Unseen(SuperJournalName, Errno),
}

impl SuperJournal {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &SuperJournalName {
        match self {
            SuperJournal::Exists(name)
            | SuperJournal::Gone(name)
            | SuperJournal::Unseen(name, _) => name,
        }
    }
}
