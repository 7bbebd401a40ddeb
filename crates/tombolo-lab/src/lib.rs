//! Real mounts for tests: file systems of the kernel, and one with faults on command. Where no
//! mount is needed, a [`Preload`] refuses chosen calls of a stock program; [`runtimes`] records
//! what each language says of such errors.
//!
//! The lab shares no code with the programs it judges. What it makes lives in a [`Namespace`] of
//! mounts of its own, on a RAM disk: when the test ends, however it ends, nothing is left on the
//! machine. A machine that lacks something (root, `/dev/fuse`, a `mkfs`) gets an error that says
//! what, never a test that passes without having run.

mod child;
mod error;
mod faults;
mod faulty;
mod judge;
mod local;
mod namespace;
mod preload;
pub mod runtimes;
mod share;
mod stock;
mod workload;

pub use error::LabError;
pub use faults::{
    Creation, Delays, Faults, Gone, HardLinks, Holders, Kept, Locks, Maps, Operation, Pages,
    Replacement, Room, Sizes, Syncs, Unsynced, Writes,
};
pub use faulty::{FaultyMount, TwoMounts};
pub use judge::{Charge, Integrity, Invariant, Verdict, judge};
pub use local::{Disk, Mounted};
pub use namespace::Namespace;
pub use preload::{Preload, Refused, Times};
pub use share::Share;
pub use stock::{Shell, sqlite};
pub use workload::{Answer, Incremented, Incrementing, Increments, Session, TABLES};
