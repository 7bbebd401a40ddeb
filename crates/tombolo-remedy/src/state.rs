//! The directory of a run: its record, saved originals, and copies to work on.
//!
//! It stands beside the file that is changed, a database or a configuration file, so that whoever
//! has lost track finds it there, and so that it is on the same file system. It decides which files
//! are written, perhaps by root, so nobody else may be able to write in it.

use crate::error::Error;
use crate::files::{self, sync_directory};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use tombolo_os::read::{self, Kind};

/// How its name begins.
pub const PREFIX: &str = ".tombolo-fix-";

/// A file that is changed, and the directory of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory that holds the file, free of symbolic links.
    pub directory: PathBuf,
    /// The name of the file in it.
    pub name: String,
}

impl Place {
    /// Where a file is.
    ///
    /// # Errors
    /// What the kernel said of the path, and [`Error::NotApplicable`] for a name that is not
    /// UTF-8: a record could not hold it.
    pub fn of(file: &Path) -> Result<Self, Error> {
        let whole =
            std::fs::canonicalize(file).map_err(|error| Error::call("realpath", file, &error))?;
        let parts = (whole.parent(), whole.file_name().and_then(|name| name.to_str()));
        let (Some(directory), Some(name)) = parts else {
            let text = format!("{} has no name that can be recorded", whole.display());
            return Err(Error::NotApplicable(text));
        };
        Ok(Place { directory: directory.to_owned(), name: name.to_owned() })
    }

    /// Where a file is, or was: a run that is recorded beside the name wins over where a link
    /// of this name leads.
    ///
    /// # Errors
    /// As [`Place::of`].
    pub fn find(file: &Path) -> Result<Self, Error> {
        let whole =
            std::path::absolute(file).map_err(|error| Error::call("getcwd", file, &error))?;
        if let (Some(parent), Some(name)) = (whole.parent(), whole.file_name())
            && let (Ok(directory), Some(name)) = (std::fs::canonicalize(parent), name.to_str())
        {
            let place = Place { directory, name: name.to_owned() };
            if std::fs::symlink_metadata(place.state()).is_ok() {
                return Ok(place);
            }
        }
        Place::of(file)
    }

    /// The file that is changed.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.directory.join(&self.name)
    }

    /// A file beside it, such as `-wal`.
    #[must_use]
    pub fn beside(&self, suffix: &str) -> PathBuf {
        files::beside(&self.target(), suffix)
    }

    /// The directory of its run.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.join(format!("{PREFIX}{}", self.name))
    }

    /// The record of its run.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.state().join("record")
    }

    /// Where a file is kept as it was.
    #[must_use]
    pub fn saved(&self, name: &str) -> PathBuf {
        self.state().join(format!("saved-{name}"))
    }

    /// Where a file is written before it gets its name.
    #[must_use]
    pub fn partial(&self) -> PathBuf {
        self.state().join("partial")
    }

    /// Where a copy is worked on.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.state().join("work.db")
    }

    /// Makes the directory of the run, or takes the one that is there.
    ///
    /// # Errors
    /// What the kernel said, and [`Error::Record`] when somebody else can write in it.
    pub fn prepare(&self) -> Result<(), Error> {
        let state = self.state();
        match DirBuilder::new().mode(0o700).create(&state) {
            Ok(()) => sync_directory(&self.directory)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::call("mkdir", &state, &error)),
        }
        self.trust()
    }

    /// Checks that nobody else can write in the directory of the run.
    ///
    /// # Errors
    /// As [`Place::prepare`].
    pub fn trust(&self) -> Result<(), Error> {
        let path = self.state();
        let status = read::status_of_name(&path)?;
        let own = rustix::process::geteuid().as_raw();
        let reason = if status.kind != Kind::Directory {
            "it is no directory"
        } else if status.uid != own {
            "it belongs to another user"
        } else if status.permissions & 0o022 != 0 {
            "other users can write in it"
        } else {
            return Ok(());
        };
        Err(Error::Record { path, reason: reason.to_owned() })
    }
}
