//! A mount that stops answering after the first look: an ext4 that is frozen (`fsfreeze(8)`), so
//! that whoever writes sleeps in the kernel and cannot be killed, as on a dead NFS server.
//!
//! Needs root, a loop device and `mkfs.ext4`; without them these tests fail.

mod common;

use common::becomes;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Mount {
    directory: tempfile::TempDir,
}

fn succeed(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}; root is needed");
}

impl Mount {
    fn new() -> Mount {
        let mount = Mount { directory: tempfile::tempdir().expect("a directory") };
        let image = mount.directory.path().join("image");
        let file = std::fs::File::create(&image).expect("created");
        file.set_len(16 << 20).expect("sized");
        std::fs::create_dir(mount.path()).expect("created");
        let image = image.to_str().expect("UTF-8").to_owned();
        succeed("mkfs.ext4", &["-q", &image]);
        succeed("mount", &["-o", "loop", &image, mount.text().as_str()]);
        mount
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    fn text(&self) -> String {
        self.path().to_str().expect("UTF-8").to_owned()
    }

    fn freeze(&self) {
        succeed("fsfreeze", &["--freeze", &self.text()]);
    }

    fn thaw(&self) {
        succeed("fsfreeze", &["--unfreeze", &self.text()]);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whatever the test came to; thawing twice is refused.
        let path = self.text();
        let _ = Command::new("fsfreeze").args(["--unfreeze", &path]).output();
        let _ = Command::new("umount").args(["--lazy", &path]).output();
    }
}

fn doctor(path: &str, timeout: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["doctor", "--format", "json", "--timeout", timeout, path])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started")
}

/// Processes that sleep in the kernel below this one's child (`proc_pid_stat(5)`, state D).
fn asleep_below(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let asleep = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('D'))
    };
    let children = children.unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(asleep).collect()
}

/// Processes that were started for this path and are not gone; a forked child keeps its arguments.
fn left_of(path: &str) -> Vec<i32> {
    let own = std::process::id().cast_signed();
    let entries = std::fs::read_dir("/proc").expect("readable").filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_for_path = |pid: &i32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == path.as_bytes())
    };
    pids.filter(|pid| *pid != own).filter(is_for_path).collect()
}

fn is_empty(directory: &Path) -> bool {
    let mut entries = std::fs::read_dir(directory).expect("readable").filter_map(Result::ok);
    !entries.any(|entry| entry.file_name().as_encoded_bytes().starts_with(b".tombolo"))
}

#[test]
fn a_mount_that_dies_after_the_look_is_told_and_left_clean_when_it_comes_back_root_needed() {
    let mount = Mount::new();
    mount.freeze();
    let start = Instant::now();
    let child = doctor(&mount.text(), "2");
    let pid = child.id();
    assert!(becomes(|| !asleep_below(pid).is_empty()), "nothing hung, so nothing is shown");
    // Its output ends with it, although the child that sleeps in the kernel lives on.
    let output = child.wait_with_output().expect("ended");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(1), "the mount that hangs is a finding");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let evidence = report["evidence"].as_array().expect("evidence");
    let scratch = evidence.iter().find(|entry| entry["kind"] == "probe.scratch");
    assert_eq!(scratch.expect("evidence")["outcome"], "timed_out");
    assert!(!left_of(&mount.text()).is_empty(), "the holder sleeps in the kernel");
    mount.thaw();
    assert!(becomes(|| left_of(&mount.text()).is_empty()), "the holder did not end");
    assert!(is_empty(&mount.path()));
}

#[test]
fn a_signal_ends_the_wait_for_a_dead_mount_root_needed() {
    let mount = Mount::new();
    mount.freeze();
    let child = doctor(&mount.text(), "60");
    let pid = child.id();
    assert!(becomes(|| !asleep_below(pid).is_empty()), "nothing hung, so nothing is shown");
    let start = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it runs");
    let output = child.wait_with_output().expect("ended");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(2));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert!(report["summary"].to_string().contains("interrupted by a signal"), "{report}");
    mount.thaw();
    assert!(becomes(|| left_of(&mount.text()).is_empty()), "the holder did not end");
    assert!(is_empty(&mount.path()));
}
