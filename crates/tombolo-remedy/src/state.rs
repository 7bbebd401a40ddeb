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
    keeps: Keeps,
}

/// Where the directory of the run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeps {
    /// Beside the file.
    Beside,
    /// Beside the directory that holds the file, for a run that mounts another one over it.
    Above,
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
        Ok(Place::at(directory.to_owned(), name.to_owned()))
    }

    /// A name in a directory that is free of symbolic links.
    #[must_use]
    pub fn at(directory: PathBuf, name: String) -> Self {
        Place { directory, name, keeps: Keeps::Beside }
    }

    /// The same file, with the directory of the run beside the directory that holds the file: there
    /// it is seen also when another directory is mounted over that one. `None` for a file in `/`.
    #[must_use]
    pub fn above(&self) -> Option<Self> {
        self.directory.parent()?;
        self.directory.file_name()?.to_str()?;
        Some(Place { keeps: Keeps::Above, ..self.clone() })
    }

    /// The place of a run that is recorded above the directory of a file, if there is one.
    ///
    /// # Errors
    /// What the kernel said of the path.
    pub fn find_above(file: &Path) -> Result<Option<Self>, Error> {
        let places = Place::named(file)?.into_iter().chain(Place::of(file));
        let mut above = places.filter_map(|place| place.above());
        Ok(above.find(|place| std::fs::symlink_metadata(place.state()).is_ok()))
    }

    /// Where the path itself stands, wherever it may lead. `None` where that cannot be recorded.
    fn named(file: &Path) -> Result<Option<Self>, Error> {
        let whole =
            std::path::absolute(file).map_err(|error| Error::call("getcwd", file, &error))?;
        let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
            return Ok(None);
        };
        let (directory, name) = (std::fs::canonicalize(parent).ok(), name.to_str());
        Ok(directory.zip(name).map(|(directory, name)| Place::at(directory, name.to_owned())))
    }

    /// Where a file is, or was: a run that is recorded beside the name wins over where a link
    /// of this name leads.
    ///
    /// # Errors
    /// As [`Place::of`].
    pub fn find(file: &Path) -> Result<Self, Error> {
        let named = Place::named(file)?;
        let recorded = named.filter(|place| std::fs::symlink_metadata(place.state()).is_ok());
        recorded.map_or_else(|| Place::of(file), Ok)
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
        match self.keeps {
            Keeps::Beside => self.keeper().join(format!("{PREFIX}{}", self.name)),
            Keeps::Above => {
                let directory = self.directory.file_name().unwrap_or_default().to_string_lossy();
                self.keeper().join(format!("{PREFIX}{directory}:{}", self.name))
            }
        }
    }

    /// Whether a run of this file is recorded beside it.
    pub(crate) fn is_recorded_beside(&self) -> bool {
        let beside = Place { keeps: Keeps::Beside, ..self.clone() };
        std::fs::symlink_metadata(beside.state()).is_ok()
    }

    /// The directory that holds the directory of the run.
    pub(crate) fn keeper(&self) -> &Path {
        match self.keeps {
            Keeps::Beside => &self.directory,
            Keeps::Above => self.directory.parent().unwrap_or(&self.directory),
        }
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
            Ok(()) => sync_directory(self.keeper())?,
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
