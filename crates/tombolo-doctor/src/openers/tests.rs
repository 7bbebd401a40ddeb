//! Programs that hold a database, as real processes.

use super::testing::{Program, shell_version};
use super::*;
use std::time::Duration;
use tombolo_core::finding::Code;
use tombolo_core::report::Severity;

fn scene() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("real path").join("app.db");
    write_header(&path);
    (directory, path)
}

/// Written by another process: children that other tests fork at this moment would inherit a
/// descriptor of this one, and count as programs that have the file open.
fn write_header(path: &Path) {
    let script = "printf 'SQLite format 3\\0' >\"$0\"";
    let status = std::process::Command::new("sh").args(["-c", script]).arg(path).status();
    assert!(status.expect("a shell").success());
}

fn look(path: &Path) -> Openers {
    look_as(path, HeaderMode::Rollback)
}

fn look_as(path: &Path, mode: HeaderMode) -> Openers {
    let files = Place::at(Viewpoint::Own).files(path, mode).expect("the database");
    last_answer(Path::new("/proc"), &files)
}

fn last_answer(proc_root: &Path, files: &DatabaseFiles<'_>) -> Openers {
    let mut answer = None;
    let versions = Versions::SearchedUntil(Instant::now() + Duration::from_secs(20));
    find(proc_root, std::slice::from_ref(files), versions, &mut |place, found| {
        assert_eq!(place, 0);
        answer = Some(found);
    });
    answer.expect("an answer")
}

#[test]
fn a_program_is_found_with_its_way_of_opening() {
    let (directory, path) = scene();
    let writer = Program::shell(directory.path(), "exec 5<>app.db");
    let reader = Program::shell(directory.path(), "exec 5<app.db");
    let found = look(&path);
    let of = |pid| found.openers.iter().find(|opener| opener.pid == pid).expect("found");
    assert_eq!(found.openers.len(), 2);
    assert!(of(writer.pid()).writable && !of(reader.pid()).writable);
    assert_eq!(of(reader.pid()).program, "sh");
    assert!(found.drafts.is_empty(), "{:?}", found.drafts);
    assert!(found.observation.summary.contains(&format!("sh ({}", writer.pid())));
}

#[test]
fn sidecar_deleted_open_is_a_danger_and_a_deleted_journal_is_not() {
    let (directory, path) = scene();
    let _holder = Program::shell(
        directory.path(),
        "exec 5<>app.db 6>app.db-wal 7>app.db-journal; rm app.db-wal app.db-journal",
    );
    let found = look(&path);
    assert_eq!(found.drafts.len(), 1);
    assert_eq!(found.drafts[0].code, Code::SidecarDeletedOpen);
    assert!(found.drafts[0].what.contains("app.db-wal"), "{}", found.drafts[0].what);
}

#[test]
fn a_replaced_database_is_found_at_the_program_that_still_uses_the_old_one() {
    let (directory, path) = scene();
    let holder = Program::shell(directory.path(), "exec 5<>app.db; cp app.db new; mv new app.db");
    let found = look(&path);
    assert_eq!(found.openers.iter().map(|opener| opener.pid).collect::<Vec<_>>(), [holder.pid()]);
    assert_eq!(found.drafts[0].code, Code::SidecarDeletedOpen);
}

#[test]
fn nobody_is_said_to_be_nobody_and_a_missing_proc_is_not() {
    let (directory, path) = scene();
    assert!(look(&path).observation.summary.contains("no program of this kernel"));
    let files = Place::at(Viewpoint::Own).files(&path, HeaderMode::Wal).expect("the database");
    let blind = last_answer(&directory.path().join("proc"), &files);
    assert_eq!(blind.observation.outcome, Outcome::NotRun);
    assert_eq!(blind.observation.errno, Some(Errno::ENOENT));
}

#[test]
fn two_shells_with_an_old_sqlite_show_their_locks_and_the_wal_reset_bug() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("real path").join("app.db");
    let sql = "PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(1);";
    let programs = [Program::sqlite(&path, sql), Program::sqlite(&path, sql)];
    let found = look_as(&path, HeaderMode::Wal);
    let mut pids = programs.each_ref().map(Program::pid);
    pids.sort_unstable();
    assert_eq!(found.openers.iter().map(|opener| opener.pid).collect::<Vec<_>>(), pids);
    for opener in &found.openers {
        assert_eq!(opener.sqlite_version.as_deref(), Some(shell_version().as_str()));
        assert_eq!(opener.locks, ["DMS", "SHARED"]);
        assert!(opener.writable);
    }
    let version: tombolo_core::sqlite::version::SqliteVersion =
        shell_version().parse().expect("a version");
    let expected = version.has_wal_reset_bug().then_some((Code::WalResetBug, Severity::Warning));
    let drafts: Vec<_> = found.drafts.iter().map(|draft| (draft.code, draft.severity)).collect();
    assert_eq!(drafts, Vec::from_iter(expected));
}

#[test]
fn a_program_that_may_not_be_looked_at_is_known_by_its_locks() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.db");
    let _holder = Program::sqlite(&path, "CREATE TABLE t(x); BEGIN IMMEDIATE;");
    let files = Place::at(Viewpoint::Own).files(&path, HeaderMode::Rollback).expect("the database");
    let held = process::locks(Path::new("/proc")).expect("the table of locks");
    let lock = held.iter().find(|lock| lock.inode == files.database.inode);
    let unseen = [lock.expect("RESERVED is held").pid.expect("its process")];
    let all = [files];
    let found = by_locks(Path::new("/proc"), &all, &Index::of(&all), &unseen);
    assert_eq!(found.len(), 1);
    let opener = found[0].1.opener();
    assert_eq!(opener.pid, unseen[0]);
    assert_eq!(opener.locks, ["RESERVED", "SHARED"]);
    assert!(by_locks(Path::new("/proc"), &all, &Index::of(&all), &[]).is_empty());
}

#[test]
fn of_many_databases_each_gets_its_own_programs() {
    let directory = tempfile::tempdir().expect("a directory");
    let base = directory.path().canonicalize().expect("real path");
    std::fs::create_dir(base.join("other")).expect("mkdir");
    let paths = [base.join("a.db"), base.join("b.db"), base.join("other/a.db")];
    let sql = "PRAGMA journal_mode=WAL; CREATE TABLE t(x);";
    let programs = [Program::sqlite(&paths[0], sql), Program::sqlite(&paths[2], sql)];
    write_header(&paths[1]);
    let place = Place::at(Viewpoint::Own);
    let files: Vec<_> = paths
        .iter()
        .map(|path| place.files(path, HeaderMode::Wal).expect("the database"))
        .collect();
    let mut pids: Vec<Vec<i32>> = vec![Vec::new(); 3];
    let versions = Versions::SearchedUntil(Instant::now() + Duration::from_secs(20));
    find(Path::new("/proc"), &files, versions, &mut |place, found| {
        pids[place] = found.openers.iter().map(|opener| opener.pid).collect();
    });
    assert_eq!(pids, [vec![programs[0].pid()], vec![], vec![programs[1].pid()]]);
}

#[test]
fn who_asks_for_no_version_gets_one_answer_without_any() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().canonicalize().expect("real path").join("app.db");
    let _program = Program::sqlite(&path, "CREATE TABLE t(x);");
    let files = Place::at(Viewpoint::Own).files(&path, HeaderMode::Rollback).expect("the database");
    let mut answers = Vec::new();
    find(Path::new("/proc"), &[files], Versions::LeftOut, &mut |_, found| answers.push(found));
    let openers: Vec<&Opener> = answers.iter().flat_map(|found| &found.openers).collect();
    assert!(matches!(openers.as_slice(), [opener] if opener.sqlite_version.is_none()));
}
