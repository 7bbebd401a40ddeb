//! The conversion of a copy: what fails here fails before anything was changed.

use super::is_save;
use crate::copy;
use crate::error::Error;
use crate::files;
use crate::image::Image;
use crate::plan::JournalMode;
use crate::record::Kept;
use crate::run::Scene;
use crate::sqlite::{Database, Manner};
use std::path::Path;

pub(super) fn apply(scene: &mut Scene<'_, '_>, to: JournalMode) -> Result<Kept, Error> {
    let place = scene.place;
    let work = place.work();
    clear(&work)?;
    let saved = scene.kept(is_save).cloned().unwrap_or_default();
    for file in &saved.files {
        let suffix = file.name.strip_prefix(&place.name).unwrap_or_default();
        // A wal-index holds nothing that is not in the log.
        if suffix != "-shm" {
            let target = files::beside(&work, suffix);
            let saved = place.saved(&file.name);
            copy::file(&saved, &target, &place.partial(), scene.tools.attend)?;
        }
    }
    let mut database = Database::open(&work, Manner::Private)?;
    database.stop_when(scene.tools.stop_wanted)?;
    database.check(scene.tools.attend)?;
    database.convert(to)?;
    database.check(scene.tools.attend)?;
    database.close()?;
    let content = Image::open(&work, scene.tools.attend)?.digest(scene.tools.attend)?;
    clear(&work)?;
    Ok(Kept { content: Some(content), ..Kept::default() })
}

fn clear(work: &Path) -> Result<(), Error> {
    for suffix in files::ALL {
        let path = files::beside(work, suffix);
        files::remove(&path)?;
    }
    Ok(())
}
