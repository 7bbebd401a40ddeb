//! `tombolo fix` and `tombolo run` in a guest whose share, 9p or virtiofs, refuses shared maps:
//! before, stock programs fail; after it they work; undone, the files are as before, byte for byte.

use crate::app::PYTHON;
use crate::besides::{Kept, virtiofs_server};
use crate::common::{PATIENCE, guest_spec, lab};
use crate::rig::{DEFAULT_OPTIONS, IN_GUEST};
use crate::tool_build::built;
use std::path::Path;
use tombolo_lab::{Files, Guest, Output, QemuShare, SecurityModel, killed_in_wal_mode};

/// Where the guest has its database.
const DATABASE: &str = "/srv/media/app.db";
/// A directory of the guest's own.
const LOCAL: &str = "/srv/local";

const COUNT: &str = "SELECT count(*) FROM t";

/// Adds a row by Python's SQLite, and counts; or the name of the error.
const PROGRAM: &str = "
import sqlite3, sys
try:
    with sqlite3.connect(sys.argv[1]) as connection:
        connection.execute('INSERT INTO t(x) VALUES (1)')
    print(connection.execute('SELECT count(*) FROM t').fetchone()[0])
    print(connection.execute('PRAGMA journal_mode').fetchone()[0])
except sqlite3.OperationalError as error:
    print(error.sqlite_errorname)
";

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_remedy_is_carried_out_where_nothing_worked_and_taken_back() {
    let lab = lab(&["qemu-system-x86_64", "a kernel", "sqlite3", PYTHON]);
    let directory = lab.directory().join("share");
    std::fs::create_dir(&directory).expect("made");
    killed_in_wal_mode(&directory);
    let share = QemuShare::virtfs(&directory, "media").security_model(SecurityModel::Passthrough);
    let guest = &lab.guest(guest_spec().share(share)).expect("a guest");
    let mount =
        format!("mkdir -p {IN_GUEST} {LOCAL}; mount -t 9p -o {DEFAULT_OPTIONS} media {IN_GUEST}");
    guest.shell(&mount).expect("it ran").require_success().expect("it succeeded");

    carried_out_and_taken_back(guest, &directory);

    let both_ends = succeed(guest, &["protocol", "--to", "virtiofs", "--directory", "/tank/media"]);
    for said in [
        "From 9p of QEMU (virtfs) to virtiofs",
        "--shared-dir=/tank/media",
        " virtiofs defaults 0 0",
    ] {
        assert!(both_ends.contains(said), "{said:?} in {both_ends}");
    }

    let fewer = succeed(guest, &["simplify"]);
    for said in [
        "the database on a disk of the guest",
        "in a container of the host",
        "the program on the host itself",
    ] {
        assert!(fewer.contains(said), "{said:?} in {fewer}");
    }

    // As it is, in WAL mode, by one process.
    let door = ["run", "--exclusive", "--db", DATABASE, "--", PYTHON, "-I", "-c", PROGRAM];
    let said = tombolo(guest, &[&door[..], &[DATABASE]].concat());
    assert_eq!(said.text(), "501\nwal", "{}", said.error_text());
    assert!(said.success(), "{}", said.error_text());
    assert_fails(guest);

    succeed(guest, &["leave-wal", "--apply"]);
    let written = guest.run(&[PYTHON, "-I", "-c", PROGRAM, DATABASE]).expect("it ran");
    assert_eq!(written.text(), "502\ndelete", "{}", written.error_text());
}

#[test]
#[ignore = "boots guests: cargo xtask lab quick"]
fn a_remedy_is_carried_out_and_taken_back_on_virtiofs_without_a_cache() {
    let server = "/usr/lib/qemu/virtiofsd or /usr/libexec/virtiofsd";
    let lab = lab(&["qemu-system-x86_64", "a kernel", "sqlite3", PYTHON, server]);
    let directory = lab.directory().join("share");
    std::fs::create_dir(&directory).expect("made");
    killed_in_wal_mode(&directory);
    let socket = lab.directory().join("virtiofs");
    let _server = virtiofs_server(&lab, &directory, &socket, Kept::Nothing);
    let spec = guest_spec().share(QemuShare::vhost_user(&socket, "media"));
    let guest = &lab.guest(spec).expect("a guest");
    let mount = format!("mkdir -p {IN_GUEST} {LOCAL}; mount -t virtiofs media {IN_GUEST}");
    guest.shell(&mount).expect("it ran").require_success().expect("it succeeded");
    carried_out_and_taken_back(guest, &directory);
}

/// Before, nothing works; after each of two remedies everything does; undone, the files are as
/// before, byte for byte.
fn carried_out_and_taken_back(guest: &Guest, directory: &Path) {
    assert_fails(guest);
    // The programs that failed have cut the wal-index.
    let before = Files::of(directory);

    succeed(guest, &["leave-wal", "--apply"]);
    assert_eq!(stock(guest, COUNT), "500");
    assert_eq!(stock(guest, "PRAGMA journal_mode; PRAGMA integrity_check"), "delete\nok");
    succeed(guest, &["leave-wal", "--undo"]);
    Files::of(directory).assert_same(&before);
    assert_fails(guest);
    Files::of(directory).assert_same(&before);

    let away = ["move", "--to", LOCAL, "--apply"];
    succeed(guest, &away);
    assert!(succeed(guest, &away).contains("done by an earlier run"));
    assert_eq!(stock(guest, COUNT), "500");
    assert_eq!(stock(guest, "PRAGMA journal_mode; PRAGMA integrity_check"), "wal\nok");
    succeed(guest, &["move", "--undo"]);
    Files::of(directory).assert_same(&before);
    assert!(!directory.join(".tombolo-fix-app.db").exists());
}

/// What stock SQLite in the guest answers.
fn stock(guest: &Guest, statements: &str) -> String {
    let output = guest.run(&["sqlite3", DATABASE, statements]).expect("it ran");
    output.text() + &output.error_text()
}

/// Both a program and the user who would convert the database are refused.
#[track_caller]
fn assert_fails(guest: &Guest) {
    let output = guest.run(&[PYTHON, "-I", "-c", PROGRAM, DATABASE]).expect("it ran");
    assert_eq!(output.text(), "SQLITE_IOERR_SHMMAP", "{}", output.error_text());
    for statements in [COUNT, "PRAGMA journal_mode=DELETE"] {
        let said = stock(guest, statements);
        assert!(said.contains("disk I/O error"), "{said}");
    }
}

fn tombolo(guest: &Guest, arguments: &[&str]) -> Output {
    let command = guest.command(&[&[built()], arguments].concat()).timeout(PATIENCE);
    command.run().expect("it ran")
}

/// Without `--assume-unused`: root in the guest can look at all of its programs.
#[track_caller]
fn succeed(guest: &Guest, arguments: &[&str]) -> String {
    let output = tombolo(guest, &[&["fix", DATABASE], arguments].concat());
    assert!(output.success(), "{arguments:?}: {}{}", output.text(), output.error_text());
    output.text()
}
