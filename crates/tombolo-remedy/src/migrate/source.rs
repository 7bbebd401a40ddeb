//! The database, read as it is at one moment.
//!
//! A database with a rollback journal is read in one read transaction, whose lock keeps writers
//! out. Anything else is copied to a local directory first: a WAL needs a shared map, and what was
//! cut off needs to be recovered, neither of which is done to the user's own files.

use super::report::Snapshot;
use crate::action::check_room;
use crate::copy::{self, Attend};
use crate::error::Error;
use crate::guard::{self, Elsewhere, Unseen, Watch};
use crate::record::FileState;
use crate::sqlite::{Database, Manner, failure};
use crate::state::Place;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest as _, Sha256};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::sqlite::journal::{self, JournalContent};
use tombolo_os::read;

/// What can be committed and not yet be in the database.
const SUFFIXES: [&str; 3] = ["", "-wal", "-journal"];
/// For what SQLite writes while it recovers a copy.
const MARGIN_BYTES: u64 = 16 * 1024 * 1024;

/// What is needed to read it.
pub(super) struct Reader<'a> {
    pub(super) place: &'a Place,
    pub(super) watch: &'a mut dyn Watch,
    pub(super) elsewhere: Elsewhere,
    /// Where a copy may be made.
    pub(super) scratch: &'a Path,
    pub(super) attend: &'a mut dyn Attend,
    pub(super) stop_wanted: fn() -> bool,
}

/// The database, open for reading.
pub(super) struct Source {
    database: Database,
    place: Place,
    before: Vec<FileState>,
    pub(super) snapshot: Snapshot,
    /// Removed at the end.
    copied_to: Option<PathBuf>,
}

impl Source {
    /// Opens it, when nobody uses it.
    ///
    /// # Errors
    /// As [`guard::check`]; what the kernel and SQLite said.
    pub(super) fn open(reader: &mut Reader<'_>) -> Result<Self, Error> {
        guard::check(reader.place, reader.watch, reader.elsewhere, Unseen::Locked)?;
        let before = looks(reader.place)?;
        let opened =
            if is_plain(reader.place, &before)? { locked(reader.place).ok() } else { None };
        let (database, snapshot, copied_to) = match opened {
            Some(database) => (database, Snapshot::Locked, None),
            None => {
                let directory = make_directory(reader.scratch)?;
                match copied(reader, &before, &directory) {
                    Ok(database) => (database, Snapshot::Copied, Some(directory)),
                    Err(error) => {
                        clear(&directory);
                        return Err(error);
                    }
                }
            }
        };
        let place = reader.place.clone();
        let mut source = Source { database, place, before, snapshot, copied_to };
        source.database.stop_when(reader.stop_wanted)?;
        source.check_unchanged()?;
        Ok(source)
    }

    pub(super) fn connection(&self) -> &Connection {
        self.database.connection()
    }

    /// Which state of which files this is.
    pub(super) fn identity(&self) -> String {
        let files = self
            .before
            .iter()
            .map(|file| format!("{} {} {}", file.name, file.size_bytes, file.modified_ns));
        let files = files.collect::<Vec<_>>().join("; ");
        copy::hexadecimal(&Sha256::digest(files))
    }

    /// # Errors
    /// [`Error::Changed`] where a file is not as it was.
    pub(super) fn check_unchanged(&self) -> Result<(), Error> {
        let now = looks(&self.place)?;
        let same = now.len() == self.before.len()
            && now.iter().zip(&self.before).all(|(now, before)| {
                now.name == before.name && copy::looks_alike(Some(now), Some(before))
            });
        if same { Ok(()) } else { Err(Error::Changed { path: self.place.target() }) }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(directory) = &self.copied_to {
            clear(directory);
        }
    }
}

/// The copy is of no use to anybody; that it could not be removed is no reason to fail.
fn clear(directory: &Path) {
    let _ = std::fs::remove_dir_all(directory);
}

fn looks(place: &Place) -> Result<Vec<FileState>, Error> {
    let mut present = Vec::new();
    for suffix in SUFFIXES {
        let found = copy::look(&place.beside(suffix))?;
        // An empty journal says nothing.
        present.extend(found.filter(|file| suffix.is_empty() || file.size_bytes > 0));
    }
    Ok(present)
}

/// In rollback mode, with nothing to recover.
fn is_plain(place: &Place, present: &[FileState]) -> Result<bool, Error> {
    const START_BYTES: usize = 100;
    const START_OF_JOURNAL_BYTES: usize = 512;
    let wal = place.beside("-wal");
    let wal_name = wal.file_name().unwrap_or_default().to_string_lossy();
    if present.iter().any(|file| file.name == wal_name) {
        return Ok(false);
    }
    if present.len() > 1 {
        let opened = read::open(&place.beside("-journal")).map_err(copy::read_error)?;
        let start = opened.bytes_at(0, START_OF_JOURNAL_BYTES)?;
        if matches!(journal::judge(&start, opened.status().size_bytes), JournalContent::Hot(_)) {
            return Ok(false);
        }
    }
    let opened = read::open(&place.target()).map_err(copy::read_error)?;
    let start = opened.bytes_at(0, START_BYTES)?;
    // fileformat2.html, section 1.3: read and write versions, 1 for a rollback journal.
    Ok(start.get(18..20) == Some(&[1, 1]))
}

fn locked(place: &Place) -> Result<Database, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| failure("opening", error);
    let path = place.target();
    let connection = Connection::open_with_flags_and_vfs(path, flags, c"unix").map_err(failed)?;
    connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
    connection.execute_batch("BEGIN; SELECT count(*) FROM main.sqlite_schema").map_err(failed)?;
    Ok(Database::of(connection))
}

fn make_directory(scratch: &Path) -> Result<PathBuf, Error> {
    for number in 0..1000 {
        let directory = scratch.join(format!("tombolo-migrate-{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::call("mkdir", &directory, &error)),
        }
    }
    let text = format!("no directory could be made in {}", scratch.display());
    Err(Error::NotApplicable(text))
}

fn copied(
    reader: &mut Reader<'_>,
    present: &[FileState],
    directory: &Path,
) -> Result<Database, Error> {
    let size_bytes: u64 = present.iter().map(|file| file.size_bytes).sum();
    check_room(directory, size_bytes.saturating_add(MARGIN_BYTES))?;
    let partial = directory.join("partial");
    for file in present {
        let from = reader.place.directory.join(&file.name);
        copy::file(&from, &directory.join(&file.name), &partial, reader.attend)?;
    }
    let database = Database::open(&directory.join(&reader.place.name), Manner::Private)?;
    database.keep_others_out()?;
    Ok(database)
}
