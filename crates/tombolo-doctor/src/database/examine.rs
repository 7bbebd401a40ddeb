//! Looking at a database.

use super::facts::{
    Content, Facts, JournalFacts, Presence, Sidecar, SidecarKind, Stability, SuperJournal,
    WalContent, WalIndexContent, WalIndexFacts,
};
use super::wal_scan::{self, ScanExtent, WalScan};
use super::{describe, stability};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tombolo_core::errno::Errno;
use tombolo_core::report::{Database, Observation};
use tombolo_core::sqlite::header::{self, HEADER_BYTES, Header};
use tombolo_core::sqlite::journal::{
    self, JOURNAL_HEADER_BYTES, JournalContent, SuperJournalName, TAIL_BYTES_MAX,
};
use tombolo_core::sqlite::lock_bytes;
use tombolo_core::sqlite::wal_index::{Agreement, WAL_INDEX_HEADER_BYTES, WalIndex, WalIndexFault};
use tombolo_os::error::CallError;
use tombolo_os::lock::{self, Holder, Range, Strength};
use tombolo_os::medium::{self, Medium};
use tombolo_os::read::{self, Kind, Opened, ReadError};

/// How often a wal-index header is read until it is whole: a writer changes it within
/// nanoseconds, so that even the second read rarely meets one.
const INDEX_READS_MAX: u32 = 10;

/// PENDING, RESERVED and the bytes of readers. Readers hold only shared locks in it; playing a
/// journal back may hold an exclusive one on their bytes alone.
const DATABASE_BYTES: Range = Range {
    start: lock_bytes::PENDING.cast_signed(),
    length: (lock_bytes::SHARED_BYTES + 2).cast_signed(),
};
const INDEX_BYTES: Range = Range {
    start: lock_bytes::WAL_WRITE.cast_signed(),
    length: (lock_bytes::DEAD_MAN_SWITCH - lock_bytes::WAL_WRITE + 1).cast_signed(),
};
const USER_BYTES: Range = Range { start: lock_bytes::DEAD_MAN_SWITCH.cast_signed(), length: 1 };

/// What an examination of a database gives.
#[derive(Clone, Debug)]
pub struct Examination {
    /// For the report; `openers` is left empty.
    pub database: Database,
    /// For the evidence, without numbers.
    pub observations: Vec<Observation>,
    /// For [`super::conclude`].
    pub facts: Facts,
}

/// Examines the database at a path and its sidecars; also where the database is missing.
///
/// Nothing is created, locked, mapped or changed. A call on a dead mount can wait for ever; the
/// deadline is looked at between calls.
#[must_use]
pub fn examine(path: &Path, deadline: Instant) -> Examination {
    let facts = stability::settle(|| look(path, deadline), deadline);
    let findings = super::conclude(&facts);
    Examination {
        database: describe::database(&facts, &findings),
        observations: describe::observations(&facts, &findings),
        facts,
    }
}

/// Locks are asked for behind what they guard is read: a writer that was seen in the middle of its
/// work and is gone by then cannot be seen in the same place by the next look.
pub(super) fn look(path: &Path, deadline: Instant) -> Facts {
    let resolved = resolve(path);
    let beside = |kind: SidecarKind| kind.path_beside(&resolved);
    // A writer has its journal only while it holds the lock. Seen one after the other they can
    // belong to two transactions; only the same journal in two looks, and nobody at the lock in
    // between, has no living writer in this kernel.
    let journal = sidecar(&beside(SidecarKind::Journal), look_at_journal);
    let (wal, wal_index) =
        look_at_log(&beside(SidecarKind::Wal), &beside(SidecarKind::WalIndex), deadline);
    let (status, content, writer) = match read::open(&resolved) {
        Ok(opened) => {
            let status = opened.status_now().unwrap_or_else(|_| opened.status());
            let content = content_of(&opened, status.size_bytes);
            (Some(status), content, holder(&opened, Strength::Exclusive, DATABASE_BYTES))
        }
        Err(ReadError::NotRegular { kind, .. }) => {
            (read::status(&resolved).ok(), Content::NotRegular(kind), Presence::Unknown)
        }
        Err(error) => {
            let content = match errno_of(&error) {
                Errno::ENOENT => Content::Missing,
                errno => Content::Unreadable(errno),
            };
            (read::status(&resolved).ok(), content, Presence::Unknown)
        }
    };
    let directory = resolved.parent().and_then(|parent| read::status(parent).ok());
    Facts {
        path: path.to_owned(),
        resolved,
        status,
        directory_modified: directory.map(|status| status.modified),
        content,
        writer,
        wal,
        wal_index,
        journal,
        stability: Stability::Settled,
    }
}

/// The path that SQLite works with. A file that does not exist yet keeps its name in the resolved
/// directory.
fn resolve(path: &Path) -> PathBuf {
    if let Ok(resolved) = path.canonicalize() {
        return resolved;
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match (parent.unwrap_or(Path::new(".")).canonicalize(), path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

fn errno_of(error: &ReadError) -> Errno {
    error.errno().unwrap_or(Errno::EINVAL)
}

fn content_of(opened: &Opened, size_bytes: u64) -> Content {
    if header::is_empty_database(size_bytes) {
        return Content::Empty;
    }
    match opened.bytes_at(0, HEADER_BYTES) {
        Ok(bytes) => Header::read(&bytes).map_or_else(Content::Damaged, Content::Header),
        Err(error) => Content::Unreadable(error.errno),
    }
}

/// Whether another process holds a lock in a range: an exclusive one, or any. Asks, and takes
/// nothing: where the question itself would, it is not asked.
fn holder(opened: &Opened, held: Strength, range: Range) -> Presence {
    if medium::of(opened.file()) == Ok(Medium::Smb) {
        return Presence::Unknown;
    }
    let answer = match held {
        Strength::Exclusive => lock::query_exclusive(opened.file(), range),
        Strength::Shared | Strength::None => lock::query(opened.file(), range),
    };
    match answer {
        Ok(Holder::Nobody) => Presence::Nobody,
        Ok(Holder::Process(_)) => Presence::Somebody,
        Err(_) => Presence::Unknown,
    }
}

fn sidecar<T>(path: &Path, look_at: impl FnOnce(&Opened) -> Result<T, CallError>) -> Sidecar<T> {
    let opened = match read::open(path) {
        Ok(opened) => opened,
        Err(ReadError::NotRegular { kind, .. }) => return Sidecar::NotRegular(kind),
        Err(error) => {
            return match errno_of(&error) {
                Errno::ENOENT if !is_broken_link(path) => Sidecar::Absent,
                errno => Sidecar::Unreadable(errno),
            };
        }
    };
    match look_at(&opened) {
        Ok(content) => {
            let status = opened.status_now().unwrap_or_else(|_| opened.status());
            // Deleted since it was opened: it was closed in the ordinary way.
            if status.links == 0 { Sidecar::Absent } else { Sidecar::Present { status, content } }
        }
        Err(error) => Sidecar::Unreadable(error.errno),
    }
}

fn is_broken_link(path: &Path) -> bool {
    read::status_of_name(path).is_ok_and(|status| status.kind == Kind::SymbolicLink)
}

fn look_at_journal(opened: &Opened) -> Result<JournalFacts, CallError> {
    let size_bytes = opened.status_now()?.size_bytes;
    let content = journal::judge(&opened.bytes_at(0, JOURNAL_HEADER_BYTES)?, size_bytes);
    let super_journal = match content {
        JournalContent::Hot(_) => {
            let offset = size_bytes.saturating_sub(TAIL_BYTES_MAX as u64);
            let tail = opened.bytes_at(offset, TAIL_BYTES_MAX)?;
            journal::super_journal(&tail).map(look_for)
        }
        JournalContent::Cold | JournalContent::Unreadable(_) => None,
    };
    Ok(JournalFacts { content, super_journal })
}

fn look_for(name: SuperJournalName) -> SuperJournal {
    let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    match read::status_of_name(path) {
        Ok(_) => SuperJournal::Exists(name),
        Err(error) if error.errno == Errno::ENOENT => SuperJournal::Gone(name),
        Err(error) => SuperJournal::Unseen(name, error.errno),
    }
}

/// Reads the wal-index, the log, and the wal-index again. A writer puts frames into the log before
/// it names them in the wal-index, so the first of the two reads may name no frame that the log
/// lacks; a restart changes the wal-index first, so the second read shows whether there was one.
fn look_at_log(
    wal_path: &Path,
    index_path: &Path,
    deadline: Instant,
) -> (Sidecar<WalContent>, Sidecar<WalIndexFacts>) {
    let index = read::open(index_path).ok();
    let before = index.as_ref().and_then(|opened| read_index(opened).ok());
    let wal = sidecar(wal_path, |opened| look_at_wal(opened, deadline));
    let log = wal.content().and_then(WalContent::log).copied();
    let wal_index = sidecar(index_path, |opened| {
        let content = index_content(read_index(opened)?, before, log);
        let users = holder(opened, Strength::Shared, USER_BYTES);
        let writer = holder(opened, Strength::Exclusive, INDEX_BYTES);
        Ok(WalIndexFacts { content, users, writer })
    });
    (wal, wal_index)
}

fn look_at_wal(opened: &Opened, deadline: Instant) -> Result<WalContent, CallError> {
    if opened.status_now()?.size_bytes == 0 {
        return Ok(WalContent::Empty);
    }
    match wal_scan::summarise(opened, deadline)? {
        Ok(scan) => Ok(WalContent::Log(scan)),
        Err(fault) => Ok(WalContent::Damaged(fault)),
    }
}

type IndexRead = Result<WalIndex, WalIndexFault>;

/// Reads the header until it is whole, or often enough to believe that it is not.
fn read_index(opened: &Opened) -> Result<IndexRead, CallError> {
    let mut result = Err(WalIndexFault::TooShort(0));
    for _ in 0..INDEX_READS_MAX {
        result = WalIndex::read(&opened.bytes_at(0, WAL_INDEX_HEADER_BYTES)?);
        if result.is_ok() {
            break;
        }
        std::thread::yield_now();
    }
    Ok(result)
}

fn index_content(
    now: IndexRead,
    before: Option<IndexRead>,
    log: Option<WalScan>,
) -> WalIndexContent {
    match now {
        Ok(index) => {
            let unmoved = before == Some(Ok(index));
            let agreement = log.map(|scan| index.agreement(&scan.summary));
            let whole = log.is_some_and(|scan| scan.extent == ScanExtent::Whole);
            let settled = unmoved || agreement == Some(Agreement::Agrees);
            let agreement = agreement.filter(|_| whole && settled);
            WalIndexContent::Whole { index, agreement }
        }
        Err(fault @ (WalIndexFault::TooShort(_) | WalIndexFault::NotInitialised)) => {
            WalIndexContent::Unbuilt(fault)
        }
        Err(fault) => WalIndexContent::Inconsistent(fault),
    }
}
