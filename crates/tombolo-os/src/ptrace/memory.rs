//! The memory of a process that stands still.
#![allow(unsafe_code)] // process_vm_readv has no safe form.

use libc::c_void;
use std::ptr;

/// Longest path (limits.h, `PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;
/// Memory is read up to the end of a page of this size: what follows may not be there.
const PAGE_BYTES: u64 = 4096;

/// At most `bytes_max` bytes of a process's memory: fewer where they end.
#[must_use]
pub fn read(process: i32, address: u64, bytes_max: usize) -> Vec<u8> {
    let mut bytes = vec![0_u8; bytes_max];
    let Ok(address) = usize::try_from(address) else { return Vec::new() };
    let here = libc::iovec { iov_base: bytes.as_mut_ptr().cast::<c_void>(), iov_len: bytes_max };
    let there = libc::iovec { iov_base: ptr::without_provenance_mut(address), iov_len: bytes_max };
    // SAFETY: `here` is one buffer with its length; `there` is an address of the other process,
    // which the kernel checks.
    let read =
        unsafe { libc::process_vm_readv(process, &raw const here, 1, &raw const there, 1, 0) };
    bytes.truncate(usize::try_from(read).unwrap_or(0));
    bytes
}

/// A path: a text that ends in NUL. What is longer is cut off.
pub(super) fn path(process: i32, address: u64) -> Vec<u8> {
    let mut path = Vec::new();
    let mut address = address;
    while path.len() < PATH_BYTES_MAX {
        let room = usize::try_from(PAGE_BYTES - address % PAGE_BYTES).unwrap_or(1);
        let part = read(process, address, room);
        match part.iter().position(|byte| *byte == 0) {
            Some(end) => {
                path.extend_from_slice(part.get(..end).unwrap_or_default());
                break;
            }
            None if part.is_empty() => break,
            None => path.extend_from_slice(&part),
        }
        address = address.wrapping_add(room as u64);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_and_its_end_is_no_error() {
        let own = i32::try_from(std::process::id()).expect("small");
        let text = [&[b'x'; 5000][..], b"end\0behind"].concat();
        let address = text.as_ptr().addr() as u64;
        assert_eq!(read(own, address, 3), b"xxx");
        assert_eq!(path(own, address + 4998), b"xxend");
        assert_eq!(path(own, 8), b"");
        assert_eq!(read(own, 8, 100), b"");
    }
}
