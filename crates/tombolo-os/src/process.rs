//! Running processes and the files that they have open.
//!
//! Files are told apart by device and inode as `stat` on `/proc/PID/fd/N` gives them: the numbers
//! in `/proc/PID/maps` are other ones on overlayfs and btrfs.

use crate::bounded::{read_file, read_link};
use crate::error::errno_of;
use rustix::fs::{AtFlags, FileType, StatxFlags};
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::locktable::{self, Lock};
use tombolo_core::text::printable;

/// Descriptors looked at of one process.
const DESCRIPTORS_MAX: usize = 1 << 16;

/// Appended by the kernel to the name of a file that has been unlinked (`d_path`, fs/d_path.c).
const DELETED_SUFFIX: &[u8] = b" (deleted)";

/// Tells files of one kernel apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileIdentity {
    /// Major and minor number of the device, by `statx`.
    pub device: (u32, u32),
    /// Inode number.
    pub inode: u64,
}

/// A regular file that a process has open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// The descriptor's number.
    pub descriptor: i32,
    /// The name by which the process knows it, in its own root directory; without the mark of
    /// deletion.
    pub path: Vec<u8>,
    /// Whether that name is gone.
    pub name: NameState,
    /// Which file it is.
    pub identity: FileIdentity,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Whether it was opened for writing.
    pub mode: OpenMode,
    /// Locks that were taken through this descriptor.
    pub locks: Vec<Lock>,
}

/// Whether an open file still has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameState {
    /// It has.
    Named,
    /// The name was unlinked, or another file was renamed over it.
    Deleted,
}

/// How a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// `O_RDONLY`, or what could not be told.
    ReadOnly,
    /// `O_WRONLY` or `O_RDWR`.
    Writable,
}

/// The identity of the file at a path, following links. **Can block on a dead mount.**
///
/// # Errors
///
/// What `statx` said.
pub fn identity(path: &Path) -> Result<FileIdentity, Errno> {
    stat(path).map(|(identity, _, _)| identity)
}

fn stat(path: &Path) -> Result<(FileIdentity, u64, FileType), Errno> {
    // Without `AT_STATX_DONT_SYNC` NFS and FUSE would ask their servers.
    let flags = AtFlags::STATX_DONT_SYNC;
    let answer = rustix::fs::statx(rustix::fs::CWD, path, flags, StatxFlags::BASIC_STATS)
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    let device = (answer.stx_dev_major, answer.stx_dev_minor);
    let kind = FileType::from_raw_mode(answer.stx_mode.into());
    Ok((FileIdentity { device, inode: answer.stx_ino }, answer.stx_size, kind))
}

/// The name of a process's program (`/proc/PID/comm`); empty if it is gone.
#[must_use]
pub fn program(proc_root: &Path, pid: i32) -> String {
    let name = read_file(&proc_root.join(pid.to_string()).join("comm"), 64).unwrap_or_default();
    printable(name.strip_suffix(b"\n").unwrap_or(&name))
}

/// The regular files that a process has open, other than on `/dev`, `/proc` and `/sys`.
///
/// # Errors
///
/// `EACCES` or `EPERM` for a process of another user, `ENOENT` for one that is gone.
pub fn open_files(proc_root: &Path, pid: i32) -> Result<Vec<OpenFile>, Errno> {
    let process = proc_root.join(pid.to_string());
    let entries = std::fs::read_dir(process.join("fd")).map_err(|error| errno_of(&error))?;
    let mut files = Vec::new();
    for entry in entries.take(DESCRIPTORS_MAX).flatten() {
        let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A descriptor may be closed at any moment between these calls; then it is not reported.
        let Ok(mut path) = read_link(&entry.path()) else { continue };
        let kernel_own = [&b"/dev/"[..], b"/proc/", b"/sys/", b"/memfd:"];
        if path.first() != Some(&b'/') || kernel_own.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        let Ok((identity, size_bytes, FileType::RegularFile)) = stat(&entry.path()) else {
            continue;
        };
        let name = match path.strip_suffix(DELETED_SUFFIX) {
            Some(named) => {
                path = named.to_vec();
                NameState::Deleted
            }
            None => NameState::Named,
        };
        let info = process.join("fdinfo").join(entry.file_name());
        let info = read_file(&info, 1 << 20).unwrap_or_default();
        files.push(OpenFile {
            descriptor,
            path,
            name,
            identity,
            size_bytes,
            mode: open_mode(&info),
            locks: locktable::parse(&info).collect(),
        });
    }
    files.sort_by_key(|file| file.descriptor);
    Ok(files)
}

/// `flags:` of `proc_pid_fdinfo(5)`: octal, the access mode in the last two bits.
fn open_mode(info: &[u8]) -> OpenMode {
    let info = String::from_utf8_lossy(info);
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
    match flags.map(|flags| flags & 3) {
        Some(1 | 2) => OpenMode::Writable,
        _ => OpenMode::ReadOnly,
    }
}

/// Processes looked at; the kernel's own bound is 4,194,304 (`PID_MAX_LIMIT`).
const PROCESSES_MAX: usize = 1 << 18;

/// The numbers of all processes, ascending; `proc_root` is `/proc` outside of tests.
///
/// # Errors
///
/// What the kernel said when the directory could not be opened.
pub fn pids(proc_root: &Path) -> Result<Vec<i32>, Errno> {
    let entries = std::fs::read_dir(proc_root).map_err(|error| errno_of(&error))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut pids: Vec<i32> = numbers.filter(|pid| *pid > 0).take(PROCESSES_MAX).collect();
    pids.sort_unstable();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn this_process_is_among_them() {
        let pids = pids(Path::new("/proc")).expect("/proc");
        let own = i32::try_from(std::process::id()).expect("a process id");
        assert!(pids.contains(&own) && pids.is_sorted());
    }

    #[test]
    fn a_missing_proc_keeps_its_errno() {
        let nothing = tempfile::tempdir().expect("a directory");
        assert_eq!(pids(&nothing.path().join("proc")), Err(Errno::ENOENT));
    }

    fn own_files(directory: &Path) -> Vec<OpenFile> {
        let own = i32::try_from(std::process::id()).expect("a process id");
        let directory = directory.canonicalize().expect("real path");
        let files = open_files(Path::new("/proc"), own).expect("our own descriptors");
        let inside = |file: &OpenFile| file.path.starts_with(directory.as_os_str().as_bytes());
        files.into_iter().filter(inside).collect()
    }

    #[test]
    fn open_files_tell_name_mode_identity_and_locks() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        let mut writer = std::fs::File::create(&path).expect("create");
        writer.write_all(b"1234").expect("write");
        rustix::fs::flock(&writer, rustix::fs::FlockOperation::LockExclusive).expect("flock");
        let reader = std::fs::File::open(&path).expect("open");
        let files = own_files(directory.path());
        assert_eq!(files.len(), 2);
        for file in &files {
            assert_eq!(file.identity, identity(&path).expect("its identity"));
            assert_eq!((file.size_bytes, file.name), (4, NameState::Named));
        }
        let by_descriptor =
            |number| files.iter().find(|file| file.descriptor == number).expect("open");
        assert_eq!(by_descriptor(writer.as_raw_fd()).mode, OpenMode::Writable);
        assert_eq!(by_descriptor(reader.as_raw_fd()).mode, OpenMode::ReadOnly);
        let locks = &by_descriptor(writer.as_raw_fd()).locks;
        assert_eq!(locks.first().map(|lock| lock.family), Some(locktable::Family::Flock));
        assert_eq!(by_descriptor(reader.as_raw_fd()).locks, []);
        std::fs::remove_file(&path).expect("unlink");
        let after = own_files(directory.path());
        assert!(after.len() == 2 && after.iter().all(|file| file.name == NameState::Deleted));
        assert!(after.iter().all(|file| file.path.ends_with(b"/app.db")));
    }

    #[test]
    fn a_process_that_is_gone_keeps_its_errno() {
        assert_eq!(open_files(Path::new("/proc"), i32::MAX), Err(Errno::ENOENT));
        assert_eq!(program(Path::new("/proc"), i32::MAX), "");
    }
}
