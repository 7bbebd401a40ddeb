//! `fcntl`: the locks of SQLite, and who is in their way.

use super::next::set_errno;
use super::opening::path_of;
use super::recorder::{State, recorded, set_file_of, state, timed};
use crate::databases::is_sqlites;
use libc::{c_int, size_t};
use std::ptr;
use tombolo_core::locktable::Strength;
use tombolo_core::trace::record::{Answer, LockCall, Operation, Owner, Patience, Wanted};

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
    let absolute = i32::from(asked.l_whence) == libc::SEEK_SET;
    let new = || {
        let sqlites = absolute && is_sqlites(asked.l_start, asked.l_len);
        sqlites.then(|| state.meet(descriptor)).flatten()
    };
    let Some(file) = recorded(descriptor).map(|(_, file)| file).or_else(new) else { return call() };
    let ended = timed(call);
    // SAFETY: as above.
    let answer = unsafe { lock_of(command, argument) }.filter(|_| ended.answer >= 0);
    match wanted(command, &asked, answer.as_ref()) {
        Some(wanted) => {
            let owner = match command {
                libc::F_SETLK | libc::F_SETLKW | libc::F_GETLK => Owner::Process,
                _ => Owner::Description,
            };
            let first = u64::try_from(asked.l_start).unwrap_or(0);
            let lock = LockCall { wanted, owner, first, bytes: asked.l_len.unsigned_abs() };
            ended.record(state, file, Some(descriptor), Operation::Lock(lock))
        }
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
unsafe fn lock_of(command: c_int, argument: size_t) -> Option<libc::flock> {
    let locks = matches!(
        command,
        libc::F_SETLK
            | libc::F_SETLKW
            | libc::F_GETLK
            | libc::F_OFD_SETLK
            | libc::F_OFD_SETLKW
            | libc::F_OFD_GETLK
    );
    // SAFETY: not null, and the caller's promise.
    (locks && argument != 0)
        .then(|| unsafe { ptr::with_exposed_provenance::<libc::flock>(argument).read() })
}

fn wanted(command: c_int, asked: &libc::flock, answer: Option<&libc::flock>) -> Option<Wanted> {
    let strength = |kind: libc::c_short| match i32::from(kind) {
        libc::F_RDLCK => Some(Strength::Shared),
        libc::F_WRLCK => Some(Strength::Exclusive),
        _ => None,
    };
    let queries = matches!(command, libc::F_GETLK | libc::F_OFD_GETLK);
    let waits = matches!(command, libc::F_SETLKW | libc::F_OFD_SETLKW);
    let patience = if waits { Patience::Waits } else { Patience::AtOnce };
    match (queries, strength(asked.l_type)) {
        (true, None) => None,
        (true, Some(wanted)) => {
            let held =
                answer.and_then(|held| Some(Answer::Held(strength(held.l_type)?, held.l_pid)));
            Some(Wanted::Query(wanted, held.unwrap_or(Answer::Free)))
        }
        (false, None) => Some(Wanted::Release),
        (false, Some(wanted)) => Some(Wanted::Take(wanted, patience)),
    }
}

impl State {
    /// Begins to record a file on which SQLite's bytes are locked: one that was empty when it was
    /// opened, or is encrypted.
    fn meet(&self, descriptor: c_int) -> Option<u32> {
        let path = path_of(descriptor)?;
        if self.is_limited() && !self.is_named(&path) {
            return None;
        }
        let number = self.inner().number(&path)?;
        set_file_of(descriptor, number);
        Some(number)
    }
}
