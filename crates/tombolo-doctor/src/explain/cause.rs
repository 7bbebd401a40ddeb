//! The stable names of causes.

use serde::{Serialize, Serializer};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The stable name of a cause, as `tombolo explain` prints it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum CauseCode { $($(#[$doc])* $variant,)* }

        impl CauseCode {
            /// Every cause that can be named.
            pub const ALL: &'static [CauseCode] = &[$(CauseCode::$variant,)*];

            /// The stable name, as it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(CauseCode::$variant => $name,)* }
            }

            /// The cause of this stable name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == name)
            }
        }
    };
}

causes! {
    /// A WAL database on a file system whose server is elsewhere, one client at a time.
    WalOverRemote = "WAL_OVER_REMOTE",
    /// Writable shared maps are refused.
    MmapRefused = "MMAP_REFUSED",
    /// Programs of two or more kernels open one file.
    MultiKernel = "MULTI_KERNEL",
    /// SMB refuses the step from a SHARED to an EXCLUSIVE lock.
    SmbLockUpgrade = "SMB_LOCK_UPGRADE",
    /// The file system does not implement byte-range locks.
    LocksUnsupported = "LOCKS_UNSUPPORTED",
    /// The lock service of NFS is missing, stale or unreachable.
    NfsLockService = "NFS_LOCK_SERVICE",
    /// Shared maps are accepted, but differ from what read and write see.
    MmapIncoherent = "MMAP_INCOHERENT",
    /// The application, a sandbox, an old SQLite, a missing directory for temporary files.
    NotFilesystem = "NOT_FS",
    /// Locks and syncs work, but take too long.
    Latency = "LATENCY",
    /// The text lacks the facts on which an answer turns.
    NeedsFacts = "NEEDS_FACTS",
    /// `-wal` or `-shm` was separated from the database, or deleted under it.
    SidecarSplit = "SIDECAR_SPLIT",
    /// An owner, a mode or a path is wrong.
    PermissionOrPath = "PERMISSION_OR_PATH",
    /// An option hides the failure of locks, and with it the exclusion.
    LocksMasked = "LOCKS_MASKED",
    /// A bucket mounted as a directory.
    ObjectStore = "OBJECT_STORE",
    /// An open handle has outlived the mount or the file it pointed to.
    StaleHandle = "STALE_HANDLE",
    /// A WAL database is read where `-shm` cannot be created.
    ReadOnlyWal = "RO_WAL",
    /// Nothing is wrong.
    Healthy = "HEALTHY",
    /// A bug inside one file system or kernel.
    VendorBug = "VENDOR_FS_BUG",
}

impl CauseCode {
    /// What it means, as the opening of a sentence for people.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            CauseCode::WalOverRemote => {
                "A WAL database lies on a file system whose server is another machine"
            }
            CauseCode::MmapRefused => {
                "The file system refuses the shared memory map that WAL mode needs"
            }
            CauseCode::MultiKernel => {
                "Programs of more than one kernel open the same database file"
            }
            CauseCode::SmbLockUpgrade => {
                "SMB refuses the lock upgrade that SQLite needs for every write"
            }
            CauseCode::LocksUnsupported => "The file system does not support byte-range locks",
            CauseCode::NfsLockService => "The lock service of the NFS mount does not answer",
            CauseCode::MmapIncoherent => {
                "The file system shows different bytes through a memory map and through read"
            }
            CauseCode::NotFilesystem => "Nothing points at the file system",
            CauseCode::Latency => "Storage works, but answers too slowly",
            CauseCode::NeedsFacts => "The text does not tell enough to name a cause",
            CauseCode::SidecarSplit => {
                "The -wal or -shm file was separated from the database it belongs to"
            }
            CauseCode::PermissionOrPath => "An owner, a mode or a path is wrong",
            CauseCode::LocksMasked => {
                "Locks are switched off or kept local, so that nothing excludes other writers"
            }
            CauseCode::ObjectStore => "The directory is a bucket of an object store",
            CauseCode::StaleHandle => "An open handle has outlived its mount or file",
            CauseCode::ReadOnlyWal => {
                "A WAL database is read from a place where its -shm file cannot be created"
            }
            CauseCode::Healthy => "Nothing is wrong here",
            CauseCode::VendorBug => "A bug of this file system or kernel is likely",
        }
    }
}

impl Serialize for CauseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
