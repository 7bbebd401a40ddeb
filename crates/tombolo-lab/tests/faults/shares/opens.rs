//! What opens, and who is refused.

use super::{Rig, session};
use std::path::Path;
use tombolo_lab::{Answer, Share};

use Share::{
    Mergerfs, Nfs, NinePLoose, NinePMmap, NinePNone, SmbStrict, Sshfs, VirtiofsAlways,
    VirtiofsAuto, VirtiofsNever,
};

/// What becomes of `BEGIN EXCLUSIVE` on two connections, one after the other.
fn exclusive_twice(first: &Path, second: &Path) -> [String; 2] {
    let mut connections = [session(first), session(second)];
    let outcomes = connections.each_mut().map(|c| c.run("BEGIN EXCLUSIVE").outcome().to_owned());
    for connection in connections {
        connection.close().expect("ended");
    }
    outcomes
}

#[test]
fn two_kernels_are_both_granted_everything_or_one_is_busy() {
    for (share, two_kernels) in [
        (NinePNone, ["ok", "ok"]),
        (NinePMmap, ["ok", "ok"]),
        (NinePLoose, ["ok", "ok"]),
        (VirtiofsNever, ["ok", "ok"]),
        (VirtiofsAuto, ["ok", "ok"]),
        (VirtiofsAlways, ["ok", "ok"]),
        (Nfs, ["ok", "SQLITE_BUSY"]),
        (SmbStrict, ["SQLITE_BUSY", "SQLITE_BUSY"]),
        (Sshfs, ["ok", "ok"]),
        (Mergerfs, ["ok", "ok"]),
    ] {
        Rig::with(share, "delete", |rig| {
            let name = share.name();
            assert_eq!(exclusive_twice(&rig.first(), &rig.second()), two_kernels, "{name}");
            let one_kernel = match share {
                SmbStrict => ["SQLITE_BUSY", "SQLITE_BUSY"],
                _ => ["ok", "SQLITE_BUSY"],
            };
            assert_eq!(exclusive_twice(&rig.first(), &rig.first()), one_kernel, "{name}");
            let with_server = match share {
                SmbStrict => ["ok", "SQLITE_BUSY"],
                _ => ["ok", "ok"],
            };
            assert_eq!(exclusive_twice(&rig.behind(), &rig.first()), with_server, "{name}");
        });
    }
}

#[test]
fn a_database_in_wal_mode_opens_where_files_can_be_mapped() {
    let refused = "SQLITE_IOERR_SHMMAP";
    for (share, opened, exclusive) in [
        (NinePNone, refused, "ok"),
        (NinePMmap, "ok", "ok"),
        (NinePLoose, "ok", "ok"),
        (VirtiofsNever, refused, "ok"),
        (VirtiofsAuto, "ok", "ok"),
        (VirtiofsAlways, "ok", "ok"),
        (Nfs, "ok", "ok"),
        (SmbStrict, "ok", "SQLITE_BUSY"),
        (Sshfs, "ok", "ok"),
        (Mergerfs, refused, "ok"),
    ] {
        Rig::with(share, "wal", |rig| {
            let name = share.name();
            let mut plain = session(&rig.first());
            let answer = plain.run("SELECT n FROM counter");
            assert_eq!(answer.outcome(), opened, "{name}");
            if opened == refused {
                let text = "disk I/O error".to_owned();
                assert_eq!(answer, Answer::Failed { name: refused.to_owned(), text }, "{name}");
                // To leave WAL mode, SQLite must first open the log.
                let leave = plain.run("PRAGMA journal_mode=DELETE");
                assert_eq!(leave.outcome(), refused, "{name}");
            }
            plain.close().expect("ended");
            let mut alone = session(&rig.first());
            assert_eq!(alone.run("PRAGMA locking_mode=EXCLUSIVE").outcome(), "ok", "{name}");
            let answer = alone.run("UPDATE counter SET n = n + 1");
            assert_eq!(answer.outcome(), exclusive, "{name}");
        });
    }
}

#[test]
fn a_failed_open_destroys_the_index_of_a_program_that_works() {
    Rig::with(Share::NinePNone, "wal", |rig| {
        let mut host = session(&rig.behind());
        assert_eq!(host.run("UPDATE counter SET n = n + 1").outcome(), "ok");
        let index = || std::fs::read(rig.mounts.behind().join("app.db-shm")).expect("read");
        let before = index();
        assert!(before.iter().any(|byte| *byte != 0));
        let mut guest = session(&rig.first());
        assert_eq!(guest.run("SELECT n FROM counter").outcome(), "SQLITE_IOERR_SHMMAP");
        // SQLite cuts `-shm` to 3 bytes once it sees no lock of another program, then makes it
        // longer, and only then maps it.
        let after = index();
        assert_ne!(after, before);
        assert!(after.iter().skip(3).all(|byte| *byte == 0), "{} bytes", after.len());
    });
}
