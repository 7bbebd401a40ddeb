//! The very directory that was made, whatever its name means by now.
//!
//! Who may write in the parent may rename a scratch directory and put another one, or a link, in
//! its place at any moment. Where the doctor runs as root, it would then write where that user may
//! not. So the directory is told by its inode, everything in it is done relative to it, and only
//! files that are named like ours are ever removed.

use crate::error::CallError;
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use tombolo_core::peer::part::PREFIX;

/// How the names of our files begin.
const FILES: [&[u8]; 3] = [b"probe.", b"session.", PREFIX.as_bytes()];

/// What a file becomes that was removed while it was open: on NFS (`nfs_sillyrename` in
/// `fs/nfs/unlink.c`) and on libfuse (`hide_node` in `lib/fuse.c`).
const UNLINKED: [&[u8]; 2] = [b".nfs", b".fuse_hidden"];

/// For [`file_made_in`].
pub(super) const OWNER_FILE: &str = "probe.owner";

const OTHERS: u32 = 0o077;

/// Where a scratch directory is, and which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    pub(super) fn new(path: PathBuf, status: &Stat) -> Self {
        Place { path, device: status.st_dev, inode: status.st_ino }
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        use std::os::unix::ffi::OsStrExt as _;
        let (device, rest) = bytes.split_first_chunk()?;
        let (inode, path) = rest.split_first_chunk()?;
        let path = Path::new(std::ffi::OsStr::from_bytes(path)).to_owned();
        let (device, inode) = (u64::from_le_bytes(*device), u64::from_le_bytes(*inode));
        Some(Place { path, device, inode })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let path = self.path.as_os_str().as_encoded_bytes();
        [&self.device.to_le_bytes(), self.inode.to_le_bytes().as_slice(), path].concat()
    }

    /// Its name when it was made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the status of it.
    pub(super) fn is(&self, status: &Stat) -> bool {
        (self.device, self.inode) == (status.st_dev, status.st_ino)
    }

    /// Makes it the working directory of this process. **Can block on a dead mount.**
    ///
    /// # Errors
    ///
    /// `EEXIST` where another directory stands at its name, or what the kernel said.
    pub fn enter(&self) -> Result<(), CallError> {
        let refused = |call| move |errno| CallError::from_rustix(call, &self.path, errno);
        let directory = open_directory(&self.path).map_err(refused("open"))?;
        let status = rustix::fs::fstat(&directory).map_err(refused("fstat"))?;
        if !self.is(&status) {
            return Err(refused("open")(Errno::EXIST));
        }
        rustix::process::fchdir(&directory).map_err(refused("fchdir"))
    }
}

/// Opens a directory that is no link.
pub(super) fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// Whether a directory that was just opened can be the one that was just made: ours alone. Where
/// the file system maps owners or has no modes, a file made in it looks the same.
pub(super) fn is_ours(directory: &OwnedFd, status: &Stat) -> bool {
    let strange = |status: &Stat| status.st_mode & OTHERS != 0;
    if status.st_uid == rustix::process::geteuid().as_raw() && !strange(status) {
        return true;
    }
    match file_made_in(directory, OWNER_FILE) {
        Ok(file) => file.is_some_and(|file| {
            file.st_uid == status.st_uid && (strange(&file) || !strange(status))
        }),
        // Where nothing can be created, the experiments will say so.
        Err(errno) => errno != Errno::EXIST,
    }
}

/// How a file looks that is made in a directory, and removed again: whose files are in it. The
/// error is that of the making.
pub(super) fn file_made_in(directory: impl AsFd, name: &str) -> rustix::io::Result<Option<Stat>> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    let status = rustix::fs::fstat(&file).ok();
    let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
    Ok(status)
}

/// Whether a file of this name in a scratch directory is one of ours.
pub(super) fn is_our_file(name: &[u8]) -> bool {
    FILES.iter().chain(&UNLINKED).any(|start| name.starts_with(start))
}
