//! An error of the kernel at each call of a kind: the first, the second, until a run meets none.
//! Whatever fails, nothing that was acknowledged is lost, and whoever asked is told the truth.
//!
//! Each run is a process of its own, in which a preload library refuses that one call. It works as
//! an owner does, with the engine alone, and writes down what it was answered.

use super::{Scene, Sent, session};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tombolo_core::owner::engine::{CheckpointMode, Engine as _, EngineError, Reserved, Version};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_lab::{Errno, Preload, Refused, Times};
use tombolo_owner::engine::{EngineKind, StockEngine};

/// Where a run finds its database; without it, it makes one.
const DIRECTORY_VARIABLE: &str = "TOMBOLO_TEST_DIRECTORY";
/// Rows, each on a page of its own, and as many commits: each of another row.
const ROWS: u32 = 7;
/// A run has fewer calls of each kind.
const CALLS_MAX: u32 = 500;

/// A database whose log has what nobody has copied yet, as a killed owner leaves it, with a
/// transaction for each row beside it.
struct Prepared {
    scene: Scene,
    directory: PathBuf,
}

impl Prepared {
    fn new() -> Self {
        let scene = Scene::new();
        scene.stock("PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
        drop(scene.open());
        let row = |id: u32| format!("INSERT INTO t VALUES({id}, printf('%2500s', 'before'));");
        let engine = scene.open();
        scene.stock(&(1..=ROWS).map(row).collect::<String>());
        drop(engine);
        let base = scene.image();
        let directory = scene.database.parent().expect("it has one").to_owned();
        for id in 1..=ROWS {
            let update = format!("UPDATE t SET x = printf('%2500s', 'after {id}') WHERE id = {id}");
            let (sent, _) = session(&base, &update);
            let own: Vec<_> = sent.pages.iter().filter(|(number, _)| **number != 1).collect();
            let [(number, page)] = own.as_slice() else { panic!("a row has a page of its own") };
            std::fs::write(directory.join(format!("{id}.{number}.page")), page).expect("written");
        }
        Prepared { scene, directory }
    }

    /// The rows that are as a commit left them.
    fn after(&self) -> BTreeSet<u32> {
        let rows = self.scene.stock("SELECT id FROM t WHERE trim(x) = 'after ' || id");
        rows.lines().map(|line| line.parse().expect("a number")).collect()
    }
}

/// The page of each row as its transaction writes it.
fn transactions(directory: &Path) -> BTreeMap<u32, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("readable") {
        let path = entry.expect("read").path();
        let name = path.file_name().expect("it has one").to_string_lossy().into_owned();
        if let Some((id, page)) = name.strip_suffix(".page").and_then(|name| name.split_once('.')) {
            let number = |text: &str| text.parse().expect("a number");
            found.insert(number(id), (number(page), std::fs::read(&path).expect("read")));
        }
    }
    found
}

/// What a run did and was told, in a file that no rule is about.
struct Report {
    text: String,
    path: PathBuf,
}

impl Report {
    fn note(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("a string");
        std::fs::write(&self.path, &self.text).expect("written");
    }

    fn failed(&mut self, error: &EngineError) {
        self.note(&format!("failed {} {error}", error.code.name()));
    }
}

/// The newest version is held and read, one page is written on top, and the log is synced.
fn commit(
    engine: &mut StockEngine,
    held: &mut Vec<Version>,
    (number, page): &(u32, Vec<u8>),
) -> Result<(), EngineError> {
    let newest = engine.newest()?;
    engine.pin(newest)?;
    // Two are held at a time, so that connections are opened and used again.
    held.push(newest);
    if held.len() > 2 {
        engine.unpin(held.remove(0));
    }
    let size_pages = engine.shape(newest)?.size_pages;
    engine.read(newest, 1, size_pages, &mut Vec::new())?;
    let Reserved::At(_) = engine.reserve()? else {
        let message = "nobody else writes".to_owned();
        return Err(EngineError { code: ResultCode::BUSY, errno: None, message });
    };
    let pages = BTreeMap::from([(*number, page.clone())]);
    engine.commit(&mut Sent { size_pages, pages }).map(drop)
}

/// Works as an owner does. After a sync that failed an owner ends.
fn work(directory: &Path) {
    let transactions = transactions(directory);
    let mut report = Report { text: String::new(), path: directory.join("report") };
    std::fs::write(directory.join("armed"), b"").expect("armed");
    let mut opened = None;
    while opened.is_none() {
        match StockEngine::open(&directory.join("app.db"), EngineKind::Shared, 4096) {
            Ok(engine) => opened = Some(engine),
            Err(error) => report.failed(&error),
        }
    }
    let mut engine = opened.expect("the loop ends with one");
    let mut held = Vec::new();
    for (id, transaction) in &transactions {
        match commit(&mut engine, &mut held, transaction) {
            Err(error) => report.failed(&error),
            Ok(()) => match engine.log_file().sync() {
                Ok(()) => report.note(&format!("committed {id}")),
                Err(_) => return report.note("unknown"),
            },
        }
        if engine.is_log_lost() {
            return report.note("lost");
        }
        let mode = match id % 3 {
            0 => CheckpointMode::Truncate,
            1 => CheckpointMode::Passive,
            _ => continue,
        };
        if mode == CheckpointMode::Truncate {
            held.drain(..).for_each(|version| engine.unpin(version));
        }
        if let Err(error) = engine.checkpoint(mode) {
            report.failed(&error);
        }
    }
    report.note("end");
}

#[test]
#[ignore = "is run by the others of this file, in processes of their own"]
fn one_run() {
    match std::env::var_os(DIRECTORY_VARIABLE) {
        Some(directory) => work(Path::new(&directory)),
        None => {
            let prepared = Prepared::new();
            work(&prepared.directory);
            assert_eq!(prepared.after().len(), ROWS as usize);
        }
    }
}

/// Runs with one call refused. Whether there was such a call.
fn is_met(call: Refused, suffix: &str, errno: Errno, nth: u32) -> bool {
    let what = format!("{call:?} of {suffix}, {errno:?}, call {nth}");
    let prepared = Prepared::new();
    let directory = &prepared.directory;
    let preload = Preload::new(&directory.join("answers")).expect("built beside this test");
    let preload = preload.refuse(call, suffix, errno, Times::Only(nth));
    let preload = preload.when(&directory.join("armed"));
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "nth_error::one_run", "--ignored"]);
    command.env(DIRECTORY_VARIABLE, directory).stdout(Stdio::null());
    preload.apply(&mut command);
    assert!(command.status().expect("it runs").success(), "{what}");
    let report = std::fs::read_to_string(directory.join("report")).expect("it wrote one");
    let mut acknowledged = BTreeSet::new();
    for line in report.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("committed"), Some(id)) => {
                acknowledged.insert(id.parse::<u32>().expect("a number"));
            }
            (Some("failed"), Some(code)) => {
                // A program's own SQLite makes a database that is corrupt of the last of these.
                let family = ["SQLITE_IOERR", "SQLITE_FULL", "SQLITE_CANTOPEN"];
                let is_right = family.iter().any(|name| code.starts_with(name));
                assert!(is_right && code != "SQLITE_IOERR_CORRUPTFS", "{what}: {report}");
            }
            _ => {}
        }
    }
    let after = prepared.after();
    assert!(acknowledged.is_subset(&after), "{what}: {report}, and there are {after:?}");
    prepared.scene.assert_sound();
    let met = !preload.answers().is_empty();
    let is_whole = acknowledged.len() == ROWS as usize && report.ends_with("end\n");
    assert!(met || is_whole, "{what}: nothing was in its way: {report}");
    met
}

fn assert_each(call: Refused, suffix: &str, errno: Errno) {
    let met = (1..CALLS_MAX).take_while(|nth| is_met(call, suffix, errno, *nth)).count();
    assert!(met > 0 && met + 1 < CALLS_MAX as usize, "{call:?} of {suffix}: {met} calls");
}

#[test]
fn whatever_read_of_the_log_fails() {
    assert_each(Refused::Read, "app.db-wal", Errno::EIO);
}

#[test]
fn whatever_read_of_the_database_fails() {
    assert_each(Refused::Read, "app.db", Errno::EIO);
}

#[test]
fn whatever_write_of_the_log_fails() {
    assert_each(Refused::Write, "app.db-wal", Errno::EIO);
    assert_each(Refused::Write, "app.db-wal", Errno::ENOSPC);
}

#[test]
fn whatever_write_of_the_database_fails() {
    assert_each(Refused::Write, "app.db", Errno::EIO);
    assert_each(Refused::Write, "app.db", Errno::ENOSPC);
}

#[test]
fn whatever_sync_or_cut_fails() {
    assert_each(Refused::Sync, "app.db-wal", Errno::EIO);
    assert_each(Refused::Sync, "app.db", Errno::EIO);
    assert_each(Refused::Truncate, "app.db-wal", Errno::EIO);
}

#[test]
fn whatever_map_of_the_wal_index_fails() {
    assert_each(Refused::Map, "app.db-shm", Errno::EIO);
}
