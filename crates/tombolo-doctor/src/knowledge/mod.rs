//! What is known of file systems beyond what one side can measure.
//!
//! The rows stand in `data/*.toml`, each fact with its source or marked *unverified*: such a fact
//! is to be probed, never to be shown as true. A row is found by the mount table, its options and
//! the machine, because names mislead: `9p` is a virtual machine's share, a sandbox, a drive of
//! Windows or a server on the network.

pub mod compare;
mod masking;
mod matching;
mod row;

pub use masking::masking_options;
pub use matching::{KernelVersion, MountFacts, glob, option_holds};
pub use row::{
    Basis, Changes, Fact, Facts, Kind, KnownRisk, MagicTrust, OptionEffect, PeerCut, Row, Word,
    Words,
};

use crate::findings::{Known, KnownWord};
use serde::Deserialize;
use std::sync::OnceLock;
use tombolo_core::report::{EvidenceKind, Mode, Observation, Openers, Outcome};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    row: Vec<Row>,
}

/// Groups whose rows are alike in weight are searched in this order.
const GROUPS: &[&str] = &[
    include_str!("data/vm_shares.toml"),
    include_str!("data/sandboxes.toml"),
    include_str!("data/network.toml"),
    include_str!("data/cluster.toml"),
    include_str!("data/object_stores.toml"),
    include_str!("data/local.toml"),
    include_str!("data/fuse.toml"),
    include_str!("data/foreign.toml"),
];

/// Every row. A group that does not parse is left out here and fails the tests of this module.
#[must_use]
pub fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let groups = GROUPS.iter().filter_map(|text| toml::from_str::<Group>(text).ok());
        groups.flat_map(|group| group.row).collect()
    })
}

/// The row with this id.
#[must_use]
pub fn row(id: &str) -> Option<&'static Row> {
    rows().iter().find(|row| row.id == id)
}

/// The row that fits a mount best: the one with the most conditions that hold, where a type named
/// in full counts twice; among equals the first in the order of the groups.
#[must_use]
pub fn find(facts: &MountFacts<'_>) -> Option<&'static Row> {
    let weighed = rows().iter().filter_map(|row| {
        let weights = row.matches.iter().filter_map(|one| one.weight(facts));
        weights.max().map(|weight| (weight, row))
    });
    let best = weighed.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, row)| row)
}

/// What the rules of [`crate::findings`] and [`crate::verdict`] need of a mount; `row` is what
/// [`find`] found for it.
#[must_use]
pub fn known(row: Option<&Row>, facts: &MountFacts<'_>) -> Known {
    let masking = masking_options(facts);
    let Some(row) = row else { return Known { masking, ..Known::default() } };
    let modes = [Mode::Wal, Mode::WalOneProcess, Mode::Rollback];
    let openers = [Openers::OneKernel, Openers::SeveralKernels];
    let words = modes.into_iter().flat_map(|mode| {
        openers.map(|openers| (mode, openers, known_word(row.word(mode, openers, facts))))
    });
    Known {
        name: row.name().to_owned(),
        words: words.collect(),
        hazards: row.hazards(facts).into_iter().map(|risk| risk.text.clone()).collect(),
        masking,
    }
}

/// The observation that a mount has this row.
#[must_use]
pub fn observe(row: &Row) -> Observation {
    let summary = format!("the knowledge base has this file system as {}", row.name());
    Observation::new(EvidenceKind::Knowledge, Outcome::Noted, summary).value("row", &*row.id)
}

fn known_word(word: Word) -> KnownWord {
    match word {
        Word::Ok | Word::OkIf => KnownWord::Fine,
        Word::Lossy => KnownWord::LosesInCrash,
        Word::FailsSafe | Word::Unsupported => KnownWord::FailsSafe,
        Word::Risky => KnownWord::Risky,
        Word::Unsafe => KnownWord::LosesData,
        Word::Probe => KnownWord::NotKnown,
    }
}

#[cfg(test)]
mod tests;
