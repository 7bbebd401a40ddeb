//! The parsers against stock SQLite, on thousands of generated files: what they say of a file is
//! what SQLite then makes of it.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use tombolo_core::sqlite::header::{Header, JournalMode, SizeFit};
use tombolo_core::sqlite::journal::{self, JournalContent};
use tombolo_core::sqlite::wal::{
    ChecksumOrder, Summariser, WAL_HEADER_BYTES, WalHeader, WalSummary,
};
use tombolo_core::sqlite::wal_index::{Agreement, WalIndex};

const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// Numbers that are the same in each run.
struct Numbers {
    runner: TestRunner,
}

impl Numbers {
    fn new() -> Self {
        Numbers { runner: TestRunner::deterministic() }
    }

    fn below(&mut self, limit: usize) -> usize {
        (0..limit).new_tree(&mut self.runner).unwrap().current()
    }
}

struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Bench { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn read_or_empty(path: &Path) -> Vec<u8> {
    if path.exists() { fs::read(path).unwrap() } else { Vec::new() }
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A new database with this page size, this many reserved bytes in each page, and one table.
///
/// Reserved bytes are otherwise set by a call that has no safe form. A database of one page without
/// tables takes them by byte 20, if the content of its page ends where the usable part does.
fn create(path: &Path, page_size_bytes: u32, reserved_bytes: u8) -> Connection {
    let connection = Connection::open(path).unwrap();
    let pragmas = format!("PRAGMA page_size={page_size_bytes}; PRAGMA user_version=7;");
    connection.execute_batch(&pragmas).unwrap();
    drop(connection);
    let mut bytes = fs::read(path).unwrap();
    bytes[20] = reserved_bytes;
    let usable_bytes = page_size_bytes - u32::from(reserved_bytes);
    let field = u16::try_from(usable_bytes).unwrap_or(0);
    bytes[105..107].copy_from_slice(&field.to_be_bytes());
    fs::write(path, bytes).unwrap();
    let connection = Connection::open(path).unwrap();
    let sql = "PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(x);";
    connection.execute_batch(sql).unwrap();
    connection
}

fn insert(connection: &Connection, rows: usize, row_bytes: usize) {
    let sql = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?1)
        INSERT INTO t SELECT randomblob(?2) FROM c";
    let arguments = [rows, row_bytes].map(|count| i64::try_from(count).unwrap());
    connection.execute(sql, arguments).unwrap();
}

/// The summary of a log, or `None` where its header does not hold. Fed in pieces of a size that
/// fits nothing.
fn summarise(log: &[u8]) -> Option<WalSummary> {
    let mut summariser = Summariser::new(WalHeader::read(log).ok()?);
    for piece in log.get(WAL_HEADER_BYTES..)?.chunks(1009) {
        summariser.feed(piece);
    }
    Some(summariser.finish())
}

#[test]
fn headers_say_what_sqlite_says() {
    let bench = Bench::new();
    for page_size_bytes in PAGE_SIZES {
        for reserved_bytes in [0_u8, 8, 32] {
            for mode in ["WAL", "DELETE", "TRUNCATE", "PERSIST"] {
                let path = bench.path(&format!("{page_size_bytes}-{reserved_bytes}-{mode}.db"));
                let connection = create(&path, page_size_bytes, reserved_bytes);
                connection.execute_batch(&format!("PRAGMA journal_mode={mode};")).unwrap();
                insert(&connection, 20, 700);
                connection.execute_batch("PRAGMA application_id=99;").unwrap();
                let pages = number(&connection, "PRAGMA page_count");
                let cookie = number(&connection, "PRAGMA schema_version");
                let free = number(&connection, "PRAGMA freelist_count");
                drop(connection);
                let bytes = fs::read(&path).unwrap();
                let header = Header::read(&bytes).unwrap();
                let fields = header.fields();
                assert_eq!(header.page_size_bytes(), page_size_bytes);
                assert_eq!(fields.reserved_bytes, reserved_bytes);
                assert_eq!(header.size_pages().map(i64::from), Some(pages));
                assert_eq!(header.fit(bytes.len() as u64), SizeFit::Exact);
                assert_eq!(i64::from(fields.schema_cookie), cookie);
                assert_eq!(i64::from(fields.freelist_pages), free);
                assert_eq!((fields.user_version, fields.application_id), (7, 99));
                let version = rusqlite::version_number();
                assert_eq!(header.writer_version().map(|number| number as i32), Some(version));
                let wal = mode == "WAL";
                assert_eq!(header.journal_mode() == JournalMode::Wal, wal);
            }
        }
    }
}

#[test]
fn a_header_is_refused_where_sqlite_refuses_it() {
    let bench = Bench::new();
    let good_path = bench.path("good.db");
    drop(create(&good_path, 1024, 0));
    let good = fs::read(&good_path).unwrap();
    let path = bench.path("changed.db");
    let mut numbers = Numbers::new();
    let mut refused = 0;
    for round in 0..1500 {
        let mut bytes = good.clone();
        // The bytes that decide whether a file is a database, twice as often as the others.
        let offset = if round % 2 == 0 { numbers.below(24) } else { numbers.below(100) };
        // Another size of a page makes SQLite stumble over the pages, not over the header.
        if (16..18).contains(&offset) || (32..40).contains(&offset) || (52..60).contains(&offset) {
            continue;
        }
        bytes[offset] = u8::try_from(numbers.below(256)).unwrap();
        fs::write(&path, &bytes).unwrap();
        let connection = Connection::open(&path).unwrap();
        let read = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
        let opened = read.is_ok();
        let judged = Header::read(&bytes);
        let short = judged
            .is_ok_and(|header| matches!(header.fit(bytes.len() as u64), SizeFit::Shorter { .. }));
        let reserved = judged.is_ok_and(|header| header.fields().reserved_bytes != 0);
        if !short && !reserved {
            assert_eq!(judged.is_ok(), opened, "byte {offset} = {}: {judged:?}", bytes[offset]);
        }
        refused += u32::from(!opened);
        drop(connection);
        for suffix in ["-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(beside(&path, suffix));
        }
    }
    assert!(refused > 300, "the changes must matter: {refused}");
}

/// A log of several generations, with a rolled back transaction that overflowed into it.
fn grow_log(connection: &Connection, numbers: &mut Numbers, page_size_bytes: usize) {
    connection.execute_batch("PRAGMA cache_size=2;").unwrap();
    for _ in 0..=numbers.below(2) {
        for _ in 0..=numbers.below(4) {
            insert(connection, 1 + numbers.below(4), page_size_bytes / 3);
        }
        if numbers.below(2) == 0 {
            connection.execute_batch("PRAGMA wal_checkpoint(RESTART);").unwrap();
        }
        if numbers.below(2) == 0 {
            connection.execute_batch("BEGIN").unwrap();
            insert(connection, 12, page_size_bytes / 2);
            connection.execute_batch("ROLLBACK").unwrap();
        }
    }
    insert(connection, 1, page_size_bytes / 3);
}

/// Cuts a log, changes one of its bits, or leaves it.
fn spoil(log: &mut Vec<u8>, numbers: &mut Numbers) {
    match numbers.below(5) {
        0 => log.truncate(numbers.below(log.len() + 1)),
        1 | 2 if !log.is_empty() => {
            let offset = numbers.below(log.len());
            log[offset] ^= 1 << numbers.below(8);
        }
        3 if log.len() > 4096 => {
            let offset = numbers.below(log.len() - 512);
            log[offset..offset + 512].fill(0);
        }
        _ => {}
    }
}

#[test]
fn a_log_holds_the_frames_that_sqlite_recovers() {
    let bench = Bench::new();
    let mut numbers = Numbers::new();
    let (mut with_frames, mut without) = (0, 0);
    for page_size_bytes in PAGE_SIZES {
        let copies = if page_size_bytes <= 2048 { 100 } else { 20 };
        for generation in 0..6 {
            let live = bench.path(&format!("live-{page_size_bytes}-{generation}.db"));
            let reserved_bytes = if generation % 2 == 0 { 0 } else { 16 };
            let connection = create(&live, page_size_bytes, reserved_bytes);
            connection.execute_batch("PRAGMA journal_mode=WAL;").unwrap();
            grow_log(&connection, &mut numbers, page_size_bytes as usize);
            let middle = generation % 3 == 0;
            if middle {
                connection.execute_batch("BEGIN").unwrap();
                insert(&connection, 9, page_size_bytes as usize / 2);
            }
            let database = fs::read(&live).unwrap();
            let log = fs::read(beside(&live, "-wal")).unwrap();
            let index = WalIndex::read(&fs::read(beside(&live, "-shm")).unwrap()).unwrap();
            let summary = summarise(&log).unwrap();
            assert_eq!(index.agreement(&summary), Agreement::Agrees);
            for round in 0..copies {
                let mut log = log.clone();
                if round > 0 {
                    spoil(&mut log, &mut numbers);
                }
                match recover(&bench, &database, &log) {
                    0 => without += 1,
                    _ => with_frames += 1,
                }
            }
        }
    }
    assert!(with_frames > 1000 && without > 100, "{with_frames} and {without}");
}

/// Opens a copy with SQLite and compares; returns the number of committed frames.
fn recover(bench: &Bench, database: &[u8], log: &[u8]) -> u64 {
    let path = bench.path("copy.db");
    let _ = fs::remove_file(beside(&path, "-shm"));
    fs::write(&path, database).unwrap();
    fs::write(beside(&path, "-wal"), log).unwrap();
    let expected = summarise(log);
    let frames = expected.map_or(0, |summary| summary.committed_frames);
    let connection = Connection::open(&path).unwrap();
    let sizes = |connection: &Connection| {
        let pages = number(connection, "PRAGMA page_count");
        let log_frames = connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1))
            .unwrap();
        (pages, log_frames)
    };
    let (pages, log_frames) = sizes(&connection);
    assert_eq!(u64::try_from(log_frames).unwrap(), frames, "{expected:?}");
    if let Some(committed) = expected.and_then(|summary| summary.committed_size_pages) {
        assert_eq!(pages, i64::from(committed));
    }
    let index = WalIndex::read(&fs::read(beside(&path, "-shm")).unwrap()).unwrap();
    assert_eq!(u64::from(index.max_frame), frames);
    if let Some(page_one) = expected.and_then(|summary| summary.committed_page_one) {
        // The checkpoint has just written the pages of the log into the file.
        assert_eq!(fs::read(&path).unwrap()[..page_one.len()], page_one);
    }
    frames
}

#[test]
fn a_log_in_big_endian_order_is_read_as_sqlite_reads_it() {
    let bench = Bench::new();
    let live = bench.path("live.db");
    let connection = create(&live, 1024, 0);
    connection.execute_batch("PRAGMA journal_mode=WAL;").unwrap();
    insert(&connection, 5, 300);
    insert(&connection, 5, 300);
    let database = fs::read(&live).unwrap();
    let native = fs::read(beside(&live, "-wal")).unwrap();
    let summary = summarise(&native).unwrap();
    let other = match summary.header.checksum_order {
        ChecksumOrder::LittleEndian => ChecksumOrder::BigEndian,
        ChecksumOrder::BigEndian => ChecksumOrder::LittleEndian,
    };
    let mut log = native.clone();
    log[3] ^= 1;
    let mut sum = Default::default();
    let mut seal = |log: &mut [u8], covered: [std::ops::Range<usize>; 2], at: usize| {
        for range in covered {
            sum = tombolo_core::sqlite::wal::Checksum::over(sum, &log[range], other);
        }
        log[at..at + 4].copy_from_slice(&sum.first.to_be_bytes());
        log[at + 4..at + 8].copy_from_slice(&sum.second.to_be_bytes());
    };
    seal(&mut log, [0..24, 24..24], 24);
    let frame_bytes = 24 + 1024;
    for start in (WAL_HEADER_BYTES..native.len()).step_by(frame_bytes) {
        seal(&mut log, [start..start + 8, start + 24..start + frame_bytes], start + 16);
    }
    assert_eq!(summarise(&log).unwrap().header.checksum_order, other);
    assert_eq!(recover(&bench, &database, &log), summary.committed_frames);
}

#[test]
fn a_journal_is_hot_where_sqlite_plays_it_back() {
    let bench = Bench::new();
    let mut numbers = Numbers::new();
    let (mut played, mut ignored) = (0, 0);
    for page_size_bytes in PAGE_SIZES {
        for mode in ["DELETE", "TRUNCATE", "PERSIST"] {
            let live = bench.path(&format!("live-{page_size_bytes}-{mode}.db"));
            let connection = create(&live, page_size_bytes, 0);
            let pragmas = format!("PRAGMA journal_mode={mode}; PRAGMA synchronous=FULL;");
            connection.execute_batch(&pragmas).unwrap();
            insert(&connection, 30, page_size_bytes as usize / 2);
            let before = number(&connection, "SELECT count(*) FROM t");
            connection.execute_batch("PRAGMA cache_size=2; BEGIN").unwrap();
            insert(&connection, 30, page_size_bytes as usize / 2);
            connection.execute("UPDATE t SET x = zeroblob(length(x))", []).unwrap();
            let database = fs::read(&live).unwrap();
            let journal = fs::read(beside(&live, "-journal")).unwrap();
            for round in 0..20 {
                let mut journal = journal.clone();
                if round > 0 {
                    // Not the size before the transaction: SQLite would stretch the file to it.
                    let offset = [0, 8, 8, 20][numbers.below(4)] + numbers.below(8);
                    journal[offset] = u8::try_from(numbers.below(256)).unwrap();
                }
                if round % 4 == 3 {
                    journal[..28].fill(0);
                }
                if round == 6 {
                    journal.truncate(numbers.below(600));
                }
                let hot = play_back(&bench, &database, &journal);
                if round == 0 {
                    let JournalContent::Hot(header) = hot else { panic!("not hot") };
                    assert_eq!(header.page_size_bytes, Some(page_size_bytes));
                    let copy = Connection::open(bench.path("copy.db")).unwrap();
                    assert_eq!(number(&copy, "SELECT count(*) FROM t"), before);
                    assert_eq!(
                        number(&copy, "PRAGMA page_count"),
                        i64::from(header.initial_size_pages)
                    );
                }
                match hot {
                    JournalContent::Hot(_) => played += 1,
                    _ => ignored += 1,
                }
            }
        }
    }
    assert!(played > 100 && ignored > 50, "{played} and {ignored}");
}

/// Opens a copy with SQLite. A cold journal stays; a hot one is played back, which truncates the
/// database to its first size; one that is unreadable is deleted and changes nothing.
fn play_back(bench: &Bench, database: &[u8], journal: &[u8]) -> JournalContent {
    let path = bench.path("copy.db");
    let journal_path = beside(&path, "-journal");
    fs::write(&path, database).unwrap();
    fs::write(&journal_path, journal).unwrap();
    let content = journal::judge(&journal[..journal.len().min(28)], journal.len() as u64);
    let connection = Connection::open(&path).unwrap();
    // Whatever was played back may be nonsense; what happened to the files is what counts.
    let _ = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    drop(connection);
    let unchanged = read_or_empty(&path) == database;
    match content {
        JournalContent::Cold => {
            assert_eq!(read_or_empty(&journal_path), journal);
            assert!(unchanged);
        }
        JournalContent::Unreadable(fault) => {
            assert!(!journal_path.exists() && unchanged, "{fault}");
        }
        JournalContent::Hot(_) => {}
    }
    content
}
