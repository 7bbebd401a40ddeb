//! Versions: what is seen of stock apps, what is held, what changed.

use super::{Scene, assert_newest, commit, log_of, pin_newest, read_all, rows, session};
use tombolo_core::owner::engine::{Changes, CheckpointMode, Engine as _, Reserved, Shape, Version};
use tombolo_core::sqlite::result_code::ResultCode;
use tombolo_lab::Shell;

#[test]
fn a_stock_commit_is_a_new_version_with_exactly_its_pages() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let first = assert_newest(&mut engine, &scene);
    assert_eq!(engine.newest(), Ok(first), "nothing was committed");
    let before = scene.image();
    scene.stock("UPDATE t SET x = 'changed' WHERE id = 100");
    let second = assert_newest(&mut engine, &scene);
    assert_eq!(second, Version(first.0 + 1));
    let differing = before.differing(&scene.image());
    assert!(!differing.is_empty());
    assert_eq!(engine.changes(first, second), Changes::Pages(differing));
}

#[test]
fn several_commits_are_one_union() {
    let scene = Scene::with_rows(1024);
    let mut engine = scene.open();
    let start = assert_newest(&mut engine, &scene);
    let before = scene.image();
    scene.stock("UPDATE t SET x = 'a' WHERE id = 1; UPDATE t SET x = 'b' WHERE id = 200");
    let middle = engine.newest().unwrap();
    let newest = commit(&mut engine, &scene, "UPDATE t SET x = 'c' WHERE id = 100");
    let Changes::Pages(pages) = engine.changes(start, newest) else { panic!("known") };
    let differing = before.differing(&scene.image());
    let missing = differing.iter().find(|page| **page != 1 && !pages.contains(page));
    assert_eq!(missing, None, "{differing:?} {pages:?}");
    assert!(pages.is_sorted_by(|a, b| a < b));
    assert_eq!(engine.changes(middle, middle), Changes::Pages(vec![]));
}

#[test]
fn an_own_commit_changes_what_was_sent() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let (mut sent, _) = session(&scene.image(), "UPDATE t SET x = 'mine' WHERE id = 7");
    let Ok(Reserved::At(base)) = engine.reserve() else { panic!("free") };
    let version = engine.commit(&mut sent).unwrap();
    assert_eq!(version, Version(base.0 + 1));
    let pages: Vec<u32> = sent.pages.keys().copied().filter(|page| *page != 1).collect();
    assert_eq!(engine.changes(base, version), Changes::Pages(pages), "page 1 was left out");
    assert_newest(&mut engine, &scene);
    assert_eq!(scene.stock("SELECT x FROM t WHERE id = 7").trim(), "mine");
}

#[test]
fn twelve_versions_are_readable_while_a_stock_app_writes_and_checkpoints() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let mut stock = Shell::new(&scene.database);
    let mut held = Vec::new();
    for round in 0..12 {
        match round % 3 {
            0 => drop(commit(&mut engine, &scene, &rows(round * 10 + 1, round * 10 + 30))),
            _ => drop(stock.ask(&rows(round * 10 + 1, round * 12 + 60))),
        }
        held.push((pin_newest(&mut engine), scene.image()));
        stock.ask("PRAGMA wal_checkpoint(PASSIVE);");
    }
    stock.ask("DELETE FROM t WHERE id % 2; PRAGMA wal_checkpoint(FULL); VACUUM;");
    for (version, image) in &held {
        read_all(&mut engine, *version).assert_same(image);
    }
    let versions: Vec<_> = held.iter().map(|(version, _)| *version).collect();
    assert!(versions.is_sorted_by(|a, b| a < b));
    for version in versions {
        engine.unpin(version);
        assert_eq!(engine.shape(version).unwrap_err().code, ResultCode::ERROR_SNAPSHOT);
    }
    scene.assert_sound();
}

#[test]
fn a_pin_is_counted() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let old = pin_newest(&mut engine);
    engine.pin(old).unwrap();
    let image = scene.image();
    scene.stock(&rows(1, 50));
    let newest = engine.newest().unwrap();
    engine.pin(old).expect("an old version that is held");
    for _ in 0..2 {
        engine.unpin(old);
        read_all(&mut engine, old).assert_same(&image);
    }
    engine.unpin(old);
    assert_eq!(engine.pin(old).unwrap_err().code, ResultCode::ERROR_SNAPSHOT);
    let mut bytes = Vec::new();
    let error = engine.read(old, 1, 1, &mut bytes).unwrap_err();
    assert_eq!((error.code, bytes.len()), (ResultCode::ERROR_SNAPSHOT, 0));
    engine.unpin(old);
    engine.pin(newest).expect("one too many changed nothing");
}

#[test]
fn a_commit_between_newest_and_pin_is_noticed() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let stale = engine.newest().unwrap();
    scene.stock("UPDATE t SET x = 'later' WHERE id = 3");
    assert_eq!(engine.pin(stale).unwrap_err().code, ResultCode::ERROR_SNAPSHOT);
    let newest = pin_newest(&mut engine);
    assert!(newest > stale);
    assert!(matches!(engine.changes(stale, newest), Changes::Pages(_)));
    read_all(&mut engine, newest).assert_same(&scene.image());
}

#[test]
fn a_log_that_a_stock_app_restarted_says_nothing_of_what_was_before() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    let old = engine.newest().unwrap();
    scene.stock("UPDATE t SET x = 'unseen' WHERE id = 3");
    scene.stock("PRAGMA wal_checkpoint(TRUNCATE)");
    scene.stock("UPDATE t SET x = 'seen' WHERE id = 190");
    let new = assert_newest(&mut engine, &scene);
    assert_eq!(engine.changes(old, new), Changes::All);
}

#[test]
fn a_log_that_was_only_restarted_changed_nothing() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    for mode in [CheckpointMode::Restart, CheckpointMode::Truncate] {
        let old = commit(&mut engine, &scene, "UPDATE t SET x = x || 'y' WHERE id = 3");
        let done = engine.checkpoint(mode).unwrap();
        assert!(!done.busy);
        let new = assert_newest(&mut engine, &scene);
        assert_eq!(engine.changes(old, new), Changes::Pages(vec![]), "{mode:?}");
    }
    assert_eq!(engine.log_bytes(), 0);
    scene.stock("UPDATE t SET x = 'after' WHERE id = 3");
    let old = assert_newest(&mut engine, &scene);
    scene.stock("PRAGMA wal_checkpoint(TRUNCATE)");
    let new = assert_newest(&mut engine, &scene);
    assert!(new > old);
    assert_eq!(engine.changes(old, new), Changes::Pages(vec![]), "by a stock app");
}

#[test]
fn an_own_commit_that_restarts_the_log_changes_what_was_sent() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 90));
    let old = engine.newest().unwrap();
    let done = engine.checkpoint(CheckpointMode::Passive).unwrap();
    assert_eq!(done.log_frames, done.checkpointed_frames);
    let length_before = engine.log_bytes();
    let new = commit(&mut engine, &scene, "UPDATE t SET x = 'short' WHERE id = 3");
    assert_eq!(engine.log_bytes(), length_before, "the log was begun anew");
    let Changes::Pages(pages) = engine.changes(old, new) else { panic!("known") };
    assert_eq!(pages.len(), 1);
    assert_newest(&mut engine, &scene);
    scene.stock("UPDATE t SET x = 'stock' WHERE id = 150");
    let third = assert_newest(&mut engine, &scene);
    assert!(matches!(engine.changes(old, third), Changes::Pages(_)));
}

#[test]
fn an_own_commit_that_begins_a_log_which_was_cut_can_be_read() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    for id in 1..=3 {
        let cut = engine.checkpoint(CheckpointMode::Truncate).unwrap();
        assert!(!cut.busy);
        let base = engine.newest().unwrap();
        // A connection that has never restarted a log begins this one with salts of its own.
        let own = commit(&mut engine, &scene, &rows(id, id + 20));
        engine.pin(own).unwrap();
        assert_eq!(engine.newest(), Ok(own), "nobody else committed");
        read_all(&mut engine, own).assert_same(&scene.image());
        assert!(matches!(engine.changes(base, own), Changes::Pages(_)));
        engine.unpin(own);
    }
}

#[test]
fn a_reader_of_the_file_alone_does_not_stop_a_restart_and_keeps_its_version() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 90));
    engine.checkpoint(CheckpointMode::Passive).unwrap();
    let held = pin_newest(&mut engine);
    let image = scene.image();
    let length_before = engine.log_bytes();
    scene.stock(&rows(20, 60));
    assert_eq!(engine.log_bytes(), length_before, "the log was begun anew");
    assert_newest(&mut engine, &scene);
    let done = engine.checkpoint(CheckpointMode::Passive).unwrap();
    assert_eq!(done.checkpointed_frames, 0, "the reader keeps the file as it is");
    read_all(&mut engine, held).assert_same(&image);
    engine.unpin(held);
    let done = engine.checkpoint(CheckpointMode::Passive).unwrap();
    assert_eq!(done.checkpointed_frames, done.log_frames);
    assert_newest(&mut engine, &scene);
}

#[test]
fn the_oldest_version_holds_up_the_checkpoint_and_no_longer() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 20));
    let held = pin_newest(&mut engine);
    commit(&mut engine, &scene, &rows(100, 120));
    let done = engine.checkpoint(CheckpointMode::Full).unwrap();
    assert!(done.busy && done.checkpointed_frames < done.log_frames, "{done:?}");
    engine.unpin(held);
    let done = engine.checkpoint(CheckpointMode::Full).unwrap();
    assert!(!done.busy && done.checkpointed_frames == done.log_frames, "{done:?}");
}

#[test]
fn what_is_asked_for_beyond_the_end_is_left_out() {
    let scene = Scene::with_rows(512);
    let mut engine = scene.open();
    let version = pin_newest(&mut engine);
    let Shape { page_size_bytes, size_pages } = engine.shape(version).unwrap();
    let image = scene.image();
    for (first, count, pages) in [
        (size_pages, 1, 1),
        (size_pages, 9, 1),
        (size_pages + 1, 1, 0),
        (2, 3, 3),
        (u32::MAX, u32::MAX, 0),
    ] {
        let mut bytes = vec![7];
        engine.read(version, first, count, &mut bytes).unwrap();
        assert_eq!(bytes.len(), 1 + pages * page_size_bytes as usize, "{first} {count}");
        let expected = image.pages.iter().skip(first as usize - 1).take(pages);
        assert!(bytes[1..] == expected.flatten().copied().collect::<Vec<u8>>());
    }
}

#[test]
fn readers_of_the_newest_version_can_be_moved_out_of_the_way_of_a_restart() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 99));
    let newest = pin_newest(&mut engine);
    let image = scene.image();
    assert!(engine.log_used_bytes() > 0);
    let done = engine.checkpoint(CheckpointMode::Passive).unwrap();
    assert_eq!(done.log_frames, done.checkpointed_frames);
    assert!(engine.checkpoint(CheckpointMode::Truncate).unwrap().busy, "the reader is in the way");
    engine.renew();
    let done = engine.checkpoint(CheckpointMode::Truncate).unwrap();
    assert!(!done.busy, "{done:?}");
    read_all(&mut engine, newest).assert_same(&image);
    assert_eq!(engine.newest().map(|_| engine.log_used_bytes()), Ok(0));
    commit(&mut engine, &scene, &rows(50, 150));
    read_all(&mut engine, newest).assert_same(&image);
    // Over a version that others have overtaken nothing is done.
    scene.stock("DELETE FROM t WHERE id = 7");
    engine.renew();
    read_all(&mut engine, newest).assert_same(&image);
    engine.unpin(newest);
    assert_newest(&mut engine, &scene);
}

#[test]
fn a_checkpoint_is_made_in_another_thread_and_not_beyond_the_engine() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 99));
    let checkpointer = engine.checkpointer();
    let wait = std::time::Duration::ZERO;
    let other = checkpointer.clone();
    let done = std::thread::spawn(move || other.run(CheckpointMode::Full, wait)).join().unwrap();
    assert!(done.is_ok_and(|done| done.log_frames == done.checkpointed_frames));
    drop(engine);
    assert!(checkpointer.run(CheckpointMode::Full, wait).is_err(), "it is closed");
}

#[test]
fn the_log_can_be_synced_by_another_descriptor() {
    let scene = Scene::with_rows(4096);
    let mut engine = scene.open();
    commit(&mut engine, &scene, &rows(1, 9));
    engine.log_file().sync().unwrap();
    let log = std::fs::metadata(log_of(&scene.database)).unwrap();
    assert_eq!(log.len(), engine.log_bytes());
}
