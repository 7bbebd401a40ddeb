//! Finding the databases of a tree, by header and not by name.

use super::facts::SidecarKind;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::header;
use tombolo_core::sqlite::journal::JOURNAL_MAGIC;
use tombolo_core::sqlite::wal::{WAL_VERSION, WalHeader};
use tombolo_os::error::CallError;
use tombolo_os::read;
use tombolo_os::walk::{self, Bounds, Found, Seen, Step, Visitor, Walked};

/// Databases that are named of one tree; the rest is only counted.
pub const DATABASES_MAX: u64 = 100_000;

/// What a scan comes upon, told at once, so that a scan that is given up was not for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// A file with the header of a database.
    Database(PathBuf),
    /// No file, but a `-wal`, `-shm` or `-journal` of a database of this name.
    Missing(PathBuf),
    /// How far the walk has come; every now and then.
    Progress(Seen),
}

/// How a scan ended.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Databases beyond [`DATABASES_MAX`].
    pub unnamed: u64,
    /// How far the walk came, and what it could not see.
    pub walked: Walked,
}

/// Finds every database below a directory. The order is that of the directories; `on_sight` can end
/// the scan when it hears of progress.
///
/// # Errors
///
/// When the directory itself cannot be opened; `ENOTDIR` if it is a file.
pub fn scan(
    directory: &Path,
    bounds: Bounds<'_>,
    on_sight: &mut dyn FnMut(Sight) -> Step,
) -> Result<Scan, CallError> {
    let mut finder = Finder { named: 0, unnamed: 0, missing: BTreeSet::new(), on_sight };
    let walked = walk::walk(directory, bounds, &mut finder)?;
    Ok(Scan { unnamed: finder.unnamed, walked })
}

struct Finder<'a> {
    named: u64,
    unnamed: u64,
    /// Those of the directory being read.
    missing: BTreeSet<PathBuf>,
    on_sight: &'a mut dyn FnMut(Sight) -> Step,
}

impl Finder<'_> {
    fn name(&mut self, sight: Sight) {
        if self.named == DATABASES_MAX {
            self.unnamed += 1;
        } else {
            self.named += 1;
            let _ = (self.on_sight)(sight);
        }
    }
}

impl Visitor for Finder<'_> {
    fn file(&mut self, found: Found<'_>) {
        if header::is_sqlite_header(found.start) {
            self.name(Sight::Database(found.path()));
        } else if let Some(name) = sidecar_of(found) {
            let database = found.directory.join(name);
            // Its sidecars stand in one directory, so that those of the last need not be kept.
            if self.missing.first().is_some_and(|first| first.parent() != Some(found.directory)) {
                self.missing.clear();
            }
            let gone =
                read::status_of_name(&database).is_err_and(|error| error.errno == Errno::ENOENT);
            if gone && self.named < DATABASES_MAX && self.missing.insert(database.clone()) {
                self.name(Sight::Missing(database));
            }
        }
    }

    fn progress(&mut self, seen: Seen) -> Step {
        (self.on_sight)(Sight::Progress(seen))
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
