//! A PostgreSQL server for one run, with the distribution's settings.

use crate::shell::{self, Failure};
use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The user that runs it: PostgreSQL refuses to be root.
const NOBODY: u32 = 65534;

/// Where Debian and Ubuntu have the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

pub(super) struct Server {
    directory: TempDir,
    programs: PathBuf,
    port: u16,
    environment: Vec<(String, OsString)>,
}

impl Server {
    /// Starts one that listens on this machine alone, and lets everybody in.
    pub(super) fn start() -> Result<Self, Failure> {
        Server::start_in(Vec::new())
    }

    /// Starts one in this environment.
    pub(super) fn start_in(environment: Vec<(String, OsString)>) -> Result<Self, Failure> {
        let programs = newest_programs()?;
        let directory =
            tempfile::tempdir().map_err(Failure::file(Path::new("a temporary directory")))?;
        let path = directory.path().to_owned();
        chown(&path, Some(NOBODY), Some(NOBODY)).map_err(Failure::file(&path))?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(Failure::file(&path))?;
        let port = listener.local_addr().map_err(Failure::file(&path))?.port();
        drop(listener);
        let server = Server { directory, programs, port, environment };
        let mut made = server.program("initdb");
        made.args(["-E", "UTF8", "--locale=C.UTF-8", "-U", "tester", "-A", "trust", "-D"]);
        quiet(made.arg(server.data()))?;
        server.control("start")?;
        Ok(server)
    }

    /// Stops it, and starts it anew with empty memory.
    pub(super) fn restart(&self) -> Result<(), Failure> {
        self.control("restart")
    }

    fn control(&self, what: &str) -> Result<(), Failure> {
        let path = self.directory.path();
        let options = format!("-k {} -h 127.0.0.1 -p {}", path.display(), self.port);
        let mut program = self.program("pg_ctl");
        program.envs(self.environment.iter().map(|(name, value)| (name, value)));
        program.args([what, "-w", "-m", "fast", "-o", &options, "-D"]).arg(self.data());
        quiet(program.arg("-l").arg(path.join("log")))
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
        command
    }

    /// An empty database, in place of the one that a run before has filled.
    pub(super) fn empty_database(&self) -> Result<(), Failure> {
        self.ask("postgres", "DROP DATABASE IF EXISTS app")?;
        self.ask("postgres", "CREATE DATABASE app")?;
        // What is left to write to the disk would slow the next run.
        self.ask("postgres", "CHECKPOINT").map(drop)
    }

    /// The address of that database.
    pub(super) fn address(&self) -> String {
        format!("postgresql://tester@127.0.0.1:{}/app", self.port)
    }

    /// How a client of its library reaches that database by the Unix socket.
    pub(super) fn socket_address(&self) -> String {
        let directory = self.directory.path().display();
        format!("host={directory} port={} user=tester dbname=app", self.port)
    }

    /// What `psql` prints of a statement, unaligned, in the form of `COPY`.
    pub(super) fn ask(&self, database: &str, sql: &str) -> Result<String, Failure> {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "tester"]);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-d", database, "-c", sql]);
        match shell::output(command.env("PGTZ", "UTC").env("PGCLIENTENCODING", "UTF8"))? {
            (status, said) if status.success() => Ok(said),
            (status, said) => Err(Failure::Check(format!("psql ended with {status}: {said}"))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.data();
        let _ = quiet(self.program("pg_ctl").args(["stop", "-w", "-m", "fast", "-D"]).arg(data));
    }
}

fn quiet(command: &mut Command) -> Result<(), Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = shell::status(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    if status.success() { Ok(()) } else { Err(Failure::Ended { command: name, status }) }
}

fn newest_programs() -> Result<PathBuf, Failure> {
    let versions = std::fs::read_dir(VERSIONS).map_err(Failure::file(Path::new(VERSIONS)))?;
    let paths = versions.flatten().map(|entry| entry.path().join("bin"));
    let newest = paths.filter(|path| path.join("postgres").exists()).max();
    newest.ok_or_else(|| Failure::Check(format!("no PostgreSQL in {VERSIONS}")))
}
