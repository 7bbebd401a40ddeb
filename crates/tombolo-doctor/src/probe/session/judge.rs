//! What a session's results mean. Nothing here looks at the world.

use serde::{Deserialize, Serialize};
use std::fmt;
use tombolo_core::errno::Errno;
use tombolo_core::report::Outcome;
use tombolo_core::sqlite::result_code::ResultCode;

/// What one user read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(super) struct Seen {
    /// The row that each transaction adds one to.
    pub(super) counter: i64,
    /// Rows with the bytes that were written, by id.
    pub(super) whole: Vec<i64>,
    /// Rows with other bytes.
    pub(super) wrong: Vec<i64>,
}

/// Why a user did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(super) enum Failure {
    /// SQLite's extended result code, its words where they say more than the code (which table is
    /// not there), and the kernel's error number where there is one.
    Sqlite { code: i32, words: Option<String>, errno: Option<Errno> },
    /// SQLite named another mode than the one it was asked for.
    ModeNotSet { asked: String, got: String },
    /// A value came back that nobody wrote, such as text in a column of numbers.
    Value(String),
    /// Asked before anything was opened.
    NotOpen,
    /// The files that a session begins with could not be made.
    NotMade(Errno),
    /// The other process did not answer in time.
    Silent,
    /// The other process is gone.
    Gone,
}

impl Failure {
    /// SQLite's code, if it is one that SQLite defines.
    pub(super) fn code(&self) -> Option<ResultCode> {
        let Failure::Sqlite { code, .. } = self else { return None };
        u32::try_from(*code).ok().and_then(ResultCode::from_number)
    }

    pub(super) fn is_busy(&self) -> bool {
        self.code().is_some_and(|code| code.primary() == ResultCode::BUSY)
    }

    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            Failure::Sqlite { errno, .. } => *errno,
            Failure::NotMade(errno) => Some(*errno),
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Sqlite { code, words, errno } => {
                match self.code() {
                    Some(code) => write!(formatter, "{code}")?,
                    None => write!(formatter, "result code {code}")?,
                }
                if let Some(words) = words {
                    write!(formatter, ", {words:?}")?;
                }
                errno.map_or(Ok(()), |errno| write!(formatter, ", errno {errno}"))
            }
            Failure::ModeNotSet { asked, got } => {
                write!(formatter, "{asked} was answered with {got:?}")
            }
            Failure::Value(text) => write!(formatter, "a value that nobody wrote: {text}"),
            Failure::NotOpen => formatter.write_str("the database was not open"),
            Failure::NotMade(errno) => write!(formatter, "its files could not be made: {errno}"),
            Failure::Silent => formatter.write_str("the second process gave no answer in time"),
            Failure::Gone => formatter.write_str("the second process is gone"),
        }
    }
}

/// What SQLite acknowledged and what then was not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Rows are missing that were committed.
    Missing { committed: usize, missing: usize },
    /// Rows hold other bytes than were committed.
    Wrong { rows: usize },
    /// Rows are there that were never committed.
    Uncommitted { rows: usize },
    /// Each transaction adds one to a counter, and it shows another number.
    Counter { committed: usize, shown: i64 },
    /// Somebody was let in who had to be kept out.
    LetIn,
    /// `integrity_check` complained.
    Integrity(String),
    /// The checkpoint was said to have cut the WAL to nothing.
    WalNotCut { bytes: u64 },
    /// The database was said to have left WAL mode, and its `-wal` is still there.
    WalLeft,
}

impl fmt::Display for Lie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lie::Missing { committed, missing } => {
                write!(formatter, "{missing} of {committed} committed rows are missing")
            }
            Lie::Wrong { rows } => {
                write!(formatter, "{rows} rows hold other bytes than were committed")
            }
            Lie::Uncommitted { rows } => {
                write!(formatter, "{rows} rows can be read that were not committed")
            }
            Lie::Counter { committed, shown } => {
                write!(
                    formatter,
                    "{committed} increments were committed, the counter shows {shown}"
                )
            }
            Lie::LetIn => formatter.write_str("it was let in while another held the database"),
            Lie::Integrity(words) => write!(formatter, "integrity_check says {words:?}"),
            Lie::WalNotCut { bytes } => {
                write!(formatter, "the WAL has {bytes} bytes after wal_checkpoint(TRUNCATE)")
            }
            Lie::WalLeft => formatter.write_str("the -wal is still there after leaving WAL mode"),
        }
    }
}

/// What was acknowledged: each row by one committed transaction that also counted it.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    rows: Vec<i64>,
}

impl Ledger {
    /// A ledger of rows that somebody else has committed.
    pub(super) fn of(rows: &[i64]) -> Self {
        Ledger { rows: rows.to_vec() }
    }

    /// The id of the next row; ids are never used twice.
    pub(super) fn next(&self) -> i64 {
        self.rows.last().map_or(1, |last| last + 1)
    }

    /// Keeps a row whose transaction was acknowledged.
    pub(super) fn acknowledge(&mut self, id: i64) {
        self.rows.push(id);
    }

    /// How many transactions were acknowledged.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether what was read is exactly what was acknowledged.
    pub(super) fn compare(&self, seen: &Seen) -> Result<(), Lie> {
        let there = |id: &i64| seen.whole.contains(id) || seen.wrong.contains(id);
        let missing = self.rows.iter().filter(|id| !there(id)).count();
        let strange = seen.whole.iter().chain(&seen.wrong).filter(|id| !self.rows.contains(id));
        let strange = strange.count();
        let committed = self.rows.len();
        if missing > 0 {
            return Err(Lie::Missing { committed, missing });
        }
        if !seen.wrong.is_empty() {
            return Err(Lie::Wrong { rows: seen.wrong.len() });
        }
        if strange > 0 {
            return Err(Lie::Uncommitted { rows: strange });
        }
        // The same row twice in one primary key.
        if seen.whole.len() != committed {
            return Err(Lie::Integrity("a primary key holds a row twice".to_owned()));
        }
        if usize::try_from(seen.counter) != Ok(committed) {
            return Err(Lie::Counter { committed, shown: seen.counter });
        }
        Ok(())
    }
}

/// Where a session ended early, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    /// What was being done, in words that follow "at".
    pub(super) step: &'static str,
    pub(super) cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Failed(Failure),
    Lied(Lie),
}

impl Stop {
    /// Whether somebody was told to wait.
    pub(super) fn is_busy(&self) -> bool {
        matches!(&self.cause, Cause::Failed(failure) if failure.is_busy())
    }

    /// What it says about the mount. `acknowledged`: whether anything had been committed.
    pub(super) fn outcome(&self, acknowledged: usize) -> Outcome {
        let failure = match &self.cause {
            Cause::Lied(_) => return Outcome::Violated,
            Cause::Failed(failure) => failure,
        };
        match failure {
            Failure::Silent => Outcome::TimedOut,
            Failure::Gone | Failure::NotOpen | Failure::NotMade(_) => Outcome::NotRun,
            Failure::ModeNotSet { .. } => Outcome::Refused,
            Failure::Value(_) => Outcome::Violated,
            Failure::Sqlite { code, errno, .. } => {
                if is_for_want_of_room(*code, *errno) {
                    Outcome::NotRun
                } else if acknowledged > 0 && means_damage(*code) {
                    Outcome::Violated
                } else {
                    Outcome::Refused
                }
            }
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Failed(failure) => write!(formatter, "at the {}: {failure}", self.step),
            Cause::Lied(lie) => write!(formatter, "at the {}: {lie}", self.step),
        }
    }
}

/// The scratch database did not fit, which says nothing about locks, maps or syncs.
fn is_for_want_of_room(code: i32, errno: Option<Errno>) -> bool {
    const NOMEM: i32 = 7;
    let room = [Errno::ENOSPC, Errno::EDQUOT, Errno::EROFS, Errno::EMFILE, Errno::ENFILE];
    let primary = code & 0xff;
    primary == i32::from(ResultCode::FULL.number())
        || primary == NOMEM
        || errno.is_some_and(|errno| room.contains(&errno))
}

/// Errors that statements such as ours can only meet when what was committed is not there: a table
/// that is gone (SQLITE_ERROR), a row that is there already (SQLITE_CONSTRAINT), bytes that are no
/// database.
fn means_damage(code: i32) -> bool {
    const ERROR: i32 = 1;
    const CONSTRAINT: i32 = 19;
    let damage = [ResultCode::CORRUPT, ResultCode::NOTADB];
    let primary = code & 0xff;
    primary == ERROR
        || primary == CONSTRAINT
        || damage.iter().any(|code| i32::from(code.number()) == primary)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(rows: &[i64]) -> Ledger {
        let mut ledger = Ledger::default();
        rows.iter().for_each(|id| ledger.acknowledge(*id));
        ledger
    }

    fn seen(counter: i64, whole: &[i64], wrong: &[i64]) -> Seen {
        Seen { counter, whole: whole.to_vec(), wrong: wrong.to_vec() }
    }

    #[test]
    fn only_what_was_acknowledged_passes() {
        let ledger = ledger(&[1, 2, 3]);
        assert_eq!(ledger.next(), 4);
        assert_eq!(ledger.compare(&seen(3, &[1, 2, 3], &[])), Ok(()));
        for (read, lie) in [
            (seen(2, &[1, 3], &[]), Lie::Missing { committed: 3, missing: 1 }),
            (seen(0, &[], &[]), Lie::Missing { committed: 3, missing: 3 }),
            (seen(3, &[1, 3], &[2]), Lie::Wrong { rows: 1 }),
            (seen(4, &[1, 2, 3, 4], &[]), Lie::Uncommitted { rows: 1 }),
            (seen(2, &[1, 2, 3], &[]), Lie::Counter { committed: 3, shown: 2 }),
            (seen(-1, &[1, 2, 3], &[]), Lie::Counter { committed: 3, shown: -1 }),
            (
                seen(3, &[1, 2, 2, 3], &[]),
                Lie::Integrity("a primary key holds a row twice".to_owned()),
            ),
        ] {
            assert_eq!(ledger.compare(&read), Err(lie), "{read:?}");
        }
    }

    fn outcome(failure: Failure, acknowledged: usize) -> Outcome {
        Stop { step: "first write", cause: Cause::Failed(failure) }.outcome(acknowledged)
    }

    fn sqlite(code: i32, errno: Option<Errno>) -> Failure {
        Failure::Sqlite { code, words: None, errno }
    }

    #[test]
    fn a_refusal_a_lie_and_a_want_of_room_are_told_apart() {
        for (failure, acknowledged, expected) in [
            (sqlite(5386, Some(Errno::EINVAL)), 0, Outcome::Refused),
            (sqlite(5, Some(Errno::ENOLCK)), 3, Outcome::Refused),
            (sqlite(15, None), 0, Outcome::Refused),
            (sqlite(14, Some(Errno::EACCES)), 0, Outcome::Refused),
            (sqlite(13, Some(Errno::ENOSPC)), 4, Outcome::NotRun),
            (sqlite(4874, Some(Errno::ENOSPC)), 0, Outcome::NotRun),
            (sqlite(778, Some(Errno::EDQUOT)), 2, Outcome::NotRun),
            (sqlite(14, Some(Errno::EROFS)), 0, Outcome::NotRun),
            // Before the first commit nothing can have been lost.
            (sqlite(26, None), 0, Outcome::Refused),
            (sqlite(26, None), 1, Outcome::Violated),
            (sqlite(11, None), 1, Outcome::Violated),
            (sqlite(779, None), 1, Outcome::Violated),
            (sqlite(1, None), 1, Outcome::Violated),
            (sqlite(1555, None), 1, Outcome::Violated),
            (Failure::Silent, 1, Outcome::TimedOut),
            (Failure::Gone, 1, Outcome::NotRun),
            (Failure::Value("text".to_owned()), 1, Outcome::Violated),
        ] {
            let text = failure.to_string();
            assert_eq!(outcome(failure, acknowledged), expected, "{text}");
        }
        let answer = Failure::ModeNotSet { asked: "PRAGMA x=y".to_owned(), got: "z".to_owned() };
        assert_eq!(outcome(answer, 0), Outcome::Refused);
        let lie = Stop { step: "lock", cause: Cause::Lied(Lie::LetIn) };
        assert_eq!(lie.outcome(0), Outcome::Violated);
    }

    #[test]
    fn the_sentence_names_step_code_and_errno() {
        let cause = Cause::Failed(sqlite(5386, Some(Errno::EINVAL)));
        let text = Stop { step: "first write", cause }.to_string();
        assert_eq!(
            text,
            "at the first write: SQLITE_IOERR_SHMMAP (5386, disk I/O error), errno EINVAL (22, \
             invalid argument)"
        );
        assert_eq!(sqlite(99_999, None).to_string(), "result code 99999");
        let words = Some("no such table: t".to_owned());
        let text = Failure::Sqlite { code: 1, words, errno: None }.to_string();
        assert_eq!(text, "SQLITE_ERROR (1, SQL logic error), \"no such table: t\"");
    }
}
