//! `mount`: other options, in the file that defines the mount.

use crate::config::{self, Change, Edit, Edited, Kind, Selector};
use crate::copy;
use crate::error::Error;
use crate::plan::{Action, PLAN_SCHEMA, Plan, RemedyName, Step};
use crate::state::Place;
use std::path::Path;
use tombolo_os::read;

/// What is wanted of a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// What the file is.
    pub kind: Kind,
    /// Which mount is meant.
    pub selector: &'a Selector,
    /// What is to be changed.
    pub changes: &'a [Change],
}

/// The text of a configuration file.
///
/// # Errors
/// What the kernel said, and [`Error::NotApplicable`] for one that is too long or no UTF-8.
pub fn configuration_text(place: &Place) -> Result<String, Error> {
    let path = place.target();
    let opened = read::open(&path).map_err(copy::read_error)?;
    let bytes = opened.bytes_at(0, config::TEXT_BYTES_MAX + 1)?;
    let not = |why: &str| Error::NotApplicable(format!("{} {why}", path.display()));
    if bytes.len() > config::TEXT_BYTES_MAX {
        return Err(not("is too long for a configuration file"));
    }
    String::from_utf8(bytes).map_err(|_| not("is no UTF-8"))
}

/// Other options of a mount.
///
/// # Errors
/// [`Error::Config`] where the file is not edited, [`Error::NotApplicable`] where all of it stands
/// there already.
pub fn mount(place: &Place, text: &str, wish: &Wish<'_>) -> Result<Plan, Error> {
    let edited = config::edit(wish.kind, text, wish.selector, wish.changes);
    let refused = |refusal| Error::Config { path: place.target(), refusal };
    let Edited { edits, notes } = edited.map_err(refused)?;
    let after = config::edited(text, &edits).unwrap_or_default();
    if edits.is_empty() {
        let text = format!("{} says so already; there is nothing to do", place.target().display());
        return Err(Error::NotApplicable(text));
    }
    let before = copy::digest_of(text.as_bytes());
    let after = copy::digest_of(after.as_bytes());
    let path = place.target();
    let steps = vec![
        Step {
            title: "Copy the file, as it is".to_owned(),
            action: Action::KeepFile { before: before.clone(), file: None },
            reads: vec![path.clone()],
            writes: vec![place.state()],
            could_break: "Nothing of yours.".to_owned(),
        },
        Step {
            title: "Write the edited file beside it, and let it take the name".to_owned(),
            action: Action::WriteFile { edits, before, after, file: None },
            reads: vec![path.clone()],
            writes: vec![place.state(), path.clone()],
            could_break: "The file is the old one or the new one at every moment, with its owner, \
                          mode and attributes. If it changes before, the run stops."
                .to_owned(),
        },
    ];
    let mut cautions = vec![wish.kind.takes_effect().to_owned()];
    cautions.push(
        "Stop the programs that use the database before that, and let the doctor look again \
         afterwards."
            .to_owned(),
    );
    cautions.extend(notes);
    Ok(Plan {
        schema: PLAN_SCHEMA.to_owned(),
        remedy: RemedyName::Mount,
        target: path,
        steps,
        cautions,
    })
}

/// The configuration file that a plan edits, and the edits.
fn edited_file(plan: &Plan) -> Option<(&Path, &[Edit], &str)> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::WriteFile { edits, before, file, .. } => {
            Some((file.as_deref().unwrap_or(&plan.target), edits.as_slice(), before.as_str()))
        }
        _ => None,
    })
}

/// The difference that a plan makes to a configuration file; `None` where it edits none, or where
/// the file is not what it was made for. A file that it makes is all new.
#[must_use]
pub fn difference(plan: &Plan) -> Option<String> {
    let made = plan.steps.iter().find_map(|step| match &step.action {
        Action::MakeFile { file, text } => Some((file, text)),
        _ => None,
    });
    if let Some((file, text)) = made {
        let edits = [Edit { start: 0, end: 0, text: text.clone() }];
        return Some(config::unified_diff(&file.display().to_string(), "", &edits));
    }
    let (path, edits, before) = edited_file(plan)?;
    let text = configuration_text(&Place::of(path).ok()?).ok()?;
    let same = copy::digest_of(text.as_bytes()) == before;
    same.then(|| config::unified_diff(&path.display().to_string(), &text, edits))
}
