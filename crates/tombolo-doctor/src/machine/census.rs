//! What every program has open, by the words of `/proc` alone.

use super::attempt::{Fate, each};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::locktable::{Family, Lock};
use tombolo_core::report::Unseen;
use tombolo_core::sqlite::lock_bytes::{
    DEAD_MAN_SWITCH, PENDING, SHARED_BYTES, SHARED_FIRST, WAL_WRITE,
};
use tombolo_os::namespace::View;
use tombolo_os::process::{self, Handle, Held, Kind, NameState};
use tombolo_os::scratch::is_scratch_name;
use tombolo_os::signal;

/// Descriptors kept of all programs together.
const DESCRIPTORS_MAX: usize = 1 << 20;

/// Processes between two calls of `on_progress`.
const PROCESSES_BETWEEN_PROGRESS: usize = 64;

/// Beginning of the names of SQLite's own temporary files, which it deletes when it opens them
/// (`SQLITE_TEMP_FILE_PREFIX`, os.h).
const TEMPORARY_PREFIX: &[u8] = b"etilqs_";

/// A program with open files.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) pid: i32,
    pub(super) view: View,
    pub(super) held: Vec<Held>,
}

/// All programs.
#[derive(Clone, Debug)]
pub(super) struct Census {
    pub(super) programs: Vec<Program>,
    pub(super) unseen: Unseen,
    /// Whether every process was asked.
    pub(super) extent: Extent,
    /// Programs that did not tell in time what they have mapped.
    pub(super) silent_memories: usize,
}

/// Whether a list is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    CutShort,
}

/// Where one file can be asked about: through the first descriptor that was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileKey {
    pub(super) mount_id: Option<u32>,
    path: Vec<u8>,
    inode: Option<u64>,
    /// Of files whose name is gone, several may have had the same.
    nameless: Option<(i32, Handle)>,
}

impl FileKey {
    pub(super) fn of(pid: i32, held: &Held) -> Self {
        let nameless = held.name == NameState::Deleted || held.mount_id.is_none();
        FileKey {
            mount_id: held.mount_id,
            path: held.path.clone(),
            inode: held.inode,
            nameless: nameless.then(|| (pid, held.handle.clone())),
        }
    }
}

/// Counts the programs; the doctor's own process is left out.
pub(super) fn take(
    proc_root: &Path,
    deadline: Instant,
    on_progress: &mut dyn FnMut(&str),
) -> Result<Census, Errno> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = process::pids(proc_root)?;
    let mut census = Census {
        programs: Vec::new(),
        unseen: Unseen::default(),
        extent: Extent::Whole,
        silent_memories: 0,
    };
    let mut refused = Vec::new();
    let mut kept = 0;
    for (index, pid) in pids.iter().copied().enumerate().filter(|(_, pid)| *pid != own) {
        if index % PROCESSES_BETWEEN_PROGRESS == 0 {
            on_progress(&format!("process {} of {}", index + 1, pids.len()));
        }
        if Instant::now() >= deadline || signal::stop_wanted() || kept >= DESCRIPTORS_MAX {
            census.extent = Extent::CutShort;
            break;
        }
        match look(proc_root, pid) {
            Ok(Some(program)) => {
                kept += program.held.len();
                census.programs.push(program);
            }
            Err(Errno::EACCES | Errno::EPERM) => refused.push(pid),
            // The process ended in between, or holds no files.
            Ok(None) | Err(_) => {}
        }
    }
    // One that is just ending refuses too, to root as well: it is asked again.
    refused.retain(|pid| match look(proc_root, *pid) {
        Err(Errno::EACCES | Errno::EPERM) => process::kind(proc_root, *pid) == Kind::Program,
        Ok(program) => {
            census.programs.extend(program);
            false
        }
        Err(_) => false,
    });
    census.unseen.programs = refused.len() as u64;
    census.unseen.programs_with_locks = with_locks(proc_root, &refused) as u64;
    on_progress("memory of programs");
    census.add_mappings(proc_root, deadline);
    census.programs.retain(|program| !program.held.is_empty());
    Ok(census)
}

impl Census {
    /// Files that are only mapped: their descriptors were closed. What a program has mapped cannot
    /// always be read at once, so a child asks.
    fn add_mappings(&mut self, proc_root: &Path, deadline: Instant) {
        let pids: Vec<i32> = self.programs.iter().map(|program| program.pid).collect();
        let work =
            |(): &(), pid: &i32, _| process::shared_mappings(proc_root, *pid).unwrap_or_default();
        let answers = each(&pids, Fate::Own, deadline, &|| (), &work);
        for (program, answer) in self.programs.iter_mut().zip(answers) {
            let Some(mappings) = answer else {
                self.silent_memories += 1;
                continue;
            };
            let known: BTreeSet<Vec<u8>> =
                program.held.iter().map(|held| held.path.clone()).collect();
            let mapped = mappings.into_iter().filter(|mapping| !known.contains(&mapping.path));
            program.held.extend(mapped.map(Held::from).filter(|held| !is_temporary(held)));
        }
    }
}

fn look(proc_root: &Path, pid: i32) -> Result<Option<Program>, Errno> {
    let mut held = process::descriptors(proc_root, pid)?;
    held.retain(|held| !is_temporary(held));
    if held.is_empty() && process::kind(proc_root, pid) == Kind::NoProgram {
        return Ok(None);
    }
    let view = View::of(proc_root, &pid.to_string())?;
    Ok(Some(Program { pid, view, held }))
}

/// SQLite's own temporary files, and the doctor's scratch files.
fn is_temporary(held: &Held) -> bool {
    let mut names = held.path.split(|byte| *byte == b'/');
    let of_sqlite = || {
        let name = held.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        held.name == NameState::Deleted && name.starts_with(TEMPORARY_PREFIX)
    };
    names.any(is_scratch_name) || of_sqlite()
}

/// How many of these programs hold a lock on bytes that SQLite locks.
fn with_locks(proc_root: &Path, pids: &[i32]) -> usize {
    let mut found = BTreeSet::new();
    for lock in process::locks(proc_root).unwrap_or_default() {
        let shared_memory = (WAL_WRITE..=DEAD_MAN_SWITCH).contains(&lock.first);
        if let Some(pid) = lock.pid.filter(|pid| pids.contains(pid))
            && (is_database_lock(&lock) || (shared_memory && lock.last <= DEAD_MAN_SWITCH))
        {
            found.insert(pid);
        }
    }
    found.len()
}

/// Whether a lock is on bytes that SQLite locks in a database.
pub(super) fn is_database_lock(lock: &Lock) -> bool {
    let bytes = PENDING..SHARED_FIRST + SHARED_BYTES;
    let of_range = matches!(lock.family, Family::Posix | Family::OpenFile);
    of_range && bytes.contains(&lock.first) && bytes.contains(&lock.last)
}
