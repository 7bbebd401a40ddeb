//! What an owner tells of itself: the document `tombolo.status/1`.
//!
//! * [`Latencies`]: how long something took, in a fixed number of classes.
//! * [`Recent`]: how much of late.
//! * [`prometheus`]: the same as text for a collector of metrics.

mod latency;
pub mod prometheus;
mod recent;

pub use latency::{Latencies, Latency, LatencyClass};
pub use recent::Recent;

use serde::{Deserialize, Serialize};

/// The name of the document and its version.
pub const SCHEMA: &str = "tombolo.status/1";
/// Most sessions of one database that are listed, the longest transactions first.
pub const SESSIONS_SHOWN_MAX: usize = 64;
/// Most databases that are listed. With [`SESSIONS_SHOWN_MAX`] the document stays shorter than a
/// frame.
pub const DATABASES_SHOWN_MAX: usize = 64;
/// Longest name of a program in the list, in characters.
pub const PROGRAM_CHARS_MAX: usize = 64;

/// Longest boot id in the list, in characters (random(4)).
pub const BOOT_ID_CHARS_MAX: usize = 36;

/// An owner, or one database of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of the program.
    pub version: String,
    /// The owner's process.
    pub process: u32,
    /// The boot id of its kernel; `null` where it cannot be told.
    pub boot_id: Option<String>,
    /// How long it has been listening; of one database, how long that is open.
    pub uptime_ms: u64,
    /// Connections that have not said which database they want; `null` of one database.
    pub newcomer_count: Option<u64>,
    /// Databases that are open.
    pub database_count: u64,
    /// Those that did not answer in time, and are not listed.
    pub silent_count: u64,
    /// Some of them, by path.
    pub databases: Vec<DatabaseStatus>,
}

/// Which engine does the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineName {
    /// Stock apps of the owner's kernel may use the file.
    Shared,
    /// Nobody else does.
    Sole,
}

impl EngineName {
    /// As the document has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EngineName::Shared => "shared",
            EngineName::Sole => "sole",
        }
    }
}

/// One database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseStatus {
    /// Its path, as the owner has it.
    pub path: String,
    /// The engine.
    pub engine: EngineName,
    /// How long it is open.
    pub open_ms: u64,
    /// Bytes of a page; `null` where the engine did not tell.
    pub page_size_bytes: Option<u32>,
    /// Pages of the newest version; `null` where the engine did not tell.
    pub size_pages: Option<u32>,
    /// Bytes of the log, `-wal`.
    pub log_bytes: u64,
    /// Sessions that are open.
    pub session_count: u64,
    /// Some of them.
    pub sessions: Vec<SessionStatus>,
    /// Sessions that have a place in the queue for the turn.
    pub queue_length: u64,
    /// Commits that wait for the log to be synced.
    pub pending_count: u64,
    /// What happened since it was opened.
    pub counts: Counts,
    /// What happened of late, each second.
    pub rates: Rates,
    /// How long things took.
    pub latencies: DatabaseLatencies,
}

/// How long the work on a database took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseLatencies {
    /// From the request to commit until it is acknowledged.
    pub commit: Latency,
    /// Syncs of the log.
    pub sync: Latency,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The name of the program, as it says.
    pub program: String,
    /// The process, as it says; a number of its own kernel.
    pub process: u32,
    /// Whether that is the owner's kernel.
    pub kernel: SessionKernel,
    /// The boot id of its kernel, as it says; `null` where it does not.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// Where it comes from, as `tcp://IP:PORT` or `vsock://CID:PORT`; `null` of a Unix socket.
    #[serde(default)]
    pub address: Option<String>,
    /// Whether it may write.
    pub access: SessionAccess,
    /// Its transaction.
    pub transaction: TransactionState,
    /// How long it is in it; `null` outside one.
    pub transaction_ms: Option<u64>,
    /// Whether it has the turn to write.
    pub turn: TurnState,
    /// How long it has it; `null` where it has not.
    pub turn_ms: Option<u64>,
}

/// On which kernel a session is, by its boot id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKernel {
    /// The owner's.
    Same,
    /// Another.
    Other,
    /// One of the two did not tell.
    NotKnown,
}

/// What a session has opened the database for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionAccess {
    /// For reading only.
    Read,
    /// For writing as well.
    Write,
}

/// How far a session's transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// There is none.
    None,
    /// It reads a version.
    Open,
    /// Its version was given up; it will fail.
    Expired,
}

/// Where a session stands with the turn to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnState {
    /// It has not asked.
    None,
    /// It waits, or was told busy a moment ago.
    Queued,
    /// It has it.
    Held,
}

/// What happened since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Sessions that were let in.
    pub sessions: u64,
    /// Sessions that were turned away.
    pub refused_sessions: u64,
    /// Transactions that began.
    pub begins: u64,
    /// Pages that were read for sessions.
    pub pages_read: u64,
    /// Pages that sessions have sent, whether they were committed or not.
    pub pages_written: u64,
    /// Commits.
    pub commits: u64,
    /// Commits that were refused because somebody else had committed, or the turn was lost.
    pub conflicts: u64,
    /// Commits that failed otherwise.
    pub failed_commits: u64,
    /// Syncs of the log that were waited for.
    pub syncs: u64,
    /// Checkpoints, those that sessions asked for included.
    pub checkpoints: u64,
    /// Turns that were taken back because they were kept too long.
    pub lost_turns: u64,
    /// Snapshots that were given up.
    pub expired_snapshots: u64,
}

/// What happened each second, over the last ten or since the database was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Transactions that began.
    pub begins_per_second: f64,
    /// Pages that were read.
    pub pages_read_per_second: f64,
    /// Commits.
    pub commits_per_second: f64,
    /// Commits that were conflicts.
    pub conflicts_per_second: f64,
    /// Syncs.
    pub syncs_per_second: f64,
}

/// A boot id from outside, for the list; `None` where none was told.
#[must_use]
pub fn boot_id(said: &str) -> Option<String> {
    let text = crate::text::printable(said.as_bytes());
    let cut: String = text.chars().take(BOOT_ID_CHARS_MAX).collect();
    (!cut.is_empty()).then_some(cut)
}

/// A name from outside, for the list.
#[must_use]
pub fn program_name(said: &str) -> String {
    crate::text::printable(said.as_bytes()).chars().take(PROGRAM_CHARS_MAX).collect()
}
