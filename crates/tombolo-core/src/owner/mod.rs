//! The owner of a database, without files, sockets and threads.
//!
//! * [`engine`]: what is asked of stock SQLite.
//! * [`limits`]: how much an owner allows.
//! * [`buffer`]: what sessions have written and not committed.
//! * [`machine`]: sessions, snapshots, the turn, and what is answered when.
//! * [`status`]: what it tells of itself.

pub mod buffer;
pub mod engine;
mod fairness;
pub mod limits;
pub mod machine;
#[cfg(test)]
mod model;
mod outcomes;
#[cfg(test)]
mod rules;
mod shown;
#[cfg(test)]
mod simulation;
pub mod status;
mod turn;

/// A connection of a door, counted by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);
