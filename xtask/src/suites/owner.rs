//! A directory whose databases are served, for as long as a test runs.

use crate::shell::{self, Failure, cargo};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// What was built here.
#[derive(Debug)]
pub(super) struct Tombolo {
    pub(super) command: PathBuf,
    pub(super) vfs: PathBuf,
}

impl Tombolo {
    pub(super) fn built() -> Result<Self, Failure> {
        let packages = ["--package", "tombolo", "--package", "tombolo-vfs"];
        shell::run(cargo(&["build", "--quiet", "--locked"]).args(packages))?;
        let directory = shell::target_directory().join("debug");
        let (command, vfs) = (directory.join("tombolo"), directory.join("libtombolo.so"));
        Ok(Tombolo { command, vfs })
    }

    /// Serves what is below a directory.
    pub(super) fn serve(&self, directory: &Path) -> Result<Owner, Failure> {
        // Nobody reads the log; the owner goes on when it cannot be written.
        Ok(self.start(directory, &[])?.0)
    }

    /// The same, with the rest of its log, as JSON, in which there are sessions.
    pub(super) fn serve_with_log(
        &self,
        directory: &Path,
    ) -> Result<(Owner, BufReader<ChildStderr>), Failure> {
        self.start(directory, &["--log-level", "debug", "--log-format", "json"])
    }

    fn start(
        &self,
        directory: &Path,
        options: &[&str],
    ) -> Result<(Owner, BufReader<ChildStderr>), Failure> {
        let mut command = Command::new(&self.command);
        command.args(["serve", "--engine", "shared"]).args(options).arg(directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let failed = |source| Failure::NotStarted { command: "tombolo serve".into(), source };
        let mut child = command.spawn().map_err(failed)?;
        let errors = child.stderr.take();
        let owner = Owner { child };
        let mut said = String::new();
        let mut errors = BufReader::new(errors.ok_or_else(|| silent(&said))?);
        while !said.contains("is served at") {
            if errors.read_line(&mut said).map_err(failed)? == 0 {
                return Err(silent(&said));
            }
        }
        Ok((owner, errors))
    }
}

fn silent(said: &str) -> Failure {
    Failure::Check(format!("tombolo serve ended: {said}"))
}

/// An owner that is running.
#[derive(Debug)]
pub(super) struct Owner {
    child: Child,
}

impl Owner {
    /// Whether it still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
