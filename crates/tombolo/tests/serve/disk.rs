//! A disk that is full, or fails.

use crate::faults::{acknowledged, there};
use crate::harness::{Owner, printed};
use std::process::Command;
use tombolo_lab::{Errno, Filling, Namespace, Preload, Refused, Times};

const TABLE: &str = "CREATE TABLE entry(who TEXT, number INTEGER, UNIQUE(who, number));";
const DISK_BYTES: u64 = 8 << 20;

#[test]
fn a_full_disk_fails_commits_cleanly_and_the_owner_goes_on_when_there_is_room() {
    Namespace::run(|namespace| {
        let disk = namespace.directory("disk").expect("made");
        let options = format!("size={DISK_BYTES}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&disk).status();
        assert!(mounted.expect("mount runs").success());
        let owner = Owner::of(tempfile::tempdir_in(&disk).expect("a directory"));
        printed(&owner.door(TABLE));
        printed(&owner.door("CREATE TABLE large(a); INSERT INTO entry VALUES('before', 1);"));
        for round in 0..3 {
            let filling = Filling::new(&disk, DISK_BYTES).expect("filled");
            let output = owner.door("INSERT INTO large VALUES(randomblob(300000));");
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(errors.contains("full"), "round {round}: {errors}");
            assert_eq!(
                printed(&owner.door("SELECT count(*) FROM entry;")),
                (round + 1).to_string()
            );
            assert_eq!(printed(&owner.door("SELECT count(*) FROM large;")), round.to_string());
            drop(filling);
            printed(&owner.door(&format!(
                "INSERT INTO entry VALUES('after', {round}); INSERT INTO large VALUES(zeroblob(9));"
            )));
        }
        let check = "PRAGMA integrity_check; SELECT count(*) FROM entry;";
        assert_eq!(printed(&owner.stock(check)), "ok\n4");
        assert_eq!(printed(&owner.door(check)), "ok\n4");
    });
}

/// The owner meets this error at one of its calls, counted from when it serves. Whatever it does
/// then, what it has acknowledged is there. Returns whether there was such a call.
fn assert_survives(call: Refused, suffix: &str, errno: Errno, nth: u32) -> bool {
    let what = format!("{call:?} of {suffix}, {errno:?}, call {nth}");
    let directory = tempfile::tempdir().expect("a directory");
    let (log, armed) = (directory.path().join("answers"), directory.path().join("armed"));
    let preload = Preload::new(&log).expect("built beside this test");
    let preload = preload.refuse(call, suffix, errno, Times::Only(nth)).when(&armed);
    let mut owner = Owner::under(directory, &preload);
    printed(&owner.door(TABLE));
    std::fs::write(&armed, b"").expect("armed");
    let mut child = owner.program("tries.py", &["door", "12"]);
    let seen: Vec<u32> = acknowledged(&mut child).collect();
    assert!(child.wait().expect("waited for").success(), "{what}");
    std::fs::remove_file(&armed).expect("disarmed");
    // It may have ended by itself.
    owner.kill_and_restart();
    let there = there(&owner, "tries");
    assert!(seen.iter().all(|number| there.contains(number)), "{what}: {seen:?} of {there:?}");
    assert_eq!(printed(&owner.door("PRAGMA integrity_check;")), "ok", "{what}");
    printed(&owner.door("INSERT INTO entry VALUES('tries', 1000);"));
    let met = !preload.answers().is_empty();
    let is_committed_all = seen.len() == 12;
    let is_log_sync = call == Refused::Sync && suffix.ends_with("-wal");
    assert!(!(met && is_log_sync && is_committed_all), "{what}: the error was swallowed");
    met
}

fn assert_survives_each(call: Refused, suffix: &str, errno: Errno, calls: &[u32]) {
    let met: Vec<u32> =
        calls.iter().copied().filter(|nth| assert_survives(call, suffix, errno, *nth)).collect();
    assert_eq!(met.first(), Some(&1), "{call:?} of {suffix}: no such call, so nothing is shown");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_log_cannot_be_written() {
    assert_survives_each(Refused::Write, "app.db-wal", Errno::EIO, &[1, 2, 3, 7]);
    assert_survives_each(Refused::Write, "app.db-wal", Errno::ENOSPC, &[1, 2, 4]);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_log_cannot_be_synced() {
    assert_survives_each(Refused::Sync, "app.db-wal", Errno::EIO, &[1, 2, 5]);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_database_cannot_be_written_or_synced() {
    assert_survives_each(Refused::Write, "app.db", Errno::EIO, &[1, 2, 3]);
    assert_survives_each(Refused::Write, "app.db", Errno::ENOSPC, &[1]);
    assert_survives_each(Refused::Sync, "app.db", Errno::EIO, &[1, 2]);
}

#[test]
fn nothing_acknowledged_is_lost_when_files_cannot_be_read_or_locked() {
    assert_survives_each(Refused::Read, "app.db-wal", Errno::EIO, &[1, 2]);
    assert_survives_each(Refused::Lock, "app.db-shm", Errno::ENOLCK, &[1, 2, 4, 9]);
}
