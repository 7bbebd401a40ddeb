//! What a program's SQLite asked of the kernel: a file of records, and what they tell.
//!
//! [`record`] and [`layout`] are how the records are written: into a buffer that is given, without
//! allocation, because they are written in the middle of another program's system calls. [`read`]
//! is the way back, for bytes that anybody may have written. [`files`] and [`locking`] say which
//! calls are recorded, [`content`] what is kept of the bytes that they move. [`ladder`],
//! [`failure`] and [`summary`] are what follows from them, [`merge`] what follows from several
//! traces.

pub mod content;
pub mod failure;
pub mod files;
pub mod ladder;
pub mod layout;
pub mod locking;
pub mod merge;
pub mod read;
pub mod record;
pub mod summary;
mod wire;

/// Name and version of the JSON that `tombolo trace show --format json` prints.
pub const TRACE_SCHEMA: &str = "tombolo.trace/1";
