//! Which of the open files are SQLite's databases: by the header, and where there is none (an
//! encrypted database, a new one, one that does not answer) by SQLite's locks and sidecars.

use super::attempt::{Fate, each};
use super::census::{Census, FileKey, Program, is_database_lock};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::locktable::Family;
use tombolo_core::report::HeaderMode;
use tombolo_core::sqlite::header::{HEADER_BYTES, Header, JournalMode, is_sqlite_header};
use tombolo_os::process::{self, FileIdentity, Held};
use tombolo_os::read;

/// Distinct open files that are looked into.
const FILES_MAX: usize = 1 << 18;

/// What one open file is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) enum Content {
    /// SQLite's header.
    Database(FileIdentity, HeaderMode),
    /// A regular file of another content, or of none.
    Other(FileIdentity),
    /// Not a regular file, or closed since.
    Foreign,
    /// It may not be read.
    Refused(Errno),
}

/// Tells databases apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Which {
    /// By the file system.
    Seen(FileIdentity),
    /// By name, as its file system refused, or did not answer.
    Unseen(FileKey, Option<Errno>),
}

/// By what a database was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recognition {
    /// By SQLite's header.
    Header,
    /// By what programs do with it.
    Signs,
}

/// A database with those who hold it: the place of a program in the census, and its descriptors.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) which: Which,
    pub(super) mode: HeaderMode,
    pub(super) by: Recognition,
    pub(super) holders: Vec<(usize, Vec<Held>)>,
}

/// What was recognised.
#[derive(Clone, Debug)]
pub(super) struct Recognised {
    pub(super) databases: Vec<Found>,
    /// Files that did not answer, or may not be read.
    pub(super) unseen_files: u64,
}

pub(super) fn recognise(
    proc_root: &Path,
    census: &Census,
    deadline: Instant,
    on_progress: &mut dyn FnMut(&str),
) -> Recognised {
    let contents = contents(proc_root, census, deadline, on_progress);
    let mut databases: BTreeMap<Which, Found> = BTreeMap::new();
    let mut kept: BTreeSet<&FileKey> = BTreeSet::new();
    for (index, program) in census.programs.iter().enumerate() {
        let with_sidecars = with_sidecars(program);
        for held in &program.held {
            let key = FileKey::of(program.pid, held);
            let Some((key, content)) = contents.get_key_value(&key) else { continue };
            let signs = || {
                with_sidecars.contains(held.path.as_slice())
                    || held.locks.iter().any(is_database_lock)
            };
            let (unreadable, by_signs) = (HeaderMode::Unreadable, Recognition::Signs);
            let (which, mode, by) = match content {
                Some(Content::Database(identity, mode)) => {
                    (Which::Seen(*identity), *mode, Recognition::Header)
                }
                Some(Content::Other(identity)) if signs() => {
                    (Which::Seen(*identity), unreadable, by_signs)
                }
                Some(Content::Refused(errno)) if signs() => {
                    (Which::Unseen(key.clone(), Some(*errno)), unreadable, by_signs)
                }
                None if signs() => (Which::Unseen(key.clone(), None), unreadable, by_signs),
                _ => continue,
            };
            kept.insert(key);
            let found = databases.entry(which.clone()).or_insert_with(|| Found {
                which,
                mode,
                by,
                holders: Vec::new(),
            });
            match found.holders.last_mut().filter(|(last, _)| *last == index) {
                Some((_, descriptors)) => descriptors.push(held.clone()),
                None => found.holders.push((index, vec![held.clone()])),
            }
        }
    }
    let silent = |(key, content): &(&FileKey, &Option<Content>)| {
        matches!(content, None | Some(Content::Refused(_))) && !kept.contains(key)
    };
    let unseen_files = contents.iter().filter(silent).count() as u64;
    Recognised { databases: databases.into_values().collect(), unseen_files }
}

/// Looks into each file once, mount by mount, so that a dead mount takes nothing else along.
fn contents(
    proc_root: &Path,
    census: &Census,
    deadline: Instant,
    on_progress: &mut dyn FnMut(&str),
) -> BTreeMap<FileKey, Option<Content>> {
    let mut files: BTreeMap<FileKey, Ask<'_>> = BTreeMap::new();
    for program in &census.programs {
        for held in &program.held {
            let key = FileKey::of(program.pid, held);
            let ask =
                files.entry(key).or_insert(Ask { pid: program.pid, held, lease: Lease::Free });
            if held.locks.iter().any(|lock| lock.family == Family::Other) {
                ask.lease = Lease::Held;
            }
        }
    }
    let mut mounts: BTreeMap<Option<u32>, Vec<(FileKey, Ask<'_>)>> = BTreeMap::new();
    for (key, ask) in files.into_iter().take(FILES_MAX) {
        mounts.entry(key.mount_id).or_default().push((key, ask));
    }
    let (mut contents, count) = (BTreeMap::new(), mounts.len());
    for (index, files) in mounts.into_values().enumerate() {
        on_progress(&format!("open files of mount {} of {count}", index + 1));
        let work = |(): &(), (_, ask): &(FileKey, Ask<'_>), _| ask.answer(proc_root);
        let results = each(&files, Fate::Shared, deadline, &|| (), &work);
        contents.extend(files.into_iter().map(|(key, _)| key).zip(results));
    }
    contents
}

/// Whether somebody holds a lease on a file: to open it would make the holder give way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    Held,
    Free,
}

/// A file, by one of the descriptors through which programs have it open.
struct Ask<'a> {
    pid: i32,
    held: &'a Held,
    lease: Lease,
}

impl Ask<'_> {
    fn answer(&self, proc_root: &Path) -> Content {
        let path = process::held_path(proc_root, self.pid, &self.held.handle);
        let content = look(&path, self.lease);
        if process::is_still_held(proc_root, self.pid, self.held) {
            content
        } else {
            Content::Foreign
        }
    }
}

fn look(path: &Path, lease: Lease) -> Content {
    let identity = match process::regular_file(path) {
        Ok(Some(identity)) => identity,
        Ok(None) => return Content::Foreign,
        Err(errno) => return Content::Refused(errno),
    };
    if lease == Lease::Held {
        return Content::Other(identity);
    }
    let start = read::open(path)
        .map_err(|error| error.errno().unwrap_or(Errno::EINVAL))
        .and_then(|file| file.bytes_at(0, HEADER_BYTES).map_err(|error| error.errno));
    match start {
        Ok(start) if is_sqlite_header(&start) => {
            let mode = match Header::read(&start).map(|header| header.journal_mode()) {
                Ok(JournalMode::Wal) => HeaderMode::Wal,
                Ok(JournalMode::Rollback) => HeaderMode::Rollback,
                Err(_) => HeaderMode::Unreadable,
            };
            Content::Database(identity, mode)
        }
        Ok(_) => Content::Other(identity),
        Err(errno) => Content::Refused(errno),
    }
}

/// The names of files whose `-wal` or `-shm` a program has open as well.
fn with_sidecars(program: &Program) -> BTreeSet<&[u8]> {
    let paths = program.held.iter().map(|held| held.path.as_slice());
    paths
        .filter_map(|path| path.strip_suffix(b"-wal").or_else(|| path.strip_suffix(b"-shm")))
        .collect()
}
