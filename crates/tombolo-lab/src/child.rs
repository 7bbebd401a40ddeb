//! Programs that the lab starts: each leads a process group of its own, and none outlives its
//! owner.

use crate::error::LabError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use rustix::time::Timespec;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a killed program may take to be gone. One that sleeps in the kernel, in a call that a
/// mount does not answer, goes when the mount does.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// More than any program of the lab says. The rest is not read.
const OUTPUT_BYTES: u64 = 16 << 20;

/// A running program; killed, with all that it started, when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Option<Child>,
    name: String,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Program {
    /// Starts it. `package` is what to install where it is missing.
    pub(crate) fn start(command: &mut Command, package: &'static str) -> Result<Self, LabError> {
        let program = Path::new(command.get_program()).to_owned();
        let name = program.display().to_string();
        match command.process_group(0).spawn() {
            Ok(child) => Ok(Program { child: Some(child), name }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LabError::Missing { what: name, how: package })
            }
            Err(error) => Err(LabError::call("execve", &program)(error)),
        }
    }

    /// For its pipes.
    pub(crate) fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not in time; it is killed then.
    pub(crate) fn wait(&mut self, at_most: Duration) -> Result<ExitStatus, LabError> {
        let ended = self.child.as_mut().and_then(|child| wait(child, at_most));
        if let Some(status) = ended {
            self.child = None;
            return Ok(status);
        }
        self.kill();
        let output = format!("it did not end within {} s", at_most.as_secs());
        Err(LabError::Program { program: self.name.clone(), output })
    }

    /// Kills it as a crash does, wherever it is.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // Not reaped yet, so the number is still that of this group.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        if wait(&mut child, GONE_WITHIN).is_none() {
            std::thread::spawn(move || child.wait());
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `None` when it has not ended by then.
fn wait(child: &mut Child, at_most: Duration) -> Option<ExitStatus> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok()?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        let left = at_most.checked_sub(start.elapsed())?;
        // Readable when it has ended (`pidfd_open(2)`); a signal to us only starts it anew.
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        let _ = poll(&mut ended, Some(&Timespec::try_from(left).ok()?));
    }
}

/// A program that is not talked to: its output goes to files, so that it never waits for a reader.
#[derive(Debug)]
pub(crate) struct Batch {
    program: Program,
    output: File,
    errors: File,
}

impl Batch {
    pub(crate) fn start(command: &mut Command, package: &'static str) -> Result<Self, LabError> {
        let file = || tempfile::tempfile().map_err(LabError::call("open", Path::new("")));
        let (output, errors) = (file()?, file()?);
        let share = |file: &File| file.try_clone().map_err(LabError::call("dup", Path::new("")));
        command.stdin(Stdio::null()).stdout(share(&output)?).stderr(share(&errors)?);
        Ok(Batch { program: Program::start(command, package)?, output, errors })
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// When it does not in time; it is killed then.
    pub(crate) fn end(mut self, at_most: Duration) -> Result<Ended, LabError> {
        let status = self.program.wait(at_most)?;
        Ok(Ended { status, output: text(self.output)?, errors: text(self.errors)? })
    }

    /// Kills it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.program.kill();
    }
}

fn text(mut file: File) -> Result<String, LabError> {
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.take(OUTPUT_BYTES).read_to_end(&mut bytes))
        .map_err(LabError::call("read", Path::new("")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_says_is_kept_apart() {
        let batch = Batch::start(&mut shell("echo out; echo err >&2; exit 3"), "").expect("sh");
        let ended = batch.end(Duration::from_secs(60)).expect("it ends");
        assert_eq!((ended.output.as_str(), ended.errors.as_str()), ("out\n", "err\n"));
        assert_eq!(ended.status.code(), Some(3));
    }

    #[test]
    fn it_does_not_outlive_its_owner_and_neither_do_its_children() {
        let directory = tempfile::tempdir().expect("a directory");
        let pipe = directory.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
        assert!(made.success());
        // The grandchild holds the pipe open for writing until it is killed.
        let script = format!("(exec sleep 600) > {} & wait", pipe.display());
        let program = Program::start(&mut shell(&script), "").expect("sh");
        let mut reader = File::open(&pipe).expect("both have opened it");
        drop(program);
        let mut said = Vec::new();
        reader.read_to_end(&mut said).expect("nobody holds it any more");
        assert!(said.is_empty());
    }

    #[test]
    fn what_does_not_end_is_killed_and_named() {
        let mut program = Program::start(&mut shell("exec sleep 600"), "").expect("sh");
        let error = program.wait(Duration::from_millis(20)).expect_err("too late");
        assert!(error.to_string().contains("did not end"), "{error}");
        assert!(program.child().is_none());
    }

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let error = Program::start(&mut Command::new("/none/such"), "install x").expect_err("none");
        assert!(error.to_string().contains("/none/such: install x"), "{error}");
    }
}
