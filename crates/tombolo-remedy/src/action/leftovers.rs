//! A wal-index that nobody needs any more. Undoing the conversion puts it back.

use crate::error::Error;
use crate::files::{self, sync_directory};
use crate::guard::Unseen;
use crate::record::Kept;
use crate::run::Scene;

pub(super) fn apply(scene: &mut Scene<'_, '_>) -> Result<Kept, Error> {
    scene.check_unused(Unseen::Locked)?;
    let path = scene.place.beside("-shm");
    files::remove(&path)?;
    sync_directory(&scene.place.directory)?;
    Ok(Kept::default())
}
