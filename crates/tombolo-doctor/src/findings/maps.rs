//! Shared memory maps: the one thing that WAL mode needs and many shares refuse.

use super::{Case, Draft};
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, HeaderMode, Outcome, Severity};

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let refused = case.first(EvidenceKind::ProbeSharedMap, Outcome::Refused);
    if let Some(evidence) = refused {
        let kinds = [EvidenceKind::ProbeSharedMap, EvidenceKind::SessionWal];
        let errno = evidence.errno.map_or_else(String::new, |errno| format!(" with {errno}"));
        drafts.push(case.draft(Code::SharedMapRefused, Severity::Fault, &kinds).says(
            format!(
                "mmap(MAP_SHARED) is refused{errno}, so SQLite cannot map its -shm file: WAL mode \
                 ends in SQLITE_IOERR_SHMMAP (5386), which most programs print as \"disk I/O \
                 error\""
            ),
            "keep WAL databases off this mount, or open them from one process with a wal-index in \
             the heap (vfs=unix-excl)",
        ));
    }
    if refused.is_some() && case.journal_mode == Some(HeaderMode::Wal) {
        let kinds = [EvidenceKind::ProbeSharedMap, EvidenceKind::DatabaseHeader];
        drafts.push(case.draft(Code::WalDatabaseStuck, Severity::Fault, &kinds).says(
            "a database here is in WAL mode and cannot be opened in the ordinary way; \
             PRAGMA journal_mode=DELETE fails with the same error, because SQLite must open the \
             WAL before it can leave it",
            "stop every program that uses it, then leave WAL mode with locking_mode=EXCLUSIVE set \
             first, or move the database",
        ));
    }
    if let Some(evidence) = case.first(EvidenceKind::ProbeMapCoherence, Outcome::Violated) {
        let kinds = [EvidenceKind::ProbeMapCoherence];
        drafts.push(case.draft(Code::SharedMapIncoherent, Severity::Danger, &kinds).says(
            format!("shared maps do not show what was written: {}", evidence.summary),
            "do not use WAL mode or PRAGMA mmap_size here; move the database to a local file \
             system",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;
    use tombolo_core::errno::Errno;

    #[test]
    fn a_refused_map_is_a_fault_and_strands_wal_databases() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::Refused, Some(Errno::EINVAL));
        assert_eq!(codes(&scene.conclude(conclude)), [Code::SharedMapRefused]);
        scene.journal_mode = Some(HeaderMode::Wal);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SharedMapRefused, Code::WalDatabaseStuck]);
        assert!(drafts[0].what.contains("EINVAL (22"), "{}", drafts[0].what);
    }

    #[test]
    fn an_incoherent_map_is_a_danger() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeMapCoherence, Outcome::Violated, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SharedMapIncoherent]);
        assert_eq!(drafts[0].severity, Severity::Danger);
    }
}
