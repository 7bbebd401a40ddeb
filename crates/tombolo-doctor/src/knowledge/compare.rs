//! What changes for SQLite when a database comes from one kind of file system to another: words of
//! the knowledge base side by side, and the facts that they rest on.

use super::{Basis, MountFacts, Row, Word};
use serde::Serialize;
use tombolo_core::report::{Mode, Openers};

/// Both sides of one cell, and which way it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// How SQLite is used.
    pub mode: Mode,
    /// By programs of one kernel, or of several.
    pub openers: Openers,
    /// The word for the file system as it is; `None` where that is not known.
    pub before: Option<Word>,
    /// The word for the other one.
    pub after: Word,
}

impl Cell {
    /// Whether it is better afterwards, as far as is known. What is only to be probed is no gain.
    #[must_use]
    pub fn is_gain(&self) -> bool {
        let better = self.before.is_none_or(|before| self.after < before);
        better && matches!(self.after, Word::Ok | Word::OkIf)
    }

    /// Whether data can be lost afterwards, or nobody knows.
    #[must_use]
    pub fn is_danger(&self) -> bool {
        matches!(self.after, Word::Unsafe | Word::Risky | Word::Lossy)
    }
}

/// A sentence of the knowledge base, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// What it is about: the name of a fact, `note` or `hazard`.
    pub about: &'static str,
    /// The sentence.
    pub text: String,
    /// What it rests on; `None` for a note, which sums up the facts.
    pub basis: Option<Basis>,
    /// Where it stands; empty for a note.
    pub source: String,
}

/// Every cell, one kernel first.
#[must_use]
pub fn cells(before: Option<(&Row, &MountFacts<'_>)>, after: (&Row, &MountFacts<'_>)) -> Vec<Cell> {
    let openers = [Openers::OneKernel, Openers::SeveralKernels];
    let modes = [Mode::Rollback, Mode::Wal, Mode::WalOneProcess];
    let cell = |openers, mode| Cell {
        mode,
        openers,
        before: before.map(|(row, facts)| row.word(mode, openers, facts)),
        after: after.0.word(mode, openers, after.1),
    };
    openers.into_iter().flat_map(|openers| modes.map(|mode| cell(openers, mode))).collect()
}

/// What a row says of maps, locks, caches and syncs, and of what goes wrong; what is only to be
/// probed is left out.
#[must_use]
pub fn claims(row: &Row, facts: &MountFacts<'_>) -> Vec<Claim> {
    const TOLD: [&str; 4] =
        ["shared_map", "byte_range_locks", "coherent_across_kernels", "file_sync"];
    let told = row
        .facts
        .all()
        .into_iter()
        .filter(|(name, fact)| TOLD.contains(name) && fact.basis != Basis::Unverified);
    let told = told.map(|(about, fact)| Claim {
        about,
        text: fact.text.clone(),
        basis: Some(fact.basis),
        source: fact.source.clone(),
    });
    let note = (!row.note.is_empty()).then(|| Claim {
        about: "note",
        text: row.note.clone(),
        basis: None,
        source: String::new(),
    });
    let hazards = row.hazards(facts).into_iter().map(|risk| Claim {
        about: "hazard",
        text: risk.text.clone(),
        basis: Some(Basis::Reported),
        source: risk.source.clone(),
    });
    told.chain(note).chain(hazards).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{find, row};
    use super::*;

    #[test]
    fn from_9p_to_another_protocol() {
        let facts = MountFacts { filesystem: "9p", ..MountFacts::default() };
        let before = (find(&facts).unwrap(), &facts);
        let of = |id: &str, mode, openers| {
            let facts = MountFacts::default();
            let cells = cells(Some(before), (row(id).unwrap(), &facts));
            cells.into_iter().find(|cell| (cell.mode, cell.openers) == (mode, openers)).unwrap()
        };
        let local = of("ext4", Mode::Wal, Openers::OneKernel);
        assert!(local.is_gain() && local.before == Some(Word::FailsSafe), "{local:?}");
        let only_probed = of("virtiofs-rust", Mode::Wal, Openers::OneKernel);
        assert!(!only_probed.is_gain() && !only_probed.is_danger(), "{only_probed:?}");
        assert!(of("nfs4", Mode::Rollback, Openers::SeveralKernels).is_gain());
        for id in ["virtiofs-rust", "nfs4", "cifs", "ext4"] {
            assert!(of(id, Mode::Wal, Openers::SeveralKernels).is_danger(), "{id}");
        }
    }

    #[test]
    fn what_is_not_verified_is_not_told() {
        let facts = MountFacts::default();
        for row in super::super::rows() {
            for claim in claims(row, &facts) {
                assert_ne!(claim.basis, Some(Basis::Unverified), "{}", row.id);
                assert!(claim.about == "note" || !claim.source.is_empty(), "{}", row.id);
            }
        }
    }
}
