//! Mixed access: stock apps and the engine write at the same time, and nothing is lost.

use super::{Scene, log_of, pin_newest, read_all, session};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tombolo_core::owner::engine::{Changes, Engine as _, Reserved};
use tombolo_lab::Shell;

const STOCK_INCREMENTS: u32 = 400;

/// A stock app that counts its row up, waits for the lock when it must, and now and then makes a
/// checkpoint.
fn counting(scene: &Scene, row: u32) -> Child {
    let mut statements = String::from(".timeout 20000\n");
    for round in 0..STOCK_INCREMENTS {
        statements += &format!("UPDATE c SET n = n + 1 WHERE id = {row};\n");
        if round % 20 == row {
            statements += "PRAGMA wal_checkpoint(PASSIVE);\n";
        }
    }
    let mut child = Command::new("sqlite3")
        .arg("-bail")
        .arg(&scene.database)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("sqlite3 runs");
    let mut input = child.stdin.take().expect("piped");
    std::thread::spawn(move || std::io::Write::write_all(&mut input, statements.as_bytes()));
    child
}

#[test]
fn no_increment_is_lost_and_no_change_is_unseen() {
    let scene = Scene::new();
    scene.stock("PRAGMA journal_mode=WAL; CREATE TABLE c(id INTEGER PRIMARY KEY, n, filling)");
    scene.stock(
        "INSERT INTO c WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
         SELECT i, 0, zeroblob(900) FROM n",
    );
    let mut engine = scene.open();
    let mut stock = [counting(&scene, 1), counting(&scene, 60)];
    let mut last = pin_newest(&mut engine);
    let mut last_image = read_all(&mut engine, last);
    let (mut own, mut exact) = (0, 0);
    while stock.iter_mut().any(|child| child.try_wait().expect("asked").is_none()) {
        let Reserved::At(base) = engine.reserve().expect("asked") else { continue };
        engine.pin(base).expect("nobody else commits");
        let image = read_all(&mut engine, base);
        let (mut sent, _) = session(&image, "UPDATE c SET n = n + 1 WHERE id = 30");
        let version = engine.commit(&mut sent).expect("committed");
        own += 1;
        // Stock apps look for the lock up to 100 ms apart (`sqliteDefaultBusyCallback` in main.c).
        let found = Instant::now() + Duration::from_millis(100);
        while engine.newest() == Ok(version) && Instant::now() < found {
            std::thread::yield_now();
        }
        for (since, before) in [(last, &last_image), (base, &image)] {
            let Ok(newest) = engine.newest() else { panic!("told") };
            assert!(newest >= version && version > base && base >= since);
            if engine.pin(newest).is_err() {
                continue;
            }
            let after = read_all(&mut engine, newest);
            if let Changes::Pages(pages) = engine.changes(since, newest) {
                exact += 1;
                let unseen = before.differing(&after);
                let unseen = unseen.iter().find(|page| !pages.contains(page));
                assert_eq!(unseen, None, "{since:?} to {newest:?}");
            }
            engine.unpin(newest);
        }
        engine.unpin(last);
        (last, last_image) = (base, image);
    }
    for mut child in stock {
        assert!(child.wait().expect("ended").success());
    }
    let counts = scene.stock("SELECT n FROM c WHERE id IN (1, 30, 60) ORDER BY id");
    let counts: Vec<u32> = counts.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!(counts, [STOCK_INCREMENTS, own, STOCK_INCREMENTS]);
    assert!(own > 3 && exact > 3, "{own} own commits, {exact} times the changes were known");
    scene.assert_sound();
}

#[test]
fn nothing_that_the_engine_does_drops_its_locks() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let mut stock = Shell::new(&scene.database);
    let old = pin_newest(&mut engine);
    stock.ask("UPDATE t SET x = 'more' WHERE id = 1;");
    let Ok(Reserved::At(version)) = engine.reserve() else { panic!("free") };
    let mut bytes = Vec::new();
    for _ in 0..3 {
        engine.newest().unwrap();
        engine.pin(version).unwrap();
        engine.read(version, 1, 99, &mut bytes).unwrap();
        engine.shape(version).unwrap();
        engine.unpin(version);
        assert_eq!(engine.is_in_place(), Ok(true));
        drop(std::fs::File::open(log_of(&scene.database)).unwrap());
        engine.log_bytes();
        engine.checkpoint(tombolo_core::owner::engine::CheckpointMode::Passive).unwrap();
    }
    let refused = scene.stock("UPDATE t SET x = 'stolen' WHERE id = 2");
    assert!(refused.contains("locked"), "{refused}");
    assert_eq!(stock.ask("UPDATE t SET x = 'stolen' WHERE id = 2 RETURNING x;"), "");
    engine.release();
    // The old version is held by a lock as well.
    scene.stock("UPDATE t SET x = 'later' WHERE id = 3");
    let done = scene.stock("PRAGMA wal_checkpoint(FULL)");
    assert!(done.starts_with("1|"), "{done}");
    engine.unpin(old);
}

#[test]
fn the_engine_can_go_to_another_thread() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let version = pin_newest(&mut engine);
    let image = scene.image();
    let read = std::thread::spawn(move || read_all(&mut engine, version)).join().expect("read");
    read.assert_same(&image);
}
