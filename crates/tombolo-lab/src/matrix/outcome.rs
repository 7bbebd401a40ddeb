//! What was measured, in the form of `docs/matrix.json`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Name and version of the JSON.
pub(super) const SCHEMA: &str = "tombolo.matrix/1";

/// The ways of opening, as the tables call them.
pub(super) const OPENS: [&str; 3] = ["open", "journal_mode=DELETE", "locking_mode=EXCLUSIVE"];

/// All that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// Name and version of this document.
    pub schema: String,
    /// A row for each rig and kernel.
    pub rigs: Vec<RigReport>,
}

impl Default for Matrix {
    fn default() -> Self {
        Matrix { schema: SCHEMA.to_owned(), rigs: Vec::new() }
    }
}

/// What a rig showed under one kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RigReport {
    /// Its name in the data.
    pub name: String,
    /// What the table calls it.
    pub title: String,
    /// How the release of its kernel begins, as in the data; empty for the newest.
    pub wanted_kernel: String,
    /// When it was run: the day, in UTC.
    pub date: String,
    /// Programs and kernels that took part, with their versions.
    pub versions: BTreeMap<String, String>,
    /// Type and options of the first client's mount.
    pub mounted: String,
    /// How long it took, with booting.
    pub elapsed_s: f64,
    /// Whether it ran to its end.
    pub state: State,
    /// What holds of files.
    pub facts: Vec<Fact>,
    /// What one kernel gets when it opens a database in WAL mode.
    pub opens: Vec<Opened>,
    /// What two programs at once led to.
    pub pairs: Vec<PairReport>,
    /// What the doctor said, and what happened.
    pub compared: Vec<Compared>,
}

/// Whether a rig ran to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// All experiments were made.
    #[default]
    Complete,
    /// None was, since something is missing here.
    NotRun {
        /// What, and how to get it.
        why: String,
    },
    /// It ended with an error; what was measured before counts.
    Failed {
        /// The experiment.
        during: String,
        /// The error.
        why: String,
    },
    /// Something did not answer in time, or the rig's time was over.
    Hung {
        /// The experiment.
        during: String,
        /// What did not answer.
        why: String,
    },
}

/// What one side sees of what the other does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The experiment.
    pub name: String,
    /// Who acts.
    pub from: String,
    /// Who looks.
    pub to: String,
    /// What was seen, in a word or two.
    pub seen: String,
}

impl Fact {
    /// Which experiment, and between whom: `POSIX lock seen, server to A`.
    pub(super) fn cell(&self) -> String {
        format!("{}, {}", self.name, self.between())
    }

    /// `server to A`.
    pub(super) fn between(&self) -> String {
        format!("{} to {}", self.from, self.to)
    }
}

/// What became of a database in WAL mode that one kernel opened alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The way.
    pub name: String,
    /// `ok`, or the name of SQLite's error with the statement that got it.
    pub outcome: String,
}

/// Two programs at once, on fresh databases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairReport {
    /// Where the first runs: `server`, `A` or `B`.
    pub first: String,
    /// Where the second runs.
    pub second: String,
    /// What each got for BEGIN EXCLUSIVE, the second while the first held it.
    pub exclusive: [String; 2],
    /// Transactions of both at once.
    pub updates: Vec<Updates>,
}

impl PairReport {
    /// Whether more than one kernel takes part.
    #[must_use]
    pub fn is_across(&self) -> bool {
        self.first != self.second
    }
}

/// What two programs did at once, and what was left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Updates {
    /// The journal mode, or the VFS.
    pub way: Way,
    /// Of the pauses between transactions.
    pub seed: u64,
    /// What each program was to do.
    pub wanted: u32,
    /// The programs.
    pub clients: [Client; 2],
    /// Acknowledged transactions that are not in the database.
    pub lost: usize,
    /// `ok`, or what `PRAGMA integrity_check` or the shell said, in short.
    pub integrity: String,
    /// Rows that are there twice, and invariants that do not hold.
    pub broken: Vec<String>,
}

impl Updates {
    /// Whether anything that was acknowledged is gone or damaged.
    #[must_use]
    pub fn is_harmed(&self) -> bool {
        self.lost > 0 || self.integrity != "ok" || !self.broken.is_empty()
    }

    /// Whether every program did what it was to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.clients.iter().all(|client| client.acknowledged >= self.wanted as usize)
    }
}

/// How databases are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// `journal_mode=DELETE`.
    Delete,
    /// `journal_mode=WAL`.
    Wal,
    /// `journal_mode=DELETE` through the VFS `unix-dotfile`.
    UnixDotfile,
}

/// One of two programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Transactions whose COMMIT returned.
    pub acknowledged: usize,
    /// How often each error came.
    pub errors: BTreeMap<String, u32>,
    /// `done`, `SIGBUS`, `stopped` when its time was over, or another end.
    pub end: String,
}

/// A verdict of the doctor beside what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The doctor's word for the way of using SQLite: `wal` or `rollback`.
    pub mode: String,
    /// `one_kernel` or `several_kernels`.
    pub openers: String,
    /// On which sides the doctor ran: `A`, or `A with B`.
    pub sides: String,
    /// The doctor's judgement.
    pub said: String,
    /// Its reason.
    #[serde(default)]
    pub because: String,
    /// What happened, in a few words.
    pub happened: String,
    /// Whether the two agree.
    pub agreement: Agreement,
}

/// Whether a verdict agrees with what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// It does.
    Agrees,
    /// The doctor warned; nothing was seen to go wrong here.
    NotConfirmed,
    /// The doctor said that the evidence does not suffice.
    Undecided,
    /// The doctor said that nothing goes wrong, and something did.
    Contradicted,
}
