//! The system calls of a program and of all that it starts, watched by ptrace(2).
//!
//! Every call stops the program twice, before and after. There is no seccomp filter that would let
//! the calls of no interest pass: under one, a call whose tracer is gone fails with `ENOSYS`
//! (seccomp(2), `SECCOMP_RET_TRACE`), so a tracer that is killed would take the program with it.
//! This way the kernel lets the program go on as if it had never been watched.
//!
//! The program is seized and not attached to, so that it stops and goes on with its terminal as it
//! would by itself (ptrace(2), `PTRACE_SEIZE`). Signals reach it unchanged. What is still running
//! when the program has ended is let go.

mod call;
mod memory;
mod obstacle;
mod request;
mod start;

pub use call::{Asked, Named};
pub use memory::read as read_memory;
pub use obstacle::Obstacle;

use crate::process;
use call::Entered;
use request::{Event, Signal, Stop, Wait};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, ExitStatus};
use tombolo_core::errno::Errno;

/// A program could not be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It could not be started.
    #[error("the program could not be started: {0}")]
    Start(std::io::Error),
    /// The kernel does not let it be watched.
    #[error("{0}")]
    Refused(Obstacle),
    /// It was watched and got lost.
    #[error("wait4: {0}")]
    Lost(Errno),
}

/// A call that has ended.
#[derive(Debug)]
pub struct SystemCall {
    /// The process that made it.
    pub process: i32,
    /// The thread that made it.
    pub thread: i32,
    /// Monotonic time at which it began.
    pub start_ns: u64,
    /// How long it took, with the time of one stop.
    pub duration_ns: u64,
    /// What was asked.
    pub asked: Asked,
    /// What came of it.
    pub result: Result<u64, Errno>,
}

/// Somebody who is told of what a program does.
pub trait Watcher {
    /// A call has ended. The process that made it stands still meanwhile.
    fn called(&mut self, call: &SystemCall);
    /// A process runs another program from here on.
    fn executed(&mut self, process: i32);
    /// A process is gone.
    fn ended(&mut self, process: i32);
    /// A process calls the kernel as a program of another architecture, which is not read.
    fn foreign(&mut self, process: i32);
}

/// How a program ended that was watched.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// As it told its parent.
    pub status: ExitStatus,
    /// Processes of it that go on, and are no longer watched.
    pub left: usize,
}

/// Starts a program and watches it to its end. `started` is told its number.
///
/// The calling thread is the tracer: everything that is watched is let go when it ends.
///
/// # Errors
///
/// [`Error`]; the program was then not run.
pub fn watch(
    command: Command,
    watcher: &mut dyn Watcher,
    started: impl FnOnce(i32),
) -> Result<Ended, Error> {
    let main = start::seized(command)?;
    started(main);
    let mut tracer = Tracer { main, threads: BTreeMap::new(), foreign: BTreeSet::new(), watcher };
    // Where it stands.
    tracer.stopped(main, Stop::Event(Event::Executed));
    loop {
        match request::wait() {
            Ok(Wait::Ended(thread, status)) => {
                if tracer.ended(thread) && thread == main {
                    return Ok(Ended { status, left: tracer.left() });
                }
            }
            Ok(Wait::Stopped(thread, stop)) => tracer.stopped(thread, stop),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(Error::Lost(errno)),
        }
    }
}

/// A thread that is watched.
struct Thread {
    process: i32,
    /// The call that it is in.
    entered: Option<Entered>,
}

struct Tracer<'a> {
    main: i32,
    threads: BTreeMap<i32, Thread>,
    foreign: BTreeSet<i32>,
    watcher: &'a mut dyn Watcher,
}

impl Tracer<'_> {
    /// How many processes are there that were met.
    fn left(&self) -> usize {
        let met: BTreeSet<i32> = self.threads.values().map(|thread| thread.process).collect();
        let is_there =
            |process: &i32| process::kind(Path::new("/proc"), *process) == process::Kind::Program;
        met.into_iter().filter(is_there).count()
    }

    /// A thread is gone; whether its process is, too.
    fn ended(&mut self, thread: i32) -> bool {
        let process = match self.threads.remove(&thread) {
            Some(thread) => thread.process,
            None => thread,
        };
        let last = thread == process;
        if last {
            self.watcher.ended(process);
        }
        last
    }

    fn meet(&mut self, thread: i32) {
        let main = self.main;
        self.threads.entry(thread).or_insert_with(|| Thread {
            process: if thread == main { main } else { request::process_of(thread) },
            entered: None,
        });
    }

    fn stopped(&mut self, thread: i32, stop: Stop) {
        self.meet(thread);
        match stop {
            Stop::Call => {
                self.call(thread);
                request::go_on(thread, Signal::NONE);
            }
            Stop::Event(Event::Executed) => {
                self.executed(thread);
                request::go_on(thread, Signal::NONE);
            }
            Stop::Event(Event::Started) => {
                if let Some(started) = request::started_by(thread) {
                    self.meet(started);
                }
                request::go_on(thread, Signal::NONE);
            }
            Stop::Event(Event::Other) => request::go_on(thread, Signal::NONE),
            Stop::Group => request::stay(thread),
            Stop::Signal(signal) => request::go_on(thread, signal),
        }
    }

    /// The thread has taken the number of its process; all others of it are gone (execve(2)).
    fn executed(&mut self, process: i32) {
        self.threads.retain(|number, thread| thread.process != process || *number == process);
        if let Some(thread) = self.threads.get_mut(&process) {
            thread.process = process;
        }
        self.foreign.remove(&process);
        self.watcher.executed(process);
    }

    fn call(&mut self, number: i32) {
        let Some(info) = request::call_info(number) else { return };
        let Some(thread) = self.threads.get_mut(&number) else { return };
        match info {
            request::CallInfo::Entry { native: true, call, arguments } => {
                thread.entered = Entered::new(number, call, arguments, request::now_ns());
            }
            request::CallInfo::Entry { native: false, .. } => {
                thread.entered = None;
                if self.foreign.insert(thread.process) {
                    self.watcher.foreign(thread.process);
                }
            }
            request::CallInfo::Exit { result } => {
                let Some(entered) = thread.entered.take() else { return };
                let duration_ns = request::now_ns().saturating_sub(entered.start_ns);
                let call = SystemCall {
                    process: thread.process,
                    thread: number,
                    start_ns: entered.start_ns,
                    duration_ns,
                    asked: entered.asked(number, result.is_ok()),
                    result,
                };
                self.watcher.called(&call);
            }
        }
    }
}
