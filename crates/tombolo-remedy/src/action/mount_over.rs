//! The new directory, mounted over the old one.
//!
//! A link to the new database stands in the old directory meanwhile. So whoever opens the path
//! finds the new database with the mount and without it, as after a start at which it did not come
//! about.

use super::copy_to;
use crate::error::Error;
use crate::record::Kept;
use crate::remedies::{hidden, in_words};
use crate::run::Scene;
use std::path::Path;
use tombolo_os::bind_mount::{self, Trial};
use tombolo_os::worker::End;

/// Mounts it where no other program sees it.
pub(super) fn attempt(from: &Path, over: &Path) -> Result<Kept, Error> {
    let trial = bind_mount::attempt(from, over)?;
    let said = match trial {
        Trial::Works => return Ok(Kept::default()),
        Trial::NotKnown(End::StopWanted) => return Err(Error::Stopped),
        Trial::Refused(error) => error.to_string(),
        Trial::ShowsAnother => "something else was shown there".to_owned(),
        Trial::NotKnown(end) => end.to_string(),
    };
    Err(Error::NoMount { directory: over.to_owned(), said })
}

pub(super) fn apply(scene: &mut Scene<'_, '_>, from: &Path, over: &Path) -> Result<Kept, Error> {
    if !bind_mount::is_bound(from, over)? {
        let hidden = hidden(scene.place)?;
        if !hidden.is_empty() {
            let text = format!(
                "the mount would hide what stands in {} by now: {}",
                over.display(),
                in_words(&hidden)
            );
            return Err(Error::NotApplicable(text));
        }
        scene.tools.attend.pass()?;
        bind_mount::bind(from, over)?;
    }
    scene.notes.push(
        "systemd learns of the line in the table with systemctl daemon-reload; containers see the \
         mount when they are started again"
            .to_owned(),
    );
    Ok(Kept::default())
}

/// Unmounts it, unless a program has written to the copy since: it would be given up only to find
/// that nothing else can be undone.
pub(super) fn undo(scene: &mut Scene<'_, '_>, from: &Path, over: &Path) -> Result<(), Error> {
    copy_to::check_copy_unused(scene, &from.join(&scene.place.name))?;
    while bind_mount::is_bound(from, over)? {
        scene.tools.attend.pass()?;
        bind_mount::unbind(over)?;
    }
    Ok(())
}
