//! Stock SQLite on one database that nobody else uses.

use crate::copy::Attend;
use crate::error::Error;
use crate::plan::JournalMode;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::ffi::CStr;
use std::path::Path;
use std::time::Duration;
use tombolo_core::errno::Errno;

/// How long another program's lock is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Instructions of SQLite's virtual machine between two questions whether to stop.
const STRIDE: i32 = 100_000;
/// Lines of damage that are kept.
const DAMAGE_LINES_MAX: usize = 5;

/// How a database is opened. Neither maps a `-shm`: the wal-index is in the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// A user's database: other programs of this kernel are kept out by locks.
    Locked,
    /// A copy that nobody knows of: no locks, as the file system may have none.
    Private,
}

impl Manner {
    const fn vfs(self) -> &'static CStr {
        match self {
            Manner::Locked => c"unix-excl",
            Manner::Private => c"unix-none",
        }
    }
}

/// A database, open.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Opens a database that exists. Nothing of it is read yet.
    pub(crate) fn open(path: &Path, manner: Manner) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let failed = |error| failure("opening", error);
        let connection = Connection::open_with_flags_and_vfs(path, flags, manner.vfs());
        let connection = connection.map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        // Before anything is read: only then the wal-index is in the heap (wal.html, section 7).
        connection
            .pragma_update_and_check(None, "locking_mode", "exclusive", |_| Ok(()))
            .map_err(failed)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
        Ok(Database { connection })
    }

    /// One that was opened in another way.
    pub(crate) const fn of(connection: Connection) -> Self {
        Database { connection }
    }

    /// For statements of the caller's own.
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes the locks of a writer, and keeps them until the database is closed. A hot journal is
    /// rolled back by this, as by every first reader.
    pub(crate) fn keep_others_out(&self) -> Result<(), Error> {
        let taken = self.connection.execute_batch("BEGIN EXCLUSIVE; COMMIT");
        taken.map_err(|error| failure("taking its locks", error))
    }

    /// Changes the journal mode, and makes sure that it has changed.
    pub(crate) fn convert(&self, to: JournalMode) -> Result<(), Error> {
        let during = "changing the journal mode";
        let mode: String = self
            .connection
            .pragma_update_and_check(None, "journal_mode", to.as_str(), |row| row.get(0))
            .map_err(|error| failure(during, error))?;
        if mode == to.as_str() {
            return Ok(());
        }
        Err(Error::Sqlite { during, text: format!("it stayed in mode {mode}"), errno: None })
    }

    /// Checks every page and index. Where an index needs a collation or a module of the
    /// application, the check goes without the contents of indexes.
    pub(crate) fn check(&self, attend: &mut dyn Attend) -> Result<(), Error> {
        match self.check_by("integrity_check", attend) {
            Err(Error::Sqlite { text, .. }) if needs_application(&text) => {
                self.check_by("quick_check", attend)
            }
            other => other,
        }
    }

    fn check_by(&self, pragma: &str, attend: &mut dyn Attend) -> Result<(), Error> {
        let during = "checking integrity";
        let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Error::Damaged(error.to_string())
            }
            _ => failure(during, error),
        };
        let sql = format!("PRAGMA {pragma}({DAMAGE_LINES_MAX})");
        let mut statement = self.connection.prepare(&sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        let mut lines: Vec<String> = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            attend.pass()?;
            lines.push(row.get(0).map_err(failed)?);
        }
        match lines.as_slice() {
            [line] if line == "ok" => Ok(()),
            lines => Err(Error::Damaged(lines.join("; "))),
        }
    }

    /// Lets long statements be stopped.
    pub(crate) fn stop_when(&mut self, wanted: fn() -> bool) -> Result<(), Error> {
        let set = self.connection.progress_handler(STRIDE, Some(wanted));
        set.map_err(|error| failure("opening", error))
    }

    /// Closes it, with the checkpoint and the removal of the log that this brings.
    pub(crate) fn close(self) -> Result<(), Error> {
        self.connection.close().map_err(|(_, error)| failure("closing", error))
    }
}

fn needs_application(text: &str) -> bool {
    ["no such collation sequence", "no such module", "no such function", "unknown function"]
        .iter()
        .any(|words| text.contains(words))
}

pub(crate) fn failure(during: &'static str, error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return Error::Stopped;
    }
    Error::Sqlite { during, text: error.to_string(), errno: kept_errno(&error) }
}

/// What the kernel said last, where SQLite failed by the kernel. Nothing else was called since.
fn kept_errno(error: &rusqlite::Error) -> Option<Errno> {
    match error.sqlite_error_code()? {
        ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::DatabaseBusy
        | ErrorCode::DiskFull
        | ErrorCode::FileLockingProtocolFailed => std::io::Error::last_os_error()
            .raw_os_error()
            .filter(|raw| *raw > 0)
            .map(Errno::from_raw),
        _ => None,
    }
}
