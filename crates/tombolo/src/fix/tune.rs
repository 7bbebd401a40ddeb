//! `mount --tune`: options that were tried, and the command that writes the best ones.

use super::{facts, mount, refused};
use crate::args::{FixArguments, Format, MountArguments};
use crate::exit::{self, Exit, Failure};
use crate::progress::ProgressLine;
use crate::render::{self, Page};
use serde::Serialize;
use std::io::Write as _;
use tombolo_core::report::{Judgement, Report};
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::knowledge::compare::{Claim, claims};
use tombolo_doctor::knowledge::{self, MountFacts};
use tombolo_doctor::remedy::quoted;
use tombolo_doctor::tune::{self, Trial, TrialResult};
use tombolo_remedy::Error;

/// Name and version of the JSON.
const TUNE_SCHEMA: &str = "tombolo.tune/1";

/// All trials, the best first.
#[derive(Serialize)]
pub(crate) struct Tuned {
    schema: &'static str,
    /// The path that was asked about.
    path: String,
    /// The mount as it is.
    pub(crate) mount_point: String,
    pub(crate) filesystem: String,
    /// What was mounted for the trials.
    pub(crate) source: String,
    /// The kernel that measured.
    pub(crate) kernel: String,
    pub(crate) trials: Vec<TrialRow>,
    /// What is known of several kernels there, which no trial can measure.
    pub(crate) several_kernels: Vec<Claim>,
    /// The command that writes the best options that may be written.
    pub(crate) command: Option<String>,
}

/// A trial, with what keeps its options from being written.
#[derive(Serialize)]
pub(crate) struct TrialRow {
    #[serde(flatten)]
    pub(crate) trial: Trial,
    /// Why they are not written, whatever was measured.
    pub(crate) withheld: Option<String>,
}

pub(super) fn show(arguments: &FixArguments, wanted: &MountArguments) -> Result<Exit, Failure> {
    let report = facts::report(&arguments.path, Probes::Skip);
    let mut line = ProgressLine::new();
    let trials = tune::run(&report, wanted.source.as_deref(), &mut |candidate| {
        line.say(&format!("trying {}", candidate.options.join(",")));
    });
    let trials = trials.map_err(|why| refused(Error::NotApplicable(why)))?;
    if tombolo_os::signal::stop_wanted() {
        return Err(refused(Error::Stopped));
    }
    let any = trials.iter().any(|trial| matches!(trial.result, TrialResult::Measured(_)));
    let tuned = tuned(arguments, wanted, &report, trials);
    exit::printed(print(arguments, &tuned))?;
    Ok(if any { Exit::Healthy } else { Exit::NotExamined })
}

fn tuned(
    arguments: &FixArguments,
    wanted: &MountArguments,
    report: &Report,
    trials: Vec<Trial>,
) -> Tuned {
    let found = report.mount.as_ref();
    let text = |field: fn(&tombolo_core::report::Mount) -> &String| {
        found.map(field).cloned().unwrap_or_default()
    };
    let rows: Vec<TrialRow> = trials
        .into_iter()
        .map(|trial| TrialRow { withheld: mount::withheld(&trial.options), trial })
        .collect();
    let kernel = &report.topology.kernel.release;
    let facts = found.map(|one| MountFacts::of(one, Some(report.topology.machine), kernel));
    let known = facts.as_ref().and_then(|facts| Some(claims(knowledge::find(facts)?, facts)));
    let of_several = |claim: &Claim| claim.about != "shared_map" && claim.about != "file_sync";
    Tuned {
        schema: TUNE_SCHEMA,
        path: report.target.resolved.clone(),
        mount_point: text(|one| &one.mount_point),
        filesystem: text(|one| &one.filesystem),
        source: wanted.source.clone().unwrap_or_else(|| text(|one| &one.source)),
        kernel: kernel.clone(),
        command: command(arguments, wanted, &rows),
        trials: rows,
        several_kernels: known.unwrap_or_default().into_iter().filter(of_several).collect(),
    }
}

/// Writes the options of the best trial that works and may be written.
fn command(arguments: &FixArguments, wanted: &MountArguments, rows: &[TrialRow]) -> Option<String> {
    let works = |row: &&TrialRow| match &row.trial.result {
        TrialResult::Measured(measured) => {
            let safe = |judgement| matches!(judgement, Judgement::Safe | Judgement::Slow);
            row.withheld.is_none() && (safe(measured.wal) || safe(measured.rollback))
        }
        _ => false,
    };
    let best = rows.iter().find(works)?;
    let config = wanted
        .config
        .as_ref()
        .map_or_else(|| "FILE".to_owned(), |config| quoted(&config.display().to_string()));
    let set: String =
        best.trial.options.iter().map(|option| format!(" --set {}", quoted(option))).collect();
    let path = quoted(&arguments.path.display().to_string());
    Some(format!("tombolo fix {path} mount --config {config}{set} --apply"))
}

fn print(arguments: &FixArguments, tuned: &Tuned) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match arguments.run.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, tuned)?;
            writeln!(out)?;
        }
        Format::Text => {
            let mut page = Page::new();
            render::tune(&mut page, tuned);
            out.write_all(page.into_text().as_bytes())?;
        }
    }
    out.flush()
}
