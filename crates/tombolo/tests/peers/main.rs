//! Several doctors in one directory of this kernel: what they conclude, and what becomes of the
//! others when one of them is killed or stands still. That they run under different kernels is
//! claimed, where it is wanted.

#[path = "../common/mod.rs"]
mod common;
mod farewell;
mod network;
#[path = "../common/sides.rs"]
mod sides;
mod users;

use common::{PATIENCE, becomes};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a side may be silent in these tests.
const SILENCE_SECONDS: u64 = 5;

/// A side that has lost the others must have ended by then: their silence, and what it does alone.
const END: Duration = Duration::from_secs(4 * SILENCE_SECONDS);

fn doctor(path: &Path, boot_id: &str) -> Command {
    let mut command = sides::doctor(path, boot_id);
    command.args(["--timeout", &SILENCE_SECONDS.to_string()]);
    command
}

/// A side that waits for so many others, and the code that it has printed.
fn lead(path: &Path, boot_id: &str, others: usize) -> (Child, String) {
    let (child, _, code) = sides::lead(&mut doctor(path, boot_id), others);
    (child, code)
}

fn join(path: &Path, boot_id: &str, code: &str) -> Child {
    doctor(path, boot_id).args(["--join", code]).spawn().expect("started")
}

struct Answer {
    report: Value,
    exit: Option<i32>,
}

#[track_caller]
fn answer(child: Child) -> Answer {
    let output = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&said);
    let report = report.unwrap_or_else(|error| panic!("{error} in {said:?}; also said: {wrong}"));
    Answer { report, exit: output.status.code() }
}

impl Answer {
    fn several(&self, mode: &str) -> &str {
        let mut verdicts = self.report["verdicts"].as_array().expect("an array").iter();
        let found = verdicts.find(|v| v["mode"] == mode && v["openers"] == "several_kernels");
        found.map_or("", |verdict| verdict["judgement"].as_str().expect("a word"))
    }

    fn missing(&self) -> String {
        self.report["completeness"]["missing"].to_string()
    }

    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        let all = self.report["evidence"].as_array().expect("an array");
        all.iter().filter(|entry| entry["kind"] == kind).collect()
    }
}

#[track_caller]
fn assert_empty(directory: &Path) {
    let names = || -> Vec<_> {
        let entries = std::fs::read_dir(directory).expect("readable");
        entries.map(|entry| entry.expect("readable").file_name()).collect()
    };
    assert!(becomes(|| names().is_empty()), "left behind: {:?}", names());
}

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "22222222-2222-4222-8222-222222222222";
const THREE: &str = "33333333-3333-4333-8333-333333333333";

#[test]
fn where_everything_crosses_a_rollback_journal_is_safe_from_both_sides() {
    let directory = tempfile::tempdir_in("/dev/shm").expect("/dev/shm, a tmpfs, is needed");
    let (first, code) = lead(directory.path(), ONE, 1);
    let second = join(directory.path(), TWO, &code);
    for answer in [answer(first), answer(second)] {
        // tmpfs is known to lose everything with the machine; that is said of one kernel as well.
        for kind in ["peer.posix-locks", "peer.content", "peer.map-coherence", "peer.names"] {
            let outcomes: Vec<_> = answer.of_kind(kind).iter().map(|one| &one["outcome"]).collect();
            assert_eq!(outcomes, ["holds", "holds"], "{kind}: {:#}", answer.report);
        }
        for kind in ["peer.sqlite-rollback", "peer.sqlite-wal", "peer.sqlite-dotfile"] {
            let [run] = answer.of_kind(kind)[..] else { panic!("{:#}", answer.report) };
            assert_eq!((&run["outcome"], &run["values"]["lost"]), (&"holds".into(), &0.into()));
        }
    }
    assert_empty(directory.path());
}

#[test]
fn one_kernel_is_not_taken_for_two_and_that_is_not_nothing_wrong() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, code) = lead(directory.path(), ONE, 1);
    let second = join(directory.path(), ONE, &code);
    for answer in [answer(first), answer(second)] {
        assert_eq!(answer.several("rollback"), "not_proven", "{:#}", answer.report);
        assert!(answer.missing().contains("one kernel"), "{}", answer.missing());
        assert_ne!(answer.exit, Some(0));
    }
    assert_empty(directory.path());
}

#[test]
fn three_sides_are_measured_two_by_two_and_all_at_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, code) = lead(directory.path(), ONE, 2);
    let others = [TWO, THREE].map(|boot_id| join(directory.path(), boot_id, &code));
    for answer in std::iter::once(first).chain(others).map(answer) {
        let pairs = answer.of_kind("peer.posix-locks");
        assert_eq!(pairs.len(), 6, "three pairs, both directions: {}", answer.missing());
        let [run] = answer.of_kind("peer.sqlite-rollback")[..] else { panic!("one run of all") };
        assert_eq!(run["values"]["sides"].as_array().map(Vec::len), Some(3), "{run:#}");
        assert_eq!(run["outcome"], "holds", "{run:#}");
        assert_eq!(answer.several("rollback"), "safe", "{:#}", answer.report["verdicts"]);
    }
    assert_empty(directory.path());
}

/// All processes below one, itself included.
fn family(of: u32) -> Vec<u32> {
    let mut all = vec![of];
    let mut next = 0;
    while let Some(pid) = all.get(next).copied() {
        let path = format!("/proc/{pid}/task/{pid}/children");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        all.extend(text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        next += 1;
    }
    all
}

/// The same, when all of them stand still: while they come and go, some are not listed (proc(5),
/// `/proc/pid/task/tid/children`).
fn stopped_family(of: u32) -> Vec<u32> {
    let mut all = family(of);
    loop {
        send(&all, Signal::STOP);
        let now = family(of);
        if now == all {
            return all;
        }
        all = now;
    }
}

fn send(pids: &[u32], signal: Signal) {
    for pid in pids {
        let pid = Pid::from_raw(i32::try_from(*pid).expect("an id")).expect("not zero");
        let _ = kill_process(pid, signal);
    }
}

/// Whether the sides talk already: one of them has made names in the directory. Those by which a
/// side that comes finds out as whom it works there come before it has called the other.
fn talks(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(b".tombolo-peer-")).any(
        |entry| {
            let names = std::fs::read_dir(entry.path()).into_iter().flatten();
            names.filter_map(Result::ok).any(|name| {
                let name = name.file_name();
                let name = name.as_encoded_bytes();
                (name.starts_with(b"probe.") && !name.starts_with(b"probe.owner."))
                    || name.starts_with(b"session.")
            })
        },
    )
}

/// Whether a side has come to a directory by its code: it talks there, and nothing is done yet.
fn has_come(directory: &Path) -> bool {
    let below = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let of_others = |path: &Path| {
        let name = path.file_name().expect("a name").as_encoded_bytes();
        name.starts_with(b"peer.0.") && !name.starts_with(b"peer.0.look.")
    };
    // The side that waits answers by its own names.
    below(directory)
        .iter()
        .any(|meeting| below(&meeting.join("peer.mail")).iter().any(|path| of_others(path)))
}

/// Two sides that are at work for so long.
fn at_work(directory: &Path, for_ms: u64) -> (Child, Child) {
    at_work_by(&mut doctor(directory, ONE), directory, for_ms)
}

/// The same, with a side that leads as it is asked to.
fn at_work_by(leader: &mut Command, directory: &Path, for_ms: u64) -> (Child, Child) {
    let (first, _, code) = sides::lead(leader, 1);
    let second = join(directory, TWO, &code);
    assert!(becomes(|| talks(directory)), "they do not meet");
    let until = Instant::now() + Duration::from_millis(for_ms);
    while Instant::now() < until {
        std::thread::yield_now();
    }
    (first, second)
}

/// When a side is lost, in milliseconds after the first experiment has begun.
const MOMENTS_MS: [u64; 3] = [0, 700, 4_000];

#[test]
fn a_side_that_is_killed_is_missed_and_nothing_is_left() {
    for moment_ms in MOMENTS_MS {
        let directory = tempfile::tempdir().expect("a directory");
        let (first, mut second) = at_work(directory.path(), moment_ms);
        second.kill().expect("killed");
        second.wait().expect("ended");
        let lost = Instant::now();
        let answer = answer(first);
        assert!(lost.elapsed() < END, "after {:?}", lost.elapsed());
        assert!(answer.missing().contains("not everything was measured"), "{}", answer.missing());
        assert_ne!(answer.several("rollback"), "safe");
        assert_ne!(answer.exit, Some(0));
        assert_empty(directory.path());
    }
}

#[test]
fn when_the_side_that_leads_is_killed_the_other_ends_and_nothing_is_left() {
    for moment_ms in MOMENTS_MS {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut first, second) = at_work(directory.path(), moment_ms);
        first.kill().expect("killed");
        first.wait().expect("ended");
        let lost = Instant::now();
        let answer = answer(second);
        assert!(lost.elapsed() < END, "after {:?}", lost.elapsed());
        assert!(answer.missing().contains("not everything was measured"), "{}", answer.missing());
        assert_ne!(answer.several("rollback"), "safe");
        assert_empty(directory.path());
    }
}

/// As a virtual machine that is paused: all of its processes stand still, and go on later.
#[test]
fn a_side_that_stands_still_is_missed_and_ends_when_it_goes_on() {
    for leader_stands in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let (first, second) = at_work(directory.path(), 500);
        let (stands, goes) = if leader_stands { (first, second) } else { (second, first) };
        let paused = family(stands.id());
        send(&paused, Signal::STOP);
        let lost = Instant::now();
        let answer = answer(goes);
        assert!(lost.elapsed() < END, "after {:?}", lost.elapsed());
        assert!(answer.missing().contains("not heard of"), "{}", answer.missing());
        assert_empty(directory.path());
        send(&paused, Signal::CONT);
        let woken = Instant::now();
        let late = self::answer(stands);
        assert!(woken.elapsed() < END, "after {:?}", woken.elapsed());
        assert!(late.missing().contains("not everything was measured"), "{}", late.missing());
        assert_empty(directory.path());
    }
}

#[test]
fn a_wish_to_stop_ends_a_side_that_waits_and_leaves_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, _) = lead(directory.path(), ONE, 1);
    send(&[first.id()], Signal::INT);
    let start = Instant::now();
    let answer = answer(first);
    assert!(start.elapsed() < PATIENCE);
    assert!(answer.missing().contains("interrupted"), "{}", answer.missing());
    assert_eq!(answer.exit, Some(2));
    assert_empty(directory.path());
}

#[test]
fn a_code_under_which_nobody_waits_is_said_and_makes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let answer = answer(join(directory.path(), ONE, "0000-0000-00"));
    assert!(answer.missing().contains("nobody is met"), "{}", answer.missing());
    assert_eq!(answer.exit, Some(2));
    assert_empty(directory.path());
}

#[test]
fn what_is_left_when_all_are_killed_goes_with_the_next_run() {
    let directory = tempfile::tempdir().expect("a directory");
    let (first, mut second) = at_work(directory.path(), 300);
    // All stand still, so that the leader's last child cannot tidy up before it is killed as well.
    let all = [stopped_family(first.id()), stopped_family(second.id())].concat();
    send(&all, Signal::KILL);
    second.wait().expect("ended");
    first.wait_with_output().expect("ended");
    assert!(talks(directory.path()), "nothing was left, so nothing is shown");
    let output = doctor(directory.path(), ONE).output().expect("ran");
    assert!(matches!(output.status.code(), Some(0..=2)), "{:?}", output.status);
    assert_empty(directory.path());
}
