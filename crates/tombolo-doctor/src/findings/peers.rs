//! What was measured together with doctors on other sides.

use super::{Case, Draft};
use crate::peer::ONE_SIDED;
use tombolo_core::finding::Code;
use tombolo_core::report::{Evidence, EvidenceKind, HeaderMode, Outcome, Severity, Value};

/// What somebody has to do who wants to be safe.
const ONE_SIDE: &str = "make sure that programs of one side alone open the database";

/// Whether kernels with different boot ids took part.
pub(crate) fn across(evidence: &Evidence) -> bool {
    crate::peer::is_across(&evidence.values)
}

/// Whether several kernels were measured at all.
pub(crate) fn several_were_met(case: &Case<'_>) -> bool {
    case.log.of_kind(EvidenceKind::PeerKernels).any(across)
}

/// Whether shared maps are refused on one of two sides, and on the other not.
pub(crate) fn refused_on_one_side(evidence: &Evidence) -> bool {
    evidence.values.get(ONE_SIDED) == Some(&Value::Flag(true))
}

const LOCKS: [EvidenceKind; 3] =
    [EvidenceKind::PeerPosixLocks, EvidenceKind::PeerLockUpgrade, EvidenceKind::PeerLockQuery];

/// The first of these kinds that ended in this way.
fn first<'a>(case: &Case<'a>, kinds: &[EvidenceKind], outcome: Outcome) -> Option<&'a Evidence> {
    kinds.iter().find_map(|kind| case.first(*kind, outcome))
}

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    locks(case, drafts);
    data(case, drafts);
    maps(case, drafts);
    sqlite(case, drafts);
    names(case, drafts);
    let met = case.log.last(EvidenceKind::PeerKernels);
    if let Some(evidence) = met.filter(|evidence| !across(evidence)) {
        let kinds = [EvidenceKind::PeerKernels];
        drafts.push(case.draft(Code::PeerOneKernel, Severity::Notice, &kinds).says(
            format!("{}: several kernels were not measured", evidence.summary),
            "run the second side where the other programs run",
        ));
    }
}

fn locks(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    if let Some(evidence) = first(case, &LOCKS, Outcome::Violated) {
        drafts.push(
            case.draft(Code::PeerLocksApart, Severity::Danger, &LOCKS)
                .says(evidence.summary.clone(), ONE_SIDE),
        );
    }
    if let Some(evidence) = first(case, &LOCKS, Outcome::Refused) {
        drafts.push(
            case.draft(Code::PeerLocksFail, Severity::Fault, &LOCKS)
                .says(evidence.summary.clone(), ONE_SIDE),
        );
    }
}

fn data(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let kinds = [EvidenceKind::PeerSameFile, EvidenceKind::PeerContent, EvidenceKind::PeerFileSize];
    if let Some(evidence) = first(case, &kinds, Outcome::Violated) {
        drafts.push(
            case.draft(Code::PeerDataStale, Severity::Danger, &kinds)
                .says(evidence.summary.clone(), ONE_SIDE),
        );
    }
}

/// A danger to a database in WAL mode; to others a warning not to go there.
fn wal_severity(case: &Case<'_>) -> Severity {
    match case.journal_mode {
        Some(HeaderMode::Wal) => Severity::Danger,
        _ => Severity::Warning,
    }
}

fn maps(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let kinds = [EvidenceKind::PeerMapCoherence];
    let entries = || case.log.of_kind(EvidenceKind::PeerMapCoherence);
    let apart = entries().find(|entry| entry.outcome == Outcome::Violated);
    let half = entries().find(|entry| refused_on_one_side(entry));
    let Some(evidence) = apart.or(half) else { return };
    drafts.push(case.draft(Code::PeerMapsApart, wal_severity(case), &kinds).says(
        evidence.summary.clone(),
        "keep databases here out of WAL mode while several sides open them; a failed open of one \
         in WAL mode does harm as well",
    ));
}

fn sqlite(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let kinds = [
        (EvidenceKind::PeerSqliteRollback, Severity::Danger),
        (EvidenceKind::PeerSqliteWal, wal_severity(case)),
        // Nobody uses it who has not asked for it.
        (EvidenceKind::PeerSqliteDotfile, Severity::Notice),
    ];
    let lost: Vec<(&Evidence, Severity)> = kinds
        .iter()
        .filter_map(|(kind, severity)| Some((case.first(*kind, Outcome::Violated)?, *severity)))
        .collect();
    let Some(severity) = lost.iter().map(|(_, severity)| *severity).max() else { return };
    let words: Vec<&str> = lost.iter().map(|(entry, _)| entry.summary.as_str()).collect();
    let cited: Vec<EvidenceKind> = lost.iter().map(|(entry, _)| entry.kind).collect();
    drafts
        .push(case.draft(Code::PeerCommitsLost, severity, &cited).says(words.join("; "), ONE_SIDE));
}

fn names(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let kinds = [EvidenceKind::PeerNames];
    if let Some(evidence) = first(case, &kinds, Outcome::Noted) {
        drafts.push(case.draft(Code::PeerNamesLate, Severity::Warning, &kinds).says(
            format!(
                "{}: after a crash, the other side may overlook a journal that must be played back",
                evidence.summary
            ),
            "mount without a cache of names (NFS: lookupcache=none), or keep the database to one \
             side",
        ));
    }
    let races = [
        EvidenceKind::PeerExclusiveCreate,
        EvidenceKind::PeerDirectoryCreate,
        EvidenceKind::PeerHardLink,
    ];
    if let Some(evidence) = first(case, &races, Outcome::Violated) {
        drafts.push(case.draft(Code::PeerNotExclusive, Severity::Warning, &races).says(
            evidence.summary.clone(),
            "trust no lock files between these sides, and not the VFS unix-dotfile",
        ));
    }
    let kinds = [EvidenceKind::PeerFencing];
    if let Some(evidence) = first(case, &kinds, Outcome::Violated) {
        drafts.push(
            case.draft(Code::PeerNotFenced, Severity::Notice, &kinds)
                .says(evidence.summary.clone(), "stop all programs before a database is replaced"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;
    use crate::peer::ACROSS_KERNELS;
    use tombolo_core::report::Observation;

    fn scene(across: bool, kind: EvidenceKind, outcome: Outcome) -> Scene {
        let mut scene = Scene::new();
        scene.peers_hold_except(across, &[kind]);
        scene
            .log
            .record(Observation::new(kind, outcome, "it was tried").value(ACROSS_KERNELS, across));
        scene
    }

    #[test]
    fn where_all_holds_between_kernels_nothing_is_found() {
        let mut scene = Scene::new();
        scene.peers_hold_except(true, &[]);
        assert!(scene.conclude(conclude).is_empty());
    }

    #[test]
    fn each_broken_promise_has_its_code() {
        use EvidenceKind as K;
        for (kind, outcome, code, severity) in [
            (K::PeerPosixLocks, Outcome::Violated, Code::PeerLocksApart, Severity::Danger),
            (K::PeerLockQuery, Outcome::Violated, Code::PeerLocksApart, Severity::Danger),
            (K::PeerLockUpgrade, Outcome::Refused, Code::PeerLocksFail, Severity::Fault),
            (K::PeerContent, Outcome::Violated, Code::PeerDataStale, Severity::Danger),
            (K::PeerFileSize, Outcome::Violated, Code::PeerDataStale, Severity::Danger),
            (K::PeerMapCoherence, Outcome::Violated, Code::PeerMapsApart, Severity::Warning),
            (K::PeerSqliteRollback, Outcome::Violated, Code::PeerCommitsLost, Severity::Danger),
            (K::PeerSqliteWal, Outcome::Violated, Code::PeerCommitsLost, Severity::Warning),
            (K::PeerSqliteDotfile, Outcome::Violated, Code::PeerCommitsLost, Severity::Notice),
            (K::PeerNames, Outcome::Noted, Code::PeerNamesLate, Severity::Warning),
            (K::PeerHardLink, Outcome::Violated, Code::PeerNotExclusive, Severity::Warning),
            (K::PeerFencing, Outcome::Violated, Code::PeerNotFenced, Severity::Notice),
        ] {
            let drafts = scene(true, kind, outcome).conclude(conclude);
            assert_eq!(codes(&drafts), [code], "{kind:?}");
            assert_eq!(drafts[0].severity, severity, "{kind:?}");
            assert!(drafts[0].kinds.contains(&kind));
        }
    }

    #[test]
    fn what_harms_wal_mode_is_a_danger_to_a_database_in_wal_mode() {
        let mut scene = scene(true, EvidenceKind::PeerMapCoherence, Outcome::Violated);
        scene.journal_mode = Some(HeaderMode::Wal);
        assert_eq!(scene.conclude(conclude)[0].severity, Severity::Danger);
    }

    #[test]
    fn maps_that_are_refused_on_all_sides_harm_nobody_and_on_one_side_the_other() {
        let kind = EvidenceKind::PeerMapCoherence;
        assert!(scene(true, kind, Outcome::Refused).conclude(conclude).is_empty());
        let mut scene = Scene::new();
        let half =
            Observation::new(kind, Outcome::Refused, "refused on one").value(ONE_SIDED, true);
        scene.log.record(half);
        assert_eq!(codes(&scene.conclude(conclude)), [Code::PeerMapsApart]);
    }

    #[test]
    fn one_kernel_is_said_to_be_one() {
        let mut scene = Scene::new();
        scene.peers_hold_except(false, &[]);
        let drafts = scene.conclude(conclude);
        assert_eq!(codes(&drafts), [Code::PeerOneKernel]);
        assert!(!several_were_met(&scene.case()));
    }
}
