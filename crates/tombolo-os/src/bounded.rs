//! Reading files of others with a bound.

use crate::error::errno_of;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tombolo_core::errno::Errno;

/// At most `bytes_max` bytes of a file, without waiting for the other end of a pipe.
pub(crate) fn read_file(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    open(path)?.take(bytes_max).read_to_end(&mut bytes).map_err(|error| errno_of(&error))?;
    Ok(bytes)
}

/// Opens for reading in a way that neither waits nor changes the file's access to a terminal.
pub(crate) fn open(path: &Path) -> Result<File, Errno> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| errno_of(&error))
}

/// Where a symbolic link points to.
pub(crate) fn read_link(path: &Path) -> Result<Vec<u8>, Errno> {
    let target = std::fs::read_link(path).map_err(|error| errno_of(&error))?;
    Ok(target.into_os_string().into_vec())
}
