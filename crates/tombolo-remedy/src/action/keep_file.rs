//! A copy of a configuration file as it was when the plan was made.

use crate::copy;
use crate::error::Error;
use crate::record::Kept;
use crate::run::Scene;

pub(super) fn apply(scene: &mut Scene<'_, '_>, before: &str) -> Result<Kept, Error> {
    let place = scene.place;
    let path = place.target();
    let saved = place.saved(&place.name);
    let file = copy::file(&path, &saved, &place.partial(), scene.tools.attend)?;
    if file.digest.as_deref() != Some(before) {
        return Err(Error::Changed { path });
    }
    Ok(Kept { files: vec![file], content: None })
}
