//! File systems of this kernel.

use crate::rig::{Answer, Expected, NOTHING_LASTS, SAFE_HERE, UserDatabase, doctor};
use std::path::Path;
use tombolo_lab::{Disk, Mounted, Namespace};

/// Examines a database that a program has open on the mount.
fn examine(path: &Path, journal_mode: &str) -> Answer {
    let database = UserDatabase::open(path, journal_mode);
    let answer = doctor(&path.join("app.db"), 30);
    database.assert_untouched();
    answer
}

fn disk_is_safe(disk: Disk, filesystem: &str) {
    Namespace::run(|namespace| {
        let mounted = Mounted::disk(namespace, disk).expect("the test's disk");
        for journal_mode in ["wal", "delete"] {
            let answer = examine(mounted.path(), journal_mode);
            answer.assert(&SAFE_HERE);
            assert_eq!(answer.report["mount"]["filesystem"], filesystem);
            std::fs::remove_file(mounted.path().join("app.db")).expect("removed");
        }
    });
}

#[test]
fn ext4_is_safe_for_one_kernel() {
    disk_is_safe(Disk::Ext4, "ext4");
}

#[test]
fn xfs_is_safe_for_one_kernel() {
    disk_is_safe(Disk::Xfs, "xfs");
}

#[test]
fn btrfs_is_safe_for_one_kernel() {
    disk_is_safe(Disk::Btrfs, "btrfs");
}

#[test]
fn what_is_in_memory_is_gone_at_the_next_boot() {
    Namespace::run(|namespace| {
        let mounted = Mounted::memory(namespace).expect("the test's mount");
        let expected = Expected { codes: &["TMB-KNOW-001"], ..NOTHING_LASTS };
        examine(mounted.path(), "wal").assert(&expected);
    });
}

#[test]
fn overlay_is_safe_for_one_kernel() {
    Namespace::run(|namespace| {
        let lower = namespace.directory("lower").expect("a directory");
        let mounted = Mounted::overlay(namespace, &lower).expect("the test's mount");
        examine(mounted.path(), "wal").assert(&SAFE_HERE);
    });
}

/// Opening for writing would copy the file up, away from a program that has it open.
#[test]
fn a_database_of_the_lower_layer_is_not_copied_up() {
    Namespace::run(|namespace| {
        let lower = namespace.directory("lower").expect("a directory");
        let database = UserDatabase::closed(&lower, "wal");
        let mounted = Mounted::overlay(namespace, &lower).expect("the test's mount");
        let answer = doctor(&mounted.path().join("app.db"), 30);
        answer.assert(&SAFE_HERE);
        let options = answer.report["mount"]["super_options"].as_array().expect("an array");
        let mut options = options.iter().filter_map(|option| option.as_str());
        let upper = options.find_map(|option| option.strip_prefix("upperdir=")).expect("an upper");
        assert_eq!(std::fs::read_dir(upper).expect("readable").count(), 0);
        database.assert_untouched();
    });
}

#[test]
fn a_bind_mount_is_as_what_it_shows() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
        let bind = Mounted::bind(namespace, disk.path()).expect("the test's mount");
        let database = UserDatabase::open(disk.path(), "wal");
        let answer = doctor(&bind.path().join("app.db"), 30);
        database.assert_untouched();
        answer.assert(&SAFE_HERE);
        assert_eq!(answer.report["mount"]["filesystem"], "ext4");
    });
}

#[test]
fn a_read_only_mount_is_named_and_nothing_is_claimed_of_it() {
    for journal_mode in ["wal", "delete"] {
        Namespace::run(|namespace| {
            let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
            let read_only = Mounted::read_only(namespace, disk.path()).expect("the test's mount");
            let database = UserDatabase::open(disk.path(), journal_mode);
            let answer = doctor(&read_only.path().join("app.db"), 30);
            database.assert_untouched();
            answer.assert(&Expected {
                exit: 1,
                wal: ["not_proven", "not_proven"],
                wal_one_process: ["not_proven", "not_proven"],
                rollback: ["not_proven", "not_proven"],
                codes: &["TMB-PATH-001"],
            });
            let severity = if journal_mode == "wal" { "fault" } else { "warning" };
            assert_eq!(answer.severity("TMB-PATH-001"), severity);
        });
    }
}

#[test]
fn a_full_file_system_is_named_and_nothing_is_claimed_of_it() {
    Namespace::run(|namespace| {
        let mut database = None;
        let fill = |path: &Path| database = Some(UserDatabase::closed(path, "wal"));
        let mounted = Mounted::full(namespace, fill).expect("the test's mount");
        let filling = std::fs::metadata(mounted.path().join("filling")).expect("stat").len();
        let answer = doctor(&mounted.path().join("app.db"), 30);
        answer.assert(&Expected {
            exit: 1,
            wal: ["not_proven", "not_proven"],
            wal_one_process: ["not_proven", "not_proven"],
            rollback: ["not_proven", "not_proven"],
            codes: &["TMB-KNOW-001", "TMB-PATH-005"],
        });
        std::fs::remove_file(mounted.path().join("filling")).expect("removed");
        assert!(filling > 0);
        database.expect("made").assert_untouched();
    });
}

/// As `docker run -v ./app.db:/data/app.db` does: the sidecars stand in another directory.
#[test]
fn a_database_mounted_as_a_file_is_a_danger() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
        let database = UserDatabase::closed(disk.path(), "delete");
        let file = Mounted::file(namespace, &disk.path().join("app.db")).expect("the mount");
        let answer = doctor(file.path(), 30);
        database.assert_untouched();
        answer.assert(&Expected { codes: &["TMB-PATH-004"], ..NOTHING_LASTS });
        assert_eq!(answer.severity("TMB-PATH-004"), "danger");
    });
}

#[test]
fn a_mount_of_a_deleted_directory_is_a_danger() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
        let source = disk.path().join("source");
        std::fs::create_dir(&source).expect("made");
        let bind = Mounted::bind(namespace, &source).expect("the test's mount");
        std::fs::remove_dir(&source).expect("removed");
        let answer = doctor(bind.path(), 30);
        answer.assert(&Expected { codes: &["TMB-PATH-007"], ..NOTHING_LASTS });
        assert_eq!(answer.severity("TMB-PATH-007"), "danger");
    });
}

#[test]
fn a_path_is_judged_where_its_links_lead_whether_it_is_there_or_not() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
        let elsewhere = namespace.directory("elsewhere").expect("a directory");
        let link = elsewhere.join("data");
        std::os::unix::fs::symlink(disk.path(), &link).expect("linked");
        let file = elsewhere.join("app.db");
        std::os::unix::fs::symlink(disk.path().join("app.db"), &file).expect("linked");
        for path in [link.join("app.db"), file] {
            let answer = doctor(&path, 30);
            answer.assert(&SAFE_HERE);
            assert_eq!(answer.report["mount"]["filesystem"], "ext4", "{}", path.display());
            assert_eq!(answer.report["target"]["kind"], "absent");
        }
        let database = UserDatabase::open(disk.path(), "wal");
        let answer = doctor(&elsewhere.join("app.db"), 30);
        answer.assert(&SAFE_HERE);
        assert_eq!(answer.report["mount"]["filesystem"], "ext4");
        database.assert_untouched();
        assert_eq!(std::fs::read_dir(elsewhere).expect("readable").count(), 2);
    });
}
