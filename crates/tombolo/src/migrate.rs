//! `tombolo migrate`.

use crate::answer;
use crate::args::MigrateArguments;
use crate::exit::{Exit, Failure};
use crate::fix::tools::Shown;
use crate::progress::ProgressLine;
use crate::render::{self};
use crate::unused::Kernel;
use std::cell::RefCell;
use tombolo_os::signal;
use tombolo_remedy::Error;
use tombolo_remedy::guard::Elsewhere;
use tombolo_remedy::migrate::report::Ended;
use tombolo_remedy::migrate::{self, Mode, Request, Tools};
use tombolo_remedy::state::Place;

pub(crate) fn run(arguments: &MigrateArguments) -> Result<Exit, Failure> {
    signal::catch_stop();
    let place = Place::of(&arguments.path).map_err(refused)?;
    let variable = arguments.to.server().password_variable();
    let target = arguments.to.clone().or_password(std::env::var(variable).ok());
    let mode = match (arguments.dry_run, arguments.replace) {
        (true, _) => Mode::Plan,
        (false, true) => Mode::Replace,
        (false, false) => Mode::Run,
    };
    let request = Request {
        place: &place,
        target: &target,
        only: &arguments.only,
        exclude: &arguments.exclude,
        mode,
        scratch: &arguments.scratch,
        elsewhere: if arguments.assume_unused { Elsewhere::AssumeUnused } else { Elsewhere::Look },
    };
    let line = RefCell::new(ProgressLine::new());
    let mut attend = Shown { line: &line, bytes: 0 };
    let outcome = migrate::run(
        &request,
        &mut Tools {
            attend: &mut attend,
            watch: &mut Kernel,
            on_step: &mut |text| line.borrow_mut().say(text),
            stop_wanted: signal::stop_wanted,
        },
    );
    drop(line);
    let migration = outcome.map_err(refused)?;
    answer::print(arguments.format, &migration, |page| render::migration(page, &migration))?;
    let fine = migration.ended == Ended::Planned || migration.is_whole();
    Ok(if fine { Exit::Healthy } else { Exit::Findings })
}

/// Errors before which nothing was made are another exit code than those that leave work to do.
fn refused(error: Error) -> Failure {
    let exit = match &error {
        Error::InUse(_)
        | Error::UseNotKnown(_)
        | Error::UsedElsewhere(_)
        | Error::NoRoom { .. }
        | Error::MigrationRuns
        | Error::MigrationFinished
        | Error::MigrationOfOther
        | Error::NotApplicable(_) => Exit::Findings,
        _ => Exit::NotExamined,
    };
    let hint = match &error {
        Error::Stopped => Some("the same command goes on where this was stopped"),
        Error::Changed { .. } => Some("stop whatever writes there, then begin anew with --replace"),
        other => other.hint(),
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
