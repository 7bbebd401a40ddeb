//! `move`: whole runs, cut-off ones, and their undoing.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

mod common;

use common::{
    ROWS, apply_or_finish, assert_same, files, killed_in_wal_mode, seen, with_rollback_journal,
    with_tools,
};
use rusqlite::Connection;
use std::path::Path;
use tempfile::TempDir;
use tombolo_remedy::Error;
use tombolo_remedy::remedies::{Behind, relocate};
use tombolo_remedy::run::{self, Outcome};
use tombolo_remedy::state::Place;

struct Setting {
    old: TempDir,
    new: TempDir,
}

impl Setting {
    fn new(prepare: fn(&Path)) -> Self {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        prepare(old.path());
        Setting { old, new }
    }

    /// The path that a program knows.
    fn known(&self) -> std::path::PathBuf {
        self.old.path().join("app.db")
    }

    /// Made of a path whose last part is not followed: it can be a link by now.
    fn place(&self) -> Place {
        let directory = std::fs::canonicalize(self.old.path()).unwrap();
        Place::at(directory, "app.db".to_owned())
    }

    fn apply(&self, behind: Behind, stop_at: Option<usize>) -> Result<Outcome, Error> {
        let place = self.place();
        apply_or_finish(&place, || relocate(&place, self.new.path(), behind), stop_at)
    }

    fn undo(&self, stop_at: Option<usize>) -> Result<Outcome, Error> {
        with_tools(stop_at, Vec::new(), |tools| run::undo(&self.place(), tools))
    }
}

#[test]
fn the_path_leads_to_the_copy_and_every_byte_comes_back() {
    for prepare in [killed_in_wal_mode, with_rollback_journal] {
        let setting = Setting::new(prepare);
        let before = files(setting.old.path());
        let expected = seen(&setting.known());
        setting.apply(Behind::Link, None).unwrap();
        assert_eq!(seen(&setting.known()), expected);
        assert!(setting.known().is_symlink());
        assert_eq!(files(setting.new.path()).into_keys().collect::<Vec<_>>(), ["app.db"]);
        for (name, bytes) in &before {
            let old = setting.old.path().join(format!("{name}.moved-by-tombolo"));
            assert_eq!(&std::fs::read(old).unwrap(), bytes, "{name}");
        }
        setting.undo(None).unwrap();
        assert_same(&files(setting.old.path()), &before);
        assert!(files(setting.new.path()).is_empty());
        assert!(!setting.place().state().exists());
    }
}

#[test]
fn without_a_link_the_old_path_is_empty() {
    let setting = Setting::new(killed_in_wal_mode);
    let before = files(setting.old.path());
    setting.apply(Behind::Nothing, None).unwrap();
    assert!(!setting.known().exists());
    assert_eq!(seen(&setting.new.path().join("app.db")).0, ROWS);
    setting.undo(None).unwrap();
    assert_same(&files(setting.old.path()), &before);
}

#[test]
fn with_a_link_a_program_finds_the_database_at_every_moment() {
    for number in 0.. {
        let setting = Setting::new(killed_in_wal_mode);
        let stopped = setting.apply(Behind::Link, Some(number));
        assert_eq!(seen(&setting.known()).0, ROWS, "stopped at question {number}");
        match stopped {
            Ok(_) => {
                assert!(number > 10, "{number}");
                break;
            }
            Err(Error::Stopped) => {}
            Err(error) => panic!("{error}"),
        }
        setting.apply(Behind::Link, None).unwrap();
        assert!(setting.known().is_symlink());
        assert_eq!(seen(&setting.known()).0, ROWS);
    }
}

#[test]
fn a_run_that_was_stopped_anywhere_can_be_undone() {
    for behind in [Behind::Link, Behind::Nothing] {
        for number in 0.. {
            let setting = Setting::new(killed_in_wal_mode);
            let before = files(setting.old.path());
            let stopped = setting.apply(behind, Some(number));
            match setting.undo(None) {
                Ok(_) | Err(Error::NothingRecorded(_)) => {}
                Err(error) => panic!("question {number}: {error}"),
            }
            assert_same(&files(setting.old.path()), &before);
            assert!(files(setting.new.path()).is_empty(), "stopped at question {number}");
            match stopped {
                Ok(_) => break,
                Err(Error::Stopped) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn what_was_committed_at_the_new_place_is_never_removed() {
    let setting = Setting::new(killed_in_wal_mode);
    setting.apply(Behind::Link, None).unwrap();
    let connection = Connection::open(setting.known()).unwrap();
    connection.execute("INSERT INTO t VALUES (1000, 'since')", []).unwrap();
    drop(connection);
    let refused = setting.undo(None).unwrap_err();
    assert!(matches!(refused, Error::CommittedSince { .. }), "{refused}");
    assert_eq!(seen(&setting.known()).0, ROWS + 1);
    // The run stands as it stood, so the old files can be given up.
    let standing = tombolo_remedy::run::recorded(&setting.place()).unwrap().unwrap();
    assert_eq!(standing.ended, Some(tombolo_remedy::record::Ended::Applied));
}

#[test]
fn a_directory_that_does_not_exist_is_named() {
    let setting = Setting::new(with_rollback_journal);
    let error = relocate(&setting.place(), &setting.new.path().join("absent"), Behind::Link);
    let error = error.unwrap_err();
    assert!(matches!(&error, Error::NoDirectory(call) if call.path.ends_with("absent")), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("make the directory first")), "{error}");
}

#[test]
fn nothing_is_overwritten() {
    let setting = Setting::new(killed_in_wal_mode);
    std::fs::write(setting.new.path().join("app.db"), "mine").unwrap();
    let refused = setting.apply(Behind::Link, None).unwrap_err();
    assert!(matches!(refused, Error::NotApplicable(_)), "{refused}");
    assert_eq!(std::fs::read(setting.new.path().join("app.db")).unwrap(), b"mine");
}

#[test]
fn a_new_database_at_the_old_path_is_not_taken_for_the_old_one() {
    let setting = Setting::new(with_rollback_journal);
    setting.apply(Behind::Nothing, None).unwrap();
    std::fs::write(setting.known(), "made by a program that was started too early").unwrap();
    let refused = setting.undo(None).unwrap_err();
    assert!(matches!(refused, Error::Changed { .. }), "{refused}");
}
