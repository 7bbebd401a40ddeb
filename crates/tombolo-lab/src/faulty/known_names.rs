//! The names that a mount has looked up or made, which outlive what its kernel remembers of them.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::sync::{Mutex, PoisonError};

/// Names, each with the inode number of its directory.
#[derive(Debug, Default)]
pub(super) struct KnownNames {
    names: Mutex<HashSet<(u64, OsString)>>,
}

impl KnownNames {
    pub(super) fn add(&self, directory: u64, name: &OsStr) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert((directory, name.to_owned()));
    }

    pub(super) fn has(&self, directory: u64, name: &OsStr) -> bool {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.contains(&(directory, name.to_owned()))
    }
}
