//! The same against MariaDB.

mod corners;
mod databases;
mod resume;
pub(crate) mod server;
mod values;
mod ways;
