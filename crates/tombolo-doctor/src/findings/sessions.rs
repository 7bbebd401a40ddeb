//! What stock SQLite itself did in the scratch directory.

use super::{Case, Draft};
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, Outcome, Severity};

const SESSIONS: &[(EvidenceKind, Code)] = &[
    (EvidenceKind::SessionWal, Code::SessionWalFails),
    (EvidenceKind::SessionWalExisting, Code::SessionWalFails),
    (EvidenceKind::SessionWalExclusive, Code::SessionWalExclusiveFails),
    (EvidenceKind::SessionUnixExcl, Code::SessionUnixExclFails),
    (EvidenceKind::SessionRollback, Code::SessionRollbackFails),
];

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    for (kind, code) in SESSIONS {
        if let Some(evidence) = case.first(*kind, Outcome::Violated) {
            let action = if only_wal_is_broken(case) {
                "use no WAL mode for several processes on this mount; copy the databases that are \
                 here before anything else"
            } else {
                "use no SQLite database on this mount; copy the ones that are here before anything \
                 else"
            };
            drafts.push(case.draft(Code::SessionCorrupts, Severity::Danger, &[*kind]).says(
                format!(
                    "SQLite could not keep its own scratch database safe: {}",
                    evidence.summary
                ),
                action,
            ));
        }
        let said = *kind == EvidenceKind::SessionWalExisting
            && case.first(EvidenceKind::SessionWal, Outcome::Refused).is_some();
        if let Some(evidence) = case.first(*kind, Outcome::Refused).filter(|_| !said) {
            let other = other_way(case, *kind);
            let severity = if other.is_some() { Severity::Warning } else { Severity::Fault };
            drafts.push(case.draft(*code, severity, &[*kind]).says(
                format!("stock {}", evidence.summary),
                other.unwrap_or("take a mode that the verdicts call safe"),
            ));
        }
    }
}

/// WAL mode for several processes is the only user of shared memory.
fn only_wal_is_broken(case: &Case<'_>) -> bool {
    SESSIONS.iter().all(|(kind, _)| {
        let is_of_wal = matches!(kind, EvidenceKind::SessionWal | EvidenceKind::SessionWalExisting);
        is_of_wal || case.first(*kind, Outcome::Holds).is_some()
    })
}

/// What to do where another way to WAL mode works.
fn other_way(case: &Case<'_>, kind: EvidenceKind) -> Option<&'static str> {
    let (other, action) = match kind {
        EvidenceKind::SessionWal => (
            EvidenceKind::SessionWalExisting,
            "make no database in WAL mode here; one that is in WAL mode already is served, but \
             cannot leave it where the step is refused",
        ),
        EvidenceKind::SessionWalExclusive => (
            EvidenceKind::SessionUnixExcl,
            "for WAL mode from one process, let the program open the database with vfs=unix-excl",
        ),
        EvidenceKind::SessionUnixExcl => (
            EvidenceKind::SessionWalExclusive,
            "for WAL mode from one process, let the program say locking_mode=EXCLUSIVE as its \
             first statement",
        ),
        _ => return None,
    };
    case.first(other, Outcome::Holds).map(|_| action)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;

    #[test]
    fn each_session_that_fails_has_its_code() {
        for (kind, code) in [
            (EvidenceKind::SessionWal, Code::SessionWalFails),
            (EvidenceKind::SessionWalExclusive, Code::SessionWalExclusiveFails),
            (EvidenceKind::SessionUnixExcl, Code::SessionUnixExclFails),
            (EvidenceKind::SessionRollback, Code::SessionRollbackFails),
        ] {
            let mut scene = Scene::new();
            scene.fails(kind, Outcome::Refused, None);
            assert_eq!(codes(&scene.conclude(conclude)), [code]);
        }
    }

    #[test]
    fn damage_outweighs_failure() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::SessionRollback, Outcome::Violated, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SessionCorrupts]);
        assert_eq!(drafts[0].severity, Severity::Danger);
    }

    #[test]
    fn the_way_that_works_is_named_instead_of_the_one_that_fails() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::SessionWalExclusive, Outcome::Refused, None);
        scene.fails(EvidenceKind::SessionUnixExcl, Outcome::Holds, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SessionWalExclusiveFails]);
        assert_eq!(drafts[0].severity, Severity::Warning);
        assert!(drafts[0].action.contains("unix-excl"), "{}", drafts[0].action);
    }

    /// SMB: the step into WAL mode takes EXCLUSIVE, and is refused.
    #[test]
    fn a_refused_step_into_wal_mode_is_told_from_wal_mode_that_fails() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::SessionWal, Outcome::Refused, None);
        scene.fails(EvidenceKind::SessionWalExisting, Outcome::Holds, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SessionWalFails]);
        assert_eq!(drafts[0].severity, Severity::Warning);
        assert!(drafts[0].action.contains("already is served"), "{}", drafts[0].action);
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::SessionWal, Outcome::Refused, None);
        scene.fails(EvidenceKind::SessionWalExisting, Outcome::Refused, None);
        let drafts = scene.conclude(conclude);
        assert_eq!(
            (codes(&drafts), drafts[0].severity),
            (vec![Code::SessionWalFails], Severity::Fault)
        );
        scene.fails(EvidenceKind::SessionWalExisting, Outcome::Violated, None);
        assert!(codes(&scene.conclude(conclude)).contains(&Code::SessionCorrupts));
    }

    #[test]
    fn where_only_shared_memory_lies_other_modes_stay_allowed() {
        let action = |scene: &Scene| scene.conclude(conclude)[0].action.clone();
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::SessionWal, Outcome::Violated, None);
        assert!(action(&scene).contains("no SQLite database"));
        scene.all_hold_except(&[EvidenceKind::SessionWal]);
        assert!(action(&scene).contains("no WAL mode"));
    }
}
