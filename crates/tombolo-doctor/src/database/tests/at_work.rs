//! Nothing that programs at work leave for a moment is called damage.

use super::*;
use crate::database::examine::look;
use crate::database::stability::settle;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

/// Looks at a database at work, and how long it is looked at.
const LOOKS_MIN: u32 = 100;
const LOOKED: Duration = Duration::from_millis(250);

/// Examines from another process, as the doctor does, while a thread of this one writes.
fn findings_while(path: &Path, write: impl Fn(&AtomicBool) + Sync) -> Vec<String> {
    let stop = AtomicBool::new(false);
    let (mut looks, mut codes) = (0, Vec::new());
    let end = std::thread::scope(|scope| {
        scope.spawn(|| write(&stop));
        let end = worker::run(
            soon(),
            |outbox| {
                let begun = Instant::now();
                let mut looks = 0;
                while looks < LOOKS_MIN || begun.elapsed() < LOOKED {
                    looks += 1;
                    let drafts = conclude(&examine(path, soon()).facts);
                    let found = drafts.iter().filter(|draft| draft.severity > Severity::Notice);
                    let texts: Vec<_> =
                        found.map(|draft| format!("{}: {}", draft.code, draft.what)).collect();
                    outbox.send(texts.join("\n").as_bytes());
                }
            },
            &mut |message| {
                looks += 1;
                codes.extend(String::from_utf8_lossy(message).lines().map(str::to_owned));
            },
        );
        stop.store(true, Ordering::Relaxed);
        end
    });
    assert_eq!(end.unwrap(), End::Finished);
    assert!(looks >= LOOKS_MIN);
    codes
}

/// Examines while transactions of all kinds go on, by a connection that comes and goes, so that
/// sidecars do as well.
fn assert_calm_in(mode: &str) {
    for bench in [Bench::new(), Bench::in_memory()] {
        let connection = Connection::open(bench.database()).unwrap();
        fill(&connection, 50);
        drop(connection);
        let path = bench.database();
        let seen = findings_while(&path, |stop| {
            let mut round = 0;
            while !stop.load(Ordering::Relaxed) {
                round += 1;
                work_a_round(&path, mode, round);
            }
        });
        assert!(seen.is_empty(), "{mode} in {}: {seen:?}", path.display());
    }
}

fn work_a_round(path: &Path, mode: &str, round: u32) {
    let connection = Connection::open(path).unwrap();
    let pragmas = format!(
        "PRAGMA journal_mode={mode}; PRAGMA synchronous=OFF; PRAGMA cache_size={};
         PRAGMA wal_autocheckpoint={}; PRAGMA journal_size_limit={};",
        if round.is_multiple_of(2) { 2 } else { 2000 },
        [1, 40, 1000][round as usize % 3],
        [-1, 0, 20_000][round as usize / 3 % 3],
    );
    connection.execute_batch(&pragmas).unwrap();
    for turn in 0..round % 6 {
        connection.execute("UPDATE t SET x = x || 'y' WHERE rowid % 7 = 1", []).unwrap();
        connection.execute("INSERT INTO t VALUES(zeroblob(50000))", []).unwrap();
        if turn % 2 == 0 {
            connection.execute("DELETE FROM t WHERE length(x) > 9000", []).unwrap();
        }
    }
    let last = ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint(RESTART)"];
    connection.execute_batch(last[round as usize % 3]).unwrap();
}

#[test]
fn a_wal_database_at_work_gives_no_finding() {
    assert_calm_in("WAL");
}

#[test]
fn a_rollback_database_at_work_gives_no_finding() {
    for mode in ["DELETE", "TRUNCATE", "PERSIST"] {
        assert_calm_in(mode);
    }
}

#[test]
fn a_database_that_works_without_a_journal_file_gives_no_finding() {
    for mode in ["MEMORY", "OFF"] {
        assert_calm_in(mode);
    }
}

#[test]
fn a_wal_database_that_one_connection_keeps_at_work_gives_no_finding() {
    let bench = Bench::new();
    drop(wal_connection(&bench.database()));
    let path = bench.database();
    let seen = findings_while(&path, |stop| {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA wal_autocheckpoint=40; PRAGMA synchronous=OFF;").unwrap();
        fill(&connection, 50);
        while !stop.load(Ordering::Relaxed) {
            connection.execute("UPDATE t SET x = x || 'y' WHERE rowid % 7 = 1", []).unwrap();
        }
    });
    assert!(seen.is_empty(), "{seen:?}");
}

#[test]
fn a_database_that_is_replaced_gives_no_finding() {
    let bench = Bench::new();
    let path = bench.database();
    fill(&Connection::open(&path).unwrap(), 10);
    let seen = findings_while(&path, |stop| {
        let mut page_size_bytes = 512;
        while !stop.load(Ordering::Relaxed) {
            page_size_bytes = if page_size_bytes == 8192 { 512 } else { page_size_bytes * 2 };
            let next = bench.path("next.db");
            let connection = Connection::open(&next).unwrap();
            connection.execute_batch(&format!("PRAGMA page_size={page_size_bytes}")).unwrap();
            fill(&connection, 10);
            drop(connection);
            fs::rename(next, &path).unwrap();
        }
    });
    assert!(seen.is_empty(), "{seen:?}");
}

const WRITING: (Strength, Range) = (Strength::Exclusive, Range { start: 120, length: 1 });

#[test]
fn a_writer_stopped_between_the_copies_of_the_index_is_no_damage() {
    let bench = Bench::new();
    bench.crashed_wal();
    patch(&bench.sidecar(SidecarKind::WalIndex), 16, &[9]);
    assert_eq!(codes_while_locked(&bench, "app.db-shm", &[USED, WRITING]), []);
    assert_eq!(codes_while_locked(&bench, "app.db-shm", &[USED]), [Code::WalIndexInconsistent]);
}

#[test]
fn an_index_that_is_being_made_is_no_damage() {
    let bench = Bench::new();
    bench.crashed_wal();
    let path = bench.sidecar(SidecarKind::WalIndex);
    fs::write(&path, [0; 3]).unwrap();
    let alone = (Strength::Exclusive, Range { start: 128, length: 1 });
    assert_eq!(codes_while_locked(&bench, "app.db-shm", &[alone]), []);
    let file = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let (strength, range) = USED;
    set(&file, Family::Posix, strength, range).unwrap();
    let mut codes = Vec::new();
    let end = worker::run(
        soon(),
        |outbox| {
            let mut looks = 0;
            let made = || {
                looks += 1;
                if looks == 4 {
                    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
                    file.set_len(32_768).unwrap();
                }
                look(&bench.database(), soon())
            };
            for draft in conclude(&settle(made, soon())) {
                outbox.send(draft.code.as_str().as_bytes());
            }
            outbox.send(looks.to_string().as_bytes());
        },
        &mut |message| codes.push(String::from_utf8_lossy(message).into_owned()),
    );
    assert_eq!(end.unwrap(), End::Finished);
    assert_eq!(codes, ["4"], "its maker had only not come to it yet");
}

#[test]
fn a_log_whose_checksums_are_being_written_anew_is_no_damage() {
    let bench = Bench::new();
    let live = bench.path("live.db");
    let connection = wal_connection(&live);
    fill(&connection, 10);
    connection.execute_batch("INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);").unwrap();
    bench.copy_from(&live);
    patch(&bench.sidecar(SidecarKind::Wal), 32 + 24 + 100, &[0xff; 8]);
    assert_eq!(codes_while_locked(&bench, "app.db-shm", &[WRITING]), []);
    assert_eq!(bench.codes(), [Code::WalDamaged]);
}

#[test]
fn a_file_that_has_not_grown_yet_is_no_damage() {
    let bench = Bench::new();
    fill(&Connection::open(bench.database()).unwrap(), 100);
    let file = fs::OpenOptions::new().write(true).open(bench.database()).unwrap();
    file.set_len(3 * 4096).unwrap();
    drop(file);
    for start in [0x4000_0000, 0x4000_0001, 0x4000_0002] {
        let writing = (Strength::Exclusive, Range { start, length: 1 });
        assert_eq!(codes_while_locked(&bench, "app.db", &[writing]), [], "{start}");
    }
    let reading = (Strength::Shared, Range { start: 0x4000_0002, length: 510 });
    assert_eq!(codes_while_locked(&bench, "app.db", &[reading]), [Code::SizeMismatch]);
}

#[test]
fn a_journal_that_is_being_played_back_is_not_hot() {
    let bench = Bench::new();
    bench.hot_journal();
    let playing_back = (Strength::Exclusive, Range { start: 0x4000_0002, length: 510 });
    assert_eq!(codes_while_locked(&bench, "app.db", &[playing_back]), []);
    let reading = (Strength::Shared, Range { start: 0x4000_0002, length: 510 });
    assert_eq!(codes_while_locked(&bench, "app.db", &[reading]), [Code::JournalHot]);
}

/// Facts of a file that lost its end, and of the same file whole.
fn short_and_whole() -> (Facts, Facts) {
    let bench = Bench::new();
    fill(&Connection::open(bench.database()).unwrap(), 100);
    let whole = bench.examine().facts;
    let mut short = whole.clone();
    if let Some(status) = &mut short.status {
        status.size_bytes = 4096;
    }
    (short, whole)
}

/// Time for a quiet of 80 ms and a patience of 400.
fn short_deadline() -> Instant {
    Instant::now() + Duration::from_secs(4)
}

#[test]
fn two_looks_at_a_program_that_stands_still_are_not_enough() {
    let (short, whole) = short_and_whole();
    let mut looks = vec![whole, short.clone(), short.clone(), short.clone()];
    let settled = settle(|| looks.pop().unwrap(), short_deadline());
    assert_eq!(settled.stability, Stability::Settled);
    assert!(conclude(&settled).is_empty(), "the writer went on");

    let settled = settle(|| short.clone(), short_deadline());
    let codes: Vec<_> = conclude(&settled).iter().map(|draft| draft.code).collect();
    assert_eq!(codes, [Code::SizeMismatch], "nobody went on");
}

#[test]
fn a_database_that_is_being_deleted_leaves_no_orphans() {
    let bench = Bench::new();
    bench.crashed_wal();
    for kind in SidecarKind::ALL {
        if let Ok(file) = fs::File::open(bench.sidecar(kind)) {
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    }
    fs::remove_file(bench.database()).unwrap();
    let mut looks = 0;
    let deleted = settle(
        || {
            looks += 1;
            if looks == 4 {
                fs::remove_file(bench.sidecar(SidecarKind::Wal)).unwrap();
                fs::remove_file(bench.sidecar(SidecarKind::WalIndex)).unwrap();
            }
            look(&bench.database(), soon())
        },
        soon(),
    );
    assert_eq!((looks, conclude(&deleted).len()), (4, 0));
}

fn with_large_log(mut facts: Facts) -> Facts {
    let Sidecar::Present { content: WalContent::Log(scan), .. } = &mut facts.wal else {
        panic!("no log")
    };
    scan.summary.committed_frames = 1 + WAL_LARGE_BYTES / scan.summary.header.frame_bytes();
    facts
}

#[test]
fn a_log_that_is_large_for_a_moment_is_no_finding() {
    let bench = Bench::new();
    bench.crashed_wal();
    let small = bench.examine().facts;
    let large = with_large_log(small.clone());
    let mut looks = vec![small, large.clone()];
    let shortened = settle(|| looks.pop().unwrap(), short_deadline());
    assert!(conclude(&shortened).is_empty());

    let stays = settle(|| large.clone(), short_deadline());
    assert_eq!(
        conclude(&stays).iter().map(|draft| draft.code).collect::<Vec<_>>(),
        [Code::WalLarge]
    );

    let mut copied = large;
    let Sidecar::Present { content, .. } = &mut copied.wal_index else { panic!("no index") };
    let WalIndexContent::Whole { index, .. } = &mut content.content else { panic!("not whole") };
    index.backfilled_frames = index.max_frame;
    assert!(conclude(&copied).is_empty(), "the next transaction begins it anew");
}

#[test]
fn what_moves_or_is_written_never_settles() {
    let (short, _) = short_and_whole();
    let mut size_bytes = 4096;
    let moving = settle(
        || {
            size_bytes = if size_bytes == 4096 { 8192 } else { 4096 };
            let mut facts = short.clone();
            facts.status.as_mut().unwrap().size_bytes = size_bytes;
            facts
        },
        short_deadline(),
    );
    let written =
        settle(|| Facts { writer: Presence::Somebody, ..short.clone() }, short_deadline());
    for facts in [moving, written] {
        assert_eq!(facts.stability, Stability::Moving);
        assert!(conclude(&facts).is_empty());
    }
}

#[test]
fn what_was_left_long_ago_is_not_waited_for() {
    let (mut short, _) = short_and_whole();
    short.status.as_mut().unwrap().modified = SystemTime::UNIX_EPOCH;
    short.directory_modified = Some(SystemTime::UNIX_EPOCH);
    let mut looks = 0;
    let settled = settle(
        || {
            looks += 1;
            short.clone()
        },
        soon(),
    );
    assert_eq!((looks, settled.stability), (2, Stability::Settled));
    assert_eq!(conclude(&settled).len(), 1);
}
