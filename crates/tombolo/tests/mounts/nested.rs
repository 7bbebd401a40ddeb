//! Other mounts below the directory that was asked about: each is examined for itself.

use crate::rig::{Expected, NOTHING_LASTS, UserDatabase, doctor};
use std::time::Duration;
use tombolo_lab::{Faults, FaultyMount, Maps, Namespace, Operation};

/// What holds the mount is in memory.
const AROUND: Expected = Expected { codes: &["TMB-KNOW-001"], ..NOTHING_LASTS };

#[test]
fn a_mount_below_the_directory_has_a_report_of_its_own() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        let answer = doctor(mount.path().parent().expect("a parent"), 30);
        database.assert_untouched();
        answer.assert(&AROUND);
        answer.nested_at(mount.path()).assert(&Expected {
            exit: 1,
            wal: ["fails", "unsafe"],
            wal_one_process: ["safe", "unsafe"],
            rollback: ["safe", "unsafe"],
            codes: &["TMB-DB-001", "TMB-MMAP-001", "TMB-SQL-001"],
        });
    });
}

#[test]
fn a_mount_below_the_directory_that_hangs_takes_nothing_else_along() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        mount.hang(Operation::ALL);
        let answer = doctor(mount.path().parent().expect("a parent"), 6);
        assert!(answer.took < Duration::from_secs(7), "{:?}", answer.took);
        answer.assert(&Expected { exit: 2, ..AROUND });
        assert_eq!(answer.report["databases"].as_array().map(Vec::len), Some(1));
        answer.nested_at(mount.path()).assert(&Expected {
            exit: 2,
            wal: ["not_proven", "unsafe"],
            wal_one_process: ["not_proven", "unsafe"],
            rollback: ["not_proven", "unsafe"],
            codes: &["TMB-PATH-006"],
        });
        mount.answer();
        database.assert_untouched_in_the_end();
    });
}

#[test]
fn a_mount_below_the_directory_without_its_server_is_missing_from_the_report() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        mount.lose_the_server().expect("lost");
        let answer = doctor(mount.path().parent().expect("a parent"), 30);
        database.assert_untouched();
        answer.assert(&AROUND);
        let missing = answer.report["completeness"]["missing"].to_string();
        assert!(missing.contains("ENOTCONN"), "{missing}");
    });
}
