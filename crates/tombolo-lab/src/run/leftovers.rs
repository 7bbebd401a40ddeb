//! What a run that was killed has left: found by its free lock, and cleared away.

use super::{FAILED, LOCK, PREFIX, PROCESSES, kill_marked, open_lock};
use crate::error::LabError;
use crate::process::{Identity, kill_stranger};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use rustix::mount::UnmountFlags;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// More lines than any run has processes.
const PROCESSES_MAX: usize = 10_000;

/// Clears away the runs below `base` whose lock is free. Says what became of each.
pub(super) fn sweep(base: &Path) -> Vec<String> {
    let mut said = Vec::new();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let path = entry.path();
        let ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if !ours || entry.file_name() == FAILED || !entry.file_type().is_ok_and(|of| of.is_dir()) {
            continue;
        }
        let Ok(lock) = open_lock(&path.join(LOCK)) else { continue };
        if lock.try_lock().is_err() {
            continue;
        }
        said.push(match clear(&path) {
            Ok(()) => format!("cleared away {}, which a killed run had left", path.display()),
            Err(error) => format!("could not clear away {}: {error}", path.display()),
        });
    }
    said
}

/// Kills the processes of a run, unmounts what is mounted in its directory, and removes that.
pub(super) fn clear(run: &Path) -> Result<(), LabError> {
    let list = fs::read_to_string(run.join(PROCESSES)).unwrap_or_default();
    let boot_id = boot_id();
    for line in list.lines().take(PROCESSES_MAX) {
        if let Some(identity) = recorded(line, &boot_id) {
            kill_stranger(&identity)?;
        }
    }
    kill_marked(run)?;
    for mount in mounts_below(run)? {
        unmount(&mount)?;
    }
    remove_tree(run)
}

/// Removes a directory with all that is in it, but nothing of another mount, which may be a
/// user's: it fails there.
pub(super) fn remove_tree(directory: &Path) -> Result<(), LabError> {
    remove(directory, mount_id(directory)?)
}

fn remove(directory: &Path, mount: u64) -> Result<(), LabError> {
    if mount_id(directory)? != mount {
        let message = format!("{} is a mount that is not ours to empty", directory.display());
        return Err(LabError::Request(message));
    }
    for entry in fs::read_dir(directory).map_err(LabError::call("opendir", directory))? {
        let entry = entry.map_err(LabError::call("readdir", directory))?;
        let path = entry.path();
        if entry.file_type().map_err(LabError::call("lstat", &path))?.is_dir() {
            remove(&path, mount)?;
        } else {
            fs::remove_file(&path).map_err(LabError::call("unlink", &path))?;
        }
    }
    fs::remove_dir(directory).map_err(LabError::call("rmdir", directory))
}

/// Which mount a directory belongs to (`statx(2)`, `STATX_MNT_ID`).
fn mount_id(directory: &Path) -> Result<u64, LabError> {
    let (flags, wanted) = (AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID);
    let found = statx(CWD, directory, flags, wanted).map_err(LabError::call("statx", directory))?;
    if !StatxFlags::from_bits_retain(found.stx_mask).contains(wanted) {
        let what = "way to tell mounts apart".to_owned();
        return Err(LabError::Missing { what, how: "this needs Linux 5.8 or later" });
    }
    Ok(found.stx_mnt_id)
}

/// A line of the list of processes; `None` for one of an earlier boot.
fn recorded(line: &str, boot_id: &str) -> Option<Identity> {
    let mut words = line.split(' ');
    let identity =
        Identity { pid: words.next()?.parse().ok()?, start_ticks: words.next()?.parse().ok()? };
    (words.next()? == boot_id).then_some(identity)
}

/// Which start of this machine it is (`random(4)`).
pub(super) fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

fn unmount(mount: &Path) -> Result<(), LabError> {
    match rustix::mount::unmount(mount, UnmountFlags::DETACH) {
        Err(rustix::io::Errno::PERM) => {
            // Without root there can only be mounts of FUSE.
            let mut command = Command::new("fusermount3");
            let output = command.arg("-uz").arg(mount).output();
            let output = output.map_err(LabError::call("execve", Path::new("fusermount3")))?;
            if output.status.success() {
                return Ok(());
            }
            let output = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(LabError::Program { program: "fusermount3".to_owned(), output })
        }
        other => other.map_err(LabError::call("umount", mount)),
    }
}

/// The mounts at and below a directory, the last made first.
fn mounts_below(directory: &Path) -> Result<Vec<PathBuf>, LabError> {
    // Of this thread, which may be in a mount namespace of its own.
    let table = Path::new("/proc/thread-self/mountinfo");
    let text = fs::read_to_string(table).map_err(LabError::call("read", table))?;
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let mut below: Vec<_> = points.filter(|point| point.starts_with(directory)).collect();
    below.reverse();
    Ok(below)
}

/// A path of the mount table: blank, tab, line feed and backslash stand there in octal
/// (`proc_pid_mountinfo(5)`).
fn unescape(field: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let octal = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(byte) if first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Removes all but the newest directories in `directory`.
pub(super) fn keep_newest(directory: &Path, count: usize) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut dated: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    dated.sort();
    for (_, path) in dated.iter().rev().skip(count) {
        let _ = remove_tree(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_mount_table_are_unescaped() {
        assert_eq!(unescape("/a\\040b\\134c"), Path::new("/a b\\c"));
        assert_eq!(unescape("/a\\0"), Path::new("/a\\0"));
    }

    #[test]
    fn a_list_of_another_boot_names_nobody() {
        assert!(recorded("12 345 this", "this").is_some());
        assert!(recorded("12 345 other", "this").is_none());
        assert!(recorded("12 x this", "this").is_none());
        assert!(recorded("", "this").is_none());
    }

    #[test]
    fn the_newest_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["a", "b", "c"] {
            fs::create_dir(directory.path().join(name)).expect("made");
        }
        keep_newest(directory.path(), 2);
        assert_eq!(fs::read_dir(directory.path()).expect("readable").count(), 2);
    }
}
