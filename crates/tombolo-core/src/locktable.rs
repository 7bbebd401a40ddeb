//! Lines of `/proc/locks` and the `lock:` lines of `/proc/PID/fdinfo/N` (`proc_locks(5)`,
//! `lock_get_status` in fs/locks.c).
//!
//! ```text
//! 1: POSIX  ADVISORY  WRITE 708 00:2a:13545 128 128
//! 1: -> POSIX  ADVISORY  WRITE 709 00:2a:13545 128 128     (waits for the lock above)
//! ```

use crate::sqlite::lock_bytes::{self, LockedFile};

/// Lines read of one table.
const LINES_MAX: usize = 1 << 20;

/// A lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The call that took it.
    pub family: Family,
    /// Shared or exclusive.
    pub strength: Strength,
    /// The holder; `None` for locks that belong to an open file, and for holders that cannot be
    /// seen from this pid namespace.
    pub pid: Option<i32>,
    /// Major and minor number of the superblock's device: on btrfs and overlayfs `stat` gives
    /// another.
    pub device: (u32, u32),
    /// Inode of the file.
    pub inode: u64,
    /// First byte.
    pub first: u64,
    /// Last byte, inclusive; `u64::MAX` for the end of the file, wherever it is.
    pub last: u64,
}

/// The call by which a lock was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `fcntl(F_SETLK)`; belongs to a process.
    Posix,
    /// `fcntl(F_OFD_SETLK)`; belongs to an open file.
    OpenFile,
    /// `flock`.
    Flock,
    /// Leases and delegations.
    Other,
}

/// How strong a lock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// `F_RDLCK`.
    Shared,
    /// `F_WRLCK`.
    Exclusive,
}

/// The locks that are held; lines of waiters and malformed ones are skipped.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = Lock> {
    bytes.split(|byte| *byte == b'\n').take(LINES_MAX).filter_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        parse_line(line.strip_prefix("lock:").unwrap_or(line))
    })
}

fn parse_line(line: &str) -> Option<Lock> {
    let mut fields = line.split_ascii_whitespace();
    fields.next()?.strip_suffix(':')?;
    let family = match fields.next()? {
        "POSIX" => Family::Posix,
        "OFDLCK" => Family::OpenFile,
        "FLOCK" => Family::Flock,
        "->" => return None,
        _ => Family::Other,
    };
    fields.next()?;
    let strength = match fields.next()? {
        "READ" => Strength::Shared,
        "WRITE" => Strength::Exclusive,
        _ => return None,
    };
    let pid = fields.next()?.parse::<i32>().ok()?;
    let mut file = fields.next()?.splitn(3, ':');
    let mut hexadecimal = || u32::from_str_radix(file.next()?, 16).ok();
    let device = (hexadecimal()?, hexadecimal()?);
    let inode = file.next()?.parse().ok()?;
    let first = fields.next()?.parse().ok()?;
    let last = match fields.next()? {
        "EOF" => u64::MAX,
        number => number.parse().ok()?,
    };
    Some(Lock { family, strength, pid: (pid > 0).then_some(pid), device, inode, first, last })
}

/// A lock in the words of SQLite, or in numbers where it locks no byte of SQLite's.
#[must_use]
pub fn lock_names(file: LockedFile, lock: &Lock) -> Vec<String> {
    let names = lock_bytes::names(file, lock.first..=lock.last, lock.strength);
    if names.is_empty() {
        return vec![in_numbers(lock)];
    }
    names.into_iter().map(str::to_owned).collect()
}

fn in_numbers(lock: &Lock) -> String {
    let strength = match lock.strength {
        Strength::Shared => "read lock",
        Strength::Exclusive => "write lock",
    };
    match lock.last {
        u64::MAX => format!("{strength} on bytes {} to the end", lock.first),
        last => format!("{strength} on bytes {} to {last}", lock.first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(line: &str) -> Option<Lock> {
        parse(line.as_bytes()).next()
    }

    #[test]
    fn every_family_is_read_and_waiters_are_not_holders() {
        let lock = one("1: POSIX  ADVISORY  WRITE 708 fe:00:13545 120 120 \n").expect("a lock");
        assert_eq!(
            lock,
            Lock {
                family: Family::Posix,
                strength: Strength::Exclusive,
                pid: Some(708),
                device: (0xfe, 0),
                inode: 13545,
                first: 120,
                last: 120,
            }
        );
        let open_file = one("lock:\t1: OFDLCK ADVISORY  READ -1 00:2a:9 0 EOF").expect("a lock");
        assert_eq!((open_file.family, open_file.pid), (Family::OpenFile, None));
        assert_eq!((open_file.strength, open_file.last), (Strength::Shared, u64::MAX));
        assert_eq!(
            one("2: FLOCK  ADVISORY  WRITE 7 00:2a:9 0 EOF").map(|lock| lock.family),
            Some(Family::Flock)
        );
        assert_eq!(one("1: -> POSIX  ADVISORY  WRITE 709 fe:00:13545 120 120"), None);
        assert_eq!(one("1: POSIX  ADVISORY  WRITE 708 fe:00"), None);
    }

    #[test]
    fn ranges_have_the_names_of_sqlite_and_others_are_given_in_numbers() {
        let lock = |first, last, strength| Lock {
            family: Family::Posix,
            strength,
            pid: None,
            device: (8, 1),
            inode: 1,
            first,
            last,
        };
        let names = |file, lock| lock_names(file, &lock);
        let shared = lock(0x4000_0002, 0x4000_01ff, Strength::Shared);
        assert_eq!(names(LockedFile::Database, shared), ["SHARED"]);
        // The kernel joins adjacent ranges of one holder.
        let joined = lock(121, 122, Strength::Exclusive);
        assert_eq!(names(LockedFile::WalIndex, joined), ["WAL_CKPT_LOCK", "WAL_RECOVER_LOCK"]);
        let foreign = lock(119, 119, Strength::Shared);
        assert_eq!(names(LockedFile::WalIndex, foreign), ["read lock on bytes 119 to 119"]);
        let start = lock(0, u64::MAX - 1, Strength::Exclusive);
        assert_eq!(names(LockedFile::Database, start), ["PENDING", "RESERVED", "EXCLUSIVE"]);
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            for lock in parse(&bytes) {
                for file in [LockedFile::Database, LockedFile::WalIndex] {
                    prop_assert!(!lock_names(file, &lock).is_empty());
                }
            }
        }
    }
}
