//! What the doctor was asked about.

use serde::{Deserialize, Serialize};

/// The path that was asked about.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Target {
    /// As it was given, with bytes that are not UTF-8 replaced.
    pub path: String,
    /// The path without symbolic links, as far as it exists.
    pub resolved: String,
    /// What stands there.
    pub kind: TargetKind,
    /// The process through whose eyes the path was seen, if not the doctor's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<Viewpoint>,
}

/// What stands at the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A regular file with SQLite's header.
    Database,
    /// A regular file of zero bytes: SQLite treats it as a new database.
    EmptyFile,
    /// A regular file with another content.
    OtherFile,
    /// A directory.
    Directory,
    /// Nothing yet; the parent is examined.
    Absent,
    /// It could not be looked at: hung, or no permission.
    Unreadable,
}

/// A process whose mount namespace was entered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Viewpoint {
    /// Its process id, as this kernel's initial namespace (or ours) numbers it.
    pub pid: i32,
    /// Its name (`/proc/PID/comm`).
    pub program: String,
    /// Its container, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<super::Container>,
}
