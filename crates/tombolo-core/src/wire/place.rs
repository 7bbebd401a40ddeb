//! The names by which an owner is found.

use std::path::{Path, PathBuf};

/// The name of an owner's socket in its directory.
pub const SOCKET: &str = "owner.sock";
/// The name of the file in that directory that lets doors in over a network.
pub const CREDENTIALS: &str = "credentials";
/// The name of the file with the keys of the owner.
pub const OWNER_KEYS: &str = "owner.key";

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
