//! Stories of guests that pause, die or lie, each with its judge.
//!
//! ```sh
//! cargo test -p tombolo-lab --test scenarios -- --include-ignored
//! TOMBOLO_LAB_SEED=7 cargo test -p tombolo-lab --test scenarios -- --include-ignored
//! ```

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/tool.rs"]
mod tool_build;

mod canary;
mod crash;
mod full;
mod kill;
mod owner;
mod pause;
mod share;
