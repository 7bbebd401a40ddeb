//! A program that is watched from its first call on.
#![allow(unsafe_code)] // `pre_exec` has no safe form; what runs there only reads and writes pipes.

use super::obstacle::Obstacle;
use super::{Error, request};
use rustix::pipe::{PipeFlags, pipe_with};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use tombolo_core::errno::Errno;

/// Starts a program that stands still before its first instruction, watched by the calling thread;
/// its number.
pub(super) fn seized(command: Command) -> Result<i32, Error> {
    let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(|errno| Error::Start(errno.into()));
    let ((number, tell_number), (wait_for_us, let_go)) = (pipe()?, pipe()?);
    let child = Newborn {
        tell: File::from(tell_number),
        wait: File::from(wait_for_us),
        not_its_own: let_go.as_raw_fd(),
    };
    // `spawn` returns when the program runs, and that has to wait for this thread.
    let spawner = std::thread::spawn(move || spawn(command, child));
    let seized = seize(&mut File::from(number), File::from(let_go));
    let spawned = spawner.join().unwrap_or_else(|_| Err(io::Error::other("a thread ended")));
    match (seized, spawned) {
        (Err(Error::Refused(obstacle)), _) => Err(Error::Refused(obstacle)),
        (_, Err(error)) => Err(Error::Start(error)),
        (Err(error), Ok(child)) => Err(end(child, error)),
        (Ok(process), Ok(child)) => match standing(process) {
            Ok(()) => Ok(process),
            Err(error) => Err(end(child, error)),
        },
    }
}

/// A program that was started and cannot be watched is not to run.
fn end(mut child: Child, error: Error) -> Error {
    let _ = child.kill();
    let _ = child.wait();
    error
}

struct Newborn {
    tell: File,
    wait: File,
    /// Our end of the pipe by which it waits: it learns that we are gone when nobody has it.
    not_its_own: RawFd,
}

impl Newborn {
    /// Says which process this is, and waits until it is watched.
    fn introduce(&mut self) -> io::Result<()> {
        // SAFETY: in the forked process, where nothing else uses this copy of the descriptor; it is
        // open there, as `seize` keeps it until this process has told its number.
        unsafe { libc::close(self.not_its_own) };
        let number = rustix::process::getpid().as_raw_nonzero().get();
        self.tell.write_all(&number.to_ne_bytes())?;
        match self.wait.read(&mut [0])? {
            // The error of this number is not seen: whoever waits knows a better one.
            0 => Err(io::Error::from_raw_os_error(libc::ECANCELED)),
            _ => Ok(()),
        }
    }
}

fn spawn(mut command: Command, mut child: Newborn) -> io::Result<Child> {
    // SAFETY: between fork and exec, it reads and writes pipes and asks for its number, and
    // allocates nothing.
    unsafe { command.pre_exec(move || child.introduce()) };
    command.spawn()
}

/// Watches the process whose number comes by a pipe, and lets it go on.
fn seize(number: &mut File, mut let_go: File) -> Result<i32, Error> {
    let mut bytes = [0; 4];
    number.read_exact(&mut bytes).map_err(Error::Start)?;
    let process = i32::from_ne_bytes(bytes);
    let refused = |errno| Error::Refused(Obstacle::find(errno, Path::new("/proc")));
    request::seize(process).map_err(refused)?;
    let_go.write_all(&[1]).map_err(Error::Start)?;
    Ok(process)
}

/// Waits until a process stands at the beginning of its program.
fn standing(process: i32) -> Result<(), Error> {
    request::wait_for_stop(process).map_err(Error::Lost)?;
    match request::call_info_errno(process) {
        None => Ok(()),
        Some(errno @ Errno::EIO) => Err(Error::Refused(Obstacle::Kernel(errno))),
        Some(errno) => Err(Error::Refused(Obstacle::Other(errno))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_started_is_said() {
        let started = seized(Command::new("/nonexistent/program"));
        assert!(matches!(started, Err(Error::Start(error)) if error.raw_os_error() == Some(2)));
    }
}
