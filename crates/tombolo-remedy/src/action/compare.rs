//! The database holds what the rehearsed copy held.

use super::is_rehearse;
use crate::error::Error;
use crate::image::Image;
use crate::record::Kept;
use crate::run::Scene;

pub(super) fn apply(scene: &mut Scene<'_, '_>) -> Result<Kept, Error> {
    let database = scene.place.target();
    let image = Image::open(&database, scene.tools.attend)?;
    let content = image.digest(scene.tools.attend)?;
    let rehearsed = scene.kept(is_rehearse).and_then(|kept| kept.content.clone());
    if rehearsed.as_ref() == Some(&content) {
        return Ok(Kept { content: Some(content), ..Kept::default() });
    }
    Err(Error::Changed { path: database })
}
