//! Real programs on this machine, found without being told where. Root is needed.

use super::*;
use crate::openers::testing::Program as Running;
use std::path::PathBuf;
use std::process::Command;
use tombolo_core::finding::Code;
use tombolo_core::report::{DatabaseState, HeaderMode, OpenDatabase, Severity};
use tombolo_os::map::SharedMap;
use tombolo_os::worker::Companion;

const WAL: &str = "PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);";

fn scene() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let base = directory.path().canonicalize().expect("real path");
    (directory, base)
}

fn look() -> MachineReport {
    survey(&Request { timeout: Duration::from_secs(20) }, &mut |_| {})
}

fn at<'a>(report: &'a MachineReport, path: &Path) -> Option<&'a OpenDatabase> {
    let path = path.to_str().expect("UTF-8");
    report.databases.iter().find(|database| database.path == path)
}

fn content(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(directory).expect("readable");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> =
        paths.map(|path| (path.clone(), std::fs::read(&path).expect("readable"))).collect();
    all.sort();
    all
}

#[test]
fn a_database_in_use_is_found_and_nothing_beside_it_moves() {
    let (_directory, base) = scene();
    let path = base.join("app.db");
    let program = Running::sqlite(&path, WAL);
    let before = content(&base);
    let report = look();
    assert!(content(&base) == before, "a file changed");
    let found = at(&report, &path).expect("the database");
    assert_eq!(
        (found.state, found.database.journal_mode),
        (DatabaseState::Healthy, HeaderMode::Wal)
    );
    assert!(found.database.wal.as_ref().is_some_and(|wal| wal.committed_frames > 0));
    assert!(found.seen_by.is_none() && found.not_examined.is_none());
    assert_eq!(found.next, format!("tombolo doctor {}", path.display()));
    let opener = found.database.openers.first().expect("the program");
    assert_eq!((opener.pid, opener.program.as_str()), (program.pid(), "sqlite3"));
    let group = report.programs.iter().find(|group| group.pids.contains(&program.pid()));
    assert!(group.expect("its group").databases.contains(&found.id));
}

#[test]
fn a_program_on_a_deleted_log_comes_before_the_healthy_ones() {
    let (_directory, base) = scene();
    let (good, lost) = (base.join("good.db"), base.join("lost.db"));
    let _programs = [Running::sqlite(&good, WAL), Running::sqlite(&lost, WAL)];
    std::fs::remove_file(base.join("lost.db-wal")).expect("deleted");
    let report = look();
    let place = |path: &Path| {
        let found = at(&report, path).expect("the database");
        report.databases.iter().position(|database| database.id == found.id)
    };
    assert!(place(&lost) < place(&good));
    let found = at(&report, &lost).expect("the database");
    assert_eq!(found.state, DatabaseState::Endangered);
    let finding = &found.findings[0];
    assert_eq!((finding.code, finding.severity), (Code::SidecarDeletedOpen, Severity::Danger));
    let cited = |id| report.evidence.iter().find(|entry| entry.id == id).expect("evidence");
    assert!(finding.evidence.iter().any(|id| cited(*id).summary.contains("lost.db")));
    assert!(finding.evidence.iter().all(|id| !cited(*id).summary.contains("good.db")));
}

#[test]
fn a_database_that_was_deleted_or_replaced_is_a_danger() {
    let (_directory, base) = scene();
    let path = base.join("app.db");
    let _program = Running::sqlite(&path, "CREATE TABLE t(x);");
    std::fs::copy(&path, base.join("new.db")).expect("copied");
    std::fs::rename(base.join("new.db"), &path).expect("replaced");
    let report = look();
    let found = at(&report, &path).expect("the old database");
    assert_eq!(found.findings[0].code, Code::SidecarDeletedOpen);
    assert!(found.not_examined.is_some());
}

#[test]
fn a_database_in_another_mount_namespace_is_seen_through_it() {
    let (_directory, base) = scene();
    let path = base.join("inner.db");
    let script = format!(
        "mount -t tmpfs t {base} && exec sqlite3 -batch {path} '{WAL}' '.print ready' '.read |cat'",
        base = base.display(),
        path = path.display()
    );
    let mut command = Command::new("unshare");
    let program = Running::start(command.args(["--mount", "sh", "-c", &script]), "");
    let report = look();
    let found = at(&report, &path).expect("the database");
    let viewpoint = found.seen_by.as_ref().expect("another view");
    assert_eq!((viewpoint.pid, viewpoint.program.as_str()), (program.pid(), "sqlite3"));
    assert_eq!(found.mount.as_ref().expect("its mount").filesystem, "tmpfs");
    assert_eq!(found.database.journal_mode, HeaderMode::Wal);
    assert!(found.database.wal.is_some(), "{found:?}");
    assert_eq!(found.next, format!("tombolo doctor --pid {} {}", program.pid(), path.display()));
    assert!(!path.exists(), "the mount must not show out here");
}

#[test]
fn a_database_without_the_header_is_known_by_its_log_and_temporary_files_are_passed_by() {
    let (_directory, base) = scene();
    let script = "exec 5<>secret.db 6<>secret.db-wal 7<>etilqs_x; echo encrypted >&5; \
                  printf 'SQLite format 3\\0%84s' x >&7; rm etilqs_x";
    let _program = Running::shell(&base, script);
    let report = look();
    let found = at(&report, &base.join("secret.db")).expect("the database");
    assert!(found.findings.iter().all(|finding| finding.code != Code::HeaderDamaged));
    assert!(at(&report, &base.join("etilqs_x")).is_none());
    assert!(at(&report, &base.join("secret.db-wal")).is_none());
}

#[test]
fn a_database_that_is_only_mapped_is_found_in_memory() {
    let (_directory, base) = scene();
    let path = base.join("mapped.db");
    std::fs::write(&path, [b"SQLite format 3\0".as_slice(), &[0; 4080]].concat()).expect("written");
    let mut child = Companion::start(|outbox, lifeline| {
        let file = std::fs::File::options().read(true).write(true).open(&path).expect("opened");
        let map = SharedMap::new(&file, 4096).expect("mapped");
        drop(file);
        outbox.send(b"ready");
        lifeline.wait();
        drop(map);
    })
    .expect("a child");
    let ready = child.message(Instant::now() + Duration::from_secs(10)).expect("mapped");
    assert_eq!(ready, b"ready");
    let report = look();
    let found = at(&report, &path).expect("the database");
    assert_eq!(found.database.openers.len(), 1);
    assert!(found.database.openers[0].writable);
}
