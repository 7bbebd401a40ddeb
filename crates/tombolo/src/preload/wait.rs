//! A program while it runs.

use crate::exit::{Exit, Failure};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;
use tombolo_os::signal;

/// How often it is looked who else has the databases open.
const PERIOD: Duration = Duration::from_secs(1);
/// How often it is looked whether the program has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// Starts a program and waits for its end; its exit code, `None` where it could not be told.
///
/// A signal that would end this process is for the program: it ends, and this process after it.
/// `look` is called about once a second meanwhile.
pub(crate) fn attend(mut command: Command, look: &mut dyn FnMut()) -> Result<Option<u8>, Failure> {
    signal::catch_stop();
    let started = command.spawn();
    let mut child = started.map_err(|error| Failure::new(Exit::NotExamined, error))?;
    let (mut waited, mut passed_on) = (Duration::ZERO, false);
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(code(status)),
            Ok(None) => {}
            Err(error) => return Err(Failure::new(Exit::NotExamined, error)),
        }
        if signal::stop_wanted() && !passed_on {
            passed_on = true;
            stop(rustix::process::Pid::from_child(&child));
        }
        std::thread::park_timeout(PAUSE);
        waited += PAUSE;
        if waited >= PERIOD {
            waited = Duration::ZERO;
            look();
        }
    }
}

/// As [`attend`], for a program that `work` starts and waits for. `work` has a thread of its own,
/// and is given a function by which it says which process the program is.
pub(crate) fn attend_by<T: Send>(work: impl FnOnce(&dyn Fn(i32)) -> T + Send) -> T {
    signal::catch_stop();
    let (program, attendant) = (AtomicI32::new(0), std::thread::current());
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let answer = work(&|process| program.store(process, Ordering::Relaxed));
            program.store(0, Ordering::Relaxed);
            attendant.unpark();
            answer
        });
        while !worker.is_finished() {
            let process = rustix::process::Pid::from_raw(program.load(Ordering::Relaxed));
            if let Some(process) = process.filter(|_| signal::stop_wanted()) {
                program.store(0, Ordering::Relaxed);
                stop(process);
            }
            std::thread::park_timeout(PAUSE);
        }
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Passes a wish to stop on. A terminal sends it to the program as well; twice does no harm.
fn stop(process: rustix::process::Pid) {
    let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
}

/// The exit code that a shell tells of a program's end.
pub(crate) fn code(status: ExitStatus) -> Option<u8> {
    /// As a shell tells of a signal.
    const SIGNALLED: i32 = 128;
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok())
}
