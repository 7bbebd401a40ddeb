//! Other kernels, and what is known of a file system beyond what one side can measure.

use super::{Case, Draft};
use crate::topology::lists_address;
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, KernelCount, Mount, Severity};

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let kinds = [EvidenceKind::Topology, EvidenceKind::Mount, EvidenceKind::Knowledge];
    let measured = super::several_were_met(case);
    if case.reach == KernelCount::Several && !measured {
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
    if case.reach == KernelCount::NotKnown && !measured && case.mount.is_some_and(is_served) {
        drafts.push(case.draft(Code::SeveralKernels, Severity::Warning, &kinds).says(
            "the server has an address of this machine: the served directory is a second way to \
             the same files, other machines may mount it too, and one side alone cannot measure \
             whether locks and data cross",
            "make sure that all programs open the database by one path, on one machine",
        ));
    }
    for hazard in &case.known.hazards {
        drafts.push(
            case.draft(Code::KnownRisk, Severity::Warning, &kinds)
                .says(hazard.clone(), "take the remedies below before data depends on it"),
        );
    }
}

/// Of such a mount it is known that there is a server, if not which kernel that is.
fn is_served(mount: &Mount) -> bool {
    lists_address(&mount.filesystem)
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
    fn what_was_measured_from_both_sides_is_not_guessed() {
        let mut scene = Scene::new();
        scene.reach = KernelCount::Several;
        scene.known = crate::findings::testing::known_9p();
        scene.peers_hold_except(true, &[]);
        assert!(scene.conclude(conclude).is_empty());
    }

    #[test]
    fn a_server_on_this_machine_is_a_second_way_to_the_files() {
        let mut scene = Scene::new();
        scene.reach = KernelCount::NotKnown;
        assert!(scene.conclude(conclude).is_empty(), "{}", scene.mount.filesystem);
        scene.mount.filesystem = "nfs".to_owned();
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::SeveralKernels]);
        assert!(drafts[0].what.contains("second way"), "{}", drafts[0].what);
        assert!(!drafts[0].what.contains("another kernel"), "{}", drafts[0].what);
    }

    #[test]
    fn each_known_hazard_is_a_finding() {
        let mut scene = Scene::new();
        scene.known.hazards.push("9p of kernels 6.9 to 6.11 corrupts data".to_owned());
        assert_eq!(codes(&scene.conclude(conclude)), [Code::KnownRisk]);
    }
}
