//! Each fault, seen by programs that know nothing of the lab.

mod caches;
mod crash;
mod judge;
mod limits;
mod local;
mod preload;
mod runtimes;
mod shares;
mod witness;

use nix::errno::Errno;
use nix::libc::{F_RDLCK, F_UNLCK, F_WRLCK};
use rustix::io::Errno as Refusal;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tombolo_lab::{
    Faults, FaultyMount, HardLinks, Holders, Listings, Locks, Maps, Namespace, Operation,
    Replacement, Shell, Sizes, Syncs, Writes, sqlite,
};
use witness::{lock, query, xfs_io};

/// Runs `test` on a fresh mount with these faults.
fn with(faults: Faults, test: impl FnOnce(&FaultyMount) + Send) {
    Namespace::run(|namespace| {
        test(&FaultyMount::new(namespace, faults).expect("the test's mount"));
    });
}

fn open(path: &Path) -> File {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false).open(path).expect("opened")
}

/// Does a map show what was written, and `pread` what the map wrote?
fn map_and_files_agree(path: &Path) -> (bool, bool) {
    std::fs::write(path, [0; 32768]).expect("written");
    let commands = [
        "mmap -w 0 32768",
        "mwrite -S 0x6d 100 1",
        "pread -v 100 1",
        "pwrite -S 0x77 200 1",
        // One byte alone is not printed.
        "mread -v 200 2",
    ];
    let said = xfs_io(path, &commands);
    (said.contains("00000064:  6d"), said.contains("000000c8:  77"))
}

#[test]
fn a_mount_without_faults_carries_wal_mode_between_processes() {
    with(Faults::default(), |mount| {
        let database = mount.path().join("app.db");
        let mut first = Shell::new(&database);
        assert_eq!(first.ask("PRAGMA journal_mode=WAL;"), "wal");
        assert_eq!(first.ask("CREATE TABLE t(x); INSERT INTO t VALUES(7); SELECT x FROM t;"), "7");
        assert_eq!(sqlite(&database, "SELECT x FROM t; INSERT INTO t VALUES(8);"), "7\n");
        assert_eq!(first.ask("SELECT sum(x) FROM t;"), "15");
        drop(first);
        assert_eq!(sqlite(&database, "PRAGMA integrity_check;"), "ok\n");
        assert_eq!(map_and_files_agree(&mount.path().join("map")), (true, true));
        let behind = mount.behind().join("app.db");
        assert_eq!(sqlite(&behind, "SELECT sum(x) FROM t;"), "15\n");
    });
}

#[test]
fn names_links_and_times_behave_as_on_the_directory_behind() {
    with(Faults::default(), |mount| {
        let at = |name: &str| mount.path().join(name);
        std::fs::create_dir(at("d")).expect("mkdir");
        std::fs::write(at("d/a"), "a").expect("written");
        std::fs::hard_link(at("d/a"), at("b")).expect("linked");
        std::fs::rename(at("b"), at("c")).expect("renamed");
        std::os::unix::fs::symlink("d/a", at("l")).expect("symlinked");
        assert_eq!(std::fs::read_link(at("l")).expect("read").to_str(), Some("d/a"));
        assert_eq!(std::fs::read(at("l")).expect("read"), b"a");
        assert_eq!(std::fs::metadata(at("c")).expect("stat").nlink(), 2);
        let mut names: Vec<_> = std::fs::read_dir(mount.path()).expect("read").flatten().collect();
        names.sort_by_key(std::fs::DirEntry::file_name);
        let names: Vec<_> = names.iter().map(std::fs::DirEntry::file_name).collect();
        assert_eq!(names, ["c", "d", "l"]);
        let early = std::time::UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789);
        open(&at("c")).set_modified(early).expect("utimens");
        assert_eq!(std::fs::metadata(at("c")).expect("stat").modified().expect("a time"), early);
        let status = Command::new("touch").args(["-d", "@7"]).arg(at("d/a")).status();
        assert!(status.expect("touch runs").success());
        let seconds = std::fs::metadata(mount.behind().join("d/a")).expect("stat").mtime();
        assert_eq!(seconds, 7);
        let clash = File::options().write(true).create_new(true).open(at("c"));
        assert_eq!(clash.expect_err("it exists").raw_os_error(), Some(nix::libc::EEXIST));
        std::fs::remove_dir_all(at("d")).expect("removed");
    });
}

#[test]
fn shared_maps_are_refused() {
    with(Faults { maps: Maps::Refused, ..Faults::default() }, |mount| {
        let file = mount.path().join("map");
        std::fs::write(&file, [0; 4096]).expect("written");
        assert!(xfs_io(&file, &["mmap -w 0 4096"]).contains("No such device"));
        let database = mount.path().join("app.db");
        let said = sqlite(&database, "PRAGMA journal_mode=WAL; CREATE TABLE t(x);");
        assert!(said.contains("disk I/O error"), "{said}");
    });
}

#[test]
fn direct_io_with_maps_is_coherent_until_the_server_loses_what_maps_write() {
    for (maps, agree) in [(Maps::Direct, (true, true)), (Maps::WritesLost, (false, true))] {
        with(Faults { maps, ..Faults::default() }, |mount| {
            assert_eq!(map_and_files_agree(&mount.path().join("map")), agree, "{maps:?}");
        });
    }
}

#[test]
fn a_lock_of_the_server_excludes_and_names_its_holder() {
    with(Faults { locks: Locks::Server, ..Faults::default() }, |mount| {
        let path = mount.path().join("locks");
        let (first, second) = (open(&path), open(&path));
        assert_eq!(lock(&first, F_RDLCK, 5), Ok(()));
        assert_eq!(lock(&second, F_WRLCK, 5), Err(Errno::EAGAIN));
        assert_eq!(query(&second, 5), Ok(F_RDLCK));
        assert_eq!(lock(&first, F_WRLCK, 5), Ok(()));
        assert_eq!(query(&second, 5), Ok(F_WRLCK));
        assert_eq!(lock(&first, F_UNLCK, 5), Ok(()));
        assert_eq!(lock(&second, F_WRLCK, 5), Ok(()));
        // Locks of a process, from two processes.
        let database = mount.path().join("app.db");
        assert_eq!(sqlite(&database, "CREATE TABLE t(x);"), "");
        let mut holder = Shell::new(&database);
        holder.ask("BEGIN EXCLUSIVE;");
        assert!(sqlite(&database, "INSERT INTO t VALUES(1);").contains("database is locked"));
        holder.ask("COMMIT;");
        assert_eq!(sqlite(&database, "INSERT INTO t VALUES(1);"), "");
    });
}

#[test]
fn locks_are_refused_with_the_errno_that_was_asked_for() {
    for (refusal, errno, said) in [
        (Refusal::NOLCK, Errno::ENOLCK, "database is locked"),
        (Refusal::NOSYS, Errno::ENOSYS, "disk I/O error"),
        (Refusal::OPNOTSUPP, Errno::EOPNOTSUPP, "disk I/O error"),
    ] {
        with(Faults { locks: Locks::Refused(refusal), ..Faults::default() }, |mount| {
            let file = open(&mount.path().join("locks"));
            assert_eq!(lock(&file, F_WRLCK, 5), Err(errno));
            assert_eq!(query(&file, 5), Err(errno));
            let by_sqlite = sqlite(&mount.path().join("app.db"), "CREATE TABLE t(x);");
            assert!(by_sqlite.contains(said), "{errno}: {by_sqlite}");
        });
    }
}

#[test]
fn locks_are_granted_to_everybody() {
    with(Faults { locks: Locks::GrantedToAll, ..Faults::default() }, |mount| {
        let path = mount.path().join("locks");
        let (first, second) = (open(&path), open(&path));
        assert_eq!(lock(&first, F_WRLCK, 5), Ok(()));
        assert_eq!(lock(&second, F_WRLCK, 5), Ok(()));
        assert_eq!(query(&second, 5), Ok(F_UNLCK));
    });
}

#[test]
fn a_lone_program_cannot_write_where_a_shared_lock_cannot_be_made_exclusive() {
    with(Faults { locks: Locks::UpgradeRefused, ..Faults::default() }, |mount| {
        let path = mount.path().join("locks");
        let (first, second) = (open(&path), open(&path));
        assert_eq!(lock(&first, F_RDLCK, 5), Ok(()));
        assert_eq!(lock(&first, F_WRLCK, 5), Err(Errno::EACCES));
        assert_eq!(lock(&second, F_WRLCK, 6), Ok(()));
        assert_eq!(lock(&first, F_WRLCK, 6), Err(Errno::EACCES));
        let said = sqlite(&mount.path().join("app.db"), "CREATE TABLE t(x);");
        assert!(said.contains("database is locked"), "{said}");
    });
}

#[test]
fn locks_exclude_but_a_query_names_no_holder() {
    with(Faults { locks: Locks::QueryBlind, ..Faults::default() }, |mount| {
        let path = mount.path().join("locks");
        let (first, second) = (open(&path), open(&path));
        assert_eq!(lock(&first, F_WRLCK, 5), Ok(()));
        assert_eq!(lock(&second, F_WRLCK, 5), Err(Errno::EAGAIN));
        assert_eq!(query(&second, 5), Ok(F_UNLCK));
    });
}

#[test]
fn syncs_fail_or_take_their_time() {
    let refused = Syncs::Refused(Refusal::IO);
    with(Faults { syncs: refused, ..Faults::default() }, |mount| {
        let error = open(&mount.path().join("f")).sync_all().expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
        let said = sqlite(&mount.path().join("app.db"), "CREATE TABLE t(x);");
        assert!(said.contains("disk I/O error"), "{said}");
        File::open(mount.path()).expect("opened").sync_all().expect("directories are synced");
    });
    with(Faults { directory_syncs: refused, ..Faults::default() }, |mount| {
        open(&mount.path().join("f")).sync_all().expect("files are synced");
        let error = File::open(mount.path()).expect("opened").sync_all().expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(nix::libc::EIO));
    });
    let time = Duration::from_millis(30);
    with(Faults { syncs: Syncs::Slow(time), ..Faults::default() }, |mount| {
        let start = Instant::now();
        open(&mount.path().join("f")).sync_all().expect("synced");
        assert!(start.elapsed() >= time);
    });
}

#[test]
fn the_holder_of_an_unlinked_file_keeps_it_or_loses_it() {
    for (unlink, expected) in [(Holders::Keep, None), (Holders::Stale, Some(nix::libc::ESTALE))] {
        with(Faults { unlink, ..Faults::default() }, |mount| {
            let path = mount.path().join("f");
            std::fs::write(&path, "held").expect("written");
            let mut file = open(&path);
            std::fs::remove_file(&path).expect("unlinked");
            let mut content = String::new();
            let error = file.read_to_string(&mut content).err().and_then(|e| e.raw_os_error());
            assert_eq!(error, expected, "{unlink:?}");
            assert_eq!(content, if expected.is_none() { "held" } else { "" });
            let error = file.write_all(b"x").err().and_then(|error| error.raw_os_error());
            assert_eq!(error, expected, "{unlink:?}");
        });
    }
}

#[test]
fn the_holder_of_a_replaced_file_keeps_it_or_gets_the_new_one() {
    for (rename, expected) in [(Replacement::OldFile, b"old"), (Replacement::NewFile, b"new")] {
        with(Faults { rename, ..Faults::default() }, |mount| {
            let (path, other) = (mount.path().join("f"), mount.path().join("g"));
            std::fs::write(&path, "old").expect("written");
            std::fs::write(&other, "new").expect("written");
            let file = open(&path);
            std::fs::rename(&other, &path).expect("renamed");
            let mut content = [0; 3];
            file.read_exact_at(&mut content, 0).expect("read");
            assert_eq!(&content, expected, "{rename:?}");
            assert_eq!(std::fs::read(&path).expect("read"), b"new");
        });
    }
}

#[test]
fn hard_links_are_refused() {
    with(Faults { links: HardLinks::Refused, ..Faults::default() }, |mount| {
        let path = mount.path().join("f");
        std::fs::write(&path, "x").expect("written");
        let error = std::fs::hard_link(&path, mount.path().join("g")).expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(nix::libc::EPERM));
    });
}

#[test]
fn a_listing_may_show_nothing_of_what_others_have_made_although_it_can_be_opened() {
    with(Faults { listings: Listings::KnownNames, ..Faults::default() }, |mount| {
        std::fs::write(mount.behind().join("theirs"), "x").expect("written");
        std::fs::write(mount.path().join("own"), "y").expect("written");
        let names = || -> Vec<_> {
            let entries = std::fs::read_dir(mount.path()).expect("listed");
            let mut names: Vec<_> =
                entries.map(|entry| entry.expect("an entry").file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(), ["own"]);
        assert_eq!(std::fs::read(mount.path().join("theirs")).expect("opened"), b"x");
        assert_eq!(names(), ["own", "theirs"], "it is known now");
    });
}

#[test]
fn another_process_sees_a_new_size_only_after_the_close() {
    with(Faults { sizes: Sizes::SharedOnClose, ..Faults::default() }, |mount| {
        let path = mount.path().join("f");
        std::fs::write(&path, [1; 100]).expect("written");
        let seen = || {
            let output = Command::new("stat").args(["-c", "%s"]).arg(&path).output();
            String::from_utf8(output.expect("stat runs").stdout).expect("UTF-8").trim().to_owned()
        };
        let file = open(&path);
        file.write_all_at(&[2; 100], 100).expect("written");
        assert_eq!(file.metadata().expect("stat").len(), 200);
        assert_eq!(seen(), "100");
        assert_eq!(file.metadata().expect("stat").len(), 200);
        drop(file);
        assert_eq!(seen(), "200");
    });
}

#[test]
fn nothing_can_be_written_and_the_mount_table_may_not_say_so() {
    for (writes, option) in [(Writes::RefusedByMount, "ro"), (Writes::RefusedByServer, "rw")] {
        with(Faults { writes, ..Faults::default() }, |mount| {
            std::fs::write(mount.behind().join("f"), "x").expect("written");
            assert_eq!(std::fs::read(mount.path().join("f")).expect("read"), b"x");
            for name in ["f", "g"] {
                let error = std::fs::write(mount.path().join(name), "y").expect_err("refused");
                assert_eq!(error.raw_os_error(), Some(nix::libc::EROFS), "{name}");
            }
            let table = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("read");
            let name = mount.path().to_str().expect("UTF-8");
            let line = table.lines().find(|line| line.contains(name)).expect("mounted");
            let options = line.split(' ').nth(5).expect("options");
            assert_eq!(options.split(',').next(), Some(option));
        });
    }
}

#[test]
fn a_mount_hangs_on_command_and_answers_again_and_goes_away_hanging() {
    let mut path = std::path::PathBuf::new();
    with(Faults::default(), |mount| {
        path = mount.path().to_owned();
        let stat = || {
            let mut stat = Command::new("stat");
            let quiet = stat.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.arg(mount.path()).spawn().expect("stat runs")
        };
        mount.hang(Operation::ALL);
        let mut hung = stat();
        assert!(mount.wait_until_one_hangs(Duration::from_secs(10)));
        // Not even SIGKILL ends it.
        hung.kill().expect("killed");
        assert!(hung.try_wait().expect("waited").is_none());
        mount.answer();
        assert!(!hung.wait().expect("waited").success());
        assert!(stat().wait().expect("waited").success());
        mount.hang(&[Operation::Attributes]);
        let mut left = stat();
        assert!(mount.wait_until_one_hangs(Duration::from_secs(10)));
        // The drop must end this one as well: reaped by a thread that outlives the mount.
        std::thread::spawn(move || left.wait());
    });
    assert!(!path.exists());
}

#[test]
fn a_mount_without_its_server_is_not_connected() {
    with(Faults::default(), |mount| {
        mount.lose_the_server().expect("lost");
        let error = std::fs::metadata(mount.path()).expect_err("refused");
        assert_eq!(error.raw_os_error(), Some(nix::libc::ENOTCONN));
    });
}

#[test]
fn two_mounts_of_one_directory_are_like_two_kernels() {
    Namespace::run(|namespace| {
        let one = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let behind = one.behind().to_owned();
        let two = FaultyMount::over(namespace, behind, Faults::default()).expect("a second mount");
        assert_eq!(sqlite(&one.path().join("app.db"), "CREATE TABLE t(x);"), "");
        let mut holder = Shell::new(&one.path().join("app.db"));
        holder.ask("BEGIN EXCLUSIVE;");
        let said = sqlite(&one.path().join("app.db"), "INSERT INTO t VALUES(1);");
        assert!(said.contains("database is locked"), "{said}");
        assert_eq!(sqlite(&two.path().join("app.db"), "INSERT INTO t VALUES(1);"), "");
    });
}
