//! The words of a look at a whole machine: the databases that its programs have open.

use super::{
    Completeness, Database, Evidence, Finding, Kernel, KernelReach, Machine, Mount, Viewpoint,
};
use serde::Serialize;

/// Name and version of the JSON that `tombolo doctor --format json` prints without a path.
pub const MACHINE_SCHEMA: &str = "tombolo.machine/1";

/// Every SQLite database that a program of this kernel has open.
#[derive(Clone, Debug, Serialize)]
pub struct MachineReport {
    /// Always [`MACHINE_SCHEMA`].
    pub schema: &'static str,
    /// One sentence: what is wrong, where, and the first thing to do.
    pub summary: String,
    /// What could not be looked at.
    pub completeness: Completeness,
    /// The running kernel.
    pub kernel: Kernel,
    /// What it runs on.
    pub machine: Machine,
    /// The programs that have databases open, those with endangered ones first.
    pub programs: Vec<OpenProgram>,
    /// The databases, the endangered ones first.
    pub databases: Vec<OpenDatabase>,
    /// What was not seen, in numbers.
    pub unseen: Unseen,
    /// What was observed.
    pub evidence: Vec<Evidence>,
}

/// All processes of one program in one container.
#[derive(Clone, Debug, Serialize)]
pub struct OpenProgram {
    /// The name of the program.
    pub program: String,
    /// Its container in words, if it is in one.
    pub container: Option<String>,
    /// Its processes.
    pub pids: Vec<i32>,
    /// Ids of the databases that they have open, in the order of the report.
    pub databases: Vec<String>,
}

/// A database that a program has open.
#[derive(Clone, Debug, Serialize)]
pub struct OpenDatabase {
    /// Its name within the report: `D1`, `D2`, ...
    pub id: String,
    /// Its path as the program in [`OpenDatabase::seen_by`] sees it, else as the doctor does.
    pub path: String,
    /// The program in whose mount namespace the path counts, if not the doctor's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_by: Option<Viewpoint>,
    /// Whether something is wrong.
    pub state: DatabaseState,
    /// The mount that holds it, if that could be told.
    pub mount: Option<Mount>,
    /// The kernels that can reach it.
    pub reach: KernelReach,
    /// What was read of it, with the programs that have it open.
    pub database: Database,
    /// What follows, the gravest first.
    pub findings: Vec<Finding>,
    /// What of it was not examined, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_examined: Option<String>,
    /// The command that examines it closely.
    pub next: String,
}

/// Whether something is wrong with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseState {
    /// A finding says so.
    Endangered,
    /// Something of it could not be examined.
    NotExamined,
    /// Nothing wrong was seen. Nothing was measured.
    Healthy,
}

/// What was not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// Programs that may not be looked at: of other users, when not run as root, or as root without
    /// CAP_SYS_PTRACE, as in most containers.
    pub programs: u64,
    /// Of these, programs that hold a lock as SQLite takes it.
    pub programs_with_locks: u64,
    /// Open files that did not answer, or may not be read.
    pub files: u64,
}
