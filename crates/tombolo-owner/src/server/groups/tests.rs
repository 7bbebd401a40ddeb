//! An owner that ends between a decision and what was decided.

use super::*;
use crate::engine::EngineKind;
use tombolo_core::owner::engine::{EachPage, Engine as _, PageNumber, Reserved};
use tombolo_core::wire::request::GroupId;
use tombolo_lab::sqlite;
use tombolo_os::socket::poll::Poller;

const GROUP: GroupId = GroupId(7);

struct Pages {
    size_pages: u32,
    pages: Vec<(PageNumber, Vec<u8>)>,
}

impl Transaction for Pages {
    fn page_size_bytes(&self) -> u32 {
        4096
    }

    fn size_pages(&self) -> u32 {
        self.size_pages
    }

    fn for_each(&mut self, each: EachPage<'_>) -> Result<(), EngineError> {
        self.pages.iter().try_for_each(|(number, page)| each(*number, page))
    }
}

/// A database with one row, its engine, and a transaction that makes `old` `new`.
fn database(directory: &Path, name: &str) -> (PathBuf, YoungEngine, Pages) {
    let path = directory.join(name);
    assert_eq!(sqlite(&path, "CREATE TABLE t(x); INSERT INTO t VALUES('old');"), "");
    let mut engine = YoungEngine::open(&path, EngineKind::Shared).expect("it opens");
    let Ok(Reserved::At(at)) = engine.reserve() else { panic!("nobody writes") };
    engine.pin(at).expect("the newest");
    let mut page = Vec::new();
    engine.read(at, 2, 1, &mut page).expect("the table");
    let size_pages = engine.shape(at).expect("it is pinned").size_pages;
    engine.unpin(at);
    let place = page.windows(3).position(|bytes| bytes == b"old").expect("the row");
    page[place..place + 3].copy_from_slice(b"new");
    (path, engine, Pages { size_pages, pages: vec![(2, page)] })
}

/// Two databases whose transactions are prepared, and what keeps them.
struct Prepared {
    directory: tempfile::TempDir,
    groups: Groups,
    databases: Vec<(PathBuf, YoungEngine, Pages)>,
}

impl Prepared {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let groups = Groups::new(Some(directory.path().join("groups")));
        let mut databases = Vec::new();
        for name in ["a.db", "b.db"] {
            let (path, engine, mut pages) = database(directory.path(), name);
            let line = (std::sync::mpsc::channel().0, Poller::new().expect("a poller").waker());
            let member = Member { session: SessionId(1), line, database: path.clone() };
            groups.keep(GROUP, member, engine.position(), &mut pages).expect("it is kept");
            databases.push((path, engine, pages));
        }
        Prepared { directory, groups, databases }
    }

    /// The rows of both, after another owner has started and looked.
    fn rows_after_restart(self) -> (String, usize) {
        let Prepared { directory, groups, databases } = self;
        drop(groups);
        let mut paths = Vec::new();
        for (path, mut engine, _) in databases {
            engine.release();
            // A process that is killed closes nothing: the log stays.
            std::mem::forget(engine);
            paths.push(path);
        }
        let groups = Groups::new(Some(directory.path().join("groups")));
        for path in groups.left_behind() {
            let mut engine = YoungEngine::open(&path, EngineKind::Shared).expect("it opens");
            groups.recover(&path, &mut engine).expect("it is done");
        }
        let ask = |path: &PathBuf| sqlite(path, "SELECT x FROM t; PRAGMA integrity_check;");
        let rows: String = paths.iter().map(ask).collect();
        (rows.replace('\n', " "), entries(&directory.path().join("groups")).len())
    }
}

#[test]
fn what_was_not_decided_is_in_none() {
    assert_eq!(Prepared::new().rows_after_restart(), ("old ok old ok ".into(), 0));
}

#[test]
fn what_was_decided_is_done_though_nobody_had_begun() {
    let prepared = Prepared::new();
    assert!(matches!(prepared.groups.decide(GROUP, 3), Err(Undecided::NotWhole)));
    assert_eq!(prepared.groups.decide(GROUP, 2).expect("whole").len(), 2);
    assert_eq!(prepared.groups.give_up(GROUP), Fate::Decided);
    assert_eq!(prepared.rows_after_restart(), ("new ok new ok ".into(), 0));
}

#[test]
fn what_was_decided_is_done_once() {
    let mut prepared = Prepared::new();
    prepared.groups.decide(GROUP, 2).expect("whole");
    let (path, engine, pages) = &mut prepared.databases[0];
    engine.commit(pages).expect("committed");
    // The process ends before, and then after, it has removed its part.
    assert!(path.exists());
    assert_eq!(prepared.rows_after_restart(), ("new ok new ok ".into(), 0));

    let mut prepared = Prepared::new();
    prepared.groups.decide(GROUP, 2).expect("whole");
    let (path, engine, pages) = &mut prepared.databases[1];
    engine.commit(pages).expect("committed");
    prepared.groups.done(GROUP, path);
    assert_eq!(prepared.rows_after_restart(), ("new ok new ok ".into(), 0));
}

#[test]
fn what_another_program_wrote_first_is_not_written_over() {
    let mut prepared = Prepared::new();
    prepared.groups.decide(GROUP, 2).expect("whole");
    for (_, engine, _) in &mut prepared.databases {
        engine.release();
    }
    let path = prepared.databases[0].0.clone();
    assert_eq!(sqlite(&path, "UPDATE t SET x = 'theirs';"), "");
    // Its pages are kept for a person to look at.
    assert_eq!(prepared.rows_after_restart(), ("theirs ok new ok ".into(), 1));
}

#[test]
fn a_part_that_is_not_whole_is_not_done() {
    let prepared = Prepared::new();
    prepared.groups.decide(GROUP, 2).expect("whole");
    let path = prepared.groups.part(GROUP, &prepared.databases[0].0).expect("kept");
    let mut bytes = fs::read(&path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).expect("written");
    assert_eq!(prepared.rows_after_restart(), ("old ok new ok ".into(), 2));
}

#[test]
fn what_is_given_up_leaves_nothing() {
    let prepared = Prepared::new();
    assert_eq!(prepared.groups.give_up(GROUP), Fate::GivenUp);
    assert_eq!(entries(&prepared.directory.path().join("groups")).len(), 0);
    assert!(matches!(prepared.groups.decide(GROUP, 2), Err(Undecided::NotWhole)));
}
