//! Child processes that can be abandoned.
//!
//! A call on a dead NFS mount sleeps in the kernel and may not even die of SIGKILL. So everything
//! that touches a user's path runs in a forked child that sends what it learns over a pipe, and the
//! parent never waits beyond its deadline. A child that dies of SIGBUS is evidence, not a crash.
//!
//! Fork without exec, because the static binary must work in an empty chroot, and because what the
//! child needs is in its memory already. The doctor has one thread, so that the child may do
//! anything; where a test harness has more, glibc's own fork handlers keep its allocator usable.
#![allow(unsafe_code)] // fork, waitpid and _exit have no safe form.

use crate::error::CallError;
use crate::signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest message; a longer one is dropped whole.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Exit code of a child whose body panicked.
const PANICKED: i32 = 101;

/// How often the parent looks at the clock and at [`signal::stop_wanted`].
const TICK: Duration = Duration::from_millis(50);

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its body returned.
    Finished,
    /// Its body panicked.
    Panicked,
    /// A signal killed it, such as SIGBUS (7).
    Signalled(i32),
    /// It was still busy at the deadline, or the user wanted to stop; it was killed, or left
    /// behind if it sleeps in the kernel.
    Abandoned,
}

/// The child's way to its parent.
#[derive(Debug)]
pub struct Outbox {
    pipe: File,
}

impl Outbox {
    /// Sends one message: one line, without line breaks in it. A parent that is gone is ignored;
    /// the child is about to die with it.
    pub fn send(&mut self, message: &[u8]) {
        if message.len() <= MESSAGE_BYTES_MAX && !message.contains(&b'\n') {
            let line = [message, b"\n"].concat();
            let _ = self.pipe.write_all(&line);
        }
    }
}

/// Runs `body` in a child and hands each of its messages to `on_message`, until it ends or the
/// deadline passes.
///
/// # Errors
/// When no pipe or no process can be had.
pub fn run(
    deadline: Instant,
    body: impl FnOnce(&mut Outbox),
    on_message: &mut dyn FnMut(&[u8]),
) -> Result<End, CallError> {
    let failed = |call| move |errno| CallError::from_rustix(call, Path::new(""), errno);
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed("pipe2"))?;
    let parent = rustix::process::getpid();
    // SAFETY: see the module's text: the process has one thread, or glibc makes its allocator
    // usable in the child; the child never returns from this function.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(CallError::new("fork", Path::new(""), &std::io::Error::last_os_error())),
        0 => {
            drop(reader);
            child(parent, File::from(writer), body)
        }
        _ => {
            drop(writer);
            Ok(attend(pid, File::from(reader), deadline, on_message))
        }
    }
}

fn child(parent: rustix::process::Pid, pipe: File, body: impl FnOnce(&mut Outbox)) -> ! {
    // A signal from the terminal is for the parent, which then ends this child.
    let _ = rustix::process::setpgid(None, None);
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let mut outbox = Outbox { pipe };
    let code = if rustix::process::getppid() == Some(parent) {
        match catch_unwind(AssertUnwindSafe(|| body(&mut outbox))) {
            Ok(()) => 0,
            Err(_) => PANICKED,
        }
    } else {
        PANICKED
    };
    // SAFETY: ends the process without running the parent's exit handlers a second time.
    unsafe { libc::_exit(code) }
}

fn attend(pid: i32, mut pipe: File, deadline: Instant, on_message: &mut dyn FnMut(&[u8])) -> End {
    let mut pending = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || signal::stop_wanted() {
            return abandon(pid);
        }
        let wait = left.min(TICK);
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        let mut watched = [PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) | Err(_) => continue,
            Ok(_) => {}
        }
        match pipe.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => deliver(&mut pending, &buffer[..count], on_message),
        }
    }
    reap(pid, deadline).unwrap_or_else(|| abandon(pid))
}

fn deliver(pending: &mut Vec<u8>, bytes: &[u8], on_message: &mut dyn FnMut(&[u8])) {
    for part in bytes.split_inclusive(|byte| *byte == b'\n') {
        if pending.len() + part.len() > MESSAGE_BYTES_MAX + 1 {
            pending.clear();
            continue;
        }
        pending.extend_from_slice(part);
        if let Some((b'\n', message)) = pending.split_last() {
            on_message(message);
            pending.clear();
        }
    }
}

/// The pipe is closed, so the child is ending; `None` if it does not.
fn reap(pid: i32, deadline: Instant) -> Option<End> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        match unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } {
            0 if Instant::now() < deadline => pause(),
            0 => return None,
            -1 => return Some(End::Abandoned),
            _ if libc::WIFSIGNALED(status) => return Some(End::Signalled(libc::WTERMSIG(status))),
            _ if libc::WEXITSTATUS(status) == 0 => return Some(End::Finished),
            _ => return Some(End::Panicked),
        }
    }
}

fn abandon(pid: i32) -> End {
    // SAFETY: the child has not been reaped, so its id and its group's are still its own.
    unsafe {
        libc::kill(-pid, libc::SIGKILL);
        libc::kill(pid, libc::SIGKILL);
    }
    // One that sleeps in the kernel stays a zombie-to-be; init takes it over when we end.
    let _ = reap(pid, Instant::now() + Duration::from_millis(200));
    End::Abandoned
}

fn pause() {
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn messages_arrive_in_order_and_the_end_is_told() {
        let mut seen = Vec::new();
        let end = run(
            soon(),
            |outbox| {
                outbox.send(b"one");
                outbox.send(b"two\nlines are refused");
                outbox.send(&vec![b'x'; 300_000]);
            },
            &mut |message| seen.push(message.len()),
        );
        assert_eq!(end.ok(), Some(End::Finished));
        assert_eq!(seen, [3, 300_000]);
    }

    #[test]
    fn a_child_that_hangs_is_abandoned_at_the_deadline() {
        let start = Instant::now();
        let mut seen = 0;
        let end = run(
            start + Duration::from_millis(200),
            |outbox| {
                outbox.send(b"before");
                loop {
                    pause();
                }
            },
            &mut |_| seen += 1,
        );
        assert_eq!((end.ok(), seen), (Some(End::Abandoned), 1));
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn a_signal_and_a_panic_are_told_apart() {
        use rustix::process::{Signal, getpid, kill_process};
        let suicide = |_: &mut Outbox| {
            let _ = kill_process(getpid(), Signal::KILL);
        };
        let end = run(soon(), suicide, &mut |_| {});
        assert_eq!(end.ok(), Some(End::Signalled(libc::SIGKILL)));
        let end = run(soon(), |_| std::panic::resume_unwind(Box::new(())), &mut |_| {});
        assert_eq!(end.ok(), Some(End::Panicked));
    }
}
