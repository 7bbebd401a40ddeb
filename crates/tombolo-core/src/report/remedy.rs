//! Remedies: ways out, and the advice that must not be followed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! remedies {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The stable name of a way out.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RemedyId { $($(#[$doc])* $variant,)* }

        impl RemedyId {
            /// Every way out that Tombolo knows.
            pub const ALL: &'static [RemedyId] = &[$(RemedyId::$variant,)*];

            /// The stable name, as it stands in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(RemedyId::$variant => $name,)* }
            }

            /// The way out of this stable name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|id| id.as_str() == name)
            }
        }
    };
}

remedies! {
    /// Move the database to a local file system.
    MoveLocal = "MOVE_LOCAL",
    /// A named volume of the container tool instead of a bind mount.
    NamedVolume = "NAMED_VOLUME",
    /// A block device (iSCSI, RBD, virtual disk) with a local file system on it.
    BlockVolume = "BLOCK_VOLUME",
    /// Point the app's database setting elsewhere and leave its media where they are.
    SplitDatabaseFromMedia = "SPLIT_DB_FROM_MEDIA",
    /// WAL with a heap wal-index in one process: `vfs=unix-excl`, or EXCLUSIVE first.
    OneProcessWal = "ONE_PROCESS_WAL",
    /// Leave WAL mode, EXCLUSIVE first; for one kernel.
    LeaveWal = "LEAVE_WAL",
    /// All programs that open the database under one kernel.
    OneKernel = "ONE_KERNEL",
    /// One database for each kernel, host or environment.
    DatabasePerKernel = "DATABASE_PER_KERNEL",
    /// An owner that serves the database to all kernels.
    Serve = "SERVE",
    /// PostgreSQL or MySQL/MariaDB.
    ServerDatabase = "SERVER_DB",
    /// 9p `cache=mmap`, for one kernel.
    NinePCacheMmap = "9P_CACHE_MMAP",
    /// mergerfs `cache.files`.
    MergerfsCacheFiles = "MERGERFS_CACHE_FILES",
    /// Use the branch or pool path below a union file system.
    BranchPath = "BRANCH_PATH",
    /// Lustre `flock`.
    LustreFlock = "LUSTRE_FLOCK",
    /// Start or unblock the NFS lock service, or use NFSv4.
    NfsLockService = "NFS_LOCK_SERVICE",
    /// Remove options that mask locks or turn stalls into errors: `nolock`, `nobrl`, `soft`.
    DropMaskingOption = "DROP_MASKING_OPTION",
    /// Another protocol: virtiofs, NFS, SMB.
    OtherProtocol = "OTHER_PROTOCOL",
    /// Mount the directory, not the single file.
    MountDirectory = "MOUNT_DIRECTORY",
    /// Correct owner, mode or mount of the directory.
    FixOwnership = "FIX_OWNERSHIP",
    /// Correct a path.
    FixPath = "FIX_PATH",
    /// Free space, or raise the quota.
    FreeSpace = "FREE_SPACE",
    /// Remount: the handle or the mount is stale or hung.
    Remount = "REMOUNT",
    /// Read from a snapshot or a copy.
    SnapshotCopy = "SNAPSHOT_COPY",
    /// Copy the set of files first, then examine the copy.
    RescueCopy = "RESCUE_COPY",
    /// A busy time-out and shorter transactions.
    BusyTimeout = "BUSY_TIMEOUT",
    /// Faster storage below the database, or fewer syncs.
    TuneStorage = "TUNE_STORAGE",
    /// No `PRAGMA mmap_size` on a share.
    MmapOff = "MMAP_OFF",
    /// Stop whatever deletes sidecar files.
    KeepSidecars = "KEEP_SIDECARS",
    /// Use a SQLite that has the fix.
    UpgradeSqlite = "UPGRADE_SQLITE",
    /// Turn on SQLite's own error log and record the failing call.
    DetailedLogging = "DETAILED_LOGGING",
    /// Collect the facts that are missing: mount lines, who else opens.
    CollectFacts = "COLLECT_FACTS",
    /// Nothing is wrong with the file system; look at the application.
    LookAtApplication = "LOOK_AT_APPLICATION",
    /// Keep the live database local and replicate or back it up to the store.
    LocalPlusBackup = "LOCAL_PLUS_BACKUP",
    /// Report to the vendor of the file system or kernel.
    ReportToVendor = "REPORT_TO_VENDOR",
    /// Run the program on the side that owns the file.
    RunWhereFileLives = "RUN_WHERE_FILE_LIVES",
}

impl Serialize for RemedyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RemedyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format!("no way out {name:?}")))
    }
}

/// Whether a way out helps when programs of several kernels open the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Safe only while one kernel opens the file.
    OneKernel,
    /// Safe also when programs of several kernels use the data.
    SeveralKernels,
}

/// A way out, filled in for this machine and path.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Remedy {
    /// The stable name.
    pub id: RemedyId,
    /// What it is, in a few words.
    pub title: String,
    /// Why it helps here.
    pub why: String,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What it costs.
    pub cost: String,
    /// What can go wrong.
    pub risk: String,
    /// How to undo it.
    pub undo: String,
    /// For how many kernels it is safe.
    pub reach: Reach,
}

/// One step: a sentence, and the exact command or configuration lines where there are any.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Step {
    /// What to do.
    pub text: String,
    /// The command or configuration lines, ready to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Step {
    /// A step that is only a sentence.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Step { text: text.into(), code: None }
    }

    /// A step with a command or configuration lines.
    #[must_use]
    pub fn code(text: impl Into<String>, code: impl Into<String>) -> Self {
        Step { text: text.into(), code: Some(code.into()) }
    }
}

/// Advice that is passed around and loses data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Warning {
    /// The advice, as people meet it.
    pub advice: String,
    /// What it does in truth.
    pub why: String,
}
