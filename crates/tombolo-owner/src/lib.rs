//! The owner: the one process that does all file I/O on a database.
//!
//! * [`engine`]: one database, by stock SQLite.
//! * [`server`]: connections in, replies out.

pub mod engine;
mod ffi;
pub mod server;
