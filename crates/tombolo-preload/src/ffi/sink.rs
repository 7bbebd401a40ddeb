//! The trace's memory: blocks of the file, taken one after another and written as they are.
//!
//! What is written is in the kernel's page cache at once, so a process that is killed loses the one
//! record that it was writing. Room is asked of the file system before a block is mapped: a full
//! disk ends the recording, and never the program by SIGBUS.

use libc::c_int;
use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};
use tombolo_core::trace::layout::{
    BLOCK_BYTES, BLOCK_START_BYTES, BlockStart, CLAIMED_OFFSET, HEADER_BYTES, LENGTH_BYTES,
    LIMIT_OFFSET, LOST_OFFSET, MAGIC,
};
use tombolo_core::trace::record::Record;

/// The trace that this process writes into.
///
/// 1. `header` is a shared map of the file's first [`HEADER_BYTES`], for as long as the process
///    lives.
/// 2. `block` is null, or a shared map of [`BLOCK_BYTES`] that no other process writes to.
///
/// No descriptor is kept: programs close descriptors that they did not open.
pub(super) struct Sink {
    path: &'static CStr,
    header: *mut u8,
    block: *mut u8,
    used: usize,
    process: u32,
    began_ns: u64,
}

// SAFETY: the maps are reached by whoever has the value; the header through atomics only.
unsafe impl Send for Sink {}

fn open(path: &CStr) -> Option<c_int> {
    let flags = libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: a path that ends in NUL. Not by `open`, which is wrapped here.
    let descriptor =
        unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags) };
    c_int::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0)
}

fn close(descriptor: c_int) {
    // SAFETY: a descriptor of our own.
    unsafe { libc::syscall(libc::SYS_close, descriptor) };
}

fn map(descriptor: c_int, bytes: usize, offset: u64) -> Option<*mut u8> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let none = ptr::null_mut::<u8>();
    // SAFETY: a new map; the kernel chooses where. Not by `mmap`, which is wrapped here.
    let address = unsafe {
        libc::syscall(libc::SYS_mmap, none, bytes, protection, libc::MAP_SHARED, descriptor, offset)
    };
    let address = usize::try_from(address).ok()?;
    Some(ptr::with_exposed_provenance_mut(address))
}

fn unmap(block: *mut u8) {
    // SAFETY: a map of our own of that size, which nobody uses any more.
    unsafe { libc::syscall(libc::SYS_munmap, block, BLOCK_BYTES) };
}

impl Sink {
    /// Opens a trace; `None` if there is none at the path, or it cannot be mapped.
    pub(super) fn open(path: &'static CStr, now_ns: u64) -> Option<Self> {
        let descriptor = open(path)?;
        let header = map(descriptor, HEADER_BYTES, 0);
        close(descriptor);
        let header = header?;
        // SAFETY: the file was made with a whole header, and bytes have no invalid values.
        let magic = unsafe { header.cast::<[u8; MAGIC.len()]>().read() };
        let mut sink =
            Sink { path, header, block: ptr::null_mut(), used: 0, process: 0, began_ns: 0 };
        sink.begin_process(now_ns);
        (magic == MAGIC).then_some(sink)
    }

    /// What is written from now on is this process's, which may have been forked from another.
    pub(super) fn begin_process(&mut self, now_ns: u64) {
        // The map stays: the other process's own is not touched by what is unmapped here.
        if !self.block.is_null() {
            unmap(self.block);
        }
        self.block = ptr::null_mut();
        self.process = super::process().unsigned_abs();
        self.began_ns = now_ns;
    }

    pub(super) fn process(&self) -> u32 {
        self.process
    }

    /// Whether the next record is the first of this process.
    pub(super) fn is_fresh(&self) -> bool {
        self.block.is_null()
    }

    fn counter(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: within the header, which is aligned to a page, at a multiple of eight; other
        // processes reach these bytes by atomics as well.
        unsafe { AtomicU64::from_ptr(self.header.add(offset).cast()) }
    }

    /// Counts a record that found no room.
    pub(super) fn lose(&self) {
        self.counter(LOST_OFFSET).fetch_add(1, Ordering::Relaxed);
    }

    /// Makes room for a record of this length; `false` where there is none.
    pub(super) fn prepare(&mut self, room_bytes: usize) -> bool {
        let room = !self.block.is_null() && BLOCK_BYTES - self.used >= room_bytes + LENGTH_BYTES;
        room || self.take_block()
    }

    fn take_block(&mut self) -> bool {
        let limit = self.counter(LIMIT_OFFSET).load(Ordering::Relaxed);
        if self.counter(CLAIMED_OFFSET).load(Ordering::Relaxed) >= limit {
            return false;
        }
        let number = self.counter(CLAIMED_OFFSET).fetch_add(1, Ordering::Relaxed);
        let Some(block) = (number < limit).then(|| self.map_block(number)).flatten() else {
            return false;
        };
        if !self.block.is_null() {
            unmap(self.block);
        }
        (self.block, self.used) = (block, BLOCK_START_BYTES);
        let start = BlockStart { process: self.process, began_ns: self.began_ns };
        // SAFETY: a map of `BLOCK_BYTES` that is ours alone.
        unsafe { block.cast::<[u8; BLOCK_START_BYTES]>().write(start.to_bytes()) };
        true
    }

    fn map_block(&self, number: u64) -> Option<*mut u8> {
        static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
        let offset = HEADER_BYTES as u64 + number * BLOCK_BYTES as u64;
        let descriptor = open(self.path)?;
        // SAFETY: the pointer and the length are of one buffer.
        let written = unsafe {
            libc::syscall(libc::SYS_pwrite64, descriptor, ZEROS.as_ptr(), ZEROS.len(), offset)
        };
        let block = usize::try_from(written)
            .is_ok_and(|written| written == BLOCK_BYTES)
            .then(|| map(descriptor, BLOCK_BYTES, offset));
        close(descriptor);
        block.flatten()
    }

    /// Monotonic time as this process's records have it.
    pub(super) fn relative(&self, time_ns: u64) -> u64 {
        time_ns.saturating_sub(self.began_ns)
    }

    /// Writes a record for which [`Self::prepare`] has made room.
    pub(super) fn write(&mut self, record: &Record<'_>) {
        if self.block.is_null() || self.used + LENGTH_BYTES >= BLOCK_BYTES {
            return self.lose();
        }
        // SAFETY: `used` is within the block, which is a map of `BLOCK_BYTES` that is ours alone.
        let rest = unsafe {
            std::slice::from_raw_parts_mut(self.block.add(self.used), BLOCK_BYTES - self.used)
        };
        let (length_bytes, body) = rest.split_at_mut(LENGTH_BYTES);
        let length = record.encode(body).and_then(|length| u16::try_from(length).ok());
        let Some(length) = length else { return self.lose() };
        compiler_fence(Ordering::Release);
        // SAFETY: two bytes of the slice, in one store, so that there is no half of a length.
        unsafe { length_bytes.as_mut_ptr().cast::<[u8; 2]>().write_volatile(length.to_le_bytes()) };
        self.used += LENGTH_BYTES + usize::from(length);
    }
}
