//! Stock SQLite on a scratch database that all sides use at once.

use rusqlite::{Connection, OpenFlags};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tombolo_core::peer::step::{Answer, ERRORS_MAX, FileNumber, Journal, Ran, Sql};
use tombolo_os::worker::pause;

/// How long a connection waits for a lock of another. Shorter than a run, so that it ends in time.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long the last look at the database waits; a side may have died with a lock file.
const CHECK_PATIENCE: Duration = Duration::from_secs(2);

/// Between two transactions, so that the others find the lock free.
const PAUSE: Duration = Duration::from_millis(1);

/// After so many commits a side keeps its journal and marks it as served. One that is deleted, as
/// SQLite does by default, is a new file each time, of which some servers hold a descriptor until
/// all clients have forgotten it.
const DELETED_JOURNALS: u32 = 100;

/// Most commits through the VFS `unix-dotfile`, each of which makes a new directory as its lock.
const DOTFILE_COMMITS: u32 = 100;

/// After so many errors in a row a side gives up.
const ERRORS_IN_A_ROW_MAX: u32 = 50;

const WORDS_CHARS_MAX: usize = 200;

const BUSY: i32 = 5;

/// Does what is asked. The calling process must have SQLite to itself.
pub(super) fn perform(sql: Sql) -> Answer {
    let done = match sql {
        Sql::Create(file, journal) => create(file, journal).map(|()| Answer::Done),
        Sql::Increment(file, journal, time_ms) => {
            let time = Duration::from_millis(u64::from(time_ms));
            Ok(Answer::Ran(increment(file, journal, time)))
        }
        Sql::Check(file, journal) => check(file, journal),
    };
    done.unwrap_or_else(|error| Answer::SqlFailed(code(&error)))
}

fn code(error: &rusqlite::Error) -> i32 {
    error.sqlite_extended_error_code().unwrap_or(0)
}

/// SQLite takes a path, and none with a link in it.
fn open(file: FileNumber, journal: Journal, more: OpenFlags) -> rusqlite::Result<Connection> {
    let name = format!("session.peer-{file}.db");
    let path = PathBuf::from(".").canonicalize().map(|directory| directory.join(name));
    let path = path.map_err(|_| rusqlite::Error::InvalidPath(PathBuf::from(".")))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | more;
    let connection = match journal {
        Journal::Dotfile => Connection::open_with_flags_and_vfs(path, flags, c"unix-dotfile"),
        Journal::Rollback | Journal::Wal => Connection::open_with_flags(path, flags),
    }?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

fn create(file: FileNumber, journal: Journal) -> rusqlite::Result<()> {
    let connection = open(file, journal, OpenFlags::SQLITE_OPEN_CREATE)?;
    let mode = if journal == Journal::Wal { "wal" } else { "delete" };
    let sql = format!("PRAGMA journal_mode={mode}");
    let _: String = connection.query_row(&sql, [], |row| row.get(0))?;
    connection.execute_batch(
        "BEGIN; CREATE TABLE counter(value INTEGER NOT NULL); INSERT INTO counter VALUES(0); \
         COMMIT;",
    )?;
    connection.close().map_err(|(_, error)| error)
}

/// How one transaction ended.
enum Ending {
    Acknowledged,
    /// SQLite said at the commit that it failed.
    Unknown(i32),
    Failed(i32),
}

fn increment(file: FileNumber, journal: Journal, time: Duration) -> Ran {
    let start = Instant::now();
    let (mut ran, mut last, mut in_a_row) = (Ran::default(), start, 0);
    let mut connection = None;
    let commits_max = if journal == Journal::Dotfile { DOTFILE_COMMITS } else { u32::MAX };
    while start.elapsed() < time && in_a_row < ERRORS_IN_A_ROW_MAX && ran.acknowledged < commits_max
    {
        let ending = match &connection {
            Some(connection) => once(connection),
            None => match connect(file, journal, ran.acknowledged) {
                Ok(fresh) => once(connection.insert(fresh)),
                Err(error) => Ending::Failed(code(&error)),
            },
        };
        let code = match ending {
            Ending::Acknowledged => {
                ran.acknowledged += 1;
                let waited_ms = u32::try_from(last.elapsed().as_millis()).unwrap_or(u32::MAX);
                ran.longest_wait_ms = ran.longest_wait_ms.max(waited_ms);
                (last, in_a_row) = (Instant::now(), 0);
                if ran.acknowledged == DELETED_JOURNALS {
                    connection = None;
                }
                0
            }
            Ending::Unknown(code) => {
                ran.unknown += 1;
                code
            }
            Ending::Failed(code) => code,
        };
        if code & 0xff == BUSY {
            ran.busy += 1;
        } else if code != 0 {
            in_a_row += 1;
            count(&mut ran.errors, code);
            // As a program would that reports the error and is started again.
            connection = None;
        }
        pause(PAUSE);
    }
    ran
}

/// A connection for a side that has made so many commits.
fn connect(file: FileNumber, journal: Journal, commits: u32) -> rusqlite::Result<Connection> {
    let connection = open(file, journal, OpenFlags::empty())?;
    let keeps_journal = match journal {
        Journal::Rollback => commits >= DELETED_JOURNALS,
        Journal::Dotfile => true,
        Journal::Wal => false,
    };
    if keeps_journal {
        connection.query_row("PRAGMA journal_mode=persist", [], |_| Ok(()))?;
    }
    Ok(connection)
}

fn count(errors: &mut Vec<(i32, u32)>, code: i32) {
    if let Some((_, times)) = errors.iter_mut().find(|(known, _)| *known == code) {
        *times += 1;
    } else if errors.len() < ERRORS_MAX {
        errors.push((code, 1));
    }
}

fn once(connection: &Connection) -> Ending {
    let begun = connection
        .execute_batch("BEGIN IMMEDIATE")
        .and_then(|()| connection.execute("UPDATE counter SET value = value + 1", []));
    let ending = match begun {
        Err(error) => Ending::Failed(code(&error)),
        Ok(_) => match connection.execute_batch("COMMIT") {
            Ok(()) => return Ending::Acknowledged,
            // Nothing was written; the transaction is still open.
            Err(error) if code(&error) & 0xff == BUSY => Ending::Failed(code(&error)),
            Err(error) => Ending::Unknown(code(&error)),
        },
    };
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    ending
}

fn check(file: FileNumber, journal: Journal) -> rusqlite::Result<Answer> {
    let connection = open(file, journal, OpenFlags::empty())?;
    connection.busy_timeout(CHECK_PATIENCE)?;
    let value = connection.query_row("SELECT value FROM counter", [], |row| row.get(0))?;
    let words: String = connection.query_row("PRAGMA integrity_check(3)", [], |row| row.get(0))?;
    let words = (words != "ok").then(|| words.chars().take(WORDS_CHARS_MAX).collect());
    Ok(Answer::Checked(value, words))
}

/// The name of a result code, for people.
pub(super) fn name(code: i32) -> String {
    let known = u32::try_from(code)
        .ok()
        .and_then(tombolo_core::sqlite::result_code::ResultCode::from_number);
    match known {
        Some(known) => known.name().to_owned(),
        None if code == 0 => "an error without a code".to_owned(),
        None => format!("code {code}"),
    }
}

/// Whether it says that the file is no sound database.
pub(super) fn is_damage(code: i32) -> bool {
    matches!(code & 0xff, 11 | 26)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::testing::within_scratch;

    #[test]
    fn what_is_acknowledged_is_counted_in_every_manner() {
        within_scratch(|| {
            for (file, journal) in
                [Journal::Rollback, Journal::Wal, Journal::Dotfile].into_iter().enumerate()
            {
                let file = file as u16;
                assert_eq!(perform(Sql::Create(file, journal)), Answer::Done);
                let ran = perform(Sql::Increment(file, journal, 100));
                let Answer::Ran(Ran { acknowledged, unknown: 0, ref errors, .. }) = ran else {
                    panic!("{ran:?}");
                };
                assert!(acknowledged > 0 && errors.is_empty(), "{ran:?}");
                let value = i64::from(acknowledged);
                assert_eq!(perform(Sql::Check(file, journal)), Answer::Checked(value, None));
            }
        });
    }

    #[test]
    fn a_database_that_is_not_there_or_none_is_told_by_its_code() {
        within_scratch(|| {
            let Answer::SqlFailed(code) = perform(Sql::Check(1, Journal::Rollback)) else {
                panic!("there is none");
            };
            assert_eq!(name(code), "SQLITE_CANTOPEN");
            std::fs::write("session.peer-1.db", [7; 4096]).expect("written");
            let Answer::SqlFailed(code) = perform(Sql::Check(1, Journal::Rollback)) else {
                panic!("it is none");
            };
            assert!(is_damage(code), "{code}");
            let Answer::Ran(ran) = perform(Sql::Increment(1, Journal::Rollback, 1000)) else {
                panic!("it runs");
            };
            assert_eq!((ran.acknowledged, ran.errors), (0, vec![(26, ERRORS_IN_A_ROW_MAX)]));
        });
    }
}
