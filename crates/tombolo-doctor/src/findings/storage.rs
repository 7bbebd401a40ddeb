//! Whether what is committed reaches the disk, and how long that takes.

use super::{Case, Draft};
use tombolo_core::finding::Code;
use tombolo_core::report::{Evidence, EvidenceKind, Outcome, Severity, Value};

/// Above this median, a rollback commit (three syncs or more) takes a third of a second, and a
/// handful of waiting writers outlast the five seconds that most programs wait for a lock.
pub(crate) const SLOW_SYNC_MEDIAN_US: i64 = 100_000;

/// Above this median, the eight or so lock calls of one transaction take as long as the slow sync.
pub(crate) const SLOW_LOCK_MEDIAN_US: i64 = 25_000;

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    let failed = [Outcome::Refused, Outcome::Violated]
        .into_iter()
        .find_map(|outcome| case.first(EvidenceKind::ProbeFileSync, outcome));
    if let Some(evidence) = failed {
        let kinds = [EvidenceKind::ProbeFileSync];
        drafts.push(case.draft(Code::FileSyncFails, Severity::Danger, &kinds).says(
            format!("fsync fails: {}", evidence.summary),
            "treat recent commits as lost, look at the kernel log of client and server, and move \
             the database",
        ));
    }
    if is_flagged(case, EvidenceKind::ProbeFileSync, "too_fast") {
        let kinds = [EvidenceKind::ProbeFileSync, EvidenceKind::ProbeLatency];
        drafts.push(case.draft(Code::FileSyncTooFast, Severity::Notice, &kinds).says(
            "fsync returns sooner than a disk could store anything: either the device has a \
             protected cache, or commits do not survive a power loss",
            "find out whether the server or the host honours flushes",
        ));
    }
    if let Some(evidence) = case.first(EvidenceKind::ProbeDirectorySync, Outcome::Refused) {
        let kinds = [EvidenceKind::ProbeDirectorySync];
        drafts.push(case.draft(Code::DirectorySyncFails, Severity::Notice, &kinds).says(
            format!(
                "directories cannot be synced ({}): SQLite ignores that, except with \
                 synchronous=EXTRA or a transaction over attached databases",
                evidence.summary
            ),
            "do not use synchronous=EXTRA here",
        ));
    }
    if let Some(slow) = slow(case.log.entries()) {
        let kinds = [EvidenceKind::ProbeLatency];
        drafts.push(case.draft(Code::SlowStorage, Severity::Warning, &kinds).says(
            slow,
            "raise the programs' busy time-out, shorten their transactions, or move the database \
             to faster storage",
        ));
    }
}

fn is_flagged(case: &Case<'_>, kind: EvidenceKind, name: &str) -> bool {
    case.log.of_kind(kind).any(|evidence| evidence.values.get(name) == Some(&Value::Flag(true)))
}

/// What is slow, in one sentence; `None` when nothing is.
pub(crate) fn slow(evidence: &[Evidence]) -> Option<String> {
    let bounds = [
        ("fsync_median_us", "fsync", SLOW_SYNC_MEDIAN_US),
        ("lock_median_us", "a lock call", SLOW_LOCK_MEDIAN_US),
    ];
    bounds.into_iter().find_map(|(name, call, bound_us)| {
        evidence.iter().find_map(|entry| match entry.values.get(name) {
            Some(Value::Integer(median_us)) if *median_us > bound_us => {
                Some(format!("{call} takes {} ms (median)", median_us / 1000))
            }
            _ => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;
    use tombolo_core::errno::Errno;
    use tombolo_core::report::Observation;

    #[test]
    fn failed_and_hasty_syncs_are_told_apart() {
        let mut scene = Scene::new();
        scene.fails(EvidenceKind::ProbeFileSync, Outcome::Refused, Some(Errno::EIO));
        scene.fails(EvidenceKind::ProbeDirectorySync, Outcome::Refused, Some(Errno::EINVAL));
        assert_eq!(
            codes(&scene.conclude(conclude)),
            [Code::FileSyncFails, Code::DirectorySyncFails]
        );
        let mut scene = Scene::new();
        scene.log.record(
            Observation::new(EvidenceKind::ProbeFileSync, Outcome::Holds, "fsync")
                .value("too_fast", true),
        );
        assert_eq!(codes(&scene.conclude(conclude)), [Code::FileSyncTooFast]);
    }

    #[test]
    fn only_times_above_the_bound_are_slow() {
        for (median_us, expected) in [(SLOW_SYNC_MEDIAN_US, 0), (SLOW_SYNC_MEDIAN_US + 1, 1)] {
            let mut scene = Scene::new();
            scene.log.record(
                Observation::new(EvidenceKind::ProbeLatency, Outcome::Noted, "latency")
                    .value("fsync_median_us", median_us),
            );
            let drafts = scene.conclude(conclude);
            assert_eq!(drafts.len(), expected);
            assert!(drafts.iter().all(|draft| draft.code == Code::SlowStorage));
        }
    }
}
