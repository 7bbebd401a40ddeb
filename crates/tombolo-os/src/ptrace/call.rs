//! Which system calls matter, and what they ask for.
//!
//! The numbers of arguments and their meaning: the manual page of each call in section 2.

use super::memory;
use tombolo_core::trace::locking::{FLOCK_BYTES, Flock, is_about_locks, lock_call};
use tombolo_core::trace::record::Operation;

/// A file that is named in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The descriptor of the directory from which a relative path goes; `None` for the current one.
    pub directory: Option<i32>,
    /// The path as the program gave it.
    pub path: Vec<u8>,
}

/// What a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To open a file, which gives a descriptor.
    Open {
        /// The file.
        file: Named,
        /// As in open(2).
        flags: u32,
    },
    /// To close a descriptor.
    Close(u32),
    /// To close all descriptors from one to another.
    CloseRange(u32, u32),
    /// To make a descriptor of this number another one.
    Replace(u32),
    /// To make a descriptor of the same file as another has.
    Duplicate(u32),
    /// Something on a descriptor.
    Use {
        /// The descriptor.
        descriptor: u32,
        /// What.
        operation: Operation,
        /// Where in the memory of the program the bytes of a read or write are; 0 for other calls.
        buffer: u64,
    },
    /// To end a map.
    Unmap {
        /// Where it begins.
        address: u64,
        /// How much.
        bytes: u64,
    },
    /// Something on a file by its name.
    OnName {
        /// The file.
        file: Named,
        /// What.
        operation: Operation,
    },
    /// To give a file another name.
    Rename {
        /// The file.
        from: Named,
        /// Its name afterwards.
        to: Named,
    },
}

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) start_ns: u64,
    kind: Kind,
    arguments: [u64; 6],
    /// The lock that `fcntl` was given: its answer takes the place of it.
    lock: Option<Flock>,
}

/// The calls that matter, by where their arguments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Open,
    OpenAt,
    OpenAt2,
    Create,
    Close,
    CloseRange,
    Duplicate,
    Replace,
    Control,
    Flock,
    Read,
    ReadAt,
    Write,
    WriteAt,
    Sync,
    DataSync,
    Truncate,
    DescriptorStatus,
    Map,
    Unmap,
    Unlink,
    UnlinkAt,
    Rename,
    RenameAt,
    Status,
    StatusAt,
    Access,
    AccessAt,
}

/// The calls of every architecture.
const COMMON: [(libc::c_long, Kind); 21] = [
    (libc::SYS_openat, Kind::OpenAt),
    (libc::SYS_openat2, Kind::OpenAt2),
    (libc::SYS_close, Kind::Close),
    (libc::SYS_close_range, Kind::CloseRange),
    (libc::SYS_dup, Kind::Duplicate),
    (libc::SYS_dup3, Kind::Replace),
    (libc::SYS_fcntl, Kind::Control),
    (libc::SYS_flock, Kind::Flock),
    (libc::SYS_read, Kind::Read),
    (libc::SYS_pread64, Kind::ReadAt),
    (libc::SYS_write, Kind::Write),
    (libc::SYS_pwrite64, Kind::WriteAt),
    (libc::SYS_fsync, Kind::Sync),
    (libc::SYS_fdatasync, Kind::DataSync),
    (libc::SYS_ftruncate, Kind::Truncate),
    (libc::SYS_fstat, Kind::DescriptorStatus),
    (libc::SYS_mmap, Kind::Map),
    (libc::SYS_munmap, Kind::Unmap),
    (libc::SYS_unlinkat, Kind::UnlinkAt),
    (libc::SYS_renameat2, Kind::RenameAt),
    (libc::SYS_newfstatat, Kind::StatusAt),
];

/// Calls with a number of their own on most architectures.
const OTHERS: [(libc::c_long, Kind); 3] = [
    (libc::SYS_renameat, Kind::RenameAt),
    (libc::SYS_faccessat, Kind::AccessAt),
    (libc::SYS_faccessat2, Kind::AccessAt),
];

/// Calls that only old architectures have.
#[cfg(target_arch = "x86_64")]
const OLD: [(libc::c_long, Kind); 8] = [
    (libc::SYS_open, Kind::Open),
    (libc::SYS_creat, Kind::Create),
    (libc::SYS_dup2, Kind::Replace),
    (libc::SYS_unlink, Kind::Unlink),
    (libc::SYS_rename, Kind::Rename),
    (libc::SYS_stat, Kind::Status),
    (libc::SYS_lstat, Kind::Status),
    (libc::SYS_access, Kind::Access),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [(libc::c_long, Kind); 0] = [];

impl Kind {
    fn of(call: u64) -> Option<Self> {
        let all = COMMON.iter().chain(&OTHERS).chain(&OLD);
        all.into_iter()
            .find(|(number, _)| u64::try_from(*number) == Ok(call))
            .map(|(_, kind)| *kind)
    }
}

/// The lower half of an argument: what the kernel takes of an `int`.
fn int(argument: u64) -> i32 {
    argument as u32 as i32
}

impl Entered {
    /// A call that begins; `None` if it does not matter.
    pub(super) fn new(thread: i32, call: u64, arguments: [u64; 6], start_ns: u64) -> Option<Self> {
        let kind = Kind::of(call)?;
        let [_, command, argument, ..] = arguments;
        let locks = kind == Kind::Control && is_about_locks(int(command));
        let lock = locks.then(|| flock_at(thread, argument)).flatten();
        Some(Entered { start_ns, kind, arguments, lock })
    }

    /// What it asked for, when it has ended.
    pub(super) fn asked(self, thread: i32, succeeded: bool) -> Asked {
        let [first, second, third, fourth, fifth, sixth] = self.arguments;
        let here = |path| Named { directory: None, path: memory::path(thread, path) };
        let at = |directory, path| Named {
            directory: Some(int(directory)).filter(|number| *number != libc::AT_FDCWD),
            path: memory::path(thread, path),
        };
        let used = |operation, buffer| Asked::Use { descriptor: first as u32, operation, buffer };
        let on = |operation| used(operation, 0);
        match self.kind {
            Kind::Open => Asked::Open { file: here(first), flags: second as u32 },
            Kind::OpenAt => Asked::Open { file: at(first, second), flags: third as u32 },
            Kind::OpenAt2 => Asked::Open { file: at(first, second), flags: how(thread, third) },
            Kind::Create => Asked::Open { file: here(first), flags: CREATE },
            Kind::Close => Asked::Close(first as u32),
            Kind::CloseRange => Asked::CloseRange(first as u32, second as u32),
            Kind::Duplicate => Asked::Duplicate(first as u32),
            Kind::Replace => Asked::Replace(second as u32),
            Kind::Control => self.controlled(thread, succeeded),
            Kind::Flock => on(Operation::WholeLock { operation: second as u32 }),
            Kind::Read => used(Operation::Read { offset: None, bytes: third }, second),
            Kind::ReadAt => used(Operation::Read { offset: Some(fourth), bytes: third }, second),
            Kind::Write => used(Operation::Write { offset: None, bytes: third }, second),
            Kind::WriteAt => used(Operation::Write { offset: Some(fourth), bytes: third }, second),
            Kind::Sync => on(Operation::Sync),
            Kind::DataSync => on(Operation::DataSync),
            Kind::Truncate => on(Operation::Truncate { bytes: second }),
            Kind::DescriptorStatus => on(Operation::Status),
            Kind::Map => Asked::Use {
                descriptor: fifth as u32,
                operation: Operation::Map {
                    offset: sixth,
                    bytes: second,
                    protection: third as u32,
                    flags: fourth as u32,
                },
                buffer: 0,
            },
            Kind::Unmap => Asked::Unmap { address: first, bytes: second },
            Kind::Unlink => named(here(first), Operation::Unlink),
            Kind::UnlinkAt => named(at(first, second), Operation::Unlink),
            Kind::Rename => Asked::Rename { from: here(first), to: here(second) },
            Kind::RenameAt => Asked::Rename { from: at(first, second), to: at(third, fourth) },
            Kind::Status => named(here(first), Operation::Status),
            Kind::StatusAt => {
                let file = at(first, second);
                // As glibc calls it for fstat(2).
                if file.path.is_empty() {
                    on(Operation::Status)
                } else {
                    named(file, Operation::Status)
                }
            }
            Kind::Access => named(here(first), Operation::Access),
            Kind::AccessAt => named(at(first, second), Operation::Access),
        }
    }

    fn controlled(&self, thread: i32, succeeded: bool) -> Asked {
        let [descriptor, command, argument, ..] = self.arguments;
        let (descriptor, command) = (descriptor as u32, int(command));
        let answer = self.lock.filter(|_| succeeded).and_then(|_| flock_at(thread, argument));
        let lock = self.lock.and_then(|asked| lock_call(command, &asked, answer.as_ref()));
        match lock {
            Some(lock) => Asked::Use { descriptor, operation: Operation::Lock(lock), buffer: 0 },
            // Whatever else it may be, it gives a descriptor or changes none.
            None => Asked::Duplicate(descriptor),
        }
    }
}

fn named(file: Named, operation: Operation) -> Asked {
    Asked::OnName { file, operation }
}

/// What `creat` stands for (open(2)).
const CREATE: u32 = (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u32;

/// The flags in a `struct open_how` (openat2(2)).
fn how(thread: i32, address: u64) -> u32 {
    let bytes = memory::read(thread, address, 8);
    bytes.first_chunk().map_or(0, |flags| u64::from_ne_bytes(*flags) as u32)
}

fn flock_at(thread: i32, address: u64) -> Option<Flock> {
    let bytes = memory::read(thread, address, FLOCK_BYTES);
    Flock::from_bytes(bytes.first_chunk()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_matter_are_known() {
        let of = |call: libc::c_long| Kind::of(call.unsigned_abs());
        assert_eq!(of(libc::SYS_pread64), Some(Kind::ReadAt));
        assert_eq!(of(libc::SYS_futex), None);
        assert_eq!(Kind::of(u64::MAX), None);
    }

    #[test]
    fn a_read_is_told_with_its_buffer() {
        let call = libc::SYS_pread64.unsigned_abs();
        let entered = Entered::new(1, call, [5, 0x1000, 100, 24, 0, 0], 7).expect("it matters");
        let operation = Operation::Read { offset: Some(24), bytes: 100 };
        let asked = Asked::Use { descriptor: 5, operation, buffer: 0x1000 };
        assert_eq!(entered.asked(1, true), asked);
    }

    #[test]
    fn flags_are_read_as_this_machine_writes_them() {
        use tombolo_core::trace::files::opens_like_sqlite;
        let own = libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_RDWR;
        assert!(opens_like_sqlite((own | libc::O_CREAT).unsigned_abs()));
        assert!(!opens_like_sqlite((own | libc::O_EXCL).unsigned_abs()));
        assert!(!opens_like_sqlite((libc::O_NOFOLLOW | libc::O_RDWR).unsigned_abs()));
    }
}
