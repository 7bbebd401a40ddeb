//! Byte-range locks: what keeps two programs from writing at once.

use super::{Case, Draft, Protection};
use tombolo_core::errno::Errno;
use tombolo_core::finding::Code;
use tombolo_core::report::{Evidence, EvidenceKind, Outcome, Severity};

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    if let Some(evidence) = case.first(EvidenceKind::ProbePosixLocks, Outcome::Refused) {
        drafts.push(refused(case, evidence));
    }
    if let Some(evidence) = case.first(EvidenceKind::ProbeLockUpgrade, Outcome::Refused) {
        let kinds = [EvidenceKind::ProbeLockUpgrade, EvidenceKind::SessionRollback];
        drafts.push(case.draft(Code::LockUpgradeRefused, Severity::Fault, &kinds).says(
            format!(
                "a process that holds a shared lock cannot make it exclusive ({}): SQLite says \
                 \"database is locked\" although nobody else has the file open",
                evidence.summary
            ),
            "move the database off this mount; looking for a second process or changing \
             permissions does not help",
        ));
    }
    let exclusion = [
        EvidenceKind::ProbePosixLocks,
        EvidenceKind::ProbeLockUpgrade,
        EvidenceKind::ProbeWalLocks,
    ];
    for kind in exclusion {
        if let Some(evidence) = case.first(kind, Outcome::Violated) {
            drafts.push(case.draft(Code::LocksNotExclusive, Severity::Danger, &exclusion).says(
                format!("two processes hold the same lock: {}", evidence.summary),
                "let one process alone open the database until it stands on a file system whose \
                 locks exclude",
            ));
            break;
        }
    }
    let queries = [EvidenceKind::ProbeLockQuery, EvidenceKind::ProbeWalLockQuery];
    let untrue = queries.into_iter().find_map(|kind| case.first(kind, Outcome::Violated));
    if let Some(evidence) = untrue {
        drafts.push(case.draft(Code::LockQueryUntrue, Severity::Danger, &queries).says(
            format!("F_GETLK gives a wrong answer: {}", evidence.summary),
            "do not use SQLite here: hot journals are not recovered, or a live wal-index is reset",
        ));
    }
    for option in &case.known.masking {
        let kinds = [EvidenceKind::Mount];
        drafts.push(case.draft(Code::LocksMasked, Severity::Warning, &kinds).says(
            format!("the mount option {} hides a protection: {}", option.option, option.what),
            match option.protection {
                Protection::Locks => format!(
                    "mount without {}, or make sure that only this kernel opens the files",
                    option.option
                ),
                Protection::Patience => format!("mount with hard in place of {}", option.option),
            },
        ));
    }
}

/// ENOLCK is the lock *service*: SQLite turns it into "busy", and people look for a second program.
fn refused(case: &Case<'_>, evidence: &Evidence) -> Draft {
    let kinds = [EvidenceKind::ProbePosixLocks, EvidenceKind::SessionRollback];
    let errno = evidence.errno.map_or_else(String::new, |errno| format!(" with {errno}"));
    if matches!(evidence.errno, Some(Errno::ENOLCK | Errno::ETIMEDOUT | Errno::ECONNREFUSED)) {
        return case.draft(Code::LockServiceMissing, Severity::Fault, &kinds).says(
            format!(
                "byte-range locks are refused{errno}: the lock service of this mount does not \
                 answer, and SQLite reports it as \"database is locked\""
            ),
            "start or unblock the lock service on client and server, or use NFSv4; nolock would \
             only hide it",
        );
    }
    case.draft(Code::LocksUnsupported, Severity::Fault, &kinds).says(
        format!("byte-range locks are refused{errno}: SQLite cannot use this file system"),
        "move the database to a file system with locks, or mount this one with its lock option",
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;
    use crate::findings::MaskingOption;

    #[test]
    fn a_missing_lock_service_is_told_from_missing_locks() {
        for (errno, code) in [
            (Errno::ENOLCK, Code::LockServiceMissing),
            (Errno::ENOSYS, Code::LocksUnsupported),
            (Errno::EOPNOTSUPP, Code::LocksUnsupported),
        ] {
            let mut scene = Scene::new();
            scene.fails(EvidenceKind::ProbePosixLocks, Outcome::Refused, Some(errno));
            assert_eq!(codes(&scene.conclude(conclude)), [code]);
        }
    }

    #[test]
    fn locks_that_lie_are_a_danger_said_once() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbePosixLocks, Outcome::Violated, None);
        scene.fails(EvidenceKind::ProbeLockUpgrade, Outcome::Violated, None);
        scene.fails(EvidenceKind::ProbeLockQuery, Outcome::Violated, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::LocksNotExclusive, Code::LockQueryUntrue]);
        assert!(drafts.iter().all(|draft| draft.severity == Severity::Danger));
    }

    /// The bytes of a `-shm` are no other mode's: where their locks are refused, a session says so.
    #[test]
    fn what_is_untrue_of_a_wal_index_alone_is_a_danger_and_what_is_refused_there_stops_wal_alone() {
        for (kind, code) in [
            (EvidenceKind::ProbeWalLocks, Code::LocksNotExclusive),
            (EvidenceKind::ProbeWalLockQuery, Code::LockQueryUntrue),
        ] {
            let mut scene = Scene::new();
            scene.fails(kind, Outcome::Refused, Some(Errno::EAGAIN));
            assert!(scene.conclude(conclude).is_empty(), "{kind:?}");
            scene.fails(kind, Outcome::Violated, None);
            assert_eq!(codes(&scene.conclude(conclude)), [code]);
        }
    }

    #[test]
    fn the_refused_upgrade_and_the_masking_option_are_named() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeLockUpgrade, Outcome::Refused, Some(Errno::EACCES));
        scene.known.masking.push(MaskingOption {
            option: "nobrl".to_owned(),
            what: "locks stay here".to_owned(),
            protection: Protection::Locks,
        });
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::LockUpgradeRefused, Code::LocksMasked]);
        assert!(drafts[1].what.contains("nobrl"));
    }

    #[test]
    fn impatience_harms_one_kernel_too() {
        let mut scene = Scene::new();
        scene.known.masking.push(MaskingOption {
            option: "soft".to_owned(),
            what: "a stall becomes an error".to_owned(),
            protection: Protection::Patience,
        });
        let drafts = scene.conclude(conclude);
        assert_eq!(drafts[0].action, "mount with hard in place of soft");
    }
}
