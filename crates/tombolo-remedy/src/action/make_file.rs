//! A file that is not there yet.
//!
//! It is written beside its place, and is on disk, before it gets its name; a file that has the
//! name by then keeps it.

use super::write_file::{contents, partial_of};
use crate::copy;
use crate::error::Error;
use crate::files::{remove, sync_directory};
use crate::record::Kept;
use crate::run::Scene;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::io::Write as _;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_os::error::CallError;

pub(super) fn apply(scene: &mut Scene<'_, '_>, file: &Path, text: &str) -> Result<Kept, Error> {
    match made(file, text)? {
        Made::Whole if scene.again => return Ok(Kept::default()),
        Made::No => {}
        Made::Whole | Made::Edited => {
            let text = format!("{} exists; nothing is overwritten", file.display());
            return Err(Error::NotApplicable(text));
        }
    }
    scene.tools.attend.pass()?;
    let directory = file.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory).map_err(|error| Error::call("mkdir", directory, &error))?;
    let partial = partial_of(file);
    let mut written = copy::create(&partial, 0o644)?;
    written.write_all(text.as_bytes()).map_err(|error| Error::call("write", &partial, &error))?;
    written.sync_all().map_err(|error| Error::call("fsync", &partial, &error))?;
    renameat_with(CWD, &partial, CWD, file, RenameFlags::NOREPLACE)
        .map_err(|errno| Error::Call(CallError::from_rustix("renameat2", file, errno)))?;
    sync_directory(directory)?;
    Ok(Kept::default())
}

/// Removes it, unless somebody has edited it since.
pub(super) fn undo(file: &Path, text: &str) -> Result<(), Error> {
    remove(&partial_of(file))?;
    match made(file, text)? {
        Made::No => return Ok(()),
        Made::Edited => return Err(Error::MadeEdited { path: file.to_owned() }),
        Made::Whole => {}
    }
    remove(file)?;
    sync_directory(file.parent().unwrap_or(Path::new("/")))
}

/// What stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Nothing.
    No,
    /// The file as it was made.
    Whole,
    /// Something else.
    Edited,
}

pub(super) fn made(file: &Path, text: &str) -> Result<Made, Error> {
    match contents(file) {
        Ok((_, bytes)) if bytes == text.as_bytes() => Ok(Made::Whole),
        Ok(_) => Ok(Made::Edited),
        Err(Error::Call(error)) if error.errno == Errno::ENOENT => Ok(Made::No),
        Err(error) => Err(error),
    }
}
