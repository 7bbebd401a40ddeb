//! One record: a process, a file, a system call, or a message of SQLite's error log.
//!
//! A record is a byte that says which, numbers, and at most one text as its end. Numbers that a
//! later version adds to a call are ignored by this one.

use super::content::Content;
use super::wire::{Reader, Writer, from_zigzag, zigzag};
use crate::errno::Errno;
use crate::locktable::Strength;

/// Longest record: a path of `PATH_MAX` bytes (limits.h), and numbers.
pub const RECORD_BYTES_MAX: usize = 4096 + 128;

const PROCESS: u8 = 1;
const FILE: u8 = 2;
const CALL: u8 = 3;
const MESSAGE: u8 = 4;

/// What is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// The process whose records follow.
    Process(Process<'a>),
    /// A file, before the first call on it.
    File(File<'a>),
    /// A call that has ended.
    Call(Call),
    /// A line of SQLite's error log.
    Message(Message<'a>),
}

/// A process; its number stands in each of its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process<'a> {
    /// The number of its parent.
    pub parent: u32,
    /// The path of its program.
    pub program: &'a [u8],
}

/// A file, by a number that holds within its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// The number.
    pub number: u32,
    /// What it is to SQLite.
    pub kind: FileKind,
    /// The absolute path where it could be told, else the one that the program gave.
    pub path: &'a [u8],
}

/// What a file is to SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// A database.
    Database,
    /// A `-wal`.
    Wal,
    /// A `-shm`.
    WalIndex,
    /// A `-journal`.
    Journal,
}

impl FileKind {
    const ALL: [FileKind; 4] =
        [FileKind::Database, FileKind::Wal, FileKind::WalIndex, FileKind::Journal];

    /// What follows the name of the database in the name of this file.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            FileKind::Database => "",
            FileKind::Wal => "-wal",
            FileKind::WalIndex => "-shm",
            FileKind::Journal => "-journal",
        }
    }

    /// What a file of this name is. The names of databases are free.
    #[must_use]
    pub fn of(path: &[u8]) -> FileKind {
        let named = |kind: &FileKind| path.ends_with(kind.suffix().as_bytes());
        FileKind::ALL.into_iter().skip(1).find(named).unwrap_or(FileKind::Database)
    }

    /// The path of the database that a file of this kind belongs to.
    #[must_use]
    pub fn database(self, path: &[u8]) -> &[u8] {
        path.strip_suffix(self.suffix().as_bytes()).unwrap_or(path)
    }
}

/// A line of SQLite's error log (errlog.html).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The thread that was told.
    pub thread: u32,
    /// Monotonic time, in nanoseconds after the process began to record.
    pub at_ns: u64,
    /// The extended result code.
    pub code: i32,
    /// The text.
    pub text: &'a [u8],
}

/// A call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The thread that made it.
    pub thread: u32,
    /// Monotonic time of its start, in nanoseconds after the process began to record.
    pub start_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The number of the file.
    pub file: u32,
    /// The descriptor that was used or made; `None` for calls by name.
    pub descriptor: Option<u32>,
    /// What was asked.
    pub operation: Operation,
    /// What came of it.
    pub outcome: Outcome,
    /// What is kept of the bytes that were read or written; `None` for other calls, and in traces
    /// of version 1.
    pub content: Option<Content>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value that it returned.
    Returned(u64),
    /// The error that it set.
    Failed(Errno),
}

/// What was asked of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `open` with these flags.
    Open {
        /// As in open(2).
        flags: u32,
    },
    /// `close`.
    Close,
    /// `pread`, or `read` where there is no offset.
    Read {
        /// Where in the file.
        offset: Option<u64>,
        /// How much was asked for.
        bytes: u64,
    },
    /// `pwrite`, or `write` where there is no offset.
    Write {
        /// Where in the file.
        offset: Option<u64>,
        /// How much was given.
        bytes: u64,
    },
    /// `fsync`.
    Sync,
    /// `fdatasync`.
    DataSync,
    /// `ftruncate`.
    Truncate {
        /// The new size.
        bytes: u64,
    },
    /// `fcntl` with a lock.
    Lock(LockCall),
    /// `flock`, a lock on the whole file.
    WholeLock {
        /// As in flock(2).
        operation: u32,
    },
    /// `mmap`.
    Map {
        /// Where in the file.
        offset: u64,
        /// How much.
        bytes: u64,
        /// `PROT_` of mmap(2).
        protection: u32,
        /// `MAP_` of mmap(2).
        flags: u32,
    },
    /// `munmap`.
    Unmap {
        /// How much.
        bytes: u64,
    },
    /// `unlink`.
    Unlink,
    /// `rename`.
    Rename {
        /// The number of the file whose name it takes.
        to: u32,
    },
    /// `stat` and its kin.
    Status,
    /// `access`.
    Access,
}

/// A lock that was asked for, or asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockCall {
    /// What was wanted.
    pub wanted: Wanted,
    /// Whose it is.
    pub owner: Owner,
    /// The first byte.
    pub first: u64,
    /// How many bytes; 0 for all that follow.
    pub bytes: u64,
}

/// What was wanted of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// To have it, at once (`F_SETLK`) or when it is free (`F_SETLKW`).
    Take(Strength, Patience),
    /// To give it up.
    Release,
    /// To know who is in the way (`F_GETLK`), and the answer.
    Query(Strength, Answer),
}

/// Whether a call waits for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It does not.
    AtOnce,
    /// It does.
    Waits,
}

/// Who is in the way of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nobody, or the call failed.
    Free,
    /// This process holds such a lock. Locks of other kernels and of open file descriptions have
    /// numbers that name no process here.
    Held(Strength, i32),
}

/// Whose a lock is (fcntl(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The process.
    Process,
    /// The open file description.
    Description,
}

/// The numbers of an operation, besides its tag, and of a content behind those of a read or write.
type Numbers = [u64; 6];

impl Operation {
    /// As in C.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Open { .. } => "open",
            Operation::Close => "close",
            Operation::Read { offset: Some(_), .. } => "pread",
            Operation::Read { offset: None, .. } => "read",
            Operation::Write { offset: Some(_), .. } => "pwrite",
            Operation::Write { offset: None, .. } => "write",
            Operation::Sync => "fsync",
            Operation::DataSync => "fdatasync",
            Operation::Truncate { .. } => "ftruncate",
            Operation::Lock(_) => "fcntl",
            Operation::WholeLock { .. } => "flock",
            Operation::Map { .. } => "mmap",
            Operation::Unmap { .. } => "munmap",
            Operation::Unlink => "unlink",
            Operation::Rename { .. } => "rename",
            Operation::Status => "stat",
            Operation::Access => "access",
        }
    }

    fn numbers(&self) -> (u8, usize, Numbers) {
        let place = |offset: Option<u64>| offset.map_or(0, |offset| offset.saturating_add(1));
        match *self {
            Operation::Open { flags } => (0, 1, [u64::from(flags), 0, 0, 0, 0, 0]),
            Operation::Close => (1, 0, [0; 6]),
            Operation::Read { offset, bytes } => (2, 2, [place(offset), bytes, 0, 0, 0, 0]),
            Operation::Write { offset, bytes } => (3, 2, [place(offset), bytes, 0, 0, 0, 0]),
            Operation::Sync => (4, 0, [0; 6]),
            Operation::DataSync => (5, 0, [0; 6]),
            Operation::Truncate { bytes } => (6, 1, [bytes, 0, 0, 0, 0, 0]),
            Operation::Lock(lock) => lock.numbers(),
            Operation::Map { offset, bytes, protection, flags } => {
                (8, 4, [offset, bytes, u64::from(protection), u64::from(flags), 0, 0])
            }
            Operation::Unmap { bytes } => (9, 1, [bytes, 0, 0, 0, 0, 0]),
            Operation::Unlink => (10, 0, [0; 6]),
            Operation::Rename { to } => (11, 1, [u64::from(to), 0, 0, 0, 0, 0]),
            Operation::Status => (12, 0, [0; 6]),
            Operation::Access => (13, 0, [0; 6]),
            Operation::WholeLock { operation } => (14, 1, [u64::from(operation), 0, 0, 0, 0, 0]),
        }
    }

    fn from_numbers(tag: u8, numbers: Numbers) -> Option<Self> {
        let [first, second, third, fourth, ..] = numbers;
        let (offset, small) = (first.checked_sub(1), |number: u64| u32::try_from(number).ok());
        Some(match tag {
            0 => Operation::Open { flags: small(first)? },
            1 => Operation::Close,
            2 => Operation::Read { offset, bytes: second },
            3 => Operation::Write { offset, bytes: second },
            4 => Operation::Sync,
            5 => Operation::DataSync,
            6 => Operation::Truncate { bytes: first },
            7 => Operation::Lock(LockCall::from_numbers(numbers)?),
            8 => Operation::Map {
                offset: first,
                bytes: second,
                protection: small(third)?,
                flags: small(fourth)?,
            },
            9 => Operation::Unmap { bytes: first },
            10 => Operation::Unlink,
            11 => Operation::Rename { to: small(first)? },
            12 => Operation::Status,
            13 => Operation::Access,
            14 => Operation::WholeLock { operation: small(first)? },
            _ => return None,
        })
    }
}

impl LockCall {
    /// The last byte, as the kernel's tables have it.
    #[must_use]
    pub fn last(&self) -> u64 {
        match self.bytes {
            0 => u64::MAX,
            bytes => self.first.saturating_add(bytes - 1),
        }
    }

    fn numbers(&self) -> (u8, usize, Numbers) {
        let strong = |strength: Strength| u64::from(strength == Strength::Exclusive);
        let (wanted, answer, holder) = match self.wanted {
            Wanted::Take(strength, Patience::AtOnce) => (strong(strength), 0, 0),
            Wanted::Take(strength, Patience::Waits) => (2 + strong(strength), 0, 0),
            Wanted::Release => (4, 0, 0),
            Wanted::Query(strength, Answer::Free) => (5 + strong(strength), 0, 0),
            Wanted::Query(strength, Answer::Held(held, holder)) => {
                (5 + strong(strength), 1 + strong(held), zigzag(holder))
            }
        };
        let owner = u64::from(self.owner == Owner::Description);
        let count = if answer == 0 { 3 } else { 5 };
        (7, count, [wanted << 1 | owner, self.first, self.bytes, answer, holder, 0])
    }

    fn from_numbers([wanted, first, bytes, answer, holder, _]: Numbers) -> Option<Self> {
        let strength = |strong: bool| if strong { Strength::Exclusive } else { Strength::Shared };
        let owner = if wanted & 1 == 1 { Owner::Description } else { Owner::Process };
        let held = u32::try_from(holder).ok().map(from_zigzag);
        let wanted = match wanted >> 1 {
            kind @ 0..=1 => Wanted::Take(strength(kind == 1), Patience::AtOnce),
            kind @ 2..=3 => Wanted::Take(strength(kind == 3), Patience::Waits),
            4 => Wanted::Release,
            kind @ 5..=6 => {
                let answer = match answer {
                    0 => Answer::Free,
                    strong @ 1..=2 => Answer::Held(strength(strong == 2), held?),
                    _ => return None,
                };
                Wanted::Query(strength(kind == 6), answer)
            }
            _ => return None,
        };
        Some(LockCall { wanted, owner, first, bytes })
    }
}

impl<'a> Record<'a> {
    /// Writes the record into a buffer; its length, or `None` if it does not fit.
    #[must_use]
    pub fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(buffer);
        match self {
            Record::Process(process) => {
                writer.byte(PROCESS);
                writer.number(u64::from(process.parent));
                writer.rest(process.program);
            }
            Record::File(file) => {
                writer.byte(FILE);
                writer.number(u64::from(file.number));
                writer.byte(file.kind as u8);
                writer.rest(file.path);
            }
            Record::Call(call) => call.encode(&mut writer),
            Record::Message(message) => {
                writer.byte(MESSAGE);
                writer.number(u64::from(message.thread));
                writer.number(message.at_ns);
                writer.number(zigzag(message.code));
                writer.rest(message.text);
            }
        }
        writer.finish()
    }

    /// Reads a record; `None` if the bytes are none, or one of a later version.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        Some(match reader.byte()? {
            PROCESS => Record::Process(Process { parent: reader.small()?, program: reader.rest() }),
            FILE => Record::File(File {
                number: reader.small()?,
                kind: *FileKind::ALL.get(usize::from(reader.byte()?))?,
                path: reader.rest(),
            }),
            CALL => Record::Call(Call::decode(&mut reader)?),
            MESSAGE => Record::Message(Message {
                thread: reader.small()?,
                at_ns: reader.number()?,
                code: from_zigzag(reader.small()?),
                text: reader.rest(),
            }),
            _ => return None,
        })
    }
}

impl Call {
    fn encode(&self, writer: &mut Writer<'_>) {
        let (tag, count, numbers) = self.operation.numbers();
        writer.byte(CALL);
        writer.byte(tag);
        writer.number(u64::from(self.thread));
        writer.number(self.start_ns);
        writer.number(self.duration_ns);
        writer.number(u64::from(self.file));
        writer.number(self.descriptor.map_or(0, |descriptor| u64::from(descriptor) + 1));
        match self.outcome {
            Outcome::Returned(value) => {
                writer.number(0);
                writer.number(value);
            }
            Outcome::Failed(errno) => {
                writer.number(1);
                writer.number(zigzag(errno.raw()));
            }
        }
        for number in numbers.iter().take(count) {
            writer.number(*number);
        }
        // Behind the same count of numbers in every read and write.
        for number in self.content.map(Content::numbers).iter().flatten() {
            writer.number(*number);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let tag = reader.byte()?;
        let (thread, start_ns, duration_ns) = (reader.small()?, reader.number()?, reader.number()?);
        let file = reader.small()?;
        let descriptor = match reader.number()?.checked_sub(1) {
            None => None,
            Some(number) => Some(u32::try_from(number).ok()?),
        };
        let outcome = match reader.byte()? {
            0 => Outcome::Returned(reader.number()?),
            1 => Outcome::Failed(Errno::from_raw(from_zigzag(reader.small()?))),
            _ => return None,
        };
        let mut numbers = Numbers::default();
        for number in &mut numbers {
            let Some(read) = reader.number() else { break };
            *number = read;
        }
        let operation = Operation::from_numbers(tag, numbers)?;
        let transfers = matches!(operation, Operation::Read { .. } | Operation::Write { .. });
        let [_, _, digest, mark, first, second] = numbers;
        let content = Content::from_numbers([digest, mark, first, second]).filter(|_| transfers);
        Some(Call { thread, start_ns, duration_ns, file, descriptor, operation, outcome, content })
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Mark;
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    fn strength() -> impl Strategy<Value = Strength> {
        prop_oneof![Just(Strength::Shared), Just(Strength::Exclusive)]
    }

    fn wanted() -> impl Strategy<Value = Wanted> {
        let patience = prop_oneof![Just(Patience::AtOnce), Just(Patience::Waits)];
        let held = (strength(), any::<i32>()).prop_map(|(held, by)| Answer::Held(held, by));
        prop_oneof![
            (strength(), patience)
                .prop_map(|(strength, patience)| Wanted::Take(strength, patience)),
            Just(Wanted::Release),
            (strength(), prop_oneof![Just(Answer::Free), held])
                .prop_map(|(strength, answer)| Wanted::Query(strength, answer)),
        ]
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let offset = || option::of(0..u64::MAX);
        let owner = prop_oneof![Just(Owner::Process), Just(Owner::Description)];
        let lock = (wanted(), owner, any::<u64>(), any::<u64>())
            .prop_map(|(wanted, owner, first, bytes)| LockCall { wanted, owner, first, bytes });
        prop_oneof![
            any::<u32>().prop_map(|flags| Operation::Open { flags }),
            (offset(), any::<u64>()).prop_map(|(offset, bytes)| Operation::Read { offset, bytes }),
            (offset(), any::<u64>()).prop_map(|(offset, bytes)| Operation::Write { offset, bytes }),
            any::<u64>().prop_map(|bytes| Operation::Truncate { bytes }),
            any::<u64>().prop_map(|bytes| Operation::Unmap { bytes }),
            any::<u32>().prop_map(|to| Operation::Rename { to }),
            any::<u32>().prop_map(|operation| Operation::WholeLock { operation }),
            lock.prop_map(Operation::Lock),
            (any::<u64>(), any::<u64>(), any::<u32>(), any::<u32>()).prop_map(
                |(offset, bytes, protection, flags)| Operation::Map {
                    offset,
                    bytes,
                    protection,
                    flags
                }
            ),
            prop::sample::select(vec![
                Operation::Close,
                Operation::Sync,
                Operation::DataSync,
                Operation::Unlink,
                Operation::Status,
                Operation::Access,
            ]),
        ]
    }

    fn call() -> impl Strategy<Value = Call> {
        let outcome = prop_oneof![
            any::<u64>().prop_map(Outcome::Returned),
            any::<i32>().prop_map(|raw| Outcome::Failed(Errno::from_raw(raw))),
        ];
        let numbers = (any::<u32>(), any::<u64>(), any::<u64>(), any::<u32>());
        let content = option::of((1..1_u64 << 56, any::<u32>()));
        (numbers, option::of(any::<u32>()), operation(), outcome, content).prop_map(
            |((thread, start_ns, duration_ns, file), descriptor, operation, outcome, content)| {
                let transfers =
                    matches!(operation, Operation::Read { .. } | Operation::Write { .. });
                let content = content.filter(|_| transfers).map(|(digest, counter)| Content {
                    digest,
                    mark: Mark::ChangeCounter(counter),
                });
                Call {
                    thread,
                    start_ns,
                    duration_ns,
                    file,
                    descriptor,
                    operation,
                    outcome,
                    content,
                }
            },
        )
    }

    fn comes_back(record: &Record<'_>) {
        let mut buffer = [0; RECORD_BYTES_MAX];
        let length = record.encode(&mut buffer).expect("room");
        assert_eq!(Record::decode(&buffer[..length]).as_ref(), Some(record));
    }

    proptest! {
        #[test]
        fn every_record_comes_back(
            call in call(),
            text in prop::collection::vec(any::<u8>(), 0..4096),
            number in any::<u32>(),
            code in any::<i32>(),
            kind in 0..4_usize,
        ) {
            comes_back(&Record::Call(call));
            comes_back(&Record::Process(Process { parent: number, program: &text }));
            comes_back(&Record::File(File { number, kind: FileKind::ALL[kind], path: &text }));
            comes_back(&Record::Message(Message { thread: number, at_ns: 7, code, text: &text }));
        }

        #[test]
        fn a_record_cut_short_is_none_or_another(call in call(), cut in 0..40_usize) {
            let mut buffer = [0; 128];
            let length = Record::Call(call).encode(&mut buffer).expect("room");
            let _ = Record::decode(&buffer[..cut.min(length)]);
        }

        #[test]
        fn any_bytes_are_read(bytes in any::<Vec<u8>>()) {
            if let Some(record) = Record::decode(&bytes) {
                let mut buffer = [0; RECORD_BYTES_MAX];
                let length = record.encode(&mut buffer).expect("room");
                prop_assert_eq!(Record::decode(&buffer[..length]), Some(record));
            }
        }
    }

    #[test]
    fn an_ordinary_call_is_short() {
        let call = Call {
            thread: 4_000_000,
            start_ns: 1_000_000_000,
            duration_ns: 900,
            file: 3,
            descriptor: Some(12),
            operation: Operation::Read { offset: Some(1 << 30), bytes: 4096 },
            outcome: Outcome::Returned(4096),
            content: None,
        };
        let length = Record::Call(call).encode(&mut [0; 64]).expect("room");
        assert!(length <= 28, "{length}");
        let content = Some(Content { digest: u64::MAX >> 8, mark: Mark::ChangeCounter(1 << 20) });
        let length = Record::Call(Call { content, ..call }).encode(&mut [0; 64]).expect("room");
        assert!(length <= 40, "{length}");
        assert_eq!(Record::Call(call).encode(&mut [0; 8]), None);
    }

    #[test]
    fn a_file_is_told_by_its_name() {
        assert_eq!(FileKind::of(b"/d/app.db-wal"), FileKind::Wal);
        assert_eq!(FileKind::of(b"/d/app.db-shm"), FileKind::WalIndex);
        assert_eq!(FileKind::of(b"/d/app.db-journal"), FileKind::Journal);
        assert_eq!(FileKind::of(b"/d/app.db"), FileKind::Database);
        assert_eq!(FileKind::Wal.database(b"/d/app.db-wal"), b"/d/app.db");
    }
}
