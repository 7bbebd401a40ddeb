//! How the program ends when it is not left in peace: signals, and readers that go away.

mod common;

use common::{PATIENCE, becomes};
use rustix::process::{Pid, Signal, kill_process};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs are caught in the middle by chance, so several are made.
const ATTEMPTS_MAX: u32 = 200;

fn tombolo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the program runs");
}

fn scratch_in(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).expect("readable").filter_map(Result::ok);
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_str().is_some_and(|name| name.starts_with(".tombolo-probe-")))
}

/// State and children of a process, by `/proc` (`proc_pid_stat(5)`).
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).expect("a kernel with CONFIG_PROC_CHILDREN");
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn pid_of(number: u32) -> Pid {
    Pid::from_raw(i32::try_from(number).expect("a process id")).expect("not zero")
}

/// A doctor that stands still, its scratch directory being there; `None` if it was too fast.
fn caught_at_work(directory: &Path) -> Option<Child> {
    let path = directory.to_str().expect("UTF-8");
    let mut child = tombolo(&["doctor", "--format", "json", path]).spawn().expect("started");
    let ended = |child: &mut Child| child.try_wait().expect("a child").is_some();
    let deadline = Instant::now() + PATIENCE;
    while !scratch_in(directory) && !ended(&mut child) && Instant::now() < deadline {}
    if !ended(&mut child) && kill_process(Pid::from_child(&child), Signal::STOP).is_ok() {
        let pid = child.id();
        assert!(becomes(|| state(pid).is_none_or(|state| matches!(state, 'T' | 'Z'))));
        if state(pid) == Some('T') && scratch_in(directory) {
            return Some(child);
        }
        let _ = kill_process(Pid::from_child(&child), Signal::CONT);
    }
    child.wait().expect("a child");
    None
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).expect("a whole report")
}

#[test]
fn a_signal_in_the_middle_ends_with_an_honest_report_and_no_scratch() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let interrupted = (0..ATTEMPTS_MAX).find_map(|_| {
            let directory = tempfile::tempdir().expect("a directory");
            let child = caught_at_work(directory.path())?;
            // As a service manager does, which signals all processes of the service.
            for pid in children(child.id()) {
                let _ = kill_process(pid_of(pid), signal);
            }
            send(&child, signal);
            send(&child, Signal::CONT);
            let start = Instant::now();
            let output = child.wait_with_output().expect("ended");
            assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
            assert!(!scratch_in(directory.path()), "{signal:?}");
            let report = json(&output);
            // It may have been caught when all experiments had ended.
            let cut = |entry: &serde_json::Value| {
                entry["outcome"] == "not_run" && entry["summary"].to_string().contains("interrupt")
            };
            report["evidence"]
                .as_array()
                .expect("evidence")
                .iter()
                .any(cut)
                .then_some((output, report))
        });
        let (output, report) = interrupted.expect("no run was caught in the middle");
        assert_eq!(output.status.code(), Some(2), "{signal:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = report["summary"].to_string();
        assert!(said.contains("interrupted by a signal"), "{said}");
        let hung = |entry: &serde_json::Value| entry["outcome"] == "timed_out";
        assert!(!report["evidence"].as_array().expect("evidence").iter().any(hung), "{report}");
        assert_eq!(report["findings"], serde_json::json!([]), "no fault of the mount");
    }
}

#[test]
fn a_doctor_that_is_killed_leaves_no_scratch() {
    let directory = tempfile::tempdir().expect("a directory");
    let caught = (0..ATTEMPTS_MAX).find_map(|_| caught_at_work(directory.path()));
    let mut child = caught.expect("no run was caught in the middle");
    let family = children(child.id());
    assert!(!family.is_empty());
    send(&child, Signal::KILL);
    child.wait().expect("ended");
    assert!(becomes(|| !scratch_in(directory.path())), "the holder did not tidy up");
    let gone = |pid: &u32| state(*pid).is_none_or(|state| state == 'Z');
    assert!(becomes(|| family.iter().all(gone)), "a child was left behind");
}

#[test]
fn what_is_left_when_all_are_killed_goes_with_the_next_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let caught = (0..ATTEMPTS_MAX).find_map(|_| caught_at_work(directory.path()));
    let mut child = caught.expect("no run was caught in the middle");
    for pid in children(child.id()) {
        let _ = kill_process(pid_of(pid), Signal::KILL);
    }
    send(&child, Signal::KILL);
    child.wait().expect("ended");
    assert!(scratch_in(directory.path()), "nothing was left, so nothing is shown");
    let path = directory.path().to_str().expect("UTF-8");
    let output = tombolo(&["doctor", path]).output().expect("ran");
    assert!(matches!(output.status.code(), Some(0..=2)));
    assert!(!scratch_in(directory.path()));
}

/// Nobody reads standard output.
fn unread(arguments: &[&str]) -> Output {
    let mut child = tombolo(arguments).spawn().expect("started");
    drop(child.stdout.take());
    child.wait_with_output().expect("ended")
}

#[test]
fn a_reader_that_has_seen_enough_changes_neither_exit_code_nor_standard_error() {
    let directory = tempfile::tempdir().expect("a directory");
    let damaged = directory.path().join("app.db");
    std::fs::write(&damaged, [b"SQLite format 3\0".as_slice(), &[0xff; 84]].concat()).expect("ok");
    let damaged = damaged.to_str().expect("UTF-8");
    for (arguments, code) in [
        (&["doctor", damaged][..], 1),
        (&["doctor", "--format", "json", damaged], 1),
        (&["explain", "disk I/O error (5386)"], 1),
        (&["codes"], 0),
        (&["codes", "TMB-MMAP-001"], 0),
        (&["completions", "bash"], 0),
        (&["man"], 0),
        (&["--help"], 0),
    ] {
        let read = tombolo(arguments).output().expect("ran");
        assert_eq!(read.status.code(), Some(code), "{arguments:?}");
        let output = unread(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_no_answer() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = tombolo(&["codes"]).stdout(full).output().expect("ran");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint:"));
}

#[test]
fn nobody_reads_what_went_wrong() {
    let mut child = tombolo(&["codes", "TMB-NONE-999"]).spawn().expect("started");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("ended").code(), Some(3));
}
