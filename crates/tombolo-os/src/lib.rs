//! The only crate of Tombolo that talks to the kernel.
//!
//! * [`worker`]: child processes that can be abandoned when a mount hangs.
//! * [`scratch`]: hidden directories for experiments beside a user's file.
//! * [`lock`] and [`map`]: the calls that SQLite lives by, with their error numbers kept.
//! * [`descriptors`]: how many this process may have.
//! * [`hand`] and [`mailbox`]: what doctors on several kernels do and say, in a scratch directory.
//! * [`tcp`]: the same messages over a network.
//! * [`socket`]: connections between doors and owners.
//! * [`medium`]: whether a file lies in memory, or on an SMB share.
//! * [`mount_table`]: the mounts, and which of them holds a path.
//! * [`read`] and [`walk`]: looking at a user's files without leaving a trace.
//! * [`kernel`]: the running kernel, and the signs of what it runs on.
//! * [`container`]: the signs of a container, and the way from its name to a process.
//! * [`namespace`]: seeing files as another process does.
//! * [`private_mount`]: a mount that nobody else sees.
//! * [`bind_mount`]: a directory in the place of another one.
//! * [`ptrace`]: the system calls of a program and of all that it starts.
//! * [`process`]: running processes and the files that they have open.
//! * [`random`]: random bytes.
//! * [`private_file`]: files that hold secrets.
//! * [`unnamed`]: files without a name.
//! * [`user`]: names of users.
//! * [`signal`]: whether the user asked us to stop.

pub mod bind_mount;
mod bounded;
pub mod container;
pub mod descriptors;
pub mod error;
pub mod hand;
pub mod kernel;
pub mod lock;
pub mod mailbox;
pub mod map;
pub mod medium;
pub mod mount_table;
pub mod namespace;
pub mod network;
pub mod private_file;
pub mod private_mount;
pub mod process;
pub mod ptrace;
pub mod random;
pub mod read;
pub mod scratch;
pub mod signal;
pub mod socket;
pub mod tcp;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod unnamed;
pub mod user;
pub mod walk;
pub mod worker;
