//! Byte-range locks, as SQLite takes them: never waiting.
#![allow(unsafe_code)] // fcntl with a struct flock has no safe form for ranges.

use crate::error::errno_of;
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
    /// Number of bytes, at least 1.
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

/// Asks whether an exclusive lock could be had; the answer names the holder's process, if the
/// kernel tells.
///
/// # Errors
/// What the kernel said.
pub fn query(file: &File, range: Range) -> Result<Holder, Errno> {
    let mut lock = description(Strength::Exclusive, range);
    // SAFETY: the descriptor is open and the structure is whole and writable.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) } {
        -1 => Err(last()),
        _ if i32::from(lock.l_type) == libc::F_UNLCK => Ok(Holder::Nobody),
        _ => Ok(Holder::Process(lock.l_pid)),
    }
}

/// Who holds a conflicting lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody, or only the asker.
    Nobody,
    /// This process; 0 or -1 where the kernel does not know it.
    Process(i32),
}

fn last() -> Errno {
    errno_of(&std::io::Error::last_os_error())
}
