//! The sole engine, where nobody shares memory.

use super::{Scene, assert_newest, commit, log_of, pin_newest, read_all, rows, session};
use rustix::io::Errno;
use tombolo_core::owner::engine::{CheckpointMode, Engine as _};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_lab::{Faults, FaultyMount, Maps, Namespace, Room};
use tombolo_owner::engine::{EngineKind, StockEngine};

#[test]
fn it_works_on_a_mount_without_shared_maps() {
    Namespace::run(|namespace| {
        let faults = Faults { maps: Maps::Refused, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let scene = Scene::at(mount.path());
        let shared = StockEngine::open(&scene.database, EngineKind::Shared, 4096).unwrap_err();
        assert_eq!(shared.code.name(), "SQLITE_IOERR_SHMMAP", "{shared}");
        let mut engine = StockEngine::open(&scene.database, EngineKind::Sole, 1024).unwrap();
        let empty = pin_newest(&mut engine);
        assert_eq!(engine.shape(empty).unwrap().size_pages, 0);
        let sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, x)";
        commit(&mut engine, &scene, sql);
        let mut held = Vec::new();
        for round in 0..8 {
            commit(&mut engine, &scene, &rows(round * 20 + 1, round * 20 + 40));
            held.push((assert_newest(&mut engine, &scene), scene.image()));
            engine.pin(held.last().unwrap().0).unwrap();
            engine.checkpoint(CheckpointMode::Passive).unwrap();
        }
        commit(&mut engine, &scene, "DELETE FROM t WHERE id > 9; VACUUM;");
        assert_newest(&mut engine, &scene);
        for (version, image) in held {
            read_all(&mut engine, version).assert_same(&image);
            engine.unpin(version);
        }
        engine.unpin(empty);
        let done = engine.checkpoint(CheckpointMode::Truncate).unwrap();
        assert!(!done.busy);
        assert_newest(&mut engine, &scene);
        let refused = scene.stock("SELECT count(*) FROM t");
        assert!(refused.contains("rror"), "{refused}");
        drop(engine);
        let copy = Scene::new();
        std::fs::copy(&scene.database, &copy.database).unwrap();
        copy.assert_sound();
    });
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    Namespace::run(|namespace| {
        let room = Room::Bytes(600_000, Errno::NOSPC);
        let mount = FaultyMount::new(namespace, Faults { room, ..Faults::default() })
            .expect("the test's mount");
        let scene = Scene::at(mount.path());
        let mut engine = StockEngine::open(&scene.database, EngineKind::Sole, 4096).unwrap();
        commit(&mut engine, &scene, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
        commit(&mut engine, &scene, &rows(1, 100));
        let before = assert_newest(&mut engine, &scene);
        let image = scene.image();
        let (mut large, _) = session(&image, "INSERT INTO t(x) VALUES(randomblob(3000000))");
        engine.reserve().unwrap();
        let error = engine.commit(&mut large).unwrap_err();
        assert_eq!(error.code, ResultCode::FULL, "{error}");
        assert_eq!(assert_newest(&mut engine, &scene), before);
        scene.image().assert_same(&image);
        let (mut small, _) = session(&image, "UPDATE t SET x = 'fits' WHERE id = 1");
        engine.reserve().unwrap();
        engine.commit(&mut small).expect("the log's room is used again");
        assert_newest(&mut engine, &scene);
        drop(engine);
        // Where there is room for stock SQLite to look.
        let copy = Scene::new();
        std::fs::copy(&scene.database, &copy.database).unwrap();
        std::fs::copy(log_of(&scene.database), log_of(&copy.database)).unwrap();
        assert_eq!(copy.stock("SELECT x FROM t WHERE id = 1").trim(), "fits");
        copy.assert_sound();
    });
}
