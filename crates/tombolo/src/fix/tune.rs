//! `mount --tune`: options that were tried, and the command that writes the best ones.

use super::{mount, refused};
use crate::answer;
use crate::args::{FixArguments, MountArguments};
use crate::examine;
use crate::exit::{Exit, Failure};
use crate::progress::ProgressLine;
use crate::render::{self};
use serde::Serialize;
use std::path::Path;
use tombolo_core::report::{Judgement, Report};
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::knowledge::compare::{Claim, claims};
use tombolo_doctor::knowledge::{self, MountFacts};
use tombolo_doctor::remedy::quoted;
use tombolo_doctor::tune::{self, Credentials, Trial, TrialResult, Unshown};
use tombolo_os::read;
use tombolo_remedy::Error;

/// Name and version of the JSON.
const TUNE_SCHEMA: &str = "tombolo.tune/1";

/// Three values and some comments take less.
const CREDENTIALS_BYTES_MAX: usize = 64 << 10;

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
    let options: Vec<String> = wanted.with.iter().map(ToString::to_string).collect();
    let unshown = Unshown {
        source: wanted.source.as_deref(),
        options: &options,
        credentials: wanted.credentials.as_deref().map(credentials).transpose()?,
    };
    let report = examine::report(&arguments.path, Probes::Skip);
    let mut line = ProgressLine::new();
    let trials = tune::run(&report, &unshown, &mut |candidate| {
        line.say(&format!("trying {}", candidate.options.join(",")));
    });
    let trials = trials.map_err(|why| refused(Error::NotApplicable(why)))?;
    if tombolo_os::signal::stop_wanted() {
        return Err(refused(Error::Stopped));
    }
    let any = trials.iter().any(|trial| matches!(trial.result, TrialResult::Measured(_)));
    let tuned = tuned(arguments, wanted, &report, trials);
    answer::print(arguments.run.format, &tuned, |page| render::tune(page, &tuned))?;
    Ok(if any { Exit::Healthy } else { Exit::NotExamined })
}

/// The name and password in a file; of what is wrong with it, its lines alone are told.
fn credentials(path: &Path) -> Result<Credentials, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        let text = format!("{}: {why}", path.display());
        Failure::new(Exit::NotExamined, text).hint("mount.cifs(8), credentials=, has its form")
    };
    let read = read::open(path).map_err(|error| refused(&error))?;
    let bytes = read.bytes_at(0, CREDENTIALS_BYTES_MAX).map_err(|error| refused(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| refused(&"it is no text in UTF-8"))?;
    Credentials::parse(&text).map_err(|error| refused(&error))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Page;
    use clap::Parser as _;
    use tombolo_core::errno::Errno;
    use tombolo_doctor::tune::{Measured, Speed};

    fn row(option: &str, result: TrialResult) -> TrialRow {
        let options = vec![option.to_owned()];
        TrialRow { withheld: mount::withheld(&options), trial: Trial { options, result } }
    }

    fn measured(wal: Judgement, speed: f64) -> TrialResult {
        let speed = Speed { transactions_per_second: speed, reads_per_second: 900.0 };
        TrialResult::Measured(Measured {
            super_options: Vec::new(),
            wal,
            rollback: Judgement::Safe,
            wal_because: String::new(),
            rollback_because: String::new(),
            shared_map: wal == Judgement::Safe,
            wal_speed: (wal == Judgement::Safe).then_some(speed),
            rollback_speed: Some(speed),
        })
    }

    fn rows() -> Vec<TrialRow> {
        let refused = TrialResult::Refused {
            call: "mount".to_owned(),
            errno: Errno::EINVAL,
            why: "this kernel does not take these options".to_owned(),
        };
        vec![
            row("cache=loose", measured(Judgement::Safe, 80.0)),
            row("cache=mmap", measured(Judgement::Safe, 40.0)),
            row("cache=none", measured(Judgement::Fails, 30.0)),
            row("cache=fscache", refused),
        ]
    }

    /// The command for the fastest trials, as the arguments ask for it.
    fn proposed(rows: &[TrialRow]) -> Option<String> {
        let typed = ["tombolo", "fix", "/srv/a b.db", "mount", "--tune", "--config", "fstab"];
        let parsed = crate::args::Arguments::try_parse_from(typed).expect("parsed");
        let crate::args::Command::Fix(fix) = parsed.command else { panic!("fix was typed") };
        let Some(crate::args::FixRemedy::Mount(wanted)) = &fix.remedy else { panic!("mount") };
        command(&fix, wanted, rows)
    }

    #[test]
    fn the_best_that_may_be_written_is_proposed() {
        let wanted = "tombolo fix '/srv/a b.db' mount --config fstab --set cache=mmap --apply";
        assert_eq!(proposed(&rows()).as_deref(), Some(wanted));
        let unsafe_ones = vec![row("cache=loose", measured(Judgement::Safe, 80.0))];
        assert_eq!(proposed(&unsafe_ones), None, "it hides what other kernels write");
    }

    #[test]
    fn the_table_tells_measured_refused_and_withheld_apart() {
        let note = "two kernels lost commits";
        let tuned = Tuned {
            schema: TUNE_SCHEMA,
            path: "/srv/app.db".to_owned(),
            mount_point: "/srv".to_owned(),
            filesystem: "9p".to_owned(),
            source: "media".to_owned(),
            kernel: "6.12.1".to_owned(),
            command: proposed(&rows()),
            trials: rows(),
            several_kernels: vec![Claim {
                about: "note",
                text: note.to_owned(),
                basis: None,
                source: String::new(),
            }],
        };
        let mut page = Page::with_width(100);
        render::tune(&mut page, &tuned);
        let text = anstream::adapter::strip_str(&page.into_text()).to_string();
        let line = |option: &str| {
            let found = text.lines().find(|line| line.trim_start().starts_with(option));
            found.expect("a line").split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(line("cache=mmap"), "cache=mmap safe safe works 40 40 900");
        assert_eq!(line("cache=none"), "cache=none fails safe refused - 30 900");
        assert!(line("cache=fscache").starts_with("cache=fscache mount: EINVAL"), "{text}");
        for said in ["cache=loose: what another kernel", note, "--set cache=mmap --apply"] {
            assert!(text.contains(said), "{said:?} in {text}");
        }
    }
}
