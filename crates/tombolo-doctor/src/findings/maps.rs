//! Shared memory maps: the one thing that WAL mode needs and many shares refuse.

use super::{Case, Draft};
use crate::probe::MAPS_AGREE_WITH_READS;
use tombolo_core::finding::Code;
use tombolo_core::report::{Evidence, EvidenceKind, HeaderMode, Outcome, Severity, Value};

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let refused = case.first(EvidenceKind::ProbeSharedMap, Outcome::Refused);
    if let Some(evidence) = refused {
        let kinds = [EvidenceKind::ProbeSharedMap, EvidenceKind::SessionWal];
        let errno = evidence.errno.map_or_else(String::new, |errno| format!(" with {errno}"));
        let what = format!(
            "mmap(MAP_SHARED) is refused{errno}, so SQLite cannot map its -shm file: WAL mode ends \
             in SQLITE_IOERR_SHMMAP (5386), which most programs print as \"disk I/O error\""
        );
        let draft = |severity| case.draft(Code::SharedMapRefused, severity, &kinds);
        drafts.push(match case.journal_mode {
            Some(HeaderMode::Rollback) => draft(Severity::Notice).says(
                format!("{what}; no database here is in WAL mode, so none needs such a map"),
                "do not turn WAL mode on here",
            ),
            _ => draft(Severity::Fault).says(
                what,
                "keep WAL databases off this mount, or open them from one process with a \
                 wal-index in the heap (vfs=unix-excl)",
            ),
        });
    }
    if let Some(evidence) = refused.filter(|_| case.journal_mode == Some(HeaderMode::Wal)) {
        drafts.push(stuck(case, evidence));
    }
    if let Some(evidence) = case.first(EvidenceKind::ProbeMapCoherence, Outcome::Violated) {
        let kinds = [EvidenceKind::ProbeMapCoherence];
        drafts.push(case.draft(Code::SharedMapIncoherent, Severity::Danger, &kinds).says(
            format!("shared maps do not show what was written: {}", evidence.summary),
            "do not use WAL mode or PRAGMA mmap_size here; move the database to a local file \
             system",
        ));
    }
    if let Some(evidence) = maps_apart_from_reads(case) {
        let kinds = [EvidenceKind::ProbeMapCoherence];
        drafts.push(case.draft(Code::SharedMapIncoherent, Severity::Warning, &kinds).says(
            format!("PRAGMA mmap_size can show old pages here: {}", evidence.summary),
            "leave PRAGMA mmap_size at 0 in every program that opens a database here",
        ));
    }
}

/// The symptom that people come with.
fn stuck(case: &Case<'_>, refused: &Evidence) -> Draft {
    let kinds = [EvidenceKind::ProbeSharedMap, EvidenceKind::DatabaseHeader];
    let refuser = case.mount.map_or_else(
        || "this file system".to_owned(),
        |mount| format!("{} on {}", mount.filesystem, mount.mount_point),
    );
    let says = refused.errno.map_or_else(String::new, |errno| format!(": mmap says {errno}"));
    case.draft(Code::WalDatabaseStuck, Severity::Fault, &kinds).says(
        format!(
            "SQLite cannot open this WAL database in the ordinary way, because {refuser} refuses \
             the shared map that WAL mode needs{says}; \"disk I/O error\" is the answer to every \
             statement, PRAGMA journal_mode=DELETE included"
        ),
        "stop every program that uses it, then move the database to a local disk, or leave WAL \
         mode with locking_mode=EXCLUSIVE set first",
    )
}

/// WAL mode needs maps that agree; only `mmap_size` needs them to agree with `pread`.
fn maps_apart_from_reads<'a>(case: &Case<'a>) -> Option<&'a Evidence> {
    let apart = Some(&Value::Flag(false));
    case.log
        .of_kind(EvidenceKind::ProbeMapCoherence)
        .find(|evidence| evidence.values.get(MAPS_AGREE_WITH_READS) == apart)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;
    use tombolo_core::errno::Errno;
    use tombolo_core::report::Observation;

    #[test]
    fn a_refused_map_is_a_fault_and_strands_wal_databases() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::Refused, Some(Errno::EINVAL));
        assert_eq!(codes(&scene.conclude(conclude)), [Code::SharedMapRefused]);
        scene.journal_mode = Some(HeaderMode::Wal);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SharedMapRefused, Code::WalDatabaseStuck]);
        for draft in &drafts {
            assert!(draft.what.contains("EINVAL (22"), "{}", draft.what);
        }
        let mount = &scene.mount;
        let refuser = format!("{} on {}", mount.filesystem, mount.mount_point);
        assert!(drafts[1].what.contains(&refuser), "{}", drafts[1].what);
    }

    #[test]
    fn a_refused_map_is_no_fault_of_a_rollback_database() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::Refused, Some(Errno::EINVAL));
        scene.journal_mode = Some(HeaderMode::Rollback);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SharedMapRefused]);
        assert_eq!(drafts[0].severity, Severity::Notice);
    }

    #[test]
    fn a_map_apart_from_reads_is_a_matter_of_mmap_size_alone() {
        let mut scene = Scene::new();
        let summary = "maps agree, but pread does not show what a map wrote";
        scene.log.record(
            Observation::new(EvidenceKind::ProbeMapCoherence, Outcome::Holds, summary)
                .value(MAPS_AGREE_WITH_READS, false),
        );
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SharedMapIncoherent]);
        assert_eq!(drafts[0].severity, Severity::Warning);
        assert!(!drafts[0].action.contains("WAL"));
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
