//! `move`: to another directory.

use crate::error::Error;
use crate::files;
use crate::plan::{Action, PLAN_SCHEMA, Plan, RemedyName, Step};
use crate::record::{Ended, Standing};
use crate::state::Place;
use std::path::{Path, PathBuf};
use tombolo_os::error::CallError;

/// What is left where the database was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// A symbolic link to the new place. SQLite follows it, and keeps its sidecars there.
    Link,
    /// Nothing: the program is told the new path by its own settings.
    Nothing,
}

/// To another directory, which exists.
///
/// # Errors
/// [`Error::NotApplicable`] when something has the name there already, or it is the same
/// directory; what the kernel said of the directory.
pub fn relocate(place: &Place, directory: &Path, behind: Behind) -> Result<Plan, Error> {
    let to = destination(place, directory)?;
    if std::fs::symlink_metadata(&to).is_ok() {
        let text = format!("{} exists; nothing is overwritten", to.display());
        return Err(Error::NotApplicable(text));
    }
    Ok(plan(place, &to, behind))
}

/// Whether a run that was recorded has done this very move, and it is still so: the database is
/// there, and the old path leads there, or nowhere.
///
/// # Errors
/// What the kernel said of the directory, and as [`relocate`] for the same directory.
pub fn is_relocated(
    place: &Place,
    standing: &Standing,
    directory: &Path,
    behind: Behind,
) -> Result<bool, Error> {
    let to = destination(place, directory)?;
    let actions = |plan: &Plan| -> Vec<Action> {
        plan.steps.iter().map(|step| step.action.clone()).collect()
    };
    let same = actions(&standing.plan) == actions(&plan(place, &to, behind));
    let left = match behind {
        Behind::Link => std::fs::read_link(place.target()).is_ok_and(|leads| leads == to),
        Behind::Nothing => std::fs::symlink_metadata(place.target()).is_err(),
    };
    Ok(standing.ended == Some(Ended::Applied) && same && left && to.is_file())
}

/// Where the database would be in that directory.
pub(super) fn destination(place: &Place, directory: &Path) -> Result<PathBuf, Error> {
    let whole = std::fs::canonicalize(directory)
        .map_err(|error| Error::NoDirectory(CallError::new("realpath", directory, &error)))?;
    if whole == place.directory {
        return Err(Error::NotApplicable("the database is in that directory".to_owned()));
    }
    Ok(whole.join(&place.name))
}

/// The copy, and what becomes of the old files.
pub(super) fn steps(place: &Place, to: &Path, behind: Behind) -> Vec<Step> {
    let old: Vec<PathBuf> = files::WITH_CONTENT.iter().map(|suffix| place.beside(suffix)).collect();
    vec![
        Step {
            title: format!("Copy it to {}, check the copy, and compare both", to.display()),
            action: Action::CopyTo { to: to.to_owned() },
            reads: old.clone(),
            writes: vec![to.to_owned()],
            could_break: "Nothing of yours. A damaged database ends the run here.".to_owned(),
        },
        retire(place, to, behind, old),
    ]
}

fn plan(place: &Place, to: &Path, behind: Behind) -> Plan {
    let mut cautions = vec![
        "The program that uses the database must be stopped until this is done.".to_owned(),
        "Other kernels that opened the old path do not see the new place: only programs that reach \
         it may use the database from now on."
            .to_owned(),
    ];
    if behind == Behind::Link {
        cautions.push(
            "A container follows the link inside of itself: mount the new directory there at the \
             same path."
                .to_owned(),
        );
    }
    Plan {
        schema: PLAN_SCHEMA.to_owned(),
        remedy: RemedyName::Move,
        target: place.target(),
        steps: steps(place, to, behind),
        cautions,
    }
}

fn retire(place: &Place, to: &Path, behind: Behind, reads: Vec<PathBuf>) -> Step {
    let writes = files::ALL
        .iter()
        .flat_map(|suffix| {
            [place.beside(suffix), place.beside(&format!("{suffix}.moved-by-tombolo"))]
        })
        .collect();
    match behind {
        Behind::Link => Step {
            title: "Rename the old files to *.moved-by-tombolo, and put a link in their place"
                .to_owned(),
            action: Action::PutLink { to: to.to_owned() },
            reads,
            writes,
            could_break: "A program that is started meanwhile finds the old database or the new \
                          one, never none."
                .to_owned(),
        },
        Behind::Nothing => Step {
            title: "Rename the old files to *.moved-by-tombolo".to_owned(),
            action: Action::Retire,
            reads,
            writes,
            could_break: "A program that is started before its setting is changed makes a new, \
                          empty database at the old path."
                .to_owned(),
        },
    }
}
