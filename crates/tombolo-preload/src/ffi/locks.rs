//! `fcntl`: the locks of SQLite, and who is in their way.

use super::next::set_errno;
use super::opening::path_of;
use super::recorder::{State, recorded, set_file_of, state, timed};
use libc::{c_int, size_t};
use std::ptr;
use tombolo_core::trace::locking::{Flock, is_about_locks, lock_call};
use tombolo_core::trace::record::Operation;

/// `fcntl`.
///
/// # Safety
/// For the lock commands `argument` is null or points to a `flock`, as fcntl(2) asks of the caller.
pub(super) unsafe fn controlled(
    descriptor: c_int,
    command: c_int,
    argument: size_t,
    call: impl FnOnce() -> c_int,
) -> c_int {
    let Some(state) = state() else { return call() };
    // SAFETY: the caller's promise.
    let Some(asked) = (unsafe { lock_of(command, argument) }) else { return call() };
    let new = || asked.is_sqlites().then(|| state.meet(descriptor)).flatten();
    let Some(file) = recorded(descriptor).map(|(_, file)| file).or_else(new) else { return call() };
    let ended = timed(call);
    // SAFETY: as above.
    let answer = unsafe { lock_of(command, argument) }.filter(|_| ended.answer >= 0);
    match lock_call(command, &asked, answer.as_ref()) {
        Some(lock) => ended.record(state, file, Some(descriptor), Operation::Lock(lock)),
        None => {
            set_errno(ended.errno);
            ended.answer
        }
    }
}

/// The lock that a command of `fcntl` is about.
///
/// # Safety
/// For the lock commands `argument` is null or points to a `flock`.
unsafe fn lock_of(command: c_int, argument: size_t) -> Option<Flock> {
    if !is_about_locks(command) || argument == 0 {
        return None;
    }
    // SAFETY: not null, and the caller's promise.
    let lock = unsafe { ptr::with_exposed_provenance::<libc::flock>(argument).read() };
    Some(Flock {
        kind: lock.l_type,
        whence: lock.l_whence,
        start: lock.l_start,
        length: lock.l_len,
        pid: lock.l_pid,
    })
}

impl State {
    /// Begins to record a file on which SQLite's bytes are locked: one that was empty when it was
    /// opened, or is encrypted.
    fn meet(&self, descriptor: c_int) -> Option<u32> {
        let path = path_of(descriptor)?;
        if self.wanted.is_limited() && !self.wanted.names(&path) {
            return None;
        }
        let number = self.inner().number(&path)?;
        set_file_of(descriptor, number);
        Some(number)
    }
}
