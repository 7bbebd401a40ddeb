//! Hidden directories for experiments beside a user's file.
//!
//! A scratch directory is flat, belongs to one run of one process, and is held by `flock` while
//! that process lives. So a later run on the same kernel can tell a directory that was left by a
//! killed one, and removes it; what another kernel left is touched only when it is a day old.

use crate::error::CallError;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PREFIX: &str = ".tombolo-probe-";

/// After this time a directory of another kernel is taken to be abandoned.
const FOREIGN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Most entries that are removed from one directory, and most directories looked at by a sweep.
const ENTRIES_MAX: usize = 4096;

/// A fresh directory; removed, with the files in it, when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _held: OwnedFd,
}

impl Scratch {
    /// Makes one in `parent`, readable by the caller's user alone.
    ///
    /// # Errors
    /// What `mkdir` or `open` said: a read-only or full file system, missing permission.
    pub fn new(parent: &Path) -> Result<Self, CallError> {
        for _ in 0..16 {
            let mut random = [0_u8; 8];
            let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
            let pid = rustix::process::getpid().as_raw_nonzero();
            let tail = u64::from_le_bytes(random);
            let path = parent.join(format!("{PREFIX}{}-{pid}-{tail:016x}", boot_tag()));
            match rustix::fs::mkdir(&path, Mode::RWXU) {
                Ok(()) => return hold(path),
                Err(rustix::io::Errno::EXIST) => {}
                Err(errno) => return Err(CallError::from_rustix("mkdir", &path, errno)),
            }
        }
        Err(CallError::from_rustix("mkdir", parent, rustix::io::Errno::EXIST))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn hold(path: PathBuf) -> Result<Scratch, CallError> {
    let opened = open_directory(&path);
    let held = opened.map_err(|errno| CallError::from_rustix("open", &path, errno))?;
    match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
        // A sweep came between mkdir and flock and is removing the directory.
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(CallError::from_rustix("flock", &path, rustix::io::Errno::WOULDBLOCK))
        }
        // Where flock is refused, no sweep of this kernel removes the directory either.
        Ok(()) | Err(_) => Ok(Scratch { path, _held: held }),
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = remove(&self.path);
    }
}

fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Removes what killed runs left in `parent`; answers how many directories went.
#[must_use]
pub fn sweep(parent: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(parent) else { return 0 };
    let named = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)));
    let abandoned = named.take(ENTRIES_MAX).filter(|entry| is_abandoned(&entry.path()));
    abandoned.filter(|entry| remove(&entry.path())).count()
}

fn is_abandoned(path: &Path) -> bool {
    let Ok(directory) = open_directory(path) else { return false };
    let Ok(status) = rustix::fs::fstat(&directory) else { return false };
    if status.st_uid != rustix::process::geteuid().as_raw() {
        return false;
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with(&format!("{PREFIX}{}-", boot_tag())) && boot_tag() != UNKNOWN_BOOT {
        return rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive).is_ok();
    }
    let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(status.st_mtime).unwrap_or(0));
    SystemTime::now().duration_since(changed).is_ok_and(|age| age > FOREIGN_AGE)
}

/// Removes the plain files of a scratch directory, then the directory. Never follows a link, never
/// goes deeper: anything else in it was not ours, and stays. Answers whether the directory is gone.
fn remove(path: &Path) -> bool {
    if let Ok(directory) = open_directory(path) {
        for name in plain_files(&directory) {
            let _ = rustix::fs::unlinkat(&directory, &name, AtFlags::empty());
        }
    }
    rustix::fs::rmdir(path).is_ok()
}

fn plain_files(directory: &OwnedFd) -> Vec<CString> {
    let Ok(entries) = rustix::fs::Dir::read_from(directory) else { return Vec::new() };
    let entries = entries.filter_map(Result::ok).take(ENTRIES_MAX);
    let plain = entries.filter(|entry| !matches!(entry.file_type(), FileType::Directory));
    plain.map(|entry| entry.file_name().to_owned()).collect()
}

const UNKNOWN_BOOT: &str = "00000000";

/// The first eight digits of the boot id, which tell this kernel's directories from others'.
fn boot_tag() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let tag: String = id.chars().take(8).filter(char::is_ascii_hexdigit).collect();
    if tag.len() == 8 { tag } else { UNKNOWN_BOOT.to_owned() }
}

/// Creates a new file in a scratch directory, readable and writable.
///
/// # Errors
/// What `open` said.
pub fn create(path: &Path) -> Result<File, CallError> {
    let options = File::options().read(true).write(true).create_new(true).open(path);
    options.map_err(|error| CallError::new("open", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_removed_with_its_files_and_a_live_one_is_never_swept() {
        let parent = tempfile::tempdir().expect("a directory");
        let scratch = Scratch::new(parent.path()).expect("a scratch directory");
        create(&scratch.path().join("file")).expect("a file");
        assert_eq!(sweep(parent.path()), 0);
        assert!(scratch.path().join("file").exists());
        drop(scratch);
        assert_eq!(std::fs::read_dir(parent.path()).expect("readable").count(), 0);
    }

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_another_kernel_made_today_is_not() {
        let parent = tempfile::tempdir().expect("a directory");
        let left = parent.path().join(format!("{PREFIX}{}-1-0", boot_tag()));
        let foreign = parent.path().join(format!("{PREFIX}ffffffff-1-0"));
        for path in [&left, &foreign] {
            std::fs::create_dir(path).expect("created");
            std::fs::write(path.join("x.db"), b"x").expect("written");
        }
        assert_eq!(sweep(parent.path()), 1);
        assert!(!left.exists() && foreign.exists());
    }

    #[test]
    fn links_are_not_followed_and_directories_are_left_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let precious = parent.path().join("precious");
        std::fs::write(&precious, b"data").expect("written");
        let left = parent.path().join(format!("{PREFIX}{}-1-0", boot_tag()));
        std::fs::create_dir_all(left.join("below")).expect("created");
        std::os::unix::fs::symlink(&precious, left.join("link")).expect("linked");
        assert_eq!(sweep(parent.path()), 0);
        assert!(precious.exists() && left.join("below").exists());
    }
}
