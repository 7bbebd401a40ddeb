//! What one program holds of one database.

use super::DatabaseFiles;
use crate::topology::container;
use std::collections::BTreeSet;
use std::path::Path;
use tombolo_core::locktable::{Lock, lock_names};
use tombolo_core::report::Opener;
use tombolo_core::sqlite::lock_bytes::LockedFile;
use tombolo_core::sqlite::source_id::SourceId;
use tombolo_os::container::Signs;
use tombolo_os::process::{self, Held, NameState, OpenMode};

/// A program, and its descriptors that have to do with a database.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) pid: i32,
    pub(crate) program: String,
    pub(crate) container: Option<String>,
    pub(crate) database: Vec<Held>,
    pub(crate) wal_index: Vec<Held>,
    /// Deleted files that bear the name of the database, its `-wal` or its `-shm`.
    pub(crate) deleted: Vec<Held>,
    /// Locks of a program whose descriptors cannot be seen.
    pub(crate) locks: Vec<(LockedFile, Lock)>,
    /// The copies of SQLite in its memory; empty where none was found.
    pub(crate) sqlite: Vec<SourceId>,
}

/// How sure it is that a file is the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Database,
    WalIndex,
    /// Another file at its name.
    Replaced,
    /// None of its files.
    Foreign,
}

impl Holding {
    /// `matching` tells which file stands behind a descriptor. `None` if none of them matters.
    ///
    /// The names of program and container stay empty: see [`Holding::describe`].
    pub(crate) fn of(pid: i32, held: &[Held], matching: &dyn Fn(&Held) -> Match) -> Option<Self> {
        let (mut database, mut wal_index) = (Vec::new(), Vec::new());
        let (mut deleted, mut others) = (Vec::new(), Vec::new());
        for descriptor in held {
            match matching(descriptor) {
                Match::Database => database.push(descriptor.clone()),
                Match::WalIndex => wal_index.push(descriptor.clone()),
                Match::Replaced => deleted.push(descriptor.clone()),
                Match::Foreign => others.push(descriptor),
            }
        }
        // Whoever holds the database calls it by the name that counts inside its own container.
        let mut names: Vec<&[u8]> = database.iter().map(|held| held.path.as_slice()).collect();
        names.extend(deleted.iter().map(|held: &Held| held.path.as_slice()));
        let lost = |held: &Held| {
            held.name == NameState::Deleted && names.iter().any(|name| is_sidecar(&held.path, name))
        };
        let lost: Vec<Held> = others.into_iter().filter(|held| lost(held)).cloned().collect();
        deleted.extend(lost);
        if database.is_empty() && deleted.is_empty() {
            return None;
        }
        Some(Holding { database, wal_index, deleted, ..Holding::unnamed(pid) })
    }

    fn unnamed(pid: i32) -> Self {
        Holding {
            pid,
            program: String::new(),
            container: None,
            database: Vec::new(),
            wal_index: Vec::new(),
            deleted: Vec::new(),
            locks: Vec::new(),
            sqlite: Vec::new(),
        }
    }

    /// Adds the program's name and its container. It looks into the root directory of the program,
    /// **which can block for ever** when that is on a dead mount.
    pub(super) fn describe(&mut self, proc_root: &Path) {
        let signs = Signs::of(proc_root, &self.pid.to_string());
        self.container = container::classify(&signs).as_ref().map(container::in_words);
        self.program = process::program(proc_root, self.pid);
    }

    /// A program that is known by its locks alone.
    pub(super) fn by_locks(pid: i32, locks: Vec<(LockedFile, Lock)>) -> Self {
        Holding { locks, ..Holding::unnamed(pid) }
    }

    /// Connections that can write: SQLite opens the database once for each (`unixOpen`).
    pub(crate) fn writers(&self) -> usize {
        let writable = |held: &&Held| held.mode == OpenMode::Writable;
        let seen = self.database.iter().filter(writable).count();
        if self.locks.is_empty() { seen } else { seen.max(1) }
    }

    /// For the report.
    pub(crate) fn opener(&self) -> Opener {
        let of = |file: LockedFile, held: &[Held]| {
            let locks = held.iter().flat_map(|held| held.locks.clone());
            locks.map(|lock| (file, lock)).collect::<Vec<_>>()
        };
        let seen = of(LockedFile::Database, &self.database).into_iter();
        let locks: BTreeSet<String> = seen
            .chain(of(LockedFile::WalIndex, &self.wal_index))
            .chain(self.locks.iter().copied())
            .flat_map(|(file, lock)| lock_names(file, &lock))
            .collect();
        let mut descriptors = self.database.iter().chain(&self.deleted);
        let versions: Vec<String> = self.sqlite.iter().map(SourceId::to_string).collect();
        Opener {
            pid: self.pid,
            program: self.program.clone(),
            writable: descriptors.any(|held| held.mode == OpenMode::Writable),
            container: self.container.clone(),
            locks: locks.into_iter().collect(),
            sqlite_version: (!versions.is_empty()).then(|| versions.join(", ")),
        }
    }

    /// Forgets what the program does not hold any more, as one that was just closing the database:
    /// it deletes the files a moment before. `None` if nothing is left.
    pub(crate) fn settled(mut self, proc_root: &Path) -> Option<Self> {
        let pid = self.pid;
        for held in [&mut self.database, &mut self.wal_index, &mut self.deleted] {
            held.retain(|held| process::is_still_held(proc_root, pid, held));
        }
        (!self.database.is_empty() || !self.deleted.is_empty()).then_some(self)
    }
}

/// Whether `path` is the `-wal` or `-shm` of `database`. A deleted `-journal` is the normal end of
/// a transaction.
pub(super) fn is_sidecar(path: &[u8], database: &[u8]) -> bool {
    matches!(path.strip_prefix(database), Some(b"-wal" | b"-shm"))
}

/// The test by which [`super::find`] recognises files; `None` for a name that need not be asked.
pub(super) fn matching(
    proc_root: &Path,
    pid: i32,
    files: &DatabaseFiles<'_>,
    held: &Held,
) -> Match {
    let own_name = files.path.file_name().unwrap_or_default().as_encoded_bytes();
    let name = held.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let named_alike = name.strip_prefix(own_name).is_some_and(|rest| matches!(rest, b"" | b"-shm"));
    let inodes = [Some(files.database), files.wal_index];
    let maybe = |inode| inodes.iter().flatten().any(|identity| identity.inode == inode);
    // A file that cannot be the one is not asked: it may stand on a dead mount.
    if !named_alike && held.inode.is_some_and(|inode| !maybe(inode)) {
        return Match::Foreign;
    }
    let path = process::held_path(proc_root, pid, &held.handle);
    match process::regular_file(&path) {
        Ok(Some(identity)) if identity == files.database => Match::Database,
        Ok(Some(identity)) if Some(identity) == files.wal_index => Match::WalIndex,
        // A database that was replaced: same name, same file system, no longer this file.
        Ok(Some(identity))
            if held.name == NameState::Deleted
                && identity.device == files.database.device
                && held.path == files.path.as_os_str().as_encoded_bytes() =>
        {
            Match::Replaced
        }
        _ => Match::Foreign,
    }
}
