//! The stable codes of findings.
//!
//! A code never changes its meaning and is never used again. Its page under `docs/codes/` is the
//! manual, printed by `tombolo codes CODE`; `cargo xtask tidy` holds every code to having a page
//! and a test.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

macro_rules! codes {
    ($($variant:ident = $code:literal: $title:literal,)*) => {
        /// The code of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $title] $variant,)* }

        impl Code {
            /// Every code, in the order of the manual.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable name, such as `TMB-MMAP-001`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// What it says, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$variant => $title,)* }
            }

            /// Its manual page, in Markdown.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self {
                    $(Code::$variant => include_str!(
                        concat!("../../../docs/codes/", $code, ".md")
                    ),)*
                }
            }
        }
    };
}

codes! {
    SharedMapRefused = "TMB-MMAP-001": "shared memory maps are refused",
    SharedMapIncoherent = "TMB-MMAP-002": "shared maps and file reads show different bytes",
    LocksUnsupported = "TMB-LOCK-001": "byte-range locks are not supported",
    LockServiceMissing = "TMB-LOCK-002": "the lock service does not answer",
    LockUpgradeRefused = "TMB-LOCK-003": "the step from SHARED to EXCLUSIVE is refused",
    LocksNotExclusive = "TMB-LOCK-004": "two processes were granted the same lock",
    LockQueryUntrue = "TMB-LOCK-005": "asking for a lock's holder gives a wrong answer",
    LocksMasked = "TMB-LOCK-006": "a mount option hides locks from everyone else",
    LocksStayLocal = "TMB-LOCK-007": "locks are not carried to the other kernels",
    SeveralKernels = "TMB-KERN-001": "more than one kernel can reach this path",
    ExclusiveCreateNotAtomic = "TMB-FILE-001": "exclusive creation is not exclusive",
    RenameNotAtomic = "TMB-FILE-002": "rename over an open file misbehaves",
    UnlinkedFileLost = "TMB-FILE-003": "an open file does not survive its unlinking",
    FileSizeStale = "TMB-FILE-004": "a second process sees a stale size or content",
    HardLinkRefused = "TMB-FILE-005": "hard links are refused",
    FileSyncFails = "TMB-SYNC-001": "fsync fails",
    FileSyncTooFast = "TMB-SYNC-002": "fsync returns faster than any disk could",
    DirectorySyncFails = "TMB-SYNC-003": "directories cannot be synced",
    SlowStorage = "TMB-PERF-001": "locks or syncs take so long that SQLite's time-outs are at risk",
    ReadOnly = "TMB-PATH-001": "the path is read-only",
    NotWritable = "TMB-PATH-002": "the directory may not be written",
    PathMissing = "TMB-PATH-003": "the path, or its parent, does not exist",
    SingleFileMount = "TMB-PATH-004": "the database file itself is mounted, not its directory",
    NoSpace = "TMB-PATH-005": "the file system is full or over quota",
    MountHung = "TMB-PATH-006": "the mount does not answer",
    MountDeleted = "TMB-PATH-007": "the mounted directory was deleted below its mount",
    StaleHandle = "TMB-PATH-008": "the file handle is stale",
    LookRefused = "TMB-LOOK-001": "something could not be looked at",
    PeerLocksApart = "TMB-PEER-001": "locks of one side are not seen by another",
    PeerDataStale = "TMB-PEER-002": "what one side writes another does not read",
    PeerMapsApart = "TMB-PEER-003": "shared maps of two sides are apart",
    PeerCommitsLost = "TMB-PEER-004": "SQLite on several sides lost acknowledged commits",
    PeerLocksFail = "TMB-PEER-005": "locks fail once two sides use a file",
    PeerNamesLate = "TMB-PEER-006": "another side sees new or removed names late",
    PeerNotExclusive = "TMB-PEER-007": "two sides were both given one new name",
    PeerOneKernel = "TMB-PEER-008": "the sides run under one kernel",
    PeerNotFenced = "TMB-PEER-009": "a replaced file is written by its holder on another side",
    SessionWalFails = "TMB-SQL-001": "stock SQLite fails in WAL mode",
    SessionWalExclusiveFails = "TMB-SQL-002": "stock SQLite fails in exclusive WAL mode",
    SessionUnixExclFails = "TMB-SQL-003": "stock SQLite fails through the VFS unix-excl",
    SessionRollbackFails = "TMB-SQL-004": "stock SQLite fails with a rollback journal",
    SessionCorrupts = "TMB-SQL-005": "stock SQLite damaged its own scratch database",
    WalDatabaseStuck = "TMB-DB-001": "a WAL database stands where WAL cannot be opened",
    HeaderDamaged = "TMB-DB-002": "the header is not one of SQLite's",
    SizeMismatch = "TMB-DB-003": "the file is shorter than its header says",
    WalDamaged = "TMB-DB-004": "the -wal does not belong to the database or is damaged",
    WalIndexInconsistent = "TMB-DB-005": "the -shm does not agree with the -wal",
    JournalHot = "TMB-DB-006": "a hot journal waits to be played back",
    SidecarOrphaned = "TMB-DB-007": "a sidecar file has no database",
    SidecarDeletedOpen = "TMB-DB-008": "a program works on a deleted database or sidecar file",
    SidecarOwnerDiffers = "TMB-DB-009": "a sidecar file belongs to another user",
    SuperJournalMissing = "TMB-DB-010": "the journal names a super-journal that is gone",
    WalLarge = "TMB-DB-011": "the -wal has grown large: checkpoints do not finish",
    DecoyDirectory = "TMB-DB-012": "a directory stands at the name of the -wal",
    WalResetBug = "TMB-VER-001": "a SQLite with the WAL-reset bug has the database open",
    KnownRisk = "TMB-KNOW-001": "this file system is known for a hazard not measured here",
}

impl Code {
    /// The code with this name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format!("no code {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_found_again() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_name(&code.as_str().to_lowercase()), Some(*code));
        }
    }

    #[test]
    fn a_page_begins_with_its_code_and_title() {
        for code in Code::ALL {
            let heading = format!("# {code}: {}\n", code.title());
            assert!(code.page().starts_with(&heading), "{code}");
        }
    }
}
