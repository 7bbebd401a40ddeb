//! Programs of this kernel that have a database open, and what is dangerous about how they do.
//!
//! On one kernel a file is its device and inode. A container's overlay shows the same file under
//! another device than the directory below it, so a program that is reached that way is not found.
//!
//! Of a program of another user the descriptors may not be seen, in most containers not even by
//! root (which lacks CAP_SYS_PTRACE), but its locks may: in WAL mode every connection holds one,
//! with a rollback journal only a transaction does.

mod conclude;
mod holding;
mod index;
mod library;

pub(crate) use conclude::conclude;
pub(crate) use holding::{Holding, Match};
pub(crate) use library::Libraries;

use crate::child::Viewpoint;
use crate::database::SidecarKind;
use crate::findings::Draft;
use index::Index;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::locktable::Lock;
use tombolo_core::mountinfo::Table;
use tombolo_core::report::{EvidenceKind, HeaderMode, Observation, Opener, Outcome};
use tombolo_core::sqlite::lock_bytes::LockedFile;
use tombolo_core::text::printable;
use tombolo_os::mount_table;
use tombolo_os::process::{self, FileIdentity, Kind};

/// A database and the files beside it, as they stand now.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseFiles<'a> {
    /// Path of the database.
    pub path: &'a Path,
    /// The database.
    pub database: FileIdentity,
    /// Its `-shm`, if there is one.
    pub wal_index: Option<FileIdentity>,
    /// The device of the superblock, by which `/proc/locks` names files; that of `database` unless
    /// the file system is btrfs or overlayfs.
    pub superblock: (u32, u32),
    /// Its journal mode.
    pub mode: HeaderMode,
}

/// What was found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Openers {
    /// One entry for each program, in the order of process numbers.
    pub openers: Vec<Opener>,
    /// How many other programs there are of which it may not be seen what they have open.
    pub not_seen: usize,
    /// What was looked at.
    pub observation: Observation,
    /// What follows.
    pub drafts: Vec<Draft>,
}

/// From where the paths of databases are looked up.
#[derive(Debug)]
pub struct Place {
    viewpoint: Viewpoint,
    table: Table,
}

impl Place {
    /// Reads the table of mounts there.
    #[must_use]
    pub fn at(viewpoint: Viewpoint) -> Self {
        let table = mount_table::read(Path::new("/proc"), viewpoint).unwrap_or_default();
        Place { viewpoint, table }
    }

    /// Looks at the files of a database: **this can block for ever on a dead mount.** `path` is
    /// free of symbolic links, and means what it means at the viewpoint.
    ///
    /// # Errors
    ///
    /// What `statx` of the database said.
    pub fn files<'a>(&self, path: &'a Path, mode: HeaderMode) -> Result<DatabaseFiles<'a>, Errno> {
        let here = match self.viewpoint {
            Viewpoint::Own => path.to_owned(),
            Viewpoint::Process(pid) => {
                let root = Path::new("/proc").join(pid.to_string()).join("root");
                root.join(path.strip_prefix("/").unwrap_or(path))
            }
        };
        let database = process::identity(&here)?;
        let wal_index = SidecarKind::WalIndex.path_beside(&here);
        let looked = mount_table::look(&here).ok();
        let mount = mount_table::locate(&self.table, path, looked.as_ref());
        Ok(DatabaseFiles {
            path,
            database,
            wal_index: process::identity(&wal_index).ok(),
            superblock: mount.map_or(database.device, |mount| mount.device),
            mode,
        })
    }
}

/// Whether the programs that are found are searched for their versions of SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// They are not: who only asks whether somebody has the database open reads no programs.
    LeftOut,
    /// They are, until then.
    SearchedUntil(Instant),
}

/// Finds every program that has one of these databases open. Its own process is left out.
///
/// `proc_root` is `/proc` outside of tests. `on_found` gets an answer for each database by its
/// place in the list, and where it is open a second one when the versions of SQLite were searched
/// for, which takes longer. Both look at files of the programs found, **which can block for ever**
/// where these are on a dead mount.
pub fn find(
    proc_root: &Path,
    files: &[DatabaseFiles<'_>],
    versions: Versions,
    on_found: &mut dyn FnMut(usize, Openers),
) {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = match process::pids(proc_root) {
        Ok(pids) => pids,
        Err(errno) => {
            (0..files.len()).for_each(|place| on_found(place, not_looked(errno)));
            return;
        }
    };
    let index = Index::of(files);
    let mut unseen = Vec::new();
    let mut holdings: Vec<Vec<Holding>> = vec![Vec::new(); files.len()];
    for pid in pids.into_iter().filter(|pid| *pid != own) {
        match process::descriptors(proc_root, pid) {
            Ok(held) => {
                for place in index.candidates(&held) {
                    let Some(one) = files.get(place) else { continue };
                    let holding = one.held_by(proc_root, pid, &held);
                    let settled = holding.and_then(|holding| holding.settled(proc_root));
                    if let Some(holdings) = holdings.get_mut(place) {
                        holdings.extend(settled);
                    }
                }
            }
            Err(Errno::EACCES | Errno::EPERM) => unseen.push(pid),
            // The process ended in between.
            Err(_) => {}
        }
    }
    unseen.retain(|pid| process::kind(proc_root, *pid) == Kind::Program);
    for (place, holding) in by_locks(proc_root, files, &index, &unseen) {
        if let Some(holdings) = holdings.get_mut(place) {
            holdings.push(holding);
        }
    }
    let mut answer = |place: usize, holdings: &[Holding]| {
        let known = holdings.iter().filter(|holding| unseen.contains(&holding.pid)).count();
        if let Some(one) = files.get(place) {
            on_found(place, one.answer(holdings, unseen.len() - known));
        }
    };
    for (place, holdings) in holdings.iter_mut().enumerate() {
        holdings.sort_by_key(|holding| holding.pid);
        holdings.iter_mut().for_each(|holding| holding.describe(proc_root));
        answer(place, holdings);
    }
    let Versions::SearchedUntil(deadline) = versions else { return };
    let mut libraries = Libraries::default();
    for (place, holdings) in holdings.iter_mut().enumerate() {
        for holding in holdings.iter_mut() {
            holding.sqlite = libraries.of(proc_root, holding.pid, deadline);
        }
        if !holdings.is_empty() {
            answer(place, holdings);
        }
    }
}

/// Programs that may not be looked at and yet hold a lock that everybody can see.
fn by_locks(
    proc_root: &Path,
    files: &[DatabaseFiles<'_>],
    index: &Index<'_>,
    unseen: &[i32],
) -> Vec<(usize, Holding)> {
    let mut held: BTreeMap<(usize, i32), Vec<(LockedFile, Lock)>> = BTreeMap::new();
    for lock in process::locks(proc_root).unwrap_or_default() {
        let Some(pid) = lock.pid.filter(|pid| unseen.contains(pid)) else { continue };
        for place in index.by_inode(lock.inode) {
            let file = files.get(*place).and_then(|one| one.locked_by(&lock));
            if let Some(file) = file {
                held.entry((*place, pid)).or_default().push((file, lock));
            }
        }
    }
    let holdings = held.into_iter();
    holdings.map(|((place, pid), locks)| (place, Holding::by_locks(pid, locks))).collect()
}

impl DatabaseFiles<'_> {
    fn held_by(&self, proc_root: &Path, pid: i32, held: &[process::Held]) -> Option<Holding> {
        Holding::of(pid, held, &|held| holding::matching(proc_root, pid, self, held))
    }

    /// Which of its files a lock is on.
    fn locked_by(&self, lock: &Lock) -> Option<LockedFile> {
        let is = |identity: FileIdentity| {
            let devices = [identity.device, self.superblock];
            identity.inode == lock.inode && devices.contains(&lock.device)
        };
        match self.wal_index {
            _ if is(self.database) => Some(LockedFile::Database),
            Some(wal_index) if is(wal_index) => Some(LockedFile::WalIndex),
            _ => None,
        }
    }

    fn answer(&self, holdings: &[Holding], unseen: usize) -> Openers {
        let path = printable(self.path.as_os_str().as_encoded_bytes());
        let openers: Vec<Opener> = holdings.iter().map(Holding::opener).collect();
        Openers {
            observation: observe(&openers, unseen, &path),
            drafts: conclude(&path, self.mode, holdings),
            not_seen: unseen,
            openers,
        }
    }
}

/// The observation on the programs that have the database at `path` open.
pub(crate) fn observe(openers: &[Opener], unseen: usize, path: &str) -> Observation {
    let names: Vec<String> = openers.iter().map(in_words).collect();
    let who = match names.as_slice() {
        [] => "no program of this kernel".to_owned(),
        names => names.join(", "),
    };
    let not_seen = match unseen {
        0 => String::new(),
        _ => format!("; of {unseen} others it may not be seen what they have open"),
    };
    let summary = format!("{path} is open in {who}{not_seen}");
    Observation::new(EvidenceKind::Openers, Outcome::Noted, summary)
        .value("programs", names)
        .value("processes_not_seen", unseen as u64)
}

fn in_words(opener: &Opener) -> String {
    let mut parts = vec![opener.pid.to_string()];
    parts.extend(opener.container.clone());
    parts.extend(opener.sqlite_version.iter().map(|version| format!("SQLite {version}")));
    format!("{} ({})", opener.program, parts.join(", "))
}

fn not_looked(errno: Errno) -> Openers {
    let summary = format!("the programs that have it open cannot be told: open(/proc): {errno}");
    Openers {
        openers: Vec::new(),
        not_seen: 0,
        observation: Observation::new(EvidenceKind::Openers, Outcome::NotRun, summary).errno(errno),
        drafts: Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
