//! Byte-range locks, as SQLite takes them: never waiting.
#![allow(unsafe_code)] // fcntl with a struct flock has no safe form for ranges.

use crate::error::errno_of;
use rustix::fs::FlockOperation;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use tombolo_core::errno::Errno;

/// Which of the kernel's two families of range locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// POSIX locks: of the process, gone when it closes any descriptor of the file.
    Posix,
    /// Open-file-description locks.
    OpenFile,
}

/// What a lock excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Others may read-lock as well.
    Shared,
    /// Nobody else.
    Exclusive,
    /// No lock.
    None,
}

/// A range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First byte.
    pub start: i64,
    /// Number of bytes; 0 for all that follow, however far.
    pub length: i64,
}

fn description(strength: Strength, range: Range) -> libc::flock {
    // SAFETY: all zero is a valid `struct flock`.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    let kind = match strength {
        Strength::Shared => libc::F_RDLCK,
        Strength::Exclusive => libc::F_WRLCK,
        Strength::None => libc::F_UNLCK,
    };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = range.start;
    lock.l_len = range.length;
    lock
}

/// Takes, changes or drops a lock, without waiting.
///
/// # Errors
/// What the kernel said; `EAGAIN` and `EACCES` mean that somebody else holds it.
pub fn set(file: &File, family: Family, strength: Strength, range: Range) -> Result<(), Errno> {
    let command = match family {
        Family::Posix => libc::F_SETLK,
        Family::OpenFile => libc::F_OFD_SETLK,
    };
    let lock = description(strength, range);
    // SAFETY: the descriptor is open and the structure is whole.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw const lock) } {
        -1 => Err(last()),
        _ => Ok(()),
    }
}

/// Asks whether an exclusive lock could be had; the answer names one that is in the way.
///
/// On SMB a free one is taken and given back by that, on the server (`cifs_getlk` in
/// `fs/smb/client/file.c` of Linux): a program of another client may be told BUSY meanwhile.
///
/// # Errors
/// What the kernel said.
pub fn query(file: &File, range: Range) -> Result<Holder, Errno> {
    query_for(file, Strength::Exclusive, range)
}

/// Asks whether a shared lock could be had, so that only an exclusive one is in the way. On SMB as
/// [`query`].
///
/// # Errors
/// What the kernel said.
pub fn query_exclusive(file: &File, range: Range) -> Result<Holder, Errno> {
    query_for(file, Strength::Shared, range)
}

fn query_for(file: &File, wanted: Strength, range: Range) -> Result<Holder, Errno> {
    let mut lock = description(wanted, range);
    // SAFETY: the descriptor is open and the structure is whole and writable.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) } {
        -1 => Err(last()),
        _ if i32::from(lock.l_type) == libc::F_UNLCK => Ok(Holder::Nobody),
        _ if i32::from(lock.l_type) == libc::F_RDLCK => Ok(held(Strength::Shared, &lock)),
        _ => Ok(held(Strength::Exclusive, &lock)),
    }
}

fn held(strength: Strength, lock: &libc::flock) -> Holder {
    Holder::Process(Held { pid: lock.l_pid, strength })
}

/// Who holds a conflicting lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody, or only the asker.
    Nobody,
    /// Another process.
    Process(Held),
}

/// A lock of another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The process; 0 or -1 where the kernel does not know it.
    pub pid: i32,
    /// Whether it is a shared or an exclusive one.
    pub strength: Strength,
}

/// Takes, changes or drops the lock of `flock(2)` on a whole file, without waiting.
///
/// # Errors
/// What the kernel said; `EAGAIN` means that another open file description holds it.
pub fn set_whole(file: &File, strength: Strength) -> Result<(), Errno> {
    let operation = match strength {
        Strength::Shared => FlockOperation::NonBlockingLockShared,
        Strength::Exclusive => FlockOperation::NonBlockingLockExclusive,
        Strength::None => FlockOperation::NonBlockingUnlock,
    };
    rustix::fs::flock(file, operation).map_err(|errno| Errno::from_raw(errno.raw_os_error()))
}

fn last() -> Errno {
    errno_of(&std::io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker;
    use std::time::{Duration, Instant};

    const RANGE: Range = Range { start: 100, length: 10 };

    /// What another process is told about a lock of this one.
    fn seen_elsewhere(path: &std::path::Path) -> String {
        let mut seen = String::new();
        let ask = |outbox: &mut worker::Outbox| {
            let file = File::options().read(true).write(true).open(path).expect("opened");
            let answers = [
                format!("{:?}", query(&file, RANGE)),
                format!("{:?}", query(&file, Range { start: 110, length: 0 })),
                format!("{:?}", set_whole(&file, Strength::Exclusive)),
            ];
            outbox.send(answers.join(" ").as_bytes());
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        worker::run(deadline, ask, &mut |message| {
            seen = String::from_utf8_lossy(message).into_owned();
        })
        .expect("a process");
        seen
    }

    #[test]
    fn another_process_is_told_the_holder_its_strength_and_the_range() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let pid = std::process::id();
        for strength in [Strength::Shared, Strength::Exclusive] {
            set(file.as_file(), Family::Posix, strength, RANGE).expect("locked");
            set_whole(file.as_file(), strength).expect("locked");
            let held = format!("Ok(Process(Held {{ pid: {pid}, strength: {strength:?} }}))");
            assert_eq!(
                query(file.as_file(), RANGE),
                Ok(Holder::Nobody),
                "one's own is no conflict"
            );
            assert_eq!(seen_elsewhere(file.path()), format!("{held} Ok(Nobody) Err(Errno(11))"));
        }
        set(file.as_file(), Family::Posix, Strength::None, Range { start: 0, length: 0 })
            .expect("dropped");
        set_whole(file.as_file(), Strength::None).expect("dropped");
        assert_eq!(seen_elsewhere(file.path()), "Ok(Nobody) Ok(Nobody) Ok(())");
    }
}
