//! Other names for the files of a database that was copied elsewhere, and perhaps a link in its
//! place.
//!
//! With a link there is always something at the path of the database: before, the database, and
//! from one moment to the next, the link. Without one a program that is started again finds
//! nothing, and most make a new, empty database.

use super::{copy_to, is_copy_to};
use crate::copy;
use crate::error::Error;
use crate::files::{self, sync_directory};
use crate::guard::Unseen;
use crate::record::Kept;
use crate::run::Scene;
use std::path::{Path, PathBuf};

/// Sidecars, in the order in which they come back.
const SIDECARS: [&str; 3] = ["-journal", "-wal", "-shm"];

pub(super) fn apply(scene: &mut Scene<'_, '_>, link: Option<&Path>) -> Result<Kept, Error> {
    scene.check_unused(Unseen::Refused)?;
    let copied = scene.kept(is_copy_to).cloned().unwrap_or_default();
    let place = scene.place;
    let (database, old) = (place.target(), old_name(&place.target()));
    let retired = std::fs::symlink_metadata(&old).is_ok();
    if !retired {
        copy_to::check_unchanged(scene, &copied.files)?;
    } else if !scene.again {
        let text = format!("{} exists already; rename it first", old.display());
        return Err(Error::NotApplicable(text));
    }
    match link {
        // A second name first, then the link over the first one: so the path is never empty.
        Some(to) => {
            if !retired {
                std::fs::hard_link(&database, &old)
                    .map_err(|error| Error::call("link", &old, &error))?;
                sync_directory(&place.directory)?;
            }
            scene.tools.attend.pass()?;
            if !is_link(&database) {
                replace_by_link(&database, to, &place.partial())?;
            }
        }
        None if !retired => rename(&database, &old)?,
        None => {}
    }
    for suffix in SIDECARS {
        scene.tools.attend.pass()?;
        let path = place.beside(suffix);
        if copy::look(&path)?.is_some() {
            rename(&path, &old_name(&path))?;
        }
    }
    sync_directory(&place.directory)?;
    Ok(Kept::default())
}

pub(super) fn undo(scene: &mut Scene<'_, '_>) -> Result<(), Error> {
    let place = scene.place;
    let to = scene.standing.plan.steps.iter().find_map(|step| match &step.action {
        crate::plan::Action::CopyTo { to } => Some(to.clone()),
        _ => None,
    });
    if let Some(to) = to {
        copy_to::check_copy_unused(scene, &to)?;
    }
    let database = place.target();
    if !is_link(&database) && old_is_other(&database) {
        return Err(Error::Changed { path: database });
    }
    for suffix in SIDECARS {
        scene.tools.attend.pass()?;
        let path = place.beside(suffix);
        if old_name(&path).exists() {
            rename(&old_name(&path), &path)?;
        }
    }
    let old = old_name(&database);
    if old.exists() {
        rename(&old, &database)?;
        // Where both names are of one file, rename(2) does nothing.
        files::remove(&old)?;
    }
    sync_directory(&place.directory)
}

fn old_name(path: &Path) -> PathBuf {
    files::beside(path, files::OLD)
}

fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|status| status.file_type().is_symlink())
}

/// Whether a file that is none of ours stands where the database was: a program has made a new one.
fn old_is_other(database: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let numbers = |path: &Path| {
        std::fs::symlink_metadata(path).ok().map(|status| (status.dev(), status.ino()))
    };
    match (numbers(database), numbers(&old_name(database))) {
        (Some(there), Some(old)) => there != old,
        _ => false,
    }
}

fn replace_by_link(database: &Path, to: &Path, partial: &Path) -> Result<(), Error> {
    files::remove(partial)?;
    std::os::unix::fs::symlink(to, partial)
        .map_err(|error| Error::call("symlink", partial, &error))?;
    rename(partial, database)
}

fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(|error| Error::call("rename", to, &error))
}
