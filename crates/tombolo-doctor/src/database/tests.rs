use super::*;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LockResult, RwLockReadGuard};
use std::time::{Duration, Instant};
use tombolo_core::finding::Code;
use tombolo_core::report::{HeaderMode, JournalState, Outcome, Severity};
use tombolo_core::sqlite::journal::JOURNAL_MAGIC;
use tombolo_os::lock::{Family, Range, Strength, set};
use tombolo_os::walk::{Bounds, Step, WalkEnd};
use tombolo_os::worker::{self, End};

mod at_work;

/// A directory with a database that this process closed or copied away, so that nobody has it open.
struct Bench {
    directory: tempfile::TempDir,
    _sqlite: LockResult<RwLockReadGuard<'static, ()>>,
}

impl Bench {
    fn new() -> Self {
        Bench { directory: tempfile::tempdir().unwrap(), _sqlite: crate::SQLITE_HERE.read() }
    }

    /// On a file system in memory.
    fn in_memory() -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").expect("/dev/shm, a tmpfs of every Linux");
        Bench { directory, _sqlite: crate::SQLITE_HERE.read() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.path("app.db")
    }

    fn sidecar(&self, kind: SidecarKind) -> PathBuf {
        kind.path_beside(&self.database())
    }

    /// A database in WAL mode as a crash leaves it: copied, with its sidecars, while a connection
    /// was open.
    fn crashed_wal(&self) {
        let live = self.path("live.db");
        let connection = wal_connection(&live);
        connection.execute_batch("CREATE TABLE t(x); INSERT INTO t VALUES(1);").unwrap();
        self.copy_from(&live);
    }

    /// A rollback database in the middle of a transaction whose pages are already in the file.
    fn hot_journal(&self) {
        let live = self.path("live.db");
        let connection = Connection::open(&live).unwrap();
        fill(&connection, 200);
        connection
            .execute_batch("PRAGMA cache_size=2; BEGIN; UPDATE t SET x = x || 'changed';")
            .unwrap();
        self.copy_from(&live);
    }

    fn copy_from(&self, live: &Path) {
        fs::copy(live, self.database()).unwrap();
        for kind in SidecarKind::ALL {
            let source = kind.path_beside(live);
            if source.exists() {
                fs::copy(source, self.sidecar(kind)).unwrap();
            }
        }
    }

    fn examine(&self) -> Examination {
        examine(&self.database(), soon())
    }

    fn codes(&self) -> Vec<Code> {
        self.examine().database.findings
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn wal_connection(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;").unwrap();
    connection
}

fn fill(connection: &Connection, rows: u32) {
    connection.execute_batch("CREATE TABLE t(x); BEGIN;").unwrap();
    for row in 0..rows {
        connection.execute("INSERT INTO t VALUES(?1)", [format!("{row:0>400}")]).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

fn patch(path: &Path, offset: usize, bytes: &[u8]) {
    let mut content = fs::read(path).unwrap();
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
    fs::write(path, content).unwrap();
}

#[test]
fn a_closed_database_is_healthy_in_both_modes() {
    for mode in ["WAL", "DELETE", "TRUNCATE", "PERSIST"] {
        let bench = Bench::new();
        let connection = Connection::open(bench.database()).unwrap();
        connection.execute_batch(&format!("PRAGMA journal_mode={mode};")).unwrap();
        fill(&connection, 100);
        drop(connection);
        let seen = bench.examine();
        assert_eq!(seen.database.findings, [], "{mode}");
        let expected = if mode == "WAL" { HeaderMode::Wal } else { HeaderMode::Rollback };
        assert_eq!(seen.database.journal_mode, expected);
        assert_eq!(seen.database.page_size_bytes, Some(4096));
        let version = u32::try_from(rusqlite::version_number()).unwrap();
        assert_eq!(seen.database.writer_version, Some(version));
    }
}

#[test]
fn a_crash_leaves_nothing_to_complain_about_in_wal_mode() {
    let bench = Bench::new();
    bench.crashed_wal();
    let seen = bench.examine();
    assert_eq!(seen.database.findings, []);
    let wal = seen.database.wal.unwrap();
    assert!(wal.committed_frames > 0 && wal.frames == wal.committed_frames);
    let index = seen.database.wal_index.unwrap();
    assert_eq!(index.max_frame.map(u64::from), Some(wal.committed_frames));
    assert!(seen.observations.iter().all(|seen| seen.outcome == Outcome::Noted));
}

#[test]
fn a_damaged_header_is_found() {
    let bench = Bench::new();
    let connection = Connection::open(bench.database()).unwrap();
    fill(&connection, 1);
    drop(connection);
    patch(&bench.database(), 21, &[9]);
    let facts = bench.examine().facts;
    let [draft] = conclude(&facts).try_into().unwrap();
    assert_eq!((draft.code, draft.severity), (Code::HeaderDamaged, Severity::Danger));
    fs::write(bench.database(), "no database at all").unwrap();
    let [draft] = conclude(&bench.examine().facts).try_into().unwrap();
    assert_eq!((draft.code, draft.severity), (Code::HeaderDamaged, Severity::Fault));
}

#[test]
fn a_file_that_lost_its_end_is_found() {
    let bench = Bench::new();
    let connection = Connection::open(bench.database()).unwrap();
    fill(&connection, 100);
    drop(connection);
    let file = fs::OpenOptions::new().write(true).open(bench.database()).unwrap();
    file.set_len(3 * 4096).unwrap();
    assert_eq!(bench.codes(), [Code::SizeMismatch]);
    let broken = Connection::open(bench.database()).unwrap();
    assert!(broken.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).is_err());
}

#[test]
fn pages_that_wait_in_the_log_are_not_missing() {
    let bench = Bench::new();
    let live = bench.path("live.db");
    let connection = wal_connection(&live);
    fill(&connection, 100);
    bench.copy_from(&live);
    assert_eq!(fs::metadata(bench.database()).unwrap().len(), 4096);
    assert_eq!(bench.codes(), []);
}

#[test]
fn a_log_with_a_hole_before_its_last_commit_is_damaged() {
    let bench = Bench::new();
    let live = bench.path("live.db");
    let connection = wal_connection(&live);
    fill(&connection, 10);
    connection.execute_batch("INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);").unwrap();
    bench.copy_from(&live);
    fs::remove_file(bench.sidecar(SidecarKind::WalIndex)).unwrap();
    patch(&bench.sidecar(SidecarKind::Wal), 32 + 24 + 100, &[0xff; 8]);
    assert_eq!(bench.codes(), [Code::WalDamaged]);
}

#[test]
fn a_log_of_another_database_is_found() {
    let bench = Bench::new();
    bench.crashed_wal();
    let other = Connection::open(bench.path("other.db")).unwrap();
    other.execute_batch("PRAGMA page_size=1024; CREATE TABLE t(x);").unwrap();
    drop(other);
    fs::copy(bench.path("other.db"), bench.database()).unwrap();
    assert_eq!(bench.codes(), [Code::WalDamaged]);
    let same_size = Connection::open(bench.path("third.db")).unwrap();
    same_size.execute_batch("CREATE TABLE t(x);").unwrap();
    drop(same_size);
    fs::copy(bench.path("third.db"), bench.database()).unwrap();
    assert_eq!(bench.codes(), [Code::WalDamaged]);
}

#[test]
fn a_log_with_a_damaged_header_is_found() {
    let bench = Bench::new();
    bench.crashed_wal();
    patch(&bench.sidecar(SidecarKind::Wal), 0, &[0; 32]);
    assert_eq!(bench.codes(), [Code::WalDamaged]);
    fs::write(bench.sidecar(SidecarKind::Wal), [0; 32]).unwrap();
    assert_eq!(bench.codes(), [], "nothing was in it");
}

#[test]
fn an_index_truncated_under_its_user_is_found() {
    let bench = Bench::new();
    bench.crashed_wal();
    let index = bench.sidecar(SidecarKind::WalIndex);
    fs::write(&index, [0; 3]).unwrap();
    assert_eq!(bench.codes(), [], "a crash leaves such a file, and nobody uses it");
    assert_eq!(codes_with_user(&bench), [Code::WalIndexInconsistent]);
}

#[test]
fn an_index_that_contradicts_its_log_is_found_while_it_is_used() {
    let bench = Bench::new();
    bench.crashed_wal();
    patch(&bench.sidecar(SidecarKind::WalIndex), 16, &[9]);
    assert_eq!(bench.codes(), []);
    assert_eq!(codes_with_user(&bench), [Code::WalIndexInconsistent]);

    let bench = Bench::new();
    bench.crashed_wal();
    let log = bench.sidecar(SidecarKind::Wal);
    let frame_bytes = 24 + 4096;
    let size_bytes = fs::metadata(&log).unwrap().len() - frame_bytes;
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(size_bytes).unwrap();
    assert_eq!(bench.codes(), []);
    assert_eq!(codes_with_user(&bench), [Code::WalIndexInconsistent]);
}

/// Examines from another process while this one holds the dead man's switch, as SQLite would.
fn codes_with_user(bench: &Bench) -> Vec<Code> {
    codes_while_locked(bench, "app.db-shm", &[USED])
}

const USED: (Strength, Range) = (Strength::Shared, Range { start: 128, length: 1 });

/// Examines from another process while this one holds locks on a file.
fn codes_while_locked(bench: &Bench, name: &str, locks: &[(Strength, Range)]) -> Vec<Code> {
    let options = fs::OpenOptions::new().read(true).write(true).clone();
    let file = options.open(bench.path(name)).unwrap();
    for (strength, range) in locks {
        set(&file, Family::Posix, *strength, *range).unwrap();
    }
    // Patience is a part of the time there is.
    let deadline = Instant::now() + Duration::from_secs(4);
    let mut codes = Vec::new();
    let end = worker::run(
        soon(),
        |outbox| {
            for code in examine(&bench.database(), deadline).database.findings {
                outbox.send(code.as_str().as_bytes());
            }
        },
        &mut |message| codes.push(Code::from_name(&String::from_utf8_lossy(message)).unwrap()),
    );
    assert_eq!(end.unwrap(), End::Finished);
    codes
}

#[test]
fn a_hot_journal_is_found_and_a_cold_one_is_not() {
    let bench = Bench::new();
    bench.hot_journal();
    let seen = bench.examine();
    assert_eq!(seen.database.findings, [Code::JournalHot]);
    assert_eq!(seen.database.journal.unwrap().state, JournalState::Hot);
    patch(&bench.sidecar(SidecarKind::Journal), 0, &[0; 28]);
    let seen = bench.examine();
    assert_eq!(seen.database.journal.unwrap().state, JournalState::Cold);
    assert!(!seen.database.findings.contains(&Code::JournalHot));
}

#[test]
fn what_could_not_be_seen_twice_is_no_finding_and_is_said() {
    let bench = Bench::new();
    bench.hot_journal();
    let seen = examine(&bench.database(), Instant::now());
    assert_eq!(seen.database.findings, []);
    assert_eq!(seen.facts.stability, Stability::Moving);
    assert!(seen.observations.iter().any(|seen| seen.outcome == Outcome::TimedOut));
}

#[test]
fn a_super_journal_is_looked_for() {
    let bench = Bench::new();
    bench.hot_journal();
    let name = bench.path("app.db-mj0123456789");
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(name.as_os_str());
    let journal = bench.sidecar(SidecarKind::Journal);
    let mut content = fs::read(&journal).unwrap();
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    content.extend_from_slice(bytes);
    content.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    content.extend_from_slice(&sum.to_be_bytes());
    content.extend_from_slice(&JOURNAL_MAGIC);
    fs::write(&journal, content).unwrap();
    assert_eq!(bench.codes(), [Code::SuperJournalMissing]);
    fs::write(&name, "").unwrap();
    let seen = bench.examine();
    assert_eq!(seen.database.findings, [Code::JournalHot]);
    assert_eq!(seen.database.journal.unwrap().super_journal.unwrap(), name.to_str().unwrap());
}

#[test]
fn sidecars_without_a_database_are_orphans() {
    let bench = Bench::new();
    bench.crashed_wal();
    fs::remove_file(bench.database()).unwrap();
    let [draft] = conclude(&bench.examine().facts).try_into().unwrap();
    assert_eq!((draft.code, draft.severity), (Code::SidecarOrphaned, Severity::Danger));
    assert!(draft.subject.ends_with("app.db-wal"));
    fs::write(bench.database(), "").unwrap();
    assert_eq!(bench.codes(), [Code::SidecarOrphaned], "SQLite would delete the log");
    fs::remove_file(bench.database()).unwrap();
    fs::remove_file(bench.sidecar(SidecarKind::Wal)).unwrap();
    let [draft] = conclude(&bench.examine().facts).try_into().unwrap();
    assert_eq!((draft.code, draft.severity), (Code::SidecarOrphaned, Severity::Notice));
}

#[test]
fn a_sidecar_that_shuts_out_the_owner_is_found() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.crashed_wal();
    let index = bench.sidecar(SidecarKind::WalIndex);
    fs::set_permissions(&index, fs::Permissions::from_mode(0o444)).unwrap();
    assert_eq!(bench.codes(), [Code::SidecarOwnerDiffers]);
    fs::set_permissions(&index, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(bench.codes(), []);
    let mut facts = bench.examine().facts;
    if let Sidecar::Present { status, .. } = &mut facts.wal {
        status.uid += 1;
        status.gid += 1;
    }
    assert_eq!(conclude(&facts).first().map(|draft| draft.code), Some(Code::SidecarOwnerDiffers));
}

#[test]
fn a_log_that_no_checkpoint_shortens_is_large() {
    let bench = Bench::new();
    bench.crashed_wal();
    let mut facts = bench.examine().facts;
    let Sidecar::Present { content: WalContent::Log(scan), .. } = &mut facts.wal else {
        panic!("no log")
    };
    scan.summary.committed_frames = WAL_LARGE_BYTES / scan.summary.header.frame_bytes();
    assert!(conclude(&facts).is_empty());
    let Sidecar::Present { content: WalContent::Log(scan), .. } = &mut facts.wal else {
        panic!("no log")
    };
    scan.summary.committed_frames += 1;
    let [draft] = conclude(&facts).try_into().unwrap();
    assert_eq!((draft.code, draft.severity), (Code::WalLarge, Severity::Warning));
}

#[test]
fn a_directory_at_the_name_of_the_log_is_found() {
    let bench = Bench::new();
    let connection = Connection::open(bench.database()).unwrap();
    fill(&connection, 1);
    drop(connection);
    fs::create_dir(bench.sidecar(SidecarKind::Wal)).unwrap();
    assert_eq!(bench.codes(), [Code::DecoyDirectory]);
    let blocked = Connection::open(bench.database()).unwrap();
    assert!(blocked.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)).is_err());
}

#[test]
fn through_a_link_the_sidecars_of_the_resolved_file_count() {
    let bench = Bench::new();
    bench.hot_journal();
    fs::create_dir(bench.path("elsewhere")).unwrap();
    let link = bench.path("elsewhere/link.db");
    std::os::unix::fs::symlink(bench.database(), &link).unwrap();
    let seen = examine(&link, soon());
    assert_eq!(seen.facts.resolved, bench.database().canonicalize().unwrap());
    assert_eq!(seen.database.findings, [Code::JournalHot]);
}

#[test]
fn an_examination_leaves_no_trace() {
    let bench = Bench::new();
    bench.crashed_wal();
    let listing = || {
        let mut entries: Vec<_> = fs::read_dir(bench.directory.path())
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                (entry.file_name(), meta.len(), meta.modified().unwrap(), meta.accessed().unwrap())
            })
            .collect();
        entries.sort();
        entries
    };
    let before = listing();
    bench.examine();
    scan(bench.directory.path(), Bounds::default(), &mut |_| Step::Go).unwrap();
    assert_eq!(listing(), before);
}

#[test]
fn a_scan_finds_databases_by_header_and_orphans_by_content() {
    let bench = Bench::new();
    bench.crashed_wal();
    fs::create_dir(bench.path("sub")).unwrap();
    fs::copy(bench.database(), bench.path("sub/photo.jpg")).unwrap();
    fs::copy(bench.sidecar(SidecarKind::Wal), bench.path("sub/gone.db-wal")).unwrap();
    fs::copy(bench.sidecar(SidecarKind::WalIndex), bench.path("sub/gone.db-shm")).unwrap();
    fs::write(bench.path("sub/notes.db"), "SQLite format 2").unwrap();
    fs::write(bench.path("sub/fake-wal"), "text").unwrap();
    let (mut databases, mut missing) = (Vec::new(), Vec::new());
    let mut see = |sight| {
        match sight {
            Sight::Database(path) => databases.push(path),
            Sight::Missing(path) => missing.push(path),
            Sight::Progress(_) => {}
        }
        Step::Go
    };
    let found = scan(bench.directory.path(), Bounds::default(), &mut see).unwrap();
    databases.sort();
    let expected = [bench.database(), bench.path("live.db"), bench.path("sub/photo.jpg")];
    assert_eq!(databases, expected);
    assert_eq!(missing, [bench.path("sub/gone.db")]);
    assert_eq!((found.unnamed, found.walked.end), (0, WalkEnd::Complete));
}

#[test]
fn a_log_is_summarised_by_path_until_the_deadline() {
    let bench = Bench::new();
    bench.crashed_wal();
    let log = bench.sidecar(SidecarKind::Wal);
    let whole = summarise_wal(&log, soon()).unwrap();
    assert_eq!(whole.extent, ScanExtent::Whole);
    assert!(whole.summary.committed_frames > 0);
    let cut = summarise_wal(&log, Instant::now()).unwrap();
    assert_eq!((cut.extent, cut.summary.frames), (ScanExtent::UntilDeadline, 0));
    assert!(matches!(summarise_wal(&bench.database(), soon()), Err(WalScanError::Header(_))));
    let absent = summarise_wal(&bench.path("absent"), soon());
    assert!(matches!(absent, Err(WalScanError::Open(_))));
}
