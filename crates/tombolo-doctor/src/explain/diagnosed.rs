//! A text that holds a report of the doctor: its findings, said as causes.

use super::calls::{Call, FailedCall};
use super::cause::CauseCode;
use super::codes;
use super::facts::Facts;
use super::mounts;
use super::openers::Kernels;
use super::remedies;
use super::sign::FileSystem;
use super::text::Text;
use super::{
    CAUSES_NAMED, CONFIDENCE_MAX, Cause, EXPLAIN_SCHEMA, Explanation, Recognised, hundredths,
};
use crate::bundle::{Told, ToldFinding};
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, Severity};

/// By how much a cause weighs less than the one before it.
const STEP: f64 = 0.25;

/// Says what the doctor has found in the words of this module.
pub(super) fn explain(text: &str, told: &Told) -> Explanation {
    let causes = causes(told);
    let mut remedies = told.remedies.clone();
    let mut warnings = told.warnings.clone();
    if remedies.is_empty() && causes.first().is_some_and(|one| one.code != CauseCode::Healthy) {
        // A report for people names most of them only.
        let facts = Facts::read(text);
        let best = causes.first().map_or(CauseCode::NeedsFacts, |cause| cause.code);
        remedies = remedies::choose(&facts, &causes);
        warnings = remedies::warnings(&facts, best);
    }
    let said: Vec<&str> = told.findings.iter().map(|finding| finding.what.as_str()).collect();
    Explanation {
        schema: EXPLAIN_SCHEMA,
        sqlite: codes::find(&Text::new(&said.join("\n"))),
        facts: recognised(told),
        remedies,
        warnings,
        questions: Vec::new(),
        causes,
    }
}

/// The causes in the doctor's order, each once.
fn causes(told: &Told) -> Vec<Cause> {
    let mut found: Vec<(CauseCode, Vec<String>)> = Vec::new();
    for finding in told.findings.iter().filter(|finding| finding.severity > Severity::Notice) {
        let code = cause_of(finding.code, told);
        let reason = reason(finding);
        match found.iter_mut().find(|(known, _)| *known == code) {
            Some((_, reasons)) => reasons.push(reason),
            None => found.push((code, vec![reason])),
        }
    }
    if found.is_empty() {
        let (code, reason) = match told.missing.first() {
            None if told.complete => (
                CauseCode::Healthy,
                "the doctor has looked at everything, and programs of this kernel are safe here",
            ),
            None => {
                (CauseCode::NeedsFacts, "the doctor has found nothing wrong as far as it looked")
            }
            Some(missing) => (CauseCode::NeedsFacts, missing.as_str()),
        };
        found.push((code, vec![reason.to_owned()]));
    }
    found.truncate(CAUSES_NAMED);
    let count = i32::try_from(found.len()).unwrap_or(i32::MAX);
    let whole: f64 = (0..count).map(|place| STEP.powi(place)).sum();
    let shares = (0..count).map(|place| STEP.powi(place) / whole);
    found
        .into_iter()
        .zip(shares)
        .map(|((code, because), share)| Cause {
            code,
            confidence: hundredths(share.min(CONFIDENCE_MAX)),
            because,
        })
        .collect()
}

fn reason(finding: &ToldFinding) -> String {
    let what = if finding.what.is_empty() { finding.code.title() } else { &finding.what };
    format!("the doctor found {}: {what}", finding.code)
}

/// The cause that a finding is of. What only repeats another finding, as a session that fails, is
/// of the cause of that one.
fn cause_of(code: Code, told: &Told) -> CauseCode {
    use CauseCode as Cause;
    match code {
        Code::SharedMapRefused => Cause::MmapRefused,
        Code::SharedMapIncoherent | Code::PeerMapsApart => Cause::MmapIncoherent,
        Code::LocksUnsupported => Cause::LocksUnsupported,
        Code::LockServiceMissing => Cause::NfsLockService,
        Code::LockUpgradeRefused => Cause::SmbLockUpgrade,
        Code::LocksNotExclusive | Code::LocksMasked => Cause::LocksMasked,
        Code::LocksStayLocal
        | Code::SeveralKernels
        | Code::PeerLocksApart
        | Code::PeerDataStale
        | Code::PeerCommitsLost
        | Code::PeerLocksFail
        | Code::PeerNamesLate
        | Code::PeerNotExclusive
        | Code::PeerNotFenced => Cause::MultiKernel,
        Code::SlowStorage => Cause::Latency,
        Code::ReadOnly if told.wal == Some(true) => Cause::ReadOnlyWal,
        Code::ReadOnly
        | Code::NotWritable
        | Code::PathMissing
        | Code::LookRefused
        | Code::SidecarOwnerDiffers => Cause::PermissionOrPath,
        Code::MountHung | Code::MountDeleted | Code::StaleHandle => Cause::StaleHandle,
        Code::SingleFileMount
        | Code::WalDamaged
        | Code::WalIndexInconsistent
        | Code::SidecarOrphaned
        | Code::SidecarDeletedOpen
        | Code::SuperJournalMissing => Cause::SidecarSplit,
        Code::NoSpace
        | Code::JournalHot
        | Code::WalLarge
        | Code::DecoyDirectory
        | Code::WalResetBug
        | Code::PeerOneKernel => Cause::NotFilesystem,
        Code::HeaderDamaged | Code::SizeMismatch => Cause::NeedsFacts,
        Code::KnownRisk if kind(told) == Some(FileSystem::ObjectStore) => Cause::ObjectStore,
        Code::LockQueryUntrue
        | Code::ExclusiveCreateNotAtomic
        | Code::RenameNotAtomic
        | Code::UnlinkedFileLost
        | Code::FileSizeStale
        | Code::HardLinkRefused
        | Code::FileSyncFails
        | Code::FileSyncTooFast
        | Code::DirectorySyncFails
        | Code::KnownRisk => Cause::VendorBug,
        Code::WalDatabaseStuck => behind(told).unwrap_or(Cause::MmapRefused),
        Code::SessionWalFails
        | Code::SessionWalExclusiveFails
        | Code::SessionUnixExclFails
        | Code::SessionRollbackFails
        | Code::SessionCorrupts => behind(told).unwrap_or(Cause::VendorBug),
    }
}

/// The cause that explains a failing session: the first finding about maps, locks or the path.
fn behind(told: &Told) -> Option<CauseCode> {
    let tells = |code: Code| {
        ["TMB-MMAP-", "TMB-LOCK-00", "TMB-PATH-"]
            .iter()
            .any(|family| code.as_str().starts_with(family) && code != Code::LocksStayLocal)
    };
    told.findings.iter().find(|one| tells(one.code)).map(|one| cause_of(one.code, told))
}

fn kind(told: &Told) -> Option<FileSystem> {
    mounts::kind_of(told.filesystem.as_deref()?)
}

fn recognised(told: &Told) -> Recognised {
    let call = |kind: EvidenceKind| match kind {
        EvidenceKind::ProbeSharedMap | EvidenceKind::ProbeMapCoherence => Some(Call::Map),
        EvidenceKind::ProbePosixLocks | EvidenceKind::ProbeLockUpgrade => Some(Call::Lock),
        EvidenceKind::ProbeFileSync | EvidenceKind::ProbeDirectorySync => Some(Call::Sync),
        _ => None,
    };
    let calls = told.refused.iter().filter_map(|(kind, errno)| {
        Some(FailedCall { call: call(*kind)?, errno: *errno, sidecar: false })
    });
    Recognised {
        filesystem: kind(told),
        options: told.options.iter().filter(|option| mounts::telling(option)).cloned().collect(),
        wal: told.wal,
        kernels: match told.kernels.as_deref() {
            Some("one") => Kernels::One,
            // To reach is not to open.
            Some("several" | "not_known") => Kernels::Maybe,
            _ => Kernels::NotTold,
        },
        calls: calls.collect(),
        signs: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(findings: &[(Code, Severity)], wal: bool) -> Told {
        let findings = findings.iter().map(|&(code, severity)| ToldFinding {
            code,
            severity,
            what: String::new(),
        });
        Told { findings: findings.collect(), wal: Some(wal), complete: true, ..Told::default() }
    }

    fn first(findings: &[(Code, Severity)]) -> CauseCode {
        causes(&told(findings, true))[0].code
    }

    #[test]
    fn a_stuck_database_has_the_cause_of_what_holds_it() {
        use Severity::{Danger, Fault, Notice, Warning};
        for (findings, wanted) in [
            (
                &[(Code::WalDatabaseStuck, Fault), (Code::SharedMapRefused, Fault)][..],
                CauseCode::MmapRefused,
            ),
            (
                &[(Code::WalDatabaseStuck, Fault), (Code::LocksUnsupported, Fault)],
                CauseCode::LocksUnsupported,
            ),
            (
                &[(Code::SessionCorrupts, Danger), (Code::LocksNotExclusive, Danger)],
                CauseCode::LocksMasked,
            ),
            (
                &[(Code::SessionWalFails, Fault), (Code::LocksStayLocal, Warning)],
                CauseCode::VendorBug,
            ),
            (&[(Code::ReadOnly, Fault)], CauseCode::ReadOnlyWal),
            (&[(Code::HardLinkRefused, Notice)], CauseCode::Healthy),
            (&[], CauseCode::Healthy),
        ] {
            assert_eq!(first(findings), wanted, "{findings:?}");
        }
    }

    #[test]
    fn every_finding_has_a_cause_and_each_cause_is_named_once() {
        for code in Code::ALL {
            let causes =
                causes(&told(&[(*code, Severity::Fault), (*code, Severity::Fault)], false));
            assert_eq!((causes.len(), causes[0].because.len()), (1, 2), "{code}");
            assert_ne!(causes[0].code, CauseCode::Healthy, "{code}");
        }
    }

    #[test]
    fn a_look_that_was_not_complete_is_not_called_healthy() {
        let mut partial = told(&[], true);
        partial.complete = false;
        partial.missing = vec!["the mount did not answer".to_owned()];
        let causes = causes(&partial);
        assert_eq!(causes[0].code, CauseCode::NeedsFacts);
        assert_eq!(causes[0].because, ["the mount did not answer"]);
    }
}
