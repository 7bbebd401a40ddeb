//! What is known of a file system beyond what one side can measure here.

use tombolo_core::report::{Mode, Openers};

/// What the knowledge base says of one way of using SQLite on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownWord {
    /// Nothing against it.
    Fine,
    /// SQLite is refused; nothing is damaged.
    FailsSafe,
    /// Consistent, but a crash or a power loss can take committed transactions.
    LosesInCrash,
    /// Credible reports of damage that short measurements do not show.
    Risky,
    /// Loses or corrupts committed data.
    LosesData,
    /// Nothing is known.
    NotKnown,
}

/// A mount option that takes a protection away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskingOption {
    /// The option, as it stands in the mount table.
    pub option: String,
    /// What it takes away.
    pub what: String,
    /// Which protection.
    pub protection: Protection,
}

/// What a mount option can take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Locks are not carried to other kernels.
    Locks,
    /// A stall of the server becomes an error in the middle of a write.
    Patience,
}

/// The knowledge about one mount.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Name of the file system for people; empty when it is not in the knowledge base.
    pub name: String,
    /// For each way and each set of openers: what is known.
    pub words: Vec<(Mode, Openers, KnownWord)>,
    /// Hazards that fit this mount and this kernel, each one sentence.
    pub hazards: Vec<String>,
    /// Options of this mount that take a protection away.
    pub masking: Vec<MaskingOption>,
}

impl Known {
    /// What is known of one way with one set of openers.
    #[must_use]
    pub fn word(&self, mode: Mode, openers: Openers) -> KnownWord {
        let found = self.words.iter().find(|(m, o, _)| *m == mode && *o == openers);
        found.map_or(KnownWord::NotKnown, |(_, _, word)| *word)
    }

    /// Whether another kernel is known not to see the locks taken here.
    #[must_use]
    pub fn locks_stay_local(&self) -> bool {
        self.word(Mode::Rollback, Openers::SeveralKernels) == KnownWord::LosesData
    }
}
