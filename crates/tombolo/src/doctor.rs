//! `tombolo doctor`.

use crate::args::{DoctorArguments, Format};
use crate::exit::{self, Exit, Failure};
use crate::progress::ProgressLine;
use crate::render::{self, Detail, Page};
use serde::Serialize;
use std::io::Write as _;
use tombolo_core::report::{Completeness, Report, Severity, TargetKind};
use tombolo_doctor::diagnosis::{Probes, Progress, Request, Viewpoint, diagnose};

/// Name and version of the JSON for several paths: an object with `schema` and `reports`.
const SET_SCHEMA: &str = "tombolo.doctor-set/1";

#[derive(Serialize)]
struct ReportSet<'a> {
    schema: &'static str,
    reports: &'a [Report],
}

pub(crate) fn run(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    tombolo_os::signal::catch_stop();
    let mut reports = Vec::new();
    for path in &arguments.paths {
        let request = Request {
            path: path.clone(),
            viewpoint: Viewpoint::Own,
            probes: if arguments.no_probes { Probes::Skip } else { Probes::Run },
            timeout: arguments.timeout,
        };
        let mut line = ProgressLine::new();
        let name = path.display();
        reports.push(diagnose(&request, &mut |progress| match progress {
            Progress::Probe(kind) => line.show(&format!("{name}: {}", kind.as_str())),
            Progress::Search { directory, files, databases } => line
                .show(&format!("{files} files, {databases} databases in {}", directory.display())),
            _ => {}
        }));
    }
    exit::printed(print(arguments, &reports))?;
    Ok(exit_of(&reports))
}

fn print(arguments: &DoctorArguments, reports: &[Report]) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match (arguments.format, reports) {
        (Format::Json, [report]) => serde_json::to_writer_pretty(&mut out, report)?,
        (Format::Json, reports) => {
            serde_json::to_writer_pretty(&mut out, &ReportSet { schema: SET_SCHEMA, reports })?;
        }
        (Format::Text, reports) => {
            let detail = if arguments.verbose { Detail::Full } else { Detail::Short };
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
