//! A lock as `fcntl` is given it, and what it asks for (fcntl(2), asm-generic/fcntl.h).

use super::record::{Answer, LockCall, Owner, Patience, Wanted};
use crate::locktable::Strength;
use crate::sqlite::lock_bytes::{PENDING, SHARED_BYTES, SHARED_FIRST};

/// Bytes of a `struct flock` on Linux with 64 bits.
pub const FLOCK_BYTES: usize = 32;

const GET: i32 = 5;
const SET: i32 = 6;
const SET_WAITING: i32 = 7;
const DESCRIPTION_GET: i32 = 36;
const DESCRIPTION_SET: i32 = 37;
const DESCRIPTION_SET_WAITING: i32 = 38;

const READ_LOCK: i16 = 0;
const WRITE_LOCK: i16 = 1;
/// `SEEK_SET` of lseek(2).
const FROM_START: i16 = 0;

/// A `struct flock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flock {
    /// `l_type`.
    pub kind: i16,
    /// `l_whence`.
    pub whence: i16,
    /// `l_start`.
    pub start: i64,
    /// `l_len`: 0 for all that follow.
    pub length: i64,
    /// `l_pid`.
    pub pid: i32,
}

impl Flock {
    /// From the bytes of a `struct flock` of Linux with 64 bits.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; FLOCK_BYTES]) -> Option<Self> {
        let short = |at: usize| Some(i16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let long = |at: usize| Some(i64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let pid = i32::from_le_bytes(*bytes.get(24..)?.first_chunk()?);
        Some(Flock { kind: short(0)?, whence: short(2)?, start: long(8)?, length: long(16)?, pid })
    }

    /// Whether it is about bytes that SQLite locks in a database, and about no others.
    #[must_use]
    pub fn is_sqlites(&self) -> bool {
        self.whence == FROM_START && is_sqlites(self.start, self.length)
    }

    fn strength(&self) -> Option<Strength> {
        match self.kind {
            READ_LOCK => Some(Strength::Shared),
            WRITE_LOCK => Some(Strength::Exclusive),
            _ => None,
        }
    }
}

/// Whether a range is of the bytes that SQLite locks in a database. `length` is 0 for all that
/// follow.
#[must_use]
pub fn is_sqlites(start: i64, length: i64) -> bool {
    let range = (u64::try_from(start), u64::try_from(length));
    matches!(range, (Ok(first), Ok(bytes)) if is_of_sqlite(first, bytes))
}

fn is_of_sqlite(first: u64, bytes: u64) -> bool {
    let end = first.checked_add(bytes);
    bytes > 0 && first >= PENDING && end.is_some_and(|end| end <= SHARED_FIRST + SHARED_BYTES)
}

impl LockCall {
    /// Whether it is about bytes that SQLite locks in a database, and about no others.
    #[must_use]
    pub fn is_sqlites(&self) -> bool {
        is_of_sqlite(self.first, self.bytes)
    }
}

/// Whether a command of `fcntl` is about a lock.
#[must_use]
pub fn is_about_locks(command: i32) -> bool {
    matches!(command, GET..=SET_WAITING | DESCRIPTION_GET..=DESCRIPTION_SET_WAITING)
}

/// What a call of `fcntl` asks for; `None` if it is about no lock. `answer` is what stands in its
/// argument after a call that did not fail.
#[must_use]
pub fn lock_call(command: i32, asked: &Flock, answer: Option<&Flock>) -> Option<LockCall> {
    let wanted = match (command, asked.strength()) {
        (GET | DESCRIPTION_GET, Some(wanted)) => {
            let held = answer.and_then(|held| Some(Answer::Held(held.strength()?, held.pid)));
            Wanted::Query(wanted, held.unwrap_or(Answer::Free))
        }
        (SET | SET_WAITING | DESCRIPTION_SET | DESCRIPTION_SET_WAITING, None) => Wanted::Release,
        (SET | DESCRIPTION_SET, Some(strength)) => Wanted::Take(strength, Patience::AtOnce),
        (SET_WAITING | DESCRIPTION_SET_WAITING, Some(strength)) => {
            Wanted::Take(strength, Patience::Waits)
        }
        _ => return None,
    };
    let owner = if command <= SET_WAITING { Owner::Process } else { Owner::Description };
    let first = u64::try_from(asked.start).unwrap_or(0);
    Some(LockCall { wanted, owner, first, bytes: asked.length.unsigned_abs() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn flock(kind: i16, start: i64, length: i64) -> Flock {
        Flock { kind, whence: 0, start, length, pid: 7 }
    }

    #[test]
    fn locks_of_sqlite_are_told_from_others() {
        let pending = i64::try_from(PENDING).expect("small");
        assert!(is_sqlites(pending, 1));
        assert!(is_sqlites(pending + 2, 510));
        for (start, length) in [(pending, 0), (0, 1), (pending + 2, 511), (-1, 5)] {
            assert!(!is_sqlites(start, length), "{start} {length}");
        }
        let relative = Flock { whence: 1, ..flock(READ_LOCK, pending, 1) };
        assert!(!relative.is_sqlites());
    }

    #[test]
    fn commands_say_what_is_wanted() {
        let wanted = |command, kind, answer: Option<&Flock>| {
            lock_call(command, &flock(kind, 9, 1), answer).map(|call| (call.wanted, call.owner))
        };
        let take = |strength, patience| Wanted::Take(strength, patience);
        let process = |wanted| Some((wanted, Owner::Process));
        let shared = take(Strength::Shared, Patience::AtOnce);
        assert_eq!(wanted(SET, READ_LOCK, None), process(shared));
        let waits = take(Strength::Exclusive, Patience::Waits);
        assert_eq!(wanted(SET_WAITING, WRITE_LOCK, None), process(waits));
        let release = Some((Wanted::Release, Owner::Description));
        assert_eq!(wanted(DESCRIPTION_SET, 2, None), release);
        let held = flock(WRITE_LOCK, 9, 1);
        let answer = Answer::Held(Strength::Exclusive, 7);
        let query = process(Wanted::Query(Strength::Shared, answer));
        assert_eq!(wanted(GET, READ_LOCK, Some(&held)), query);
        assert_eq!(wanted(GET, 2, None), None);
        assert_eq!(wanted(1, READ_LOCK, None), None);
        assert!(is_about_locks(DESCRIPTION_SET_WAITING) && !is_about_locks(4));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_lock(bytes in any::<[u8; FLOCK_BYTES]>(), command in 0..64_i32) {
            let lock = Flock::from_bytes(&bytes).expect("all are there");
            let _ = lock_call(command, &lock, Some(&lock));
            let _ = lock.is_sqlites();
        }
    }
}
