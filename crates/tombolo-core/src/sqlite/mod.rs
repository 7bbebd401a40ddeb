//! What SQLite writes to disk, parsed without SQLite.
