//! Other kernels, and what is known of a file system beyond what one side can measure.

use super::{Case, Draft};
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, KernelCount, Severity};

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let kinds = [EvidenceKind::Topology, EvidenceKind::Mount, EvidenceKind::Knowledge];
    if case.reach == KernelCount::Several {
        let local = case.known.locks_stay_local();
        let (code, what) = if local {
            (
                Code::LocksStayLocal,
                "another kernel can reach this path and does not see the locks that are taken \
                 here: if programs on both sides open one database, commits are lost while \
                 integrity_check says ok, and a mere failed open can kill a program on the other \
                 side",
            )
        } else {
            (
                Code::SeveralKernels,
                "another kernel can reach this path, and one side alone cannot measure whether \
                 locks and data cross",
            )
        };
        drafts.push(case.draft(code, Severity::Warning, &kinds).says(
            what,
            "make sure that programs of one kernel alone open the database, in every journal mode",
        ));
    }
    for hazard in &case.known.hazards {
        drafts.push(
            case.draft(Code::KnownRisk, Severity::Warning, &kinds)
                .says(hazard.clone(), "take the remedies below before data depends on it"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;

    #[test]
    fn reach_is_a_warning_and_known_local_locks_are_named() {
        let mut scene = Scene::new();
        assert!(scene.conclude(conclude).is_empty());
        scene.reach = KernelCount::Several;
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SeveralKernels]);
        assert_eq!(drafts[0].severity, Severity::Warning);
        scene.known = crate::findings::testing::known_9p();
        assert_eq!(codes(&scene.conclude(conclude)), [Code::LocksStayLocal]);
    }

    #[test]
    fn each_known_hazard_is_a_finding() {
        let mut scene = Scene::new();
        scene.known.hazards.push("9p of kernels 6.9 to 6.11 corrupts data".to_owned());
        assert_eq!(codes(&scene.conclude(conclude)), [Code::KnownRisk]);
    }
}
