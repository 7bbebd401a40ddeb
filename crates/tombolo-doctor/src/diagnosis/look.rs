//! What stands at the path, and which mount holds it.

use crate::mount::{self, Touch};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Instant;
use tombolo_core::report::{EvidenceKind, Mount, Observation, Outcome, TargetKind};
use tombolo_os::mount_table::{self, Viewer};
use tombolo_os::worker::{self, End};

/// The first bytes of every SQLite database (file format, section 1.3.1).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What the look found.
pub(super) struct Looked {
    pub(super) kind: TargetKind,
    pub(super) resolved: PathBuf,
    /// The directory whose file system decides; `None` when the path did not answer.
    pub(super) directory: Option<PathBuf>,
    pub(super) mount: Option<Mount>,
    pub(super) observations: Vec<Observation>,
    /// One sentence for each thing that was not examined.
    pub(super) missing: Vec<String>,
}

pub(super) fn look(path: &Path, deadline: Instant) -> Looked {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut lines: Vec<Vec<u8>> = Vec::new();
    let end = worker::run(
        deadline,
        |outbox| {
            let (kind, resolved) = stand_at(&absolute);
            let directory = directory_of(&resolved, kind);
            outbox.send(&[letter(kind)]);
            outbox.send(resolved.as_os_str().as_bytes());
            outbox.send(directory.as_os_str().as_bytes());
        },
        &mut |message| lines.push(message.to_vec()),
    );
    let answered = matches!(end, Ok(End::Finished)) && lines.len() == 3;
    let mut lines = lines.into_iter();
    let kind = lines.next().filter(|_| answered).map_or(TargetKind::Unreadable, |line| kind(&line));
    let mut next_path =
        || lines.next().map(|line| PathBuf::from(std::ffi::OsString::from_vec(line)));
    let resolved = next_path().filter(|_| answered).unwrap_or(absolute);
    let directory = next_path().filter(|_| answered);
    let mut missing = Vec::new();
    let mut observations = Vec::new();
    if !answered {
        let summary = "the path did not answer in time, or may not be looked at";
        observations.push(Observation::new(EvidenceKind::Path, Outcome::TimedOut, summary));
        missing.push(format!("{}: {summary}", resolved.display()));
    }
    let table = mount_table::read(Path::new("/proc"), Viewer::Own);
    let mount = match table {
        Ok(table) => {
            let (mount, more) = mount::examine(&table, &resolved, Touch::TextOnly);
            observations.extend(more);
            mount
        }
        Err(error) => {
            missing.push(error.to_string());
            None
        }
    };
    Looked { kind, resolved, directory, mount, observations, missing }
}

fn stand_at(path: &Path) -> (TargetKind, PathBuf) {
    let Ok(resolved) = path.canonicalize() else { return (TargetKind::Absent, path.to_owned()) };
    let Ok(metadata) = resolved.metadata() else { return (TargetKind::Unreadable, resolved) };
    let kind = if metadata.is_dir() {
        TargetKind::Directory
    } else if !metadata.is_file() {
        TargetKind::OtherFile
    } else if metadata.len() == 0 {
        TargetKind::EmptyFile
    } else {
        let mut first = [0_u8; 16];
        let opened = std::fs::File::open(&resolved);
        let read =
            opened.and_then(|file| std::os::unix::fs::FileExt::read_at(&file, &mut first, 0));
        match read {
            Ok(16) if first == *MAGIC => TargetKind::Database,
            Ok(_) => TargetKind::OtherFile,
            Err(_) => TargetKind::Unreadable,
        }
    };
    (kind, resolved)
}

/// Where the database's sidecars would stand; for a path that does not exist, the nearest ancestor
/// that does.
fn directory_of(resolved: &Path, kind: TargetKind) -> PathBuf {
    let skipped = usize::from(kind != TargetKind::Directory);
    let found = resolved.ancestors().skip(skipped).find(|path| path.is_dir());
    found.map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

const LETTERS: &[(TargetKind, u8)] = &[
    (TargetKind::Database, b'd'),
    (TargetKind::EmptyFile, b'e'),
    (TargetKind::OtherFile, b'o'),
    (TargetKind::Directory, b'D'),
    (TargetKind::Absent, b'a'),
    (TargetKind::Unreadable, b'u'),
];

fn letter(kind: TargetKind) -> u8 {
    LETTERS.iter().find(|(known, _)| *known == kind).map_or(b'u', |(_, letter)| *letter)
}

fn kind(line: &[u8]) -> TargetKind {
    let found = LETTERS.iter().find(|(_, letter)| line == [*letter]);
    found.map_or(TargetKind::Unreadable, |(kind, _)| *kind)
}
