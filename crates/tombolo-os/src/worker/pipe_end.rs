//! Ends of the pipes between parents and children.
//!
//! A forked child has copies of all of them. A copy of a writing end would keep the reader waiting
//! after its real owner has died, so a child is rid of all but its own.

use crate::error::CallError;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All ends that are open in this process.
static OPEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// One end; closed when dropped, which must not happen under [`lock`].
#[derive(Debug)]
pub(super) struct PipeEnd {
    file: ManuallyDrop<File>,
}

impl PipeEnd {
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl AsFd for PipeEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        let number = self.file.as_raw_fd();
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|other| *other != number);
        // SAFETY: the field is not used again. Closed under the lock, so that no child is made that
        // has a copy of which the list knows nothing.
        unsafe { ManuallyDrop::drop(&mut self.file) };
    }
}

/// The list of open ends, while no other thread can change it or make a child.
pub(super) struct Ends {
    open: MutexGuard<'static, Vec<RawFd>>,
}

pub(super) fn lock() -> Ends {
    Ends { open: OPEN.lock().unwrap_or_else(PoisonError::into_inner) }
}

/// The reading end first.
pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), CallError> {
    pipe_with(PipeFlags::CLOEXEC)
        .map_err(|errno| CallError::from_rustix("pipe2", Path::new(""), errno))
}

impl Ends {
    pub(super) fn adopt(&mut self, end: OwnedFd) -> PipeEnd {
        self.open.push(end.as_raw_fd());
        PipeEnd { file: ManuallyDrop::new(File::from(end)) }
    }

    /// In a fresh child: makes all other ends, and standard input, output and error, useless. A
    /// child that is left behind must not keep the reader of our output waiting.
    ///
    /// They are replaced and not closed, because values that own their numbers still exist.
    pub(super) fn keep_only(&mut self, kept: &[&PipeEnd]) -> Result<(), Errno> {
        let (useless, _) = pipe_with(PipeFlags::CLOEXEC)?;
        let is_kept = |number: &RawFd| kept.iter().any(|end| end.file.as_raw_fd() == *number);
        let others = self.open.iter().copied().filter(|number| !is_kept(number));
        for number in others.map(|number| (number, libc::O_CLOEXEC)).chain((0..3).map(|n| (n, 0))) {
            // SAFETY: both numbers are open or unused descriptors; whoever owns the second one
            // finds it open as before, on a pipe whose other end is closed.
            let replaced = unsafe { libc::dup3(useless.as_raw_fd(), number.0, number.1) };
            if replaced < 0 {
                return Err(Errno::BADF);
            }
        }
        self.open.retain(is_kept);
        Ok(())
    }
}
