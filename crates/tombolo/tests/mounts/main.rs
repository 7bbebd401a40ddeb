//! The whole doctor on real mounts, each with the verdict that it must give.
//!
//! On each mount a user's program works on a database; the doctor looks at it through the mount,
//! and must leave bytes and times as they were. These tests need root, loop devices and
//! `/dev/fuse`, and fail where they cannot run.

mod exclusive;
mod extension;
mod faulty;
mod fix;
mod hung;
mod local;
mod nested;
mod node;
mod peers;
mod php;
mod report;
mod rig;
#[path = "../common/sides.rs"]
mod sides;
mod simplify;
mod spellings;
mod syscalls;
mod together;
mod trace;
mod tune;
