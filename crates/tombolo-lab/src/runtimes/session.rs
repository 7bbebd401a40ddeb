//! One run of a program: it says how far it is, waits for a line, and is ended whatever happens.

use crate::error::LabError;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const END_TIMEOUT: Duration = Duration::from_secs(10);
/// More than any runtime says of one error.
const TEXT_BYTES_MAX: u64 = 256 << 10;

/// How a run ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What the program says of itself.
    pub(super) version: String,
    /// Everything on standard error.
    pub(super) text: String,
    /// Whether it ended as a program that met no error.
    pub(super) is_success: bool,
}

/// A child and all that it started, with what it writes on standard output, line by line.
struct Group {
    child: Child,
    lines: Option<Receiver<String>>,
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
        // The output ends with the last process that holds it.
        let until = Instant::now() + END_TIMEOUT;
        while let Some(Ok(_)) = self.lines.as_ref().map(|lines| next_until(lines, until)) {}
    }
}

/// Runs a program to its end. `pieces` are written to it: the first at once, each other after the
/// program has named a stage and `at_stage` was called with that name.
///
/// # Errors
/// When it cannot be started, does not end in time, or when `at_stage` fails.
pub(super) fn run(
    command: &mut Command,
    directory: &Path,
    pieces: &[String],
    timeout: Duration,
    mut at_stage: impl FnMut(&str) -> Result<(), LabError>,
) -> Result<Ended, LabError> {
    let name = Path::new(command.get_program()).to_owned();
    let said = directory.join("stderr");
    let errors = File::create(&said).map_err(LabError::call("open", &said))?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).process_group(0);
    let child = command.spawn().map_err(LabError::call("execve", &name))?;
    let mut group = Group { child, lines: None };
    let mut input = group.child.stdin.take();
    group.lines = group.child.stdout.take().map(read_lines);
    let mut pieces = pieces.iter().peekable();
    let mut tell = || {
        if let (Some(open), Some(piece)) = (input.as_mut(), pieces.next()) {
            // A program that has ended does not listen; that shows in how it ended.
            let _ = open.write_all(piece.as_bytes()).and_then(|()| open.flush());
        }
        // A program that is read from its input ends there.
        if pieces.peek().is_none() {
            input = None;
        }
    };
    tell();
    let until = Instant::now() + timeout;
    let mut version = String::new();
    while let Some(line) = next_line(group.lines.as_ref(), until, &name)? {
        match line.strip_prefix("version ") {
            Some(said) => said.clone_into(&mut version),
            None if matches!(&*line, RUNNING | TRANSACTION) => {
                at_stage(&line)?;
                tell();
            }
            None => {}
        }
    }
    let is_success = wait(&mut group.child, until, &name)?;
    drop(group);
    let mut text = Vec::new();
    let file = File::open(&said).map_err(LabError::call("open", &said))?;
    file.take(TEXT_BYTES_MAX).read_to_end(&mut text).map_err(LabError::call("read", &said))?;
    Ok(Ended { version, text: String::from_utf8_lossy(&text).into_owned(), is_success })
}

/// The stages that programs name.
pub(super) const RUNNING: &str = "running";
pub(super) const TRANSACTION: &str = "transaction";

fn late(name: &Path) -> LabError {
    let output = "did not end in time".to_owned();
    LabError::Program { program: name.display().to_string(), output }
}

/// `None` when the program has closed its standard output.
fn next_line(
    lines: Option<&Receiver<String>>,
    until: Instant,
    name: &Path,
) -> Result<Option<String>, LabError> {
    let Some(lines) = lines else { return Ok(None) };
    match next_until(lines, until) {
        Ok(line) => Ok(Some(line)),
        Err(RecvTimeoutError::Disconnected) => Ok(None),
        Err(RecvTimeoutError::Timeout) => Err(late(name)),
    }
}

fn next_until(lines: &Receiver<String>, until: Instant) -> Result<String, RecvTimeoutError> {
    lines.recv_timeout(until.saturating_duration_since(Instant::now()))
}

fn read_lines(output: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = BufReader::new(output.take(TEXT_BYTES_MAX)).lines();
        for line in lines.map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn wait(child: &mut Child, until: Instant, name: &Path) -> Result<bool, LabError> {
    let ended = pidfd_open(Pid::from_child(child), PidfdFlags::empty())
        .map_err(LabError::call("pidfd_open", name))?;
    let left = until.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(|_| late(name))?;
    let mut polled = [PollFd::new(&ended, PollFlags::IN)];
    match poll(&mut polled, Some(&left)).map_err(LabError::call("poll", name))? {
        0 => Err(late(name)),
        _ => child.wait().map(|status| status.success()).map_err(LabError::call("wait", name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout: Duration) -> (Result<Ended, LabError>, Vec<String>) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let pieces = ["first\n".to_owned(), "second\n".to_owned()];
        let mut stages = Vec::new();
        let ended = run(&mut command, directory.path(), &pieces, timeout, |stage| {
            stages.push(stage.to_owned());
            Ok(())
        });
        (ended, stages)
    }

    #[test]
    fn stages_are_told_in_turn_and_the_input_ends() {
        let script = "echo version 7; read a; echo running; read b; cat; echo $a $b >&2; exit 3";
        let (ended, stages) = shell(script, Duration::from_secs(60));
        let ended = ended.expect("it ran");
        assert_eq!((&*ended.version, &*ended.text), ("7", "first second\n"));
        assert!(!ended.is_success);
        assert_eq!(stages, ["running"]);
    }

    #[test]
    fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
        let begin = Instant::now();
        let (ended, _) = shell("sleep 600 & sleep 600", Duration::from_millis(100));
        assert!(ended.expect_err("too late").to_string().contains("did not end in time"));
        // While one of them lives, the output is open, and the end is waited for.
        assert!(begin.elapsed() < END_TIMEOUT, "{:?}", begin.elapsed());
    }
}
