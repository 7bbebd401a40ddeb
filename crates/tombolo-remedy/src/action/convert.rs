//! The conversion itself, by SQLite and in place: its own locks keep other programs out, and a
//! crash leaves what the next opener of SQLite can recover.

use super::{is_rehearse, is_save, restore};
use crate::copy;
use crate::error::Error;
use crate::files;
use crate::guard::Unseen;
use crate::image::Image;
use crate::plan::JournalMode;
use crate::record::Kept;
use crate::run::Scene;
use crate::sqlite::{Database, Manner};

pub(super) fn apply(scene: &mut Scene<'_, '_>, to: JournalMode) -> Result<Kept, Error> {
    scene.check_unused(Unseen::Locked)?;
    // Of one that was cut off the files have changed; that they say the same is checked afterwards.
    if !scene.again {
        check_unchanged(scene)?;
    }
    convert(scene, to)?;
    Ok(Kept::default())
}

/// Every file is as it was saved.
fn check_unchanged(scene: &Scene<'_, '_>) -> Result<(), Error> {
    let saved = scene.kept(is_save).cloned().unwrap_or_default();
    for suffix in files::ALL {
        let path = scene.place.beside(suffix);
        let name = format!("{}{suffix}", scene.place.name);
        let before = saved.files.iter().find(|file| file.name == name);
        if !copy::looks_alike(before, copy::look(&path)?.as_ref()) {
            return Err(Error::Changed { path });
        }
    }
    Ok(())
}

fn convert(scene: &mut Scene<'_, '_>, to: JournalMode) -> Result<(), Error> {
    let mut database = Database::open(&scene.place.target(), Manner::Locked)?;
    database.stop_when(scene.tools.stop_wanted)?;
    database.keep_others_out()?;
    database.convert(to)?;
    database.close()
}

/// Puts the journal mode back, and where nothing else has changed also every byte.
pub(super) fn undo(scene: &mut Scene<'_, '_>, to: JournalMode) -> Result<(), Error> {
    scene.check_unused(Unseen::Locked)?;
    // Where locks are refused, nothing was done, and nothing can be.
    if check_unchanged(scene).is_ok() {
        return Ok(());
    }
    convert(scene, JournalMode::Delete)?;
    let image = Image::open(&scene.place.target(), scene.tools.attend)?;
    let content = image.digest(scene.tools.attend)?;
    let rehearsed = scene.kept(is_rehearse).and_then(|kept| kept.content.clone());
    let saved = scene.kept(is_save).cloned().unwrap_or_default();
    if rehearsed == Some(content) {
        return restore::files(scene, &saved.files);
    }
    convert(scene, to.other())?;
    scene.notes.push(
        "the database was written to since the run: only its journal mode was put back, so that \
         nothing committed is lost"
            .to_owned(),
    );
    Ok(())
}
