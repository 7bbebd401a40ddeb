//! Verdicts: for each way of using SQLite on a path, whether it is safe.

use super::EvidenceId;
use serde::{Deserialize, Serialize};

/// A way of using SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// WAL mode, any number of processes.
    Wal,
    /// WAL mode with a wal-index in the heap of the one process that opens the database:
    /// VFS `unix-excl`, or `locking_mode=EXCLUSIVE` set first.
    WalOneProcess,
    /// A rollback journal: DELETE, TRUNCATE or PERSIST.
    Rollback,
}

/// Who opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Openers {
    /// Only programs under the kernel that the doctor runs in.
    OneKernel,
    /// Programs under this kernel and at least one other.
    SeveralKernels,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Everything that this way needs was seen to hold.
    Safe,
    /// As `Safe`, but the measured times will be felt.
    Slow,
    /// SQLite gets an error; what is stored stays intact.
    Fails,
    /// Can lose or corrupt committed data, mostly without an error.
    Unsafe,
    /// The evidence does not suffice; [`Verdict::would_prove`] says what would.
    NotProven,
}

/// One cell of the table: mode x openers.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The way of using SQLite.
    pub mode: Mode,
    /// Who opens the database.
    pub openers: Openers,
    /// The answer.
    pub judgement: Judgement,
    /// Why, in one sentence.
    pub because: String,
    /// What it rests on.
    pub evidence: Vec<EvidenceId>,
    /// What would settle it, for [`Judgement::NotProven`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_prove: Option<String>,
}
