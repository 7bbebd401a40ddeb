//! A finding before its evidence is numbered.

use serde::{Deserialize, Serialize};
use tombolo_core::finding::Code;
use tombolo_core::report::{Evidence, EvidenceKind, Finding, Severity};

/// A conclusion, with the kinds of evidence it rests on.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Draft {
    /// The stable code.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// The path it is about.
    pub subject: String,
    /// What is the case, in one sentence.
    pub what: String,
    /// What to do, in one sentence.
    pub action: String,
    /// The kinds of evidence that show it.
    pub kinds: Vec<EvidenceKind>,
}

impl Draft {
    /// The finding, citing those of `evidence` that show it.
    #[must_use]
    pub fn cite(self, evidence: &[Evidence]) -> Finding {
        let shown_by = evidence.iter().filter(|entry| self.kinds.contains(&entry.kind));
        Finding {
            evidence: shown_by.map(|entry| entry.id).collect(),
            code: self.code,
            severity: self.severity,
            subject: self.subject,
            what: self.what,
            action: self.action,
        }
    }
}
