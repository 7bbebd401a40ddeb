//! Two doctors on two mounts of one directory, which are like two kernels: what each caches or
//! locks, the other does not see. Each claims a boot id of its own.
//!
//! The user's program works on the directory behind the mounts and must not notice.

use crate::rig::{Answer, UserDatabase};
use crate::sides::{self, doctor};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command};
use tombolo_lab::{Faults, FaultyMount, Kept, Listings, Locks, Maps, Namespace, Pages, TwoMounts};

fn answer(child: Child) -> Answer {
    let start = std::time::Instant::now();
    let output = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&said);
    let report = report.unwrap_or_else(|error| panic!("{error} in {said:?}; also said: {wrong}"));
    Answer { report, exit: output.status.code(), took: start.elapsed() }
}

/// Runs a side on each path, the first of which leads.
fn together(paths: &[&Path], boot_ids: &[&str]) -> Vec<Answer> {
    together_by(&mut doctor(paths[0], boot_ids[0]), paths, boot_ids)
}

/// The same, with a side that leads as it is asked to.
fn together_by(leader: &mut Command, paths: &[&Path], boot_ids: &[&str]) -> Vec<Answer> {
    let (first, mut said, code) = sides::lead(leader, paths.len() - 1);
    let others = paths.iter().zip(boot_ids).skip(1);
    let others: Vec<Child> = others
        .map(|(path, boot_id)| {
            doctor(path, boot_id).args(["--join", &code]).spawn().expect("started")
        })
        .collect();
    let answers = std::iter::once(first).chain(others).map(answer).collect();
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("readable");
    assert!(!rest.contains("tombolo:"), "{rest}");
    answers
}

/// Most files and directories that one kernel is to remember at once during a run of two sides.
/// Servers such as virtiofsd hold a descriptor of each, until the client forgets it.
const INODES_MAX: usize = 600;

fn over(namespace: &Namespace, faults: &[Faults], test: impl FnOnce(&[FaultyMount])) {
    let behind = namespace.directory("behind").expect("a directory");
    let database = UserDatabase::open(&behind, "wal");
    let mount = |faults: &Faults| {
        FaultyMount::over(namespace, behind.clone(), *faults).expect("the test's mount")
    };
    let mounts: Vec<FaultyMount> = faults.iter().map(mount).collect();
    test(&mounts);
    for mount in &mounts {
        let peak = mount.inodes_peak();
        assert!(peak < INODES_MAX, "{peak} files were remembered at once");
    }
    database.assert_untouched();
}

fn evidence<'a>(answer: &'a Answer, kind: &str) -> Vec<&'a str> {
    let all = answer.report["evidence"].as_array().expect("an array");
    let of_kind = all.iter().filter(|entry| entry["kind"] == kind);
    of_kind.map(|entry| entry["outcome"].as_str().expect("a word")).collect()
}

const RACES: [&str; 3] = ["peer.exclusive-create", "peer.directory-create", "peer.hard-link"];

/// Least names that are raced for in all on mounts that are as fast as these.
const RACED_MIN: u64 = 2_000;

const ONE: &str = "11111111-1111-4111-8111-111111111111";
const TWO: &str = "22222222-2222-4222-8222-222222222222";

#[test]
fn two_mounts_lose_data_and_both_sides_say_so() {
    Namespace::run(|namespace| {
        over(namespace, &[Faults::default(); 2], |mounts| {
            let paths = [0, 1].map(|index| mounts[index].path().join("app.db"));
            let answers = together(&[&paths[0], &paths[1]], &[ONE, TWO]);
            for answer in &answers {
                for mode in ["wal", "wal_one_process", "rollback"] {
                    assert_eq!(answer.cells(mode)[1], "unsafe", "{:#}", answer.report);
                }
                for kind in ["peer.posix-locks", "peer.ofd-locks", "peer.flock"] {
                    assert_eq!(evidence(answer, kind), ["violated"; 2], "{:#}", answer.report);
                }
                assert_eq!(evidence(answer, "peer.map-coherence"), ["violated"; 2]);
                assert_eq!(evidence(answer, "peer.sqlite-rollback"), ["violated"]);
                assert_eq!(evidence(answer, "peer.sqlite-wal"), ["violated"]);
                assert_eq!(evidence(answer, "peer.same-file"), ["holds"; 2]);
                assert_eq!(evidence(answer, "peer.exclusive-create"), ["holds"]);
                assert_eq!(answer.severity("TMB-PEER-001"), "danger");
                assert_eq!(
                    answer.severity("TMB-PEER-003"),
                    "danger",
                    "the database is in WAL mode"
                );
                assert_eq!(answer.severity("TMB-PEER-004"), "danger");
                assert_eq!(answer.exit, Some(1));
                assert_eq!(answer.report["completeness"]["state"], "complete");
            }
            let verdicts = |answer: &Answer| answer.report["verdicts"].clone();
            assert_eq!(answers[0].codes(), answers[1].codes());
            let judgements = |answer: &Answer| {
                let all = verdicts(answer).as_array().expect("an array").clone();
                all.iter().map(|one| one["because"].clone()).collect::<Vec<_>>()
            };
            assert_eq!(judgements(&answers[0]), judgements(&answers[1]));
            let names = |kind: &str| {
                let all = answers[0].report["evidence"].as_array().expect("an array");
                let race = all.iter().find(|entry| entry["kind"] == kind).expect("a race");
                race["values"]["names"].as_u64().expect("a number")
            };
            let raced: u64 = RACES.into_iter().map(names).sum();
            assert!(raced >= RACED_MIN, "{raced} names were raced for");
            // A count that sees nothing shows nothing.
            assert!(mounts.iter().all(|mount| mount.inodes_peak() > 100));
        });
    });
}

#[test]
fn maps_that_one_side_refuses_are_a_danger_to_the_other() {
    Namespace::run(|namespace| {
        // For a day, so that nothing is forgotten for another reason than that it is removed.
        let cached = Faults { attributes: Kept::ForADay, ..Faults::default() };
        let refused = Faults { maps: Maps::Refused, ..cached };
        over(namespace, &[cached, refused], |mounts| {
            let paths = [0, 1].map(|index| mounts[index].path().join("app.db"));
            let answers = together(&[&paths[0], &paths[1]], &[ONE, TWO]);
            for answer in &answers {
                assert_eq!(evidence(answer, "peer.map-coherence"), ["refused"; 2]);
                assert_eq!(answer.severity("TMB-PEER-003"), "danger");
                assert_eq!(answer.cells("wal")[1], "unsafe");
            }
        });
    });
}

/// A server that carries locks, as virtiofsd does with `posix_lock`. What is known of such mounts
/// is that as a rule they do not.
#[test]
fn locks_that_were_measured_to_cross_are_believed_on_both_sides() {
    Namespace::run(|namespace| {
        let faults =
            Faults { locks: Locks::Server, pages: Pages::UntilLocked, ..Faults::default() };
        let mounts = TwoMounts::new(namespace, faults).expect("the test's mounts");
        let database = UserDatabase::open(mounts.behind(), "delete");
        let paths = [mounts.first(), mounts.second()].map(|mount| mount.path().join("app.db"));
        let answers = together(&[&paths[0], &paths[1]], &[ONE, TWO]);
        for answer in &answers {
            assert_eq!(evidence(answer, "peer.posix-locks"), ["holds"; 2], "{:#}", answer.report);
            assert_eq!(answer.cells("rollback")[1], "safe", "{:#}", answer.report);
            let because = answer.because("rollback", "several_kernels");
            assert!(because.contains("known not to carry locks"), "{because}");
        }
        database.assert_untouched();
    });
}

#[test]
fn where_no_listing_shows_what_the_other_made_the_sides_talk_over_tcp() {
    Namespace::run(|namespace| {
        let blind = Faults { listings: Listings::KnownNames, ..Faults::default() };
        over(namespace, &[Faults::default(), blind], |mounts| {
            let paths = [0, 1].map(|index| mounts[index].path().join("app.db"));
            let mut leader = doctor(&paths[0], ONE);
            let answers =
                together_by(leader.arg(sides::LOOPBACK), &[&paths[0], &paths[1]], &[ONE, TWO]);
            for answer in &answers {
                assert_eq!(
                    answer.report["completeness"]["state"], "complete",
                    "{:#}",
                    answer.report
                );
                assert_eq!(evidence(answer, "peer.posix-locks"), ["violated"; 2]);
                assert_eq!(evidence(answer, "peer.sqlite-rollback"), ["violated"]);
                assert_eq!(answer.cells("rollback")[1], "unsafe");
                let all = answer.report["evidence"].as_array().expect("an array");
                let kernels = all.iter().find(|entry| entry["kind"] == "peer.kernels");
                let kernels = kernels.expect("who took part");
                assert_eq!(kernels["values"]["messages_by"], "TCP");
            }
            assert_eq!(answers[0].codes(), answers[1].codes());
        });
    });
}

#[test]
fn a_side_to_which_no_listing_shows_the_other_is_told_of_tcp() {
    Namespace::run(|namespace| {
        let blind = Faults { listings: Listings::KnownNames, ..Faults::default() };
        over(namespace, &[Faults::default(), blind], |mounts| {
            let paths = [0, 1].map(|index| mounts[index].path().join("app.db"));
            let (first, _, code) = sides::lead(&mut doctor(&paths[0], ONE), 1);
            let mut second = doctor(&paths[1], TWO);
            let second = second.args(["--timeout", "5", "--join", &code]).spawn();
            let answer = answer(second.expect("started"));
            let missing = answer.report["completeness"]["missing"].to_string();
            assert!(missing.contains("nobody is met"), "{missing}");
            assert!(missing.contains("--peer-listen=ADDRESS"), "{missing}");
            assert_eq!(answer.exit, Some(2));
            interrupt(first);
        });
    });
}

/// A side that still waits is asked to stop, so that nothing of it is left.
fn interrupt(child: Child) {
    let pid = i32::try_from(child.id()).expect("an id");
    let pid = rustix::process::Pid::from_raw(pid).expect("not zero");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("alive");
    answer(child);
}
