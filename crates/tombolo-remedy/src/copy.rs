//! Copies that are on disk when they are made, with a digest of their bytes.

use crate::error::Error;
use crate::files::{self, sync_directory};
use crate::record::FileState;
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tombolo_core::errno::Errno;
use tombolo_os::read::{self, ReadError, Status};

/// Bytes of one read.
const PIECE_BYTES: usize = 1024 * 1024;

/// What long work asks and tells on its way.
pub trait Attend {
    /// Called often. An error stops the work where it stands.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the user wishes it.
    fn pass(&mut self) -> Result<(), Error>;
    /// So many more bytes were worked through.
    fn worked(&mut self, bytes: u64);
}

/// Copies a file to a path that is replaced if it exists, with its owner, group and permissions as
/// far as they can be set. It is written as `partial`, on the same file system, and has its name
/// only when it is whole and on disk.
///
/// # Errors
/// [`Error::Changed`] when the file changed meanwhile, and what the kernel said.
pub(crate) fn file(
    from: &Path,
    to: &Path,
    partial: &Path,
    attend: &mut dyn Attend,
) -> Result<FileState, Error> {
    let opened = read::open(from).map_err(read_error)?;
    let status = opened.status();
    let mut copy = create(partial, 0o600)?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        attend.pass()?;
        let count = opened.read_at(&mut piece, offset)?;
        let bytes = piece.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        digest.update(bytes);
        copy.write_all(bytes).map_err(|error| Error::call("write", partial, &error))?;
        offset += count as u64;
        attend.worked(count as u64);
    }
    if offset != status.size_bytes || state_of(&opened.status_now()?) != state_of(&status) {
        return Err(Error::Changed { path: from.to_owned() });
    }
    adopt(&copy, &status);
    copy.sync_all().map_err(|error| Error::call("fsync", partial, &error))?;
    std::fs::rename(partial, to).map_err(|error| Error::call("rename", to, &error))?;
    if let Some(directory) = to.parent() {
        sync_directory(directory)?;
    }
    let digest = Some(hexadecimal(&digest.finalize()));
    Ok(FileState { digest, ..described(name_of(from), &status) })
}

/// The digest of a file's bytes.
pub(crate) fn digest(path: &Path, attend: &mut dyn Attend) -> Result<String, Error> {
    let mut file = File::open(path).map_err(|error| Error::call("open", path, &error))?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        attend.pass()?;
        let count = file.read(&mut piece).map_err(|error| Error::call("read", path, &error))?;
        if count == 0 {
            return Ok(hexadecimal(&digest.finalize()));
        }
        digest.update(piece.get(..count).unwrap_or_default());
        attend.worked(count as u64);
    }
}

/// The digest of bytes that are at hand.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// How a file looks now, by its status alone; `None` if there is none. It is not opened: closing
/// it would drop the locks that SQLite holds on it in this process.
pub(crate) fn look(path: &Path) -> Result<Option<FileState>, Error> {
    match read::status(path) {
        Ok(status) => Ok(Some(described(name_of(path), &status))),
        Err(error) if error.errno == Errno::ENOENT => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a file looks as it did, by size and time.
pub(crate) fn looks_alike(one: Option<&FileState>, other: Option<&FileState>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            (one.size_bytes, one.modified_ns) == (other.size_bytes, other.modified_ns)
        }
        _ => false,
    }
}

pub(crate) fn create(path: &Path, mode: u32) -> Result<File, Error> {
    files::remove(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(mode);
    options.open(path).map_err(|error| Error::call("open", path, &error))
}

/// Owner and permissions of the original. Where they cannot be set, as by a user who is not root,
/// the copy stays the user's own.
fn adopt(copy: &File, status: &Status) {
    let _ = std::os::unix::fs::fchown(copy, Some(status.uid), Some(status.gid));
    let permissions = std::fs::Permissions::from_mode(status.permissions & 0o777);
    let _ = copy.set_permissions(permissions);
}

fn described(name: String, status: &Status) -> FileState {
    FileState {
        name,
        size_bytes: status.size_bytes,
        modified_ns: nanoseconds(status.modified),
        digest: None,
    }
}

fn state_of(status: &Status) -> (u64, u64) {
    (status.size_bytes, nanoseconds(status.modified))
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn read_error(error: ReadError) -> Error {
    match error {
        ReadError::Call(error) => Error::Call(error),
        other => Error::NotApplicable(other.to_string()),
    }
}
