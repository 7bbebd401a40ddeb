//! An edited configuration file in the place of the old one.
//!
//! It is written beside it, is on disk, and has its owner, mode and attributes before it gets its
//! name. So the file is the old one or the new one at every moment.

use super::keep_file::saved;
use crate::config::{self, Edit};
use crate::copy;
use crate::error::Error;
use crate::files::{remove, sync_directory};
use crate::plan::RemedyName;
use crate::record::Kept;
use crate::remedies::of_plan;
use crate::run::Scene;
use crate::state::Place;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use std::fs::{File, FileTimes, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};
use tombolo_os::error::CallError;
use tombolo_os::read::{self, Opened, Status};

/// What the step is to do.
pub(super) struct Change<'a> {
    pub(super) edits: &'a [Edit],
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    /// Where it is not the target of the plan.
    pub(super) file: Option<&'a Path>,
}

/// The file that is changed, and where it is written before it gets its name: on its own file
/// system.
struct Paths {
    file: PathBuf,
    partial: PathBuf,
}

impl Paths {
    fn of(place: &Place, file: Option<&Path>) -> Self {
        match file {
            None => Paths { file: place.target(), partial: place.partial() },
            Some(file) => Paths { file: file.to_owned(), partial: partial_of(file) },
        }
    }
}

/// Where a file is written that is not beside the directory of the run.
pub(super) fn partial_of(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}.tombolo-partial"))
}

/// More than any attribute has: `XATTR_SIZE_MAX` and `XATTR_LIST_MAX` of limits.h.
const ATTRIBUTE_BYTES_MAX: usize = 64 * 1024;

pub(super) fn apply(scene: &mut Scene<'_, '_>, change: &Change<'_>) -> Result<Kept, Error> {
    let paths = Paths::of(scene.place, change.file);
    let path = &paths.file;
    let (opened, bytes) = contents(path)?;
    let now = copy::digest_of(&bytes);
    if now == change.after && scene.again {
        return Ok(Kept::default());
    }
    if now != change.before {
        return Err(Error::Changed { path: path.clone() });
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    let edited = config::edited(&text, change.edits)
        .filter(|edited| copy::digest_of(edited.as_bytes()) == change.after);
    let Some(edited) = edited else {
        let reason = "its edits do not make the file that it names".to_owned();
        return Err(Error::Record { path: scene.place.record(), reason });
    };
    scene.tools.attend.pass()?;
    put(&paths, &opened, edited.as_bytes(), None)?;
    if change.file.is_none() {
        // What is still to be done was said before, and is of use now.
        scene.notes.extend(scene.standing.plan.cautions.iter().cloned());
    }
    Ok(Kept::default())
}

/// Puts the original back, unless somebody has edited the file since.
pub(super) fn undo(scene: &mut Scene<'_, '_>, change: &Change<'_>) -> Result<(), Error> {
    let paths = Paths::of(scene.place, change.file);
    let (path, saved) = (paths.file.clone(), saved(scene.place, &paths.file));
    if change.file.is_some() {
        // One that a crash has left.
        remove(&paths.partial)?;
    }
    let (opened, bytes) = contents(&path)?;
    let now = copy::digest_of(&bytes);
    if now == change.before {
        return Ok(());
    }
    if now != change.after {
        return match without(scene, change, &bytes) {
            Some(None) => Ok(()),
            Some(Some(text)) => put(&paths, &opened, text.as_bytes(), None),
            None => Err(Error::EditedSince { path, saved }),
        };
    }
    let (_, original) = contents(&saved)?;
    if copy::digest_of(&original) != change.before {
        let reason = "its bytes are not those that were saved".to_owned();
        return Err(Error::Record { path: saved, reason });
    }
    let modified_ns = scene.kept(super::is_keep_file).and_then(|kept| kept.files.first());
    put(&paths, &opened, &original, modified_ns.map(|file| file.modified_ns))
}

/// Says what [`undo`] would say of a file that it cannot take back.
pub(super) fn check_unedited(scene: &Scene<'_, '_>, change: &Change<'_>) -> Result<(), Error> {
    let path = Paths::of(scene.place, change.file).file;
    let (_, bytes) = contents(&path)?;
    let now = copy::digest_of(&bytes);
    let known = now == change.before || now == change.after;
    if known || without(scene, change, &bytes).is_some() {
        return Ok(());
    }
    let saved = saved(scene.place, &path);
    Err(Error::EditedSince { path, saved })
}

/// A file that was edited since, without what the run has put in; the inner `None` where nothing of
/// it is left. `None` where that cannot be told.
fn without(scene: &Scene<'_, '_>, change: &Change<'_>, bytes: &[u8]) -> Option<Option<String>> {
    match scene.standing.plan.remedy {
        RemedyName::Serve => without_service(change, bytes).map(Some),
        _ => without_mount(scene, bytes),
    }
}

/// The service that was added stands there once, byte for byte.
fn without_service(change: &Change<'_>, bytes: &[u8]) -> Option<String> {
    let [added] = change.edits else { return None };
    let text = std::str::from_utf8(bytes).ok()?;
    let (before, after) = text.split_once(&added.text)?;
    // A line that was written on at either end is another line.
    let begins = added.text.starts_with(['\r', '\n']) || before.ends_with('\n');
    let ends = added.text.ends_with('\n') || after.is_empty() || after.starts_with(['\r', '\n']);
    let once = !added.text.is_empty() && !after.contains(&added.text);
    (begins && ends && once && added.start == added.end).then(|| format!("{before}{after}"))
}

/// A table of file systems that was edited since, without the line of the mount that is undone; the
/// inner `None` where it has none. `None` where that cannot be told.
fn without_mount(scene: &Scene<'_, '_>, bytes: &[u8]) -> Option<Option<String>> {
    let mount = of_plan(&scene.standing.plan)?;
    let text = std::str::from_utf8(bytes).ok()?;
    let edits = config::unbind(text, &mount).ok()?.edits;
    if edits.is_empty() { Some(None) } else { config::edited(text, &edits).map(Some) }
}

pub(super) fn contents(path: &Path) -> Result<(Opened, Vec<u8>), Error> {
    let opened = read::open(path).map_err(copy::read_error)?;
    // One byte more than is allowed tells a file that is too long.
    let bytes = opened.bytes_at(0, config::TEXT_BYTES_MAX + 1)?;
    Ok((opened, bytes))
}

/// Writes bytes beside the old file, and lets them take its name.
fn put(paths: &Paths, old: &Opened, bytes: &[u8], modified_ns: Option<u64>) -> Result<(), Error> {
    let Paths { file: path, partial } = paths;
    let status = old.status();
    if status.links > 1 {
        let text = format!(
            "{} has {} names (hard links), of which only one would get the change",
            path.display(),
            status.links
        );
        return Err(Error::NotApplicable(text));
    }
    let mut file = copy::create(partial, 0o600)?;
    file.write_all(bytes).map_err(|error| Error::call("write", partial, &error))?;
    adopt(old, &file, path)?;
    if let Some(time) = modified_ns {
        let time = UNIX_EPOCH + Duration::from_nanos(time);
        let set = file.set_times(FileTimes::new().set_modified(time));
        set.map_err(|error| Error::call("futimens", partial, &error))?;
    }
    file.sync_all().map_err(|error| Error::call("fsync", partial, &error))?;
    if !is_same(&read::status_of_name(path)?, &status) {
        return Err(Error::Changed { path: path.clone() });
    }
    std::fs::rename(partial, path).map_err(|error| Error::call("rename", path, &error))?;
    sync_directory(path.parent().unwrap_or(Path::new("/")))
}

fn is_same(one: &Status, other: &Status) -> bool {
    let facts = |status: &Status| (status.device, status.inode, status.size_bytes, status.modified);
    facts(one) == facts(other)
}

/// Owner, mode and extended attributes, such as labels of SELinux and access lists. A file without
/// them is another file to whoever reads it, so that none is put where they cannot be kept.
fn adopt(old: &Opened, new: &File, path: &Path) -> Result<(), Error> {
    let status = old.status();
    let fstat = |error: std::io::Error| Error::call("fstat", path, &error);
    let made = new.metadata().map_err(fstat)?;
    if (made.uid(), made.gid()) != (status.uid, status.gid) {
        std::os::unix::fs::fchown(new, Some(status.uid), Some(status.gid))
            .map_err(|error| Error::call("fchown", path, &error))?;
    }
    new.set_permissions(Permissions::from_mode(status.permissions))
        .map_err(|error| Error::call("fchmod", path, &error))?;
    for name in attributes(old.file(), path)? {
        let failed = |call| {
            let path: PathBuf = path.to_owned();
            move |errno| Error::Call(CallError::from_rustix(call, &path, errno))
        };
        let value = |file: &File| {
            let mut bytes = vec![0; ATTRIBUTE_BYTES_MAX];
            fgetxattr(file, &name, bytes.as_mut_slice()).map(|length| {
                bytes.truncate(length);
                bytes
            })
        };
        let wanted = value(old.file()).map_err(failed("fgetxattr"))?;
        if value(new).as_ref() != Ok(&wanted) {
            fsetxattr(new, &name, &wanted, XattrFlags::empty()).map_err(failed("fsetxattr"))?;
        }
    }
    Ok(())
}

fn attributes(file: &File, path: &Path) -> Result<Vec<String>, Error> {
    let mut bytes = vec![0; ATTRIBUTE_BYTES_MAX];
    let length = match flistxattr(file, bytes.as_mut_slice()) {
        Ok(length) => length,
        // Not every file system has them.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => 0,
        Err(errno) => return Err(Error::Call(CallError::from_rustix("flistxattr", path, errno))),
    };
    let names = bytes.get(..length).unwrap_or_default().split(|byte| *byte == 0);
    Ok(names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}
