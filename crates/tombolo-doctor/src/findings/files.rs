//! Names and sizes: creation, rename, unlink, truncation.

use super::{Case, Draft};
use tombolo_core::finding::Code;
use tombolo_core::report::{EvidenceKind, Outcome, Severity};

/// An experiment on names or sizes, and what its failure means.
struct Rule {
    kind: EvidenceKind,
    outcome: Outcome,
    code: Code,
    severity: Severity,
    means: &'static str,
    action: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        kind: EvidenceKind::ProbeExclusiveCreate,
        outcome: Outcome::Violated,
        code: Code::ExclusiveCreateNotAtomic,
        severity: Severity::Danger,
        means: "two processes both created the same file with O_EXCL",
        action: "do not use lock files or the VFS unix-dotfile here",
    },
    Rule {
        kind: EvidenceKind::ProbeRenameOver,
        outcome: Outcome::Violated,
        code: Code::RenameNotAtomic,
        severity: Severity::Warning,
        means: "a rename over an open file is not what other file systems do",
        action: "stop every program before a database file is replaced here",
    },
    Rule {
        kind: EvidenceKind::ProbeUnlinkOpen,
        outcome: Outcome::Violated,
        code: Code::UnlinkedFileLost,
        severity: Severity::Warning,
        means: "an open file does not survive its unlinking as it must",
        action: "stop every program before files are deleted here",
    },
    Rule {
        kind: EvidenceKind::ProbeUnlinkOpen,
        outcome: Outcome::Refused,
        code: Code::UnlinkedFileLost,
        severity: Severity::Notice,
        means: "an open file cannot be unlinked, or not be cut any more once it is",
        action: "keep SQLite's temporary files elsewhere (SQLITE_TMPDIR)",
    },
    Rule {
        kind: EvidenceKind::ProbeFileSize,
        outcome: Outcome::Violated,
        code: Code::FileSizeStale,
        severity: Severity::Danger,
        means: "a second process of this very kernel sees an old size or old bytes",
        action: "do not open a database from two processes here; move it to a local file system",
    },
    Rule {
        kind: EvidenceKind::ProbeHardLink,
        outcome: Outcome::Refused,
        code: Code::HardLinkRefused,
        severity: Severity::Notice,
        means: "hard links are refused; SQLite does not need them, some backup tools do",
        action: "nothing to do for SQLite itself",
    },
];

pub(super) fn conclude(case: &Case<'_>, drafts: &mut Vec<Draft>) {
    for rule in RULES {
        if let Some(evidence) = case.first(rule.kind, rule.outcome) {
            let what = format!("{}: {}", rule.means, evidence.summary);
            let draft = case.draft(rule.code, rule.severity, &[rule.kind]);
            drafts.push(draft.says(what, rule.action));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Scene, codes};
    use super::*;

    #[test]
    fn each_failure_has_its_code() {
        for (kind, outcome, code) in [
            (EvidenceKind::ProbeExclusiveCreate, Outcome::Violated, Code::ExclusiveCreateNotAtomic),
            (EvidenceKind::ProbeRenameOver, Outcome::Violated, Code::RenameNotAtomic),
            (EvidenceKind::ProbeUnlinkOpen, Outcome::Violated, Code::UnlinkedFileLost),
            (EvidenceKind::ProbeUnlinkOpen, Outcome::Refused, Code::UnlinkedFileLost),
            (EvidenceKind::ProbeFileSize, Outcome::Violated, Code::FileSizeStale),
            (EvidenceKind::ProbeHardLink, Outcome::Refused, Code::HardLinkRefused),
        ] {
            let mut scene = Scene::new();
            scene.fails(kind, outcome, None);
            assert_eq!(codes(&scene.conclude(conclude)), [code]);
        }
    }
}
