//! What SQLite writes to disk, parsed without SQLite.

pub mod result_code;
