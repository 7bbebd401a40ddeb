//! A program while it runs.

use crate::exit::{Exit, Failure};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
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
            // A terminal sends it to the program as well; twice does no harm.
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        std::thread::park_timeout(PAUSE);
        waited += PAUSE;
        if waited >= PERIOD {
            waited = Duration::ZERO;
            look();
        }
    }
}

fn code(status: ExitStatus) -> Option<u8> {
    /// As a shell tells of a signal.
    const SIGNALLED: i32 = 128;
    let code = status.code().or_else(|| status.signal().map(|signal| SIGNALLED + signal));
    code.and_then(|code| u8::try_from(code).ok())
}
