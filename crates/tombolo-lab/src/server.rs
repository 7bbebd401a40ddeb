//! Programs on the host that serve guests: they end with the lab, also those that daemonise.

use crate::error::LabError;
use crate::lab::Shared;
use crate::process::{Process, descendants, kill_descendants, signal_stranger};
use crate::run::MARK;
use rustix::process::Signal;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of the end of a log goes into an error.
const TAIL_BYTES: u64 = 4096;

/// How often it is tried whether a server listens.
const TURN: Duration = Duration::from_millis(20);

/// A server to start on the host.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    name: String,
    argv: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
}

impl ServerSpec {
    /// `name` is for messages and for the file of its log; unique in the lab.
    #[must_use]
    pub fn new<S: AsRef<OsStr>>(name: &str, argv: &[S]) -> Self {
        let argv = argv.iter().map(|word| word.as_ref().to_owned()).collect();
        ServerSpec { name: name.to_owned(), argv, environment: Vec::new() }
    }

    /// With this variable in its environment, besides those of the lab itself.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }
}

/// A server with all that it has started. They are killed, and waited for, when this is dropped.
#[derive(Debug)]
pub struct Server {
    name: String,
    log: PathBuf,
    /// Its end kills them, even where nobody is left to do it.
    _input: Option<ChildStdin>,
    guard: Process,
    _lab: Arc<Shared>,
}

pub(crate) fn start(lab: &Arc<Shared>, spec: &ServerSpec) -> Result<Server, LabError> {
    let Some((program, arguments)) = spec.argv.split_first() else {
        return Err(LabError::Request(format!("no program was named for {}", spec.name)));
    };
    let log = lab.run.path().join(format!("{}.log", spec.name));
    let file = File::create_new(&log).map_err(LabError::call("open", &log))?;
    let errors = file.try_clone().map_err(LabError::call("dup", &log))?;
    let mut command = lab.nursery.guarded(program);
    command.args(arguments).env(MARK, lab.run.path());
    command.envs(spec.environment.iter().map(|(name, value)| (name, value)));
    command.stdout(file).stderr(errors);
    let (guard, streams) = lab.nursery.start(command, &spec.name)?;
    lab.run.record(guard.identity())?;
    let (name, _input) = (spec.name.clone(), streams.input);
    Ok(Server { name, log, _input, guard, _lab: Arc::clone(lab) })
}

impl Server {
    /// Whether anything of it is there, stopped or not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.guard.ended().is_none()
    }

    /// That it has ended, with its last words.
    pub(crate) fn ended(&self) -> LabError {
        LabError::ServerEnded { server: self.name.clone(), log: self.log_tail() }
    }

    /// Kills it and all that it has started, as a crash would.
    ///
    /// # Errors
    /// When one of them is still there after a while.
    pub fn kill(&self) -> Result<(), LabError> {
        let killed = kill_descendants(self.guard.id());
        // Without children, the guard goes by itself.
        self.guard.kill().and(killed)
    }

    /// Stops all of its processes: it answers nobody, and its connections stay.
    ///
    /// # Errors
    /// What `kill` said.
    pub fn pause(&self) -> Result<(), LabError> {
        self.signal(Signal::STOP)
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// What `kill` said.
    pub fn resume(&self) -> Result<(), LabError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), LabError> {
        // The second round is for those that were started during the first.
        for _ in 0..2 {
            for identity in descendants(self.guard.id()) {
                signal_stranger(&identity, signal)?;
            }
        }
        Ok(())
    }

    /// The last lines that it wrote.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let read = || -> std::io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_else(|error| format!("({}: {error})", self.log.display()))
    }

    /// Waits until it takes connections at a port. The server sees one that says nothing.
    ///
    /// # Errors
    /// When it has ended, or does not by then; with the end of its log.
    pub fn wait_for_port(&self, address: SocketAddr, limit: Duration) -> Result<(), LabError> {
        let what = format!("{} to listen at {address}", self.name);
        self.wait_until(&what, limit, || TcpStream::connect_timeout(&address, TURN).is_ok())
    }

    /// Waits until there is a socket at `path`. One that takes only a single connection, as
    /// virtiofsd's does, is left alone with `connect` false.
    ///
    /// # Errors
    /// When it has ended, or does not by then; with the end of its log.
    pub fn wait_for_socket(
        &self,
        path: &Path,
        connect: bool,
        limit: Duration,
    ) -> Result<(), LabError> {
        let what = format!("{} to listen at {}", self.name, path.display());
        let listens = || path.exists() && (!connect || UnixStream::connect(path).is_ok());
        self.wait_until(&what, limit, listens)
    }

    fn wait_until(
        &self,
        what: &str,
        limit: Duration,
        holds: impl Fn() -> bool,
    ) -> Result<(), LabError> {
        let begun = Instant::now();
        loop {
            if holds() {
                return Ok(());
            }
            let ended = self.guard.wait(TURN);
            if ended.is_some() || begun.elapsed() > limit {
                let how = ended.map_or("", |_| " and it has ended");
                let detail = format!("{how}; its log ends with:\n{}", self.log_tail());
                let after = begun.elapsed();
                return Err(LabError::Late { what: what.to_owned(), after, detail });
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
