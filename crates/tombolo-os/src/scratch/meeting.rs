//! Finding a directory in which others wait.

use super::place::{OWNER_FILE, file_made_in, open_directory};
use super::{MEETING_PREFIX, Place};
use crate::error::CallError;
use crate::worker::pause;
use crate::{kernel, user};
use rustix::fs::CWD;
use rustix::io::Errno as RawErrno;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;

/// Between two looks for a name that has not appeared yet.
const PAUSE: Duration = Duration::from_millis(200);

/// Why nobody is met.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotMet {
    /// `ENOENT` where the directory is not there, or what else the kernel said.
    #[error(transparent)]
    Refused(#[from] CallError),
    /// The directory belongs to another user. Who works in it trusts its owner: links can be made
    /// there that lead a write elsewhere. And what is made there the owner could not open.
    #[error("{path} belongs to user {owner}, and what this side makes there to user {own}")]
    OtherUser {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose a file is that this side makes there; if it can make none, who it runs as.
        own: u32,
    },
}

impl NotMet {
    /// What the kernel said, or would have.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            NotMet::Refused(error) => error.errno,
            NotMet::OtherUser { .. } => Errno::EACCES,
        }
    }
}

/// The directory in `parent` in which others wait under `code`. The names are listed until it
/// appears or the deadline passes, and none is looked up that is not there, so that nothing
/// remembers its absence. **Can block on a dead mount.**
///
/// # Errors
/// See [`NotMet`].
pub fn find(parent: &Path, code: &str, deadline: Instant) -> Result<Place, NotMet> {
    loop {
        if let Some(path) = listed(parent, code)? {
            return open(path);
        }
        if !wait(deadline) {
            let name = parent.join(format!("{MEETING_PREFIX}*-{code}"));
            return Err(CallError::from_rustix("open", &name, RawErrno::NOENT).into());
        }
    }
}

/// The same, by a name that another side has told and that need not be in any listing.
///
/// # Errors
/// See [`NotMet`]; `EINVAL` for a name that is none of such a directory.
pub fn find_named(
    parent: &Path,
    name: &str,
    code: &str,
    deadline: Instant,
) -> Result<Place, NotMet> {
    let path = parent.join(name);
    if name.contains('/') || !is_meeting(name, code) {
        return Err(CallError::from_rustix("open", &path, RawErrno::INVAL).into());
    }
    loop {
        match open(path.clone()) {
            Err(NotMet::Refused(error)) if error.errno == Errno::ENOENT && wait(deadline) => {}
            other => return other,
        }
    }
}

fn is_meeting(name: &str, code: &str) -> bool {
    let rest = name.strip_prefix(MEETING_PREFIX).and_then(|rest| rest.strip_suffix(code));
    rest.is_some_and(|rest| rest.ends_with('-'))
}

fn listed(parent: &Path, code: &str) -> Result<Option<PathBuf>, CallError> {
    let refused = |error: std::io::Error| CallError::new("opendir", parent, &error);
    let entries = std::fs::read_dir(parent).map_err(refused)?;
    let named = entries
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_str().is_some_and(|name| is_meeting(name, code)));
    Ok(named.map(|entry| entry.path()))
}

/// Answers whether there is time left.
fn wait(deadline: Instant) -> bool {
    let go_on = Instant::now() < deadline && !crate::signal::stop_wanted();
    if go_on {
        pause(PAUSE);
    }
    go_on
}

fn open(path: PathBuf) -> Result<Place, NotMet> {
    let refused = |call| {
        let path = path.clone();
        move |errno| CallError::from_rustix(call, &path, errno)
    };
    let directory = match open_directory(&path) {
        Ok(directory) => directory,
        Err(errno @ (RawErrno::ACCESS | RawErrno::PERM)) => {
            let error = refused("open")(errno);
            return Err(match rustix::fs::lstat(&path) {
                Ok(status) => {
                    NotMet::OtherUser { path: path.clone(), owner: status.st_uid, own: user::own() }
                }
                Err(_) => error.into(),
            });
        }
        Err(errno) => return Err(refused("open")(errno).into()),
    };
    let status = rustix::fs::fstat(&directory).map_err(refused("fstat"))?;
    Ok(Place::new(path, &status))
}

/// Makes the place the working directory, if what this side makes there belongs to the owner of the
/// place. Numbers are not compared with those of this process, because a share may map them.
/// **Can block on a dead mount.**
///
/// # Errors
/// See [`NotMet`].
pub fn enter(place: &Place) -> Result<(), NotMet> {
    let path = place.path();
    place.enter()?;
    let refused = |call| move |errno| CallError::from_rustix(call, path, errno);
    let directory = open_directory(Path::new(".")).map_err(refused("open"))?;
    let owner = rustix::fs::fstat(&directory).map_err(refused("fstat"))?.st_uid;
    let name = format!("{OWNER_FILE}.{:016x}", kernel::random_bits());
    let own = match file_made_in(CWD, &name) {
        Ok(file) => file.map(|file| file.st_uid).filter(|own| *own != owner),
        Err(RawErrno::ACCESS | RawErrno::PERM) => Some(user::own()),
        // Where nothing can be made at all, the experiments will say so.
        Err(_) => None,
    };
    own.map_or(Ok(()), |own| Err(NotMet::OtherUser { path: path.to_owned(), owner, own }))
}

/// Removes what is left of a meeting in the working directory, which is `place`, and then the
/// directory itself: for a side that is alone there. Answers whether it is gone.
#[must_use]
pub fn remove_here(place: &Place) -> bool {
    let Ok(held) = open_directory(Path::new(".")) else { return false };
    let same = rustix::fs::fstat(&held).is_ok_and(|status| place.is(&status));
    same && super::remove_patiently(place.path(), &held)
}
