//! Calls that are not answered, or late.
//!
//! The kernel cannot give up a request that the server has read: its caller sleeps, and not even
//! SIGKILL wakes it (`request_wait_answer`, `fs/fuse/dev.c`). So a reply that is kept is a mount
//! whose server is gone.

use crate::faults::{Delays, Operation};
use std::any::Any;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
struct State {
    hanging: Vec<Operation>,
    kept: Vec<Box<dyn Any + Send>>,
    closed: bool,
}

/// Lets calls through, or keeps them.
#[derive(Debug)]
pub(super) struct Gate {
    delays: Delays,
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    pub(super) fn new(delays: Delays) -> Self {
        Gate { delays, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Hands the reply back, when its time has come, or keeps it and answers `None`.
    pub(super) fn pass<R: Any + Send>(&self, operation: Operation, reply: R) -> Option<R> {
        let mut state = self.state();
        if !state.hanging.contains(&operation) {
            drop(state);
            let delay = self.delays.of(operation);
            if !delay.is_zero() {
                self.dawdle(delay);
            }
            return Some(reply);
        }
        state.kept.push(Box::new(reply));
        drop(state);
        self.changed.notify_all();
        None
    }

    /// From now on these calls hang.
    pub(super) fn hang(&self, operations: &[Operation]) {
        self.state().hanging = operations.to_vec();
    }

    /// From now on all calls are answered. Those that hang end in EIO, which a dropped reply sends.
    pub(super) fn answer(&self) {
        let kept = {
            let mut state = self.state();
            state.hanging.clear();
            std::mem::take(&mut state.kept)
        };
        drop(kept);
    }

    /// As [`Self::answer`]; and nobody waits any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
        self.answer();
    }

    /// How many calls hang.
    pub(super) fn kept(&self) -> usize {
        self.state().kept.len()
    }

    /// Waits until a call hangs; answers whether one does.
    pub(super) fn wait_for_one(&self, at_most: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, at_most, |state| state.kept.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).0.kept.is_empty()
    }

    /// Takes its time, but ends at once when the mount goes.
    pub(super) fn dawdle(&self, time: Duration) {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, time, |state| !state.closed);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
