//! One rule for each cause: which facts speak for it, how strongly, and why.
//!
//! A rule gives points; the more, the more often the facts mean this cause. Points of all rules are
//! on one scale: 90 and above for an unmistakable sign (an error that only this cause gives), 60
//! for a file system and symptom that go together, 30 for a hint. Points against need no reason.

mod healthy;
mod latency;
mod locks_masked;
mod locks_unsupported;
mod mmap_incoherent;
mod mmap_refused;
mod multi_kernel;
mod needs_facts;
mod nfs_lock_service;
mod not_filesystem;
mod object_store;
mod permission_or_path;
mod read_only_wal;
mod sidecar_split;
mod smb_lock_upgrade;
mod stale_handle;
mod usual;
mod vendor_bug;
mod wal_over_remote;

use super::POINTS_NAMED;
use super::cause::CauseCode;
use super::facts::Facts;
use super::wording::{self, Verdict};

/// What speaks for one cause.
#[derive(Debug, Default)]
pub(super) struct Case {
    points: i32,
    reasons: Vec<(i32, String)>,
}

impl Case {
    /// Something speaks for the cause.
    fn speaks(&mut self, points: i32, because: impl Into<String>) {
        self.points += points;
        self.reasons.push((points, because.into()));
    }

    /// Something speaks against it.
    fn against(&mut self, points: i32) {
        self.points -= points;
    }

    /// Reports of the cause usually read, or do not read, as this one does.
    fn is_worded(&mut self, verdict: &Verdict) {
        let quoted: Vec<String> = verdict.cited.iter().map(|word| format!("\"{word}\"")).collect();
        match verdict.points {
            points @ ..=0 => self.against(-points),
            points if quoted.is_empty() => self.speaks(points, "such facts usually mean it"),
            points => self.speaks(points, format!("its reports often say {}", quoted.join(", "))),
        }
    }

    /// Points never fall below this, for the cause that answers when no other does.
    fn at_least(&mut self, points: i32) {
        self.points = self.points.max(points);
    }

    pub(super) fn points(&self) -> i32 {
        self.points
    }

    /// The reasons, strongest first.
    pub(super) fn into_reasons(mut self) -> Vec<String> {
        self.reasons.sort_by_key(|(points, _)| -points);
        self.reasons.into_iter().map(|(_, because)| because).collect()
    }
}

/// Points of the rules for one cause that count; more are no surer.
const POINTS_COUNTED: i32 = 200;

type Rule = fn(&Facts, &mut Case);

const RULES: &[(CauseCode, Rule)] = &[
    (CauseCode::MultiKernel, multi_kernel::weigh),
    (CauseCode::MmapRefused, mmap_refused::weigh),
    (CauseCode::MmapIncoherent, mmap_incoherent::weigh),
    (CauseCode::SmbLockUpgrade, smb_lock_upgrade::weigh),
    (CauseCode::NfsLockService, nfs_lock_service::weigh),
    (CauseCode::LocksUnsupported, locks_unsupported::weigh),
    (CauseCode::LocksMasked, locks_masked::weigh),
    (CauseCode::WalOverRemote, wal_over_remote::weigh),
    (CauseCode::SidecarSplit, sidecar_split::weigh),
    (CauseCode::PermissionOrPath, permission_or_path::weigh),
    (CauseCode::ReadOnlyWal, read_only_wal::weigh),
    (CauseCode::StaleHandle, stale_handle::weigh),
    (CauseCode::ObjectStore, object_store::weigh),
    (CauseCode::Latency, latency::weigh),
    (CauseCode::NotFilesystem, not_filesystem::weigh),
    (CauseCode::VendorBug, vendor_bug::weigh),
    (CauseCode::Healthy, healthy::weigh),
    (CauseCode::NeedsFacts, needs_facts::weigh),
];

/// Every cause with its case: what the rules say, and where they say anything, the wording.
pub(super) fn weigh(facts: &Facts) -> Vec<(CauseCode, Case)> {
    let mut cases: Vec<(CauseCode, Case)> = RULES
        .iter()
        .map(|(code, rule)| {
            let mut case = Case::default();
            rule(facts, &mut case);
            usual::weigh(facts, *code, &mut case);
            case.points = case.points.min(POINTS_COUNTED);
            (*code, case)
        })
        .collect();
    let understood =
        cases.iter().any(|(code, case)| code.is_fault() && case.points >= POINTS_NAMED);
    // One sign may be a word of praise beside what nobody understood.
    if understood && (facts.trouble() || facts.signs().nth(1).is_some()) {
        for verdict in wording::weigh(facts) {
            let case = cases.iter_mut().find(|(code, _)| *code == verdict.code);
            case.into_iter().for_each(|(_, case)| case.is_worded(&verdict));
        }
    }
    // Where nothing speaks for anything, there is something to ask.
    let asking = cases.iter_mut().find(|(code, _)| *code == CauseCode::NeedsFacts);
    asking.into_iter().for_each(|(_, case)| case.at_least(1));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_one_rule() {
        for code in CauseCode::ALL {
            assert_eq!(RULES.iter().filter(|(named, _)| named == code).count(), 1, "{code:?}");
        }
    }
}
