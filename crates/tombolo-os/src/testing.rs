//! What tests of this crate and of those above it need. Panics where something is missing.

use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A shell in a mount namespace of its own, which lives until dropped.
#[derive(Debug)]
pub struct Namespace {
    shell: Child,
}

impl Namespace {
    /// Runs a script in a fresh mount namespace and keeps the shell there.
    ///
    /// # Panics
    /// Without root, without `unshare`, or when the script fails.
    #[must_use = "the namespace goes away with the shell"]
    pub fn with(script: &str) -> Namespace {
        let script = format!("set -e; {script}; echo ready; read end");
        let mut shell = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) is needed");
        let mut line = String::new();
        let output = shell.stdout.as_mut().expect("piped");
        std::io::BufReader::new(output).read_line(&mut line).expect("the shell speaks");
        assert_eq!(line, "ready\n", "the script failed; this test must run as root");
        Namespace { shell }
    }

    /// The shell, by which the namespace is known.
    ///
    /// # Panics
    /// Never on Linux, where process ids fit.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.shell.id()).expect("a process id")
    }

    /// Where a path of the namespace is reached from out here.
    #[must_use]
    pub fn seen_from_outside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}
