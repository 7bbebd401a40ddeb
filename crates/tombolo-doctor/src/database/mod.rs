//! Stage: database.
