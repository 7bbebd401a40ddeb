//! A directory that is shown in the place of another one: a bind mount, mount(8).

use crate::error::CallError;
use crate::private_mount;
use crate::worker::{self, End};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxAttributes, StatxFlags};
use rustix::mount::UnmountFlags;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;

/// How long a mount that nobody else sees may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls that can fail, by their number in a message.
const CALLS: [&str; 6] = ["unshare", "mount", "openat2", "lstat", "statx", "umount2"];

/// What came of a mount that nobody else saw.
#[derive(Clone, Debug)]
pub enum Trial {
    /// It showed the directory.
    Works,
    /// The kernel refused it: `EPERM` without the right to mount.
    Refused(CallError),
    /// It was mounted, and something else was shown.
    ShowsAnother,
    /// It did not come to an end by itself.
    NotKnown(End),
}

/// Whether `over` shows the very directory `from`.
///
/// # Errors
/// What `lstat` said of either.
pub fn is_bound(from: &Path, over: &Path) -> Result<bool, CallError> {
    let numbers = |path: &Path| {
        let found = rustix::fs::lstat(path);
        found
            .map(|status| (status.st_dev, status.st_ino))
            .map_err(|errno| CallError::from_rustix("lstat", path, errno))
    };
    Ok(numbers(from)? == numbers(over)?)
}

/// Whether something is mounted at a path. Before Linux 5.8, a directory that is mounted over one
/// of the same file system is not told from it.
///
/// # Errors
/// What `statx` said.
pub fn is_mount_point(path: &Path) -> Result<bool, CallError> {
    let look = |path: &Path| {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        rustix::fs::statx(CWD, path, flags, StatxFlags::BASIC_STATS)
            .map_err(|errno| CallError::from_rustix("statx", path, errno))
    };
    let found = look(path)?;
    if found.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT) {
        return Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT));
    }
    let Some(parent) = path.parent() else { return Ok(true) };
    let above = look(parent)?;
    Ok((found.stx_dev_major, found.stx_dev_minor) != (above.stx_dev_major, above.stx_dev_minor))
}

/// Shows the directory `from` in the place of `over`. Neither path may lead through a symbolic
/// link: whoever can put one there would choose what is hidden.
///
/// # Errors
/// What the kernel said: `ELOOP` for a link, `EPERM` without the right to mount.
pub fn bind(from: &Path, over: &Path) -> Result<(), CallError> {
    let (source, target) = (open(from)?, open(over)?);
    rustix::mount::mount_bind(name(&source), name(&target))
        .map_err(|errno| CallError::from_rustix("mount", over, errno))
}

/// Takes the topmost mount at a directory away.
///
/// # Errors
/// What `umount2` said: `EBUSY` while a program works in it.
pub fn unbind(over: &Path) -> Result<(), CallError> {
    rustix::mount::unmount(over, UnmountFlags::NOFOLLOW)
        .map_err(|errno| CallError::from_rustix("umount2", over, errno))
}

/// Tries [`bind`] where no other program sees it.
///
/// # Errors
/// When no pipe or no process can be had.
pub fn attempt(from: &Path, over: &Path) -> Result<Trial, CallError> {
    let body = |outbox: &mut worker::Outbox| {
        let tried = private_mount::enter().and_then(|()| bind(from, over));
        let word = match tried.and_then(|()| is_bound(from, over)) {
            Ok(shown) => [u8::MAX, u8::from(shown), 0, 0, 0],
            Err(error) => {
                let call = CALLS.iter().position(|call| *call == error.call);
                let [a, b, c, d] = error.errno.raw().to_le_bytes();
                [call.and_then(|place| u8::try_from(place).ok()).unwrap_or(1), a, b, c, d]
            }
        };
        outbox.send(&word);
    };
    let mut trial = None;
    let end = worker::run(Instant::now() + PATIENCE, body, &mut |word| {
        trial = heard(word, over);
    })?;
    Ok(trial.unwrap_or(Trial::NotKnown(end)))
}

fn heard(word: &[u8], over: &Path) -> Option<Trial> {
    let [call, errno @ ..] = word else { return None };
    let errno = i32::from_le_bytes(errno.try_into().ok()?);
    if *call == u8::MAX {
        return Some(if errno == 1 { Trial::Works } else { Trial::ShowsAnother });
    }
    let call = CALLS.get(usize::from(*call)).copied()?;
    let errno = Errno::from_raw(errno);
    Some(Trial::Refused(CallError { call, path: over.to_owned(), errno }))
}

fn open(directory: &Path) -> Result<OwnedFd, CallError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let links = ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(CWD, directory, flags, Mode::empty(), links)
        .map_err(|errno| CallError::from_rustix("openat2", directory, errno))
}

fn name(directory: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", directory.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `body` where its mounts reach nobody else, and says what it has said.
    fn alone(body: impl FnOnce() -> String) -> String {
        assert!(rustix::process::geteuid().is_root(), "mounting takes root");
        let mut said = String::new();
        let within = |outbox: &mut worker::Outbox| {
            private_mount::enter().unwrap();
            outbox.send(body().as_bytes());
        };
        let end = worker::run(Instant::now() + PATIENCE, within, &mut |word| {
            said = String::from_utf8_lossy(word).into_owned();
        });
        assert!(matches!(end, Ok(End::Finished)), "{end:?}");
        said
    }

    #[test]
    fn a_directory_is_shown_and_taken_away_again() {
        let place = tempfile::tempdir().unwrap();
        let [from, over] = ["from", "over"].map(|name| place.path().join(name));
        for directory in [&from, &over] {
            std::fs::create_dir(directory).unwrap();
        }
        std::fs::write(from.join("here"), "").unwrap();
        let states = alone(|| {
            let state = || {
                let shown = (is_bound(&from, &over).unwrap(), is_mount_point(&over).unwrap());
                format!("{shown:?} {};", over.join("here").exists())
            };
            let mut states = state();
            assert!(matches!(attempt(&from, &over), Ok(Trial::Works)));
            states += &state();
            bind(&from, &over).unwrap();
            states += &state();
            let busy = std::fs::File::open(over.join("here")).unwrap();
            states += &format!("{};", unbind(&over).unwrap_err().errno);
            drop(busy);
            unbind(&over).unwrap();
            states + &state()
        });
        let without = "(false, false) false;";
        let [busy, with] = ["EBUSY", "(true, true) true;"];
        assert!(states.starts_with(&format!("{without}{without}{with}")), "{states}");
        assert!(states.contains(busy) && states.ends_with(without), "{states}");
    }

    #[test]
    fn no_link_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let [from, link] = ["from", "link"].map(|name| place.path().join(name));
        std::fs::create_dir(&from).unwrap();
        std::os::unix::fs::symlink("/var", &link).unwrap();
        for over in [link.clone(), link.join("tmp")] {
            let refused = match attempt(&from, &over) {
                Ok(Trial::Refused(error)) => error,
                other => panic!("{other:?}"),
            };
            assert_eq!((refused.call, refused.errno), ("openat2", Errno::ELOOP));
        }
    }
}
