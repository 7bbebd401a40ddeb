//! Ends that nobody announced.

use crate::harness::{Owner, printed};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Child;

const TABLE: &str = "CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));";

/// Waits for a number of acknowledged rows, and goes on reading until the end in a thread.
pub(crate) fn acknowledged(child: &mut Child) -> impl Iterator<Item = u32> + use<> {
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.map_while(Result::ok).map(|line| line.parse().expect("a number"))
}

pub(crate) fn there(owner: &Owner, who: &str) -> BTreeSet<u32> {
    let answer = printed(&owner.stock(&format!("SELECT number FROM entry WHERE who = '{who}';")));
    answer.lines().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn an_owner_that_is_killed_loses_nothing_that_was_acknowledged() {
    let mut owner = Owner::new();
    printed(&owner.door(TABLE));
    let mut children = ["a", "b"].map(|who| owner.program("counter.py", &["door", who, "6"]));
    let mut lists = children.each_mut().map(acknowledged);
    let mut seen = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        for (list, seen) in lists.iter_mut().zip(&mut seen) {
            seen.extend(list.take(15));
        }
        owner.kill_and_restart();
    }
    for (list, seen) in lists.iter_mut().zip(&mut seen) {
        seen.extend(list);
    }
    for ((mut child, who), seen) in children.into_iter().zip(["a", "b"]).zip(&seen) {
        assert!(child.wait().expect("waited for").success());
        let there = there(&owner, who);
        let lost: Vec<_> = seen.iter().filter(|number| !there.contains(number)).collect();
        assert!(lost.is_empty(), "{who}: acknowledged and lost: {lost:?}");
        assert!(seen.len() > 50, "{who}: went on after each restart: {}", seen.len());
    }
    assert_eq!(printed(&owner.stock("PRAGMA integrity_check;")), "ok");
}

#[test]
fn a_client_that_is_killed_gives_the_turn_back() {
    let owner = Owner::new();
    printed(&owner.door(TABLE));
    let mut other = owner.program("counter.py", &["door", "other", "5"]);
    for round in 0..8 {
        let who = format!("killed{round}");
        let mut child = owner.program("counter.py", &["door", &who, "60"]);
        let seen: Vec<u32> = acknowledged(&mut child).take(3 + round).collect();
        child.kill().expect("killed");
        child.wait().expect("waited for");
        let there = there(&owner, &who);
        assert!(seen.iter().all(|number| there.contains(number)), "{who}");
    }
    let seen: Vec<u32> = acknowledged(&mut other).collect();
    assert!(other.wait().expect("waited for").success());
    let there = there(&owner, "other");
    assert!(seen.len() > 20 && seen.iter().all(|number| there.contains(number)), "{seen:?}");
    assert_eq!(printed(&owner.door("PRAGMA integrity_check;")), "ok");
}

#[test]
fn a_client_that_is_killed_at_any_step_leaves_nothing_of_its_transaction() {
    let owner = Owner::new();
    printed(&owner.door(TABLE));
    for step in 0..=7 {
        let mut child = owner.program("step.py", &["door", &step.to_string()]);
        assert_eq!(acknowledged(&mut child).next(), Some(step), "it is there");
        child.kill().expect("killed");
        child.wait().expect("waited for");
        printed(&owner.door(&format!("INSERT INTO entry VALUES('other', {step});")));
        let count = (step + 1).to_string();
        assert_eq!(printed(&owner.stock("SELECT count(*) FROM entry;")), count, "step {step}");
    }
    assert_eq!(printed(&owner.door("PRAGMA integrity_check;")), "ok");
}

#[test]
fn a_reader_that_has_written_before_holds_up_no_writer() {
    let owner = Owner::new();
    printed(&owner.door(TABLE));
    let mut reader = owner.program("reads.py", &["door"]);
    let lines = acknowledged(&mut reader);
    assert_eq!(lines.take(1).collect::<Vec<_>>(), [1], "it reads");
    // Less than the owner lets anybody keep the turn.
    printed(&owner.stock(".timeout 5000\nINSERT INTO entry VALUES('stock', 1);"));
    printed(&owner.door(".timeout 5000\nINSERT INTO entry VALUES('door', 1);"));
    reader.kill().expect("killed");
    reader.wait().expect("waited for");
}

#[test]
fn a_frozen_client_that_has_the_turn_holds_up_nobody_for_long() {
    let owner = Owner::new();
    printed(&owner.door(TABLE));
    let mut frozen = owner.program("hold.py", &["door"]);
    let lines = acknowledged(&mut frozen);
    assert_eq!(lines.take(1).collect::<Vec<_>>(), [1], "it has the turn");
    let id = frozen.id().to_string();
    let signal = std::process::Command::new("kill").args(["-STOP", &id]).status();
    assert!(signal.expect("kill runs").success());
    // Longer than the owner lets anybody keep the turn.
    printed(&owner.door("INSERT INTO entry VALUES('patient', 1);"));
    frozen.kill().expect("killed");
    frozen.wait().expect("waited for");
    assert_eq!(printed(&owner.stock("SELECT who FROM entry;")), "patient");
}
