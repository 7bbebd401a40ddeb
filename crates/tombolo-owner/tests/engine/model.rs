//! Random commits by the engine and by stock SQLite, random pins, checkpoints and restarts of the
//! log, against what the files say.

use super::image::Image;
use super::{Scene, assert_newest, pin_newest, read_all, session};
use tombolo_core::owner::engine::{Changes, CheckpointMode, Engine as _, Reserved, Version};
use tombolo_owner::engine::StockEngine;

/// A sequence that a seed determines (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }

    fn statement(&mut self) -> String {
        let (first, length) = (self.below(300) + 1, self.below(120));
        let last = first + length;
        match self.below(10) {
            0..=2 => super::rows(first as u32, last as u32),
            3 => format!("DELETE FROM t WHERE id BETWEEN {first} AND {last};"),
            4 => format!("UPDATE t SET x = hex(randomblob(9)) WHERE id = {first};"),
            5 => format!("INSERT INTO t(x) VALUES(zeroblob({}));", self.below(60_000)),
            6 => "DELETE FROM t WHERE length(x) > 200;".into(),
            7 => format!("CREATE TABLE IF NOT EXISTS t{}(a, b UNIQUE);", first % 5),
            8 => format!("DROP TABLE IF EXISTS t{};", first % 5),
            _ => format!(
                "BEGIN; CREATE TABLE gone(x); INSERT INTO gone VALUES(zeroblob({})); \
                 DROP TABLE gone; COMMIT;",
                self.below(90_000)
            ),
        }
    }

    fn mode(&mut self) -> CheckpointMode {
        match self.below(4) {
            0 => CheckpointMode::Passive,
            1 => CheckpointMode::Full,
            2 => CheckpointMode::Restart,
            _ => CheckpointMode::Truncate,
        }
    }
}

struct Run {
    scene: Scene,
    engine: StockEngine,
    /// Every version that was seen, with what the database was then.
    seen: Vec<(Version, Image)>,
    pinned: Vec<Version>,
    exact: usize,
}

impl Run {
    fn new(page_size_bytes: u32, settings: &str) -> Self {
        let scene = Scene::new();
        scene.stock(&format!("PRAGMA page_size={page_size_bytes}; {settings}"));
        scene.stock("CREATE TABLE t(id INTEGER PRIMARY KEY, x)");
        let engine = scene.open();
        Run { scene, engine, seen: Vec::new(), pinned: Vec::new(), exact: 0 }
    }

    fn step(&mut self, dice: &mut Dice) {
        match dice.below(12) {
            0..=3 => self.session(&dice.statement()),
            4..=6 => drop(self.scene.stock(&dice.statement())),
            7 => self.session("VACUUM;"),
            8 => drop(self.scene.stock("VACUUM;")),
            9 => drop(self.engine.checkpoint(dice.mode()).expect("done")),
            10 => {
                let mode = format!("{:?}", dice.mode());
                self.scene.stock(&format!("PRAGMA wal_checkpoint({mode});"));
            }
            _ => {
                for _ in 0..dice.below(3) {
                    self.unpin_one(dice);
                }
            }
        }
        let newest = assert_newest(&mut self.engine, &self.scene);
        if self.seen.last().is_none_or(|(last, _)| *last != newest) {
            self.seen.push((newest, self.scene.image()));
        }
        if dice.below(3) == 0 {
            self.pinned.push(pin_newest(&mut self.engine));
        }
        self.check(dice);
    }

    fn session(&mut self, sql: &str) {
        let Ok(Reserved::At(base)) = self.engine.reserve() else { panic!("nobody else writes") };
        let before = self.scene.image();
        let (mut sent, mut after) = session(&before, sql);
        let version = self.engine.commit(&mut sent).expect("committed");
        // On disk, page 1 has versions and counters of its own.
        let disk = self.scene.image();
        if let (Some(to), Some(from)) = (after.pages.first_mut(), disk.pages.first()) {
            for range in [18..20, 24..28, 92..100] {
                to[range.clone()].copy_from_slice(&from[range]);
            }
        }
        disk.assert_same(&after);
        self.check_changes(base, version, &before, &disk);
    }

    fn unpin_one(&mut self, dice: &mut Dice) {
        if !self.pinned.is_empty() {
            let index = dice.below(self.pinned.len() as u64) as usize;
            self.engine.unpin(self.pinned.swap_remove(index));
        }
    }

    fn check(&mut self, dice: &mut Dice) {
        if let Some(version) = self.pinned.get(dice.below(6) as usize).copied() {
            let image = self.seen.iter().find(|(seen, _)| *seen == version).expect("seen");
            read_all(&mut self.engine, version).assert_same(&image.1);
        }
        let any = |dice: &mut Dice| dice.below(self.seen.len() as u64) as usize;
        let (one, other) = (any(dice), any(dice));
        let ((since, before), (until, after)) =
            (&self.seen[one.min(other)], &self.seen[one.max(other)]);
        let (since, until) = (*since, *until);
        let (before, after) = (before.clone(), after.clone());
        self.check_changes(since, until, &before, &after);
    }

    /// No page differs that is not among the changes.
    fn check_changes(&mut self, since: Version, until: Version, before: &Image, after: &Image) {
        let Changes::Pages(pages) = self.engine.changes(since, until) else { return };
        self.exact += 1;
        for page in before.differing(after) {
            let cut = page > after.size_pages();
            assert!(cut || pages.contains(&page), "page {page} of {since:?} to {until:?}");
        }
    }

    fn finish(mut self) -> usize {
        for version in std::mem::take(&mut self.pinned) {
            let image = self.seen.iter().find(|(seen, _)| *seen == version).expect("seen");
            read_all(&mut self.engine, version).assert_same(&image.1);
            self.engine.unpin(version);
        }
        self.scene.assert_sound();
        let image = self.scene.image();
        drop(self.engine);
        self.scene.assert_sound();
        // The last to close it leaves all in the file.
        self.scene.image().assert_same_but_counters(&image);
        self.exact
    }
}

impl Image {
    fn assert_same_but_counters(&self, other: &Image) {
        assert!(self.differing(other).iter().all(|page| *page == 1));
    }
}

fn run(page_size_bytes: u32, settings: &str, seed: u64, steps: u32) {
    let mut dice = Dice(seed | 1);
    let mut run = Run::new(page_size_bytes, settings);
    for _ in 0..steps {
        run.step(&mut dice);
    }
    let exact = run.finish();
    assert!(exact > steps as usize / 2, "changes were known {exact} times only");
}

#[test]
fn every_version_is_what_the_files_said_with_small_pages() {
    run(512, "", 0x5eed_0001, 60);
    run(1024, "PRAGMA auto_vacuum=FULL;", 0x5eed_0002, 60);
}

#[test]
fn every_version_is_what_the_files_said_with_usual_pages() {
    run(4096, "", 0x5eed_0003, 60);
    run(4096, "PRAGMA auto_vacuum=INCREMENTAL;", 0x5eed_0004, 60);
    run(4096, "PRAGMA encoding='UTF-16le'; PRAGMA journal_mode=WAL;", 0x5eed_0005, 40);
}

#[test]
fn every_version_is_what_the_files_said_with_large_pages() {
    run(8192, "", 0x5eed_0006, 30);
    run(16_384, "", 0x5eed_0007, 30);
    run(32_768, "PRAGMA auto_vacuum=FULL;", 0x5eed_0008, 30);
    run(65_536, "", 0x5eed_0009, 40);
}
