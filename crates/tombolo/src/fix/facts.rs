//! What the doctor says of the database that is to be changed.

use super::protocol;
use crate::answer;
use crate::args::FixArguments;
use crate::examine;
use crate::exit::{Exit, Failure};
use crate::render::Page;
use tombolo_core::report::{Database, Judgement, Mode, Openers, Remedy, RemedyId, Report};
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::remedy::quoted;
use tombolo_remedy::Error;
use tombolo_remedy::state::Place;

/// The database, as its files say.
pub(super) fn database(place: &Place) -> Result<Database, Error> {
    let report = examine::report(&place.target(), Probes::Skip);
    of(report, place)
}

/// The file system of what is a database; empty where that is not known.
pub(super) fn filesystem_of_database(place: &Place) -> Result<String, Error> {
    let report = examine::report(&place.target(), Probes::Skip);
    let filesystem = report.mount.as_ref().map(|mount| mount.filesystem.clone());
    of(report, place).map(|_| filesystem.unwrap_or_default())
}

fn of(report: Report, place: &Place) -> Result<Database, Error> {
    report
        .database
        .ok_or_else(|| Error::NotApplicable(format!("{} is no database", place.target().display())))
}

/// The database, where the doctor has seen that WAL mode works for one kernel.
pub(super) fn database_fit_for_wal(place: &Place) -> Result<Database, Error> {
    let report = examine::report(&place.target(), Probes::Run);
    let verdict = report
        .verdicts
        .iter()
        .find(|verdict| verdict.mode == Mode::Wal && verdict.openers == Openers::OneKernel);
    match verdict {
        Some(verdict) if matches!(verdict.judgement, Judgement::Safe | Judgement::Slow) => {
            of(report, place)
        }
        Some(verdict) => Err(Error::NotApplicable(format!(
            "WAL mode was not seen to be safe there: {}",
            verdict.because
        ))),
        None => Err(Error::NotApplicable(format!("it could not be examined: {}", report.summary))),
    }
}

/// The doctor's ways out, and the commands that carry them out.
pub(super) fn ways_out(arguments: &FixArguments) -> Result<Exit, Failure> {
    let report = examine::report(&arguments.path, Probes::Run);
    answer::print(arguments.run.format, &report.remedies, |page| {
        list(page, arguments, &report);
    })?;
    Ok(if report.remedies.is_empty() { Exit::Healthy } else { Exit::Findings })
}

fn list(page: &mut Page, arguments: &FixArguments, report: &Report) {
    page.paragraph(0, &report.summary);
    let path = quoted(&arguments.path.display().to_string());
    for (index, remedy) in report.remedies.iter().enumerate() {
        let first = format!("{:>3}. ", index + 1);
        page.hanging(&first, "     ", &format!("{} [{}]", remedy.title, remedy.id.as_str()));
        for (words, code) in settings(remedy) {
            page.paragraph(5, words);
            page.code(5, code);
        }
        if let Some(command) = command(remedy.id, report, &path) {
            page.code(5, &command);
        }
    }
    if !report.remedies.is_empty() {
        page.blank();
        page.paragraph(
            0,
            "`fix` shows what it would do; --apply does it, --undo takes it back. \
             `tombolo doctor` prints the steps of the others.",
        );
    }
}

/// What only the program's own setting can do, as its steps say it.
fn settings(remedy: &Remedy) -> impl Iterator<Item = (&str, &str)> {
    let wanted = remedy.id == RemedyId::OneProcessWal;
    remedy.steps.iter().filter(move |_| wanted).filter_map(|step| {
        let code = step.code.as_deref()?;
        code.contains("unix-excl").then_some((step.text.as_str(), code))
    })
}

/// What carries a way out out, if anything does.
fn command(remedy: RemedyId, report: &Report, path: &str) -> Option<String> {
    match remedy {
        RemedyId::LeaveWal => Some(format!("tombolo fix {path} leave-wal")),
        RemedyId::MoveLocal | RemedyId::SplitDatabaseFromMedia => {
            Some(format!("tombolo fix {path} move --to DIR"))
        }
        RemedyId::NinePCacheMmap
        | RemedyId::MergerfsCacheFiles
        | RemedyId::LustreFlock
        | RemedyId::NfsLockService
        | RemedyId::DropMaskingOption
        | RemedyId::MountDirectory
        | RemedyId::NamedVolume => {
            Some(format!("tombolo fix {path} mount --config FILE --way {}", remedy.as_str()))
        }
        RemedyId::OtherProtocol => {
            let to = protocol::best(report).as_str();
            Some(format!("tombolo fix {path} protocol --to {to}"))
        }
        RemedyId::OneKernel | RemedyId::RunWhereFileLives => {
            Some(format!("tombolo fix {path} simplify"))
        }
        RemedyId::BlockVolume => Some(format!("tombolo fix {path} protocol --to block")),
        RemedyId::Serve => Some(format!("tombolo fix {path} serve")),
        RemedyId::ServerDatabase => {
            Some(format!("tombolo migrate {path} --to postgres://USER@HOST/DATABASE"))
        }
        RemedyId::DetailedLogging => Some(format!("tombolo trace --db {path} -- COMMAND")),
        RemedyId::ReportToVendor => Some(format!("tombolo report {path}")),
        RemedyId::OneProcessWal => Some(format!("tombolo run --exclusive --db {path} -- COMMAND")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::refused_maps;

    #[test]
    fn each_way_out_that_has_a_command_names_it() {
        let mut report = refused_maps();
        let of = |id, report: &Report| command(id, report, "app.db").unwrap_or_default();
        if let Some(mount) = &mut report.mount {
            mount.knowledge = Some("9p-qemu".to_owned());
        }
        assert_eq!(
            of(RemedyId::OtherProtocol, &report),
            "tombolo fix app.db protocol --to virtiofs"
        );
        for id in [RemedyId::OneKernel, RemedyId::RunWhereFileLives] {
            assert_eq!(of(id, &report), "tombolo fix app.db simplify");
        }
        if let Some(mount) = &mut report.mount {
            "nfs4".clone_into(&mut mount.filesystem);
        }
        assert_eq!(of(RemedyId::OtherProtocol, &report), "tombolo fix app.db protocol --to block");
        assert_eq!(of(RemedyId::Serve, &report), "tombolo fix app.db serve");
        let migrate = "tombolo migrate app.db --to postgres://USER@HOST/DATABASE";
        assert_eq!(of(RemedyId::ServerDatabase, &report), migrate);
        assert_eq!(of(RemedyId::DetailedLogging, &report), "tombolo trace --db app.db -- COMMAND");
        assert_eq!(of(RemedyId::FreeSpace, &report), "");
    }
}
