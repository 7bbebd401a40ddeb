//! `tombolo fix`.

mod facts;
mod mount;
mod moves;
mod protocol;
mod serve;
mod simplify;
pub(crate) mod tools;
mod tune;

pub(crate) use protocol::Comparison;
pub(crate) use simplify::{ConfigurationFile, Simpler};
pub(crate) use tune::{TrialRow, Tuned};

use crate::answer;
use crate::args::{FixArguments, FixRemedy, MountArguments, ProtocolArguments};
use crate::exit::{Exit, Failure};
use crate::render::{self};
use serde::Serialize;
use std::path::Path;
use tombolo_doctor::remedy::quoted;
use tombolo_remedy::Error;
use tombolo_remedy::plan::{Plan, RemedyName};
use tombolo_remedy::record::Standing;
use tombolo_remedy::remedies;
use tombolo_remedy::run::{self, Outcome};
use tombolo_remedy::state::Place;

/// Name and version of the JSON that tells what was done.
const FIX_SCHEMA: &str = "tombolo.fix/1";

/// What was done.
#[derive(Serialize)]
struct Done<'a> {
    schema: &'static str,
    remedy: RemedyName,
    target: String,
    /// `applied`, `undone` or `forgotten`.
    ended: &'static str,
    notes: &'a [String],
    /// The command that takes it back.
    undo: Option<String>,
}

pub(crate) fn run(arguments: &FixArguments) -> Result<Exit, Failure> {
    tombolo_os::signal::catch_stop();
    let how = &arguments.run;
    let Some(remedy) = &arguments.remedy else {
        if how.undo || how.forget {
            return take_back(arguments);
        }
        if how.apply {
            let failure = Failure::new(Exit::Usage, "--apply needs a remedy");
            return Err(failure.hint("without one, the ways out are listed"));
        }
        return facts::ways_out(arguments);
    };
    let Some(name) = name(remedy) else { return show(arguments, remedy) };
    if how.undo || how.forget {
        return take_back(arguments);
    }
    if let (FixRemedy::Protocol(wanted), false) = (remedy, how.apply) {
        return protocol::show(arguments, wanted);
    }
    let place = moves::place(arguments).map_err(refused)?;
    let recorded = run::recorded(&place).map_err(refused)?;
    if recorded.as_ref().is_some_and(|standing| is_done(&place, standing, remedy)) {
        return say_done(arguments, &place, name);
    }
    let plan = match recorded {
        // A run that was cut off goes on by its own plan.
        Some(Standing { ended: None, plan, .. }) if plan.remedy == name => plan,
        Some(Standing { ended: None, plan, .. }) => {
            return Err(refused(Error::Unfinished { remedy: plan.remedy.as_str() }));
        }
        _ => planned(arguments, &place, remedy)?,
    };
    if !how.apply {
        answer::print(arguments.run.format, &plan, |page| {
            let difference = remedies::difference(&plan);
            render::plan(page, &plan, difference.as_deref());
        })?;
        return Ok(Exit::Healthy);
    }
    let remedy = plan.remedy;
    let outcome = tools::with(how, plan.steps.len(), |tools| run::apply(&place, plan, tools));
    let outcome = outcome.map_err(refused)?;
    let undo = undo_command(arguments, remedy);
    print_done(arguments, &place, remedy, "applied", &outcome, Some(undo))?;
    Ok(Exit::Healthy)
}

/// Whether a run that was recorded has done all of this. A move cannot be told from the database
/// alone, as a change of its journal mode can.
fn is_done(place: &Place, standing: &Standing, remedy: &FixRemedy) -> bool {
    match remedy {
        FixRemedy::Move(wanted) => moves::is_done(place, standing, wanted),
        FixRemedy::Serve(_) => serve::is_done(place, standing),
        _ => false,
    }
}

fn say_done(arguments: &FixArguments, place: &Place, remedy: RemedyName) -> Result<Exit, Failure> {
    let note = "it was done by an earlier run; nothing was changed".to_owned();
    let outcome = Outcome { notes: vec![note] };
    let undo = undo_command(arguments, remedy);
    print_done(arguments, place, remedy, "applied", &outcome, Some(undo))?;
    Ok(Exit::Healthy)
}

/// The file that a remedy changes.
fn changed_file(arguments: &FixArguments) -> &Path {
    match &arguments.remedy {
        Some(
            FixRemedy::Mount(MountArguments { config: Some(config), .. })
            | FixRemedy::Protocol(ProtocolArguments { config: Some(config), .. }),
        ) => config,
        _ => &arguments.path,
    }
}

/// What only says something.
fn show(arguments: &FixArguments, remedy: &FixRemedy) -> Result<Exit, Failure> {
    let how = &arguments.run;
    if how.apply || how.undo || how.forget {
        let failure = Failure::new(Exit::Usage, "there is no file that this would change");
        return Err(failure.hint("`protocol` and `mount` change the one that --config names"));
    }
    match remedy {
        FixRemedy::Simplify(wanted) => simplify::show(arguments, wanted),
        FixRemedy::Protocol(wanted) => protocol::show(arguments, wanted),
        FixRemedy::Mount(wanted) => tune::show(arguments, wanted),
        FixRemedy::Serve(wanted) => serve::check(arguments, wanted),
        _ => facts::ways_out(arguments),
    }
}

fn planned(arguments: &FixArguments, place: &Place, remedy: &FixRemedy) -> Result<Plan, Failure> {
    match remedy {
        FixRemedy::LeaveWal => {
            let database = facts::database(place).map_err(refused)?;
            remedies::leave_wal(place, &database)
        }
        FixRemedy::EnterWal => {
            let database = facts::database_fit_for_wal(place).map_err(refused)?;
            remedies::enter_wal(place, &database)
        }
        FixRemedy::Move(wanted) => match &wanted.to {
            None => return Err(Failure::new(Exit::Usage, "--to is needed")),
            Some(to) => moves::planned(place, to, wanted),
        },
        FixRemedy::Mount(mount) => mount::planned(arguments, mount, place),
        FixRemedy::Protocol(wanted) => protocol::planned(arguments, wanted, place),
        FixRemedy::Serve(wanted) => return serve::planned(arguments, place, wanted),
        FixRemedy::Simplify(_) => {
            Err(Error::NotApplicable("it proposes, and changes nothing".to_owned()))
        }
    }
    .map_err(refused)
}

/// Undoes the last run, or removes what it has saved.
fn take_back(arguments: &FixArguments) -> Result<Exit, Failure> {
    let place = moves::place(arguments).map_err(refused)?;
    let standing = run::recorded(&place).map_err(refused)?;
    let nothing = || refused(Error::NothingRecorded(place.directory.clone()));
    let standing = standing.ok_or_else(nothing)?;
    let recorded = standing.plan.remedy;
    if arguments.remedy.as_ref().is_some_and(|remedy| name(remedy) != Some(recorded)) {
        let text = format!("the last run was {}", recorded.as_str());
        return Err(Failure::new(Exit::Findings, text).hint("say that, or no remedy at all"));
    }
    if arguments.run.forget {
        if standing.ended.is_none() {
            return Err(refused(Error::Unfinished { remedy: recorded.as_str() }));
        }
        run::forget(&place).map_err(refused)?;
        let outcome = Outcome { notes: Vec::new() };
        print_done(arguments, &place, recorded, "forgotten", &outcome, None)?;
        return Ok(Exit::Healthy);
    }
    let steps = standing.plan.steps.len();
    let outcome = tools::with(&arguments.run, steps, |tools| run::undo(&place, tools));
    let outcome = outcome.map_err(refused)?;
    print_done(arguments, &place, recorded, "undone", &outcome, None)?;
    Ok(Exit::Healthy)
}

/// The name under which a run is recorded; `None` where nothing is changed.
fn name(remedy: &FixRemedy) -> Option<RemedyName> {
    match remedy {
        FixRemedy::LeaveWal => Some(RemedyName::LeaveWal),
        FixRemedy::EnterWal => Some(RemedyName::EnterWal),
        FixRemedy::Move(_) => Some(RemedyName::Move),
        FixRemedy::Mount(mount) => (!mount.tune).then_some(RemedyName::Mount),
        FixRemedy::Protocol(wanted) => wanted.config.as_ref().map(|_| RemedyName::Protocol),
        FixRemedy::Serve(wanted) => (!wanted.check).then_some(RemedyName::Serve),
        FixRemedy::Simplify(_) => None,
    }
}

fn undo_command(arguments: &FixArguments, remedy: RemedyName) -> String {
    let path = quoted(&arguments.path.display().to_string());
    let file = changed_file(arguments);
    let remedy = if file == arguments.path {
        remedy.as_str().to_owned()
    } else {
        format!("{} --config {}", remedy.as_str(), quoted(&file.display().to_string()))
    };
    format!("tombolo fix {path} {remedy} --undo")
}

/// Errors after which nothing has changed are another exit code than those that leave work to do.
fn refused(error: Error) -> Failure {
    let exit = match &error {
        Error::InUse(_)
        | Error::UseNotKnown(_)
        | Error::UsedElsewhere(_)
        | Error::NoRoom { .. }
        | Error::NoMount { .. }
        | Error::Unfinished { .. }
        | Error::NothingRecorded(_)
        | Error::Busy
        | Error::Damaged(_)
        | Error::Config { .. }
        | Error::EditedSince { .. }
        | Error::MadeEdited { .. }
        | Error::ServedAlready { .. }
        | Error::NameTaken { .. }
        | Error::IsService
        | Error::NotApplicable(_) => Exit::Findings,
        _ => Exit::NotExamined,
    };
    let hint = error.hint();
    Failure::new(exit, error).hint_if_any(hint)
}

fn print_done(
    arguments: &FixArguments,
    place: &Place,
    remedy: RemedyName,
    ended: &'static str,
    outcome: &Outcome,
    undo: Option<String>,
) -> Result<(), Failure> {
    let target = place.target().display().to_string();
    let notes = &outcome.notes;
    let done = Done { schema: FIX_SCHEMA, remedy, target, ended, notes, undo };
    answer::print(arguments.run.format, &done, |page| {
        let sentence = format!("{} {ended}: {}", remedy.as_str(), done.target);
        render::applied(page, &sentence, done.notes, done.undo.as_deref());
    })
}
