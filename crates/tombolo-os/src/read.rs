//! Looking at a user's file: read-only, without locks, maps or traces.
//!
//! Closing any descriptor of a file drops every POSIX lock that the process holds on it. So this
//! is for processes that hold none on the file, as the doctor's.

use crate::error::CallError;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tombolo_core::errno::Errno;

/// What kind of file stands somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A device, socket or pipe.
    Special,
}

/// Who a file is, whose it is, and how large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its kind.
    pub kind: Kind,
    /// Number of the device that holds it.
    pub device: u64,
    /// Number of its inode there.
    pub inode: u64,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Number of its names; 0 once it was deleted.
    pub links: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits, such as 0o644.
    pub permissions: u32,
    /// When its content changed last, by the clock of the machine that keeps it.
    pub modified: SystemTime,
}

impl Status {
    #[allow(clippy::useless_conversion)] // The width of st_nlink depends on the machine.
    fn new(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::Regular,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::SymbolicLink,
            _ => Kind::Special,
        };
        Status {
            kind,
            device: stat.st_dev,
            inode: stat.st_ino,
            size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
            links: u64::from(stat.st_nlink),
            uid: stat.st_uid,
            gid: stat.st_gid,
            permissions: stat.st_mode & 0o7777,
            modified: since_epoch(stat),
        }
    }
}

/// Times before 1970 count as 1970.
#[allow(clippy::useless_conversion)] // The types of the fields depend on the machine.
fn since_epoch(stat: &Stat) -> SystemTime {
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let since =
        Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanoseconds.into()));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Why a file could not be looked at.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The kernel refused a call.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What stands there is no regular file, so it was not opened.
    #[error("{path} is not a regular file")]
    NotRegular {
        /// The path.
        path: PathBuf,
        /// What stands there.
        kind: Kind,
    },
}

impl ReadError {
    /// The error number, if the kernel gave one.
    #[must_use]
    pub fn errno(&self) -> Option<Errno> {
        match self {
            ReadError::Call(error) => Some(error.errno),
            ReadError::NotRegular { .. } => None,
        }
    }
}

/// What stands at a path, which is not followed if it is a symbolic link.
///
/// # Errors
///
/// What the kernel said.
pub fn status_of_name(path: &Path) -> Result<Status, CallError> {
    match rustix::fs::lstat(path) {
        Ok(stat) => Ok(Status::new(&stat)),
        Err(errno) => Err(CallError::from_rustix("lstat", path, errno)),
    }
}

/// What stands at a path, through symbolic links.
///
/// # Errors
///
/// What the kernel said.
pub fn status(path: &Path) -> Result<Status, CallError> {
    match rustix::fs::stat(path) {
        Ok(stat) => Ok(Status::new(&stat)),
        Err(errno) => Err(CallError::from_rustix("stat", path, errno)),
    }
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct Opened {
    file: File,
    path: PathBuf,
    status: Status,
}

/// Opens a regular file for reading, through symbolic links as SQLite does.
///
/// It is never created, and nothing waits: a pipe or a device is refused before it is opened, and
/// should one take the file's place at that moment, `O_NONBLOCK` lets the call return. The access
/// time stays as it is where the owner or a privileged process asks.
///
/// # Errors
///
/// [`ReadError::NotRegular`], or what the kernel said.
pub fn open(path: &Path) -> Result<Opened, ReadError> {
    refuse_special(path, status(path)?)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(rustix::io::Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
        other => other,
    };
    let file = File::from(opened.map_err(|errno| CallError::from_rustix("open", path, errno))?);
    let status = status_of(&file, path)?;
    refuse_special(path, status)?;
    Ok(Opened { file, path: path.to_owned(), status })
}

fn refuse_special(path: &Path, status: Status) -> Result<(), ReadError> {
    match status.kind {
        Kind::Regular => Ok(()),
        kind => Err(ReadError::NotRegular { path: path.to_owned(), kind }),
    }
}

fn status_of(file: &File, path: &Path) -> Result<Status, CallError> {
    match rustix::fs::fstat(file) {
        Ok(stat) => Ok(Status::new(&stat)),
        Err(errno) => Err(CallError::from_rustix("fstat", path, errno)),
    }
}

impl Opened {
    /// As it was when it was opened.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// As it is now.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn status_now(&self) -> Result<Status, CallError> {
        status_of(&self.file, &self.path)
    }

    /// The open file, for asking about its locks.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Fills the buffer from an offset; says how many bytes there were before the end of the file.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, CallError> {
        let mut filled_bytes = 0;
        while let Some(rest) = buffer.get_mut(filled_bytes..).filter(|rest| !rest.is_empty()) {
            let Some(position) = offset.checked_add(filled_bytes as u64) else { break };
            match self.file.read_at(rest, position) {
                Ok(0) => break,
                Ok(count) => filled_bytes += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(CallError::new("pread", &self.path, &error)),
            }
        }
        Ok(filled_bytes)
    }

    /// Up to `length` bytes from an offset.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub fn bytes_at(&self, offset: u64, length: usize) -> Result<Vec<u8>, CallError> {
        let mut bytes = vec![0; length];
        let count = self.read_at(&mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_far_as_they_go() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, b"0123456789").unwrap();
        let opened = open(&path).unwrap();
        assert_eq!(opened.status().size_bytes, 10);
        assert_eq!(opened.bytes_at(4, 3).unwrap(), b"456");
        assert_eq!(opened.bytes_at(8, 100).unwrap(), b"89");
        assert_eq!(opened.bytes_at(100, 1).unwrap(), b"");
        std::fs::write(&path, b"").unwrap();
        assert_eq!(opened.status_now().unwrap().size_bytes, 0);
    }

    #[test]
    fn nothing_is_created_and_the_errno_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("absent");
        let error = open(&path).unwrap_err();
        assert_eq!(error.errno(), Some(Errno::ENOENT));
        assert!(!path.exists());
    }

    #[test]
    fn a_pipe_and_a_directory_are_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        for (path, expected) in
            [(pipe.as_path(), Kind::Special), (directory.path(), Kind::Directory)]
        {
            match open(path).unwrap_err() {
                ReadError::NotRegular { kind, .. } => assert_eq!(kind, expected),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_symbolic_link_is_followed_by_open_and_told_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, b"x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(open(&link).unwrap().status(), status(&file).unwrap());
        assert_eq!(status_of_name(&link).unwrap().kind, Kind::SymbolicLink);
    }
}
