//! Carries a plan out, takes up one that was cut off, and undoes one.
//!
//! What holds at every moment, also after a crash:
//!
//! 1. Before a step begins, a line that says so is on disk; after it is done, another.
//! 2. A step that was begun can be done again from its beginning, and can be undone.
//! 3. The database and the files beside it say the same to SQLite before, during and after every
//!    step of `leave-wal` and `enter-wal`; only the journal mode changes.
//! 4. The saved originals are written before anything is changed, and stay until they are dropped.
//! 5. A configuration file is the old one or the edited one, whole, at every moment.
//! 6. Undoing never takes back what was committed after the run: where the content has changed, it
//!    puts back the journal mode, or refuses.

use crate::action;
use crate::copy::Attend;
use crate::error::Error;
use crate::files::{self, sync_directory};
use crate::guard::{self, Elsewhere, Unseen, Watch};
use crate::plan::{Plan, RemedyName, Step};
use crate::record::{Ended, Kept, Line, Record, Standing, StepStanding};
use crate::service::Services;
use crate::state::Place;

/// What a run works with.
pub struct Tools<'a> {
    /// Asked whether to stop, and told of progress.
    pub attend: &'a mut dyn Attend,
    /// Finds the programs of this kernel.
    pub watch: &'a mut dyn Watch,
    /// Starts services, and looks at an owner as an app does.
    pub services: &'a mut dyn Services,
    /// What to think of other kernels.
    pub elsewhere: Elsewhere,
    /// Called at the beginning of each step.
    pub on_step: &'a mut dyn FnMut(usize, &Step),
    /// Whether long work of SQLite is to stop.
    pub stop_wanted: fn() -> bool,
}

/// What became of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What to tell the user beside that it is done.
    pub notes: Vec<String>,
}

/// The context of one step.
pub(crate) struct Scene<'a, 'b> {
    pub(crate) place: &'a Place,
    pub(crate) standing: &'a Standing,
    pub(crate) tools: &'a mut Tools<'b>,
    /// Whether the step had been begun by an earlier run.
    pub(crate) again: bool,
    pub(crate) notes: &'a mut Vec<String>,
}

impl Scene<'_, '_> {
    /// Nobody uses the database.
    pub(crate) fn check_unused(&mut self, unseen: Unseen) -> Result<(), Error> {
        guard::check(self.place, self.tools.watch, self.tools.elsewhere, unseen)
    }

    /// What an earlier step of a kind has left.
    pub(crate) fn kept(&self, of: fn(&crate::plan::Action) -> bool) -> Option<&Kept> {
        let steps = self.standing.plan.steps.iter();
        let place = steps.enumerate().find(|(_, step)| of(&step.action)).map(|(place, _)| place)?;
        self.standing.kept(place)
    }
}

/// What is recorded of a file; `None` if nothing is.
///
/// # Errors
/// When the record cannot be read or trusted.
pub fn recorded(place: &Place) -> Result<Option<Standing>, Error> {
    Ok(open(place)?.map(|record| record.standing().clone()))
}

fn open(place: &Place) -> Result<Option<Record>, Error> {
    match place.trust() {
        Err(Error::Call(error)) if error.errno == tombolo_core::errno::Errno::ENOENT => Ok(None),
        Err(error) => Err(error),
        Ok(()) => {
            let record = Record::open(&place.record())?;
            match record {
                Some(record) if record.standing().plan.target != place.target() => {
                    Err(Error::Record {
                        path: place.record(),
                        reason: "it is about another file".to_owned(),
                    })
                }
                other => Ok(other),
            }
        }
    }
}

/// Carries a plan out. Where a run of the same remedy was cut off, that run is finished, by its own
/// plan.
///
/// # Errors
/// [`Error::Unfinished`] where a run of another remedy was cut off, [`Error::IsService`] where the
/// database was set up to be served; otherwise what stopped the
/// step. What was done stays done, and is recorded.
pub fn apply(place: &Place, plan: Plan, tools: &mut Tools<'_>) -> Result<Outcome, Error> {
    place.prepare()?;
    let remedy = plan.remedy;
    let record = match open(place)? {
        None => fresh(place, plan)?,
        Some(record) => match record.standing() {
            Standing { ended: None, plan: cut_off, .. } if cut_off.remedy != remedy => {
                return Err(Error::Unfinished { remedy: cut_off.remedy.as_str() });
            }
            Standing { ended: None, .. } => record,
            // With its record, the way back would be gone from a service that runs.
            Standing { ended: Some(Ended::Applied), plan: earlier, .. }
                if earlier.remedy == RemedyName::Serve && remedy != RemedyName::Serve =>
            {
                return Err(Error::IsService);
            }
            Standing { ended: Some(_), .. } => {
                drop(record);
                forget(place)?;
                place.prepare()?;
                fresh(place, plan)?
            }
        },
    };
    carry_out(place, record, tools)
}

fn fresh(place: &Place, plan: Plan) -> Result<Record, Error> {
    let path = place.record();
    // One whose plan was never whole announces nothing.
    files::remove(&path)?;
    let record = Record::begin(&path, plan)?;
    sync_directory(&place.state())?;
    Ok(record)
}

fn carry_out(place: &Place, mut record: Record, tools: &mut Tools<'_>) -> Result<Outcome, Error> {
    let mut notes = Vec::new();
    let steps = record.standing().plan.steps.clone();
    for (number, step) in steps.iter().enumerate() {
        let before = record.standing().steps.get(number).cloned();
        if matches!(before, Some(StepStanding::Done(_))) {
            continue;
        }
        tools.attend.pass()?;
        (tools.on_step)(number, step);
        record.add(Line::Begun(number))?;
        let standing = record.standing().clone();
        let again = matches!(before, Some(StepStanding::Begun(_)));
        let mut scene =
            Scene { place, standing: &standing, tools: &mut *tools, again, notes: &mut notes };
        let kept = match action::apply(&step.action, &mut scene) {
            // A run that never was: it stands in the way of no other.
            Err(error) if number == 0 && !again && error.comes_first() => {
                drop(record);
                forget(place)?;
                return Err(error);
            }
            other => other?,
        };
        record.add(Line::Done(number, kept))?;
    }
    record.add(Line::Ended(Ended::Applied))?;
    let plan = &record.standing().plan;
    if plan.remedy == RemedyName::Serve {
        // What apps must change was said before, and is of use now.
        notes.extend(plan.cautions.iter().cloned());
    }
    Ok(Outcome { notes })
}

/// Undoes a run, whether it ended or was cut off, backwards from its last step.
///
/// # Errors
/// [`Error::NothingRecorded`], and what stopped the step.
pub fn undo(place: &Place, tools: &mut Tools<'_>) -> Result<Outcome, Error> {
    let nothing = || Error::NothingRecorded(place.directory.clone());
    let mut record = open(place)?.ok_or_else(nothing)?;
    if record.standing().ended == Some(Ended::Undone) {
        return Err(nothing());
    }
    let mut notes = Vec::new();
    let steps = record.standing().plan.steps.clone();
    let mut untouched = record.standing().ended == Some(Ended::Applied);
    for (number, step) in steps.iter().enumerate().rev() {
        let before = record.standing().steps.get(number).cloned();
        if matches!(before, None | Some(StepStanding::Untouched)) {
            continue;
        }
        tools.attend.pass()?;
        (tools.on_step)(number, step);
        record.add(Line::Undoing(number))?;
        let standing = record.standing().clone();
        let mut scene = Scene {
            place,
            standing: &standing,
            tools: &mut *tools,
            again: !matches!(before, Some(StepStanding::Done(_))),
            notes: &mut notes,
        };
        match action::undo(&step.action, &mut scene) {
            // The run stands as it stood: it can be kept, and its originals given up.
            Err(error) if untouched && error.leaves_all() => {
                if let Some(StepStanding::Done(kept)) = before {
                    record.add(Line::Done(number, kept))?;
                    record.add(Line::Ended(Ended::Applied))?;
                }
                return Err(error);
            }
            undone => undone?,
        }
        untouched = false;
        record.add(Line::Undone(number))?;
    }
    record.add(Line::Ended(Ended::Undone))?;
    drop(record);
    forget(place)?;
    Ok(Outcome { notes })
}

/// Removes the directory of a run that ended, with the saved originals.
///
/// # Errors
/// What the kernel said.
pub fn forget(place: &Place) -> Result<(), Error> {
    place.trust()?;
    let state = place.state();
    // The record goes last: without it, nobody would know what the rest is.
    let entries =
        std::fs::read_dir(&state).map_err(|error| Error::call("readdir", &state, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| Error::call("readdir", &state, &error))?.path();
        if path != place.record() {
            std::fs::remove_file(&path).map_err(|error| Error::call("unlink", &path, &error))?;
        }
    }
    sync_directory(&state)?;
    let record = place.record();
    std::fs::remove_file(&record).map_err(|error| Error::call("unlink", &record, &error))?;
    std::fs::remove_dir(&state).map_err(|error| Error::call("rmdir", &state, &error))?;
    sync_directory(place.keeper())
}
