//! Every byte as it was saved, in an order in which the database says the same at every moment.
//!
//! The database stands converged: no log, no journal. Every page in which it differs from the saved
//! one is in the saved log or in the saved hot journal, or it is page 1 and differs in what its
//! header says of the file. So log and journal come first; laid over the database, they make it say
//! what it says, whichever of its pages are already the old ones.

use crate::copy;
use crate::error::Error;
use crate::files::{self, sync_directory};
use crate::record::FileState;
use crate::run::Scene;
use std::fs::{File, FileTimes, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tombolo_core::errno::Errno;
use tombolo_os::error::CallError;
use tombolo_os::lock::{self, Family, Strength};

/// Bytes compared and written at once.
const PIECE_BYTES: usize = 64 * 1024;

pub(super) fn files(scene: &mut Scene<'_, '_>, saved: &[FileState]) -> Result<(), Error> {
    let place = scene.place;
    for file in saved {
        check_whole(&place.saved(&file.name), file, scene)?;
    }
    let path = place.target();
    let opened = OpenOptions::new().read(true).write(true).open(&path);
    let database = opened.map_err(|error| Error::call("open", &path, &error))?;
    keep_others_out(&database, &path)?;
    for file in saved.iter().filter(|file| file.name != place.name) {
        let target = place.directory.join(&file.name);
        copy::file(&place.saved(&file.name), &target, &place.partial(), scene.tools.attend)?;
        set_time(&target, file)?;
    }
    let source = place.saved(&place.name);
    let from = File::open(&source).map_err(|error| Error::call("open", &source, &error))?;
    overwrite(&from, &source, &database, &path, scene)?;
    for suffix in files::ALL {
        let name = format!("{}{suffix}", place.name);
        if !saved.iter().any(|file| file.name == name) {
            let path = place.beside(suffix);
            files::remove(&path)?;
        }
    }
    sync_directory(&place.directory)?;
    match saved.iter().find(|file| file.name == place.name) {
        Some(file) => set_time(&path, file),
        None => Ok(()),
    }
}

/// What was saved is what is still there.
fn check_whole(path: &Path, file: &FileState, scene: &mut Scene<'_, '_>) -> Result<(), Error> {
    let digest = copy::digest(path, scene.tools.attend)?;
    if file.digest.as_ref() == Some(&digest) {
        return Ok(());
    }
    let reason = "its bytes are not those that were saved".to_owned();
    Err(Error::Record { path: path.to_owned(), reason })
}

/// SQLite of this kernel says "database is locked" until the file is closed.
fn keep_others_out(database: &File, path: &Path) -> Result<(), Error> {
    match lock::set(database, Family::OpenFile, Strength::Exclusive, files::LOCKED) {
        Ok(()) => Ok(()),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(Error::Changed { path: path.to_owned() }),
        Err(errno) => Err(Error::Call(CallError { call: "fcntl", path: path.to_owned(), errno })),
    }
}

/// Writes what differs, so that an undo of a large database is short.
fn overwrite(
    from: &File,
    from_path: &Path,
    to: &File,
    to_path: &Path,
    scene: &mut Scene<'_, '_>,
) -> Result<(), Error> {
    let (mut old, mut new) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut offset = 0;
    loop {
        scene.tools.attend.pass()?;
        let count = fill(from, &mut old, offset)
            .map_err(|error| Error::call("pread", from_path, &error))?;
        let there =
            fill(to, &mut new, offset).map_err(|error| Error::call("pread", to_path, &error))?;
        let (old, new) = (old.get(..count), new.get(..there));
        if let Some(bytes) = old.filter(|_| old != new) {
            let written = to.write_all_at(bytes, offset);
            written.map_err(|error| Error::call("pwrite", to_path, &error))?;
        }
        offset += count as u64;
        scene.tools.attend.worked(count as u64);
        if count < PIECE_BYTES {
            break;
        }
    }
    to.set_len(offset).map_err(|error| Error::call("ftruncate", to_path, &error))?;
    to.sync_all().map_err(|error| Error::call("fsync", to_path, &error))
}

fn fill(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
    let mut filled_bytes = 0;
    while let Some(rest) = buffer.get_mut(filled_bytes..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled_bytes as u64) {
            Ok(0) => break,
            Ok(count) => filled_bytes += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled_bytes)
}

/// Sets when a file was changed last, by its name: a descriptor of the database that is closed
/// gives up the locks of this process on it.
fn set_time(path: &Path, file: &FileState) -> Result<(), Error> {
    let time = UNIX_EPOCH + Duration::from_nanos(file.modified_ns);
    let set =
        File::open(path).and_then(|opened| opened.set_times(FileTimes::new().set_modified(time)));
    set.map_err(|error| Error::call("utimensat", path, &error))
}
