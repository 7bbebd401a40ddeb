//! A copy of a configuration file as it was when the plan was made.

use crate::copy;
use crate::error::Error;
use crate::record::Kept;
use crate::run::Scene;
use crate::state::Place;
use std::path::{Path, PathBuf};

pub(super) fn apply(
    scene: &mut Scene<'_, '_>,
    before: &str,
    file: Option<&Path>,
) -> Result<Kept, Error> {
    let place = scene.place;
    let path = file.map_or_else(|| place.target(), Path::to_owned);
    let saved = saved(place, &path);
    let file = copy::file(&path, &saved, &place.partial(), scene.tools.attend)?;
    if file.digest.as_deref() != Some(before) {
        return Err(Error::Changed { path });
    }
    Ok(Kept { files: vec![file], content: None })
}

/// Where the original of a configuration file is kept.
pub(super) fn saved(place: &Place, path: &Path) -> PathBuf {
    place.saved(&path.file_name().unwrap_or_default().to_string_lossy())
}
