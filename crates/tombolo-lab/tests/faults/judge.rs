//! The judge, on programs that lie, databases that are damaged, and programs that were killed.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_lab::{
    Answer, Charge, Incremented, Increments, Integrity, Invariant, Session, TABLES, judge, sqlite,
};

/// A database for increments on a local disk.
struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new(journal_mode: &str) -> Self {
        let place = Place { directory: tempfile::tempdir().expect("a directory") };
        let made =
            sqlite(&place.database(), &format!("PRAGMA journal_mode={journal_mode};{TABLES}"));
        assert_eq!(made, format!("{journal_mode}\n"));
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.at("app.db")
    }

    fn increments(&self, client: &str, count: u32) -> Increments {
        Increments {
            database: self.database(),
            client: client.to_owned(),
            count,
            acknowledgements: self.at(client),
            seed: 7,
            vfs: None,
            setup: Vec::new(),
            forget_every: None,
        }
    }

    fn charge(&self, clients: &[&str]) -> Charge {
        Charge::of_increments(clients.iter().map(|client| self.at(client)).collect())
    }
}

#[test]
fn a_program_that_loses_updates_on_purpose_is_caught() {
    let place = Place::new("delete");
    let careless = Increments { forget_every: Some(4), ..place.increments("careless", 10) };
    let honest = place.increments("honest", 10);
    let done = Incremented { seed: 7, acknowledged: 10, errors: BTreeMap::new() };
    for program in [&honest, &careless] {
        assert_eq!(program.start().expect("started").end().expect("ended"), done);
    }
    let verdict = judge(&place.database(), &place.charge(&["honest"])).expect("judged");
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(verdict.unacknowledged.len(), 7);
    let verdict = judge(&place.database(), &place.charge(&["honest", "careless"])).expect("judged");
    assert_eq!(verdict.missing, ["careless 0", "careless 4", "careless 8"]);
    assert_eq!((verdict.acknowledged, verdict.unacknowledged.len()), (20, 0));
    assert_eq!(verdict.integrity, Integrity::Sound);
    assert!(!verdict.is_clean());
}

#[test]
fn duplicates_and_broken_invariants_are_named() {
    let place = Place::new("wal");
    let twice = "INSERT INTO entry(client, number) VALUES('a', 0), ('a', 0), ('b', 1);";
    assert_eq!(sqlite(&place.database(), twice), "");
    // The last line has no end: it was being written when its program died.
    std::fs::write(place.at("log"), "a 0\nc 7").expect("written");
    let verdict = judge(&place.database(), &place.charge(&["log"])).expect("judged");
    assert_eq!(verdict.duplicates, ["a 0"]);
    assert_eq!(verdict.unacknowledged, ["b 1"]);
    assert_eq!((verdict.acknowledged, verdict.missing.len()), (1, 0));
    let [(Invariant { name, .. }, answer)] = &verdict.broken[..] else {
        panic!("one invariant, and it does not hold: {verdict:?}");
    };
    assert_eq!((*name, answer.as_str()), ("the counter is the number of entries", "0"));
    assert!(!verdict.is_clean());
}

#[test]
fn damage_is_told_from_what_is_no_database() {
    let place = Place::new("delete");
    place.increments("a", 50).start().expect("started").end().expect("ended");
    let file = std::fs::File::options().write(true).open(place.database()).expect("opened");
    let size_bytes = file.metadata().expect("stat").len();
    // Somewhere in the leaves, where a header of a page is.
    file.write_all_at(&[0xff; 4096], size_bytes / 4096 / 2 * 4096).expect("written");
    let verdict = judge(&place.database(), &place.charge(&["a"])).expect("judged");
    assert!(
        matches!(&verdict.integrity, Integrity::Damaged(_) | Integrity::Unreadable(_)),
        "{verdict:?}"
    );
    assert!(!verdict.is_clean());
    std::fs::write(place.database(), [0x55; 8192]).expect("written");
    let verdict = judge(&place.database(), &place.charge(&["a"])).expect("judged");
    let Integrity::Unreadable(error) = &verdict.integrity else { panic!("{verdict:?}") };
    assert!(error.contains("not a database"), "{error}");
    assert_eq!(verdict.missing.len(), 50);
    let absent = judge(&place.at("none.db"), &place.charge(&["a"])).expect("judged");
    assert_eq!(absent.missing.len(), 50);
}

/// Name, contents and time of all that is in a directory.
fn state(directory: &Path) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let entries = std::fs::read_dir(directory).expect("read").flatten();
    let file = |entry: std::fs::DirEntry| {
        let contents = std::fs::read(entry.path()).expect("read");
        let modified = entry.metadata().and_then(|status| status.modified()).expect("a time");
        (entry.file_name().to_string_lossy().into_owned(), (contents, modified))
    };
    entries.map(file).collect()
}

#[test]
fn judging_changes_nothing_and_counts_what_is_in_the_log() {
    let place = Place::new("wal");
    let mut program = Session::new(&place.database()).expect("started");
    let insert = "INSERT INTO entry(client, number) VALUES('a', 0)";
    assert_eq!(program.run(insert), Answer::Rows(Vec::new()));
    assert_eq!(program.run("UPDATE counter SET n = 1").outcome(), "ok");
    program.kill();
    assert_eq!(program.run("SELECT 1"), Answer::Died);
    std::fs::write(place.at("log"), "a 0\n").expect("written");
    let before = state(place.directory.path());
    assert!(before.contains_key("app.db-wal"), "{:?}", before.keys());
    let verdict = judge(&place.database(), &place.charge(&["log"])).expect("judged");
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(state(place.directory.path()), before);
}

#[test]
fn what_a_killed_program_has_acknowledged_is_there() {
    for journal_mode in ["delete", "wal"] {
        let place = Place::new(journal_mode);
        let mut running = place.increments("a", 1_000_000).start().expect("started");
        let start = Instant::now();
        let acknowledged =
            || std::fs::read_to_string(place.at("a")).map_or(0, |s| s.lines().count());
        while acknowledged() < 5 {
            assert!(start.elapsed() < Duration::from_secs(60), "nothing is acknowledged");
            std::thread::yield_now();
        }
        running.kill();
        let verdict = judge(&place.database(), &place.charge(&["a"])).expect("judged");
        assert!(verdict.is_clean() && verdict.acknowledged >= 5, "{journal_mode}: {verdict:?}");
        assert!(verdict.unacknowledged.len() <= 1, "{journal_mode}: {verdict:?}");
    }
}

#[test]
fn a_session_tells_rows_and_errors_by_name() {
    let place = Place::new("delete");
    let mut program = Session::new(&place.database()).expect("started");
    let rows = program.run("SELECT 'a\tb', 2, NULL UNION ALL SELECT 'c\nd', 3, x'00'");
    let expected = [["a\\tb", "2", "None"], ["c d", "3", "b'\\\\x00'"]];
    assert_eq!(rows, Answer::Rows(expected.map(|row| row.map(str::to_owned).to_vec()).to_vec()));
    assert_eq!(program.run("SELECT n FROM counter").value(), Some("0"));
    let mut other = Session::with_vfs(&place.database(), "unix").expect("started");
    assert_eq!(other.run("BEGIN EXCLUSIVE").outcome(), "ok");
    let refused = program.run("SELECT n FROM counter");
    let (name, text) = ("SQLITE_BUSY".to_owned(), "database is locked".to_owned());
    assert_eq!((refused.outcome(), refused.value()), ("SQLITE_BUSY", None));
    assert_eq!(refused, Answer::Failed { name, text });
    other.close().expect("ended");
    assert_eq!(program.run("SELECT n FROM counter").value(), Some("0"));
}
