//! The engine against stock SQLite in other processes.
//!
//! No test opens a served database in its own process: closing it would drop the engine's locks.

mod commits;
mod image;
mod mixed;
mod model;
mod nth_error;
mod rules;
mod sole;
mod trouble;
mod versions;
mod young;

use image::{Image, image};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tombolo_core::owner::engine::{
    EachPage, Engine as _, EngineError, PageNumber, Reserved, Transaction, Version,
};
use tombolo_lab::sqlite;
use tombolo_owner::engine::{EngineKind, StockEngine};

/// A database in a directory of its own.
struct Scene {
    _directory: Option<TempDir>,
    database: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let database = directory.path().join("app.db");
        Scene { _directory: Some(directory), database }
    }

    /// One in a directory that is there.
    fn at(directory: &Path) -> Self {
        Scene { _directory: None, database: directory.join("app.db") }
    }

    /// One in WAL mode with some rows of a table `t`, made by stock SQLite.
    fn with_rows(page_size_bytes: u32) -> Self {
        let scene = Scene::new();
        scene.stock(&format!("PRAGMA page_size={page_size_bytes}; PRAGMA journal_mode=WAL;"));
        scene.stock("CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
        scene.stock(&rows(1, 200));
        scene
    }

    fn open(&self) -> StockEngine {
        StockEngine::open(&self.database, EngineKind::Shared, 4096).expect("opened")
    }

    fn stock(&self, sql: &str) -> String {
        sqlite(&self.database, sql)
    }

    fn image(&self) -> Image {
        image(&self.database)
    }

    /// What stock SQLite says of the whole file.
    fn assert_sound(&self) {
        assert_eq!(self.stock("PRAGMA integrity_check").trim(), "ok");
    }
}

fn rows(first: u32, last: u32) -> String {
    format!(
        "INSERT OR REPLACE INTO t WITH RECURSIVE n(i) AS
           (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})
         SELECT i, hex(randomblob(40)) FROM n;"
    )
}

/// A transaction of a session.
#[derive(Clone, Debug)]
struct Sent {
    size_pages: u32,
    pages: BTreeMap<PageNumber, Vec<u8>>,
}

impl Transaction for Sent {
    fn page_size_bytes(&self) -> u32 {
        self.pages.values().next().map_or(4096, |page| page.len() as u32)
    }

    fn size_pages(&self) -> u32 {
        self.size_pages
    }

    fn for_each(&mut self, each: EachPage<'_>) -> Result<(), EngineError> {
        self.pages.iter().try_for_each(|(number, bytes)| each(*number, bytes))
    }
}

/// What a session sends that runs these statements on this state of the database, and the state
/// after it: stock SQLite does it with a copy in rollback mode, as it seems to a session.
fn session(base: &Image, sql: &str) -> (Sent, Image) {
    let scratch = tempfile::tempdir().expect("a directory");
    let database = scratch.path().join("session.db");
    let mut bytes = base.pages.concat();
    if let Some(versions) = bytes.get_mut(18..20) {
        versions.fill(1);
    }
    std::fs::write(&database, bytes).expect("written");
    let said = sqlite(&database, &format!("PRAGMA page_size={}; {sql}", base.page_size_bytes));
    assert!(!said.contains("rror"), "{sql}: {said}");
    let after = image(&database);
    let mut pages = BTreeMap::new();
    let free = after.free_leaves();
    for (number, page) in (1..).zip(&after.pages) {
        // SQLite leaves out new pages that are free again, so that they are holes in the file.
        let zeros = page.iter().all(|byte| *byte == 0);
        let hole = number > base.size_pages() && zeros && free.contains(&number);
        if base.page(number) != Some(page) && !hole {
            pages.insert(number, page.clone());
        }
    }
    (Sent { size_pages: after.size_pages(), pages }, after)
}

/// Commits what a session does, and returns the version.
fn commit(engine: &mut StockEngine, scene: &Scene, sql: &str) -> Version {
    let (mut sent, _) = session(&scene.image(), sql);
    assert!(matches!(engine.reserve(), Ok(Reserved::At(_))));
    engine.commit(&mut sent).expect("committed")
}

/// The whole database at a version that is pinned.
fn read_all(engine: &mut StockEngine, version: Version) -> Image {
    let shape = engine.shape(version).expect("pinned");
    let mut bytes = Vec::new();
    engine.read(version, 1, u32::MAX, &mut bytes).expect("read");
    let page_size = shape.page_size_bytes as usize;
    let pages: Vec<Vec<u8>> = bytes.chunks(page_size).map(<[u8]>::to_vec).collect();
    assert_eq!(pages.len(), shape.size_pages as usize);
    Image { page_size_bytes: shape.page_size_bytes, pages }
}

/// The newest version, pinned.
fn pin_newest(engine: &mut StockEngine) -> Version {
    let newest = engine.newest().expect("told");
    engine.pin(newest).expect("pinned");
    newest
}

/// The newest version is what the files say.
#[track_caller]
fn assert_newest(engine: &mut StockEngine, scene: &Scene) -> Version {
    let newest = pin_newest(engine);
    read_all(engine, newest).assert_same(&scene.image());
    engine.unpin(newest);
    newest
}

fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
