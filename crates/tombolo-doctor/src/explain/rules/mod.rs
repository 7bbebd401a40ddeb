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

use super::cause::CauseCode;
use super::facts::Facts;
use super::wording::{Verdict, Wording};

/// What speaks for one cause.
#[derive(Debug, Default)]
pub(super) struct Case {
    points: i32,
    reasons: Vec<(i32, String)>,
    worded: bool,
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

    /// Reports of the cause usually read, or do not read, as this one does. Rules and wording saw
    /// the same signs, so that the rules' points count less beside the wording's. They count in
    /// full for what wording may never speak for.
    fn is_worded(&mut self, verdict: &Verdict) {
        if verdict.code != CauseCode::Healthy {
            self.points = self.points * RULES_PERCENT / 100;
        }
        self.worded = true;
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

    /// Whether its place among the others says something, although little speaks for it.
    pub(super) fn is_weighed(&self) -> bool {
        self.worded || self.points > 0
    }

    /// The reasons, strongest first.
    pub(super) fn into_reasons(mut self) -> Vec<String> {
        if self.reasons.is_empty() {
            self.reasons.push((0, "of all others it comes nearest to what the text says".into()));
        }
        self.reasons.sort_by_key(|(points, _)| -points);
        self.reasons.into_iter().map(|(_, because)| because).collect()
    }
}

/// Points of the rules for one cause that count; more are no surer.
const POINTS_COUNTED: i32 = 200;

/// What the rules' points count beside the wording's. Of reports that neither had seen, about as
/// many are explained with 30 as with 70, and fewer with none or all of them.
const RULES_PERCENT: i32 = 60;
/// Words, and pairs of them, below which a text is a line or two: then the signs say more than how
/// they are worded.
const WORDS_TERSE: usize = 12;

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

/// Every cause with its case: what the rules say, and what the wording, where it counts.
pub(super) fn weigh(facts: &Facts, wording: &Wording) -> Vec<(CauseCode, Case)> {
    let mut cases = by_rules(facts);
    if is_worded(facts) {
        for verdict in wording.weigh(facts) {
            let case = cases.iter_mut().find(|(code, _)| *code == verdict.code);
            case.into_iter().for_each(|(_, case)| case.is_worded(&verdict));
        }
    }
    // Where nothing speaks for anything, there is something to ask.
    let asking = cases.iter_mut().find(|(code, _)| *code == CauseCode::NeedsFacts);
    asking.into_iter().for_each(|(_, case)| case.at_least(1));
    cases
}

/// What the rules say by themselves.
fn by_rules(facts: &Facts) -> Vec<(CauseCode, Case)> {
    let case = |(code, rule): &(CauseCode, Rule)| {
        let mut case = Case::default();
        rule(facts, &mut case);
        usual::weigh(facts, *code, &mut case);
        case.points = case.points.min(POINTS_COUNTED);
        (*code, case)
    };
    RULES.iter().map(case).collect()
}

/// Whether the text tells enough for its wording to count. One sign may be a word of praise beside
/// what nobody understood.
fn is_worded(facts: &Facts) -> bool {
    facts.words.len() >= WORDS_TERSE && (facts.trouble() || facts.signs().nth(1).is_some())
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
