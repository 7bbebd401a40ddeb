//! The faults, as data: what happens, to which journal mode, from when on.

use crate::preload::Refused;
use nix::errno::Errno;

/// How a database keeps its journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    /// `journal_mode=WAL`.
    Wal,
    /// `journal_mode=DELETE`.
    Delete,
}

impl Journal {
    pub(super) fn mode(self) -> &'static str {
        match self {
            Journal::Wal => "WAL",
            Journal::Delete => "DELETE",
        }
    }
}

/// From when on a fault is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// The program's first call. There is no database yet.
    NewDatabase,
    /// The program's first call. The database is there, in its journal mode, cleanly closed.
    OldDatabase,
    /// The program has written and read, and holds the database open.
    Running,
    /// The program is in a transaction and has written.
    Transaction,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Calls are refused, for ever.
    Refuse(&'static [(Refused, &'static str, Errno)]),
    /// Somebody removes the file that has this suffix to the database's name.
    Remove(&'static str),
    /// Another process holds the database in `BEGIN EXCLUSIVE`.
    Hold,
}

/// A fault.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// What a person would call it.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) journal: Journal,
    pub(super) since: Since,
    pub(super) act: Act,
}

/// Faults that are told apart by the same facts, and explained alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The shared map of the wal-index is refused.
    RefusedMap,
    /// No lock can be had, and nobody holds one.
    NoLocks,
    /// The user may not open or write.
    Permission,
    /// Nothing can be written there by anybody, and WAL mode has to.
    ReadOnly,
    /// The disk or the quota is full.
    Full,
    /// The server forgot the file.
    Stale,
    /// The device fails.
    Device,
    /// A sidecar was removed.
    Removed,
    /// Another program holds the lock.
    Held,
}

const fn refuse(
    name: &'static str,
    kind: Kind,
    journal: Journal,
    since: Since,
    calls: &'static [(Refused, &'static str, Errno)],
) -> Fault {
    Fault { name, kind, journal, since, act: Act::Refuse(calls) }
}

const DATABASE_STALE: &[(Refused, &str, Errno)] = &[
    (Refused::Stat, "app.db", Errno::ESTALE),
    (Refused::Lock, "app.db", Errno::ESTALE),
    (Refused::Read, "app.db", Errno::ESTALE),
    (Refused::Write, "app.db", Errno::ESTALE),
    (Refused::Sync, "app.db", Errno::ESTALE),
];

const SIDECARS_STALE: &[(Refused, &str, Errno)] = &[
    (Refused::Lock, "-shm", Errno::ESTALE),
    (Refused::Read, "-wal", Errno::ESTALE),
    (Refused::Write, "-wal", Errno::ESTALE),
    (Refused::Sync, "-wal", Errno::ESTALE),
];

const NOTHING_WRITABLE: &[(Refused, &str, Errno)] = &[
    (Refused::OpenWrite, "app.db", Errno::EROFS),
    (Refused::OpenWrite, "app.db-wal", Errno::EROFS),
    (Refused::OpenWrite, "app.db-shm", Errno::EROFS),
    (Refused::OpenWrite, "app.db-journal", Errno::EROFS),
];

/// Every fault, in the order in which they are recorded.
#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    refuse("map of -shm refused with EINVAL", Kind::RefusedMap, Journal::Wal, Since::NewDatabase,
        &[(Refused::Map, "-shm", Errno::EINVAL)]),
    refuse("map of -shm refused with ENODEV", Kind::RefusedMap, Journal::Wal, Since::NewDatabase,
        &[(Refused::Map, "-shm", Errno::ENODEV)]),
    refuse("locks refused with ENOLCK", Kind::NoLocks, Journal::Wal, Since::NewDatabase,
        &[(Refused::Lock, "app.db", Errno::ENOLCK)]),
    refuse("locks refused with ENOLCK", Kind::NoLocks, Journal::Delete, Since::NewDatabase,
        &[(Refused::Lock, "app.db", Errno::ENOLCK)]),
    refuse("open refused with EACCES", Kind::Permission, Journal::Wal, Since::OldDatabase,
        &[(Refused::Open, "app.db", Errno::EACCES)]),
    refuse("open for writing refused with EACCES", Kind::Permission, Journal::Wal,
        Since::OldDatabase, &[(Refused::OpenWrite, "app.db", Errno::EACCES)]),
    refuse("open of -wal refused with EACCES", Kind::Permission, Journal::Wal, Since::OldDatabase,
        &[(Refused::Open, "-wal", Errno::EACCES)]),
    refuse("open of -shm refused with EACCES", Kind::Permission, Journal::Wal, Since::OldDatabase,
        &[(Refused::Open, "-shm", Errno::EACCES)]),
    refuse("open for writing refused with EACCES", Kind::Permission, Journal::Delete,
        Since::OldDatabase, &[(Refused::OpenWrite, "app.db", Errno::EACCES)]),
    refuse("open of -journal refused with EACCES", Kind::Permission, Journal::Delete,
        Since::OldDatabase, &[(Refused::Open, "-journal", Errno::EACCES)]),
    refuse("read-only file system", Kind::ReadOnly, Journal::Wal, Since::OldDatabase,
        NOTHING_WRITABLE),
    refuse("read-only file system", Kind::Permission, Journal::Delete, Since::OldDatabase,
        NOTHING_WRITABLE),
    refuse("write to -wal refused with ENOSPC", Kind::Full, Journal::Wal, Since::Running,
        &[(Refused::Write, "-wal", Errno::ENOSPC)]),
    refuse("write to -journal refused with ENOSPC", Kind::Full, Journal::Delete, Since::Running,
        &[(Refused::Write, "-journal", Errno::ENOSPC)]),
    refuse("write to -wal refused with EDQUOT", Kind::Full, Journal::Wal, Since::Running,
        &[(Refused::Write, "-wal", Errno::EDQUOT)]),
    refuse("write to the database refused with EDQUOT", Kind::Full, Journal::Delete, Since::Running,
        &[(Refused::Write, "app.db", Errno::EDQUOT)]),
    refuse("handle of the database stale (ESTALE)", Kind::Stale, Journal::Wal, Since::Running,
        DATABASE_STALE),
    refuse("handles of -wal and -shm stale (ESTALE)", Kind::Stale, Journal::Wal, Since::Running,
        SIDECARS_STALE),
    refuse("handle of the database stale (ESTALE)", Kind::Stale, Journal::Delete, Since::Running,
        DATABASE_STALE),
    refuse("read of the database fails with EIO", Kind::Device, Journal::Wal, Since::Running,
        &[(Refused::Read, "app.db", Errno::EIO)]),
    refuse("read of the database fails with EIO", Kind::Device, Journal::Delete, Since::Running,
        &[(Refused::Read, "app.db", Errno::EIO)]),
    refuse("write to -wal fails with EIO", Kind::Device, Journal::Wal, Since::Running,
        &[(Refused::Write, "-wal", Errno::EIO)]),
    refuse("write to the database fails with EIO", Kind::Device, Journal::Delete, Since::Running,
        &[(Refused::Write, "app.db", Errno::EIO)]),
    refuse("sync of -wal fails with EIO", Kind::Device, Journal::Wal, Since::Running,
        &[(Refused::Sync, "-wal", Errno::EIO)]),
    refuse("sync of the database fails with EIO", Kind::Device, Journal::Delete, Since::Running,
        &[(Refused::Sync, "app.db", Errno::EIO)]),
    refuse("truncation of -wal fails with EIO", Kind::Device, Journal::Wal, Since::Transaction,
        &[(Refused::Truncate, "-wal", Errno::EIO)]),
    refuse("truncation of the database fails with EIO", Kind::Device, Journal::Delete,
        Since::Transaction, &[(Refused::Truncate, "app.db", Errno::EIO)]),
    Fault { name: "-wal removed under the program", kind: Kind::Removed, journal: Journal::Wal,
        since: Since::Running, act: Act::Remove("-wal") },
    Fault { name: "-journal removed under the program", kind: Kind::Removed,
        journal: Journal::Delete, since: Since::Transaction, act: Act::Remove("-journal") },
    Fault { name: "lock held by another process for ever", kind: Kind::Held, journal: Journal::Wal,
        since: Since::OldDatabase, act: Act::Hold },
    Fault { name: "lock held by another process for ever", kind: Kind::Held,
        journal: Journal::Delete, since: Since::OldDatabase, act: Act::Hold },
];
