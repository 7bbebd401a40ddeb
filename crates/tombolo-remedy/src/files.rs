//! Names of files, and what is done with them everywhere.

use crate::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::lock_bytes::{PENDING, SHARED_BYTES, SHARED_FIRST};
use tombolo_os::error::errno_of;
use tombolo_os::lock::Range;

/// What can stand beside a database, and the database itself.
pub(crate) const ALL: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Those of them that can hold what is committed. A wal-index holds nothing that is not in the log.
pub(crate) const WITH_CONTENT: [&str; 3] = ["", "-wal", "-journal"];

/// What the old files of a database are called that was moved.
pub(crate) const OLD: &str = ".moved-by-tombolo";

/// All bytes of a database that SQLite locks.
pub(crate) const LOCKED: Range =
    Range { start: PENDING as i64, length: (SHARED_FIRST + SHARED_BYTES - PENDING) as i64 };

/// The path with something behind its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::call("unlink", path, &error))
        }
        _ => Ok(()),
    }
}

/// Makes names in a directory last.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Error> {
    let synced = File::open(directory).and_then(|opened| opened.sync_all());
    match synced {
        Ok(()) => Ok(()),
        // Some network file systems have no such call; their names are on the server at once.
        Err(error) if errno_of(&error) == Errno::EINVAL => Ok(()),
        Err(error) => Err(Error::call("fsync", directory, &error)),
    }
}
