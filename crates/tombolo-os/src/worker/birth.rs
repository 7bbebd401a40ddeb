//! From one process to two, and the child's side of the pipes.

use super::inbox::Tag;
use super::pipe_end::{self, PipeEnd};
use super::{MESSAGE_BYTES_MAX, PANIC_BYTES_MAX};
use crate::error::CallError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether this process is a child itself. Its own children stay in its group and die with it.
static IS_CHILD: AtomicBool = AtomicBool::new(false);

/// Exit code of a child whose body panicked.
const PANICKED: i32 = 101;

/// What becomes of the child when its parent dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    DiesWithParent,
    OutlivesParent,
}

/// A child as its parent sees it.
pub(super) struct Born {
    pub(super) pid: i32,
    pub(super) reader: PipeEnd,
    pub(super) lifeline: PipeEnd,
}

/// The child's way to its parent.
#[derive(Debug)]
pub struct Outbox {
    pipe: PipeEnd,
}

impl Outbox {
    /// Sends one message of any bytes. One that is longer than [`MESSAGE_BYTES_MAX`] is dropped,
    /// and the parent hears of the loss. A parent that is gone is ignored; the child is about to
    /// learn it.
    pub fn send(&mut self, message: &[u8]) {
        if message.len() <= MESSAGE_BYTES_MAX {
            self.put(Tag::Message, message);
        } else {
            self.lose();
        }
    }

    /// Tells the parent that there was something to say which could not be put into a message.
    pub fn lose(&mut self) {
        self.put(Tag::Lost, b"");
    }

    #[cfg(test)]
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.pipe.file().write_all(bytes);
    }

    fn put(&mut self, tag: Tag, bytes: &[u8]) {
        let frame = [tag.header(bytes.len()).as_slice(), bytes].concat();
        let _ = self.pipe.file().write_all(&frame);
    }
}

/// How a child learns that its parent is gone, or has no more need of it.
#[derive(Debug)]
pub struct Lifeline {
    pipe: PipeEnd,
}

impl Lifeline {
    pub(super) fn pipe(&self) -> &PipeEnd {
        &self.pipe
    }

    /// Waits until the parent lets go of the line: on purpose, or because it died of whatever.
    pub fn wait(&self) {
        while !self.is_cut_within(None) {}
    }

    /// Whether the parent has let go.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.is_cut_within(Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))
    }

    fn is_cut_within(&self, timeout: Option<&Timespec>) -> bool {
        let mut watched = [PollFd::from_borrowed_fd(self.pipe.as_fd(), PollFlags::IN)];
        // Nobody ever writes to it, so whatever happens there is the end.
        matches!(poll(&mut watched, timeout), Ok(count) if count > 0)
    }
}

/// Makes a child that runs `body` and never returns from here.
pub(super) fn fork(tie: Tie, body: impl FnOnce(&mut Outbox, &Lifeline)) -> Result<Born, CallError> {
    let parent = rustix::process::getpid();
    // Held across the fork, so that no other thread makes a pipe of which the child knows nothing.
    let mut open = pipe_end::lock();
    let ((reader, writer), (held_by_child, lifeline)) = (pipe_end::pipe()?, pipe_end::pipe()?);
    let (reader, writer) = (open.adopt(reader), open.adopt(writer));
    let (held_by_child, lifeline) = (open.adopt(held_by_child), open.adopt(lifeline));
    // SAFETY: see the text of the module above: the process has one thread, or glibc makes its
    // allocator usable in the child; the child never returns from this function.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => {
            let error = std::io::Error::last_os_error();
            drop(open);
            Err(CallError::new("fork", Path::new(""), &error))
        }
        0 => {
            let ready = open.keep_only(&[&writer, &held_by_child]);
            drop(open);
            let outbox = Outbox { pipe: writer };
            let lifeline = Lifeline { pipe: held_by_child };
            let live = settle(tie, parent) && ready.is_ok();
            let code = if live { perform(outbox, &lifeline, body) } else { PANICKED };
            // SAFETY: ends the process without running the parent's exit handlers a second time.
            unsafe { libc::_exit(code) }
        }
        _ => {
            drop(open);
            drop((writer, held_by_child));
            Ok(Born { pid, reader, lifeline })
        }
    }
}

/// Sets up a fresh child. Answers whether it is still wanted.
fn settle(tie: Tie, parent: Pid) -> bool {
    let inner = IS_CHILD.swap(true, Ordering::Relaxed);
    if !inner {
        // A signal from the terminal is for the parent, which then ends this child.
        let _ = rustix::process::setpgid(None, None);
    }
    // A core dump would leave the content of databases behind. One byte and not none, because that
    // is what also stops a dump into a program (fs/coredump.c: "RLIMIT_CORE is set to 1").
    let none = Rlimit { current: Some(1), maximum: Some(1) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    if tie == Tie::OutlivesParent {
        // A service manager signals all processes at once; this one ends by its lifeline alone.
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT] {
            // SAFETY: no handler is installed that could run.
            unsafe { libc::signal(signal, libc::SIG_IGN) };
        }
        return true;
    }
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    rustix::process::getppid() == Some(parent)
}

/// What the last panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn perform(
    mut outbox: Outbox,
    lifeline: &Lifeline,
    body: impl FnOnce(&mut Outbox, &Lifeline),
) -> i32 {
    // The usual hook would write to the user's terminal.
    std::panic::set_hook(Box::new(|panic| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    if catch_unwind(AssertUnwindSafe(|| body(&mut outbox, lifeline))).is_ok() {
        return 0;
    }
    let text = std::mem::take(&mut *PANIC.lock().unwrap_or_else(PoisonError::into_inner));
    let bytes = text.as_bytes();
    outbox.put(Tag::Panic, bytes.get(..PANIC_BYTES_MAX).unwrap_or(bytes));
    PANICKED
}
