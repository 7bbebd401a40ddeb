//! Which mount holds a path, and what the file system says of itself.
//!
//! [`read`] and `Table::find` never touch the path, so they answer also when its server does not.
//! [`look`] asks the file system and can wait for ever on a dead mount: call it in a process that
//! can be left behind.

use crate::bounded::read_file;
use crate::error::errno_of;
use rustix::fs::{AtFlags, StatxFlags};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;
use tombolo_core::mountinfo::{self, Mount, Table};

/// Bytes read of one table; 100,000 mounts of ordinary length fit.
const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Whose table of mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewer {
    /// That of this process.
    Own,
    /// That of another process, with paths relative to that process's root directory.
    Process(i32),
}

/// Why there is no table of mounts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `/proc` is not mounted, or the process is gone or not ours to look at.
    #[error("{path} cannot be read: {errno}")]
    Unreadable {
        /// The file that was asked for.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
}

/// Reads a table of mounts below `proc_root`, which is `/proc` outside of tests.
///
/// # Errors
///
/// [`Error::Unreadable`] without `/proc`, for a process that is gone (`ENOENT`, `EINVAL`) and for
/// one that may not be looked at (`EACCES`).
pub fn read(proc_root: &Path, viewer: Viewer) -> Result<Table, Error> {
    let path = match viewer {
        Viewer::Own => proc_root.join("self/mountinfo"),
        Viewer::Process(pid) => proc_root.join(pid.to_string()).join("mountinfo"),
    };
    match read_file(&path, TABLE_BYTES_MAX) {
        Ok(bytes) => Ok(mountinfo::parse(&bytes)),
        Err(errno) => Err(Error::Unreadable { path, errno }),
    }
}

/// What the file system itself says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The path, or the nearest directory above it that exists.
    pub at: PathBuf,
    /// Id of the mount by the kernel's own lookup (`STATX_MNT_ID`, Linux 5.8 and later).
    pub mount_id: Option<u32>,
    /// What stands there.
    pub kind: FileKind,
    /// What `statfs` says; the error when it fails.
    pub space: Result<Space, Errno>,
}

/// What kind of file stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A regular file.
    Regular,
    /// Anything else.
    Other,
}

/// What `statfs` says of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// `f_type`. A hint only: 9p passes on what its server said, all of FUSE shares one number.
    pub magic: u32,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Bytes left for an ordinary user.
    pub available_bytes: u64,
    /// Inodes left; `None` where the file system does not count them.
    pub available_inodes: Option<u64>,
    /// Whether the mount or the file system is read-only (`ST_RDONLY`).
    pub access: Access,
}

/// Whether a mount takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It does.
    ReadWrite,
    /// It does not.
    ReadOnly,
}

/// Asks the file system about a path, following symbolic links; of a path that does not exist, the
/// nearest directory above it. **Can block for ever on a dead mount.**
///
/// # Errors
///
/// What `statx` said, other than that the path does not exist.
pub fn look(path: &Path) -> Result<Look, Errno> {
    let mut at = path;
    loop {
        let flags = StatxFlags::MNT_ID | StatxFlags::TYPE;
        match rustix::fs::statx(rustix::fs::CWD, at, AtFlags::empty(), flags) {
            Ok(answer) => {
                let told = StatxFlags::from_bits_retain(answer.stx_mask);
                let mount_id = told
                    .contains(StatxFlags::MNT_ID)
                    .then(|| u32::try_from(answer.stx_mnt_id).ok())
                    .flatten();
                let kind = match rustix::fs::FileType::from_raw_mode(answer.stx_mode.into()) {
                    rustix::fs::FileType::Directory => FileKind::Directory,
                    rustix::fs::FileType::RegularFile => FileKind::Regular,
                    _ => FileKind::Other,
                };
                return Ok(Look { at: at.to_owned(), mount_id, kind, space: space(at) });
            }
            Err(rustix::io::Errno::NOENT) => match at.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => at = parent,
                _ => return Err(Errno::ENOENT),
            },
            Err(errno) => return Err(Errno::from_raw(errno.raw_os_error())),
        }
    }
}

/// What `statfs` says of a path. **Can block for ever on a dead mount.**
///
/// # Errors
///
/// What the kernel said.
pub fn space(path: &Path) -> Result<Space, Errno> {
    let answer = rustix::fs::statfs(path).map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    let block_bytes = u64::try_from(answer.f_bsize).unwrap_or(0);
    let flags = u64::try_from(answer.f_flags).unwrap_or(0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "magic numbers are 32 bits wide; the kernel's type for them is a signed long"
    )]
    let magic = answer.f_type as u32;
    Ok(Space {
        magic,
        size_bytes: answer.f_blocks.saturating_mul(block_bytes),
        available_bytes: answer.f_bavail.saturating_mul(block_bytes),
        available_inodes: (answer.f_files > 0).then_some(answer.f_ffree),
        access: if flags & u64::from(libc::ST_RDONLY as u32) == 0 {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        },
    })
}

/// The mount that holds a path: the one that the kernel named, else the one found by text.
///
/// `look` is asked first because it is right also across symbolic links and mounts that come and
/// go. `None` if no mount covers the path.
#[must_use]
pub fn locate<'a>(table: &'a Table, path: &Path, look: Option<&Look>) -> Option<&'a Mount> {
    look.and_then(|look| look.mount_id)
        .and_then(|id| table.by_id(id))
        .or_else(|| table.find(path.as_os_str().as_bytes()))
}

/// A path free of symbolic links as far as it exists, the rest appended by text.
/// **Can block for ever on a dead mount.**
///
/// # Errors
///
/// What the kernel said, other than that a part of the path does not exist.
pub fn resolve(path: &Path) -> Result<PathBuf, Errno> {
    let absolute = std::path::absolute(path).map_err(|error| errno_of(&error))?;
    let mut missing: Vec<&OsStr> = Vec::new();
    let mut at = absolute.as_path();
    loop {
        match std::fs::canonicalize(at) {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Ok(resolved);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                match (at.file_name(), at.parent()) {
                    (Some(name), Some(parent)) => {
                        missing.push(name);
                        at = parent;
                    }
                    _ => return Err(errno_of(&error)),
                }
            }
            Err(error) => return Err(errno_of(&error)),
        }
    }
}

/// The name of a file system's magic number (include/uapi/linux/magic.h; ZFS, and others that live
/// outside of the kernel's tree, from their own sources).
#[must_use]
pub fn magic_name(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0102_1997 => "9p",
        0x0000_EF53 => "ext2/3/4",
        0x5846_5342 => "xfs",
        0x9123_683E => "btrfs",
        0x2FC1_2FC1 => "zfs",
        0xCA45_1A4E => "bcachefs",
        0xF2F5_2010 => "f2fs",
        0x0102_1994 => "tmpfs",
        0x8584_58F6 => "ramfs",
        0x794C_7630 => "overlayfs",
        0x6573_5546 => "fuse",
        0x0000_6969 => "nfs",
        0xFF53_4D42 => "cifs",
        0xFE53_4D42 => "smb2",
        0x0000_517B => "smbfs",
        0x5346_4846 => "wslfs",
        0x00C3_6400 => "ceph",
        0x0BD0_0BD0 => "lustre",
        0x0116_1970 => "gfs2",
        0x7461_636F => "ocfs2",
        0x5346_414F => "afs",
        0x786F_4256 => "vboxsf",
        0xBACB_ACBC => "vmhgfs",
        0x0000_4D44 => "vfat",
        0x2011_BAB0 => "exfat",
        0x5346_544E => "ntfs",
        0x7366_746E => "ntfs3",
        0x0000_9660 => "iso9660",
        0x7371_7368 => "squashfs",
        0xE0F5_E1E2 => "erofs",
        0x0000_F15F => "ecryptfs",
        0x0000_3434 => "nilfs2",
        0x3153_464A => "jfs",
        0x5265_4973 => "reiserfs",
        0x4750_4653 => "gpfs",
        0x1983_0326 => "beegfs",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Namespace;

    fn table(namespace: &Namespace) -> Table {
        read(Path::new("/proc"), Viewer::Process(namespace.pid())).expect("its table")
    }

    #[test]
    fn the_walk_by_text_agrees_with_the_kernel_root_needed() {
        let scratch = tempfile::tempdir().expect("a directory");
        let base = scratch.path().to_str().expect("UTF-8");
        let namespace = Namespace::with(&format!(
            r#"cd {base}; mkdir -p a/b a/c "s p\\a#ce" low up work merged src over/deep gone
            touch src/app.db file.db
            mount -t tmpfs one a; mkdir a/b a/c; mount -t tmpfs two a/b; touch a/b/x
            mount -t tmpfs three a; mkdir -p a/c; mount -t tmpfs four a/c
            mount -t tmpfs five "s p\\a#ce"; touch "s p\\a#ce/x"
            mount -t overlay -o lowerdir=low,upperdir=up,workdir=work none merged
            mount --bind src over; mount --bind src/app.db file.db
            mount --bind gone low; rmdir gone
            mount -t tmpfs over-the-root /"#
        ));
        let table = table(&namespace);
        assert_eq!(table.malformed_lines(), 0);
        for below in
            ["", "a", "a/b", "a/c", "s p\\a#ce/x", "merged/new", "over/app.db", "file.db", "low"]
        {
            let path = format!("{base}/{below}");
            let kernel = look(&namespace.seen_from_outside(&path)).expect(&path);
            let by_text = table.find(path.as_bytes()).expect(&path);
            assert_eq!(kernel.mount_id, Some(by_text.id), "{path}: {by_text:?}");
        }
        let at = |below: &str| table.find(format!("{base}/{below}").as_bytes()).expect("a mount");
        assert_eq!(at("a/b").source, b"three", "two is hidden below three");
        assert_eq!(at("s p\\a#ce/x").source, b"five");
        assert_eq!(at("merged/new").filesystem, "overlay");
        assert_eq!(at("file.db").mount_point, format!("{base}/file.db").into_bytes());
        assert_eq!(at("low").source_state, mountinfo::SourceState::Deleted);
        assert!(at("low").root.ends_with(b"/gone"));
    }

    #[test]
    fn a_path_that_does_not_exist_is_answered_by_the_directory_above() {
        let scratch = tempfile::tempdir().expect("a directory");
        let answer = look(&scratch.path().join("no/such.db")).expect("an answer");
        assert_eq!((answer.at.as_path(), answer.kind), (scratch.path(), FileKind::Directory));
        let table = read(Path::new("/proc"), Viewer::Own).expect("our table");
        let located = locate(&table, scratch.path(), Some(&answer)).expect("a mount");
        let real = scratch.path().canonicalize().expect("real path");
        assert_eq!(table.find(real.as_os_str().as_bytes()).map(|mount| mount.id), Some(located.id));
        assert!(answer.space.expect("statfs").size_bytes > 0);
    }

    #[test]
    fn a_missing_proc_keeps_its_errno() {
        let scratch = tempfile::tempdir().expect("a directory");
        let error = read(scratch.path(), Viewer::Process(1)).expect_err("no table");
        let Error::Unreadable { errno, path } = error;
        assert_eq!((errno, path), (Errno::ENOENT, scratch.path().join("1/mountinfo")));
    }

    #[test]
    fn resolving_follows_links_as_far_as_they_exist() {
        let scratch = tempfile::tempdir().expect("a directory");
        let real = scratch.path().canonicalize().expect("real path");
        std::fs::create_dir(real.join("real")).expect("mkdir");
        std::os::unix::fs::symlink("real", real.join("link")).expect("symlink");
        assert_eq!(resolve(&real.join("link/new/x.db")), Ok(real.join("real/new/x.db")));
        std::os::unix::fs::symlink("loop", real.join("loop")).expect("symlink");
        assert_eq!(resolve(&real.join("loop/x")), Err(Errno::ELOOP));
    }
}
