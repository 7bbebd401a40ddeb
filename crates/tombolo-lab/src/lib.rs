//! Real mounts for tests, and real kernels.
//!
//! In one kernel: file systems of its own, and one with faults on command, in a [`Namespace`] of
//! mounts on a RAM disk. Where no mount is needed, a [`Preload`] refuses chosen calls of a stock
//! program; [`runtimes`] records what each language says of such errors. Several kernels: a [`Lab`]
//! boots [`Guest`]s in QEMU, joins them by shares and networks, and breaks these on purpose.
//!
//! The lab shares no code with the programs it judges. When a test ends, however it ends, nothing
//! is left on the machine. A machine that lacks something (root, `/dev/fuse`, a `mkfs`, QEMU) gets
//! an error that says what, never a test that passes without having run.

mod agent;
mod child;
mod error;
mod faults;
mod faulty;
mod filling;
mod guest;
pub mod history;
mod hub;
mod imitations;
mod initramfs;
mod judge;
mod kernel;
mod lab;
mod local;
pub mod matrix;
mod namespace;
mod needs;
mod preload;
mod process;
mod protocol;
mod run;
pub mod runtimes;
mod server;
mod shares;
mod side;
mod stock;
mod workload;

pub use agent::agent;
pub use error::{GuestEnd, LabError};
pub use faults::{
    Creation, Delays, Faults, Gone, HardLinks, Holders, Kept, Listings, Locks, Maps, Operation,
    Pages, Replacement, Room, Sizes, Syncs, Unsynced, Writes,
};
pub use faulty::{FaultyMount, TwoMounts};
pub use filling::Filling;
pub use guest::{
    Guest, GuestCommand, GuestSpec, Link, Output, QemuShare, Running, SecurityModel, Status,
};
pub use imitations::Share;
pub use judge::{Charge, Integrity, Invariant, Verdict, judge};
pub use kernel::{Fetched, Kernel};
pub use lab::Lab;
pub use local::{Disk, Mounted};
pub use namespace::Namespace;
pub use needs::{Need, install_kernels, install_packages, install_virtiofsd, needs, virtiofsd};
/// What [`Preload::refuse`] answers with.
pub use nix::errno::Errno;
pub use preload::{Preload, Refused, Times};
pub use process::child::{become_child, guard};
pub use server::{Server, ServerSpec};
pub use shares::Rig;
pub use side::{Ended, Program, Side};
pub use stock::{Files, Shell, killed_in_wal_mode, sqlite};
pub use workload::{Answer, Incremented, Incrementing, Increments, Reply, Session, TABLES};
