//! Asking the agent in a guest: commands and files.

use super::{Guest, Output, Running};
use crate::error::LabError;
use crate::protocol::{
    Action, Answer, Kind, Request, STREAM_BYTES_MAX, VERSION, receive, send, send_value,
};
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

/// How long a command may run unless it is told otherwise.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer the host waits than the guest: a guest that is busy answers late.
const HOST_SLACK: Duration = Duration::from_secs(40);

/// How long a connection and one transfer of a file may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FILE_TIMEOUT: Duration = Duration::from_secs(60);

/// A command to run in a guest.
#[derive(Clone, Debug)]
#[must_use]
pub struct GuestCommand<'a> {
    guest: &'a Guest,
    argv: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Option<String>,
    input: Option<Vec<u8>>,
    timeout: Option<Duration>,
}

impl GuestCommand<'_> {
    /// With this variable in its environment, besides `PATH`, `HOME`, `LANG` and `TERM`.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In this directory instead of `/`.
    pub fn directory(mut self, directory: &str) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// With this as standard input. Otherwise it is empty for [`GuestCommand::run`], and open for
    /// [`GuestCommand::spawn`].
    pub fn input(mut self, content: &[u8]) -> Self {
        self.input = Some(content.to_vec());
        self
    }

    /// Killed after this time, by the guest's clock, instead of 60 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started, the guest is gone, or answers much later than the command's time
    /// is over. A command that fails is no error.
    pub fn run(mut self) -> Result<Output, LabError> {
        let timeout = self.timeout.unwrap_or(COMMAND_TIMEOUT);
        self.timeout = Some(timeout);
        self.input.get_or_insert_default();
        self.spawn()?.wait(timeout.saturating_add(HOST_SLACK))
    }

    /// Starts it. Without [`GuestCommand::timeout`] it runs as long as it is not dropped.
    ///
    /// # Errors
    /// When the guest is gone. That it cannot be started is told by [`Running::wait`].
    pub fn spawn(self) -> Result<Running, LabError> {
        let command = self.argv.join(" ");
        let milliseconds = |of: Duration| u64::try_from(of.as_millis()).unwrap_or(u64::MAX);
        let action = Action::Run {
            argv: self.argv,
            environment: self.environment,
            directory: self.directory,
            timeout_ms: self.timeout.map(milliseconds),
        };
        let stream = self.guest.ask(action, &command)?;
        let running = Running::follow(self.guest.clone(), command, stream)?;
        if let Some(input) = self.input {
            if !input.is_empty() {
                running.write(&input)?;
            }
            running.end_input()?;
        }
        Ok(running)
    }
}

impl Guest {
    /// A command to be set up further. The program is looked for in the guest's `PATH`, which is
    /// the host's root directory with what the guest has changed.
    pub fn command<S: AsRef<str>>(&self, argv: &[S]) -> GuestCommand<'_> {
        GuestCommand {
            guest: self,
            argv: argv.iter().map(|word| word.as_ref().to_owned()).collect(),
            environment: Vec::new(),
            directory: None,
            input: None,
            timeout: None,
        }
    }

    /// Runs a command to its end, at most for 60 seconds; see [`GuestCommand::run`].
    ///
    /// # Errors
    /// As [`GuestCommand::run`].
    pub fn run<S: AsRef<str>>(&self, argv: &[S]) -> Result<Output, LabError> {
        self.command(argv).run()
    }

    /// Starts a command; see [`GuestCommand::spawn`].
    ///
    /// # Errors
    /// As [`GuestCommand::spawn`].
    pub fn spawn<S: AsRef<str>>(&self, argv: &[S]) -> Result<Running, LabError> {
        self.command(argv).spawn()
    }

    /// Runs lines of shell to their end.
    ///
    /// # Errors
    /// As [`GuestCommand::run`].
    pub fn shell(&self, script: &str) -> Result<Output, LabError> {
        self.run(&["sh", "-c", script])
    }

    /// Makes a file in the guest, or overwrites it.
    ///
    /// # Errors
    /// What the guest's kernel said, or that the guest is gone.
    pub fn put(&self, path: &str, content: &[u8], mode: u32) -> Result<(), LabError> {
        let doing = format!("put {path}");
        let mut stream = self.ask(Action::Put { path: path.to_owned(), mode }, &doing)?;
        let sent = || -> io::Result<()> {
            stream.set_read_timeout(Some(FILE_TIMEOUT))?;
            if !content.is_empty() {
                send(&mut stream, Kind::Input, content)?;
            }
            send(&mut stream, Kind::InputEnd, &[])?;
            Ok(())
        };
        // An agent that has seen enough ends the connection; its answer says why.
        let mut sent = sent;
        let sent = sent();
        match self.collect(&mut stream, &doing) {
            Ok(_) => sent.map_err(|error| self.lost(&doing, &error)),
            Err(error) => Err(error),
        }
    }

    /// Copies a file of the host into the guest, with its mode.
    ///
    /// # Errors
    /// What either kernel said, or that the guest is gone.
    pub fn put_file(&self, from: &Path, to: &str) -> Result<(), LabError> {
        let content = std::fs::read(from).map_err(LabError::call("read", from))?;
        let metadata = std::fs::metadata(from).map_err(LabError::call("stat", from))?;
        self.put(to, &content, metadata.permissions().mode() & 0o7777)
    }

    /// What is in a file of the guest.
    ///
    /// # Errors
    /// What the guest's kernel said, or that the guest is gone.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, LabError> {
        let doing = format!("get {path}");
        let mut stream = self.ask(Action::Get { path: path.to_owned() }, &doing)?;
        let timeout = stream.set_read_timeout(Some(FILE_TIMEOUT));
        timeout.map_err(|error| self.lost(&doing, &error))?;
        self.collect(&mut stream, &doing)
    }

    /// Makes a request, on a connection of its own.
    fn ask(&self, action: Action, doing: &str) -> Result<TcpStream, LabError> {
        let inner = &self.inner;
        if inner.console.seen().ended {
            return Err(self.ended_error());
        }
        let request = Request { version: VERSION, secret: inner.secret.clone(), action };
        let connect = || -> io::Result<TcpStream> {
            let mut stream = TcpStream::connect_timeout(&inner.control, CONNECT_TIMEOUT)?;
            stream.set_nodelay(true)?;
            // A paused guest takes nothing.
            stream.set_write_timeout(Some(FILE_TIMEOUT))?;
            send_value(&mut stream, Kind::Request, &request)?;
            Ok(stream)
        };
        connect().map_err(|error| self.lost(doing, &error))
    }

    /// The bytes up to the agent's answer.
    fn collect(&self, stream: &mut TcpStream, doing: &str) -> Result<Vec<u8>, LabError> {
        let mut bytes = Vec::new();
        loop {
            let error = match receive(stream) {
                Ok(Some((Kind::Output, content))) => {
                    bytes.extend_from_slice(&content);
                    if bytes.len() <= STREAM_BYTES_MAX {
                        continue;
                    }
                    io::Error::other("more bytes than a file may have")
                }
                Ok(Some((Kind::Answer, content))) => match serde_json::from_slice(&content) {
                    Ok(Answer::Failed { message, errno }) => {
                        let guest = self.name().to_owned();
                        return Err(LabError::Refused { guest, message, errno });
                    }
                    Ok(_) => return Ok(bytes),
                    Err(error) => error.into(),
                },
                Ok(Some(_)) => io::ErrorKind::InvalidData.into(),
                Ok(None) => io::ErrorKind::UnexpectedEof.into(),
                Err(error) => error,
            };
            return Err(self.lost(doing, &error));
        }
    }
}
