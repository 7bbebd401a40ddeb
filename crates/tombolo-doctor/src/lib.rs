//! The doctor: experiments on a path, what they show, and the ways out.
//!
//! The stages, in the order in which a diagnosis runs through them:
//!
//! 1. [`topology`]: which kernel, which container, who else reaches the path.
//! 2. [`mount`]: the mount that holds it, and its row of the [`knowledge`] base.
//! 3. [`database`]: the files, read without SQLite and without locks.
//!    [`openers`] finds the programs that have them open.
//! 4. [`probe`]: experiments on scratch files beside it, in a child process.
//!    [`peer`]: the same together with doctors on other kernels.
//! 5. [`findings`] and [`verdict`]: conclusions with stable codes, and the table of verdicts.
//! 6. [`remedy`]: ways out, ranked for this machine.
//!
//! [`diagnosis`] runs them. [`explain`] goes the other way: from the text of an error to its
//! likely causes.
//! [`bundle`] is a report for strangers, without names and secrets; [`explain`] reads it back.
//! [`machine`] surveys every database that any running program has open. [`containers`] finds the
//! container whose view of the files is wanted.

pub mod bundle;
mod child;
pub mod containers;
pub mod database;
pub mod diagnosis;
pub mod explain;
pub mod findings;
pub mod knowledge;
pub mod machine;
pub mod mount;
pub mod openers;
pub mod peer;
pub mod probe;
pub mod remedy;
pub mod topology;
pub mod tune;
pub mod verdict;

/// Held for reading where a test uses SQLite in its own process, and for writing around a fork
/// whose child will use it. The doctor has one thread and no SQLite before such a fork; a test
/// harness has many of both, and the child would find SQLite's mutexes locked by threads that it
/// does not have.
#[cfg(test)]
pub(crate) static SQLITE_HERE: std::sync::RwLock<()> = std::sync::RwLock::new(());
