//! What several tests of this crate need.

use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A shell in a mount namespace of its own, which lives until dropped.
pub(crate) struct Namespace {
    shell: Child,
}

impl Namespace {
    #[must_use = "the namespace goes away with the shell"]
    pub(crate) fn with(script: &str) -> Namespace {
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

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.shell.id()).expect("a process id")
    }

    pub(crate) fn seen_from_outside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}
