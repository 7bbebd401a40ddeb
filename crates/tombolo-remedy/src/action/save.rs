//! Copies of all files of a database, as they are before anything is changed.

use crate::copy;
use crate::error::Error;
use crate::files;
use crate::guard::Unseen;
use crate::record::Kept;
use crate::run::Scene;
use std::path::Path;
use tombolo_os::error::CallError;
use tombolo_os::mount_table;

/// Beside the saved files, a copy is worked on; and a margin for what SQLite writes meanwhile.
const COPIES: u64 = 2;
const MARGIN_BYTES: u64 = 16 * 1024 * 1024;

pub(super) fn apply(scene: &mut Scene<'_, '_>) -> Result<Kept, Error> {
    scene.check_unused(Unseen::Locked)?;
    let place = scene.place;
    let mut present = Vec::new();
    for suffix in files::ALL {
        present.extend(copy::look(&place.beside(suffix))?);
    }
    let size_bytes: u64 = present.iter().map(|file| file.size_bytes).sum();
    check_room(&place.state(), size_bytes.saturating_mul(COPIES).saturating_add(MARGIN_BYTES))?;
    let mut kept = Kept::default();
    for file in present {
        let from = place.directory.join(&file.name);
        let to = place.saved(&file.name);
        kept.files.push(copy::file(&from, &to, &place.partial(), scene.tools.attend)?);
    }
    Ok(kept)
}

/// # Errors
/// [`Error::NoRoom`], and what the kernel said.
pub(crate) fn check_room(directory: &Path, needed_bytes: u64) -> Result<(), Error> {
    let space = mount_table::space(directory).map_err(|errno| {
        Error::Call(CallError { call: "statvfs", path: directory.to_owned(), errno })
    })?;
    let free_bytes = space.available_bytes;
    if free_bytes >= needed_bytes {
        return Ok(());
    }
    Err(Error::NoRoom { directory: directory.to_owned(), free_bytes, needed_bytes })
}
