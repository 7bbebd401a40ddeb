//! The names by which an owner is found.

use std::path::{Path, PathBuf};

/// The name of an owner's socket in its directory.
pub const SOCKET: &str = "owner.sock";

/// The directory beside a database, of what belongs to its owner.
#[must_use]
pub fn beside(database: &Path) -> PathBuf {
    let mut directory = database.as_os_str().to_owned();
    directory.push("-tombolo");
    directory.into()
}

/// The same in a directory that is served as a whole.
#[must_use]
pub fn within(directory: &Path) -> PathBuf {
    directory.join(".tombolo")
}
