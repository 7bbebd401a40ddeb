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
/// else the kernel decides on them.
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
    /// By the rules, but a shared lock cannot be made exclusive by its holder, as on SMB.
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

/// Kinds of calls that can be made to hang.
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
