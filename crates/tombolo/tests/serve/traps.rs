//! What SQLite does with a file whose owner is another process, and must not notice.

use crate::harness::{Owner, door, finished, library, printed};
use std::path::Path;
use std::process::Command;
use tombolo_lab::{Errno, Preload, Refused, Times};

/// What a function of `programs/traps.py` prints, line by line.
fn lines(what: &str) -> Vec<String> {
    let owner = Owner::new();
    let said = finished(owner.program("traps.py", &[what]));
    assert_eq!(printed(&owner.stock("PRAGMA integrity_check;")), "ok");
    said.lines().map(str::to_owned).collect()
}

#[test]
fn own_commits_leave_sqlites_cache_alone_and_those_of_others_do_not() {
    assert_eq!(lines("data_version"), ["0", "True other", "0"]);
}

#[test]
fn a_backup_goes_either_way_and_one_with_other_pages_is_refused_cleanly() {
    let refused = "OperationalError attempt to write a readonly database";
    assert_eq!(lines("backup"), ["200 ok", "1 1", "7 ok", refused, "7", "8"]);
}

#[test]
fn who_opens_for_reading_only_cannot_write_and_what_is_immutable_is_one_version() {
    let refused = "OperationalError attempt to write a readonly database";
    assert_eq!(lines("read_only"), ["3 3", "2 3", refused, refused, "2"]);
}

#[test]
fn the_same_database_attached_twice_is_two_connections() {
    assert_eq!(lines("twice"), ["3", "2", "OperationalError database is locked", "1"]);
}

#[test]
fn a_reader_keeps_its_snapshot_and_cannot_write_over_what_it_has_not_seen() {
    assert_eq!(lines("upgrade"), ["3", "3", "517", "True", "1"]);
}

#[test]
fn auto_vacuum_cuts_the_file_of_everybody() {
    assert_eq!(lines("vacuum"), ["FULL True ok", "True", "INCREMENTAL True ok", "True"]);
}

#[test]
fn synchronous_off_commits_and_a_checkpoint_reaches_the_owner() {
    assert_eq!(lines("levels"), ["3", "3 0"]);
}

#[test]
fn an_exclusive_lock_that_came_by_the_main_database_leaves_the_file_sound() {
    let refused = "OperationalError unable to open database file";
    assert_eq!(lines("unqualified"), ["done", "done", "done", refused, "3 ok", "wal"]);
}

#[test]
fn a_child_that_closes_its_parents_file_ends_nothing() {
    assert_eq!(lines("forked"), ["OperationalError disk I/O error", "2"]);
}

#[test]
fn who_waits_for_the_turn_waits_at_the_owner_and_comes_before_who_asks_later() {
    assert_eq!(lines("waits"), ["served"]);
}

#[test]
fn a_program_at_the_door_never_opens_the_files() {
    let owner = Owner::new();
    let home = tempfile::tempdir().expect("a directory");
    let mut preload = Preload::new(&home.path().join("answers")).expect("built beside this test");
    for suffix in ["app.db", "app.db-wal", "app.db-shm", "app.db-journal"] {
        preload = preload.refuse(Refused::Open, suffix, Errno::EIO, Times::From(1));
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/serve/programs/traps.py");
    let mut command = Command::new("/usr/bin/python3");
    command.arg(program).arg(owner.database()).arg("never_open");
    command.env("TOMBOLO_LIBRARY", library());
    preload.apply(&mut command);
    assert_eq!(printed(&command.output().expect("it runs")), "200\nok");
    assert_eq!(preload.answers(), [""; 0]);
    // As a program does that has the file itself.
    let mut command = Command::new("sqlite3");
    command.arg(owner.database()).arg("SELECT count(*) FROM t;");
    preload.apply(&mut command);
    assert!(!command.output().expect("it runs").status.success());
    assert!(!preload.answers().is_empty(), "the test would notice");
}

/// What the shell prints and logs of SQL in which the owner is killed, and which goes on.
fn with_a_killed_owner(sql: &str) -> String {
    let mut owner = Owner::new();
    printed(&owner.door("CREATE TABLE t(a); INSERT INTO t VALUES(1);"));
    // Until it is a zombie: then its sockets are closed.
    let id = owner.id();
    let home = tempfile::tempdir().expect("a directory");
    let script = home.path().join("kill.sh");
    let wait = format!("until grep -q ^State:.Z /proc/{id}/status; do sleep 0.05; done");
    std::fs::write(&script, format!("kill -9 {id}; {wait}")).expect("written");
    let kill = format!(".shell sh {}", script.display());
    let mut command = Command::new("sqlite3");
    let open = format!(".open 'file:{}?vfs=tombolo'", owner.database().display());
    command.args(["-cmd", &format!(".load {}", library().display()), "-cmd", &open]);
    command.args(["-cmd", ".log stdout", ":memory:"]);
    for part in sql.split('|') {
        command.arg(if part == "KILL" { kill.as_str() } else { part });
    }
    let output = command.output().expect("the distribution's sqlite3 is installed");
    assert!(output.status.code().is_some(), "a signal ended it: {}", output.status);
    owner.kill_and_restart();
    assert_eq!(printed(&door(&owner.database(), "", "SELECT a FROM t;")), "1", "{sql}");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[test]
fn where_nobody_can_say_what_became_of_a_commit_that_is_the_error() {
    let said = with_a_killed_owner("BEGIN; INSERT INTO t VALUES(2);|KILL|COMMIT;");
    assert!(said.contains("outcome unknown"), "{said}");
    assert!(said.contains("disk I/O error"), "{said}");
}

#[test]
fn a_connection_that_is_lost_in_a_transaction_is_an_error_with_its_reason() {
    let said = with_a_killed_owner("BEGIN; SELECT 1 FROM sqlite_schema;|KILL|SELECT a FROM t;");
    assert!(said.contains("disk I/O error"), "{said}");
    assert!(said.contains("tombolo: ") && said.contains("owner"), "{said}");
}
