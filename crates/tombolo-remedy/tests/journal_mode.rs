//! `leave-wal` and `enter-wal`: whole runs, cut-off ones, and their undoing.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

mod common;

use common::{
    ROWS, assert_same, files, killed_in_wal_mode, seen, with_rollback_journal, with_tools,
};
use rusqlite::Connection;
use std::path::Path;
use tombolo_core::report::{Database, HeaderMode, Opener};
use tombolo_remedy::Error;
use tombolo_remedy::plan::{JournalMode, Plan};
use tombolo_remedy::remedies::{enter_wal, leave_wal};
use tombolo_remedy::run::{self, Outcome};
use tombolo_remedy::state::Place;

fn place(directory: &Path) -> Place {
    Place::of(&directory.join("app.db")).unwrap()
}

fn described(mode: HeaderMode) -> Database {
    Database {
        path: "app.db".to_owned(),
        size_bytes: 0,
        journal_mode: mode,
        page_size_bytes: None,
        writer_version: None,
        wal: None,
        wal_index: None,
        journal: None,
        openers: Vec::new(),
        findings: Vec::new(),
    }
}

fn plan(place: &Place, to: JournalMode) -> Plan {
    match to {
        JournalMode::Delete => leave_wal(place, &described(HeaderMode::Wal)).unwrap(),
        JournalMode::Wal => enter_wal(place, &described(HeaderMode::Rollback)).unwrap(),
    }
}

fn apply(place: &Place, to: JournalMode, stop_at: Option<usize>) -> Result<Outcome, Error> {
    with_tools(stop_at, Vec::new(), |tools| run::apply(place, plan(place, to), tools))
}

fn undo(place: &Place, stop_at: Option<usize>) -> Result<Outcome, Error> {
    with_tools(stop_at, Vec::new(), |tools| run::undo(place, tools))
}

fn prepared(to: JournalMode) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    match to {
        JournalMode::Delete => killed_in_wal_mode(directory.path()),
        JournalMode::Wal => with_rollback_journal(directory.path()),
    }
    directory
}

#[test]
fn the_log_is_kept_and_every_byte_comes_back() {
    for to in [JournalMode::Delete, JournalMode::Wal] {
        let directory = prepared(to);
        let place = place(directory.path());
        let before = files(directory.path());
        assert_eq!(seen(&place.target()), (ROWS, to.other().as_str().to_owned()));
        apply(&place, to, None).unwrap();
        assert_eq!(seen(&place.target()), (ROWS, to.as_str().to_owned()));
        let names: Vec<String> = files(directory.path()).into_keys().collect();
        assert_eq!(names, ["app.db"], "nothing is left beside it");
        undo(&place, None).unwrap();
        assert_same(&files(directory.path()), &before);
        assert!(!place.state().exists());
    }
}

/// Whether a run is stopped, finished and undone at its n-th question; `None` when it has fewer.
fn stopped_at(to: JournalMode, number: usize) -> Option<tempfile::TempDir> {
    let directory = prepared(to);
    let place = place(directory.path());
    match apply(&place, to, Some(number)) {
        Ok(_) => return None,
        Err(Error::Stopped) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(seen(&place.target()).0, ROWS, "stopped at question {number}");
    Some(directory)
}

#[test]
fn a_run_that_was_stopped_anywhere_can_be_finished() {
    for to in [JournalMode::Delete, JournalMode::Wal] {
        let mut stops = 0;
        while let Some(directory) = stopped_at(to, stops) {
            let place = place(directory.path());
            apply(&place, to, None).unwrap();
            assert_eq!(seen(&place.target()), (ROWS, to.as_str().to_owned()));
            stops += 1;
        }
        assert!(stops > 10, "{stops}");
    }
}

#[test]
fn a_run_that_was_stopped_anywhere_can_be_undone() {
    for to in [JournalMode::Delete, JournalMode::Wal] {
        let before = {
            let directory = prepared(to);
            seen(&place(directory.path()).target())
        };
        let mut stops = 0;
        while let Some(directory) = stopped_at(to, stops) {
            let place = place(directory.path());
            match undo(&place, None) {
                Ok(_) => assert!(!place.state().exists()),
                // Nothing had been begun.
                Err(Error::NothingRecorded(_)) => {}
                Err(error) => panic!("{error}"),
            }
            assert_eq!(seen(&place.target()), before, "stopped at question {stops}");
            stops += 1;
        }
    }
}

#[test]
fn an_undo_that_was_stopped_anywhere_can_be_finished() {
    for to in [JournalMode::Delete, JournalMode::Wal] {
        for number in 0.. {
            let directory = prepared(to);
            let place = place(directory.path());
            let before = files(directory.path());
            apply(&place, to, None).unwrap();
            let stopped = undo(&place, Some(number));
            assert_eq!(seen(&place.target()).0, ROWS, "stopped at question {number}");
            match stopped {
                Ok(_) => {
                    assert!(number > 3, "{number}");
                    break;
                }
                Err(Error::Stopped) => {}
                Err(error) => panic!("{error}"),
            }
            undo(&place, None).unwrap();
            assert_same(&files(directory.path()), &before);
        }
    }
}

#[test]
fn what_was_committed_since_is_never_taken_back() {
    for to in [JournalMode::Delete, JournalMode::Wal] {
        let directory = prepared(to);
        let place = place(directory.path());
        apply(&place, to, None).unwrap();
        let connection = Connection::open(place.target()).unwrap();
        connection.execute("INSERT INTO t VALUES (1000, 'since')", []).unwrap();
        drop(connection);
        let outcome = undo(&place, None).unwrap();
        assert_eq!(seen(&place.target()), (ROWS + 1, to.other().as_str().to_owned()));
        assert!(outcome.notes[0].contains("written to since"), "{outcome:?}");
    }
}

#[test]
fn a_database_that_somebody_has_open_is_not_touched() {
    let directory = prepared(JournalMode::Delete);
    let place = place(directory.path());
    let before = files(directory.path());
    let opener = Opener {
        pid: 7,
        program: "server".to_owned(),
        writable: true,
        container: None,
        locks: Vec::new(),
        sqlite_version: None,
    };
    let refused = with_tools(None, vec![opener], |tools| {
        run::apply(&place, plan(&place, JournalMode::Delete), tools)
    });
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::InUse(_)));
    assert!(refused.to_string().contains("server (process 7)"), "{refused}");
    assert_same(&files(directory.path()), &before);
}

#[test]
fn a_damaged_database_is_not_touched() {
    let directory = prepared(JournalMode::Delete);
    let place = place(directory.path());
    let mut bytes = std::fs::read(place.target()).unwrap();
    bytes[4096 * 3..4096 * 4].fill(0x5a);
    std::fs::write(place.target(), bytes).unwrap();
    let before = files(directory.path());
    let refused = apply(&place, JournalMode::Delete, None).unwrap_err();
    assert!(matches!(refused, Error::Damaged(_)), "{refused}");
    assert_same(&files(directory.path()), &before);
}

#[test]
fn a_hot_journal_is_rolled_back_and_comes_back_by_undoing() {
    let directory = tempfile::tempdir().unwrap();
    let live = tempfile::tempdir().unwrap();
    with_rollback_journal(live.path());
    let connection = Connection::open(live.path().join("app.db")).unwrap();
    connection
        .execute_batch("PRAGMA cache_size=5; BEGIN; UPDATE t SET x = 'never committed';")
        .unwrap();
    connection
        .execute_batch("INSERT INTO t SELECT id + 5000, hex(randomblob(5000)) FROM t;")
        .unwrap();
    for name in ["app.db", "app.db-journal"] {
        std::fs::copy(live.path().join(name), directory.path().join(name)).unwrap();
    }
    let place = place(directory.path());
    let before = files(directory.path());
    assert_ne!(before["app.db-journal"][0], 0, "the journal is hot");
    apply(&place, JournalMode::Wal, None).unwrap();
    assert_eq!(seen(&place.target()), (ROWS, "wal".to_owned()));
    undo(&place, None).unwrap();
    assert_same(&files(directory.path()), &before);
    assert_eq!(seen(&place.target()), (ROWS, "delete".to_owned()));
}

#[test]
fn runs_of_two_remedies_do_not_mix() {
    let directory = prepared(JournalMode::Delete);
    let place = place(directory.path());
    apply(&place, JournalMode::Delete, Some(4)).unwrap_err();
    let other = enter_wal(&place, &described(HeaderMode::Rollback)).unwrap();
    let refused = with_tools(None, Vec::new(), |tools| run::apply(&place, other, tools));
    assert!(matches!(refused, Err(Error::Unfinished { remedy: "leave-wal" })), "{refused:?}");
}

#[test]
fn a_record_that_others_can_write_is_not_believed() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = prepared(JournalMode::Delete);
    let place = place(directory.path());
    apply(&place, JournalMode::Delete, Some(4)).unwrap_err();
    let open = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(place.state(), open).unwrap();
    let refused = undo(&place, None).unwrap_err();
    assert!(matches!(refused, Error::Record { .. }), "{refused}");
}
