//! `tombolo doctor`.

use crate::answer;
use crate::args::{DoctorArguments, Format};
use crate::exit::{self, Exit, Failure};
use crate::progress::ProgressLine;
use crate::render::{self, Detail, Page};
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::report::{
    Completeness, Container, DOCTOR_SET_SCHEMA, DatabaseState, Report, Severity, TargetKind,
};
use tombolo_doctor::containers::find as find_container;
use tombolo_doctor::diagnosis::{Probes, Progress, Request, Viewpoint, diagnose};
use tombolo_doctor::machine;
use tombolo_doctor::peer::{Invitation, Role};
use tombolo_doctor::remedy::quoted;

#[derive(Serialize)]
struct ReportSet<'a> {
    schema: &'static str,
    reports: &'a [Report],
}

pub(crate) fn run(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    tombolo_os::signal::catch_stop();
    if arguments.paths.is_empty() {
        return survey(arguments);
    }
    let peers = peers(arguments)?;
    let (viewpoint, container) = viewpoint(arguments)?;
    let mut reports = Vec::new();
    for path in &arguments.paths {
        let request = Request {
            path: path.clone(),
            viewpoint,
            probes: if arguments.no_probes { Probes::Skip } else { Probes::Run },
            timeout: timeout(arguments),
            overtime: if arguments.timeout.is_none() { OVERTIME } else { Duration::ZERO },
            peers: peers.clone(),
        };
        let mut line = ProgressLine::new();
        let name = path.display();
        let mut report = diagnose(&request, &mut |progress| match progress {
            Progress::Probe(kind) => line.show(&format!("{name}: {}", kind.as_str())),
            Progress::Search { directory, files, databases } => line
                .show(&format!("{files} files, {databases} databases in {}", directory.display())),
            Progress::Invitation(code) => line.say(&invitation(arguments, path, code)),
            Progress::Peers(text) => line.show(text),
            _ => {}
        });
        if let Some(seen_by) = report.target.seen_by.as_mut().filter(|_| container.is_some()) {
            seen_by.container.clone_from(&container);
        }
        reports.push(report);
    }
    exit::printed(print(arguments, &reports))?;
    Ok(exit_of(&reports))
}

/// Which part this side has in a two-sided run.
fn peers(arguments: &DoctorArguments) -> Result<Option<Role>, Failure> {
    let role = match (arguments.peer, &arguments.join) {
        (Some(others), _) => {
            Role::Lead { others: usize::from(others), listen: arguments.peer_listen }
        }
        (None, Some(code)) => Role::Join(code.clone()),
        (None, None) => return Ok(None),
    };
    if arguments.paths.len() > 1 {
        return Err(Failure::new(Exit::Usage, "several sides look at one path at a time"));
    }
    Ok(Some(role))
}

/// What to do on the other side.
fn invitation(arguments: &DoctorArguments, path: &Path, code: &Invitation) -> String {
    let (others, each) = match arguments.peer {
        None | Some(1) => ("the other side".to_owned(), ""),
        Some(others) => (format!("each of the {others} other sides"), " each"),
    };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = quoted(&path.display().to_string());
    let code = quoted(&code.to_string());
    let command = format!("tombolo doctor {path} --join {code}");
    format!(
        "On {others}, run this{each}, with the path by which that side sees the same directory:\n\
         \n  {command}\n\nWaiting."
    )
}

/// The time for one path, if none is given.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer a path may take then, on a machine that is busy with other things.
const OVERTIME: Duration = Duration::from_secs(90);

fn timeout(arguments: &DoctorArguments) -> Duration {
    arguments.timeout.unwrap_or(TIMEOUT)
}

/// Through whose eyes the paths are seen, and the container that was asked for.
fn viewpoint(arguments: &DoctorArguments) -> Result<(Viewpoint, Option<Container>), Failure> {
    let Some(name) = &arguments.container else {
        return Ok((arguments.pid.map_or(Viewpoint::Own, Viewpoint::Process), None));
    };
    let found = find_container(name, Instant::now() + timeout(arguments)).map_err(|error| {
        let hint = "the state of containers and their processes are seen by root, on the machine \
                    that runs them; --pid takes the number of any process";
        Failure::new(Exit::NotExamined, error).hint(hint)
    })?;
    Ok((Viewpoint::Process(found.pid), Some(found.container)))
}

/// Every database that a running program has open.
fn survey(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    let request = machine::Request { timeout: timeout(arguments) };
    let mut line = ProgressLine::new();
    let report = machine::survey(&request, &mut |text| line.show(text));
    drop(line);
    answer::print(arguments.format, &report, |page| {
        render::machine(page, &report, detail(arguments));
    })?;
    let endangered =
        report.databases.iter().any(|database| database.state == DatabaseState::Endangered);
    Ok(match (endangered, &report.completeness) {
        (true, _) => Exit::Findings,
        // What was not seen may be what is wrong.
        (false, Completeness::Partial { .. }) => Exit::NotExamined,
        (false, Completeness::Complete) => Exit::Healthy,
    })
}

fn detail(arguments: &DoctorArguments) -> Detail {
    if arguments.verbose { Detail::Full } else { Detail::Short }
}

fn print(arguments: &DoctorArguments, reports: &[Report]) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match (arguments.format, reports) {
        (Format::Json, [report]) => serde_json::to_writer_pretty(&mut out, report)?,
        (Format::Json, reports) => {
            serde_json::to_writer_pretty(
                &mut out,
                &ReportSet { schema: DOCTOR_SET_SCHEMA, reports },
            )?;
        }
        (Format::Text, reports) => {
            let detail = detail(arguments);
            for (index, report) in reports.iter().enumerate() {
                let mut page = Page::new();
                if index > 0 {
                    page.blank();
                }
                render::report(&mut page, report, detail);
                out.write_all(page.into_text().as_bytes())?;
            }
            return out.flush();
        }
    }
    writeln!(out)?;
    out.flush()
}

/// The gravest answer wins; a look that was not complete is never "nothing wrong".
fn exit_of(reports: &[Report]) -> Exit {
    let all: Vec<&Report> = reports.iter().flat_map(with_nested).collect();
    let found = all
        .iter()
        .flat_map(|report| &report.findings)
        .any(|finding| finding.severity > Severity::Notice);
    if all.iter().any(|report| report.target.kind == TargetKind::Unreadable) {
        Exit::NotExamined
    } else if found {
        Exit::Findings
    } else if all.iter().any(|report| report.completeness != Completeness::Complete) {
        Exit::NotExamined
    } else {
        Exit::Healthy
    }
}

fn with_nested(report: &Report) -> Vec<&Report> {
    std::iter::once(report).chain(report.nested.iter().flat_map(with_nested)).collect()
}
