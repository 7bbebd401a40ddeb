//! A wal-index that nobody needs any more. Undoing the conversion puts it back.

use crate::error::Error;
use crate::guard::Unseen;
use crate::record::Kept;
use crate::run::Scene;
use crate::state::sync_directory;

pub(super) fn apply(scene: &mut Scene<'_, '_>) -> Result<Kept, Error> {
    scene.check_unused(Unseen::Locked)?;
    let path = scene.place.beside("-shm");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::call("unlink", &path, &error));
        }
        _ => {}
    }
    sync_directory(&scene.place.directory)?;
    Ok(Kept::default())
}
