//! Finding a directory in which others wait.

use super::place::open_directory;
use super::{MEETING_PREFIX, Place};
use crate::error::CallError;
use rustix::io::Errno;
use std::path::Path;

/// The directory in `parent` in which others wait under `code`. The names are listed and none is
/// looked up that is not there, so that nothing remembers its absence. **Can block on a dead
/// mount.**
///
/// # Errors
///
/// `ENOENT` where there is none, or what the kernel said.
pub fn find(parent: &Path, code: &str) -> Result<Place, CallError> {
    let refused = |error: &std::io::Error| CallError::new("opendir", parent, error);
    let entries = std::fs::read_dir(parent).map_err(|error| refused(&error))?;
    let tail = format!("-{code}");
    let mut named = entries.filter_map(Result::ok).filter(|entry| {
        let name = entry.file_name();
        let name = name.to_str();
        name.is_some_and(|name| name.starts_with(MEETING_PREFIX) && name.ends_with(&tail))
    });
    let path = match named.next() {
        Some(entry) => entry.path(),
        None => {
            let name = parent.join(format!("{MEETING_PREFIX}*{tail}"));
            return Err(CallError::from_rustix("open", &name, Errno::NOENT));
        }
    };
    let refused = |call| move |errno: Errno| (call, errno);
    let status = open_directory(&path)
        .map_err(refused("open"))
        .and_then(|directory| rustix::fs::fstat(&directory).map_err(refused("fstat")));
    match status {
        Ok(status) => Ok(Place::new(path, &status)),
        Err((call, errno)) => Err(CallError::from_rustix(call, &path, errno)),
    }
}

/// Removes what is left of a meeting in the working directory, which is `place`, and then the
/// directory itself: for a side that is alone there. Answers whether it is gone.
#[must_use]
pub fn remove_here(place: &Place) -> bool {
    let Ok(held) = open_directory(Path::new(".")) else { return false };
    let same = rustix::fs::fstat(&held).is_ok_and(|status| place.is(&status));
    same && super::remove_patiently(place.path(), &held)
}
