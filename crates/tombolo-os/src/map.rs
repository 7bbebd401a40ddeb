//! Shared maps. A page of a map can vanish under its reader (SIGBUS), so maps are touched only in a
//! [`crate::worker`].
#![allow(unsafe_code)] // mmap and access to mapped memory have no safe form.

use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};
use std::fs::File;
use std::ptr::{null_mut, read_volatile, write_volatile};
use std::sync::atomic::{Ordering, fence};
use tombolo_core::errno::Errno;

/// A writable shared map of the first bytes of a file.
#[derive(Debug)]
pub struct SharedMap {
    start: *mut u8,
    length: usize,
}

impl SharedMap {
    /// Maps `length` bytes, readable and writable, as SQLite maps its `-shm`.
    ///
    /// # Errors
    /// What the kernel said: `EINVAL` from 9p, `ENODEV` from FUSE with direct I/O.
    pub fn new(file: &File, length: usize) -> Result<Self, Errno> {
        // SAFETY: a new map at a place of the kernel's choice aliases no Rust object.
        let mapped = unsafe {
            mmap(null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)
        };
        match mapped {
            Ok(start) => Ok(SharedMap { start: start.cast(), length }),
            Err(errno) => Err(Errno::from_raw(errno.raw_os_error())),
        }
    }

    /// The byte at `offset`, as it is in memory now; `None` outside the map.
    #[must_use]
    pub fn read(&self, offset: usize) -> Option<u8> {
        if offset >= self.length {
            return None;
        }
        fence(Ordering::SeqCst);
        // SAFETY: inside the map, which lives as long as `self`; other processes may write it, so
        // the access is volatile and no reference is made.
        Some(unsafe { read_volatile(self.start.add(offset)) })
    }

    /// Writes the byte at `offset`; nothing outside the map.
    pub fn write(&self, offset: usize, byte: u8) {
        if offset < self.length {
            // SAFETY: as in `read`.
            unsafe { write_volatile(self.start.add(offset), byte) };
            fence(Ordering::SeqCst);
        }
    }

    /// Writes what the map changed to the file, and waits for it.
    ///
    /// # Errors
    /// What the kernel said: `EIO` where the file system could not store it.
    pub fn store(&self) -> Result<(), Errno> {
        // SAFETY: the range is the whole map, which lives as long as `self`.
        let stored = unsafe { msync(self.start.cast(), self.length, MsyncFlags::SYNC) };
        stored.map_err(|errno| Errno::from_raw(errno.raw_os_error()))
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        // SAFETY: the map was made with this start and length, and no reference into it exists.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}
