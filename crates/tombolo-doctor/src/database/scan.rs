//! Finding the databases of a tree, by header and not by name.

use super::facts::SidecarKind;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::header;
use tombolo_core::sqlite::journal::JOURNAL_MAGIC;
use tombolo_core::sqlite::wal::{WAL_VERSION, WalHeader};
use tombolo_os::error::CallError;
use tombolo_os::read;
use tombolo_os::walk::{self, Found, Seen, Step, Visitor, Walked};

/// Databases that are kept of one tree; the rest is only counted.
pub const DATABASES_MAX: usize = 100_000;

/// What a tree holds.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Its databases, sorted.
    pub databases: Vec<PathBuf>,
    /// Databases that are gone while a `-wal`, `-shm` or `-journal` of theirs is still there,
    /// sorted.
    pub missing: Vec<PathBuf>,
    /// Databases beyond [`DATABASES_MAX`].
    pub unkept: u64,
    /// How far the walk came, and what it could not see.
    pub walked: Walked,
}

/// Finds every database below a directory. `progress` is told every now and then how much was
/// seen and can end the scan.
///
/// # Errors
///
/// When the directory itself cannot be opened.
pub fn scan(
    directory: &Path,
    deadline: Option<Instant>,
    progress: &mut dyn FnMut(Seen) -> Step,
) -> Result<Scan, CallError> {
    let mut finder =
        Finder { databases: Vec::new(), missing: BTreeSet::new(), unkept: 0, progress };
    let walked = walk::walk(directory, deadline, &mut finder)?;
    let Finder { mut databases, missing, unkept, .. } = finder;
    databases.sort();
    Ok(Scan { databases, missing: missing.into_iter().collect(), unkept, walked })
}

struct Finder<'a> {
    databases: Vec<PathBuf>,
    missing: BTreeSet<PathBuf>,
    unkept: u64,
    progress: &'a mut dyn FnMut(Seen) -> Step,
}

impl Visitor for Finder<'_> {
    fn file(&mut self, found: Found<'_>) {
        if header::is_sqlite_header(found.start) {
            if self.databases.len() < DATABASES_MAX {
                self.databases.push(found.path());
            } else {
                self.unkept += 1;
            }
        } else if let Some(name) = sidecar_of(found) {
            let database = found.directory.join(name);
            let gone =
                read::status_of_name(&database).is_err_and(|error| error.errno == Errno::ENOENT);
            if gone && self.missing.len() < DATABASES_MAX {
                self.missing.insert(database);
            }
        }
    }

    fn progress(&mut self, seen: Seen) -> Step {
        (self.progress)(seen)
    }
}

/// The name of the database, if a file is by name and content one of its sidecars.
fn sidecar_of(found: Found<'_>) -> Option<&OsStr> {
    let bytes = found.name.as_bytes();
    let (kind, name) = SidecarKind::ALL.into_iter().find_map(|kind| {
        let name = bytes.strip_suffix(kind.suffix().as_bytes())?;
        (!name.is_empty()).then_some((kind, name))
    })?;
    let start = found.start;
    let is_one = match kind {
        SidecarKind::Wal => WalHeader::read(start).is_ok(),
        SidecarKind::Journal => start.starts_with(&JOURNAL_MAGIC),
        // Both versions stand in its first word, in the byte order of the machine.
        SidecarKind::WalIndex => {
            start.starts_with(&WAL_VERSION.to_le_bytes())
                || start.starts_with(&WAL_VERSION.to_be_bytes())
        }
    };
    is_one.then_some(OsStr::from_bytes(name))
}
