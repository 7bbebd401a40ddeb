//! Facts in the words of a report.

use super::facts::{
    Content, Facts, JournalFacts, Presence, Sidecar, SidecarKind, Stability, SuperJournal,
    WalContent, WalIndexContent, WalIndexFacts,
};
use super::wal_scan::{ScanExtent, WalScan};
use crate::findings::Draft;
use std::os::unix::ffi::OsStrExt as _;
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{
    Database, EvidenceKind, HeaderMode, JournalState, JournalSummary, Observation, Outcome,
    WalIndexSummary, WalSummary,
};
use tombolo_core::sqlite::header::{Header, JournalMode, SizeFit};
use tombolo_core::sqlite::journal::JournalContent;
use tombolo_core::sqlite::wal::ChainEnd;
use tombolo_core::text::printable;
use tombolo_os::read::Kind;

/// The summary of a database for a report.
pub(super) fn database(facts: &Facts, findings: &[Draft]) -> Database {
    Database {
        path: printable(facts.path.as_os_str().as_bytes()),
        size_bytes: facts.status.map_or(0, |status| status.size_bytes),
        journal_mode: header_mode(&facts.content),
        page_size_bytes: facts.header().map(Header::page_size_bytes),
        writer_version: facts.header().and_then(Header::writer_version),
        wal: facts.wal.status().map(|status| wal(status.size_bytes, &facts.wal)),
        wal_index: facts
            .wal_index
            .status()
            .zip(facts.wal_index.content())
            .map(|(status, content)| wal_index(status.size_bytes, content)),
        journal: facts
            .journal
            .status()
            .zip(facts.journal.content())
            .map(|(status, content)| journal(status.size_bytes, content)),
        openers: Vec::new(),
        findings: findings.iter().map(|draft| draft.code).collect(),
    }
}

fn header_mode(content: &Content) -> HeaderMode {
    match content {
        Content::Empty => HeaderMode::Empty,
        Content::Header(header) => match header.journal_mode() {
            JournalMode::Wal => HeaderMode::Wal,
            JournalMode::Rollback => HeaderMode::Rollback,
        },
        _ => HeaderMode::Unreadable,
    }
}

fn wal(size_bytes: u64, sidecar: &Sidecar<WalContent>) -> WalSummary {
    let scan = sidecar.content().and_then(WalContent::log);
    WalSummary {
        size_bytes,
        frames: scan.map_or(0, |scan| scan.summary.frames),
        committed_frames: scan.map_or(0, |scan| scan.summary.committed_frames),
        truncated_scan: scan.is_some_and(|scan| scan.extent == ScanExtent::UntilDeadline),
    }
}

fn wal_index(size_bytes: u64, facts: &WalIndexFacts) -> WalIndexSummary {
    let index = match &facts.content {
        WalIndexContent::Whole { index, .. } => Some(index),
        _ => None,
    };
    WalIndexSummary {
        size_bytes,
        consistent: index.is_some(),
        max_frame: index.map(|index| index.max_frame),
        backfilled_frames: index.map(|index| index.backfilled_frames),
    }
}

fn journal(size_bytes: u64, facts: &JournalFacts) -> JournalSummary {
    JournalSummary {
        size_bytes,
        state: match facts.content {
            JournalContent::Cold => JournalState::Cold,
            JournalContent::Hot(_) => JournalState::Hot,
            JournalContent::Unreadable(_) => JournalState::Unreadable,
        },
        super_journal: facts.super_journal.as_ref().map(|found| printable(found.name().as_bytes())),
    }
}

/// What was seen, for the evidence.
pub(super) fn observations(facts: &Facts, findings: &[Draft]) -> Vec<Observation> {
    let violated = |codes: &[Code]| findings.iter().any(|draft| codes.contains(&draft.code));
    let mut observations = vec![path(facts)];
    let header_wrong = violated(&[Code::HeaderDamaged, Code::SizeMismatch]);
    observations.extend(database_header(facts).map(|seen| blame(seen, header_wrong)));
    let log_wrong = violated(&[Code::WalDamaged]);
    observations.extend(wal_observation(facts).map(|seen| blame(seen, log_wrong)));
    let index_wrong = violated(&[Code::WalIndexInconsistent]);
    observations.extend(wal_index_observation(facts).map(|seen| blame(seen, index_wrong)));
    observations.extend(journal_observation(facts));
    if facts.stability == Stability::Moving {
        let text = "something looked wrong, but the files changed with every look, a program held \
                    a lock to write, or time ran out; nothing is concluded from it";
        let kind = EvidenceKind::DatabaseHeader;
        observations.push(Observation::new(kind, Outcome::TimedOut, text));
    }
    observations
}

fn blame(observation: Observation, wrong: bool) -> Observation {
    let outcome = if wrong { Outcome::Violated } else { observation.outcome };
    Observation { outcome, ..observation }
}

fn noted(kind: EvidenceKind, summary: impl Into<String>) -> Observation {
    Observation::new(kind, Outcome::Noted, summary)
}

fn refused(kind: EvidenceKind, what: &str, errno: Errno) -> Observation {
    Observation::new(kind, Outcome::Refused, format!("{what} could not be read: {errno}"))
        .errno(errno)
}

fn path(facts: &Facts) -> Observation {
    let resolved = printable(facts.resolved.as_os_str().as_bytes());
    let Some(status) = facts.status else {
        return noted(EvidenceKind::Path, format!("no file at {resolved}"));
    };
    let kind = match status.kind {
        Kind::Regular => "a regular file",
        Kind::Directory => "a directory",
        Kind::SymbolicLink => "a symbolic link",
        Kind::Special => "a device, socket or pipe",
    };
    let summary = format!(
        "{resolved} is {kind} of {}:{} with mode {:04o}",
        status.uid, status.gid, status.permissions
    );
    noted(EvidenceKind::Path, summary)
        .value("resolved", resolved.as_str())
        .value("links", status.links)
        .value("uid", status.uid)
        .value("gid", status.gid)
        .value("mode", format!("{:04o}", status.permissions))
}

fn database_header(facts: &Facts) -> Option<Observation> {
    let kind = EvidenceKind::DatabaseHeader;
    let size_bytes = facts.status.map_or(0, |status| status.size_bytes);
    match &facts.content {
        Content::Missing => None,
        Content::Empty => Some(noted(kind, "an empty file, which SQLite takes for a new database")),
        Content::NotRegular(_) => Some(noted(kind, "not a regular file, so not a database")),
        Content::Unreadable(errno) => Some(refused(kind, "the database", *errno)),
        Content::Damaged(fault) => {
            Some(noted(kind, fault.to_string()).value("size_bytes", size_bytes))
        }
        Content::Header(header) => Some(good_header(header, size_bytes)),
    }
}

fn good_header(header: &Header, size_bytes: u64) -> Observation {
    let mode = match header.journal_mode() {
        JournalMode::Wal => "WAL",
        JournalMode::Rollback => "rollback",
    };
    let fit = match header.fit(size_bytes) {
        SizeFit::Exact => "exact",
        SizeFit::HeaderSilent => "header silent",
        SizeFit::Longer { .. } => "longer",
        SizeFit::Shorter { .. } => "shorter",
    };
    let fields = header.fields();
    let summary = format!(
        "{mode} mode, pages of {} bytes, by the header {} of them, {size_bytes} bytes",
        header.page_size_bytes(),
        header.size_pages().map_or("an unknown number".to_owned(), |pages| pages.to_string())
    );
    let mut observation = noted(EvidenceKind::DatabaseHeader, summary)
        .value("size_bytes", size_bytes)
        .value("size_fit", fit)
        .value("page_size_bytes", header.page_size_bytes())
        .value("write_version", u32::from(fields.write_version))
        .value("read_version", u32::from(fields.read_version))
        .value("reserved_bytes", u32::from(fields.reserved_bytes))
        .value("schema_format", fields.schema_format)
        .value("change_counter", fields.change_counter);
    if let Some(pages) = header.size_pages() {
        observation = observation.value("size_pages", pages);
    }
    if let Some(version) = header.writer_version() {
        observation = observation.value("writer_version", version);
    }
    observation
}

/// What is said of a sidecar that could not be read as one; `None` where there is none.
fn unread<T>(
    sidecar: &Sidecar<T>,
    kind: EvidenceKind,
    name: SidecarKind,
) -> Result<&T, Option<Observation>> {
    match sidecar {
        Sidecar::Absent => Err(None),
        Sidecar::Present { content, .. } => Ok(content),
        Sidecar::NotRegular(Kind::Directory) => {
            Err(Some(noted(kind, format!("a directory stands at {}", name.suffix()))))
        }
        Sidecar::NotRegular(_) => {
            Err(Some(noted(kind, format!("{} is not a regular file", name.suffix()))))
        }
        Sidecar::Unreadable(errno) => Err(Some(refused(kind, name.suffix(), *errno))),
    }
}

fn wal_observation(facts: &Facts) -> Option<Observation> {
    let kind = EvidenceKind::DatabaseWal;
    let content = match unread(&facts.wal, kind, SidecarKind::Wal) {
        Ok(content) => content,
        Err(said) => return said,
    };
    let size_bytes = facts.wal.status().map_or(0, |status| status.size_bytes);
    let observation = match content {
        WalContent::Empty => noted(kind, "-wal is empty"),
        WalContent::Damaged(fault) => noted(kind, format!("-wal: {fault}")),
        WalContent::Log(scan) => wal_log(scan),
    };
    Some(observation.value("size_bytes", size_bytes))
}

fn wal_log(scan: &WalScan) -> Observation {
    let summary = &scan.summary;
    let end = match summary.end {
        ChainEnd::EndOfFile => "the end of the file".to_owned(),
        ChainEnd::PartialFrame { bytes } => format!("a frame of which {bytes} bytes are there"),
        ChainEnd::OtherSalts => "frames of an older generation".to_owned(),
        ChainEnd::PageZero => "a frame for page 0".to_owned(),
        ChainEnd::Checksum { .. } => "a frame whose checksum does not hold".to_owned(),
    };
    let outcome = match scan.extent {
        ScanExtent::Whole => Outcome::Noted,
        ScanExtent::UntilDeadline => Outcome::TimedOut,
    };
    let text = format!(
        "-wal: {} frames, {} of them committed, up to {end}",
        summary.frames, summary.committed_frames
    );
    let [salt_first, salt_second] = summary.header.salts.0;
    let mut observation = Observation::new(EvidenceKind::DatabaseWal, outcome, text)
        .value("frames", summary.frames)
        .value("committed_frames", summary.committed_frames)
        .value("page_size_bytes", summary.header.page_size_bytes)
        .value("checkpoint_sequence", summary.header.checkpoint_sequence)
        .value("salts", format!("{salt_first:08x} {salt_second:08x}"));
    if let Some(pages) = summary.committed_size_pages {
        observation = observation.value("committed_size_pages", pages);
    }
    if let ChainEnd::Checksum { later_commits } = summary.end {
        observation = observation.value("later_commits", later_commits);
    }
    observation
}

fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Somebody => "somebody",
        Presence::Nobody => "nobody",
        Presence::Unknown => "unknown",
    }
}

fn wal_index_observation(facts: &Facts) -> Option<Observation> {
    let kind = EvidenceKind::DatabaseWalIndex;
    let content = match unread(&facts.wal_index, kind, SidecarKind::WalIndex) {
        Ok(content) => content,
        Err(said) => return said,
    };
    let observation = match &content.content {
        WalIndexContent::Unbuilt(fault) => noted(kind, format!("-shm is not built: {fault}")),
        WalIndexContent::Inconsistent(fault) => noted(kind, format!("-shm: {fault}")),
        WalIndexContent::Whole { index, .. } => {
            let text = format!(
                "-shm: last frame {}, of which {} are in the database",
                index.max_frame, index.backfilled_frames
            );
            let marks = index
                .read_marks
                .iter()
                .map(|mark| mark.map_or("unused".to_owned(), |frame| frame.to_string()));
            noted(kind, text)
                .value("max_frame", index.max_frame)
                .value("backfilled_frames", index.backfilled_frames)
                .value("size_pages", index.size_pages)
                .value("read_marks", marks.collect::<Vec<_>>())
        }
    };
    let size_bytes = facts.wal_index.status().map_or(0, |status| status.size_bytes);
    Some(observation.value("size_bytes", size_bytes).value("in_use_by", presence(content.users)))
}

fn journal_observation(facts: &Facts) -> Option<Observation> {
    let kind = EvidenceKind::DatabaseJournal;
    let content = match unread(&facts.journal, kind, SidecarKind::Journal) {
        Ok(content) => content,
        Err(said) => return said,
    };
    let mut observation = match &content.content {
        JournalContent::Cold => noted(kind, "-journal is cold: empty, or its header is zeroed"),
        JournalContent::Unreadable(fault) => {
            noted(kind, format!("-journal holds nothing to be played back: {fault}"))
        }
        JournalContent::Hot(header) => {
            let text = format!(
                "-journal would be played back to a database of {} pages, unless its writer lives",
                header.initial_size_pages
            );
            noted(kind, text).value("initial_size_pages", header.initial_size_pages)
        }
    };
    if let Some(found) = &content.super_journal {
        let state = match found {
            SuperJournal::Exists(_) => "exists",
            SuperJournal::Gone(_) => "gone",
            SuperJournal::Unseen(..) => "unseen",
        };
        observation = observation
            .value("super_journal", printable(found.name().as_bytes()))
            .value("super_journal_state", state);
    }
    let size_bytes = facts.journal.status().map_or(0, |status| status.size_bytes);
    Some(
        observation
            .value("size_bytes", size_bytes)
            .value("reserved_held_by", presence(facts.writer)),
    )
}
