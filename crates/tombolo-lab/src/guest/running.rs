//! A command in a guest, seen from the host.

use super::Guest;
use crate::error::LabError;
use crate::protocol::{Answer, Kind, STREAM_BYTES_MAX, receive, send};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much of the output of a failed command goes into an error.
const SHOWN_BYTES: usize = 2048;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Killed(i32),
    /// Killed because its time was over.
    TimedOut,
}

impl std::fmt::Display for Status {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Status::Exited(code) => write!(formatter, "exit code {code}"),
            Status::Killed(signal) => write!(formatter, "signal {signal}"),
            Status::TimedOut => formatter.write_str("its time over"),
        }
    }
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    pub(super) guest: String,
    pub(super) command: String,
}

impl Output {
    /// Whether it ended with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Status::Exited(0)
    }

    /// Standard output as text, without blanks at its ends.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }

    /// Standard error as text, without blanks at its ends.
    #[must_use]
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }

    /// The same, where the command ended with 0.
    ///
    /// # Errors
    /// With the last of what it wrote, where it did not.
    pub fn require_success(self) -> Result<Self, LabError> {
        if self.success() {
            return Ok(self);
        }
        let both = [self.stdout.as_slice(), self.stderr.as_slice()].concat();
        let tail = &both[both.len().saturating_sub(SHOWN_BYTES)..];
        Err(LabError::Unsuccessful {
            guest: self.guest,
            command: self.command,
            status: self.status.to_string(),
            output: String::from_utf8_lossy(tail).trim().to_owned(),
        })
    }
}

/// A command that may still run. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    pub(super) guest: Guest,
    pub(super) command: String,
    stream: Mutex<TcpStream>,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    end: Option<io::Result<Answer>>,
}

impl Running {
    /// Follows the command that was asked for through `stream`.
    pub(super) fn follow(
        guest: Guest,
        command: String,
        stream: TcpStream,
    ) -> Result<Self, LabError> {
        let failed = || LabError::call("dup", std::path::Path::new("connection to the agent"));
        let mut reader = stream.try_clone().map_err(failed())?;
        let state: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let shared = Arc::clone(&state);
        let read = move || {
            loop {
                let end = match receive(&mut reader) {
                    Ok(Some((Kind::Output | Kind::Errors, content))) if content.is_empty() => None,
                    Ok(Some((kind @ (Kind::Output | Kind::Errors), content))) => {
                        append(&mut lock(&shared.0), kind, &content).err()
                    }
                    Ok(Some((Kind::Answer, content))) => {
                        let answer = serde_json::from_slice(&content).map_err(io::Error::other);
                        lock(&shared.0).end = Some(answer);
                        shared.1.notify_all();
                        return;
                    }
                    Ok(Some(_)) => Some(io::ErrorKind::InvalidData.into()),
                    Ok(None) => Some(io::ErrorKind::UnexpectedEof.into()),
                    Err(error) => Some(error),
                };
                if let Some(error) = end {
                    lock(&shared.0).end = Some(Err(error));
                    // The agent kills what nobody listens to.
                    let _ = reader.shutdown(Shutdown::Both);
                    shared.1.notify_all();
                    return;
                }
                shared.1.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("command".to_owned()).spawn(read);
        thread.map_err(failed())?;
        Ok(Running { guest, command, stream: Mutex::new(stream), state })
    }

    /// Writes to its standard input.
    ///
    /// # Errors
    /// When the guest is gone. Input that the command does not take is lost in silence.
    pub fn write(&self, content: &[u8]) -> Result<(), LabError> {
        self.frame(Kind::Input, content)
    }

    /// Ends its standard input.
    ///
    /// # Errors
    /// When the guest is gone.
    pub fn end_input(&self) -> Result<(), LabError> {
        self.frame(Kind::InputEnd, &[])
    }

    /// Sends a signal, by its number, to the command's process group.
    ///
    /// # Errors
    /// When the guest is gone.
    pub fn signal(&self, number: i32) -> Result<(), LabError> {
        self.frame(Kind::Signal, number.to_string().as_bytes())
    }

    /// Kills it; [`Running::wait`] tells when it is gone.
    ///
    /// # Errors
    /// When the guest is gone.
    pub fn kill(&self) -> Result<(), LabError> {
        self.signal(rustix::process::Signal::KILL.as_raw())
    }

    fn frame(&self, kind: Kind, content: &[u8]) -> Result<(), LabError> {
        let sent = send(&mut *lock(&self.stream), kind, content);
        sent.map_err(|error| self.guest.lost(&self.command, &error))
    }

    /// What it has written on standard output so far.
    #[must_use]
    pub fn stdout_so_far(&self) -> Vec<u8> {
        lock(&self.state.0).stdout.clone()
    }

    /// What it has written on standard error so far.
    #[must_use]
    pub fn stderr_so_far(&self) -> Vec<u8> {
        lock(&self.state.0).stderr.clone()
    }

    /// How it ended and what it wrote, if it has ended.
    ///
    /// # Errors
    /// When the guest is gone, or the command could not be started.
    pub fn poll(&self) -> Result<Option<Output>, LabError> {
        let mut state = lock(&self.state.0);
        let Some(end) = state.end.take() else { return Ok(None) };
        let kept = match &end {
            Ok(answer) => Ok(answer.clone()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        state.end = Some(kept);
        let streams = (state.stdout.clone(), state.stderr.clone());
        drop(state);
        self.output(end, streams).map(Some)
    }

    fn output(
        &self,
        end: io::Result<Answer>,
        (stdout, stderr): (Vec<u8>, Vec<u8>),
    ) -> Result<Output, LabError> {
        let status = match end {
            Err(error) => return Err(self.guest.lost(&self.command, &error)),
            Ok(Answer::Ended { timed_out: true, .. }) => Status::TimedOut,
            Ok(Answer::Ended { code: Some(code), .. }) => Status::Exited(code),
            Ok(Answer::Ended { signal, .. }) => Status::Killed(signal.unwrap_or(0)),
            Ok(Answer::Failed { message, errno }) => {
                let guest = self.guest.name().to_owned();
                return Err(LabError::Refused { guest, message, errno });
            }
            Ok(Answer::Done) => Status::Exited(0),
        };
        let (guest, command) = (self.guest.name().to_owned(), self.command.clone());
        Ok(Output { status, stdout, stderr, guest, command })
    }

    /// Waits until it has ended, by the host's clock.
    ///
    /// # Errors
    /// When it has not ended by then, or the guest is gone.
    pub fn wait(&self, limit: Duration) -> Result<Output, LabError> {
        let ended = self.wait_until(limit, |state| state.end.is_some());
        match self.poll()? {
            Some(output) if ended => Ok(output),
            _ => Err(self.late("the end of", limit)),
        }
    }

    /// Waits until it has written `text` on standard output.
    ///
    /// # Errors
    /// When it has not by then, or has ended without, or the guest is gone.
    pub fn wait_for_text(&self, text: &str, limit: Duration) -> Result<(), LabError> {
        let holds = |state: &State| String::from_utf8_lossy(&state.stdout).contains(text);
        self.wait_until(limit, |state| holds(state) || state.end.is_some());
        if holds(&lock(&self.state.0)) {
            return Ok(());
        }
        self.poll()?;
        Err(self.late(&format!("{text:?} from"), limit))
    }

    /// Waits as [`Running::wait`] does, and passes on what it writes as it comes.
    ///
    /// # Errors
    /// As [`Running::wait`]. What cannot be passed on is lost.
    pub fn wait_and_show(
        &self,
        stdout: &mut impl io::Write,
        stderr: &mut impl io::Write,
        limit: Duration,
    ) -> Result<Output, LabError> {
        let deadline = Instant::now() + limit;
        let mut shown = (0, 0);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let more = |state: &State| shown != (state.stdout.len(), state.stderr.len());
            let news = self.wait_until(left, |state| more(state) || state.end.is_some());
            let state = lock(&self.state.0);
            let pieces = (state.stdout[shown.0..].to_vec(), state.stderr[shown.1..].to_vec());
            shown = (state.stdout.len(), state.stderr.len());
            let ended = state.end.is_some();
            drop(state);
            let _ = stdout.write_all(&pieces.0).and_then(|()| stdout.flush());
            let _ = stderr.write_all(&pieces.1).and_then(|()| stderr.flush());
            if ended || !news {
                return self.wait(Duration::ZERO);
            }
        }
    }

    /// Waits until what it has written, on standard output and on standard error, is enough, or it
    /// has ended.
    pub(crate) fn wait_for_streams(&self, limit: Duration, enough: impl Fn(&[u8], &[u8]) -> bool) {
        self.wait_until(limit, |state| enough(&state.stdout, &state.stderr) || state.end.is_some());
    }

    fn wait_until(&self, limit: Duration, enough: impl Fn(&State) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = lock(&self.state.0);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if enough(&state) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
            let waited = self.state.1.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn late(&self, what: &str, after: Duration) -> LabError {
        let state = lock(&self.state.0);
        let tail = |bytes: &[u8]| {
            let bytes = &bytes[bytes.len().saturating_sub(SHOWN_BYTES)..];
            String::from_utf8_lossy(bytes).trim().to_owned()
        };
        let detail = format!("; it wrote {:?}, {:?}", tail(&state.stdout), tail(&state.stderr));
        let what = format!("guest {}: {what} `{}`", self.guest.name(), self.command);
        LabError::Late { what, after, detail }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = lock(&self.stream).shutdown(Shutdown::Both);
    }
}

fn append(state: &mut State, kind: Kind, content: &[u8]) -> io::Result<()> {
    let stream = if kind == Kind::Output { &mut state.stdout } else { &mut state.stderr };
    if stream.len() + content.len() > STREAM_BYTES_MAX {
        return Err(io::Error::other(format!("it wrote more than {STREAM_BYTES_MAX} bytes")));
    }
    stream.extend_from_slice(content);
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
