//! The only crate of Tombolo that talks to the kernel.
//!
//! * [`worker`]: child processes that can be abandoned when a mount hangs.
//! * [`scratch`]: hidden directories for experiments beside a user's file.
//! * [`lock`] and [`map`]: the calls that SQLite lives by, with their error numbers kept.
//! * [`mount_table`]: the mounts, and which of them holds a path.
//! * [`signal`]: whether the user asked us to stop.

pub mod error;
pub mod lock;
pub mod map;
pub mod mount_table;
pub mod scratch;
pub mod signal;
pub mod worker;
