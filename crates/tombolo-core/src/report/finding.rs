//! Findings: conclusions with a stable code.

use super::EvidenceId;
use crate::finding::Code;
use serde::{Deserialize, Serialize};

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Notice,
    /// Something will be slow, or is fragile.
    Warning,
    /// SQLite fails here; what is stored is intact.
    Fault,
    /// Committed data can be lost, or has been.
    Danger,
}

/// One conclusion, with the evidence it rests on.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The stable code; `tombolo codes CODE` prints its page.
    pub code: Code,
    /// How grave it is.
    pub severity: Severity,
    /// The path it is about.
    pub subject: String,
    /// What is the case, in one sentence.
    pub what: String,
    /// What shows it.
    pub evidence: Vec<EvidenceId>,
    /// What to do, in one sentence.
    pub action: String,
}
