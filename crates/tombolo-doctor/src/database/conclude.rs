//! From facts about files to findings.

use super::facts::{
    Content, Facts, JournalFacts, Presence, Sidecar, SidecarKind, Stability, SuperJournal,
    WalContent, WalIndexContent,
};
use super::wal_scan::{ScanExtent, WalScan};
use crate::findings::Draft;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, Severity};
use tombolo_core::sqlite::header::{HeaderFault, JournalMode};
use tombolo_core::sqlite::journal::{JournalContent, JournalHeader, RecordCount};
use tombolo_core::sqlite::wal::{ChainEnd, FRAME_HEADER_BYTES, WAL_HEADER_BYTES, WalHeaderFault};
use tombolo_core::sqlite::wal_index::{Agreement, RESET_BYTES, WalIndexFault};
use tombolo_core::text::printable;
use tombolo_os::read::{Kind, Status};

/// Committed bytes from which a log is called large. SQLite begins a checkpoint at 1000 pages,
/// some 4 MB, and starts the log anew when one finishes without readers; sixteen times as much
/// means that none does. The size of the file says nothing: it stays when the log starts anew.
pub const WAL_LARGE_BYTES: u64 = 64 << 20;

type Rule = fn(&Facts) -> Option<Draft>;

/// Rules that a program at work can mislead.
const OF_FILES_AT_REST: &[Rule] = &[
    header_damaged,
    size_mismatch,
    wal_damaged,
    wal_index_inconsistent,
    journal_hot,
    super_journal_missing,
    sidecar_orphaned,
];

const OF_ANY_FILES: &[Rule] = &[sidecar_owner_differs, wal_large, decoy_directory];

/// Everything that follows from the files.
#[must_use]
pub fn conclude(facts: &Facts) -> Vec<Draft> {
    let at_rest = match facts.stability {
        Stability::Settled => OF_FILES_AT_REST,
        Stability::Moving => &[],
    };
    at_rest.iter().chain(OF_ANY_FILES).filter_map(|rule| rule(facts)).collect()
}

/// Whether the log is large: for a moment, one large transaction makes it so.
pub(super) fn is_wal_large(facts: &Facts) -> bool {
    wal_large(facts).is_some()
}

/// Whether something looks wrong that a program at work can make look so.
pub(super) fn doubts(facts: &Facts) -> bool {
    OF_FILES_AT_REST.iter().any(|rule| rule(facts).is_some())
}

fn text(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

fn about_database(facts: &Facts, code: Code, severity: Severity, what: String) -> Draft {
    Draft {
        code,
        severity,
        subject: text(&facts.resolved),
        what,
        action: String::new(),
        kinds: vec![EvidenceKind::DatabaseHeader],
    }
}

fn about_sidecar(
    facts: &Facts,
    kind: SidecarKind,
    code: Code,
    severity: Severity,
    what: String,
) -> Draft {
    let evidence = match kind {
        SidecarKind::Wal => EvidenceKind::DatabaseWal,
        SidecarKind::WalIndex => EvidenceKind::DatabaseWalIndex,
        SidecarKind::Journal => EvidenceKind::DatabaseJournal,
    };
    Draft {
        code,
        severity,
        subject: text(&facts.sidecar_path(kind)),
        what,
        action: String::new(),
        kinds: vec![evidence],
    }
}

fn with_action(draft: Draft, action: &str) -> Draft {
    Draft { action: action.to_owned(), ..draft }
}

/// The header of a journal that would be played back if nobody of this kernel is writing.
fn hot_journal(facts: &Facts) -> Option<(&JournalFacts, JournalHeader)> {
    let journal = facts.journal.content()?;
    match journal.content {
        JournalContent::Hot(header) => Some((journal, header)),
        JournalContent::Cold | JournalContent::Unreadable(_) => None,
    }
}

fn log(facts: &Facts) -> Option<&WalScan> {
    facts.wal.content().and_then(WalContent::log)
}

fn header_damaged(facts: &Facts) -> Option<Draft> {
    let Content::Damaged(fault) = facts.content else { return None };
    if hot_journal(facts).is_some() {
        // Playing back the journal, or the writer at work, puts page 1 right.
        return None;
    }
    let severity = match fault {
        HeaderFault::Magic | HeaderFault::TooShort(_) => Severity::Fault,
        _ => Severity::Danger,
    };
    let what = format!("SQLite would not open this file as a database: {fault}");
    let draft = about_database(facts, Code::HeaderDamaged, severity, what);
    Some(with_action(
        draft,
        "if it is meant to be a SQLite database and is not encrypted, keep a copy of it and of its \
         sidecar files and restore a backup; do not let a program create tables in it",
    ))
}

/// Pages are missing at the end that neither the log nor a journal can hold.
fn size_mismatch(facts: &Facts) -> Option<Draft> {
    let (header, status) = (facts.header()?, facts.status?);
    if hot_journal(facts).is_some() {
        return None;
    }
    let committed = match log(facts) {
        Some(scan) if scan.extent == ScanExtent::UntilDeadline => return None,
        Some(scan) => scan.summary.committed_size_pages.zip(Some(scan.summary.committed_frames)),
        None => None,
    };
    // A log that has commits knows the size better, and each frame may hold one missing page.
    let (expected_pages, logged_pages) = match committed {
        Some(committed) => committed,
        None => (header.size_pages()?, 0),
    };
    let page_size_bytes = u64::from(header.page_size_bytes());
    let present_pages = status.size_bytes.div_ceil(page_size_bytes);
    if u64::from(expected_pages).saturating_sub(present_pages) <= logged_pages {
        return None;
    }
    let what = format!(
        "the file has {present_pages} pages of the {expected_pages} that its header or its log \
         names: what stood in the others is lost"
    );
    let mut draft = about_database(facts, Code::SizeMismatch, Severity::Danger, what);
    if committed.is_some() {
        draft.kinds.push(EvidenceKind::DatabaseWal);
    }
    Some(with_action(
        draft,
        "stop all programs that use it, keep a copy of the file and its sidecar files, and restore \
         a backup or run .recover of the sqlite3 shell on a copy",
    ))
}

fn wal_damaged(facts: &Facts) -> Option<Draft> {
    let status = facts.wal.status()?;
    if matches!(facts.content, Content::Missing | Content::Empty) {
        return None;
    }
    let what = match facts.wal.content()? {
        WalContent::Empty => return None,
        WalContent::Damaged(fault) => damaged_header(facts, *fault, status)?,
        WalContent::Log(scan) => foreign_log(facts, scan).or_else(|| broken_chain(scan))?,
    };
    let draft = about_sidecar(facts, SidecarKind::Wal, Code::WalDamaged, Severity::Danger, what);
    Some(with_action(
        draft,
        "open the database with no program yet; keep a copy of the database and its -wal as they \
         are, then find out whether the -wal came from another copy of the database",
    ))
}

/// A header that SQLite does not believe loses the frames behind it, if there are any.
fn damaged_header(facts: &Facts, fault: WalHeaderFault, status: Status) -> Option<String> {
    let page_size_bytes = facts.header().map_or(512, |header| header.page_size_bytes());
    let frame_bytes = u64::from(page_size_bytes) + FRAME_HEADER_BYTES as u64;
    (status.size_bytes >= WAL_HEADER_BYTES as u64 + frame_bytes).then(|| {
        format!(
            "SQLite would not read the {} bytes of this log: {fault}; transactions that were \
             committed to it are lost",
            status.size_bytes
        )
    })
}

fn foreign_log(facts: &Facts, scan: &WalScan) -> Option<String> {
    let header = facts.header()?;
    let (theirs, ours) = (scan.summary.header.page_size_bytes, header.page_size_bytes());
    if theirs != ours {
        return Some(format!(
            "this log is of a database with pages of {theirs} bytes, and the database beside it \
             has pages of {ours}"
        ));
    }
    let rollback = header.journal_mode() == JournalMode::Rollback;
    (rollback && scan.summary.committed_frames > 0).then(|| {
        format!(
            "the database is in rollback mode, and this log of {} committed frames would be played \
             into it by the next program that opens it",
            scan.summary.committed_frames
        )
    })
}

fn broken_chain(scan: &WalScan) -> Option<String> {
    match scan.summary.end {
        ChainEnd::Checksum { later_commits } if later_commits > 0 => Some(format!(
            "the chain of checksums breaks after frame {}, and {later_commits} later frames end \
             transactions that SQLite does not see any more",
            scan.summary.frames
        )),
        _ => None,
    }
}

fn wal_index_inconsistent(facts: &Facts) -> Option<Draft> {
    let index = facts.wal_index.content()?;
    if index.users != Presence::Somebody {
        // Left by a crash: the next to open the database builds it anew.
        return None;
    }
    let what = match index.content {
        WalIndexContent::Unbuilt(WalIndexFault::TooShort(bytes)) if bytes as u64 == RESET_BYTES => {
            "it was truncated to 3 bytes while programs of this kernel have it open, as a failed \
             open from a kernel that does not see their locks does: they may die of SIGBUS or \
             damage the database"
                .to_owned()
        }
        WalIndexContent::Unbuilt(_) => return None,
        WalIndexContent::Inconsistent(fault) => {
            format!("programs of this kernel have it open, and {fault}")
        }
        WalIndexContent::Whole { index, agreement } => {
            let why = match agreement? {
                Agreement::Agrees | Agreement::Empty | Agreement::Behind => return None,
                Agreement::FramesMissing => {
                    format!("it names frame {}, which the -wal does not have", index.max_frame)
                }
                Agreement::OtherGeneration => "it belongs to another -wal".to_owned(),
                Agreement::OtherPageSize => "its page size is not that of the -wal".to_owned(),
                Agreement::OtherContent => "its checksum is not that of the -wal".to_owned(),
            };
            format!("programs of this kernel have it open, and {why}")
        }
    };
    let (kind, code) = (SidecarKind::WalIndex, Code::WalIndexInconsistent);
    let mut draft = about_sidecar(facts, kind, code, Severity::Danger, what);
    draft.kinds.push(EvidenceKind::DatabaseWal);
    Some(with_action(
        draft,
        "stop every program that has the database open, in every kernel, then open it from one; do \
         not delete the -wal",
    ))
}

fn journal_hot(facts: &Facts) -> Option<Draft> {
    let (journal, header) = hot_journal(facts)?;
    let gone = matches!(journal.super_journal, Some(SuperJournal::Gone(_)));
    let database_has_pages = !matches!(facts.content, Content::Missing | Content::Empty);
    if facts.writer == Presence::Somebody || gone || !database_has_pages {
        return None;
    }
    let what = format!(
        "a program died in the middle of a transaction, or writes at this moment from a kernel \
         whose locks are not visible here; the next program that opens the database plays {} back",
        pages_of(header)
    );
    let (kind, code) = (SidecarKind::Journal, Code::JournalHot);
    Some(with_action(
        about_sidecar(facts, kind, code, Severity::Warning, what),
        "never delete or move it; make sure that no other kernel has the database open, then open \
         it once with a program that may write",
    ))
}

fn pages_of(header: JournalHeader) -> String {
    match header.records {
        RecordCount::Exact(count) => format!("at least {count} pages"),
        RecordCount::UntilEndOfFile => "all its pages".to_owned(),
    }
}

fn super_journal_missing(facts: &Facts) -> Option<Draft> {
    let (journal, _) = hot_journal(facts)?;
    if facts.writer == Presence::Somebody {
        return None;
    }
    let Some(SuperJournal::Gone(name)) = &journal.super_journal else { return None };
    let what = format!(
        "this journal is part of a transaction over several databases and names {}, which does not \
         exist here: SQLite takes the transaction for committed and throws the journal away, which \
         is right after a crash and wrong where the databases were moved or are seen at another \
         path",
        printable(name.as_bytes())
    );
    let (kind, code) = (SidecarKind::Journal, Code::SuperJournalMissing);
    Some(with_action(
        about_sidecar(facts, kind, code, Severity::Warning, what),
        "if the databases of that transaction were moved or mounted elsewhere, put them back to \
         the path at which they were written before any program opens them",
    ))
}

/// A log or a journal with content beside no database, or beside an empty one that it is not the
/// beginning of. SQLite deletes a log beside an empty database.
fn sidecar_orphaned(facts: &Facts) -> Option<Draft> {
    let beside = match facts.content {
        Content::Missing => "no database",
        Content::Empty => "an empty database",
        _ => return None,
    };
    let committed = log(facts).map(|scan| scan.summary.committed_frames).filter(|count| *count > 0);
    let journal_of_old = hot_journal(facts).filter(|(_, header)| header.initial_size_pages > 0);
    let (kind, holds) = if let Some(frames) = committed {
        (SidecarKind::Wal, format!("{frames} committed frames"))
    } else if journal_of_old.is_some() {
        (SidecarKind::Journal, "pages of a database that is gone".to_owned())
    } else if let (Content::Missing, Some((kind, _))) =
        (facts.content, facts.sidecar_statuses().first())
    {
        (*kind, "nothing that is needed".to_owned())
    } else {
        return None;
    };
    let severity = match (committed, journal_of_old) {
        (None, None) => Severity::Notice,
        _ => Severity::Danger,
    };
    let what = format!(
        "it stands beside {beside} and holds {holds}; a new database of that name would take it \
         for its own or delete it"
    );
    Some(with_action(
        about_sidecar(facts, kind, Code::SidecarOrphaned, severity, what),
        "find the database it belongs to and put both at one place; move it away before a new \
         database is created here",
    ))
}

/// A sidecar that those who may write the database may not.
fn sidecar_owner_differs(facts: &Facts) -> Option<Draft> {
    let database = facts.status.filter(|status| status.kind == Kind::Regular)?;
    let (kind, sidecar) = facts
        .sidecar_statuses()
        .into_iter()
        .find(|(_, sidecar)| shuts_out_owner(database, *sidecar))?;
    let what = format!(
        "it belongs to {}:{} with mode {:04o}, the database to {}:{} with mode {:04o}: programs \
         that may write the database may not use it",
        sidecar.uid,
        sidecar.gid,
        sidecar.permissions,
        database.uid,
        database.gid,
        database.permissions
    );
    let mut draft = about_sidecar(facts, kind, Code::SidecarOwnerDiffers, Severity::Warning, what);
    draft.kinds.push(EvidenceKind::Path);
    Some(with_action(
        draft,
        "give it the owner, group and mode of the database (chown and chmod --reference), and run \
         all programs that use the database as one user",
    ))
}

/// Whether the owner of a database may not read and write a sidecar as the database's mode says.
/// SQLite gives a sidecar the mode of the database, and its owner and group where it may.
fn shuts_out_owner(database: Status, sidecar: Status) -> bool {
    let needed = (database.permissions >> 6) & 0o6;
    let granted = if sidecar.uid == database.uid {
        sidecar.permissions >> 6
    } else if sidecar.gid == database.gid {
        sidecar.permissions >> 3
    } else {
        sidecar.permissions
    };
    needed & !granted != 0
}

fn wal_large(facts: &Facts) -> Option<Draft> {
    let scan = log(facts)?;
    let frames = scan.summary.committed_frames;
    let committed_bytes = frames.saturating_mul(scan.summary.header.frame_bytes());
    if committed_bytes < WAL_LARGE_BYTES || is_checkpointed(facts) {
        return None;
    }
    let database_bytes = facts.status.map_or(0, |status| status.size_bytes);
    let what = format!(
        "it holds {frames} committed frames, {} MiB, beside a database of {} MiB: checkpoints do \
         not finish, because a reader stays in an old transaction, programs come and go without \
         closing, or automatic checkpoints are off",
        committed_bytes >> 20,
        database_bytes >> 20
    );
    let draft = about_sidecar(facts, SidecarKind::Wal, Code::WalLarge, Severity::Warning, what);
    Some(with_action(
        draft,
        "end long read transactions, then run PRAGMA wal_checkpoint(TRUNCATE) in the program that \
         owns the database; never delete the -wal",
    ))
}

/// Whether all of the log is in the database already, as after a VACUUM: the next transaction
/// begins it anew.
fn is_checkpointed(facts: &Facts) -> bool {
    match facts.wal_index.content().map(|index| index.content) {
        Some(WalIndexContent::Whole { index, agreement: Some(Agreement::Agrees) }) => {
            index.backfilled_frames == index.max_frame
        }
        _ => false,
    }
}

fn decoy_directory(facts: &Facts) -> Option<Draft> {
    let Sidecar::NotRegular(Kind::Directory) = facts.wal else { return None };
    let what = "a directory stands where SQLite would put its log: every ordinary open of the \
                database fails with \"unable to open database file\"; an owner program sets one up \
                to keep others out, and so can a careless copy"
        .to_owned();
    let (kind, code) = (SidecarKind::Wal, Code::DecoyDirectory);
    Some(with_action(
        about_sidecar(facts, kind, code, Severity::Fault, what),
        "if an owner serves this database, reach it through that owner; if none does any more, \
         remove the empty directory with rmdir",
    ))
}
