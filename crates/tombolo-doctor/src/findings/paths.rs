//! The path itself: may it be written, does it answer, is it what was meant?

use super::{Case, Draft};
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{Evidence, EvidenceKind, HeaderMode, Outcome, Severity};

/// The value of the evidence on a path that tells the directory it lacks.
pub(crate) const NO_DIRECTORY: &str = "no_directory";

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let hung = case.log.entries().iter().find(|entry| is_hung(entry));
    drafts.extend(hung.map(|evidence| hangs(case, evidence)));
    let path = case.log.of_kind(EvidenceKind::Path);
    let scratch = case.log.of_kind(EvidenceKind::ProbeScratch);
    let refused = path.chain(scratch).find(|entry| {
        entry.errno.is_some() && matches!(entry.outcome, Outcome::NotRun | Outcome::Refused)
    });
    drafts.extend(refused.and_then(|evidence| match evidence.kind {
        EvidenceKind::Path => Some(not_seen(case, evidence)),
        _ => not_writable(case, evidence),
    }));
    drafts.extend(no_directory(case));
    drafts.extend(no_room(case));
    drafts.extend(server_lost(case));
    let Some(mount) = case.mount else { return };
    if mount.file_mount {
        drafts.push(
            case.draft(Code::SingleFileMount, Severity::Danger, &[EvidenceKind::Mount]).says(
                "the database file itself is mounted: SQLite makes -wal, -shm and -journal beside \
                 it in another directory, where they are lost with the container",
                "mount the directory that holds the database, not the file",
            ),
        );
    }
    if mount.deleted {
        drafts.push(case.draft(Code::MountDeleted, Severity::Danger, &[EvidenceKind::Mount]).says(
            "what is mounted here was deleted at its source: everything written is lost when \
                 the last program closes it",
            "copy the files out now, then mount the directory that stands there today",
        ));
    }
}

/// One call that never returns, where others did, is no dead server.
fn hangs(case: &Case<'_>, hung: &Evidence) -> Draft {
    let others_returned = case.log.entries().iter().any(|entry| {
        entry.kind.as_str().starts_with("probe.")
            && entry.id < hung.id
            && matches!(entry.outcome, Outcome::Holds | Outcome::Refused | Outcome::Violated)
    });
    let draft = case.draft(Code::MountHung, Severity::Fault, &[hung.kind]);
    if others_returned {
        let what = format!(
            "the mount answered other calls, and one never came back, in {}: {}",
            hung.kind.as_str(),
            hung.summary
        );
        return draft.says(
            what,
            "look at the server and the kernel log; programs that make this call hang as well",
        );
    }
    draft.says(
        format!("the mount does not answer: {}", hung.summary),
        "look at the server and the network; programs that touch this path hang as well",
    )
}

/// Of a database, time can also run out because its log is long or a program keeps it moving; of a
/// session, because SQLite itself tries again and again.
fn is_hung(entry: &Evidence) -> bool {
    entry.outcome == Outcome::TimedOut
        && !entry.kind.is_session()
        && !matches!(entry.kind, EvidenceKind::DatabaseHeader | EvidenceKind::DatabaseWal)
}

/// Not to be seen is neither absent nor well.
fn not_seen(case: &Case<'_>, evidence: &Evidence) -> Draft {
    let stale = evidence.errno.is_some_and(is_stale);
    not_writable(case, evidence).filter(|_| stale).unwrap_or_else(|| {
        case.draft(Code::LookRefused, Severity::Warning, &[EvidenceKind::Path]).says(
            format!("the path could not be looked at: {}", evidence.summary),
            "run the doctor as root, or as the user that runs the program, and check the path",
        )
    })
}

/// What was measured above it says what a database would meet there; but none can be created yet.
fn no_directory(case: &Case<'_>) -> Option<Draft> {
    let mut path = case.log.of_kind(EvidenceKind::Path);
    let evidence = path.find(|entry| entry.values.contains_key(NO_DIRECTORY))?;
    Some(case.draft(Code::PathMissing, Severity::Warning, &[EvidenceKind::Path]).says(
        format!(
            "{}, and SQLite creates files, not directories: it says \"unable to open database \
             file\"",
            evidence.summary
        ),
        "correct the path, as the program sees it, or make the directory",
    ))
}

fn not_writable(case: &Case<'_>, evidence: &Evidence) -> Option<Draft> {
    let kinds = [evidence.kind];
    let draft = |code, severity| case.draft(code, severity, &kinds);
    let summary = &evidence.summary;
    Some(match evidence.errno? {
        Errno::EROFS if case.journal_mode == Some(HeaderMode::Wal) => {
            draft(Code::ReadOnly, Severity::Fault).says(
                "the path is read-only and a database here is in WAL mode: it opens only while \
                 -wal and -shm already stand beside it, else SQLite says \"unable to open database \
                 file\"",
                "mount it writable, or read a copy that was made while the database was closed",
            )
        }
        Errno::EROFS => draft(Code::ReadOnly, Severity::Warning).says(
            "the path is read-only: nothing can be written, and nothing could be measured",
            "mount it writable if programs must write here",
        ),
        Errno::EACCES | Errno::EPERM => draft(Code::NotWritable, Severity::Warning).says(
            format!("the directory may not be written: {summary}"),
            "run the doctor as the user that runs the program, or correct owner and mode",
        ),
        // Nothing can be made in a directory that was deleted, and the path is right.
        Errno::ENOENT if case.mount.is_some_and(|mount| mount.deleted) => return None,
        Errno::ENOENT | Errno::ENOTDIR => draft(Code::PathMissing, Severity::Fault).says(
            format!("the path does not exist: {summary}"),
            "correct the path, as the program sees it",
        ),
        errno if is_stale(errno) => stale_handle(case, evidence),
        _ => return None,
    })
}

/// The server was there at first, and died under the experiments.
fn server_lost(case: &Case<'_>) -> Option<Draft> {
    let lost = case.log.entries().iter().find(|entry| {
        let early = matches!(entry.kind, EvidenceKind::Path | EvidenceKind::ProbeScratch);
        !early && entry.outcome == Outcome::NotRun && entry.errno.is_some_and(is_stale)
    })?;
    Some(stale_handle(case, lost))
}

fn is_stale(errno: Errno) -> bool {
    matches!(errno, Errno::ESTALE | Errno::ENOTCONN | Errno::EREMOTEIO)
}

fn stale_handle(case: &Case<'_>, evidence: &Evidence) -> Draft {
    case.draft(Code::StaleHandle, Severity::Fault, &[evidence.kind]).says(
        format!("the handle of the mount is stale: {}", evidence.summary),
        "mount it again, also inside the containers that see it",
    )
}

/// A full file system may still make a directory, and empty files in it.
fn no_room(case: &Case<'_>) -> Option<Draft> {
    let full = case.log.entries().iter().find(|entry| {
        matches!(entry.errno, Some(Errno::ENOSPC | Errno::EDQUOT))
            && matches!(entry.outcome, Outcome::NotRun | Outcome::Refused)
    })?;
    Some(case.draft(Code::NoSpace, Severity::Fault, &[full.kind]).says(
        format!("there is no room: {}", full.summary),
        "free space or raise the quota before any program writes again",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;

    #[test]
    fn the_errno_decides() {
        for (errno, code) in [
            (Errno::EROFS, Code::ReadOnly),
            (Errno::EACCES, Code::NotWritable),
            (Errno::ENOSPC, Code::NoSpace),
            (Errno::EDQUOT, Code::NoSpace),
            (Errno::ENOENT, Code::PathMissing),
            (Errno::ESTALE, Code::StaleHandle),
        ] {
            let mut scene = Scene::new();
            scene.fails(EvidenceKind::ProbeScratch, Outcome::NotRun, Some(errno));
            assert_eq!(codes(&scene.conclude(conclude)), [code], "{errno}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_seen_is_neither_missing_nor_read_only() {
        for (errno, code) in [
            (Errno::EACCES, Code::LookRefused),
            (Errno::ELOOP, Code::LookRefused),
            (Errno::ESTALE, Code::StaleHandle),
        ] {
            let mut scene = Scene::new();
            scene.fails(EvidenceKind::Path, Outcome::Refused, Some(errno));
            assert_eq!(codes(&scene.conclude(conclude)), [code], "{errno}");
        }
    }

    #[test]
    fn a_full_file_system_that_still_makes_a_directory_is_told_once() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeScratch, Outcome::Holds, None);
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::NotRun, Some(Errno::ENOSPC));
        scene.fails(EvidenceKind::SessionWal, Outcome::NotRun, Some(Errno::ENOSPC));
        assert_eq!(codes(&scene.conclude(conclude)), [Code::NoSpace]);
    }

    #[test]
    fn a_read_only_wal_database_is_a_fault() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeScratch, Outcome::NotRun, Some(Errno::EROFS));
        scene.journal_mode = Some(HeaderMode::Wal);
        assert_eq!(scene.conclude(conclude)[0].severity, Severity::Fault);
    }

    #[test]
    fn a_long_log_or_a_patient_sqlite_is_no_dead_mount() {
        let mut scene = Scene::new();
        for kind in
            [EvidenceKind::DatabaseHeader, EvidenceKind::DatabaseWal, EvidenceKind::SessionWal]
        {
            scene.fails(kind, Outcome::TimedOut, None);
        }
        assert_eq!(codes(&scene.conclude(conclude)), []);
        scene.fails(EvidenceKind::DatabaseScan, Outcome::TimedOut, None);
        assert_eq!(codes(&scene.conclude(conclude)), [Code::MountHung]);
    }

    #[test]
    fn one_call_that_hangs_is_told_from_a_mount_that_is_dead() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeScratch, Outcome::TimedOut, None);
        assert!(scene.conclude(conclude)[0].what.starts_with("the mount does not answer"));
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeScratch, Outcome::Holds, None);
        scene.fails(EvidenceKind::ProbeFileSync, Outcome::TimedOut, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::MountHung]);
        let what = &drafts[0].what;
        assert!(
            what.contains("answered other calls") && what.contains("probe.file-sync"),
            "{what}"
        );
    }

    #[test]
    fn a_server_that_dies_under_the_experiments_is_told() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeScratch, Outcome::Holds, None);
        scene.fails(EvidenceKind::ProbeFileSync, Outcome::NotRun, Some(Errno::ENOTCONN));
        scene.fails(EvidenceKind::SessionWal, Outcome::NotRun, None);
        assert_eq!(codes(&scene.conclude(conclude)), [Code::StaleHandle]);
    }

    #[test]
    fn a_deleted_directory_is_not_called_missing() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeScratch, Outcome::NotRun, Some(Errno::ENOENT));
        scene.mount.deleted = true;
        assert_eq!(codes(&scene.conclude(conclude)), [Code::MountDeleted]);
    }

    #[test]
    fn hung_deleted_and_single_file_mounts_are_named() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeSharedMap, Outcome::TimedOut, None);
        scene.mount.file_mount = true;
        scene.mount.deleted = true;
        assert_eq!(
            codes(&scene.conclude(conclude)),
            [Code::MountHung, Code::SingleFileMount, Code::MountDeleted]
        );
    }
}
