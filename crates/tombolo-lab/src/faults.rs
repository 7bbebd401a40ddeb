//! The faults that a [`FaultyMount`](crate::FaultyMount) can have. Each is one that a real file
//! system shows; the documentation names one.

use rustix::io::Errno;
use std::time::Duration;

/// What is wrong with a mount. The default is a mount with nothing wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Shared maps.
    pub maps: Maps,
    /// Byte-range locks.
    pub locks: Locks,
    /// `fsync` of files.
    pub syncs: Syncs,
    /// `fsync` of directories.
    pub directory_syncs: Syncs,
    /// What happens to the holder of a file that is unlinked.
    pub unlink: Holders,
    /// What happens to the holder of a file that another is renamed over.
    pub rename: Replacement,
    /// `link`.
    pub links: HardLinks,
    /// Who sees a new size.
    pub sizes: Sizes,
    /// Whether anything can be changed.
    pub writes: Writes,
    /// How long the kernel believes in names and in what `stat` said.
    pub attributes: Kept,
    /// How long the kernel believes that a name is not there.
    pub missing_names: Kept,
    /// Which names a directory shows when it is listed.
    pub listings: Listings,
    /// When the kernel gives up the pages of files that it has read. Where [`Maps`] pass the cache
    /// by, that is said of maps alone.
    pub pages: Pages,
    /// What is found by who opens a name that he remembers and that is gone.
    pub gone: Gone,
    /// When a file that is made is there for the other mount, and what O_EXCL is worth.
    pub creation: Creation,
    /// How far files can grow.
    pub room: Room,
    /// What a crash of the server takes.
    pub unsynced: Unsynced,
    /// How long each kind of call takes.
    pub delays: Delays,
}

/// How files can be mapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Maps {
    /// Through the page cache, as on a local disk.
    #[default]
    Cached,
    /// MAP_SHARED ends in ENODEV, as with `direct_io` of libfuse (`fuse_file_mmap` in
    /// `fs/fuse/file.c`).
    Refused,
    /// Direct I/O with maps allowed (FUSE_DIRECT_IO_ALLOW_MMAP): the kernel keeps the two in step.
    Direct,
    /// The same, but what is written through a map never reaches the server.
    WritesLost,
}

/// Who decides on byte-range locks, and how truly. Those of `flock` are refused or granted alike;
/// else the kernel decides on them. Locks of the server cross from one mount to another of the same
/// server ([`TwoMounts`](crate::TwoMounts)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Locks {
    /// The kernel alone, as for every FUSE server without a lock service of its own.
    #[default]
    Kernel,
    /// The server, by the rules of POSIX.
    Server,
    /// Each call fails: ENOLCK as NFS without its lock service, ENOSYS or EOPNOTSUPP as Lustre
    /// without `flock`.
    Refused(Errno),
    /// Everybody gets every lock, and nobody is ever named as its holder.
    GrantedToAll,
    /// By the rules, but a shared lock cannot be made exclusive by its holder, and every refusal is
    /// EACCES, as on SMB (`cifs_lock_test` in `fs/smb/client/file.c`).
    UpgradeRefused,
    /// By the rules, but F_GETLK names no holder.
    QueryBlind,
}

/// How `fsync` ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syncs {
    /// As the file system below does it.
    #[default]
    Done,
    /// With an error.
    Refused(Errno),
    /// Well, after this time.
    Slow(Duration),
    /// Well, and nothing was done, as with sshfs on a server without `fsync@openssh.com`. What that
    /// loses shows [`Unsynced::Lost`].
    Ignored,
}

/// What an unlinked file is to those who have it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holders {
    /// It lives on.
    #[default]
    Keep,
    /// Every call on it ends in ESTALE, as on NFS when another client unlinks.
    Stale,
}

/// What a file that another was renamed over is to those who have it open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replacement {
    /// The old file.
    #[default]
    OldFile,
    /// The new one, as on servers that know files by path.
    NewFile,
}

/// Whether a file can have two names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HardLinks {
    /// Yes.
    #[default]
    Made,
    /// `link` ends in EPERM, as on exFAT and many servers.
    Refused,
}

/// Who sees that a file has grown or shrunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sizes {
    /// Everybody, at once.
    #[default]
    Shared,
    /// The process that wrote; others only when it closes the file, as on NFS with a long
    /// attribute cache.
    SharedOnClose,
}

/// Whether anything can be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writes {
    /// Yes.
    #[default]
    Allowed,
    /// The mount is read-only, and its options say so.
    RefusedByMount,
    /// The mount says `rw`, but the server answers EROFS, as a read-only NFS export does.
    RefusedByServer,
}

/// How long the kernel of a mount believes what it was told. It learns of its own changes at once,
/// of those by other mounts only when this time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// Not at all: it asks each time.
    #[default]
    Never,
    /// For this time, as on most network file systems.
    For(Duration),
    /// For a day, which is what virtiofsd means by `--cache=always`.
    ForADay,
}

/// Which names a directory shows when it is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listings {
    /// All of them.
    #[default]
    All,
    /// Those that this mount has looked up or made, for ever; the others can be opened by who knows
    /// them, as in an indirect autofs map without `browse` (autofs(5)).
    KnownNames,
}

/// When the kernel gives up the pages of files that it has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pages {
    /// When somebody opens the file, or when it is seen to have another size.
    #[default]
    UntilOpened,
    /// Also when it is seen to have another time of modification (FUSE_AUTO_INVAL_DATA).
    UntilChanged,
    /// When it is seen to have another size, and for nothing else (FOPEN_KEEP_CACHE).
    Kept,
    /// When somebody opens the file and nobody of this mount has it open for writing; and with each
    /// lock that is granted or given back, maps included. This is the close-to-open consistency of
    /// nfs(5).
    UntilLocked,
}

/// What is found by who opens a name that he remembers, when another mount has removed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gone {
    /// The file, as long as the server remembers it.
    #[default]
    Opened,
    /// Nothing. ENOENT from servers that know files by path; ESTALE, after which the kernel asks
    /// for the name again (`do_filp_open` in `fs/namei.c`), from those that know them by number.
    Refused(Errno),
}

/// When a file that is made becomes one for everybody, and so who makes it with O_EXCL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Creation {
    /// At once: of two that make it with O_EXCL, one is refused.
    #[default]
    Exclusive,
    /// When the process that made it closes it, as on object stores. Until then the other mount
    /// does not find it, and makes it as well, O_EXCL or not.
    OnClose,
}

/// How far files can grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Room {
    /// As far as below.
    #[default]
    Unlimited,
    /// By so many bytes in all; then each call that makes a file longer ends in the errno, ENOSPC
    /// or EDQUOT. What is cut off or removed makes room again.
    Bytes(u64, Errno),
}

/// What a crash of the server takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsynced {
    /// Nothing.
    #[default]
    Kept,
    /// The contents of every file since its last `fsync` that did something. Names last at once.
    Lost,
}

/// How long each kind of call takes beyond what it takes below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// See [`Operation::Names`].
    pub names: Duration,
    /// See [`Operation::Attributes`].
    pub attributes: Duration,
    /// See [`Operation::Data`].
    pub data: Duration,
    /// See [`Operation::Syncs`].
    pub syncs: Duration,
    /// See [`Operation::Locks`].
    pub locks: Duration,
    /// See [`Operation::Space`].
    pub space: Duration,
}

impl Delays {
    pub(crate) fn of(&self, operation: Operation) -> Duration {
        match operation {
            Operation::Names => self.names,
            Operation::Attributes => self.attributes,
            Operation::Data => self.data,
            Operation::Syncs => self.syncs,
            Operation::Locks => self.locks,
            Operation::Space => self.space,
        }
    }
}

/// Kinds of calls that can be made to hang or to take their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Finding, making, renaming and removing names.
    Names,
    /// `stat`, `chmod`, `truncate`.
    Attributes,
    /// Opening, reading, writing, closing.
    Data,
    /// `fsync`.
    Syncs,
    /// Locks that the server decides on.
    Locks,
    /// `statfs`.
    Space,
}

impl Operation {
    /// All of them: a server that is gone.
    pub const ALL: &'static [Operation] = &[
        Operation::Names,
        Operation::Attributes,
        Operation::Data,
        Operation::Syncs,
        Operation::Locks,
        Operation::Space,
    ];
}
