//! Waiting for a lock to write within the call for it, as long as the connection's busy handler
//! says.
//!
//! SQLite itself asks that handler only after it has given up the transaction that was refused, and
//! then begins anew. A VFS may ask it too (`SQLITE_FCNTL_BUSYHANDLER`), and so wait for one answer
//! of the owner through any number of its naps.

use super::TOLD_BUSY;
use super::methods::State;
use libc::{c_int, c_void};
use std::sync::Arc;
use std::time::Duration;
use tombolo_core::facade::Refusal;
use tombolo_core::facade::waiting::Waited;
use tombolo_door::Door;

/// A connection's busy handler: not zero means that the lock is to be tried again.
#[derive(Clone, Copy, Debug)]
pub(super) struct BusyHandler {
    function: unsafe extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
}

impl BusyHandler {
    /// Of the argument of `SQLITE_FCNTL_BUSYHANDLER`: a function and its argument.
    ///
    /// # Safety
    /// It is null or points to two pointers, of which the first is null or such a function. Both
    /// live as long as the file is open.
    pub(super) unsafe fn of(pair: *const *mut c_void) -> Option<Self> {
        type Function = Option<unsafe extern "C" fn(*mut c_void) -> c_int>;
        if pair.is_null() {
            return None;
        }
        // SAFETY: the caller's promise; a pointer to a function is as wide as one to data, and null
        // is `None`.
        unsafe {
            let function = pair.cast::<Function>().read()?;
            Some(BusyHandler { function, argument: pair.add(1).read() })
        }
    }

    /// # Safety
    /// In a call of SQLite on the file that the handler came for.
    unsafe fn wants_more(self) -> bool {
        // SAFETY: it lives as long as the file, and the caller's promise.
        unsafe { (self.function)(self.argument) != 0 }
    }
}

/// Waits for the turn of a transaction that was refused it.
///
/// # Errors
/// `SQLITE_IOERR` where the connection is lost.
///
/// # Safety
/// In SQLite's call for the lock.
pub(super) unsafe fn wait(state: &State) -> Result<Waited, Refusal> {
    let Some(handler) = state.busy_handler.get().copied() else { return Ok(Waited::InVain) };
    if state.door(Door::begin_waiting) != Some(true) {
        return Ok(Waited::InVain);
    }
    let waited = loop {
        // Where the handler sleeps by the VFS, it sleeps until the owner answers.
        TOLD_BUSY.set(Arc::downgrade(&state.file));
        // SAFETY: the caller's promise.
        if !unsafe { handler.wants_more() } {
            break Ok(Waited::InVain);
        }
        match state.door(|door| door.wait(Duration::ZERO)) {
            Some(Ok(Waited::InVain)) => {}
            Some(other) => break other,
            None => break Ok(Waited::InVain),
        }
    };
    TOLD_BUSY.take();
    state.door(Door::stop_waiting).transpose().and(waited)
}
