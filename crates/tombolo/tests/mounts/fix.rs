//! `tombolo fix` on mounts that show the fault: before it a stock program fails, after it the same
//! program works, and undone it is as before, byte for byte.

use rustix::io::Errno;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};
use tombolo_lab::{
    Disk, Faults, FaultyMount, Files, Locks, Maps, Mounted, Namespace, killed_in_wal_mode, sqlite,
};

fn fix(database: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("fix").arg(database).args(arguments).arg("--assume-unused");
    command.output().expect("it runs")
}

#[track_caller]
fn succeed(database: &Path, arguments: &[&str]) {
    let output = fix(database, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const COUNT: &str = "SELECT count(*) FROM t;";

#[test]
fn a_database_leaves_wal_mode_where_it_cannot_even_be_read() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        killed_in_wal_mode(mount.behind());
        let database = mount.path().join("app.db");
        for statements in [COUNT, "PRAGMA journal_mode=DELETE;"] {
            assert!(sqlite(&database, statements).contains("disk I/O error"));
        }
        // The failed programs have changed the wal-index.
        let before = Files::of(mount.behind());

        succeed(&database, &["leave-wal", "--apply"]);
        assert_eq!(sqlite(&database, COUNT), "500\n");
        assert_eq!(
            sqlite(&database, "PRAGMA journal_mode; PRAGMA integrity_check;"),
            "delete\nok\n"
        );
        assert_eq!(Files::of(mount.behind()).names(), ["app.db"]);

        succeed(&database, &["leave-wal", "--undo"]);
        Files::of(mount.behind()).assert_same(&before);
        assert!(sqlite(&database, COUNT).contains("disk I/O error"));
    });
}

#[test]
fn a_database_moves_to_a_local_directory() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let local = tempfile::tempdir().expect("a directory");
        killed_in_wal_mode(mount.behind());
        let before = Files::of(mount.behind());
        let database = mount.path().join("app.db");
        let to = local.path().to_str().expect("UTF-8");

        succeed(&database, &["move", "--to", to, "--apply"]);
        assert_eq!(sqlite(&database, COUNT), "500\n");
        assert_eq!(sqlite(&database, "PRAGMA journal_mode; PRAGMA integrity_check;"), "wal\nok\n");

        succeed(&database, &["move", "--undo"]);
        Files::of(mount.behind()).assert_same(&before);
        assert!(Files::of(local.path()).names().is_empty());
    });
}

/// With a mount in place of the link, a program that follows none works as well; after a start
/// without the mount it works by the link.
#[test]
fn a_local_directory_is_mounted_over_the_old_one() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let root = tempfile::tempdir().expect("a directory");
        let [local, fstab] = ["local", "fstab"].map(|name| root.path().join(name));
        let behind = mount.behind().join("app");
        for directory in [&local, &behind] {
            std::fs::create_dir(directory).expect("made");
        }
        std::fs::write(&fstab, "# disks\n").expect("written");
        killed_in_wal_mode(&behind);
        let database = mount.path().join("app/app.db");
        assert!(sqlite(&database, COUNT).contains("disk I/O error"));
        let before = Files::of(&behind);
        let [to, table] = [&local, &fstab].map(|path| path.to_str().expect("UTF-8"));
        let wanted = ["move", "--to", to, "--bind", "--fstab", table];

        let shown = fix(&database, &wanted);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains(" none bind,nofail 0 0"), "{shown}");
        for _ in 0..2 {
            succeed(&database, &[&wanted[..], &["--apply"]].concat());
            assert!(database.is_file() && !database.is_symlink());
            let said = sqlite(&database, "PRAGMA journal_mode; PRAGMA integrity_check;");
            assert_eq!(said, "wal\nok\n");
        }
        assert_eq!(sqlite(&database, COUNT), "500\n");
        let unmounted = Command::new("umount").arg(mount.path().join("app")).status();
        assert!(unmounted.expect("it runs").success());
        assert_eq!(sqlite(&database, COUNT), "500\n");

        succeed(&database, &["move", "--undo"]);
        Files::of(&behind).assert_same(&before);
        assert!(Files::of(&local).names().is_empty());
        assert_eq!(std::fs::read_to_string(&fstab).expect("read"), "# disks\n");
        assert!(sqlite(&database, COUNT).contains("disk I/O error"));
    });
}

/// Where there are no locks, nobody can be kept out: it is refused, and nothing is lost.
#[test]
fn without_locks_leaving_wal_mode_is_refused_and_moving_works() {
    Namespace::run(|namespace| {
        let faults = Faults { locks: Locks::Refused(Errno::NOLCK), ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let local = tempfile::tempdir().expect("a directory");
        killed_in_wal_mode(mount.behind());
        let before = Files::of(mount.behind());
        let database = mount.path().join("app.db");

        let refused = fix(&database, &["leave-wal", "--apply"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("ENOLCK") && said.contains("move the database"), "{said}");
        succeed(&database, &["leave-wal", "--undo"]);
        Files::of(mount.behind()).assert_same(&before);

        succeed(&database, &["move", "--to", local.path().to_str().expect("UTF-8"), "--apply"]);
        assert_eq!(sqlite(&database, COUNT), "500\n");
    });
}

/// A program in a container sees its database as a mount of the single file. The doctor, asked from
/// there, finds it, and the file of the containers is mended.
#[test]
fn a_single_file_that_is_mounted_becomes_its_directory() {
    Namespace::run(|namespace| {
        let disk = Mounted::disk(namespace, Disk::Ext4).expect("the test's disk");
        let data = disk.path().join("data");
        std::fs::create_dir(&data).expect("made");
        assert_eq!(sqlite(&data.join("app.db"), "CREATE TABLE t(x);"), "");
        let seen = Mounted::file(namespace, &data.join("app.db")).expect("the test's mount");
        let seen = seen.path();
        let file = disk.path().join("compose.yaml");
        let text = |source: &str, target: &str| {
            format!("services:\n  app:\n    volumes:\n    - '{source}:{target}' # data\n")
        };
        let target = seen.parent().and_then(Path::to_str).expect("UTF-8");
        let before = text("./data/app.db", &format!("{target}/app.db"));
        std::fs::write(&file, &before).expect("written");
        let config_file = file.to_str().expect("UTF-8");

        succeed(seen, &["mount", "--config", config_file, "--apply"]);
        assert_eq!(std::fs::read_to_string(&file).expect("read"), text("./data", target));
        succeed(seen, &["mount", "--config", config_file, "--undo"]);
        assert_eq!(std::fs::read_to_string(&file).expect("read"), before);
    });
}

/// Where maps are refused the owner has the file alone; and where another kernel may see the same
/// directory, a socket at which nobody answers can be that of an owner there.
#[test]
fn no_second_owner_is_set_up_beside_one_that_may_be_on_another_kernel() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        killed_in_wal_mode(mount.behind());
        let before = Files::of(mount.behind());
        let compose = tempfile::tempdir().expect("a directory");
        let compose = compose.path().join("compose.yaml");
        let plan = |further: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
            command.arg("fix").arg(mount.path().join("app.db")).args(["serve", "--compose"]);
            command.arg(&compose).args(further).output().expect("it runs")
        };
        let shown = String::from_utf8_lossy(&plan(&[]).stdout).into_owned();
        assert!(shown.contains("Only the owner may use the files"), "{shown}");

        let own = mount.behind().join(".tombolo");
        std::fs::create_dir(&own).expect("made");
        drop(UnixListener::bind(own.join("owner.sock")).expect("bound"));
        let output = plan(&["--apply"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("an owner on another kernel"), "{said}");
        assert!(said.contains("--assume-unused"), "{said}");
        assert!(plan(&["--assume-unused"]).status.success());
        std::fs::remove_dir_all(&own).expect("removed");
        Files::of(mount.behind()).assert_same(&before);
        assert!(!compose.exists());
    });
}
