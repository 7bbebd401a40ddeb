//! Which SQLite a program uses: its library, its extension module, or the program itself.
//!
//! The bytes that the program has mapped are searched for SQLite's source id. They are read through
//! `/proc/PID/map_files`, so that a library that was replaced since is the one that runs; without
//! root through the program's root directory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tombolo_core::memory_map::{Mapping, Sharing, Writing};
use tombolo_core::sqlite::source_id::{self, SOURCE_ID_BYTES_MAX, SourceId};
use tombolo_os::process::{self, Handle};
use tombolo_os::read::{self, Opened};

/// Bytes searched of one file; the largest browsers and runtimes are smaller.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Bytes searched of all the files of one program that nothing points to.
const OTHERS_BYTES_MAX: u64 = 256 << 20;

/// Bytes read at a time.
const PIECE_BYTES: usize = 1 << 20;

/// Parts of the names of files that are made to contain SQLite: `libsqlite3.so.0`,
/// `_sqlite3.cpython-311.so`, `libe_sqlite3.so`, `libmozsqlite3.so`, `better_sqlite3.node`, `apsw`.
const TELLING_NAMES: [&str; 3] = ["sqlite", "apsw", ".node"];

/// Searches the files of programs, each file once.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    known: BTreeMap<((u32, u32), u64), Vec<SourceId>>,
}

/// A mapped file with the parts of it that are in memory and are never written.
struct Module {
    mapping: Mapping,
    parts: Vec<(u64, u64)>,
}

impl Module {
    fn name(&self) -> String {
        let name = self.mapping.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        String::from_utf8_lossy(name).to_ascii_lowercase()
    }

    fn length(&self) -> u64 {
        self.parts.iter().map(|(_, length)| length).sum()
    }
}

impl Libraries {
    /// The copies of SQLite in a program's memory, in the order of time; empty where none was found
    /// before the deadline. **Can block where a library is on a dead mount.**
    pub(crate) fn of(&mut self, proc_root: &Path, pid: i32, deadline: Instant) -> Vec<SourceId> {
        let modules = modules(&process::mappings(proc_root, pid).unwrap_or_default());
        let executable = process::executable(proc_root, pid);
        let is_telling = |module: &&Module| {
            let name = module.name();
            let own = executable.as_deref() == Some(module.mapping.path.as_slice());
            own || TELLING_NAMES.iter().any(|part| name.contains(part))
        };
        let (telling, others): (Vec<&Module>, Vec<&Module>) = modules.iter().partition(is_telling);
        let mut found = BTreeSet::new();
        for module in telling {
            found.extend(self.search(proc_root, pid, module, deadline));
        }
        let mut left_bytes = OTHERS_BYTES_MAX;
        for module in others {
            if !found.is_empty() || module.length() > left_bytes {
                break;
            }
            left_bytes -= module.length();
            found.extend(self.search(proc_root, pid, module, deadline));
        }
        found.into_iter().collect()
    }

    fn search(
        &mut self,
        proc_root: &Path,
        pid: i32,
        module: &Module,
        deadline: Instant,
    ) -> Vec<SourceId> {
        let key = (module.mapping.device, module.mapping.inode);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let Some(opened) = open(proc_root, pid, &module.mapping) else { return Vec::new() };
        let Some(found) = search(&opened, &module.parts, deadline) else { return Vec::new() };
        self.known.insert(key, found.clone());
        found
    }
}

/// The mapped files, in the order in which their first parts stand in memory.
fn modules(mappings: &[Mapping]) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    let constant = |mapping: &&Mapping| {
        mapping.sharing == Sharing::Private && mapping.writing == Writing::Refused
    };
    for mapping in mappings.iter().filter(constant) {
        let part = (mapping.offset, mapping.length);
        let same = |module: &&mut Module| {
            (module.mapping.device, module.mapping.inode) == (mapping.device, mapping.inode)
        };
        match modules.iter_mut().find(same) {
            Some(module) => module.parts.push(part),
            None => modules.push(Module { mapping: mapping.clone(), parts: vec![part] }),
        }
    }
    modules
}

fn open(proc_root: &Path, pid: i32, mapping: &Mapping) -> Option<Opened> {
    let handle = Handle::Mapping(mapping.range.clone());
    if let Ok(opened) = read::open(&process::held_path(proc_root, pid, &handle)) {
        return Some(opened);
    }
    let root: PathBuf = proc_root.join(pid.to_string()).join("root");
    let inside = OsStr::from_bytes(mapping.path.strip_prefix(b"/")?);
    let opened = (!mapping.deleted).then(|| read::open(&root.join(inside)).ok()).flatten()?;
    (opened.status().inode == mapping.inode).then_some(opened)
}

/// `None` when it did not come to the end.
fn search(opened: &Opened, parts: &[(u64, u64)], deadline: Instant) -> Option<Vec<SourceId>> {
    let mut found = BTreeSet::new();
    let mut left_bytes = FILE_BYTES_MAX;
    for (start, length) in parts {
        let mut offset = *start;
        let end = start.saturating_add((*length).min(left_bytes));
        left_bytes -= (*length).min(left_bytes);
        while offset < end {
            if Instant::now() >= deadline {
                return None;
            }
            // An id that begins in one piece may end in the next.
            let wanted = (end - offset).min((PIECE_BYTES + SOURCE_ID_BYTES_MAX) as u64);
            let piece = opened.bytes_at(offset, usize::try_from(wanted).ok()?).ok()?;
            found.extend(source_id::find(&piece));
            if (piece.len() as u64) < wanted {
                break;
            }
            offset += PIECE_BYTES as u64;
        }
    }
    Some(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openers::testing::{Program, shell_version};
    use std::time::Duration;

    fn versions(pid: i32, deadline: Instant) -> Vec<String> {
        let found = Libraries::default().of(Path::new("/proc"), pid, deadline);
        found.iter().map(SourceId::to_string).collect()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn the_library_of_a_shell_is_named() {
        let shell = Program::sqlite(Path::new(":memory:"), "SELECT 1;");
        assert_eq!(versions(shell.pid(), soon()), [shell_version()]);
    }

    #[test]
    fn a_copy_linked_into_the_program_is_found_in_the_program_itself() {
        let own = i32::try_from(std::process::id()).expect("a process id");
        assert_eq!(versions(own, soon()), [rusqlite::version()]);
        assert!(versions(own, Instant::now()).is_empty(), "a deadline ends the search");
    }

    #[test]
    fn a_program_without_sqlite_has_none() {
        let shell = Program::shell(Path::new("/"), "true");
        assert!(versions(shell.pid(), soon()).is_empty());
    }
}
