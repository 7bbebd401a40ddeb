//! A side of a share: a kernel that sees the directory, and the programs that run there. The host
//! and guests are asked in the same way.

use crate::error::LabError;
use crate::guest::{Guest, Running, Status};
use crate::lab::Shared;
use crate::process::Process;
use crate::run::MARK;
use std::fs;
use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// More than any program of the lab says. What is beyond is not kept.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// How long the end of a killed program may take to be reported.
const DEATH: Duration = Duration::from_secs(20);

/// How long a program may take to end after its streams have.
const MOMENT: Duration = Duration::from_secs(1);

/// A kernel that sees a shared directory.
#[derive(Clone, Debug)]
pub struct Side {
    name: String,
    place: Place,
    directory: PathBuf,
}

#[derive(Clone, Debug)]
enum Place {
    Host(Arc<Shared>),
    Guest(Guest),
}

impl Side {
    /// The host, with the directory where it sees it.
    pub(crate) fn host(name: &str, lab: &Arc<Shared>, directory: &Path) -> Self {
        let place = Place::Host(Arc::clone(lab));
        Side { name: name.to_owned(), place, directory: directory.to_owned() }
    }

    /// A guest, with the directory where it has mounted it.
    pub(crate) fn guest(name: &str, guest: &Guest, directory: &Path) -> Self {
        let place = Place::Guest(guest.clone());
        Side { name: name.to_owned(), place, directory: directory.to_owned() }
    }

    /// What the results call it: `server`, `A`, `B`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shared directory, as this side sees it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The same side, in a directory below.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Side { directory: self.directory.join(name), ..self.clone() }
    }

    /// Starts a program, with a pipe as its standard input.
    ///
    /// # Errors
    /// When the guest is gone, or the host has no such program.
    pub fn start(&self, argv: &[&str]) -> Result<Program, LabError> {
        let inner = match &self.place {
            Place::Guest(guest) => Inner::Guest(guest.spawn(argv)?),
            Place::Host(lab) => Inner::Host(HostProgram::start(lab, argv)?),
        };
        Ok(Program { inner, name: argv.first().unwrap_or(&"").to_string(), seen: 0 })
    }

    /// Runs a program without input to its end. It is killed when its time is over.
    ///
    /// # Errors
    /// As [`Side::start`]; a program that fails is no error.
    pub fn run(&self, argv: &[&str], limit: Duration) -> Result<Ended, LabError> {
        let program = self.start(argv)?;
        program.end_input();
        program.end(limit)
    }

    /// Runs lines of shell, which must succeed.
    ///
    /// # Errors
    /// When they do not.
    pub fn shell(&self, script: &str, limit: Duration) -> Result<String, LabError> {
        let program = format!("`{script}` on {}", self.name);
        let ended = self.run(&["sh", "-c", script], limit)?;
        ended.require_success(&program, limit).map(|ended| ended.stdout)
    }

    /// A place on a local disk of this side, where `name` is unique in the lab.
    #[must_use]
    pub fn local(&self, name: &str) -> PathBuf {
        match &self.place {
            Place::Host(lab) => lab.run.path().join(name),
            Place::Guest(_) => Path::new("/run").join(name),
        }
    }

    /// Sends what this kernel keeps of the share to its server (`syncfs(2)`); nothing on the host.
    ///
    /// # Errors
    /// When it does not end, or the guest is gone.
    pub fn flush(&self, limit: Duration) -> Result<(), LabError> {
        match &self.place {
            Place::Host(_) => Ok(()),
            Place::Guest(_) => {
                self.run(&["sync", "-f", &self.directory.to_string_lossy()], limit).map(drop)
            }
        }
    }

    /// Copies a file of this side into a file of the host, if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn fetch(&self, from: &Path, to: &Path) -> Result<(), LabError> {
        const ENOENT: i32 = 2;
        let content = match &self.place {
            Place::Host(_) => fs::read(from).map_err(LabError::call("read", from)),
            Place::Guest(guest) => guest.get(&from.to_string_lossy()),
        };
        match content {
            Ok(content) => fs::write(to, content).map_err(LabError::call("write", to)),
            Err(LabError::Refused { errno: Some(ENOENT), .. }) => Ok(()),
            Err(LabError::Call { source, .. }) if source.raw_os_error() == Some(ENOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// How a program ended, and what it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub status: Status,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ended {
    /// The same, where it ended with 0; `program` is for the error.
    ///
    /// # Errors
    /// With what it wrote, where it did not.
    pub(crate) fn require_success(self, program: &str, limit: Duration) -> Result<Self, LabError> {
        match self.status {
            Status::Exited(0) => Ok(self),
            Status::TimedOut => Err(LabError::Late {
                what: format!("the end of {program}"),
                after: limit,
                detail: String::new(),
            }),
            status => {
                let output = format!("{status}: {}", self.stderr.trim());
                Err(LabError::Program { program: program.to_owned(), output })
            }
        }
    }
}

/// A program on a side. Killed when dropped.
#[derive(Debug)]
pub struct Program {
    inner: Inner,
    name: String,
    seen: usize,
}

#[derive(Debug)]
enum Inner {
    Guest(Running),
    Host(HostProgram),
}

impl Program {
    /// Writes a line to its standard input. A program that is gone is told by its next line.
    pub fn write_line(&self, line: &str) {
        let line = format!("{line}\n");
        match &self.inner {
            Inner::Guest(running) => drop(running.write(line.as_bytes())),
            Inner::Host(program) => program.write(line.as_bytes()),
        }
    }

    /// Ends its standard input.
    pub fn end_input(&self) {
        match &self.inner {
            Inner::Guest(running) => drop(running.end_input()),
            Inner::Host(program) => drop(lock(&program.input).take()),
        }
    }

    /// The next line that it writes, without its end; `None` when there is none in time, or the
    /// program has ended.
    pub fn next_line(&mut self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut line = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let known = self.seen + line.len();
            let more = self.wait_for(left, known, |output, _| output.len() > known);
            if more.is_empty() {
                return None;
            }
            match more.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    line.extend_from_slice(&more[..end]);
                    self.seen += line.len() + 1;
                    return Some(String::from_utf8_lossy(&line).into_owned());
                }
                None => line.extend_from_slice(&more),
            }
        }
    }

    /// Waits until `text` with a whole line behind it is on its standard error; with all that is
    /// there. It is not when the time is over or the program has ended.
    #[must_use]
    pub fn wait_for_error_text(&self, text: &str, limit: Duration) -> String {
        let holds = |errors: &[u8]| {
            let errors = String::from_utf8_lossy(errors);
            errors.split_once(text).is_some_and(|(_, rest)| rest.contains('\n'))
        };
        self.wait_for(limit, 0, |_, errors| holds(errors));
        let bytes = match &self.inner {
            Inner::Guest(running) => running.stderr_so_far(),
            Inner::Host(program) => lock(&program.streams.0).errors.clone(),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until both streams are enough, or it has ended; with its standard output after the
    /// first `known` bytes.
    fn wait_for(
        &self,
        limit: Duration,
        known: usize,
        enough: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Vec<u8> {
        let output = match &self.inner {
            Inner::Guest(running) => {
                running.wait_for_streams(limit, enough);
                running.stdout_so_far()
            }
            Inner::Host(program) => {
                program.wait_until(limit, |streams| {
                    streams.open == 0 || enough(&streams.output, &streams.errors)
                });
                lock(&program.streams.0).output.clone()
            }
        };
        output.get(known..).unwrap_or_default().to_vec()
    }

    /// How it ended and what it wrote, if it has ended; on the host it may take a moment between
    /// the end of its streams and its own.
    ///
    /// # Errors
    /// When the guest is gone.
    pub fn ended(&self) -> Result<Option<Ended>, LabError> {
        match &self.inner {
            Inner::Guest(running) => {
                let output = running.poll()?;
                Ok(output.map(|output| ended(output.status, &output.stdout, &output.stderr)))
            }
            Inner::Host(program) => match program.process.wait(MOMENT) {
                Some(_) => program.end(DEATH, &self.name).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Waits until it has ended; kills it when its time is over.
    ///
    /// # Errors
    /// When it is still there then, as a program is that hangs in a mount; or the guest is gone.
    pub fn end(self, limit: Duration) -> Result<Ended, LabError> {
        match &self.inner {
            Inner::Host(program) => program.end(limit, &self.name),
            Inner::Guest(running) => match running.wait(limit) {
                Ok(output) => Ok(ended(output.status, &output.stdout, &output.stderr)),
                Err(LabError::Late { .. }) => {
                    running.kill()?;
                    let output = running.wait(DEATH)?;
                    Ok(ended(Status::TimedOut, &output.stdout, &output.stderr))
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Kills it as a crash does.
    ///
    /// # Errors
    /// When the guest is gone, or the program does not go.
    pub fn kill(&self) -> Result<(), LabError> {
        match &self.inner {
            Inner::Guest(running) => running.kill(),
            Inner::Host(program) => program.process.kill(),
        }
    }
}

fn ended(status: Status, stdout: &[u8], stderr: &[u8]) -> Ended {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { status, stdout: text(stdout), stderr: text(stderr) }
}

#[derive(Debug)]
struct HostProgram {
    process: Process,
    input: Mutex<Option<ChildStdin>>,
    streams: Arc<(Mutex<Streams>, Condvar)>,
}

#[derive(Debug, Default)]
struct Streams {
    output: Vec<u8>,
    errors: Vec<u8>,
    open: u8,
}

impl HostProgram {
    fn start(lab: &Arc<Shared>, argv: &[&str]) -> Result<Self, LabError> {
        let Some((program, arguments)) = argv.split_first() else {
            return Err(LabError::Request("no program was named".to_owned()));
        };
        let mut command = lab.nursery.command(program.as_ref());
        command.args(arguments).env(MARK, lab.run.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (process, pipes) = lab.nursery.start(command, program)?;
        lab.run.record(process.identity())?;
        let streams =
            Arc::new((Mutex::new(Streams { open: 2, ..Streams::default() }), Condvar::new()));
        follow(&streams, pipes.output, |streams| &mut streams.output)?;
        follow(&streams, pipes.errors, |streams| &mut streams.errors)?;
        Ok(HostProgram { process, input: Mutex::new(pipes.input), streams })
    }

    fn write(&self, content: &[u8]) {
        if let Some(input) = lock(&self.input).as_mut() {
            let _ = input.write_all(content);
        }
    }

    fn wait_until(&self, limit: Duration, enough: impl Fn(&Streams) -> bool) {
        let waited = self
            .streams
            .1
            .wait_timeout_while(lock(&self.streams.0), limit, |streams| !enough(streams));
        drop(waited);
    }

    fn end(&self, limit: Duration, name: &str) -> Result<Ended, LabError> {
        let status = match self.process.wait(limit) {
            Some(status) => status_of(status),
            None => {
                self.process.kill()?;
                Status::TimedOut
            }
        };
        self.wait_until(DEATH, |streams| streams.open == 0);
        let streams = lock(&self.streams.0);
        if streams.output.len() > OUTPUT_BYTES_MAX {
            let output = format!("it wrote more than {OUTPUT_BYTES_MAX} bytes");
            return Err(LabError::Program { program: name.to_owned(), output });
        }
        Ok(ended(status, &streams.output, &streams.errors))
    }
}

fn status_of(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, signal) => Status::Killed(signal.unwrap_or(0)),
    }
}

/// Reads a stream to its end, on a thread of its own.
fn follow(
    streams: &Arc<(Mutex<Streams>, Condvar)>,
    pipe: Option<impl Read + Send + 'static>,
    which: fn(&mut Streams) -> &mut Vec<u8>,
) -> Result<(), LabError> {
    let (shared, Some(mut pipe)) = (Arc::clone(streams), pipe) else { return Ok(()) };
    let read = move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = pipe.read(&mut buffer) {
            let mut streams = lock(&shared.0);
            let kept = which(&mut streams);
            if kept.len() <= OUTPUT_BYTES_MAX {
                kept.extend_from_slice(&buffer[..length]);
            }
            shared.1.notify_all();
        }
        lock(&shared.0).open -= 1;
        shared.1.notify_all();
    };
    let thread = std::thread::Builder::new().name("stream".to_owned()).spawn(read);
    thread.map(drop).map_err(LabError::call("clone", Path::new("thread")))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
