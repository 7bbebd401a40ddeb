//! Child processes that can be abandoned.
//!
//! A call on a dead NFS mount sleeps in the kernel and may not even die of SIGKILL. So everything
//! that touches a user's path runs in a forked child that sends what it learns over a pipe, and the
//! parent never waits beyond its deadline. A child that dies of SIGBUS is evidence, not a crash.
//!
//! * [`run`] attends to one child until it ends; the child dies with its parent.
//! * [`Servant`] answers questions until it is dropped; it dies with its parent too.
//! * [`Companion`] works beside its parent, outlives it and tidies up: see [`Lifeline`].
//!
//! Fork without exec, because the static binary must work in an empty chroot, and because what the
//! child needs is in its memory already. The doctor has one thread, so that the child may do
//! anything; where a test harness has more, glibc's own fork handlers keep its allocator usable.
#![allow(unsafe_code)] // fork, waitpid and _exit have no safe form.

mod birth;
mod inbox;
mod pipe_end;
mod servant;
mod waiting;

pub use birth::{Lifeline, Outbox};
pub use servant::{QUESTION_BYTES_MAX, Questions, Servant};

use crate::error::CallError;
use birth::{Born, Tie};
use inbox::{Event, Heed, Inbox};
use pipe_end::PipeEnd;
use rustix::event::{Timespec, poll};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest message; a longer one is dropped whole, and [`End::MessageLost`] says so.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Most messages of one child; one that sends more is killed.
pub const MESSAGES_MAX: usize = 1 << 17;

/// Most bytes of all messages of one child together.
pub const MESSAGES_BYTES_MAX: usize = 256 << 20;

/// Bytes kept of what a panic said.
const PANIC_BYTES_MAX: usize = 4096;

/// How long a killed child, or a companion that was let go, is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its body returned, and all that it said was heard.
    Finished,
    /// Its body returned, but a message was longer than [`MESSAGE_BYTES_MAX`] and was dropped.
    MessageLost,
    /// Its body panicked; what the panic said, bounded.
    Panicked(String),
    /// A signal killed it, such as SIGBUS (7).
    Signalled(i32),
    /// It was still busy at the deadline; it was killed, or left behind if it sleeps in the kernel.
    DeadlinePassed {
        /// The call on a file that it slept in, where the kernel says so: `fsync`.
        call: Option<&'static str>,
    },
    /// A signal asked this process to stop ([`crate::signal`]); the child was treated the same.
    StopWanted,
    /// It said more than [`MESSAGES_MAX`] or [`MESSAGES_BYTES_MAX`] allow, and was killed.
    TooManyMessages,
    /// `waitpid` could not tell, as where SIGCHLD is ignored.
    NotKnown,
}

impl fmt::Display for End {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Finished => formatter.write_str("it came to its end"),
            End::MessageLost => formatter.write_str("a part of its answer was too long, and lost"),
            End::Panicked(text) => write!(formatter, "it failed by a fault of its own: {text}"),
            End::Signalled(signal) => write!(formatter, "signal {signal} killed it"),
            End::DeadlinePassed { call: Some(call) } => {
                write!(formatter, "the call {call} did not return in time")
            }
            End::DeadlinePassed { call: None } => formatter.write_str("it did not end in time"),
            End::StopWanted => formatter.write_str("it was interrupted"),
            End::TooManyMessages => formatter.write_str("its answer was too long"),
            End::NotKnown => formatter.write_str("how it ended is not known"),
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
    run_with_grace(deadline, Duration::ZERO, body, on_message)
}

/// The same, but a wish to stop is handed on to the child, which finds it in
/// [`crate::signal::stop_wanted`] and has so much time to come to an end by itself.
///
/// # Errors
/// As [`run`].
pub fn run_with_grace(
    deadline: Instant,
    grace: Duration,
    body: impl FnOnce(&mut Outbox),
    on_message: &mut dyn FnMut(&[u8]),
) -> Result<End, CallError> {
    if crate::signal::stop_wanted() {
        return Ok(End::StopWanted);
    }
    bury_abandoned();
    let Born { pid, reader, lifeline } =
        birth::fork(Tie::DiesWithParent, |outbox, _| body(outbox))?;
    let mut inbox = Inbox::new(reader);
    let (mut deadline, mut heed) = (deadline, Heed::Stop);
    let early = loop {
        match inbox.next(deadline, heed) {
            Event::Message(message) => on_message(&message),
            Event::Closed => break None,
            Event::Early(End::StopWanted) if !grace.is_zero() => {
                // SAFETY: the child has not been reaped, so its id is still its own.
                unsafe { libc::kill(pid, libc::SIGTERM) };
                (deadline, heed) = (deadline.min(Instant::now() + grace), Heed::DeadlineOnly);
            }
            Event::Early(_) if heed == Heed::DeadlineOnly => break Some(End::StopWanted),
            Event::Early(end) => break Some(end),
        }
    };
    drop(lifeline);
    if let Some(mut end) = early {
        if let End::DeadlinePassed { call } = &mut end {
            *call = waiting::call_of(pid);
        }
        kill(pid);
        // What it had said before is evidence too.
        while let Some(message) = inbox.rest() {
            on_message(&message);
        }
        return Ok(end);
    }
    let ended = reap(pid, deadline).map_or_else(|| abandon(pid), |status| end_of(status, inbox));
    // However it ended, it was for this.
    Ok(if heed == Heed::DeadlineOnly { End::StopWanted } else { ended })
}

/// The pipe is closed and yet the child lives.
fn abandon(pid: i32) -> End {
    let call = waiting::call_of(pid);
    kill(pid);
    End::DeadlinePassed { call }
}

/// A child that outlives its parent in order to tidy up.
///
/// It is never killed: one that sleeps in the kernel finishes its work when the mount answers
/// again. Dropping lets it go and waits for it a moment.
#[derive(Debug)]
pub struct Companion {
    /// `None` once it has been reaped.
    pid: Option<i32>,
    inbox: Inbox,
    lifeline: Option<PipeEnd>,
}

impl Companion {
    /// Starts one. `body` should send what it has done, wait for [`Lifeline::wait`], undo it, and
    /// return.
    ///
    /// # Errors
    /// When no pipe or no process can be had.
    pub fn start(body: impl FnOnce(&mut Outbox, &Lifeline)) -> Result<Self, CallError> {
        bury_abandoned();
        let Born { pid, reader, lifeline } = birth::fork(Tie::OutlivesParent, body)?;
        Ok(Companion { pid: Some(pid), inbox: Inbox::new(reader), lifeline: Some(lifeline) })
    }

    /// Waits for its next message: until the deadline, or until a signal asks this process to stop,
    /// which counts no more once the child was let go.
    ///
    /// # Errors
    /// How it ended, or why it was not waited for any longer.
    pub fn message(&mut self, deadline: Instant) -> Result<Vec<u8>, End> {
        let heed = if self.lifeline.is_some() { Heed::Stop } else { Heed::DeadlineOnly };
        match self.inbox.next(deadline, heed) {
            Event::Message(message) => Ok(message),
            Event::Early(end) => Err(end),
            Event::Closed => Err(self.reap(deadline)),
        }
    }

    /// Tells it to tidy up.
    pub fn let_go(&mut self) {
        self.lifeline = None;
    }

    /// Lets it tidy up, and waits for its end until the deadline.
    #[must_use]
    pub fn release(mut self, deadline: Instant) -> End {
        self.let_go();
        self.reap(deadline)
    }

    fn reap(&mut self, deadline: Instant) -> End {
        let Some(pid) = self.pid else { return End::NotKnown };
        let Some(status) = reap(pid, deadline) else {
            return End::DeadlinePassed { call: waiting::call_of(pid) };
        };
        self.pid = None;
        end_of(status, std::mem::take(&mut self.inbox))
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.let_go();
        let _ = self.reap(Instant::now() + PATIENCE);
        if let Some(pid) = self.pid {
            remember_abandoned(pid);
        }
    }
}

/// What `waitpid` said.
#[derive(Clone, Copy)]
enum Status {
    Exited(i32),
    Signalled(i32),
    NotKnown,
}

fn end_of(status: Status, inbox: Inbox) -> End {
    match status {
        Status::Signalled(signal) => End::Signalled(signal),
        Status::NotKnown => End::NotKnown,
        Status::Exited(0) if inbox.lost_any() => End::MessageLost,
        Status::Exited(0) => End::Finished,
        Status::Exited(_) => End::Panicked(inbox.into_panic_text()),
    }
}

/// `None` if it has not ended by the deadline.
fn reap(pid: i32, deadline: Instant) -> Option<Status> {
    loop {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        match unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) } {
            0 if Instant::now() < deadline => pause(Duration::from_millis(1)),
            0 => return None,
            -1 => return Some(Status::NotKnown),
            _ if libc::WIFSIGNALED(status) => {
                return Some(Status::Signalled(libc::WTERMSIG(status)));
            }
            _ => return Some(Status::Exited(libc::WEXITSTATUS(status))),
        }
    }
}

/// Kills a child that has not been reaped, with the children that it made.
fn kill(pid: i32) {
    // SAFETY: the child has not been reaped, so its id and its group's are still its own.
    unsafe {
        libc::kill(-pid, libc::SIGKILL);
        libc::kill(pid, libc::SIGKILL);
    }
    if reap(pid, Instant::now() + PATIENCE).is_none() {
        remember_abandoned(pid);
    }
}

/// Children that sleep in the kernel. They are reaped when they wake up; init has them after us.
static ABANDONED: Mutex<Vec<i32>> = Mutex::new(Vec::new());

fn remember_abandoned(pid: i32) {
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
}

fn bury_abandoned() {
    let mut abandoned = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
    abandoned.retain(|pid| reap(*pid, Instant::now()).is_none());
}

/// Waits less than a second, for what no event tells: another process, a directory that another
/// kernel changes.
pub fn pause(wait: Duration) {
    let _ = poll(&mut [], Some(&Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() }));
}

#[cfg(test)]
mod tests;
