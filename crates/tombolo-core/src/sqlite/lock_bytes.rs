//! Which bytes SQLite locks (`os.h`, `os_unix.c`; file format, section 1.3.8 for the lock-byte
//! page; walformat.html, section 2.3), and what the locks are called.

use crate::locktable::Strength;
use std::ops::RangeInclusive;

/// First of the bytes that are locked in a database file: 1 GiB. SQLite stores nothing there.
pub const PENDING: u64 = 0x4000_0000;
/// Locked by the one connection that means to write.
pub const RESERVED: u64 = PENDING + 1;
/// First of the bytes that readers lock; a writer locks all of them.
pub const SHARED_FIRST: u64 = PENDING + 2;
/// Number of the bytes that readers lock.
pub const SHARED_BYTES: u64 = 510;

/// In a `-shm` file: held by the connection that appends to the WAL.
pub const WAL_WRITE: u64 = 120;
/// In a `-shm` file: held while a checkpoint runs.
pub const WAL_CHECKPOINT: u64 = 121;
/// In a `-shm` file: held while the wal-index is rebuilt.
pub const WAL_RECOVER: u64 = 122;
/// In a `-shm` file: the first of five, one for each read mark.
pub const WAL_READ_FIRST: u64 = 123;
/// In a `-shm` file: the dead man's switch, held shared by every connection. Whoever gets it
/// exclusively is alone, and truncates the file.
pub const DEAD_MAN_SWITCH: u64 = 128;

/// Which file of a database a lock is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockedFile {
    /// The database itself.
    Database,
    /// Its `-shm`.
    WalIndex,
}

const WAL_NAMES: [(u64, &str); 9] = [
    (WAL_WRITE, "WAL_WRITE_LOCK"),
    (WAL_CHECKPOINT, "WAL_CKPT_LOCK"),
    (WAL_RECOVER, "WAL_RECOVER_LOCK"),
    (WAL_READ_FIRST, "WAL_READ_LOCK(0)"),
    (WAL_READ_FIRST + 1, "WAL_READ_LOCK(1)"),
    (WAL_READ_FIRST + 2, "WAL_READ_LOCK(2)"),
    (WAL_READ_FIRST + 3, "WAL_READ_LOCK(3)"),
    (WAL_READ_FIRST + 4, "WAL_READ_LOCK(4)"),
    (DEAD_MAN_SWITCH, "DMS"),
];

/// What SQLite calls the locks in a range of bytes, as the kernel lists it (both ends included).
/// Nothing for bytes that SQLite does not lock.
///
/// A write lock on the bytes of readers is EXCLUSIVE; one on part of them is what the VFS
/// `unix-none` of an old library takes for SHARED and has no other name.
#[must_use]
pub fn names(
    file: LockedFile,
    bytes: RangeInclusive<u64>,
    strength: Strength,
) -> Vec<&'static str> {
    let touches =
        |first: u64, length: u64| *bytes.start() < first + length && *bytes.end() >= first;
    match file {
        LockedFile::WalIndex => {
            WAL_NAMES.iter().filter(|(byte, _)| touches(*byte, 1)).map(|(_, name)| *name).collect()
        }
        LockedFile::Database => {
            let readers = match strength {
                Strength::Shared => "SHARED",
                Strength::Exclusive => "EXCLUSIVE",
            };
            [
                (PENDING, 1, "PENDING"),
                (RESERVED, 1, "RESERVED"),
                (SHARED_FIRST, SHARED_BYTES, readers),
            ]
            .into_iter()
            .filter(|(first, length, _)| touches(*first, *length))
            .map(|(_, _, name)| name)
            .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_sqlite() {
        assert_eq!(
            (PENDING, RESERVED, SHARED_FIRST),
            (1_073_741_824, 1_073_741_825, 1_073_741_826)
        );
        assert_eq!(SHARED_FIRST + SHARED_BYTES - PENDING, 512);
    }

    #[test]
    fn database_locks_have_the_names_of_the_ladder() {
        let name = |first, last, strength| names(LockedFile::Database, first..=last, strength);
        let last = SHARED_FIRST + SHARED_BYTES - 1;
        assert_eq!(name(SHARED_FIRST, last, Strength::Shared), ["SHARED"]);
        assert_eq!(name(SHARED_FIRST, last, Strength::Exclusive), ["EXCLUSIVE"]);
        assert_eq!(name(RESERVED, RESERVED, Strength::Exclusive), ["RESERVED"]);
        assert_eq!(name(PENDING, RESERVED, Strength::Exclusive), ["PENDING", "RESERVED"]);
        assert_eq!(name(0, u64::MAX, Strength::Exclusive), ["PENDING", "RESERVED", "EXCLUSIVE"]);
        assert!(name(0, PENDING - 1, Strength::Exclusive).is_empty());
        assert!(name(last + 1, u64::MAX, Strength::Exclusive).is_empty());
    }

    #[test]
    fn wal_index_locks_have_the_names_of_wal_c() {
        let name = |first, last| names(LockedFile::WalIndex, first..=last, Strength::Exclusive);
        assert_eq!(name(120, 120), ["WAL_WRITE_LOCK"]);
        assert_eq!(name(121, 122), ["WAL_CKPT_LOCK", "WAL_RECOVER_LOCK"]);
        assert_eq!(name(127, 128), ["WAL_READ_LOCK(4)", "DMS"]);
        assert_eq!(name(0, 200).len(), 9);
        assert!(name(0, 119).is_empty() && name(129, 300).is_empty());
    }
}
