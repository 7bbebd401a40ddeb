//! What is left of a lab: nothing.

use super::{PATIENCE, at_last, binary, guest, lab};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tombolo_lab::{GuestSpec, Lab, LabError, ServerSpec};

/// The processes that were started by the lab in `directory`.
fn processes_of(directory: &Path) -> Vec<PathBuf> {
    let mark = format!("TOMBOLO_LAB_RUN={}", directory.display());
    let entries = std::fs::read_dir("/proc").expect("readable").flatten();
    let marked = entries.map(|entry| entry.path()).filter(|path| {
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
    });
    marked.collect()
}

/// A lab in a process of its own, in the middle of a command in its guest, and its directory.
fn other_lab(place: &Path) -> (Child, PathBuf) {
    let mut command = Command::new(binary());
    command.args(["run", "--", "sh", "-c", "echo on; sleep 1000"]);
    command.env("TMPDIR", place).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    // It says where it works before it boots.
    let mut lines = lines.map(|line| line.expect("readable"));
    let line = lines.find(|line| line.contains("at work in")).expect("a line");
    let directory = PathBuf::from(line.rsplit(' ').next().expect("a word"));
    let mut output = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert_eq!(output.next().expect("a line").expect("readable"), "on", "{:?}", lines.next());
    (child, directory)
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_lab_that_ends_leaves_nothing() {
    let lab = lab();
    let guest = guest(&lab);
    let directory = lab.directory().to_owned();
    assert_eq!(processes_of(&directory).len(), 1);
    drop(lab);
    // A guest holds its lab.
    assert!(guest.run(&["true"]).expect("it ran").success());
    drop(guest);
    assert!(processes_of(&directory).is_empty());
    assert!(!directory.exists());
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_killed_lab_leaves_no_process_and_the_next_one_its_files() {
    let place = tempfile::tempdir().expect("a directory");
    let (mut first, of_first) = other_lab(place.path());
    let (mut second, of_second) = other_lab(place.path());
    assert!(!processes_of(&of_first).is_empty() && !processes_of(&of_second).is_empty());
    first.kill().expect("killed");
    first.wait().expect("waited for");
    assert!(at_last(|| processes_of(&of_first).is_empty()));
    assert!(of_first.exists());
    // The other one is not disturbed, also not by a third that clears away.
    let (mut third, of_third) = other_lab(place.path());
    assert!(!of_first.exists());
    assert!(!processes_of(&of_second).is_empty() && of_second.exists());
    for (child, directory) in [(&mut second, of_second), (&mut third, of_third)] {
        child.kill().expect("killed");
        child.wait().expect("waited for");
        assert!(at_last(|| processes_of(&directory).is_empty()));
    }
}

#[test]
fn a_server_that_daemonises_stops_and_dies_as_a_whole() {
    let lab = lab();
    let directory = lab.directory().to_owned();
    let script = "(setsid sh -c 'while :; do date +%N > \"$0/beat\"; done' \"$0\" &) ; exit 0";
    let argv = ["sh", "-c", script, directory.to_str().expect("UTF-8")];
    let server = lab.server(&ServerSpec::new("beat", &argv)).expect("started");
    let beat = || std::fs::read_to_string(directory.join("beat")).unwrap_or_default();
    let beats_within = |limit: Duration| {
        let before = beat();
        let begun = Instant::now();
        while begun.elapsed() < limit {
            if beat() != before {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(20));
        }
        false
    };
    assert!(at_last(|| !beat().is_empty()) && beats_within(PATIENCE));
    server.pause().expect("paused");
    assert!(!beats_within(Duration::from_secs(2)));
    server.resume().expect("resumed");
    assert!(beats_within(PATIENCE));
    server.kill().expect("killed");
    assert!(!beats_within(Duration::from_secs(1)) && !server.is_alive());
    assert!(processes_of(&directory).is_empty());
}

#[test]
fn servers_end_when_nobody_holds_their_pipe() {
    let place = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(binary());
    command.args(["child", "--guard", &std::process::id().to_string(), "--", "sh", "-c"]);
    command.arg("setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000'");
    command.env("TOMBOLO_LAB_RUN", place.path()).stdin(Stdio::piped());
    let mut guard = command.spawn().expect("started");
    assert!(at_last(|| processes_of(place.path()).len() >= 5));
    // As the end of the lab does, however it ends.
    drop(guard.stdin.take());
    guard.wait().expect("it ends");
    assert!(processes_of(place.path()).is_empty());
}

#[test]
fn a_child_does_not_start_for_a_parent_that_is_gone() {
    let mut command = Command::new(binary());
    let output = command.args(["child", "1", "--", "echo", "started"]).output().expect("it ran");
    assert!(!output.status.success() && output.stdout.is_empty());
}

#[test]
fn a_server_that_does_not_listen_says_why() {
    let lab = lab();
    let spec = ServerSpec::new("mute", &["sh", "-c", "echo no such thing >&2; exit 3"]);
    let server = lab.server(&spec).expect("started");
    let late = server.wait_for_port(([127, 0, 0, 1], 1).into(), PATIENCE);
    assert!(late.expect_err("it ended").to_string().contains("no such thing"));
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_guest_that_cannot_start_says_why() {
    let lab = lab();
    let mut spec = GuestSpec::new("a");
    spec.qemu_arguments.push("-no-such-option".to_owned());
    let refused = lab.guest(spec);
    let Err(LabError::Program { output, .. }) = &refused else { panic!("{refused:?}") };
    assert!(output.contains("no-such-option"), "{output}");
    let refused = lab.guest(GuestSpec::new("b").kernel("9.99."));
    assert!(matches!(refused, Err(LabError::Missing { .. })), "{refused:?}");
    let refused = Lab::with_binary(Path::new("/no/such/binary"));
    assert!(matches!(refused, Err(LabError::Call { .. })), "{refused:?}");
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_guest_that_dies_on_the_way_is_reported_with_its_console() {
    let lab = lab();
    let mut spec = GuestSpec::new("a");
    // Nothing there that could be the first process.
    spec.kernel_arguments.push("rdinit=/no/such/init init=/none".to_owned());
    let refused = lab.guest(spec);
    let Err(LabError::GuestEnded { console, .. }) = &refused else { panic!("{refused:?}") };
    assert!(console.contains("Kernel panic"), "{console}");
}
