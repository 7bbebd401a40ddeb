//! Writing: what is refused, what is left out, and what a stock app sees of it.

use super::{
    Scene, Sent, assert_newest, commit, image::Image, pin_newest, read_all, rows, session,
};
use std::collections::BTreeMap;
use std::process::Command;
use tombolo_core::owner::engine::{
    Changes, EachPage, Engine as _, EngineError, Reserved, Shape, Transaction,
};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_lab::Shell;
use tombolo_owner::engine::{EngineKind, StockEngine};

#[test]
fn a_bad_page_one_is_refused_and_nothing_is_touched() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let before = assert_newest(&mut engine, &scene);
    let image = scene.image();
    let length_before = engine.log_bytes();
    let (good, _) = session(&image, &rows(1, 300));
    let first = good.pages.get(&1).expect("it grew").clone();
    for (offset, value, what) in [
        (0, b'x', "magic"),
        (16, 0x20, "page size"),
        (18, 3, "write version"),
        (19, 3, "read version"),
        (20, 16, "reserved bytes"),
        (21, 65, "payload fractions"),
        (31, first[31].wrapping_add(1), "size"),
        (47, 9, "schema format"),
        (59, 2, "text encoding"),
    ] {
        let mut sent = good.clone();
        sent.pages.get_mut(&1).expect("there")[offset] = value;
        engine.reserve().unwrap();
        let error = engine.commit(&mut sent).unwrap_err();
        assert_eq!(error.code, ResultCode::READONLY, "{what}: {error}");
        assert_eq!(engine.newest(), Ok(before), "{what}");
        assert_eq!(engine.log_bytes(), length_before, "{what}");
    }
    scene.image().assert_same(&image);
    scene.stock("UPDATE t SET x = 'the lock is free' WHERE id = 1");
    engine.reserve().unwrap();
    let (mut sent, _) = session(&scene.image(), &rows(1, 300));
    engine.commit(&mut sent).expect("the engine works as before");
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn what_does_not_fit_the_database_is_refused() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let size_pages = scene.image().size_pages();
    let page = |number: u32, bytes: usize| BTreeMap::from([(number, vec![0; bytes])]);
    for (size_pages, pages, what) in [
        (size_pages + 1, page(2, 4096), "another size without page 1"),
        (size_pages - 1, BTreeMap::new(), "another size without a page"),
        (size_pages, page(2, 512), "a page of another size"),
        (0, BTreeMap::new(), "nothing at all"),
    ] {
        engine.reserve().unwrap();
        let error = engine.commit(&mut Sent { size_pages, pages }).unwrap_err();
        assert_eq!(error.code, ResultCode::READONLY, "{what}: {error}");
    }
    let (mut sent, _) = session(&scene.image(), &rows(1, 10));
    assert_eq!(engine.commit(&mut sent).unwrap_err().code, ResultCode::MISUSE, "no lock");
    scene.assert_sound();
}

#[test]
fn a_size_that_nobody_filled_is_refused() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let image = scene.image();
    let mut first = image.pages[0].clone();
    first[28..32].copy_from_slice(&u32::MAX.to_be_bytes());
    engine.reserve().unwrap();
    let mut sent = Sent { size_pages: u32::MAX, pages: BTreeMap::from([(1, first)]) };
    assert_eq!(engine.commit(&mut sent).unwrap_err().code, ResultCode::READONLY);
    scene.image().assert_same(&image);
}

#[test]
fn versions_and_counters_of_page_one_stay_those_of_the_disk() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let before = scene.image();
    let (mut sent, _) = session(&before, "CREATE TABLE more(x)");
    let first = sent.pages.get_mut(&1).expect("the schema changed");
    first[18..20].fill(1);
    first[24..28].fill(0x7f);
    first[92..96].fill(0x7f);
    engine.reserve().unwrap();
    engine.commit(&mut sent).unwrap();
    let disk = scene.image().pages[0].clone();
    assert_eq!(disk[18..20], [2, 2]);
    assert!(disk[24..28] == disk[92..96], "the size holds");
    assert_ne!(disk[24], 0x7f);
    assert!(scene.stock(".schema").contains("more"));
}

#[test]
fn page_one_is_left_out_where_only_counters_differ() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let newest = engine.newest().unwrap();
    let image = scene.image();
    let mut first = image.pages[0].clone();
    for range in [18..20, 24..28, 92..100] {
        first[range].fill(1);
    }
    let length_before = engine.log_bytes();
    let mut sent = Sent { size_pages: image.size_pages(), pages: BTreeMap::from([(1, first)]) };
    engine.reserve().unwrap();
    assert_eq!(engine.commit(&mut sent), Ok(newest), "nothing to commit");
    assert_eq!(engine.log_bytes(), length_before);
    scene.stock("UPDATE t SET x = 'the lock is free' WHERE id = 1");
    assert!(engine.newest().unwrap() > newest);
}

#[test]
fn a_cut_is_made_and_a_growth_after_it_shows_nothing_old() {
    let scene = Scene::with_rows(1024);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 900));
    let large = scene.image();
    let whole = pin_newest(&mut engine);
    commit(&mut engine, &scene, "DELETE FROM t WHERE id > 20; VACUUM;");
    let small = scene.image();
    assert!(small.size_pages() < large.size_pages() / 2);
    let cut = pin_newest(&mut engine);
    assert_eq!(engine.shape(cut).unwrap().size_pages, small.size_pages());
    // It grows by pages that are free at once, and are not sent.
    let sql = "BEGIN; CREATE TABLE gone(x); INSERT INTO gone VALUES(zeroblob(40000)); \
               DROP TABLE gone; COMMIT;";
    let (mut sent, after) = session(&small, sql);
    let unsent: Vec<u32> = (small.size_pages() + 1..=after.size_pages())
        .filter(|page| !sent.pages.contains_key(page))
        .collect();
    assert!(!unsent.is_empty());
    engine.reserve().unwrap();
    let grown = engine.commit(&mut sent).unwrap();
    engine.pin(grown).unwrap();
    let Changes::Pages(changed) = engine.changes(cut, grown) else { panic!("known") };
    let read = read_all(&mut engine, grown);
    for page in &unsent {
        assert!(read.page(*page).expect("there").iter().all(|byte| *byte == 0), "{page}");
        assert!(changed.contains(page), "{page}");
    }
    read.assert_same(&scene.image());
    read_all(&mut engine, whole).assert_same(&large);
    scene.assert_sound();
}

#[test]
fn a_large_transaction_that_spills_is_one_commit() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let before = engine.newest().unwrap();
    let sql = "INSERT INTO t(x) WITH RECURSIVE n(i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT zeroblob(3900) || i FROM n";
    let (mut sent, _) = session(&scene.image(), sql);
    assert!(sent.pages.len() > 4000, "more than fits in SQLite's cache of 2 MB");
    engine.reserve().unwrap();
    let file_before = std::fs::metadata(&scene.database).unwrap().len();
    let after = engine.commit(&mut sent).unwrap();
    assert_eq!(after.0, before.0 + 1);
    assert!(matches!(engine.changes(before, after), Changes::Pages(pages) if pages.len() > 4000));
    let file_after = std::fs::metadata(&scene.database).unwrap().len();
    assert_eq!(file_before, file_after, "SQLite made no checkpoint by itself");
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn the_write_lock_is_sqlites_own() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let mut stock = Shell::new(&scene.database);
    stock.ask("BEGIN IMMEDIATE; UPDATE t SET x = 'stock' WHERE id = 1;");
    assert_eq!(engine.reserve(), Ok(Reserved::Busy));
    engine.release();
    let before = engine.newest().unwrap();
    stock.ask("COMMIT;");
    let Ok(Reserved::At(version)) = engine.reserve() else { panic!("free") };
    assert!(version > before, "what the stock app committed is seen under the lock");
    assert_eq!(engine.reserve(), Ok(Reserved::At(version)), "held already");
    let refused = scene.stock("UPDATE t SET x = 'again' WHERE id = 1");
    assert!(refused.contains("locked"), "{refused}");
    engine.release();
    engine.release();
    assert_eq!(scene.stock("UPDATE t SET x = 'again' WHERE id = 1"), "");
    scene.assert_sound();
}

/// A transaction whose pages cannot be had to the end.
struct Torn(Sent);

impl Transaction for Torn {
    fn page_size_bytes(&self) -> u32 {
        self.0.page_size_bytes()
    }

    fn size_pages(&self) -> u32 {
        self.0.size_pages
    }

    fn for_each(&mut self, each: EachPage<'_>) -> Result<(), EngineError> {
        self.0.for_each(each)?;
        let message = "torn".to_owned();
        Err(EngineError { code: ResultCode::IOERR, errno: Some(5), message })
    }
}

#[test]
fn a_transaction_that_cannot_be_had_whole_leaves_nothing() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let image = scene.image();
    let before = engine.newest().unwrap();
    let (sent, _) = session(&image, &rows(1, 3000));
    engine.reserve().unwrap();
    let error = engine.commit(&mut Torn(sent)).unwrap_err();
    assert_eq!((error.code, error.errno), (ResultCode::IOERR, Some(5)));
    assert_eq!(engine.newest(), Ok(before));
    assert_newest(&mut engine, &scene);
    scene.image().assert_same(&image);
    commit(&mut engine, &scene, &rows(1, 3000));
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn a_new_database_has_no_pages_until_a_session_writes() {
    for page_size_bytes in [512, 4096, 65_536] {
        let scene = Scene::new();
        let kind = EngineKind::Shared;
        let mut engine = StockEngine::open(&scene.database, kind, page_size_bytes).unwrap();
        let version = pin_newest(&mut engine);
        let shape = Shape { page_size_bytes, size_pages: 0 };
        assert_eq!(engine.shape(version), Ok(shape));
        let mut bytes = Vec::new();
        engine.read(version, 1, 9, &mut bytes).unwrap();
        assert!(bytes.is_empty());
        engine.reserve().unwrap();
        assert_eq!(engine.commit(&mut Sent { size_pages: 0, pages: BTreeMap::new() }), Ok(version));
        let empty = Image { page_size_bytes, pages: Vec::new() };
        let sql = "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA encoding='UTF-16be'; CREATE TABLE t(x)";
        let (mut sent, _) = session(&empty, sql);
        engine.reserve().unwrap();
        let next = engine.commit(&mut sent).unwrap();
        let Changes::Pages(pages) = engine.changes(version, next) else { panic!("known") };
        assert!(sent.pages.keys().eq(&pages));
        assert_newest(&mut engine, &scene);
        let said = scene.stock("PRAGMA auto_vacuum; PRAGMA encoding; PRAGMA journal_mode");
        assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["2", "UTF-16be", "wal"]);
        commit(&mut engine, &scene, "INSERT INTO t VALUES('more')");
        scene.assert_sound();
    }
}

#[test]
fn a_session_may_leave_free_pages_in_a_database_that_vacuums_by_itself() {
    let scene = Scene::new();
    scene.stock("PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=WAL;");
    scene.stock("CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    scene.stock(&rows(1, 2000));
    let mut engine = scene.open();
    // As a program does by `sqlite3_autovacuum_pages`: the last transaction leaves them.
    let (mut sent, _) =
        session(&scene.image(), "PRAGMA auto_vacuum=INCREMENTAL; DELETE FROM t WHERE id > 1000;");
    sent.pages.get_mut(&1).unwrap()[64..68].fill(0);
    engine.reserve().unwrap();
    engine.commit(&mut sent).unwrap();
    assert_newest(&mut engine, &scene);
    let said = scene.stock("PRAGMA auto_vacuum; PRAGMA page_count; PRAGMA freelist_count;");
    let size_pages = sent.size_pages.to_string();
    let said: Vec<_> = said.split_whitespace().collect();
    assert!(said[..2] == ["1", &size_pages] && said[2] != "0", "{said:?}");
    // One that changes no page 1 leaves them as well.
    let (mut sent, _) = session(
        &scene.image(),
        "PRAGMA auto_vacuum=INCREMENTAL; UPDATE t SET x = 'y' WHERE id = 1",
    );
    sent.pages.remove(&1);
    engine.reserve().unwrap();
    engine.commit(&mut sent).unwrap();
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
    // The next transaction of stock SQLite cuts them off.
    scene.stock("DELETE FROM t WHERE id = 2");
    assert_eq!(scene.stock("PRAGMA freelist_count").trim(), "0");
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn an_encoding_that_a_stock_app_chooses_later_is_served() {
    let scene = Scene::new();
    let mut engine = scene.open();
    let version = pin_newest(&mut engine);
    engine.unpin(version);
    scene.stock("PRAGMA encoding='UTF-16le'; CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    assert_newest(&mut engine, &scene);
    commit(&mut engine, &scene, &rows(1, 50));
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn the_lock_byte_page_is_neither_read_nor_written() {
    const PAGE: usize = 65_536;
    const LOCK_PAGE: u32 = 16_385;
    let scene = Scene::new();
    scene.stock("PRAGMA page_size=65536; CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    // A sparse file that ends just before the lock bytes; nobody has it open yet.
    let mut first = std::fs::read(&scene.database).unwrap()[..PAGE].to_vec();
    first[28..32].copy_from_slice(&(LOCK_PAGE - 1).to_be_bytes());
    let file = std::fs::OpenOptions::new().write(true).open(&scene.database).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &first, 0).unwrap();
    file.set_len(u64::from(LOCK_PAGE - 1) * PAGE as u64).unwrap();
    drop(file);
    let mut engine = scene.open();
    let before = pin_newest(&mut engine);
    assert_eq!(engine.shape(before).unwrap().size_pages, LOCK_PAGE - 1);
    let size_pages = LOCK_PAGE + 2;
    first[28..32].copy_from_slice(&size_pages.to_be_bytes());
    let full = |value: u8| vec![value; PAGE];
    let pages = BTreeMap::from([
        (1, first.clone()),
        (LOCK_PAGE, full(0xee)),
        (LOCK_PAGE + 1, full(1)),
        (LOCK_PAGE + 2, full(2)),
    ]);
    engine.reserve().unwrap();
    let after = engine.commit(&mut Sent { size_pages, pages }).unwrap();
    engine.unpin(before);
    engine.pin(after).unwrap();
    let check = |engine: &mut StockEngine| {
        let mut bytes = Vec::new();
        engine.read(after, LOCK_PAGE - 1, 9, &mut bytes).unwrap();
        let values: Vec<u8> = bytes.chunks(PAGE).map(|page| page[PAGE / 2]).collect();
        assert_eq!(values, [0, 0, 1, 2]);
    };
    check(&mut engine);
    engine.unpin(after);
    let done = engine.checkpoint(tombolo_core::owner::engine::CheckpointMode::Full).unwrap();
    assert_eq!((done.busy, done.checkpointed_frames), (false, done.log_frames));
    engine.pin(after).unwrap();
    check(&mut engine);
    let bytes = Command::new("dd")
        .arg(format!("if={}", scene.database.display()))
        .args(["bs=65536", "skip=16384", "count=1", "status=none"])
        .output()
        .expect("dd runs")
        .stdout;
    assert!(bytes.len() == PAGE && bytes.iter().all(|byte| *byte == 0));
    // It cannot be the last page.
    engine.reserve().unwrap();
    first[28..32].copy_from_slice(&LOCK_PAGE.to_be_bytes());
    let mut sent = Sent { size_pages: LOCK_PAGE, pages: BTreeMap::from([(1, first)]) };
    assert_eq!(engine.commit(&mut sent).unwrap_err().code, ResultCode::READONLY);
    assert_eq!(scene.stock("SELECT count(*) FROM t").trim(), "0");
}
