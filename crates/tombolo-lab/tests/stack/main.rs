//! The stack of the report that started the project, and what helps there.
//!
//! ZFS on the host, a directory of it given to a guest by QEMU's 9p with default options, a
//! container in the guest with that directory as a bind mount, and in it a media server with an
//! ordinary SQLite whose database is in WAL mode. Every layer is a real one.
//!
//! ```sh
//! cargo test -p tombolo-lab --test stack -- --include-ignored
//! TOMBOLO_LAB_KERNEL=6.1. cargo test -p tombolo-lab --test stack -- --include-ignored
//! ```

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tool.rs"]
mod tool_build;

mod app;
mod arrangements;
mod besides;
mod container;
mod dangers;
mod docker;
mod docker_engine;
mod doctor;
mod failure;
mod fix;
mod postgres;
mod rig;
mod server;
mod storage;
mod tool;
mod trace;
mod tune;
mod tune_network;
mod ways_out;
