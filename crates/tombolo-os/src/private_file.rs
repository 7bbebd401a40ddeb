//! Files that hold secrets: who may read them is settled before there is anything to read.

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Permissions that make somebody else the master of a directory.
const OTHERS_WRITE: u32 = 0o022;
/// An access control list (`acl(5)`): with one, the bits of the group are not the group's.
const ACCESS_LIST: &str = "system.posix_acl_access";

/// Who may read a file besides the superuser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readers {
    /// Whose it is.
    pub uid: u32,
    /// Whose group's.
    pub gid: u32,
    /// `0o600`, with `0o040` where the group reads it and `0o004` where everybody does.
    pub permissions: u32,
}

/// Why a secret is not kept, or not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateError {
    /// A system call failed.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// How.
        #[source]
        error: io::Error,
    },
    /// Somebody else may have read or changed it.
    #[error("{0} is open to others, or somebody else's")]
    Exposed(PathBuf),
    /// The file system does not keep permissions.
    #[error("{0} would be open to others: its file system keeps no permissions")]
    NotKept(PathBuf),
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    let path = path.to_owned();
    move |error| PrivateError::Io { path, error }
}

fn has_access_list(file: &File) -> bool {
    let mut nothing = [0_u8; 0];
    rustix::fs::fgetxattr(file, ACCESS_LIST, &mut nothing[..]).is_ok_and(|length| length > 0)
}

impl Readers {
    /// Whoever runs this program.
    #[must_use]
    pub fn this_user() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Readers { uid, gid: rustix::process::getegid().as_raw(), permissions: 0o600 }
    }

    /// Those who may read and write a file, as far as its mode tells; with an access control list
    /// on it, its user alone. This program's user, where there is no such file. It is looked at
    /// without being opened.
    ///
    /// # Errors
    /// `stat(2)`.
    pub fn writers_of(path: &Path) -> io::Result<Self> {
        let found = match std::fs::metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::this_user()),
            Err(error) => return Err(error),
        };
        let mut nothing = [0_u8; 0];
        let listed = rustix::fs::getxattr(path, ACCESS_LIST, &mut nothing[..]);
        let mut permissions = 0o600;
        if !listed.is_ok_and(|length| length > 0) {
            for (both, read) in [(0o060, 0o040), (0o006, 0o004)] {
                if found.mode() & both == both {
                    permissions |= read;
                }
            }
        }
        Ok(Readers { uid: found.uid(), gid: found.gid(), permissions })
    }
}

/// Whether a directory is this user's, or the superuser's, and nobody else puts files into it.
///
/// # Errors
/// [`PrivateError::Exposed`] where not, also of a link; `lstat(2)`.
pub fn check_directory(path: &Path) -> Result<(), PrivateError> {
    let found = std::fs::symlink_metadata(path).map_err(failed(path))?;
    let is_ours = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
    if found.is_dir() && is_ours && found.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    Err(PrivateError::Exposed(path.to_owned()))
}

/// Lets those through a directory who may read a file in it; they need not be able to list it.
///
/// # Errors
/// `chmod(2)`.
pub fn let_through(path: &Path, readers: Readers) -> Result<(), PrivateError> {
    let found = std::fs::symlink_metadata(path).map_err(failed(path))?;
    let mut wanted = found.mode() & 0o7777;
    let is_other_group = found.gid() != readers.gid;
    if readers.permissions & 0o040 != 0 {
        wanted |= if is_other_group { 0o001 } else { 0o010 };
    }
    if readers.permissions & 0o004 != 0 || readers.uid != found.uid() {
        wanted |= 0o011;
    }
    if wanted == found.mode() & 0o7777 {
        return Ok(());
    }
    let changed = std::fs::set_permissions(path, std::fs::Permissions::from_mode(wanted));
    changed.map_err(failed(path))
}

/// Reads a secret that is this user's alone; `None` where there is none.
///
/// # Errors
/// [`PrivateError::Exposed`] where others may read or change it, or it is longer than
/// `bytes_max`; `open(2)`, `read(2)`.
pub fn read(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, PrivateError> {
    let Some(file) = open(path)? else { return Ok(None) };
    let found = file.metadata().map_err(failed(path))?;
    let is_ours = found.uid() == 0 || found.uid() == rustix::process::geteuid().as_raw();
    let is_private = found.is_file() && is_ours && found.mode() & 0o077 == 0;
    if !is_private || found.len() > bytes_max as u64 {
        return Err(PrivateError::Exposed(path.to_owned()));
    }
    contents(&file, bytes_max).map(Some).map_err(failed(path))
}

fn open(path: &Path) -> Result<Option<File>, PrivateError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => Ok(Some(File::from(descriptor))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(rustix::io::Errno::LOOP) => Err(PrivateError::Exposed(path.to_owned())),
        Err(errno) => Err(failed(path)(errno.into())),
    }
}

fn contents(file: &File, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a secret into a directory, whole or not at all, in the place of what bears the name; leaves
/// it alone where it is the same and has the same readers.
///
/// Where the group cannot be given the file, it does not read it.
///
/// # Errors
/// [`PrivateError::NotKept`] where others could read it afterwards; `open(2)` and what follows.
pub fn put(
    directory: &Path,
    name: &str,
    content: &[u8],
    readers: Readers,
) -> Result<(), PrivateError> {
    let path = directory.join(name);
    if is_there(&path, content, readers) {
        return Ok(());
    }
    let mut random = [0; 8];
    crate::random::fill(&mut random).map_err(failed(&path))?;
    let temporary = directory.join(format!(".{name}.{:016x}", u64::from_ne_bytes(random)));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = rustix::fs::open(&temporary, flags, Mode::RUSR | Mode::WUSR);
    let file = File::from(made.map_err(|errno| failed(&temporary)(errno.into()))?);
    let done = fill(&file, &path, content, readers).and_then(|()| {
        let at = rustix::fs::CWD;
        rustix::fs::renameat(at, &temporary, at, &path).map_err(|errno| failed(&path)(errno.into()))
    });
    if done.is_err() {
        let _ = rustix::fs::unlinkat(rustix::fs::CWD, &temporary, AtFlags::empty());
    }
    done
}

fn is_there(path: &Path, content: &[u8], readers: Readers) -> bool {
    let Ok(Some(file)) = open(path) else { return false };
    let Ok(found) = file.metadata() else { return false };
    let same = found.is_file()
        && (found.uid(), found.gid()) == (readers.uid, readers.gid)
        && found.mode() & 0o777 == readers.permissions
        && !has_access_list(&file);
    same && contents(&file, content.len() + 1).is_ok_and(|bytes| bytes == content)
}

/// Settles the readers, then writes.
fn fill(
    mut file: &File,
    path: &Path,
    content: &[u8],
    readers: Readers,
) -> Result<(), PrivateError> {
    let found = file.metadata().map_err(failed(path))?;
    let mut permissions = readers.permissions;
    if found.uid() != readers.uid && rustix::process::geteuid().is_root() {
        let uid = Some(Uid::from_raw(readers.uid));
        rustix::fs::fchown(file, uid, None).map_err(|errno| failed(path)(errno.into()))?;
    }
    let gid = Some(Gid::from_raw(readers.gid));
    if found.gid() != readers.gid && rustix::fs::fchown(file, None, gid).is_err() {
        permissions &= !0o040;
    }
    if has_access_list(file) {
        // Inherited of the directory: whom it names is let in with the group's bits.
        permissions = 0o600;
    }
    let mode = Mode::from_raw_mode(permissions);
    rustix::fs::fchmod(file, mode).map_err(|errno| failed(path)(errno.into()))?;
    let kept = file.metadata().map_err(failed(path))?.mode() & 0o777;
    if kept & !permissions != 0 {
        return Err(PrivateError::NotKept(path.to_owned()));
    }
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("there").mode() & 0o777
    }

    #[test]
    fn who_may_write_a_file_is_told_by_its_mode() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("app.db");
        assert_eq!(Readers::writers_of(&file).expect("none"), Readers::this_user());
        std::fs::write(&file, b"").expect("made");
        for (of, expected) in [
            (0o600, 0o600),
            (0o644, 0o600),
            (0o660, 0o640),
            (0o664, 0o640),
            (0o666, 0o644),
            (0o606, 0o604),
            (0o622, 0o600),
            (0o400, 0o600),
        ] {
            set_mode(&file, of);
            let readers = Readers::writers_of(&file).expect("there");
            assert_eq!(readers.permissions, expected, "{of:o}");
        }
    }

    #[test]
    fn a_secret_is_put_whole_with_its_mode_and_replaced_when_that_is_another() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        let path = root.join("secret");
        let own = Readers::this_user();
        put(root, "secret", b"one", own).expect("put");
        assert_eq!((read(&path, 10).expect("ours"), mode(&path)), (Some(b"one".to_vec()), 0o600));
        let inode = || std::fs::metadata(&path).expect("there").ino();
        let first = inode();
        put(root, "secret", b"one", own).expect("put");
        assert_eq!(inode(), first, "it was there already");
        put(root, "secret", b"one", Readers { permissions: 0o644, ..own }).expect("put");
        assert_eq!(mode(&path), 0o644);
        assert!(matches!(read(&path, 10), Err(PrivateError::Exposed(_))));
        put(root, "secret", b"two", own).expect("put");
        assert_eq!((read(&path, 10).expect("ours"), mode(&path)), (Some(b"two".to_vec()), 0o600));
        assert!(matches!(read(&path, 2), Err(PrivateError::Exposed(_))), "longer than allowed");
        assert_eq!(read(&root.join("none"), 10).expect("looked"), None);
        let names = std::fs::read_dir(root).expect("listed").count();
        assert_eq!(names, 1, "nothing else is left");
    }

    #[test]
    fn a_link_is_not_followed_and_a_directory_of_others_not_used() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path();
        let path = root.join("secret");
        std::fs::write(root.join("elsewhere"), b"left alone").expect("made");
        symlink(root.join("elsewhere"), &path).expect("made");
        assert!(matches!(read(&path, 100), Err(PrivateError::Exposed(_))));
        put(root, "secret", b"one", Readers::this_user()).expect("put");
        assert_eq!(std::fs::read(root.join("elsewhere")).expect("there"), b"left alone");
        assert!(std::fs::symlink_metadata(&path).expect("there").is_file());

        let own = root.join("own");
        std::fs::create_dir(&own).expect("made");
        for (of, is_private) in [(0o700, true), (0o755, true), (0o770, false), (0o702, false)] {
            set_mode(&own, of);
            assert_eq!(check_directory(&own).is_ok(), is_private, "{of:o}");
        }
        set_mode(&own, 0o700);
        symlink(&own, root.join("link")).expect("made");
        assert!(matches!(check_directory(&root.join("link")), Err(PrivateError::Exposed(_))));
    }

    #[test]
    fn a_directory_lets_through_whom_its_secret_is_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let own = directory.path().join("own");
        std::fs::create_dir(&own).expect("made");
        let gid = std::fs::metadata(&own).expect("there").gid();
        let user = Readers { gid, ..Readers::this_user() };
        for (readers, expected) in [
            (user, 0o700),
            (Readers { permissions: 0o640, ..user }, 0o710),
            (Readers { permissions: 0o640, gid: gid + 1, ..user }, 0o701),
            (Readers { permissions: 0o644, ..user }, 0o711),
            (Readers { uid: user.uid + 1, ..user }, 0o711),
        ] {
            set_mode(&own, 0o700);
            let_through(&own, readers).expect("changed");
            assert_eq!(mode(&own), expected, "{readers:?}");
        }
    }
}
