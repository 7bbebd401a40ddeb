//! SIGINT, SIGTERM and SIGHUP: a wish to stop, noticed where it is safe to act on it.
#![allow(unsafe_code)] // sigaction has no safe form; the handler only stores to an atomic.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// A page of a shared map is gone, or could not be read (`mmap(2)`).
pub const SIGBUS: i32 = libc::SIGBUS;

extern "C" fn note(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// From now on the three signals set a flag instead of ending the process, so that scratch files
/// are removed first. Blocking calls return `EINTR` (no `SA_RESTART`).
///
/// SIGCHLD is no longer ignored, as it is after `trap '' CHLD` in the shell that started us: the
/// kernel would reap our children, and how they ended would not be known (`waitpid(2)`).
pub fn catch_stop() {
    // SAFETY: the default action has no handler that could run.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the structure is fully written (all zero is a valid mask and flag set), and the
        // handler is async-signal-safe: it stores to an atomic and nothing else.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note as extern "C" fn(libc::c_int) as usize;
            libc::sigaction(signal, &raw const action, std::ptr::null_mut());
        }
    }
}

/// Whether one of the signals has come.
#[must_use]
pub fn stop_wanted() -> bool {
    STOP.load(Ordering::Relaxed)
}
