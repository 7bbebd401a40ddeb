//! One user of a scratch database: a connection of stock SQLite that does what it is asked.

use super::judge::{Failure, Seen};
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_os::error::errno_of;

/// How long a connection waits for a lock that somebody may hold for a moment.
const PATIENCE: Duration = Duration::from_millis(250);

/// Larger than a page, so that a row needs pages of its own and a write reaches several.
const CONTENT_BYTES: usize = 6000;

/// Most rows and complaints that are read; a sound database has far fewer.
const ROWS_MAX: usize = 1000;

/// Longest text taken from SQLite.
const TEXT_CHARS_MAX: usize = 200;

/// The tables of a scratch database.
pub(super) const TABLES: &str = "BEGIN IMMEDIATE;
    CREATE TABLE counter(value INTEGER NOT NULL);
    INSERT INTO counter VALUES(0);
    CREATE TABLE rows(id INTEGER PRIMARY KEY, content BLOB NOT NULL);
    COMMIT;";

/// How a connection uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Manner {
    /// Takes the mode that the file is in, as the `sqlite3` shell does.
    Plain,
    /// Sets WAL mode.
    Wal,
    /// Sets `locking_mode=EXCLUSIVE` before WAL mode, so that no shared memory is needed.
    WalExclusive,
    /// Opens by the VFS `unix-excl` and sets WAL mode.
    UnixExcl,
    /// Sets a rollback journal that is deleted after each transaction, SQLite's default.
    Rollback,
}

/// What a user is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Action {
    /// Opens the database and sets the mode.
    Open(Manner),
    /// Creates the tables: the first write, and the first use of the mode.
    Create,
    /// One transaction: adds this row and counts it.
    Write(i64),
    /// Begins a transaction as a writer.
    Begin,
    /// Begins a transaction that keeps readers out as well, where the mode has that.
    BeginExclusive,
    /// Adds this row and counts it, inside the transaction that has begun.
    Add(i64),
    /// Commits it.
    Commit,
    /// Reads everything.
    Read,
    /// Copies the WAL into the database and cuts it to nothing.
    Checkpoint,
    /// Leaves WAL mode.
    LeaveWal,
    /// Lets SQLite check the database.
    Check,
    /// Closes the connection.
    Close,
}

/// Whether to wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Wait {
    /// For a moment, as programs do.
    Briefly,
    /// Not at all, because the lock is known to be held.
    Never,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Answer {
    /// SQLite said that it is done.
    Done,
    /// What was read.
    Seen(Seen),
    /// The words of `integrity_check`; `ok` is a sound database.
    Words(String),
}

/// Somebody who can be asked, in this process or in another.
pub(super) trait Hand {
    fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure>;
}

/// A user in this process.
pub(super) struct Actor {
    pub(super) path: PathBuf,
    pub(super) connection: Option<Connection>,
}

impl Actor {
    pub(super) fn new(path: &Path) -> Self {
        Actor { path: path.to_owned(), connection: None }
    }

    fn open(&mut self, manner: Manner) -> Result<Answer, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match manner {
            Manner::UnixExcl => {
                Connection::open_with_flags_and_vfs(&self.path, flags, c"unix-excl")
            }
            _ => Connection::open_with_flags(&self.path, flags),
        };
        let connection = self.connection.insert(opened.map_err(failure)?);
        connection.busy_timeout(PATIENCE).map_err(failure)?;
        let set: &[(&'static str, &'static str)] = match manner {
            Manner::Plain => &[],
            Manner::Wal | Manner::UnixExcl => &[("journal_mode", "wal")],
            // After WAL mode has been used once, EXCLUSIVE comes too late for the heap.
            Manner::WalExclusive => &[("locking_mode", "exclusive"), ("journal_mode", "wal")],
            Manner::Rollback => &[("journal_mode", "delete")],
        };
        for (name, value) in set {
            set_mode(connection, name, value)?;
        }
        Ok(Answer::Done)
    }

    fn perform(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
        if let Action::Open(manner) = action {
            return self.open(manner);
        }
        if action == Action::Close {
            return match self.connection.take().map(Connection::close) {
                Some(Err((_, error))) => Err(failure(error)),
                Some(Ok(())) | None => Ok(Answer::Done),
            };
        }
        let connection = self.connection.as_ref().ok_or(Failure::NotOpen)?;
        let patience = if wait == Wait::Never { Duration::ZERO } else { PATIENCE };
        connection.busy_timeout(patience).map_err(failure)?;
        let run = |sql: &str| connection.execute_batch(sql).map(|()| Answer::Done).map_err(failure);
        match action {
            Action::Open(_) | Action::Close => Ok(Answer::Done),
            Action::Create => run(TABLES),
            Action::Write(id) => {
                run("BEGIN IMMEDIATE")?;
                add(connection, id)?;
                run("COMMIT")
            }
            Action::Begin => run("BEGIN IMMEDIATE"),
            Action::BeginExclusive => run("BEGIN EXCLUSIVE"),
            Action::Add(id) => add(connection, id),
            Action::Commit => run("COMMIT"),
            Action::Read => read(connection).map(Answer::Seen).map_err(failure),
            Action::Checkpoint => checkpoint(connection),
            Action::LeaveWal => set_mode(connection, "journal_mode", "delete"),
            Action::Check => check(connection).map(Answer::Words).map_err(failure),
        }
    }
}

impl Hand for Actor {
    fn ask(&mut self, action: Action, wait: Wait) -> Result<Answer, Failure> {
        self.perform(action, wait)
    }
}

/// Sets a mode and takes SQLite at its word: it answers the mode that now holds. Whether the mode
/// works is shown by the first write, not by this answer.
fn set_mode(
    connection: &Connection,
    name: &'static str,
    value: &'static str,
) -> Result<Answer, Failure> {
    let sql = format!("PRAGMA {name}={value}");
    let got: String = connection.query_row(&sql, [], |row| row.get(0)).map_err(failure)?;
    if got.eq_ignore_ascii_case(value) {
        return Ok(Answer::Done);
    }
    Err(Failure::ModeNotSet { asked: sql, got: bounded(&got) })
}

pub(super) fn add(connection: &Connection, id: i64) -> Result<Answer, Failure> {
    connection
        .execute("INSERT INTO rows VALUES(?1, ?2)", (id, content(id)))
        .and_then(|_| connection.execute("UPDATE counter SET value = value + 1", []))
        .map(|_| Answer::Done)
        .map_err(failure)
}

fn read(connection: &Connection) -> rusqlite::Result<Seen> {
    let transaction = connection.unchecked_transaction()?;
    let counter = transaction.query_row("SELECT value FROM counter", [], |row| row.get(0))?;
    let mut seen = Seen { counter, ..Seen::default() };
    let mut statement = transaction.prepare("SELECT id, content FROM rows ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let whole = row.get_ref(1)?.as_blob().is_ok_and(|bytes| bytes == content(id));
        if whole {
            seen.whole.push(id)
        } else {
            seen.wrong.push(id)
        }
        if seen.whole.len() + seen.wrong.len() >= ROWS_MAX {
            break;
        }
    }
    drop(rows);
    drop(statement);
    transaction.commit()?;
    Ok(seen)
}

/// Answers BUSY where SQLite does: in the first column, not as an error.
fn checkpoint(connection: &Connection) -> Result<Answer, Failure> {
    let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy: i64 = connection.query_row(sql, [], |row| row.get(0)).map_err(failure)?;
    if busy == 0 {
        Ok(Answer::Done)
    } else {
        Err(Failure::Sqlite { code: 5, words: None, errno: None })
    }
}

fn check(connection: &Connection) -> rusqlite::Result<String> {
    let mut statement = connection.prepare("PRAGMA integrity_check(3)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
    let lines: Vec<String> = lines.take(ROWS_MAX).collect::<rusqlite::Result<_>>()?;
    Ok(bounded(&lines.join("; ")))
}

/// Bytes that no other row has, so that a page in the wrong place shows.
fn content(id: i64) -> Vec<u8> {
    let seed = id.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::successors(Some(seed), |word| {
        let word = word ^ (word << 13);
        let word = word ^ (word >> 7);
        Some(word ^ (word << 17))
    });
    words.flat_map(u64::to_le_bytes).take(CONTENT_BYTES).collect()
}

fn bounded(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_CHARS_MAX).collect()
}

/// SQLite's extended code, with the error number that the C library still holds. That is what
/// `sqlite3_system_errno` tells on Unix as well (`unixGetLastError` in `os_unix.c`), and here also
/// for BUSY, which SQLite makes of ENOLCK.
pub(super) fn failure(error: rusqlite::Error) -> Failure {
    // Must come first: any later call may change it.
    let errno = errno_of(&std::io::Error::last_os_error());
    let Some(code) = error.sqlite_extended_error_code() else {
        return Failure::Value(bounded(&error.to_string()));
    };
    let words = match error {
        rusqlite::Error::SqliteFailure(_, words) => words,
        rusqlite::Error::SqlInputError { msg, .. } => Some(msg),
        _ => None,
    };
    let plain = u32::try_from(code).ok().and_then(ResultCode::from_number);
    let words = words.filter(|words| plain.is_none_or(|code| code.message() != words));
    Failure::Sqlite { code, words: words.as_deref().map(bounded), errno: kept(code, errno) }
}

/// Drops an error number that tells nothing of this failure. A file that is not there is no error
/// to SQLite where it looks for a journal or a WAL, and leaves its ENOENT behind.
fn kept(code: i32, errno: Errno) -> Option<Errno> {
    const BUSY: i32 = 5;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const SHORT_READ: i32 = 522;
    const DELETE_NOENT: i32 = 5898;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    let primary = code & 0xff;
    let by_call = matches!(primary, BUSY | READONLY | IOERR | FULL | CANTOPEN | PROTOCOL);
    let stale = errno == Errno::ENOENT && primary != CANTOPEN && code != DELETE_NOENT;
    (by_call && code != SHORT_READ && errno.raw() != 0 && !stale).then_some(errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_differ_in_every_word() {
        let (one, two) = (content(1), content(2));
        assert_eq!((one.len(), two.len()), (CONTENT_BYTES, CONTENT_BYTES));
        let same = one.chunks(8).zip(two.chunks(8)).filter(|(one, two)| one == two).count();
        assert_eq!(same, 0);
        assert_eq!(content(1), one);
    }

    #[test]
    fn an_error_number_is_kept_only_with_a_failed_call() {
        assert_eq!(kept(5386, Errno::EINVAL), Some(Errno::EINVAL));
        assert_eq!(kept(5, Errno::ENOLCK), Some(Errno::ENOLCK));
        assert_eq!(kept(14, Errno::ENOENT), Some(Errno::ENOENT));
        for (code, errno) in [
            (5, Errno::ENOENT),
            (522, Errno::EIO),
            (11, Errno::EIO),
            (1, Errno::EAGAIN),
            (5386, Errno::from_raw(0)),
        ] {
            assert_eq!(kept(code, errno), None, "{code} {errno}");
        }
    }
}
