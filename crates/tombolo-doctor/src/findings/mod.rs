//! Stage 5: from evidence to findings.
//!
//! Each rule reads results of experiments and says what follows; none of them looks at the world.
//! A rule that rests on a *refusal* names a fault, one that rests on a *violated* promise names a
//! danger: the first stops SQLite, the second lets it lose data.

mod draft;
mod files;
mod kernels;
mod known;
mod locks;
mod maps;
mod paths;
mod peers;
mod sessions;
mod storage;

pub use draft::Draft;
pub use known::{Known, KnownWord, MaskingOption, Protection};
pub(crate) use paths::NO_DIRECTORY;
pub(crate) use peers::{across, refused_on_one_side, several_were_met};
pub(crate) use storage::slow;

use tombolo_core::finding::Code;
use tombolo_core::report::{
    Evidence, EvidenceKind, EvidenceLog, HeaderMode, KernelCount, Mount, Outcome, Severity,
};

/// What the rules may look at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The path that findings name.
    pub subject: &'a str,
    /// What was measured.
    pub log: &'a EvidenceLog,
    /// The mount.
    pub mount: Option<&'a Mount>,
    /// How many kernels can reach the path.
    pub reach: KernelCount,
    /// What is known of the file system beyond what was measured.
    pub known: &'a Known,
    /// The gravest journal mode among the databases: WAL, if any of them is in WAL mode.
    pub journal_mode: Option<HeaderMode>,
}

impl<'a> Case<'a> {
    /// The results of one experiment that ended in one way.
    fn with(&self, kind: EvidenceKind, outcome: Outcome) -> impl Iterator<Item = &'a Evidence> {
        self.log.of_kind(kind).filter(move |evidence| evidence.outcome == outcome)
    }

    /// The first such result.
    fn first(&self, kind: EvidenceKind, outcome: Outcome) -> Option<&'a Evidence> {
        self.with(kind, outcome).next()
    }

    fn draft(&self, code: Code, severity: Severity, kinds: &[EvidenceKind]) -> DraftBuilder<'a> {
        DraftBuilder { subject: self.subject, code, severity, kinds: kinds.to_vec() }
    }
}

/// A draft that still lacks its two sentences.
struct DraftBuilder<'a> {
    subject: &'a str,
    code: Code,
    severity: Severity,
    kinds: Vec<EvidenceKind>,
}

impl DraftBuilder<'_> {
    fn says(self, what: impl Into<String>, action: impl Into<String>) -> Draft {
        Draft {
            code: self.code,
            severity: self.severity,
            subject: self.subject.to_owned(),
            what: what.into(),
            action: action.into(),
            kinds: self.kinds,
        }
    }
}

/// Everything that follows from the probes and the mount. What follows from a database's own files
/// is concluded by [`crate::database`], from the programs that hold it by [`crate::openers`].
#[must_use]
pub fn conclude(case: &Case<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for rules in [
        paths::conclude,
        maps::conclude,
        locks::conclude,
        files::conclude,
        storage::conclude,
        sessions::conclude,
        kernels::conclude,
        peers::conclude,
    ] {
        rules(case, &mut drafts);
    }
    drafts
}

#[cfg(test)]
pub(crate) mod testing;
