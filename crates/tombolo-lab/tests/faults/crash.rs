//! What is left on the disk of a server that crashes.

use super::open;
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use tombolo_lab::{
    Faults, FaultyMount, Namespace, Operation, Session, Syncs, TwoMounts, Unsynced, sqlite,
};

/// Inserts a row through a mount, crashes, and answers what is there then.
fn rows_after_a_crash(syncs: Syncs, journal_mode: &str) -> String {
    Namespace::run(|namespace| {
        let faults = Faults { syncs, unsynced: Unsynced::Lost, ..Faults::default() };
        let mounts = TwoMounts::new(namespace, faults).expect("the test's mounts");
        let make = format!("PRAGMA journal_mode={journal_mode}; CREATE TABLE t(x);");
        assert_eq!(sqlite(&mounts.behind().join("app.db"), &make), format!("{journal_mode}\n"));
        let mut program = Session::new(&mounts.first().path().join("app.db")).expect("started");
        assert_eq!(program.run("PRAGMA synchronous=FULL").outcome(), "ok");
        assert_eq!(program.run("INSERT INTO t VALUES(7)").outcome(), "ok");
        let behind = mounts.crash().expect("crashed");
        assert_ne!(program.run("INSERT INTO t VALUES(8)").outcome(), "ok", "the mount is gone");
        drop(program);
        sqlite(&behind.join("app.db"), "PRAGMA integrity_check; SELECT x FROM t;")
    })
}

#[test]
fn what_was_synced_outlives_a_crash_and_nothing_else_does() {
    for journal_mode in ["delete", "wal"] {
        assert_eq!(rows_after_a_crash(Syncs::Done, journal_mode), "ok\n7\n", "{journal_mode}");
        assert_eq!(rows_after_a_crash(Syncs::Ignored, journal_mode), "ok\n", "{journal_mode}");
    }
}

#[test]
fn contents_go_back_to_the_last_sync_and_names_stay() {
    Namespace::run(|namespace| {
        let faults = Faults { unsynced: Unsynced::Lost, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let at = |name: &str| mount.path().join(name);
        let synced = open(&at("synced"));
        synced.write_all_at(b"on the disk", 0).expect("written");
        synced.sync_all().expect("synced");
        synced.write_all_at(b"in memory, and longer", 0).expect("written");
        open(&at("new")).write_all_at(b"in memory", 0).expect("written");
        std::fs::write(at("cut"), "x").expect("written");
        open(&at("cut")).sync_all().expect("synced");
        open(&at("cut")).set_len(0).expect("cut off");
        std::fs::rename(at("cut"), at("moved")).expect("renamed");
        assert_eq!(std::fs::read(at("synced")).expect("read"), b"in memory, and longer");
        let behind = mount.crash().expect("crashed");
        let left = |name: &str| std::fs::read(behind.join(name)).expect("read");
        assert_eq!(left("synced"), b"on the disk");
        assert_eq!(left("new"), b"");
        assert_eq!(left("moved"), b"x");
        assert!(!behind.join("cut").exists());
    });
}

#[test]
fn a_commit_hangs_in_fsync_and_fails_when_the_server_gives_up() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let database = mount.path().join("app.db");
        assert_eq!(sqlite(&database, "CREATE TABLE t(x);"), "");
        mount.hang(&[Operation::Syncs]);
        let mut commit = Command::new("sqlite3");
        let commit = commit.arg(&database).arg("INSERT INTO t VALUES(1);");
        let commit = commit.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let commit = commit.expect("sqlite3 runs (package sqlite3)");
        assert!(mount.wait_until_one_hangs(Duration::from_secs(30)));
        mount.answer();
        let output = commit.wait_with_output().expect("waited");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("disk I/O error"), "{said}");
        assert_eq!(sqlite(&database, "PRAGMA integrity_check; SELECT count(*) FROM t;"), "ok\n0\n");
    });
}
