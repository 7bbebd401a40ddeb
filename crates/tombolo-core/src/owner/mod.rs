//! The owner of a database, without files, sockets and threads.
//!
//! * [`engine`]: what is asked of stock SQLite.

pub mod engine;
