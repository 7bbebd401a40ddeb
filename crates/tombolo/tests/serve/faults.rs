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

/// Each of these clients commits without end, while the owner is killed and started again, each
/// time after some more of their commits. How many were acknowledged.
fn assert_survives_kills(rounds: usize, clients: &[&str]) -> usize {
    let mut owner = Owner::new();
    printed(&owner.door(TABLE));
    let start = |who: &&str| owner.program("counter.py", &["door", who, "1800"]);
    let mut children: Vec<Child> = clients.iter().map(start).collect();
    let mut lists: Vec<_> = children.iter_mut().map(acknowledged).collect();
    let mut seen = vec![Vec::new(); clients.len()];
    for round in 0..=rounds {
        for (number, (list, seen)) in lists.iter_mut().zip(&mut seen).enumerate() {
            let more = 4 + (7 * round + 5 * number) % 23;
            seen.extend(list.take(more));
        }
        // Whoever was with the last owner has gone on with the next.
        if round < rounds {
            owner.kill_and_restart();
        }
    }
    for child in &mut children {
        child.kill().expect("killed");
        child.wait().expect("waited for");
    }
    for ((list, seen), who) in lists.iter_mut().zip(&mut seen).zip(clients) {
        seen.extend(list);
        let there = there(&owner, who);
        let lost: Vec<_> = seen.iter().filter(|number| !there.contains(number)).collect();
        assert!(lost.is_empty(), "{who}: acknowledged and lost: {lost:?}");
        assert!(seen.len() > 4 * rounds, "{who}: it ended: {}", seen.len());
    }
    assert_eq!(printed(&owner.stock("PRAGMA integrity_check;")), "ok");
    seen.iter().map(Vec::len).sum()
}

#[test]
fn an_owner_that_is_killed_loses_nothing_that_was_acknowledged() {
    assert_survives_kills(3, &["a", "b"]);
}

/// `cargo test -p tombolo --test serve -- --ignored a_hundred_times --nocapture` tells how many
/// commits there were.
#[test]
#[expect(clippy::print_stdout, reason = "the figure is what it is run for")]
#[ignore = "takes minutes"]
fn an_owner_that_is_killed_a_hundred_times_loses_nothing_that_was_acknowledged() {
    let acknowledged = assert_survives_kills(100, &["a", "b", "c", "d"]);
    println!("{acknowledged} commits were acknowledged");
}

#[test]
fn a_client_that_is_killed_gives_the_turn_back() {
    let owner = Owner::new();
    printed(&owner.door(TABLE));
    let mut other = owner.program("counter.py", &["door", "other", "300"]);
    let mut lines = acknowledged(&mut other);
    for round in 0..8 {
        let who = format!("killed{round}");
        let mut child = owner.program("counter.py", &["door", &who, "60"]);
        let seen: Vec<u32> = acknowledged(&mut child).take(3 + round).collect();
        child.kill().expect("killed");
        child.wait().expect("waited for");
        let there = there(&owner, &who);
        assert!(seen.iter().all(|number| there.contains(number)), "{who}");
    }
    // It goes on, whoever was killed beside it.
    let last = there(&owner, "other").last().copied().unwrap_or(0);
    let mut seen: Vec<u32> = lines.by_ref().take_while(|number| *number <= last + 5).collect();
    other.kill().expect("killed");
    other.wait().expect("waited for");
    seen.extend(lines);
    let there = there(&owner, "other");
    assert!(seen.len() > 5 && seen.iter().all(|number| there.contains(number)), "{seen:?}");
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
