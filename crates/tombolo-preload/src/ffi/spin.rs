//! A lock that a fork can be made around: a forked process must not find it held by a thread that
//! it does not have.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};

/// A value that one thread at a time can reach. Nobody holds it for longer than one record takes.
pub(super) struct Spin<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only by the thread that has set `held`.
unsafe impl<T: Send> Sync for Spin<T> {}

/// The value, for as long as this lives.
pub(super) struct Held<'a, T>(&'a Spin<T>);

impl<T> Spin<T> {
    pub(super) fn new(value: T) -> Self {
        Spin { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(super) fn lock(&self) -> Held<'_, T> {
        while self
            .held
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            // SAFETY: no pointer is involved.
            unsafe { libc::sched_yield() };
        }
        Held(self)
    }

    /// Gives up what the calling thread has locked and forgotten the guard of.
    pub(super) fn unlock(&self) {
        self.held.store(false, Ordering::Release);
    }
}

impl<T> Deref for Held<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this thread has the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this thread has the lock, and this guard is borrowed for as long.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}
