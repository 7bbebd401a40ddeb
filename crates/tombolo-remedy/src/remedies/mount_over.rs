//! `move` with a mount: the new directory stands in the place of the old one.
//!
//! SQLite names its log and its journal by the path of the database, so a mount of the single file
//! would leave them on the old file system. It is the directory that is mounted.

use super::keep;
use super::relocate::{Behind, destination, steps};
use crate::config::{self, BindMount, TablePath, Waits};
use crate::copy;
use crate::error::Error;
use crate::files;
use crate::plan::{Action, PLAN_SCHEMA, Plan, RemedyName, Step};
use crate::record::{Ended, Standing};
use crate::state::Place;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tombolo_os::bind_mount;

/// Names that are told of many.
const NAMED_MAX: usize = 3;

/// The table of file systems, in which the mount lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// Where it is.
    pub place: &'a Place,
    /// What stands in it.
    pub text: &'a str,
    /// When the mount can come about.
    pub waits: Waits,
}

/// To another directory, which exists and is empty, and which is mounted over the old one. The
/// place is one of [`Place::above`].
///
/// # Errors
/// [`Error::NotApplicable`] where the mount would hide or show more than the database, and where
/// the old directory is a mount already; [`Error::Config`] where the table is not edited; what the
/// kernel said.
pub fn relocate_under_mount(
    place: &Place,
    directory: &Path,
    table: &Table<'_>,
) -> Result<Plan, Error> {
    let to = destination(place, directory)?;
    let from = to.parent().unwrap_or(Path::new("/")).to_owned();
    check_free(place, &to)?;
    check_directories(place, &from)?;
    let wanted = wanted(&from, &place.directory, table.waits)?;
    let path = table.place.target();
    let refused = |refusal| Error::Config { path: path.clone(), refusal };
    let edits = config::bind(table.text, &wanted).map_err(refused)?.edits;
    let before = copy::digest_of(table.text.as_bytes());
    let after = config::edited(table.text, &edits).unwrap_or_default();
    let after = copy::digest_of(after.as_bytes());
    let over = place.directory.clone();
    let mut all = vec![
        Step {
            title: format!(
                "Mount {} over {} where no other program sees it, to know that it works",
                from.display(),
                over.display()
            ),
            action: Action::TryMount { from: from.clone(), over: over.clone() },
            reads: vec![from.clone(), over.clone()],
            writes: Vec::new(),
            could_break: "Nothing of yours. Without the right to mount, the run ends here."
                .to_owned(),
        },
        keep(place, &path, &before),
    ];
    all.extend(steps(place, &to, Behind::Link));
    if !edits.is_empty() {
        all.push(Step {
            title: format!("Add a line for the mount to {}", path.display()),
            action: Action::WriteFile { edits, before, after, file: Some(path.clone()) },
            reads: vec![path.clone()],
            writes: vec![path],
            could_break: "The file is the old one or the new one at every moment. With nofail, a \
                          machine starts also where the mount does not come about."
                .to_owned(),
        });
    }
    all.push(Step {
        title: format!("Mount {} over {}", from.display(), over.display()),
        action: Action::MountOver { from, over: over.clone() },
        reads: vec![to],
        writes: vec![over],
        could_break: "Programs that work in the old directory stay in it, and find the new \
                      database by the link."
            .to_owned(),
    });
    Ok(Plan {
        schema: PLAN_SCHEMA.to_owned(),
        remedy: RemedyName::Move,
        target: place.target(),
        steps: all,
        cautions: cautions(),
    })
}

fn cautions() -> Vec<String> {
    [
        "The program that uses the database must be stopped until this is done.",
        "Other kernels do not see the mount: they find a link that leads nowhere. Only programs \
         that reach the new place may use the database from now on.",
        "Whatever the program makes in that directory from now on is made in the new one.",
        "A service that must not start before the mount says so: RequiresMountsFor= \
         (systemd.unit(5)). Until then it follows the link; in a container it finds nothing.",
    ]
    .map(str::to_owned)
    .into()
}

/// Whether a run that was recorded has done this very move, and it is still so.
///
/// # Errors
/// What the kernel said of the directories, and as [`relocate_under_mount`] for the same directory.
pub fn is_under_mount(place: &Place, standing: &Standing, directory: &Path) -> Result<bool, Error> {
    let to = destination(place, directory)?;
    let from = to.parent().unwrap_or(Path::new("/"));
    let did = standing.plan.steps.iter().any(|step| {
        matches!(&step.action, Action::MountOver { from: was, over }
            if was == from && *over == place.directory)
    });
    let shown = bind_mount::is_bound(from, &place.directory)?;
    Ok(standing.ended == Some(Ended::Applied) && did && shown && to.is_file())
}

fn wanted(from: &Path, over: &Path, waits: Waits) -> Result<BindMount, Error> {
    let path = |path: &Path| -> Result<TablePath, Error> {
        let text = path.display().to_string();
        text.parse().map_err(|error: config::NoTablePath| Error::NotApplicable(error.to_string()))
    };
    Ok(BindMount { from: path(from)?, over: path(over)?, waits })
}

/// The mount of a plan, as the table has it.
pub(crate) fn of_plan(plan: &Plan) -> Option<BindMount> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::MountOver { from, over } => wanted(from, over, Waits::ForDisks).ok(),
        _ => None,
    })
}

/// Nothing has the name there yet.
fn check_free(place: &Place, to: &Path) -> Result<(), Error> {
    if std::fs::symlink_metadata(to).is_err() {
        return Ok(());
    }
    let moved = std::fs::read_link(place.target()).is_ok_and(|leads| leads == to);
    let text = if moved {
        format!("it was moved there; the mount is missing: mount {}", place.directory.display())
    } else {
        format!("{} exists; nothing is overwritten", to.display())
    };
    Err(Error::NotApplicable(text))
}

fn check_directories(place: &Place, from: &Path) -> Result<(), Error> {
    let over = &place.directory;
    let not = |text: String| Err(Error::NotApplicable(text));
    if from.starts_with(over) || over.starts_with(from) {
        return not("one of both directories is within the other".to_owned());
    }
    if bind_mount::is_mount_point(over)? {
        return not(format!(
            "{} is a mount itself, and the table of file systems has one for each directory; let \
             the database stand in a directory below it",
            over.display()
        ));
    }
    if place.is_recorded_beside() {
        let text = "the originals of an earlier run are kept beside it, where the mount would hide \
                    them: say --forget to remove them";
        return not(text.to_owned());
    }
    let hidden = hidden(place)?;
    if !hidden.is_empty() {
        return not(format!(
            "the mount would hide what else is in {}: {}",
            over.display(),
            in_words(&hidden)
        ));
    }
    let shown = names(from, |_| false)?;
    if !shown.is_empty() {
        return not(format!(
            "the mount would show what else is in {}: {}; give the database a directory of its own",
            from.display(),
            in_words(&shown)
        ));
    }
    let status = |path: &Path| {
        let status = std::fs::metadata(path).map_err(|error| Error::call("stat", path, &error))?;
        Ok::<_, Error>((status.uid(), status.gid(), status.mode() & 0o777))
    };
    let (old, new) = (status(over)?, status(from)?);
    if (old.0, old.1) != (new.0, new.1) || old.2 & !new.2 != 0 {
        let [over, from] = [over, from].map(|path| path.display().to_string());
        return not(format!(
            "whoever may write in {over} must be able to write in {from}: give it the same owner \
             and mode, by chown --reference and chmod --reference"
        ));
    }
    Ok(())
}

/// What the mount would hide, beside the database and what the run has made of it.
pub(crate) fn hidden(place: &Place) -> Result<Vec<String>, Error> {
    names(&place.directory, |name| {
        let rest = name.strip_prefix(place.name.as_str());
        rest.is_some_and(|rest| files::ALL.contains(&rest.strip_suffix(files::OLD).unwrap_or(rest)))
    })
}

/// The names in a directory, without some.
fn names(directory: &Path, without: impl Fn(&str) -> bool) -> Result<Vec<String>, Error> {
    let failed = |error: std::io::Error| Error::call("readdir", directory, &error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = PathBuf::from(entry.map_err(failed)?.file_name()).display().to_string();
        if !without(&name) {
            names.push(name);
        }
        if names.len() > NAMED_MAX {
            break;
        }
    }
    Ok(names)
}

pub(crate) fn in_words(names: &[String]) -> String {
    let named = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX { format!("{named} and more") } else { named }
}
