//! A system call that failed.

use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;

/// A failed call, with its error number.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{call}({path}): {errno}")]
pub struct CallError {
    /// The system call.
    pub call: &'static str,
    /// What it was called on.
    pub path: PathBuf,
    /// What the kernel said.
    pub errno: Errno,
}

impl CallError {
    /// From what `std` reports; see [`errno_of`] for an error without a number.
    #[must_use]
    pub fn new(call: &'static str, path: &Path, error: &std::io::Error) -> Self {
        CallError { call, path: path.to_owned(), errno: errno_of(error) }
    }

    /// From what `rustix` reports.
    #[must_use]
    pub fn from_rustix(call: &'static str, path: &Path, errno: rustix::io::Errno) -> Self {
        CallError { call, path: path.to_owned(), errno: Errno::from_raw(errno.raw_os_error()) }
    }
}

/// The error number of a failed call; `EIO` where the standard library made the error up itself.
#[must_use]
pub fn errno_of(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
