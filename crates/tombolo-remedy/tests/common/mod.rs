//! Databases in the states in which remedies meet them, and runs that stop anywhere.
#![allow(dead_code, unreachable_pub)] // Each test program uses its part.

use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use tombolo_core::report::Opener;
use tombolo_remedy::guard::{Elsewhere, Programs, Watch};
use tombolo_remedy::plan::Plan;
use tombolo_remedy::run::{self, Outcome, Tools};
use tombolo_remedy::service::{Look, Manager, Services};
use tombolo_remedy::state::Place;
use tombolo_remedy::{Attend, Error};

/// Stops at the n-th question.
pub struct StopAt {
    pub left: Option<usize>,
}

impl Attend for StopAt {
    fn pass(&mut self) -> Result<(), Error> {
        match &mut self.left {
            None => Ok(()),
            Some(0) => Err(Error::Stopped),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn worked(&mut self, _bytes: u64) {}
}

/// Nobody, or somebody.
pub struct Openers(pub Vec<Opener>);

impl Watch for Openers {
    fn look(&mut self, _database: &Path) -> Result<Programs, String> {
        Ok(Programs { openers: self.0.clone(), not_seen: 0 })
    }
}

/// Carries a plan out, or the one of a run that was stopped, with tools that stop at the n-th
/// question.
pub fn apply_or_finish(
    place: &Place,
    plan: impl FnOnce() -> Result<Plan, Error>,
    stop_at: Option<usize>,
) -> Result<Outcome, Error> {
    apply_or_finish_by(&mut NoServices, place, plan, stop_at)
}

/// The same, with something that runs services.
pub fn apply_or_finish_by(
    services: &mut dyn Services,
    place: &Place,
    plan: impl FnOnce() -> Result<Plan, Error>,
    stop_at: Option<usize>,
) -> Result<Outcome, Error> {
    let plan = match run::recorded(place)? {
        Some(standing) if standing.ended.is_none() => standing.plan,
        _ => plan()?,
    };
    with_services(stop_at, Vec::new(), services, |tools| run::apply(place, plan, tools))
}

/// Runs `work` with tools that stop at the n-th question.
pub fn with_tools<T>(
    stop_at: Option<usize>,
    openers: Vec<Opener>,
    work: impl FnOnce(&mut Tools<'_>) -> T,
) -> T {
    with_services(stop_at, openers, &mut NoServices, work)
}

/// The same, with something that runs services.
pub fn with_services<T>(
    stop_at: Option<usize>,
    openers: Vec<Opener>,
    services: &mut dyn Services,
    work: impl FnOnce(&mut Tools<'_>) -> T,
) -> T {
    let (mut attend, mut watch) = (StopAt { left: stop_at }, Openers(openers));
    work(&mut Tools {
        attend: &mut attend,
        watch: &mut watch,
        services,
        elsewhere: Elsewhere::AssumeUnused,
        on_step: &mut |_, _| {},
        stop_wanted: || false,
    })
}

/// Where nothing runs services.
pub struct NoServices;

impl Services for NoServices {
    fn ask(&mut self, _manager: &Manager, words: &[&str]) -> Result<String, String> {
        Err(format!("{words:?} was asked"))
    }

    fn owner(&mut self, _database: &Path) -> Option<String> {
        None
    }

    fn look(&mut self, _look: &Look) -> Result<Vec<String>, String> {
        Err("nobody looks".to_owned())
    }
}

pub const ROWS: i64 = 60;

/// A database in WAL mode with some rows in it, and the last ones in its log only, as a program
/// leaves it that was killed.
pub fn killed_in_wal_mode(directory: &Path) {
    let live = tempfile::tempdir().unwrap();
    let path = live.path().join("app.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT);")
        .unwrap();
    for id in 0..ROWS {
        if id == ROWS / 2 {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        }
        connection
            .execute("INSERT INTO t VALUES (?1, ?2)", (id, format!("row {id} {}", "x".repeat(300))))
            .unwrap();
    }
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("app.db{suffix}");
        std::fs::copy(live.path().join(&name), directory.join(&name)).unwrap();
    }
}

/// A database with a rollback journal.
pub fn with_rollback_journal(directory: &Path) {
    let connection = Connection::open(directory.join("app.db")).unwrap();
    connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT);").unwrap();
    for id in 0..ROWS {
        connection.execute("INSERT INTO t VALUES (?1, 'row')", [id]).unwrap();
    }
}

/// Every file of the database, by name.
pub fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[track_caller]
pub fn assert_same(after: &BTreeMap<String, Vec<u8>>, before: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, bytes) in before {
        assert!(after.get(name) == Some(bytes), "{name} is not as before");
    }
}

/// What a program finds that opens the database now: number of rows and journal mode. A copy of
/// all its files is opened, so that looking changes nothing.
pub fn seen(database: &Path) -> (i64, String) {
    let real = std::fs::canonicalize(database).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal", "-journal"] {
        let mut from = real.clone().into_os_string();
        from.push(suffix);
        if Path::new(&from).exists() {
            std::fs::copy(&from, copy.path().join(format!("app.db{suffix}"))).unwrap();
        }
    }
    let connection = Connection::open(copy.path().join("app.db")).unwrap();
    let check: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let rows = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    let mode = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    (rows, mode)
}
