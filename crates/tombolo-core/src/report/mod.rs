//! The words of a diagnosis.
//!
//! A *probe* is an experiment, its recorded result is [`Evidence`], a conclusion with a stable code
//! is a [`Finding`], the answer for one way of using SQLite is a [`Verdict`], a way out is a
//! [`Remedy`]. Each later word cites the earlier ones by [`EvidenceId`], so that no conclusion
//! stands alone.

mod database;
mod evidence;
mod finding;
mod machine;
mod mount;
mod remedy;
mod target;
mod topology;
mod verdict;

pub use database::*;
pub use evidence::*;
pub use finding::*;
pub use machine::*;
pub use mount::*;
pub use remedy::*;
pub use target::*;
pub use topology::*;
pub use verdict::*;

use serde::Serialize;

/// Name and version of the JSON that `tombolo doctor --format json` prints for one path.
///
/// The number grows when a field goes away or changes its meaning; new fields do not move it.
pub const DOCTOR_SCHEMA: &str = "tombolo.doctor/1";

/// The same for several paths: an object with `schema` and `reports`.
pub const DOCTOR_SET_SCHEMA: &str = "tombolo.doctor-set/1";

/// Everything the doctor has to say about one path.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Always [`DOCTOR_SCHEMA`].
    pub schema: &'static str,
    /// One sentence: what is wrong, where, and the first thing to do.
    pub summary: String,
    /// How complete the examination was.
    pub completeness: Completeness,
    /// What was asked about.
    pub target: Target,
    /// Which kernels can reach it.
    pub topology: Topology,
    /// The mount that holds it; `None` when the mount table could not be read.
    pub mount: Option<Mount>,
    /// The database file, when the target is one.
    pub database: Option<Database>,
    /// The databases found below the target, when it is a directory.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
    /// What was measured and observed.
    pub evidence: Vec<Evidence>,
    /// What follows from it, the gravest first.
    pub findings: Vec<Finding>,
    /// For each way of using SQLite here: safe or not.
    pub verdicts: Vec<Verdict>,
    /// Ways out, best first.
    pub remedies: Vec<Remedy>,
    /// Advice that is passed around for such cases and loses data.
    pub warnings: Vec<Warning>,
    /// Reports of other mounts below a directory that hold databases.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nested: Vec<Report>,
}

/// How much of what should be looked at was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Completeness {
    /// Every stage ran.
    Complete,
    /// Something could not be examined; what, and why.
    Partial {
        /// One sentence for each thing not examined.
        missing: Vec<String>,
    },
}
