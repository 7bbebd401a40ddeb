//! Where socket and lock file of an owner are, and which databases are its own.

use super::ServeError;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use tombolo_core::wire::place;

/// The name of the lock file in the owner's directory.
const LOCK: &str = "lock";
/// The name of the directory of prepared transactions there.
const GROUPS: &str = "groups";

/// What is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// One database, which need not exist yet.
    Database(PathBuf),
    /// Every database below a directory.
    Directory(PathBuf),
}

impl Served {
    /// What a path means, without links in it.
    ///
    /// # Errors
    ///
    /// Where neither it nor its directory is there.
    pub fn of(path: &Path) -> Result<Self, ServeError> {
        let real = real_path(path).map_err(ServeError::io(path))?;
        Ok(if real.is_dir() { Served::Directory(real) } else { Served::Database(real) })
    }

    /// The directory of socket and lock file.
    pub(super) fn own_directory(&self) -> PathBuf {
        match self {
            Served::Database(path) => place::beside(path),
            Served::Directory(path) => place::within(path),
        }
    }

    /// Where its owner listens unless it is told otherwise.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.own_directory().join(place::SOCKET)
    }

    /// Where transactions over several databases are kept while they are under way.
    pub(super) fn groups(&self) -> Option<PathBuf> {
        match self {
            Served::Database(_) => None,
            Served::Directory(_) => Some(self.own_directory().join(GROUPS)),
        }
    }

    /// Makes the directory, and takes the lock for as long as the file is open.
    pub(super) fn take(&self) -> Result<File, ServeError> {
        let directory = self.own_directory();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&directory).map_err(ServeError::io(&directory))?;
        let path = directory.join(LOCK);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            // Who can open it can hold the lock.
            .mode(0o600)
            .open(&path)
            .map_err(ServeError::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(ServeError::ServedAlready(directory)),
            Err(TryLockError::Error(error)) => Err(ServeError::Io { path, error }),
        }
    }

    /// The database that a door means by a path; `None` where it is not served here. A relative
    /// one is told from the directory that both see, by whatever name the door has it.
    pub(super) fn database(&self, wanted: &[u8]) -> Option<PathBuf> {
        let wanted = Path::new(OsStr::from_bytes(wanted));
        let from = match self {
            Served::Database(path) => path.parent()?,
            Served::Directory(path) => path,
        };
        let wanted = real_path(&from.join(wanted)).ok()?;
        let is_ours = match self {
            Served::Database(path) => wanted == *path,
            Served::Directory(path) => wanted.starts_with(path) && wanted != *path,
        };
        is_ours.then_some(wanted)
    }
}

/// A path without links, of a file that need not exist in a directory that does.
fn real_path(path: &Path) -> std::io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let (parent, name) = (path.parent(), path.file_name());
            let Some(name) = name else { return Err(error) };
            let parent = parent.filter(|parent| !parent.as_os_str().is_empty());
            Ok(fs::canonicalize(parent.unwrap_or(Path::new(".")))?.join(name))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_served_is_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = fs::canonicalize(directory.path()).expect("real");
        fs::create_dir(root.join("sub")).expect("made");
        std::os::unix::fs::symlink(root.join("app.db"), root.join("link.db")).expect("linked");
        fs::write(root.join("app.db"), b"").expect("written");
        let one = Served::of(&root.join("app.db")).expect("there");
        let all = Served::of(&root).expect("there");
        let bytes = |name: &str| root.join(name).as_os_str().as_bytes().to_vec();
        assert_eq!(one.database(&bytes("app.db")), Some(root.join("app.db")));
        assert_eq!(one.database(&bytes("link.db")), Some(root.join("app.db")));
        assert_eq!(one.database(&bytes("other.db")), None);
        assert_eq!(all.database(&bytes("sub/new.db")), Some(root.join("sub/new.db")));
        assert_eq!(all.database(&bytes("none/new.db")), None);
        assert_eq!(all.database(b"/etc/passwd"), None);
        assert_eq!(one.database(b"app.db"), Some(root.join("app.db")));
        assert_eq!(one.database(b"other.db"), None);
        assert_eq!(all.database(b"app.db"), Some(root.join("app.db")));
        assert_eq!(all.database(b"sub/new.db"), Some(root.join("sub/new.db")));
        assert_eq!(all.database(b"../elsewhere.db"), None);
        assert_eq!(all.database(b""), None);
        assert_eq!(all.database(&bytes("")), None);
    }

    #[test]
    fn one_owner_at_a_time() {
        let directory = tempfile::tempdir().expect("a directory");
        let served = Served::of(&directory.path().join("app.db")).expect("a new one");
        let lock = served.take().expect("the first");
        assert!(matches!(served.take(), Err(ServeError::ServedAlready(_))));
        drop(lock);
        served.take().expect("after it");
    }
}
