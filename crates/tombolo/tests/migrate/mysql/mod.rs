//! The same against MariaDB.

mod corners;
mod databases;
mod resume;
mod server;
mod values;
mod ways;
