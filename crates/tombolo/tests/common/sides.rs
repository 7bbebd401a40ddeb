//! Doctors that meet in one directory. Each claims the kernel that it is to run under.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

pub(crate) fn doctor(path: &Path, boot_id: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command
        .args(["doctor", "--format", "json"])
        .arg(path)
        .env("TOMBOLO_TESTING_BOOT_ID", boot_id)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// An address that all sides reach.
pub(crate) const LOOPBACK: &str = "--peer-listen=127.0.0.1";

/// A side that waits for so many others, what it says further, and the code that it has printed.
pub(crate) fn lead(doctor: &mut Command, others: usize) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = doctor.arg(format!("--peer={others}")).spawn().expect("started");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("--join") {
        line.clear();
        assert!(said.read_line(&mut line).expect("readable") > 0, "no invitation was printed");
    }
    let code = line.split_whitespace().last().expect("a code").to_owned();
    (child, said, code)
}
