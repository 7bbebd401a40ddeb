//! What stock SQLite itself did in the scratch directory.

use super::{Case, Draft};
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, Outcome, Severity};

const SESSIONS: &[(EvidenceKind, Code, &str)] = &[
    (EvidenceKind::SessionWal, Code::SessionWalFails, "in WAL mode"),
    (
        EvidenceKind::SessionWalExclusive,
        Code::SessionWalExclusiveFails,
        "in WAL mode with locking_mode=EXCLUSIVE",
    ),
    (EvidenceKind::SessionUnixExcl, Code::SessionUnixExclFails, "through the VFS unix-excl"),
    (EvidenceKind::SessionRollback, Code::SessionRollbackFails, "with a rollback journal"),
];

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    for (kind, code, way) in SESSIONS {
        if let Some(evidence) = case.first(*kind, Outcome::Violated) {
            drafts.push(case.draft(Code::SessionCorrupts, Severity::Danger, &[*kind]).says(
                format!("stock SQLite {way} lost or damaged its own data: {}", evidence.summary),
                "use no SQLite database on this mount; copy the ones that are here before anything \
                 else",
            ));
        }
        if let Some(evidence) = case.first(*kind, Outcome::Refused) {
            drafts.push(case.draft(*code, Severity::Fault, &[*kind]).says(
                format!("stock SQLite {way} fails: {}", evidence.summary),
                "take a mode that the verdicts call safe",
            ));
        }
    }
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
}
