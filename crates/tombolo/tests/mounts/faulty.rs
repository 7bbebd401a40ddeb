//! A mount with one fault, and what the doctor makes of it.
//!
//! The user's program works on the directory behind the mount, where there is no fault, as a
//! program of the host works on a directory that a guest has mounted. What the knowledge base says
//! of FUSE is that locks stay local, so that nothing is safe for several kernels.

use crate::rig::{Answer, Expected, UserDatabase, doctor};
use rustix::io::Errno;
use std::time::Duration;
use tombolo_lab::{
    Faults, FaultyMount, HardLinks, Holders, Locks, Maps, Namespace, Replacement, Sizes, Syncs,
    Writes,
};

/// Nothing wrong for one kernel.
const SAFE_HERE: Expected = Expected {
    exit: 0,
    wal: ["safe", "unsafe"],
    wal_one_process: ["safe", "unsafe"],
    rollback: ["safe", "unsafe"],
    codes: &[],
};

/// The same answer for every way of using SQLite.
const fn all(judgement: &'static str, codes: &'static [&'static str]) -> Expected {
    let cells = [judgement, "unsafe"];
    Expected { exit: 1, wal: cells, wal_one_process: cells, rollback: cells, codes }
}

fn examine(faults: Faults) -> Answer {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        let answer = doctor(&mount.path().join("app.db"), 60);
        database.assert_untouched();
        answer
    })
}

fn with_locks(locks: Locks) -> Answer {
    examine(Faults { locks, ..Faults::default() })
}

#[test]
fn without_a_fault_nothing_is_found() {
    examine(Faults::default()).assert(&SAFE_HERE);
    with_locks(Locks::Server).assert(&SAFE_HERE);
}

#[test]
fn refused_maps_leave_one_process_and_rollback() {
    examine(Faults { maps: Maps::Refused, ..Faults::default() }).assert(&Expected {
        exit: 1,
        wal: ["fails", "unsafe"],
        codes: &["TMB-DB-001", "TMB-MMAP-001", "TMB-SQL-001"],
        ..SAFE_HERE
    });
}

#[test]
fn direct_io_is_no_fault_as_long_as_maps_keep_in_step() {
    examine(Faults { maps: Maps::Direct, ..Faults::default() }).assert(&SAFE_HERE);
}

#[test]
fn maps_that_lose_writes_are_a_danger_although_sqlite_is_served() {
    let answer = examine(Faults { maps: Maps::WritesLost, ..Faults::default() });
    answer.assert(&Expected {
        exit: 1,
        wal: ["unsafe", "unsafe"],
        codes: &["TMB-MMAP-002"],
        ..SAFE_HERE
    });
    assert_eq!(answer.severity("TMB-MMAP-002"), "danger");
}

const ALL_SESSIONS_FAIL: [&str; 5] =
    ["TMB-LOCK-001", "TMB-SQL-001", "TMB-SQL-002", "TMB-SQL-003", "TMB-SQL-004"];

#[test]
fn locks_that_are_not_supported_fail_every_mode() {
    for errno in [Errno::NOSYS, Errno::OPNOTSUPP] {
        with_locks(Locks::Refused(errno)).assert(&all("fails", &ALL_SESSIONS_FAIL));
    }
}

/// SQLite says "database is locked" of both; the doctor tells the lock service from a lock.
#[test]
fn a_missing_lock_service_is_told_from_missing_locks() {
    let codes = &["TMB-LOCK-002", "TMB-SQL-001", "TMB-SQL-002", "TMB-SQL-003", "TMB-SQL-004"];
    let answer = with_locks(Locks::Refused(Errno::NOLCK));
    answer.assert(&all("fails", codes));
    let (outcome, summary) = answer.evidence("probe.posix-locks");
    assert_eq!(outcome, "refused");
    assert!(summary.contains("ENOLCK"), "{summary}");
}

#[test]
fn locks_that_everybody_gets_make_every_mode_unsafe() {
    let answer = with_locks(Locks::GrantedToAll);
    answer.assert(&all("unsafe", &["TMB-LOCK-004", "TMB-LOCK-005", "TMB-SQL-005"]));
    assert_eq!(answer.severity("TMB-LOCK-004"), "danger");
}

/// As on SMB. `unix-excl` takes its one lock at once, and works; so does a database that somebody
/// else has put into WAL mode.
#[test]
fn a_refused_upgrade_leaves_one_process_through_unix_excl_and_databases_in_wal_mode() {
    let answer = with_locks(Locks::UpgradeRefused);
    answer.assert(&Expected {
        exit: 1,
        rollback: ["fails", "unsafe"],
        codes: &["TMB-LOCK-003", "TMB-SQL-001", "TMB-SQL-002", "TMB-SQL-004"],
        ..SAFE_HERE
    });
    assert_eq!(answer.evidence("session.wal").0, "refused");
    assert_eq!(answer.evidence("session.wal-existing").0, "holds");
    assert_eq!(answer.severity("TMB-SQL-001"), "warning");
    let because = answer.because("wal", "one_kernel");
    assert!(because.contains("put into WAL mode here fails"), "{because}");
}

#[test]
fn a_query_that_names_no_holder_is_a_danger_to_several_processes() {
    let answer = with_locks(Locks::QueryBlind);
    answer.assert(&Expected {
        exit: 1,
        wal: ["unsafe", "unsafe"],
        rollback: ["unsafe", "unsafe"],
        codes: &["TMB-LOCK-005", "TMB-SQL-001"],
        ..SAFE_HERE
    });
    assert_eq!(answer.severity("TMB-LOCK-005"), "danger");
}

#[test]
fn syncs_that_fail_are_a_danger() {
    let syncs = Syncs::Refused(Errno::IO);
    let answer = examine(Faults { syncs, ..Faults::default() });
    let codes = &["TMB-SQL-001", "TMB-SQL-002", "TMB-SQL-003", "TMB-SQL-004", "TMB-SYNC-001"];
    answer.assert(&all("fails", codes));
    assert_eq!(answer.severity("TMB-SYNC-001"), "danger");
}

#[test]
fn slow_syncs_are_slow_and_nothing_worse() {
    let syncs = Syncs::Slow(Duration::from_millis(105));
    examine(Faults { syncs, ..Faults::default() }).assert(&all("slow", &["TMB-PERF-001"]));
}

#[test]
fn what_sqlite_does_not_need_is_a_notice() {
    for (faults, code) in [
        (Faults { links: HardLinks::Refused, ..Faults::default() }, "TMB-FILE-005"),
        (
            Faults { directory_syncs: Syncs::Refused(Errno::INVAL), ..Faults::default() },
            "TMB-SYNC-003",
        ),
    ] {
        let answer = examine(faults);
        answer.assert(&SAFE_HERE);
        assert_eq!(answer.severity(code), "notice");
    }
}

#[test]
fn what_breaks_holders_of_a_file_is_a_warning() {
    let unlink = Faults { unlink: Holders::Stale, ..Faults::default() };
    let rename = Faults { rename: Replacement::NewFile, ..Faults::default() };
    let cases: [(Faults, &[&str]); 2] = [(unlink, &["TMB-FILE-003"]), (rename, &["TMB-FILE-002"])];
    for (faults, codes) in cases {
        let answer = examine(faults);
        answer.assert(&Expected { exit: 1, codes, ..SAFE_HERE });
        assert_eq!(answer.severity(codes[0]), "warning");
    }
}

#[test]
fn a_size_that_others_do_not_see_is_a_danger_to_several_processes() {
    let answer = examine(Faults { sizes: Sizes::SharedOnClose, ..Faults::default() });
    answer.assert(&Expected {
        exit: 1,
        wal: ["unsafe", "unsafe"],
        wal_one_process: ["unsafe", "unsafe"],
        rollback: ["unsafe", "unsafe"],
        codes: &["TMB-FILE-004", "TMB-MMAP-002", "TMB-SQL-005"],
    });
    assert_eq!(answer.severity("TMB-FILE-004"), "danger");
}

#[test]
fn a_server_that_refuses_writes_is_read_only_whatever_the_mount_table_says() {
    for writes in [Writes::RefusedByMount, Writes::RefusedByServer] {
        let answer = examine(Faults { writes, ..Faults::default() });
        answer.assert(&all("not_proven", &["TMB-PATH-001"]));
    }
}

/// The experiments say what fails; the name of the file system, which way out fits.
#[test]
fn a_known_server_gets_its_own_way_out() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::called(namespace, "fuse.mergerfs", faults).expect("the mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        let answer = doctor(&mount.path().join("app.db"), 30);
        database.assert_untouched();
        answer.assert(&Expected {
            exit: 1,
            wal: ["fails", "unsafe"],
            codes: &["TMB-DB-001", "TMB-KNOW-001", "TMB-MMAP-001", "TMB-SQL-001"],
            ..SAFE_HERE
        });
        let remedies = answer.report["remedies"].to_string();
        assert!(remedies.contains("cache.files"), "{remedies}");
    });
}

/// A short measurement shows nothing of what a file system is known for under load.
#[test]
fn a_known_risk_is_not_measured_away() {
    Namespace::run(|namespace| {
        let faults = Faults::default();
        let mount = FaultyMount::called(namespace, "fuse.sshfs", faults).expect("the mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        let answer = doctor(&mount.path().join("app.db"), 30);
        database.assert_untouched();
        answer.assert(&Expected {
            exit: 1,
            wal: ["not_proven", "unsafe"],
            codes: &["TMB-LOCK-007"],
            ..SAFE_HERE
        });
    });
}

/// "Transport endpoint is not connected": the mount is there, its server is not. Above it stands a
/// healthy directory, which is not the one that was asked about.
#[test]
fn a_mount_without_its_server_is_stale_and_could_not_be_examined() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let database = UserDatabase::open(mount.behind(), "wal");
        mount.lose_the_server().expect("lost");
        for path in ["", "app.db", "new/app.db"] {
            let answer = doctor(&mount.path().join(path), 30);
            answer.assert(&Expected { exit: 2, ..all("not_proven", &["TMB-PATH-008"]) });
        }
        database.assert_untouched();
    });
}
