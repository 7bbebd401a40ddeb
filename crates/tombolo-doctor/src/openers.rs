//! Programs of this kernel that have a database open, and what is dangerous about how they do.
//!
//! On one kernel a file is its device and inode. A container's overlay shows the same file under
//! another device than the directory below it, so a program that is reached that way is not found.

use crate::findings::Draft;
use crate::topology::container;
use std::collections::BTreeSet;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::locktable::lock_names;
use tombolo_core::report::{EvidenceKind, Observation, Opener, Outcome, Severity};
use tombolo_core::sqlite::lock_bytes::LockedFile;
use tombolo_core::text::printable;
use tombolo_os::container::Signs;
use tombolo_os::process::{self, FileIdentity, NameState, OpenFile, OpenMode};

/// A database and the files beside it, as they stand now.
#[derive(Clone, Copy, Debug)]
pub struct DatabaseFiles<'a> {
    /// Path of the database.
    pub path: &'a Path,
    /// The database.
    pub database: FileIdentity,
    /// Its `-shm`, if there is one.
    pub wal_index: Option<FileIdentity>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Openers {
    /// One entry for each program, in the order of process numbers.
    pub openers: Vec<Opener>,
    /// What was looked at.
    pub observation: Observation,
    /// What follows.
    pub drafts: Vec<Draft>,
}

/// Finds every program that has the database open. Its own process is left out.
///
/// `proc_root` is `/proc` outside of tests. It looks into the root directories of the programs
/// found, **which can block for ever** when one is on a dead mount.
#[must_use]
pub fn find(proc_root: &Path, files: &DatabaseFiles<'_>) -> Openers {
    let mut openers = Vec::new();
    let mut drafts = Vec::new();
    let mut refused = 0_u64;
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let pids = match process::pids(proc_root) {
        Ok(pids) => pids,
        Err(errno) => return not_looked(errno),
    };
    for pid in pids.into_iter().filter(|pid| *pid != own) {
        match process::open_files(proc_root, pid) {
            Ok(open) => {
                let Some(holding) = Holding::of(&open, files) else { continue };
                let opener = holding.opener(proc_root, pid);
                drafts.extend(deleted_files(&holding, &opener, files));
                openers.push(opener);
            }
            Err(Errno::EACCES | Errno::EPERM) => refused += 1,
            // The process ended in between.
            Err(_) => {}
        }
    }
    Openers { observation: observe(&openers, refused, files.path), openers, drafts }
}

/// The descriptors of one program that have to do with the database.
struct Holding<'a> {
    database: Vec<&'a OpenFile>,
    wal_index: Vec<&'a OpenFile>,
    /// Deleted files that bear the name of the database, its `-wal` or its `-shm`.
    deleted: Vec<&'a OpenFile>,
}

impl<'a> Holding<'a> {
    fn of(open: &'a [OpenFile], files: &DatabaseFiles<'_>) -> Option<Self> {
        let with = |identity: FileIdentity| {
            open.iter().filter(move |file| file.identity == identity).collect::<Vec<_>>()
        };
        let database = with(files.database);
        let wal_index = files.wal_index.map(with).unwrap_or_default();
        // Whoever holds the database calls it by the name that counts inside its own container.
        let names: Vec<&[u8]> = database.iter().map(|file| file.path.as_slice()).collect();
        let is_deleted = |file: &&OpenFile| file.name == NameState::Deleted;
        let deleted = open
            .iter()
            .filter(is_deleted)
            .filter(|file| {
                let sidecar = names.iter().any(|name| is_sidecar(&file.path, name));
                // A database that was replaced: same name, same file system, no longer this file.
                let replaced = file.identity.device == files.database.device
                    && file.identity != files.database
                    && file.path == files.path.as_os_str().as_encoded_bytes();
                sidecar || replaced
            })
            .collect::<Vec<_>>();
        let nothing = database.is_empty() && deleted.is_empty();
        (!nothing).then_some(Holding { database, wal_index, deleted })
    }

    fn opener(&self, proc_root: &Path, pid: i32) -> Opener {
        let signs = Signs::of(proc_root, &pid.to_string());
        let mut locks = BTreeSet::new();
        let mut name = |files: &[&OpenFile], kind: LockedFile| {
            let held = files.iter().flat_map(|file| file.locks.iter());
            locks.extend(held.flat_map(|lock| lock_names(kind, lock)));
        };
        name(&self.database, LockedFile::Database);
        name(&self.wal_index, LockedFile::WalIndex);
        let mut descriptors = self.database.iter().chain(&self.deleted);
        Opener {
            pid,
            program: process::program(proc_root, pid),
            writable: descriptors.any(|file| file.mode == OpenMode::Writable),
            container: container::classify(&signs).as_ref().map(container::in_words),
            locks: locks.into_iter().collect(),
            sqlite_version: None,
        }
    }
}

/// Whether `path` is the `-wal` or `-shm` of `database`. A deleted `-journal` is the normal end of
/// a transaction.
fn is_sidecar(path: &[u8], database: &[u8]) -> bool {
    matches!(path.strip_prefix(database), Some(b"-wal" | b"-shm"))
}

fn deleted_files(holding: &Holding<'_>, opener: &Opener, files: &DatabaseFiles<'_>) -> Vec<Draft> {
    let names: BTreeSet<String> =
        holding.deleted.iter().map(|file| printable(&file.path)).collect();
    let draft = |name: String| Draft {
        code: Code::SidecarDeletedOpen,
        severity: Severity::Danger,
        subject: printable(files.path.as_os_str().as_encoded_bytes()),
        what: format!(
            "{} (process {}) works on {name}, which was deleted or replaced: what it commits is \
             lost when it ends, and others do not see its locks",
            opener.program, opener.pid
        ),
        action: format!(
            "copy /proc/{}/fd of that file while the program runs, then stop the program before \
             anything else opens the database",
            opener.pid
        ),
        kinds: vec![EvidenceKind::Openers],
    };
    names.into_iter().map(draft).collect()
}

fn observe(openers: &[Opener], refused: u64, path: &Path) -> Observation {
    let path = printable(path.as_os_str().as_encoded_bytes());
    let names: Vec<String> = openers
        .iter()
        .map(|opener| match &opener.container {
            Some(container) => format!("{} ({}, {container})", opener.program, opener.pid),
            None => format!("{} ({})", opener.program, opener.pid),
        })
        .collect();
    let who = match names.as_slice() {
        [] => "no program of this kernel".to_owned(),
        names => names.join(", "),
    };
    let unseen = match refused {
        0 => String::new(),
        _ => format!("; {refused} programs of other users may not be looked at"),
    };
    Observation::new(
        EvidenceKind::Openers,
        Outcome::Noted,
        format!("{path} is open in {who}{unseen}"),
    )
    .value("programs", names)
    .value("processes_not_seen", refused)
}

fn not_looked(errno: Errno) -> Openers {
    let summary = format!("the programs that have it open cannot be told: open(/proc): {errno}");
    Openers {
        openers: Vec::new(),
        observation: Observation::new(EvidenceKind::Openers, Outcome::NotRun, summary).errno(errno),
        drafts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufRead;
    use std::process::{Child, Command, Stdio};

    /// A shell that holds files open until dropped. Read with care: `exec 5<>file` opens for both.
    struct Holder(Child);

    impl Holder {
        fn with(directory: &Path, script: &str) -> Holder {
            let mut shell = Command::new("sh")
                .args(["-c", &format!("{script}; echo ready; read end")])
                .current_dir(directory)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a shell");
            let mut line = String::new();
            let output = shell.stdout.as_mut().expect("piped");
            std::io::BufReader::new(output).read_line(&mut line).expect("the shell speaks");
            assert_eq!(line, "ready\n");
            Holder(shell)
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).expect("a process id")
        }
    }

    impl Drop for Holder {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            self.0.wait().ok();
        }
    }

    fn scene() -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().canonicalize().expect("real path").join("app.db");
        std::fs::write(&path, b"SQLite format 3\0").expect("write");
        (directory, path)
    }

    fn look(path: &Path) -> Openers {
        let database = process::identity(path).expect("the database");
        let files = DatabaseFiles { path, database, wal_index: None };
        find(Path::new("/proc"), &files)
    }

    #[test]
    fn a_program_is_found_with_its_way_of_opening() {
        let (directory, path) = scene();
        let writer = Holder::with(directory.path(), "exec 5<>app.db");
        let reader = Holder::with(directory.path(), "exec 5<app.db");
        let found = look(&path);
        let of = |pid| found.openers.iter().find(|opener| opener.pid == pid).expect("found");
        assert_eq!(found.openers.len(), 2);
        assert!(of(writer.pid()).writable && !of(reader.pid()).writable);
        assert_eq!(of(reader.pid()).program, "sh");
        assert!(found.drafts.is_empty(), "{:?}", found.drafts);
        assert!(found.observation.summary.contains(&format!("sh ({}", writer.pid())));
    }

    #[test]
    fn sidecar_deleted_open_is_a_danger_and_a_deleted_journal_is_not() {
        let (directory, path) = scene();
        let _holder = Holder::with(
            directory.path(),
            "exec 5<>app.db 6>app.db-wal 7>app.db-journal; rm app.db-wal app.db-journal",
        );
        let found = look(&path);
        assert_eq!(found.drafts.len(), 1);
        assert_eq!(found.drafts[0].code, Code::SidecarDeletedOpen);
        assert!(found.drafts[0].what.contains("app.db-wal"), "{}", found.drafts[0].what);
    }

    #[test]
    fn a_replaced_database_is_found_at_the_program_that_still_uses_the_old_one() {
        let (directory, path) = scene();
        let holder = Holder::with(directory.path(), "exec 5<>app.db; cp app.db new; mv new app.db");
        let found = look(&path);
        assert_eq!(
            found.openers.iter().map(|opener| opener.pid).collect::<Vec<_>>(),
            [holder.pid()]
        );
        assert_eq!(found.drafts[0].code, Code::SidecarDeletedOpen);
    }

    #[test]
    fn nobody_is_said_to_be_nobody_and_a_missing_proc_is_not() {
        let (directory, path) = scene();
        assert!(look(&path).observation.summary.contains("no program of this kernel"));
        let database = process::identity(&path).expect("the database");
        let files = DatabaseFiles { path: &path, database, wal_index: None };
        let blind = find(&directory.path().join("proc"), &files);
        assert_eq!(blind.observation.outcome, Outcome::NotRun);
        assert_eq!(blind.observation.errno, Some(Errno::ENOENT));
    }
}
