//! A side whose user has enough tells the others, who then do not wait for it.

use crate::{Answer, ONE, SILENCE_SECONDS, TWO, answer, assert_empty, at_work, at_work_by, send};
use crate::{doctor, sides};
use rustix::process::Signal;
use std::process::Child;
use std::time::{Duration, Instant};

/// Less than the silence after which a side is given up.
const AT_ONCE: Duration = Duration::from_secs(SILENCE_SECONDS - 1);

/// Both sides' answers after one of them was asked to stop. The other must not have waited.
#[track_caller]
fn interrupted(stopped: Child, other: Child, signal: Signal) -> (Answer, Answer) {
    send(&[stopped.id()], signal);
    let start = Instant::now();
    let other = answer(other);
    let took = start.elapsed();
    assert!(took < AT_ONCE, "after {took:?}: {}", other.missing());
    let stopped = answer(stopped);
    assert!(stopped.missing().contains("interrupted"), "{}", stopped.missing());
    assert!(other.missing().contains("was interrupted"), "{}", other.missing());
    assert!(other.missing().contains("not everything was measured"), "{}", other.missing());
    for answer in [&stopped, &other] {
        assert_ne!(answer.several("rollback"), "safe");
        assert_ne!(answer.exit, Some(0));
        assert_eq!(answer.of_kind("peer.kernels").len(), 1, "what was learned is kept");
    }
    (stopped, other)
}

#[test]
fn a_side_that_joined_and_is_interrupted_says_goodbye() {
    for (moment_ms, signal) in [(0, Signal::INT), (2_500, Signal::TERM)] {
        let directory = tempfile::tempdir().expect("a directory");
        let (first, second) = at_work(directory.path(), moment_ms);
        interrupted(second, first, signal);
        assert_empty(directory.path());
    }
}

#[test]
fn the_side_that_leads_and_is_interrupted_says_goodbye() {
    for (moment_ms, signal) in [(0, Signal::TERM), (2_500, Signal::INT)] {
        let directory = tempfile::tempdir().expect("a directory");
        let (first, second) = at_work(directory.path(), moment_ms);
        interrupted(first, second, signal);
        assert_empty(directory.path());
    }
}

#[test]
fn goodbyes_cross_a_network_as_well() {
    for leader_stops in [false, true] {
        let directory = tempfile::tempdir().expect("a directory");
        let mut leader = doctor(directory.path(), ONE);
        let (first, second) = at_work_by(leader.arg(sides::LOOPBACK), directory.path(), 700);
        let (stopped, other) = if leader_stops { (first, second) } else { (second, first) };
        interrupted(stopped, other, Signal::INT);
        assert_empty(directory.path());
    }
}

/// A side that has come and gone while others are waited for counts no more.
#[test]
fn a_side_that_is_interrupted_before_all_are_there_is_waited_for_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let (mut first, mut said, code) = sides::lead(&mut doctor(directory.path(), ONE), 2);
    let join = || {
        let mut doctor = doctor(directory.path(), TWO);
        doctor.args(["--join", &code]).spawn().expect("started")
    };
    let second = join();
    assert!(crate::becomes(|| crate::has_come(directory.path())), "it does not come");
    send(&[second.id()], Signal::INT);
    let start = Instant::now();
    assert!(answer(second).missing().contains("interrupted"));
    assert!(start.elapsed() < AT_ONCE, "after {:?}", start.elapsed());
    assert_eq!(first.try_wait().expect("a child"), None, "it waits");
    send(&[first.id()], Signal::INT);
    let start = Instant::now();
    let first = answer(first);
    assert!(start.elapsed() < AT_ONCE, "after {:?}", start.elapsed());
    assert!(first.missing().contains("interrupted"), "{}", first.missing());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).expect("readable");
    assert!(!rest.contains("tombolo:"), "{rest}");
    assert_empty(directory.path());
}
