//! The operations that one side asks of another, and what came of them.
//!
//! A step names files by number and open files by slot: it can reach nothing but scratch files in
//! the directory in which the sides meet. Its numbers come from outside, so [`Step::is_bounded`]
//! must be asked before it is done.

use crate::sqlite::lock_bytes;
use serde::{Deserialize, Serialize};

/// Number of a scratch file.
pub type FileNumber = u16;

/// Number of an open file.
pub type Slot = u8;

/// Slots of one hand.
pub const SLOTS: u8 = 8;

/// Files that steps may name.
pub const FILES: u16 = 60_000;

/// Most names of one race.
pub const RACE_NAMES_MAX: u16 = 4096;

/// Steps that are asked for at once.
pub const STEPS_MAX: usize = 32;

/// Longest file that is written or mapped.
pub const LENGTH_BYTES_MAX: u32 = 64 * 1024;

/// Longest wait for something to be seen.
pub const WAIT_MS_MAX: u32 = 5_000;

/// Longest run of SQLite.
pub const RUN_MS_MAX: u32 = 20_000;

/// Most rounds of one measurement of times.
pub const ROUNDS_MAX: u16 = 256;

/// What a look at a byte behind the end of a file gives.
pub const BEYOND_END: u64 = 256;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Opening {
    /// For reading.
    Read,
    /// For reading and writing.
    ReadWrite,
    /// The same; it must not exist.
    New,
}

/// Which kind of lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum LockKind {
    /// `fcntl(F_SETLK)`: what SQLite takes.
    Posix,
    /// `fcntl(F_OFD_SETLK)`.
    OpenFile,
    /// `flock`, on the whole file.
    Whole,
}

/// What a lock excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Hold {
    /// Others may read.
    Shared,
    /// Nobody else.
    Exclusive,
    /// Given back.
    Nothing,
}

/// The bytes of a lock, as SQLite uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum LockBytes {
    /// [`lock_bytes::PENDING`].
    Pending,
    /// [`lock_bytes::RESERVED`].
    Reserved,
    /// All that readers lock.
    Shared,
    /// Of a `-shm`: a place from [`lock_bytes::WAL_WRITE`], 0 to 8.
    WalIndex(u8),
}

/// Places of [`LockBytes::WalIndex`].
pub const WAL_LOCKS: u8 = 9;

impl LockBytes {
    /// First byte and number of bytes.
    #[must_use]
    pub fn range(self) -> (u64, u64) {
        match self {
            LockBytes::Pending => (lock_bytes::PENDING, 1),
            LockBytes::Reserved => (lock_bytes::RESERVED, 1),
            LockBytes::Shared => (lock_bytes::SHARED_FIRST, lock_bytes::SHARED_BYTES),
            LockBytes::WalIndex(place) => (lock_bytes::WAL_WRITE + u64::from(place), 1),
        }
    }
}

/// Something that can be looked at, and gives a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Look {
    /// A byte of an open file, by `pread`; [`BEYOND_END`] behind its end.
    Byte(Slot, u32),
    /// The same, under a shared lock on [`LockBytes::Shared`] that is taken for it.
    ByteUnderLock(Slot, u32),
    /// The same of a file that is opened for it.
    ByteOf(FileNumber, u32),
    /// The same, the file being opened with `O_DIRECT`.
    DirectByteOf(FileNumber, u32),
    /// A byte of the map of an open file.
    MapByte(Slot, u32),
    /// The size of an open file.
    Size(Slot),
    /// The size of an open file, under a shared lock that is taken for it.
    SizeUnderLock(Slot),
    /// The size of a file, by name.
    SizeOf(FileNumber),
    /// 1 if there is such a name, else 0.
    Exists(FileNumber),
}

/// A call by which one of several wins a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum RaceCall {
    /// `open(O_CREAT|O_EXCL)`.
    Create,
    /// `mkdir`.
    MakeDirectory,
    /// `link`, from this file.
    Link(FileNumber),
}

/// How SQLite keeps its transactions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Journal {
    /// A rollback journal that is deleted.
    Rollback,
    /// WAL mode.
    Wal,
    /// A rollback journal, and a lock file in place of locks: the VFS `unix-dotfile`.
    Dotfile,
}

/// What is asked of SQLite, on a scratch database of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Sql {
    /// Makes it.
    Create(FileNumber, Journal),
    /// Adds one to its counter, again and again, for so many milliseconds.
    Increment(FileNumber, Journal, u32),
    /// Reads the counter and has the database checked.
    Check(FileNumber, Journal),
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Step {
    /// Opens a file.
    Open(Slot, FileNumber, Opening),
    /// Closes it.
    Close(Slot),
    /// Writes this byte: at, how many, which.
    Write(Slot, u32, u32, u8),
    /// Writes this byte at the end, by `O_APPEND`: how many, which.
    Append(FileNumber, u32, u8),
    /// `fsync`.
    Sync(Slot),
    /// Cuts or extends an open file.
    Truncate(Slot, u32),
    /// Maps so many bytes, shared and writable.
    Map(Slot, u32),
    /// Writes a byte through the map.
    MapWrite(Slot, u32, u8),
    /// `msync`.
    MapStore(Slot),
    /// Looks once.
    Look(Look),
    /// Looks until it gives this number, for so many milliseconds.
    Until(Look, u64, u32),
    /// Takes, changes or gives back a lock, without waiting.
    Lock(Slot, LockKind, Hold, LockBytes),
    /// Asks by `F_GETLK` who is in the way of an exclusive lock.
    Query(Slot, LockBytes),
    /// Renames the first to the second.
    Rename(FileNumber, FileNumber),
    /// Removes a name.
    Unlink(FileNumber),
    /// Goes through so many names from this one and tries to win each, for so many milliseconds.
    Race(RaceCall, FileNumber, u16, u32),
    /// Removes so many names and empty directories.
    Clear(FileNumber, u16),
    /// Measures the calls that SQLite makes, so many times, on an open file.
    Measure(Slot, u16),
    /// Uses SQLite.
    Sql(Sql),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Answer {
    /// It was done.
    Done,
    /// The kernel said no: the error number.
    Refused(i32),
    /// The step makes no sense here, as a slot that is not open.
    Senseless,
    /// What a look gave.
    Value(u64),
    /// It was seen, after so many milliseconds and so many looks.
    Seen(u32, u32),
    /// It was not seen in time; the last look gave this number.
    NotSeen(u64),
    /// Nobody is in the way.
    Free,
    /// A shared lock is.
    HeldShared,
    /// An exclusive lock is.
    HeldExclusive,
    /// What became of a race.
    Raced(Raced),
    /// What was measured.
    Times(Times),
    /// What SQLite did.
    Ran(Ran),
    /// What SQLite found: the counter, and the words of `integrity_check` where they are not `ok`.
    Checked(i64, Option<String>),
    /// SQLite failed: its extended code, or 0 where it has none.
    SqlFailed(i32),
}

/// One side of a race.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Raced {
    /// How many names were tried, from the first.
    pub tried: u16,
    /// One bit for each name, the lowest first: won.
    pub won: Vec<u8>,
    /// An error other than `EEXIST`, and for which name.
    pub failed: Option<(u16, i32)>,
}

impl Raced {
    /// Notes that a name was won.
    pub fn win(&mut self, name: u16) {
        let place = usize::from(name / 8);
        if self.won.len() <= place {
            self.won.resize(place + 1, 0);
        }
        if let Some(byte) = self.won.get_mut(place) {
            *byte |= 1 << (name % 8);
        }
    }

    /// Whether a name was won.
    #[must_use]
    pub fn has_won(&self, name: u16) -> bool {
        self.won.get(usize::from(name / 8)).is_some_and(|byte| byte >> (name % 8) & 1 == 1)
    }
}

/// Medians, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Times {
    /// `pwrite` of one page.
    pub write_us: u32,
    /// `fsync` after it.
    pub sync_us: u32,
    /// A POSIX lock taken and given back.
    pub lock_us: u32,
    /// A file made and removed.
    pub create_us: u32,
}

/// What one side's SQLite did in the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ran {
    /// Commits that were acknowledged.
    pub acknowledged: u32,
    /// Commits that ended in an error, so that they may or may not have happened.
    pub unknown: u32,
    /// How often it was told BUSY.
    pub busy: u32,
    /// Other errors: extended codes, and how often; the first [`ERRORS_MAX`] kinds.
    pub errors: Vec<(i32, u32)>,
    /// The longest time between two acknowledged commits, in milliseconds.
    pub longest_wait_ms: u32,
}

/// Kinds of errors that are counted.
pub const ERRORS_MAX: usize = 6;

impl Look {
    fn is_bounded(self) -> bool {
        match self {
            Look::Byte(slot, at) | Look::ByteUnderLock(slot, at) | Look::MapByte(slot, at) => {
                slot < SLOTS && at < LENGTH_BYTES_MAX
            }
            Look::Size(slot) | Look::SizeUnderLock(slot) => slot < SLOTS,
            Look::ByteOf(file, at) | Look::DirectByteOf(file, at) => {
                file < FILES && at < LENGTH_BYTES_MAX
            }
            Look::SizeOf(file) | Look::Exists(file) => file < FILES,
        }
    }
}

impl Step {
    /// Whether all of its numbers are within the bounds of this module.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        let span = |first: u16, count: u16| {
            count <= RACE_NAMES_MAX && first.checked_add(count).is_some_and(|end| end <= FILES)
        };
        let ends = |at: u32, length: u32| {
            at.checked_add(length).is_some_and(|end| end <= LENGTH_BYTES_MAX)
        };
        match *self {
            Step::Open(slot, file, _) => slot < SLOTS && file < FILES,
            Step::Close(slot) | Step::Sync(slot) | Step::MapStore(slot) => slot < SLOTS,
            Step::Write(slot, at, length, _) => slot < SLOTS && ends(at, length),
            Step::Append(file, length, _) => file < FILES && length <= LENGTH_BYTES_MAX,
            Step::Truncate(slot, length) | Step::Map(slot, length) => {
                slot < SLOTS && length <= LENGTH_BYTES_MAX
            }
            Step::MapWrite(slot, at, _) => slot < SLOTS && at < LENGTH_BYTES_MAX,
            Step::Look(look) => look.is_bounded(),
            Step::Until(look, _, time_ms) => look.is_bounded() && time_ms <= WAIT_MS_MAX,
            Step::Lock(slot, _, _, bytes) | Step::Query(slot, bytes) => {
                let known = !matches!(bytes, LockBytes::WalIndex(place) if place >= WAL_LOCKS);
                slot < SLOTS && known
            }
            Step::Rename(from, to) => from < FILES && to < FILES,
            Step::Unlink(file) => file < FILES,
            Step::Race(call, first, count, time_ms) => {
                let source = match call {
                    RaceCall::Link(file) => file < FILES,
                    RaceCall::Create | RaceCall::MakeDirectory => true,
                };
                source && span(first, count) && time_ms <= WAIT_MS_MAX
            }
            Step::Clear(first, count) => span(first, count),
            Step::Measure(slot, rounds) => slot < SLOTS && rounds <= ROUNDS_MAX,
            Step::Sql(Sql::Create(file, _) | Sql::Check(file, _)) => file < FILES,
            Step::Sql(Sql::Increment(file, _, time_ms)) => file < FILES && time_ms <= RUN_MS_MAX,
        }
    }

    /// How long it waits or works by its own will, in milliseconds.
    #[must_use]
    pub fn time_ms(&self) -> u32 {
        match *self {
            Step::Until(_, _, time_ms) | Step::Race(_, _, _, time_ms) => time_ms,
            Step::Sql(Sql::Increment(_, _, time_ms)) => time_ms,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_the_bounds_are_seen() {
        for good in [
            Step::Open(SLOTS - 1, FILES - 1, Opening::New),
            Step::Write(0, LENGTH_BYTES_MAX - 1, 1, 7),
            Step::Race(RaceCall::Create, FILES - RACE_NAMES_MAX, RACE_NAMES_MAX, WAIT_MS_MAX),
            Step::Lock(0, LockKind::Posix, Hold::Shared, LockBytes::WalIndex(WAL_LOCKS - 1)),
            Step::Sql(Sql::Increment(0, Journal::Wal, RUN_MS_MAX)),
        ] {
            assert!(good.is_bounded(), "{good:?}");
        }
        for bad in [
            Step::Open(SLOTS, 0, Opening::Read),
            Step::Open(0, FILES, Opening::Read),
            Step::Write(0, LENGTH_BYTES_MAX, 1, 7),
            Step::Write(0, 1, u32::MAX, 7),
            Step::Map(0, LENGTH_BYTES_MAX + 1),
            Step::Until(Look::Size(0), 0, WAIT_MS_MAX + 1),
            Step::Look(Look::ByteOf(FILES, 0)),
            Step::Race(RaceCall::Create, u16::MAX, 2, 0),
            Step::Race(RaceCall::Link(FILES), 0, 1, 0),
            Step::Clear(FILES - 1, 2),
            Step::Lock(0, LockKind::Posix, Hold::Shared, LockBytes::WalIndex(WAL_LOCKS)),
            Step::Measure(0, ROUNDS_MAX + 1),
            Step::Sql(Sql::Increment(0, Journal::Wal, RUN_MS_MAX + 1)),
        ] {
            assert!(!bad.is_bounded(), "{bad:?}");
        }
    }

    #[test]
    fn locks_are_on_the_bytes_of_sqlite() {
        assert_eq!(LockBytes::Shared.range(), (0x4000_0002, 510));
        assert_eq!(LockBytes::WalIndex(8).range(), (lock_bytes::DEAD_MAN_SWITCH, 1));
    }

    #[test]
    fn winners_are_remembered() {
        let mut raced = Raced { tried: 20, ..Raced::default() };
        for name in [0, 9, 19] {
            raced.win(name);
        }
        let won: Vec<u16> = (0..64).filter(|name| raced.has_won(*name)).collect();
        assert_eq!(won, [0, 9, 19]);
    }
}
