//! Mounts whose server does not answer. Calls on them sleep in the kernel, and SIGKILL does not
//! wake them.

use crate::rig::{Answer, Expected, UserDatabase, doctor};
use std::time::Duration;
use tombolo_lab::{Faults, FaultyMount, Locks, Namespace, Operation};

/// Too short to tell a hung experiment from a slow one.
const SHORT_SECONDS: u64 = 2;

/// An experiment counts as hung after five seconds.
const LONG_SECONDS: u64 = 8;

/// Nothing could be learnt but that.
const HUNG: Expected = Expected {
    exit: 2,
    wal: ["not_proven", "unsafe"],
    wal_one_process: ["not_proven", "unsafe"],
    rollback: ["not_proven", "unsafe"],
    codes: &["TMB-PATH-006"],
};

/// Examines what stands at `target` on a mount on which these calls hang, and lets the calls end
/// when the doctor has.
fn examine(faults: Faults, operations: &[Operation], target: &str, seconds: u64) -> Answer {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        std::fs::create_dir(mount.behind().join("empty")).expect("made");
        let database = UserDatabase::open(mount.behind(), "wal");
        mount.hang(operations);
        let answer = doctor(&mount.path().join(target), seconds);
        assert!(mount.hanging() > 0, "nothing hung, so nothing is shown");
        // Its own start and end take their time on a busy machine.
        let at_most = Duration::from_secs(seconds + 1);
        assert!(answer.took < at_most, "{:?}", answer.took);
        mount.answer();
        database.assert_untouched_in_the_end();
        let left = std::fs::read_dir(mount.behind().join("empty")).expect("readable").count();
        assert_eq!(left, 0);
        answer
    })
}

#[test]
fn a_mount_that_answers_nothing_is_told_in_time_and_could_not_be_examined() {
    let answer = examine(Faults::default(), Operation::ALL, "app.db", SHORT_SECONDS);
    answer.assert(&HUNG);
    assert_eq!(answer.severity("TMB-PATH-006"), "fault");
    assert_eq!(answer.report["target"]["kind"], "unreadable");
}

#[test]
fn names_that_hang_are_told_in_time() {
    examine(Faults::default(), &[Operation::Names], "app.db", SHORT_SECONDS).assert(&HUNG);
}

/// The look is done by then, so the hung mount is a finding.
#[test]
fn syncs_that_hang_are_told_in_time_and_the_scratch_files_go_in_the_end() {
    let answer = examine(Faults::default(), &[Operation::Syncs], "app.db", LONG_SECONDS);
    answer.assert(&Expected { exit: 1, ..HUNG });
    assert_eq!(answer.evidence("probe.posix-locks").0, "holds");
}

/// Nothing is held against the mount, and nothing is called well.
#[test]
fn without_the_time_for_the_experiments_the_report_is_partial() {
    let answer = examine(Faults::default(), &[Operation::Syncs], "app.db", SHORT_SECONDS);
    answer.assert(&Expected { codes: &[], ..HUNG });
    let missing = answer.report["completeness"]["missing"].to_string();
    assert!(missing.contains("the call fsync did not return in time"), "{missing}");
}

/// The look itself asks who holds locks on the user's files.
#[test]
fn locks_that_hang_are_told_in_time() {
    let faults = Faults { locks: Locks::Server, ..Faults::default() };
    examine(faults, &[Operation::Locks], "app.db", SHORT_SECONDS).assert(&HUNG);
    let answer = examine(faults, &[Operation::Locks], "empty/new.db", LONG_SECONDS);
    answer.assert(&Expected { exit: 1, ..HUNG });
    assert_eq!(answer.evidence("probe.posix-locks").0, "timed_out");
}

#[test]
fn a_server_that_dies_under_the_experiments_leaves_no_good_verdict() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        mount.hang(&[Operation::Syncs]);
        let answer = std::thread::scope(|scope| {
            let doctor = scope.spawn(|| doctor(&mount.path().join("app.db"), 30));
            assert!(mount.wait_until_one_hangs(Duration::from_secs(20)));
            mount.lose_the_server().expect("lost");
            doctor.join().expect("the doctor answers")
        });
        let cells = ["not_proven", "unsafe"];
        assert_eq!(answer.cells("wal"), cells, "{:#}", answer.report);
        assert_eq!(answer.cells("wal_one_process"), cells);
        assert_eq!(answer.cells("rollback"), cells);
        assert!(answer.codes().contains(&"TMB-PATH-008"), "{:?}", answer.codes());
        assert_eq!(answer.exit, Some(1));
        // Its scratch directory stays, for nobody can reach it any more but the host.
        drop(database);
    });
}
