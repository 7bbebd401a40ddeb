//! A database from before anything was written to it.

use crate::{Scene, Sent, session};
use tombolo_core::owner::engine::{Engine as _, Reserved, Shape};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_core::wire::request::Access;
use tombolo_lab::Shell;
use tombolo_owner::engine::{EngineKind, YoungEngine};

fn open(scene: &Scene) -> YoungEngine {
    YoungEngine::open(&scene.database, EngineKind::Shared).expect("opened")
}

fn length_bytes(scene: &Scene) -> u64 {
    std::fs::metadata(&scene.database).expect("it is there").len()
}

/// What a session sends that makes a database of this page size.
fn first(page_size_bytes: u32) -> Sent {
    let empty = crate::Image { page_size_bytes, pages: Vec::new() };
    session(&empty, "CREATE TABLE t(id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES(1, 'first')").0
}

#[test]
fn the_first_transaction_says_which_page_size_it_gets() {
    for page_size_bytes in [512, 1024, 4096, 65_536] {
        let scene = Scene::new();
        let mut engine = open(&scene);
        assert_eq!(length_bytes(&scene), 0, "nothing is written before");
        let empty = engine.newest().unwrap();
        engine.pin(empty).unwrap();
        assert_eq!(engine.shape(empty).unwrap().size_pages, 0);
        assert_eq!(engine.reserve().unwrap(), Reserved::At(empty));
        let sent = &mut first(page_size_bytes);
        let version = engine.commit(sent).unwrap();
        assert!(version > empty);
        engine.pin(version).unwrap();
        let shape = Shape { page_size_bytes, size_pages: sent.size_pages };
        assert_eq!(engine.shape(version).unwrap(), shape);
        assert_eq!(engine.shape(empty).unwrap().size_pages, 0, "still held");
        let said = scene.stock("PRAGMA page_size; PRAGMA journal_mode; SELECT x FROM t");
        assert_eq!(said.trim(), format!("{page_size_bytes}\nwal\nfirst"));
        scene.assert_sound();
    }
}

#[test]
fn a_turn_without_a_commit_leaves_it_empty() {
    let scene = Scene::new();
    let mut engine = open(&scene);
    let empty = engine.newest().unwrap();
    engine.reserve().unwrap();
    engine.release();
    let error = engine.commit(&mut first(512)).unwrap_err();
    assert_eq!(error.code, ResultCode::MISUSE, "{error}");
    assert_eq!(engine.newest().unwrap(), empty);
    assert_eq!(length_bytes(&scene), 0);
}

#[test]
fn a_stock_app_may_be_the_first() {
    let scene = Scene::new();
    let mut engine = open(&scene);
    let empty = engine.newest().unwrap();
    engine.reserve().unwrap();
    scene.stock("PRAGMA page_size=1024; CREATE TABLE t(x); INSERT INTO t VALUES('stock')");
    let error = engine.commit(&mut first(512)).unwrap_err();
    assert_eq!(error.code, ResultCode::BUSY_SNAPSHOT, "{error}");
    assert_eq!(scene.stock("SELECT x FROM t").trim(), "stock");
    let newest = engine.newest().unwrap();
    assert!(newest > empty);
    engine.pin(newest).unwrap();
    assert_eq!(engine.shape(newest).unwrap().page_size_bytes, 1024);
    scene.assert_sound();
}

#[test]
fn one_that_is_removed_and_made_again_is_young_again() {
    let scene = Scene::new();
    let mut engine = open(&scene);
    engine.reserve().unwrap();
    let old = engine.commit(&mut first(4096)).unwrap();
    for page_size_bytes in [1024, 2048] {
        std::fs::remove_file(&scene.database).unwrap();
        assert!(!engine.is_in_place().unwrap());
        let refused = engine.reopen(Access::Write).unwrap_err();
        assert_eq!(refused.code, ResultCode::CANTOPEN, "{refused}");
        engine.reopen(Access::Create).unwrap();
        assert_eq!(length_bytes(&scene), 0);
        let Reserved::At(empty) = engine.reserve().unwrap() else { panic!("free") };
        assert!(empty > old);
        engine.commit(&mut first(page_size_bytes)).unwrap();
        let said = scene.stock("PRAGMA page_size; SELECT x FROM t");
        assert_eq!(said.trim(), format!("{page_size_bytes}\nfirst"));
        scene.assert_sound();
    }
}

#[test]
fn a_file_that_is_put_in_its_place_gets_nothing_of_the_log() {
    let scene = Scene::new();
    let mut engine = open(&scene);
    engine.reserve().unwrap();
    let version = engine.commit(&mut first(4096)).unwrap();
    engine.pin(version).unwrap();
    let other = Scene::with_rows(4096);
    let all = "SELECT * FROM t";
    let there = other.stock(all);
    let aside = scene.database.with_extension("aside");
    std::fs::rename(&scene.database, &aside).unwrap();
    std::fs::rename(&other.database, &scene.database).unwrap();
    engine.reopen(Access::Write).unwrap();
    assert_eq!(scene.stock(all), there, "it says what it said");
    scene.assert_sound();
    let said = tombolo_lab::sqlite(&aside, "SELECT x FROM t; PRAGMA integrity_check");
    assert_eq!(said.trim(), "first\nok", "what was committed is where it was committed");
}

#[test]
fn a_file_is_not_opened_while_the_log_beside_it_is_that_of_another() {
    let scene = Scene::new();
    let mut engine = open(&scene);
    engine.reserve().unwrap();
    engine.commit(&mut first(4096)).unwrap();
    let other = Scene::with_rows(4096);
    let mut reader = Shell::new(&scene.database);
    assert_eq!(reader.ask("BEGIN; SELECT x FROM t;"), "first");
    std::fs::rename(&scene.database, scene.database.with_extension("aside")).unwrap();
    std::fs::rename(&other.database, &scene.database).unwrap();
    let refused = engine.reopen(Access::Write).unwrap_err();
    assert_eq!(refused.code, ResultCode::BUSY, "{refused}");
    drop(reader);
    engine.reopen(Access::Write).unwrap();
    assert_eq!(scene.stock("SELECT count(*) FROM t").trim(), "200");
}
