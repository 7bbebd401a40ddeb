//! What stands between the lab and the programs that it starts: `tombolo-lab child`.

use super::{Identity, descendants, kill_stranger};
use crate::error::LabError;
use rustix::process::{Pid, Signal, getppid, set_child_subreaper, set_parent_process_death_signal};
use std::ffi::OsString;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus};

/// How often it is looked again for processes that were started meanwhile.
const ROUNDS: usize = 100;

/// Becomes `argv`, to be killed with the thread that started this process.
///
/// # Errors
/// When the parent is gone already, or the program cannot be started; it does not return otherwise.
pub fn become_child(parent: u32, argv: &[OsString]) -> io::Result<std::convert::Infallible> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the kernel was asked; then nobody would send the signal.
    if getppid().map(|of| of.as_raw_nonzero().get()) != i32::try_from(parent).ok() {
        return Err(io::Error::other("the lab that started this is gone"));
    }
    let (program, arguments) = split(argv)?;
    Err(Command::new(program).args(arguments).exec())
}

/// Runs `argv` and whatever it starts, until it has ended and left nothing, or until standard input
/// ends: then kills all of them.
///
/// A server that daemonises leaves its group and its parent; it does not leave a subreaper
/// (`PR_SET_CHILD_SUBREAPER(2const)`).
///
/// # Errors
/// When the program cannot be started.
pub fn guard(parent: u32, argv: &[OsString]) -> io::Result<Option<ExitStatus>> {
    set_child_subreaper(Pid::from_raw(1))?;
    if getppid().map(|of| of.as_raw_nonzero().get()) != i32::try_from(parent).ok() {
        return Err(io::Error::other("the lab that started this is gone"));
    }
    let (program, arguments) = split(argv)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).process_group(0);
    let first = command.spawn()?.id();
    std::thread::Builder::new().name("input".to_owned()).spawn(kill_at_end_of_input)?;
    let mut status = None;
    loop {
        match rustix::process::wait(rustix::process::WaitOptions::empty()) {
            Ok(Some((pid, ended)))
                if pid.as_raw_nonzero().get() == i32::try_from(first).unwrap_or(0) =>
            {
                use std::os::unix::process::ExitStatusExt as _;
                status = Some(ExitStatus::from_raw(ended.as_raw()));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // No children are left.
            Err(_) => return Ok(status),
        }
    }
}

fn kill_at_end_of_input() {
    let mut ignored = [0; 64];
    while !matches!(io::stdin().read(&mut ignored), Ok(0) | Err(_)) {}
    let _ = kill_descendants(std::process::id());
}

/// Kills whatever descends from `ancestor`, until nothing does.
pub(crate) fn kill_descendants(ancestor: u32) -> Result<(), LabError> {
    kill_all(|| descendants(ancestor))
}

/// Kills what `find` finds, until it finds nothing alive.
pub(crate) fn kill_all(find: impl Fn() -> Vec<Identity>) -> Result<(), LabError> {
    // A process may start another one between the look and the kill; each round has fewer parents.
    for _ in 0..ROUNDS {
        let found: Vec<_> = find().into_iter().filter(Identity::is_alive).collect();
        if found.is_empty() {
            return Ok(());
        }
        for identity in found {
            kill_stranger(&identity)?;
        }
    }
    Err(LabError::Request("processes multiply faster than they are killed".to_owned()))
}

fn split(argv: &[OsString]) -> io::Result<(&OsString, &[OsString])> {
    argv.split_first().ok_or_else(|| io::Error::other("no program was named"))
}
