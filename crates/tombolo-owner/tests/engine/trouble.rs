//! What goes wrong around an engine.

use super::{Scene, Sent, assert_newest, commit, log_of, pin_newest, read_all, rows, session};
use std::collections::BTreeMap;
use tombolo_core::owner::engine::{CheckpointMode, Engine as _};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_lab::Shell;
use tombolo_owner::engine::{EngineKind, StockEngine};

#[test]
fn a_file_that_was_put_in_its_place_is_noticed() {
    let scene = Scene::with_rows(4096);
    let other = Scene::with_rows(4096);
    let mut engine = scene.open();
    assert_eq!(engine.is_in_place(), Ok(true));
    let held = pin_newest(&mut engine);
    let image = scene.image();
    let aside = scene.database.with_extension("aside");
    std::fs::rename(&scene.database, &aside).unwrap();
    assert_eq!(engine.is_in_place(), Ok(false), "nothing is there");
    std::fs::rename(&other.database, &scene.database).unwrap();
    assert_eq!(engine.is_in_place(), Ok(false), "another file is there");
    engine.pin(held).unwrap();
    let mut bytes = Vec::new();
    engine.read(held, 1, u32::MAX, &mut bytes).unwrap();
    assert!(bytes == image.pages.concat(), "what is open is readable");
    engine.unpin(held);
    std::fs::rename(&aside, &scene.database).unwrap();
    assert_eq!(engine.is_in_place(), Ok(true));
}

#[test]
fn no_connection_is_opened_to_another_file() {
    let scene = Scene::with_rows(4096);
    let other = Scene::with_rows(4096);
    let mut engine = scene.open();
    pin_newest(&mut engine);
    let (mut sent, _) = session(&scene.image(), &rows(1, 9));
    engine.reserve().unwrap();
    let version = engine.commit(&mut sent).unwrap();
    std::fs::rename(&other.database, &scene.database).unwrap();
    let error = engine.pin(version).unwrap_err();
    assert_eq!(error.code, ResultCode::READONLY_DBMOVED, "{error}");
    engine.reserve().unwrap();
    let error = engine.commit(&mut sent).unwrap_err();
    assert_eq!(error.code, ResultCode::READONLY_DBMOVED, "{error}");
    assert!(!engine.is_log_lost());
}

#[test]
fn a_schema_that_cannot_be_read_does_not_stop_the_pages() {
    for (what, sql) in [
        ("garbage", "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(((' WHERE name = 't';"),
        ("a root page that is not there", "UPDATE sqlite_schema SET rootpage = 99999;"),
        ("a table twice", "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema;"),
    ] {
        let scene = Scene::with_rows(4096);
        let mut engine = scene.open();
        let good = scene.image();
        let before = pin_newest(&mut engine);
        let before_again = read_all(&mut engine, before);
        let said =
            scene.stock(&format!("PRAGMA writable_schema=ON; {sql} PRAGMA schema_version=77;"));
        assert_eq!(said, "", "{what}");
        let spoilt = assert_newest(&mut engine, &scene);
        assert!(spoilt > before, "{what}");
        assert!(scene.stock("SELECT count(*) FROM t").contains("rror"), "{what}");
        // A fresh engine serves it as well.
        drop(engine);
        let mut engine = scene.open();
        assert_newest(&mut engine, &scene);
        // And takes the transaction that mends it.
        let now = scene.image();
        let pages = now.differing(&good).into_iter();
        let pages = pages.filter_map(|page| Some((page, good.page(page)?.clone()))).collect();
        engine.reserve().unwrap();
        engine.commit(&mut Sent { size_pages: good.size_pages(), pages }).expect(what);
        assert_newest(&mut engine, &scene);
        before_again.assert_same(&good);
        scene.assert_sound();
    }
}

#[test]
fn garbage_behind_the_header_of_page_one_is_a_sessions_own_affair() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let good = scene.image();
    let mut first = good.pages[0].clone();
    first[100..].fill(0xa5);
    first[43] ^= 1;
    let size_pages = good.size_pages();
    let pages = BTreeMap::from([(1, first)]);
    engine.reserve().unwrap();
    engine.commit(&mut Sent { size_pages, pages }).unwrap();
    assert_newest(&mut engine, &scene);
    engine.reserve().unwrap();
    let pages = BTreeMap::from([(1, good.pages[0].clone())]);
    engine.commit(&mut Sent { size_pages, pages }).expect("and can be mended");
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn nobody_leaves_wal_mode_or_takes_the_log_away() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 50));
    let refused = scene.stock("PRAGMA journal_mode=DELETE");
    assert!(refused.contains("locked"), "{refused}");
    assert!(engine.log_bytes() > 0);
    assert_newest(&mut engine, &scene);
    let image = scene.image();
    let length_before = std::fs::metadata(log_of(&scene.database)).unwrap().len();
    drop(engine);
    let length_after = std::fs::metadata(log_of(&scene.database)).unwrap().len();
    assert_eq!(length_before, length_after, "no checkpoint on close");
    let mut engine = scene.open();
    let newest = pin_newest(&mut engine);
    read_all(&mut engine, newest).assert_same(&image);
}

#[test]
fn the_log_is_removed_with_the_last_connection_where_that_is_wanted() {
    for kind in [EngineKind::Shared, EngineKind::Sole] {
        let scene = Scene::with_rows(4096);
        let open = || StockEngine::open(&scene.database, kind, 4096).unwrap();
        let files = || {
            let names = std::fs::read_dir(scene.database.parent().unwrap()).unwrap();
            names.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
        };
        let mut engine = open();
        pin_newest(&mut engine);
        engine.remove_log_at_end().unwrap();
        drop(engine);
        assert_eq!(files(), ["app.db"], "{kind:?}");
        scene.assert_sound();
    }
    // Not under somebody who has it open.
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let mut stock = Shell::new(&scene.database);
    stock.ask("BEGIN; SELECT count(*) FROM t;");
    engine.remove_log_at_end().unwrap();
    drop(engine);
    assert!(log_of(&scene.database).exists());
    assert_eq!(stock.ask("SELECT count(*) FROM t; COMMIT;").trim(), "200");
}

#[test]
fn a_database_in_rollback_mode_is_brought_into_wal_mode() {
    let scene = Scene::new();
    scene.stock("CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    scene.stock(&rows(1, 90));
    let mut stock = Shell::new(&scene.database);
    stock.ask("BEGIN IMMEDIATE; UPDATE t SET x = 1;");
    let error = StockEngine::open(&scene.database, EngineKind::Shared, 512).unwrap_err();
    assert_eq!(error.code, ResultCode::BUSY, "{error}");
    stock.ask("COMMIT;");
    let mut engine = StockEngine::open(&scene.database, EngineKind::Shared, 512).unwrap();
    let newest = assert_newest(&mut engine, &scene);
    engine.pin(newest).unwrap();
    assert_eq!(engine.shape(newest).unwrap().page_size_bytes, 4096, "it had its own size");
    assert_eq!(stock.ask("SELECT count(*) FROM t;").trim(), "90");
    assert_eq!(stock.ask("PRAGMA journal_mode;").trim(), "wal");
    scene.assert_sound();
}

#[test]
fn what_is_no_database_is_refused() {
    let scene = Scene::new();
    std::fs::write(&scene.database, vec![b'x'; 8192]).unwrap();
    let error = StockEngine::open(&scene.database, EngineKind::Shared, 4096).unwrap_err();
    assert_eq!(error.code, ResultCode::NOTADB, "{error}");
    let missing = scene.database.join("below/app.db");
    let error = StockEngine::open(&missing, EngineKind::Shared, 4096).unwrap_err();
    assert_eq!(error.code.primary(), ResultCode::CANTOPEN, "{error}");
    assert!(error.errno.is_some(), "{error}");
}

#[test]
fn a_log_that_a_killed_app_left_is_recovered() {
    let scene = Scene::with_rows(4096);
    let killed = Scene::with_rows(4096);
    {
        let mut engine = killed.open();
        commit(&mut engine, &killed, &rows(300, 400));
        for ending in ["", "-wal"] {
            let mut from = killed.database.clone().into_os_string();
            let mut to = scene.database.clone().into_os_string();
            from.push(ending);
            to.push(ending);
            let status = std::process::Command::new("cp").arg(from).arg(to).status();
            assert!(status.is_ok_and(|status| status.success()));
        }
    }
    let image = scene.image();
    let mut engine = scene.open();
    let newest = pin_newest(&mut engine);
    read_all(&mut engine, newest).assert_same(&image);
    assert_eq!(scene.stock("SELECT count(*) FROM t").trim(), "301");
    commit(&mut engine, &scene, &rows(1, 9));
    engine.checkpoint(CheckpointMode::Truncate).unwrap();
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn a_backup_in_another_encoding_can_be_restored_over_it() {
    let scene = Scene::with_rows(4096);
    let backup = Scene::new();
    backup.stock("PRAGMA encoding='UTF-16le'; CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    backup.stock(&rows(1, 30));
    let mut engine = scene.open();
    assert_newest(&mut engine, &scene);
    scene.stock(&format!(".restore {}", backup.database.display()));
    assert_newest(&mut engine, &scene);
    let (mut sent, _) = session(&scene.image(), &rows(1, 60));
    engine.reserve().unwrap();
    engine.commit(&mut sent).expect("by a connection that read the old schema");
    assert_newest(&mut engine, &scene);
    scene.assert_sound();
}

#[test]
fn nothing_is_committed_to_a_log_that_nobody_will_find() {
    for other_log in ["none", "empty", "another"] {
        let scene = Scene::with_rows(4096);
        let mut engine = scene.open();
        let held = pin_newest(&mut engine);
        let (mut sent, _) = session(&scene.image(), &rows(1, 9));
        engine.reserve().unwrap();
        engine.commit(&mut sent).unwrap();
        let after = scene.image();
        let (log, aside) = (log_of(&scene.database), scene.database.with_extension("aside"));
        std::fs::rename(&log, aside).unwrap();
        match other_log {
            "empty" => std::fs::write(&log, b"").unwrap(),
            "another" => {
                let other = Scene::with_rows(4096);
                commit(&mut other.open(), &other, &rows(1, 3));
                std::fs::rename(log_of(&other.database), &log).unwrap();
            }
            _ => {}
        }
        assert!(engine.log_file().sync().is_err(), "{other_log}: what is written is not there");
        assert!(!engine.is_log_lost());
        let newest = engine.newest().unwrap();
        // No connection is idle, and a new one would have the other log.
        let error = engine.pin(newest).unwrap_err();
        assert_eq!(error.code, ResultCode::IOERR, "{other_log}: {error}");
        assert!(engine.is_log_lost());
        engine.reserve().unwrap();
        let error = engine.commit(&mut sent).unwrap_err();
        assert_eq!(error.code, ResultCode::IOERR, "{other_log}: {error}");
        engine.unpin(held);
        let done = engine.rescue_log().unwrap();
        assert_eq!(done.log_frames, done.checkpointed_frames, "{other_log}");
        drop(engine);
        if other_log != "another" {
            scene.image().assert_same(&after);
            scene.assert_sound();
        }
    }
}

#[test]
fn a_lost_log_is_left_alone_where_others_have_written_since() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 9));
    let log = log_of(&scene.database);
    let mut stock = Shell::new(&scene.database);
    stock.ask("SELECT count(*) FROM t;");
    std::fs::rename(&log, scene.database.with_extension("aside")).unwrap();
    assert!(engine.check_log().is_err() && engine.is_log_lost());
    // One that had the log open before.
    stock.ask("UPDATE t SET x = 'later' WHERE id = 3;");
    engine.rescue_log().unwrap_err();
}
