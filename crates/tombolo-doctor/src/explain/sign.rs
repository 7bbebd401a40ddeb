//! What a report can tell: the alphabet in which the rules are written.

use serde::Serialize;

/// A kind of file system, as coarse as the rules need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSystem {
    /// NFS of any version, cloud services that speak it included.
    Nfs,
    /// SMB or CIFS, Azure Files included.
    Smb,
    /// 9p between a guest and its host.
    NineP,
    /// The 9p of a gVisor sandbox, which is not a share between machines.
    GvisorGofer,
    /// A Windows drive seen from WSL.
    WindowsDriveInWsl,
    /// A file of WSL seen from Windows (`\\wsl$`).
    WslFromWindows,
    /// The own files of WSL. Version 2 keeps them on ext4; version 1 is an emulation of Linux.
    WslOwnFiles,
    /// virtiofs.
    Virtiofs,
    /// The file sharing of a container tool that runs its containers in a VM.
    DesktopShare,
    /// sshfs, reverse-sshfs included.
    Sshfs,
    /// mergerfs.
    Mergerfs,
    /// Unraid's shfs.
    Shfs,
    /// VirtualBox shared folders.
    Vboxsf,
    /// VMware shared folders.
    Vmhgfs,
    /// A shared folder of a hypervisor that is not named.
    HypervisorShare,
    /// A bucket mounted as a directory.
    ObjectStore,
    /// Lustre.
    Lustre,
    /// GlusterFS.
    Gluster,
    /// CephFS.
    CephFs,
    /// Another cluster file system (GPFS, BeeGFS, OrangeFS, MooseFS, AFS, GFS2, OCFS2).
    Cluster,
    /// A folder that a program keeps in step with other machines: Dropbox, OneDrive, Syncthing.
    SyncedFolder,
    /// A share or volume of which only that is told.
    UnnamedShare,
    /// The portal through which sandboxed desktop apps see files.
    DocumentPortal,
    /// A FUSE file system of no other kind.
    OtherFuse,
    /// NTFS by the ntfs3 driver.
    Ntfs3,
    /// NTFS by ntfs-3g (`fuseblk`).
    NtfsFuse,
    /// exFAT or FAT.
    Fat,
    /// JFFS2.
    Jffs2,
    /// The root of a sandboxing platform.
    SandboxRoot,
    /// A unikernel, or a run-time with a file layer of its own: a browser, a microcontroller.
    Unikernel,
    /// A block device over the network with a local file system on it.
    NetworkBlock,
    /// ZFS, btrfs, bcachefs.
    CopyOnWrite,
    /// ext4, xfs, APFS, NTFS on Windows, tmpfs, a named volume: nobody else reaches it.
    Local,
}

impl FileSystem {
    /// One kernel, real locks and coherent maps.
    pub(crate) const fn is_local(self) -> bool {
        matches!(self, Self::Local | Self::CopyOnWrite | Self::NetworkBlock)
    }

    /// Another machine serves the files.
    pub(crate) const fn is_remote(self) -> bool {
        matches!(
            self,
            Self::Nfs
                | Self::Smb
                | Self::Lustre
                | Self::Gluster
                | Self::CephFs
                | Self::Cluster
                | Self::UnnamedShare
        )
    }

    /// A host serves the files to a guest on the same machine.
    pub(crate) const fn is_vm_share(self) -> bool {
        matches!(
            self,
            Self::NineP
                | Self::WindowsDriveInWsl
                | Self::Virtiofs
                | Self::DesktopShare
                | Self::Vboxsf
                | Self::Vmhgfs
                | Self::HypervisorShare
        )
    }

    /// Known to refuse writable shared maps in its usual settings.
    pub(crate) const fn often_refuses_maps(self) -> bool {
        matches!(
            self,
            Self::NineP
                | Self::Mergerfs
                | Self::Vboxsf
                | Self::Ntfs3
                | Self::Jffs2
                | Self::SandboxRoot
        )
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nfs => "NFS",
            Self::Smb => "SMB",
            Self::NineP => "9p",
            Self::GvisorGofer => "the 9p of a gVisor sandbox",
            Self::WindowsDriveInWsl => "a Windows drive in WSL",
            Self::WslFromWindows => "WSL files seen from Windows",
            Self::WslOwnFiles => "the own files of WSL",
            Self::Virtiofs => "virtiofs",
            Self::DesktopShare => "the file sharing of a container VM",
            Self::Sshfs => "sshfs",
            Self::Mergerfs => "mergerfs",
            Self::Shfs => "Unraid's shfs",
            Self::Vboxsf => "a VirtualBox shared folder",
            Self::Vmhgfs => "a VMware shared folder",
            Self::HypervisorShare => "a shared folder of a hypervisor",
            Self::ObjectStore => "an object store",
            Self::Lustre => "Lustre",
            Self::Gluster => "GlusterFS",
            Self::CephFs => "CephFS",
            Self::Cluster => "a cluster file system",
            Self::SyncedFolder => "a folder that is kept in step with other machines",
            Self::UnnamedShare => "a share that is not named",
            Self::DocumentPortal => "the document portal",
            Self::OtherFuse => "a FUSE file system",
            Self::Ntfs3 => "NTFS (ntfs3)",
            Self::NtfsFuse => "NTFS (fuseblk)",
            Self::Fat => "exFAT or FAT",
            Self::Jffs2 => "JFFS2",
            Self::SandboxRoot => "the root of a sandbox",
            Self::Unikernel => "a file layer of a run-time's own",
            Self::NetworkBlock => "a network block device",
            Self::CopyOnWrite => "a copy-on-write file system",
            Self::Local => "a local file system",
        }
    }
}

/// One thing that a passage says, besides codes, system calls and file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// NFS of version 4, on which `nolock` has no effect.
    NfsVersion4,
    /// NFS of version 2 or 3.
    NfsVersion3,
    /// NFS served by a program outside the kernel.
    UserSpaceNfsServer,
    /// A 9p, virtiofs or FUSE mount without page cache, or with direct I/O.
    NoPageCache,
    /// A 9p mount with a page cache.
    PageCache,
    /// `nolock`.
    NoLock,
    /// `nobrl`.
    NoByteRangeLocks,
    /// `local_lock`, `locallocks`, `localflock`.
    LocalLocks,
    /// A server or translator that acknowledges writes against locks.
    WriteBehind,
    /// An NFS mount that gives up.
    SoftMount,
    /// Lustre without `flock`, or any policy against locks.
    FlockOff,
    /// Read-only mount, image or directory.
    ReadOnlyPlace,
    /// The program opens the database only to read.
    ReadOnlyOpen,
    /// `PRAGMA mmap_size` above zero.
    MmapSize,
    /// WAL mode.
    Wal,
    /// A rollback journal.
    Rollback,
    /// A database that was in WAL mode before it came to this place.
    PremadeWal,
    /// The pragma answered `wal`, and a later access failed.
    PragmaLied,
    /// "database is locked" is the answer to the switch to WAL.
    BusyAtWal,
    /// EXCLUSIVE locking mode.
    ExclusiveMode,
    /// No error, or the words that all is well.
    Works,
    /// A check of integrity passed.
    CheckPassed,
    /// A verdict on a set-up is asked for.
    VerdictAsked,
    /// Corruption.
    Corrupt,
    /// Committed rows vanished, or old data were read.
    LostData,
    /// A file shows an old size, zeros or old bytes.
    StaleContent,
    /// A file of zero bytes that cannot be written.
    EmptyDatabase,
    /// A hang, or waits of many seconds.
    Hang,
    /// Slowness.
    Slow,
    /// A sync, or the storage as a whole, stalls.
    StorageStall,
    /// A slow kind of storage.
    SlowStorage,
    /// A disk that can go away under a map: external, removable, asleep. Windows, which lets nobody
    /// cut a mapped file short, reports a page in error only then.
    RemovableDisk,
    /// SIGBUS or a fault in a mapped page.
    MappedPageFault,
    /// A file opens on one side and not on the other.
    WorksOnlyOutside,
    /// It works for minutes and then fails until something is restarted.
    FailsAfterWhile,
    /// It fails until the machine is rebooted.
    RebootCures,
    /// A handle or mount that is stale.
    Stale,
    /// Lock service words: lockd, statd, rpcbind.
    LockService,
    /// Locks answered by "no".
    LocksRefused,
    /// A shared map that failed, in words.
    MapFailed,
    /// Shared maps are spoken of, whether or not they work.
    MapsSpokenOf,
    /// A file was there and is no more: an I/O error that says ENOENT.
    FileWentAway,
    /// "disk I/O error" is the answer to the switch to WAL.
    IoErrorAtWal,
    /// A single database file is mounted.
    SingleFileMount,
    /// `-wal` or `-shm` was deleted, replaced or left behind.
    SidecarsGone,
    /// An owner or mode does not fit.
    OwnerMismatch,
    /// A path is wrong.
    WrongPath,
    /// "permission denied".
    PermissionDenied,
    /// A policy of a sandbox forbids something.
    SandboxPolicy,
    /// It began with a new version of the program.
    SinceUpgrade,
    /// A defect of the program itself.
    ProgramDefect,
    /// A statement or a call of the API is wrong, a constraint does its work, memory runs out.
    SqlError,
    /// A host that runs Linux containers in a VM: macOS or Windows.
    DesktopHost,
    /// A directory for temporary files is missing.
    NoTemporaryDirectory,
    /// The disk or the quota is full.
    DiskFull,
    /// A bug of a kernel or file system, in words.
    KernelBug,
    /// It came or went with a version of what provides the file system.
    PlatformChanged,
    /// It came or went with a version of the SQLite library or its driver.
    DriverChanged,
    /// A kernel older than Linux 3.15, which has no open-file-description locks.
    OldKernel,
    /// It went away with an option that keeps locks from the server.
    CuredWithoutLocks,
    /// An option that keeps locks from the server is asked for.
    WithoutLocksWanted,
    /// It went away with a page cache for the mount.
    CuredByPageCache,
    /// It went away with another owner, mode or user.
    CuredByOwner,
    /// It goes away with `immutable=1`.
    Immutable,
    /// Data go with the container, and the path is relative or no volume is mounted.
    LostWithContainer,
    /// It works in the end, and takes long.
    WorksSlowly,
    /// EINVAL, of whatever call.
    InvalidArgument,
    /// A pool of connections or an object mapper that has one.
    ConnectionPool,
    /// It fails at once, or for every new file.
    FailsAtOnce,
    /// The inode of an open file changes.
    InodeChanged,
    /// Nobody else has the file open.
    LoneProcess,
    /// An error is spoken of, whichever.
    ErrorNamed,
    /// Something does not work.
    DoesNotWork,
    /// A file system of flash chips.
    RawFlash,
    /// Another program fails alike, or a fresh copy does.
    SameElsewhere,
    /// A database that came damaged, or lost power.
    DamagedBefore,
    /// A database that was restored, or a snapshot gone back to.
    Restored,
    /// The mount is not told.
    MountNotTold,
    /// Who opens the file is not told, and the text says so.
    OpenersNotTold,
    /// Two layers of user-space file systems.
    StackedFuse,
    /// Programs of several kernels, in one phrase.
    SeveralKernels,
    /// Contention of several processes.
    ManyProcesses,
    /// One process alone.
    OneProcess,
    /// The text speaks of SQLite at all.
    Sqlite,
    /// A container.
    Container,
    /// podman.
    Podman,
    /// Kubernetes.
    Kubernetes,
    /// A write fails that had to succeed.
    DatabaseTrouble,
    /// A store that maps its file by design, such as LMDB or bolt.
    MappedStore,
    /// Owner, mode and path were looked at and are right.
    RightsAreRight,
    /// A program says that its database cannot be written.
    NotWritable,
    /// The file was exchanged while it was open.
    ReplacedWhileOpen,
    /// It goes away when another program of the machine is closed.
    OtherProgramHolds,
    /// It began when a machine was started anew.
    SinceReboot,
    /// A lock is held by nobody that is still there.
    OrphanLock,
    /// The text itself says that nothing is wrong: a false alarm, only a warning.
    Cleared,
    /// SQLite's own check passed, and the program goes on as it should.
    FoundSound,
    /// A version of SQLite that is older than what it reads.
    OldLibrary,
    /// Which of Unraid's two paths it is, user share or disk.
    PoolPathTold,
    /// The program was switched to WAL by a new version.
    WalSinceVersion,
    /// A driver for a file system that is neither the kernel's nor the server's maker's.
    ForeignDriver,
    /// `nolock=1` in the URI, or a VFS without locks: SQLite itself takes none.
    NoLockUri,
    /// The lock service of NFS is said to be up.
    LockServiceRuns,
    /// Another local file system on the same disk does well under the same load.
    OtherLocalClean,
    /// It comes and goes: what never works is not the cause.
    Intermittent,
    /// The text says by itself that there is no error at present.
    NoErrorNow,
    /// Each request takes the same long time, as long as a time-out.
    ConstantWait,
    /// A doubt about a set-up in which nothing has failed.
    DoubtOnly,
    /// Storage or network is under load, or rebuilds itself.
    Loaded,
    /// The server is far: a VPN, a slow link, many round trips.
    FarServer,
    /// It goes away with a longer time-out.
    CuredByPatience,
    /// It goes away when the load does.
    CuredByQuiet,
    /// One program reads back other bytes than it wrote.
    ReadsBackWrong,
    /// The same program was run on another file system, and only there does it do well.
    ComparedElsewhere,
    /// Two kinds of place are both thought possible.
    PlaceInDoubt,
    /// A directory stands where the file is expected.
    DirectoryForFile,
    /// A URL of a database whose path is relative where it looks absolute.
    RelativeUrl,
    /// The same error comes on a local disk.
    FailsLocallyToo,
    /// A schema that this version of SQLite cannot parse.
    SchemaNotParsed,
    /// It came or went with a version of the program itself.
    ProgramVersion,
    /// A setting of the program decides, and none of the mount or the journal.
    SettingDecides,
    /// The program opens and closes its file beside SQLite, which drops SQLite's locks.
    RawAccess,
    /// Two builds of a program, or of SQLite in it, use one file and do not agree.
    BuildsDiffer,
    /// A module or library of the program is missing or does not fit.
    ProgramPart,
    /// Facts were asked for, and the answer is not there.
    FactsAskedFor,
    /// The image or the account that a program uses may only be read.
    MayOnlyRead,
    /// A sync of a file or directory that the file system does not have.
    SyncRefused,
    /// Lock requests are answered with success, and nothing is locked.
    LocksIgnored,
    /// A file that stands for a lock could not be made, which is no lock call.
    LockFileNotMade,
    /// A host that runs Windows.
    WindowsHost,
}
