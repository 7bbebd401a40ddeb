//! What stands at a path, and in which directory experiments tell about it.
//!
//! Experiments in any other directory would be about another mount: above a mount whose server is
//! gone stands a healthy disk.

use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;
use tombolo_core::report::TargetKind;
use tombolo_core::sqlite::header::{HEADER_BYTES, is_sqlite_header};
use tombolo_os::error::CallError;
use tombolo_os::read::{self, Kind, ReadError, Status};

/// As many links as the kernel follows in one path (`path_resolution(7)`).
const LINKS_MAX: u32 = 40;

/// The answer.
pub(super) struct Place {
    pub(super) kind: TargetKind,
    /// The path without symbolic links.
    pub(super) resolved: PathBuf,
    /// Where the sidecars of a database stand or would stand; for a path whose directory is not
    /// there yet, the nearest ancestor that is. `None` where none can be told.
    pub(super) directory: Option<PathBuf>,
    /// The call that kept us from telling more.
    pub(super) refused: Option<CallError>,
}

impl Place {
    /// The directory that SQLite would need and not make, if it is not there.
    pub(super) fn missing_directory(&self) -> Option<&Path> {
        let parent = self.resolved.parent().filter(|_| self.kind == TargetKind::Absent)?;
        (self.directory.as_deref() != Some(parent)).then_some(parent)
    }
}

/// Looks. Only what the kernel says is not there is absent; whatever else it refuses is an answer
/// of its own, and keeps its error number.
pub(super) fn stand_at(path: &Path) -> Place {
    let refused = |refused, resolved: &Path, directory| Place {
        kind: TargetKind::Unreadable,
        resolved: resolved.to_owned(),
        directory,
        refused: Some(refused),
    };
    let resolved = match real_path(path) {
        Ok(resolved) => resolved,
        Err(error) if !is_absence(error.errno) => return refused(error, path, None),
        Err(_) => {
            return match to_come(path, LINKS_MAX) {
                Ok(resolved) => {
                    let directory = resolved.ancestors().skip(1).find(|path| path.is_dir());
                    let directory = directory.map(Path::to_owned);
                    Place { kind: TargetKind::Absent, directory, resolved, refused: None }
                }
                Err(error) => refused(error, path, None),
            };
        }
    };
    let status = match read::status(&resolved) {
        Ok(status) => status,
        // It may be a mount point, and what is above it another mount.
        Err(error) => return refused(error, &resolved, None),
    };
    let directory = match status.kind {
        Kind::Directory => Some(resolved.clone()),
        _ => resolved.parent().filter(|parent| parent.is_dir()).map(Path::to_owned),
    };
    match kind_of(&resolved, &status) {
        Ok(kind) => Place { kind, directory, resolved, refused: None },
        Err(error) => refused(error, &resolved, directory),
    }
}

/// Where a path that leads nowhere will stand once it is made: with the links in it followed.
fn to_come(path: &Path, links_left: u32) -> Result<PathBuf, CallError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(path.to_owned());
    };
    match std::fs::read_link(path) {
        Ok(_) if links_left == 0 => {
            let error = std::io::Error::from_raw_os_error(Errno::ELOOP.raw());
            Err(CallError::new("readlink", path, &error))
        }
        Ok(target) => {
            let path = parent.join(target);
            real_path(&path).or_else(|_| to_come(&path, links_left - 1))
        }
        Err(_) => {
            let parent = match real_path(parent) {
                Err(error) if is_absence(error.errno) => to_come(parent, links_left)?,
                other => other?,
            };
            Ok(parent.join(name))
        }
    }
}

fn real_path(path: &Path) -> Result<PathBuf, CallError> {
    path.canonicalize().map_err(|error| CallError::new("realpath", path, &error))
}

fn is_absence(errno: Errno) -> bool {
    matches!(errno, Errno::ENOENT | Errno::ENOTDIR)
}

fn kind_of(resolved: &Path, status: &Status) -> Result<TargetKind, CallError> {
    Ok(match status.kind {
        Kind::Directory => TargetKind::Directory,
        Kind::Regular if status.size_bytes == 0 => TargetKind::EmptyFile,
        Kind::Regular => match read::open(resolved) {
            Ok(file) if is_sqlite_header(&file.bytes_at(0, HEADER_BYTES)?) => TargetKind::Database,
            Ok(_) | Err(ReadError::NotRegular { .. }) => TargetKind::OtherFile,
            Err(ReadError::Call(refused)) => return Err(refused),
            Err(_) => TargetKind::Unreadable,
        },
        Kind::SymbolicLink | Kind::Special => TargetKind::OtherFile,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A directory without symbolic links in its own path.
    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().canonicalize().expect("resolved");
        (directory, path)
    }

    #[test]
    fn what_is_not_there_yet_is_placed_through_the_links_that_lead_to_it() {
        let (_guard, at) = directory();
        let there = at.join("there");
        std::fs::create_dir(&there).expect("made");
        symlink("there", at.join("link")).expect("linked");
        symlink("link/app.db", at.join("file-link")).expect("linked");
        symlink("file-link", at.join("chain")).expect("linked");
        for (path, resolved) in [
            ("there/app.db", "there/app.db"),
            ("link/app.db", "there/app.db"),
            ("link/new/deep/app.db", "there/new/deep/app.db"),
            ("file-link", "there/app.db"),
            ("chain", "there/app.db"),
        ] {
            let place = stand_at(&at.join(path));
            assert_eq!(place.kind, TargetKind::Absent, "{path}");
            assert_eq!(place.resolved, at.join(resolved), "{path}");
            assert_eq!(place.directory.as_ref(), Some(&there), "{path}");
            let deep = at.join("there/new/deep");
            let missing = path.ends_with("deep/app.db").then_some(deep.as_path());
            assert_eq!(place.missing_directory(), missing, "{path}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_followed_has_no_directory() {
        let (_guard, at) = directory();
        symlink("loop", at.join("loop")).expect("linked");
        for path in ["loop", "loop/app.db"] {
            let place = stand_at(&at.join(path));
            assert_eq!((place.kind, place.directory), (TargetKind::Unreadable, None));
            assert_eq!(place.refused.map(|refused| refused.errno), Some(Errno::ELOOP));
        }
    }
}
