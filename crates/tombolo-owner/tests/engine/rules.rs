//! Rules of the engine which no other test needs to hold.

use super::{Scene, assert_newest, commit, log_of, pin_newest, read_all, rows, session};
use std::path::Path;
use std::time::Duration;
use tombolo_core::owner::engine::{Engine as _, Version};
use tombolo_lab::{Faults, FaultyMount, Namespace, Operation, Shell, Unsynced};
use tombolo_owner::engine::{EngineKind, StockEngine};

/// Descriptors of this process on one file.
fn descriptors(path: &Path) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").expect("this process");
    let links = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link == path).count()
}

#[test]
fn readers_belong_to_versions_and_not_to_sessions() {
    let scene = Scene::with_rows(4096);
    let database = scene.database.canonicalize().expect("there");
    let mut engine = scene.open();
    let version = pin_newest(&mut engine);
    let one = descriptors(&database);
    for _ in 0..200 {
        engine.pin(version).expect("it is the newest");
    }
    assert_eq!(descriptors(&database), one, "two hundred sessions of one version");
    commit(&mut engine, &scene, &rows(1, 9));
    let newest = pin_newest(&mut engine);
    assert_eq!(descriptors(&database), one + 1, "and one of another");
    for held in [version, newest] {
        read_all(&mut engine, held);
    }
}

#[test]
fn company_is_who_else_has_the_database_open() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    pin_newest(&mut engine);
    assert!(!engine.has_company(), "its own locks are no others'");
    let mut stock = Shell::new(&scene.database);
    stock.ask("SELECT count(*) FROM t;");
    assert!(engine.has_company());
    drop(stock);
    assert!(!engine.has_company());
}

/// An engine on a mount with faults, and a table.
fn on(mount: &FaultyMount) -> (Scene, StockEngine) {
    let scene = Scene::at(mount.path());
    let mut engine = StockEngine::open(&scene.database, EngineKind::Sole, 4096).expect("opened");
    commit(&mut engine, &scene, "CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
    commit(&mut engine, &scene, &rows(1, 20));
    (scene, engine)
}

#[test]
fn a_commit_does_not_wait_for_the_disk_and_the_sync_does() {
    Namespace::run(|namespace| {
        let mount = FaultyMount::new(namespace, Faults::default()).expect("the test's mount");
        let (scene, mut engine) = on(&mount);
        let (mut sent, _) = session(&scene.image(), &rows(5, 9));
        mount.hang(&[Operation::Syncs]);
        let committing = std::thread::spawn(move || {
            engine.reserve().expect("free");
            engine.commit(&mut sent).expect("committed");
            engine
        });
        while !committing.is_finished() {
            let waits = mount.hanging() > 0;
            if waits {
                mount.answer();
            }
            assert!(!waits, "a commit waits for the disk");
            std::thread::yield_now();
        }
        let mut engine = committing.join().expect("no panic");
        assert_newest(&mut engine, &scene);
        let log = engine.log_file();
        let sync = std::thread::spawn(move || log.sync());
        assert!(mount.wait_until_one_hangs(Duration::from_secs(60)), "it waits for the disk");
        mount.answer();
        drop(sync.join().expect("no panic"));
    });
}

#[test]
fn what_was_synced_survives_the_loss_of_power() {
    Namespace::run(|namespace| {
        let faults = Faults { unsynced: Unsynced::Lost, ..Faults::default() };
        let mount = FaultyMount::new(namespace, faults).expect("the test's mount");
        let (scene, mut engine) = on(&mount);
        commit(&mut engine, &scene, "UPDATE t SET x = 'synced' WHERE id = 7");
        engine.log_file().sync().expect("synced");
        commit(&mut engine, &scene, "UPDATE t SET x = 'not synced' WHERE id = 7");
        let left = mount.crash().expect("it crashed");
        drop(engine);
        let copy = Scene::new();
        let database = left.join("app.db");
        std::fs::copy(&database, &copy.database).expect("copied");
        std::fs::copy(log_of(&database), log_of(&copy.database)).expect("copied");
        assert_eq!(copy.stock("SELECT x FROM t WHERE id = 7").trim(), "synced");
        copy.assert_sound();
    });
}

#[test]
fn bytes_that_are_reserved_in_each_page_stay_reserved() {
    let scene = Scene::new();
    let mut shell = Shell::new(&scene.database);
    shell.ask("CREATE TABLE t(id INTEGER PRIMARY KEY, x);");
    assert_eq!(shell.ask(".filectrl reserve_bytes 40").trim(), "40");
    shell.ask("VACUUM;");
    drop(shell);
    let reserved = |scene: &Scene| scene.image().page(1).expect("there")[20];
    assert_eq!(reserved(&scene), 40, "so it was made");
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 300));
    let newest: Version = assert_newest(&mut engine, &scene);
    engine.pin(newest).expect("the newest");
    assert_eq!(reserved(&scene), 40);
    assert_eq!(scene.stock("SELECT count(*) FROM t").trim(), "300");
    scene.assert_sound();
}
