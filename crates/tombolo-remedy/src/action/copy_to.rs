//! A copy in another directory, recovered and checked by SQLite there, and compared page by page
//! with the original by a reader that is not SQLite.

use super::save::check_room;
use crate::copy;
use crate::error::Error;
use crate::files::{self, beside, remove, sync_directory};
use crate::guard::Unseen;
use crate::image::Image;
use crate::record::{FileState, Kept};
use crate::run::Scene;
use crate::sqlite::{Database, Manner};
use rustix::fs::{CWD, RenameFlags};
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::sqlite::journal::{self, JournalContent};
use tombolo_os::error::CallError;
use tombolo_os::read;

/// For what SQLite writes while it recovers the copy.
const MARGIN_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn apply(scene: &mut Scene<'_, '_>, to: &Path) -> Result<Kept, Error> {
    scene.check_unused(Unseen::Refused)?;
    // What stands there after a run that was cut off is that run's own: it was not there before.
    if scene.again && copy::look(to)?.is_some() {
        remove(to)?;
    }
    let directory = to.parent().unwrap_or(Path::new("/"));
    let present = looks(scene)?;
    let size_bytes: u64 = present.iter().map(|file| file.size_bytes).sum();
    check_room(directory, size_bytes.saturating_add(MARGIN_BYTES))?;
    let copy = beside(to, ".tombolo-copy");
    clear(&copy)?;
    for file in &present {
        let suffix = file.name.strip_prefix(&scene.place.name).unwrap_or_default();
        let (target, partial) = (beside(&copy, suffix), beside(&copy, ".partial"));
        let from = scene.place.directory.join(&file.name);
        copy::file(&from, &target, &partial, scene.tools.attend)?;
    }
    let hot = is_hot(&scene.place.beside("-journal"))?;
    let mut database = Database::open(&copy, Manner::Locked)?;
    database.stop_when(scene.tools.stop_wanted)?;
    database.check(scene.tools.attend)?;
    database.close()?;
    let image = Image::open(&copy, scene.tools.attend)?;
    if hot {
        let note = "a transaction was cut off before: SQLite has rolled it back in the copy";
        scene.notes.push(note.to_owned());
    } else {
        let original = Image::open(&scene.place.target(), scene.tools.attend)?;
        original.compare(&image, scene.tools.attend)?;
    }
    let content = image.digest(scene.tools.attend)?;
    drop(image);
    check_unchanged(scene, &present)?;
    put(&copy, to)?;
    sync_directory(directory)?;
    let mut files = present;
    files.extend(copy::look(to)?);
    Ok(Kept { files, content: Some(content) })
}

/// Removes the copy, unless a program has written to it since.
pub(super) fn undo(scene: &mut Scene<'_, '_>, to: &Path) -> Result<(), Error> {
    clear(&beside(to, ".tombolo-copy"))?;
    check_copy_unused(scene, to)?;
    if copy::look(to)?.is_some() { remove(to) } else { Ok(()) }
}

/// The copy is as the run has left it.
///
/// # Errors
/// [`Error::CommittedSince`] where it is not: what was committed there would be lost.
pub(super) fn check_copy_unused(scene: &mut Scene<'_, '_>, to: &Path) -> Result<(), Error> {
    let programs = scene.tools.watch.look(to).map_err(Error::UseNotKnown)?;
    if !programs.openers.is_empty() {
        return Err(Error::InUse(programs.openers));
    }
    // A copy that was cut off has no name yet, or one that nobody was told of.
    let Some(kept) = scene.kept(super::is_copy_to) else { return Ok(()) };
    let now = copy::look(to)?;
    let log = copy::look(&beside(to, "-wal"))?.is_some_and(|log| log.size_bytes > 0);
    if now.is_none() || (copy::looks_alike(kept.files.last(), now.as_ref()) && !log) {
        return Ok(());
    }
    Err(Error::CommittedSince { path: to.to_owned() })
}

/// The original is as it was copied.
pub(super) fn check_unchanged(scene: &Scene<'_, '_>, before: &[FileState]) -> Result<(), Error> {
    for suffix in files::WITH_CONTENT {
        let path = scene.place.beside(suffix);
        let name = format!("{}{suffix}", scene.place.name);
        let before = before.iter().find(|file| file.name == name);
        if !copy::looks_alike(before, copy::look(&path)?.as_ref()) {
            return Err(Error::Changed { path });
        }
    }
    Ok(())
}

fn looks(scene: &Scene<'_, '_>) -> Result<Vec<FileState>, Error> {
    let mut present = Vec::new();
    for suffix in files::WITH_CONTENT {
        present.extend(copy::look(&scene.place.beside(suffix))?);
    }
    Ok(present)
}

fn is_hot(path: &Path) -> Result<bool, Error> {
    const START_BYTES: usize = 512;
    match read::open(path) {
        Err(error) if error.errno() == Some(Errno::ENOENT) => Ok(false),
        Err(error) => Err(copy::read_error(error)),
        Ok(opened) => {
            let start = opened.bytes_at(0, START_BYTES)?;
            let content = journal::judge(&start, opened.status().size_bytes);
            Ok(matches!(content, JournalContent::Hot(_)))
        }
    }
}

/// Gives the copy its name, which must be free: whoever made a file there meanwhile keeps it.
fn put(copy: &Path, to: &Path) -> Result<(), Error> {
    let failed =
        |call, errno: rustix::io::Errno| Error::Call(CallError::from_rustix(call, to, errno));
    match rustix::fs::renameat_with(CWD, copy, CWD, to, RenameFlags::NOREPLACE) {
        // The file system has no such call (rename(2), EINVAL); a new name does the same.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            rustix::fs::link(copy, to).map_err(|errno| failed("link", errno))?;
            remove(copy)
        }
        renamed => renamed.map_err(|errno| failed("renameat2", errno)),
    }
}

fn clear(copy: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-journal", "-shm", ".partial"] {
        remove(&beside(copy, suffix))?;
    }
    Ok(())
}
