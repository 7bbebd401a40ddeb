//! What a server refuses, grants to too many, or takes its time for.

use super::open;
use super::witness::{lock, query};
use nix::errno::Errno;
use nix::libc::{F_RDLCK, F_UNLCK, F_WRLCK};
use rustix::io::Errno as Refusal;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tombolo_lab::{
    Creation, Delays, Faults, FaultyMount, Locks, Namespace, Room, TwoMounts, sqlite,
};

fn with(faults: Faults, test: impl FnOnce(&TwoMounts) + Send) {
    Namespace::run(|namespace| {
        test(&TwoMounts::new(namespace, faults).expect("the test's mounts"));
    });
}

fn make(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

#[test]
fn locks_of_the_server_cross_and_those_of_the_kernel_do_not() {
    for (locks, denied, holder, upgraded) in [
        (Locks::Kernel, Ok(()), Ok(F_UNLCK), Ok(())),
        (Locks::Server, Err(Errno::EAGAIN), Ok(F_WRLCK), Ok(())),
        (Locks::QueryBlind, Err(Errno::EAGAIN), Ok(F_UNLCK), Ok(())),
        (Locks::UpgradeRefused, Err(Errno::EACCES), Ok(F_WRLCK), Err(Errno::EACCES)),
        (Locks::GrantedToAll, Ok(()), Ok(F_UNLCK), Ok(())),
    ] {
        with(Faults { locks, ..Faults::default() }, |mounts| {
            let [ours, theirs] =
                [mounts.first(), mounts.second()].map(|mount| open(&mount.path().join("f")));
            assert_eq!(lock(&ours, F_WRLCK, 5), Ok(()));
            assert_eq!(lock(&theirs, F_WRLCK, 5), denied, "{locks:?}");
            assert_eq!(query(&theirs, 5), holder, "{locks:?}");
            assert_eq!(lock(&theirs, F_WRLCK, 6), Ok(()));
            assert_eq!(lock(&ours, F_RDLCK, 7), Ok(()));
            assert_eq!(lock(&theirs, F_RDLCK, 7), Ok(()));
            assert_eq!(lock(&theirs, F_UNLCK, 7), Ok(()));
            assert_eq!(lock(&ours, F_WRLCK, 7), upgraded, "{locks:?}");
            assert_eq!(lock(&ours, F_UNLCK, 5), Ok(()));
            assert_eq!(lock(&theirs, F_WRLCK, 5), Ok(()), "{locks:?}");
        });
    }
}

#[test]
fn two_servers_of_one_directory_know_nothing_of_each_other() {
    Namespace::run(|namespace| {
        let faults = Faults { locks: Locks::Server, ..Faults::default() };
        let one = FaultyMount::new(namespace, faults).expect("the test's mount");
        let two = FaultyMount::over(namespace, one.behind().to_owned(), faults).expect("a second");
        let files = [&one, &two].map(|mount| open(&mount.path().join("f")));
        for file in &files {
            assert_eq!(lock(file, F_WRLCK, 5), Ok(()));
        }
    });
}

#[test]
fn a_file_is_made_by_one_or_by_both() {
    for (creation, refused) in [(Creation::Exclusive, true), (Creation::OnClose, false)] {
        with(Faults { creation, ..Faults::default() }, |mounts| {
            let [ours, theirs] =
                [mounts.first(), mounts.second()].map(|mount| mount.path().join("f"));
            let made = make(&ours).expect("made");
            assert_eq!(theirs.exists(), refused, "{creation:?}");
            assert_eq!(make(&theirs).is_err(), refused, "{creation:?}");
            // What a kernel knows itself, it says itself.
            make(&ours).expect_err("there already");
            drop(made);
        });
    }
}

#[test]
fn a_file_that_is_made_on_close_is_there_after_the_close() {
    with(Faults { creation: Creation::OnClose, ..Faults::default() }, |mounts| {
        let [ours, theirs] = [mounts.first(), mounts.second()].map(|mount| mount.path().join("f"));
        let made = make(&ours).expect("made");
        made.write_all_at(b"x", 0).expect("written");
        assert!(ours.exists() && !theirs.exists());
        drop(made);
        assert_eq!(std::fs::read(&theirs).expect("there now"), b"x");
        make(&theirs).expect_err("there already");
    });
}

/// The kernel tells a server of each descriptor that is closed. A child has copies of all of them
/// until it starts its program; other tests start programs at any time.
#[test]
fn a_file_is_not_made_by_a_child_that_closes_its_copy() {
    with(Faults { creation: Creation::OnClose, ..Faults::default() }, |mounts| {
        let [ours, theirs] = [mounts.first(), mounts.second()].map(|mount| mount.path().join("f"));
        let made = make(&ours).expect("made");
        assert!(Command::new("true").status().expect("it ran").success());
        assert!(!theirs.exists());
        // In another thread, which is another process to the kernel: last of all, it counts.
        std::thread::scope(|scope| scope.spawn(move || drop(made)).join()).expect("dropped");
        wait_until_it_is_there(&theirs);
    });
}

/// The server learns that the last descriptor is gone after the call that has closed it.
fn wait_until_it_is_there(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", path.display());
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn room_ends_with_the_errno_that_was_asked_for() {
    for (errno, said) in
        [(Refusal::NOSPC, "database or disk is full"), (Refusal::DQUOT, "disk I/O error")]
    {
        with(Faults { room: Room::Bytes(40_000, errno), ..Faults::default() }, |mounts| {
            let database = mounts.first().path().join("app.db");
            let made =
                sqlite(&database, "CREATE TABLE t(x); INSERT INTO t VALUES(zeroblob(9000));");
            assert_eq!(made, "");
            let refused = sqlite(&database, "INSERT INTO t VALUES(zeroblob(50000));");
            assert!(refused.contains(said), "{refused}");
            assert_eq!(
                sqlite(&database, "PRAGMA integrity_check; SELECT count(*) FROM t;"),
                "ok\n1\n"
            );
            // The room is one, whoever takes it; and what is removed makes room.
            let file = open(&mounts.second().path().join("f"));
            let error = file.write_all_at(&[1; 40_000], 0).expect_err("refused");
            assert_eq!(error.raw_os_error(), Some(errno.raw_os_error()));
            std::fs::remove_file(&database).expect("removed");
            file.write_all_at(&[1; 40_000], 0).expect("there is room");
            file.write_all_at(&[2; 40_000], 0).expect("nothing grows");
            file.set_len(40_001).expect_err("refused");
            file.set_len(10).expect("cut off");
            file.set_len(40_000).expect("there is room again");
        });
    }
}

#[test]
fn each_kind_of_call_can_take_its_time() {
    let time = Duration::from_millis(40);
    let slow: [(&str, Delays); 5] = [
        ("names", Delays { names: time, ..Delays::default() }),
        ("attributes", Delays { attributes: time, ..Delays::default() }),
        ("data", Delays { data: time, ..Delays::default() }),
        ("syncs", Delays { syncs: time, ..Delays::default() }),
        ("locks", Delays { locks: time, ..Delays::default() }),
    ];
    for (kind, delays) in slow {
        with(Faults { delays, locks: Locks::Server, ..Faults::default() }, |mounts| {
            let path = mounts.first().path().join("f");
            let file = open(&path);
            let start = Instant::now();
            match kind {
                "names" => drop(std::fs::remove_file(&path)),
                "attributes" => file.set_len(5).expect("made longer"),
                "data" => file.write_all_at(b"x", 0).expect("written"),
                "syncs" => file.sync_all().expect("synced"),
                _ => lock(&file, F_RDLCK, 0).expect("locked"),
            }
            assert!(start.elapsed() >= time, "{kind}");
        });
    }
}
