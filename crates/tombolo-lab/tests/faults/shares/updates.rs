//! Updates that were acknowledged, and whether they are there.

use super::{Rig, session};
use std::path::Path;
use tombolo_lab::{
    Answer, Faults, Increments, Integrity, Kept, Namespace, Session, Share, TwoMounts, Verdict,
};

use Share::{
    Mergerfs, Nfs, NinePLoose, NinePMmap, NinePNone, SmbStrict, Sshfs, VirtiofsAlways,
    VirtiofsAuto, VirtiofsNever,
};

/// Counts up and adds a row, in a transaction that has begun; answers how far it came.
fn increment(connection: &mut Session, rig: &Rig, client: &str) -> Answer {
    let insert = format!("INSERT INTO entry(client, number) VALUES('{client}', 0)");
    for statement in ["UPDATE counter SET n = n + 1", &insert, "COMMIT"] {
        let answer = connection.run(statement);
        if answer.outcome() != "ok" {
            return answer;
        }
    }
    std::fs::write(rig.log(client), format!("{client} 0\n")).expect("written");
    Answer::Rows(Vec::new())
}

fn begin(connection: &mut Session) -> Option<String> {
    assert_eq!(connection.run("BEGIN").outcome(), "ok");
    let read = "SELECT n, (SELECT count(*) FROM entry) FROM counter";
    connection.run(read).value().map(str::to_owned)
}

/// As [`increment`], in a transaction of its own.
fn increment_alone(connection: &mut Session, rig: &Rig, client: &str) -> Answer {
    match connection.run("BEGIN") {
        Answer::Rows(_) => increment(connection, rig, client),
        refused => refused,
    }
}

/// Two connections read, then both write what they have read, plus one. Who is refused rolls back
/// and does it again, after the other. Both transactions are acknowledged in the end.
fn interleave(rig: &Rig, first: &Path, second: &Path) -> Verdict {
    let (mut a, mut b) = (session(first), session(second));
    assert_eq!(begin(&mut a).as_deref(), Some("0"));
    assert_eq!(begin(&mut b).as_deref(), Some("0"));
    let done = increment(&mut a, rig, "a");
    let refused = increment(&mut b, rig, "b");
    for answer in [done, refused] {
        let outcome = answer.outcome();
        assert!(outcome == "ok" || outcome.starts_with("SQLITE_BUSY"), "{answer:?}");
    }
    for (connection, client) in [(&mut b, "b"), (&mut a, "a")] {
        if !rig.log(client).exists() {
            assert_eq!(connection.run("ROLLBACK").outcome(), "ok");
        }
    }
    for (connection, client) in [(&mut a, "a"), (&mut b, "b")] {
        if !rig.log(client).exists() {
            begin(connection).expect("read");
            assert_eq!(increment(connection, rig, client).outcome(), "ok", "{client}");
        }
    }
    a.close().expect("ended");
    b.close().expect("ended");
    rig.judge(&["a", "b"])
}

/// Who has the database open.
#[derive(Clone, Copy, Debug)]
enum Openers {
    TwoMounts,
    ServerAndMount,
}

use Openers::{ServerAndMount, TwoMounts as BothMounts};

/// What [`interleave`] leaves: which acknowledged rows are gone.
fn lost(share: Share, journal_mode: &str, openers: Openers) -> Vec<String> {
    Rig::with(share, journal_mode, |rig| {
        let first = match openers {
            BothMounts => rig.first(),
            ServerAndMount => rig.behind(),
        };
        let verdict = interleave(rig, &first, &rig.second());
        assert_eq!(verdict.acknowledged, 2);
        // The worst of it: nothing looks wrong.
        assert_eq!(verdict.integrity, Integrity::Sound, "{} {openers:?}", share.name());
        assert_eq!(verdict.broken, [], "{} {openers:?}", share.name());
        verdict.missing
    })
}

#[test]
fn rollback_mode_loses_an_update_where_locks_do_not_cross() {
    let by_qemu = [NinePNone, NinePMmap, NinePLoose, VirtiofsNever, VirtiofsAuto, VirtiofsAlways];
    for share in by_qemu.into_iter().chain([Sshfs, Mergerfs]) {
        for openers in [BothMounts, ServerAndMount] {
            let lost = lost(share, "delete", openers);
            assert_eq!(lost, ["a 0"], "{} {openers:?}", share.name());
        }
    }
    assert!(lost(Nfs, "delete", BothMounts).is_empty());
}

#[test]
fn wal_mode_loses_an_update_where_maps_are_apart() {
    for share in [NinePMmap, NinePLoose, VirtiofsAuto, VirtiofsAlways, Sshfs] {
        assert_eq!(lost(share, "wal", BothMounts), ["a 0"], "{}", share.name());
    }
    assert!(lost(SmbStrict, "wal", BothMounts).is_empty());
}

#[test]
fn wal_mode_on_nfs_reads_a_log_that_has_grown_as_if_it_had_not() {
    // For a day, so that it does not matter how long the test takes.
    let faults = Faults { attributes: Kept::ForADay, ..Nfs.faults() };
    let mount = |namespace: &Namespace| TwoMounts::new(namespace, faults);
    Rig::on(mount, "wal", |rig| {
        let (mut a, mut b) = (session(&rig.first()), session(&rig.second()));
        assert_eq!(increment_alone(&mut a, rig, "a").outcome(), "ok");
        assert_eq!(b.run("SELECT n FROM counter").value(), Some("1"));
        assert_eq!(increment_alone(&mut a, rig, "c").outcome(), "ok");
        assert_eq!(b.run("SELECT n FROM counter").outcome(), "SQLITE_IOERR_SHORT_READ");
        assert_eq!(increment_alone(&mut b, rig, "b").outcome(), "SQLITE_IOERR_SHORT_READ");
        b.close().expect("ended");
        a.close().expect("ended");
        let verdict = rig.judge(&["a", "b", "c"]);
        assert!(verdict.is_clean() && verdict.acknowledged == 2, "{verdict:?}");
    });
}

#[test]
fn one_kernel_loses_nothing() {
    for (share, journal_mode) in [
        (NinePNone, "delete"),
        (NinePLoose, "delete"),
        (NinePLoose, "wal"),
        (VirtiofsAuto, "wal"),
        (VirtiofsAlways, "delete"),
        (Sshfs, "wal"),
        (Nfs, "delete"),
    ] {
        Rig::with(share, journal_mode, |rig| {
            let verdict = interleave(rig, &rig.first(), &rig.first());
            assert!(verdict.is_clean(), "{} {journal_mode}: {verdict:?}", share.name());
        });
    }
}

#[test]
fn a_transaction_can_be_torn_in_two() {
    Rig::with(Share::NinePNone, "delete", |rig| {
        let (mut a, mut b) = (session(&rig.first()), session(&rig.second()));
        assert_eq!(begin(&mut a).as_deref(), Some("0"));
        // This one has not seen the page of the entries yet, and will see it as the other left it.
        assert_eq!(b.run("BEGIN").outcome(), "ok");
        assert_eq!(b.run("SELECT n FROM counter").value(), Some("0"));
        for (connection, client) in [(&mut a, "a"), (&mut b, "b")] {
            assert_eq!(increment(connection, rig, client).outcome(), "ok", "{client}");
        }
        a.close().expect("ended");
        b.close().expect("ended");
        let verdict = rig.judge(&["a", "b"]);
        assert_eq!(verdict.integrity, Integrity::Sound);
        assert!(verdict.missing.is_empty(), "{verdict:?}");
        let broken: Vec<&str> =
            verdict.broken.iter().map(|(invariant, _)| invariant.name).collect();
        assert_eq!(broken, ["the counter is the number of entries"]);
    });
}

#[test]
fn two_kernels_that_each_have_a_log_for_themselves_lose_an_update() {
    for share in [NinePNone, NinePMmap, NinePLoose, VirtiofsNever, VirtiofsAuto, VirtiofsAlways] {
        Rig::with(share, "wal", |rig| {
            let (mut a, mut b) = (session(&rig.first()), session(&rig.second()));
            for connection in [&mut a, &mut b] {
                assert_eq!(connection.run("PRAGMA locking_mode=EXCLUSIVE").outcome(), "ok");
            }
            assert_eq!(begin(&mut a).as_deref(), Some("0"));
            assert_eq!(increment(&mut a, rig, "a").outcome(), "ok", "{}", share.name());
            begin(&mut b).expect("read");
            assert_eq!(increment(&mut b, rig, "b").outcome(), "ok", "{}", share.name());
            begin(&mut a).expect("read");
            assert_eq!(increment(&mut a, rig, "c").outcome(), "ok", "{}", share.name());
            a.close().expect("ended");
            b.close().expect("ended");
            let verdict = rig.judge(&["a", "b", "c"]);
            assert_eq!(verdict.acknowledged, 3);
            assert_eq!(verdict.integrity, Integrity::Sound, "{}", share.name());
            assert!(!verdict.missing.is_empty(), "{}: {verdict:?}", share.name());
        });
    }
    Rig::with(Nfs, "wal", |rig| {
        let mut connections = [session(&rig.first()), session(&rig.second())];
        let outcomes = connections.each_mut().map(|connection| {
            assert_eq!(connection.run("PRAGMA locking_mode=EXCLUSIVE").outcome(), "ok");
            connection.run("UPDATE counter SET n = n + 1").outcome().to_owned()
        });
        assert_eq!(outcomes, ["ok", "SQLITE_BUSY"]);
    });
}

#[test]
fn lock_files_keep_two_kernels_apart_and_their_caches_betray_them() {
    for (share, missing) in [
        (NinePNone, None),
        (NinePMmap, None),
        (NinePLoose, Some("a 0")),
        (VirtiofsNever, None),
        (VirtiofsAlways, Some("a 0")),
        (SmbStrict, None),
        (Mergerfs, None),
    ] {
        Rig::with(share, "delete", |rig| {
            let dotfile = |path: &Path| Session::with_vfs(path, "unix-dotfile").expect("started");
            let (mut a, mut b) = (dotfile(&rig.first()), dotfile(&rig.second()));
            assert_eq!(begin(&mut b).as_deref(), Some("0"));
            assert_eq!(a.run("SELECT n FROM counter").outcome(), "SQLITE_BUSY");
            assert_eq!(b.run("COMMIT").outcome(), "ok");
            for (connection, client) in [(&mut a, "a"), (&mut b, "b")] {
                begin(connection).expect("read");
                assert_eq!(increment(connection, rig, client).outcome(), "ok", "{client}");
            }
            a.close().expect("ended");
            b.close().expect("ended");
            let verdict = rig.judge(&["a", "b"]);
            assert_eq!(verdict.missing, Vec::from_iter(missing), "{}", share.name());
            assert_eq!(verdict.is_clean(), missing.is_none(), "{}: {verdict:?}", share.name());
        });
    }
}

#[test]
fn programs_that_run_freely_lose_nothing_where_locks_cross() {
    Rig::with(Nfs, "delete", |rig| {
        let program = |database: std::path::PathBuf, client: &str, seed| Increments {
            database,
            client: client.to_owned(),
            count: 12,
            acknowledgements: rig.log(client),
            seed,
            vfs: None,
            setup: Vec::new(),
            forget_every: None,
        };
        let programs = [program(rig.first(), "a", 1), program(rig.second(), "b", 2)];
        let running = programs.map(|program| program.start().expect("started"));
        let done = running.map(|program| program.end().expect("ended"));
        let verdict = rig.judge(&["a", "b"]);
        assert!(verdict.is_clean(), "{done:?}: {verdict:?}");
        let acknowledged = done.iter().map(|done| done.acknowledged as usize);
        assert_eq!(verdict.acknowledged, acknowledged.sum::<usize>(), "{done:?}");
        assert!(done.iter().all(|done| done.acknowledged > 0), "{done:?}");
    });
}
