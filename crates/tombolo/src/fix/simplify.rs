//! `simplify`: arrangements with fewer kernels, and what they change in configuration files.

use super::{mount, refused};
use crate::answer;
use crate::args::{FixArguments, SimplifyArguments};
use crate::examine;
use crate::exit::{Exit, Failure};
use crate::render::{self};
use serde::Serialize;
use std::path::Path;
use tombolo_core::report::Report;
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::remedy::simplify::{Arrangement, Proposal, proposals};
use tombolo_remedy::Error;
use tombolo_remedy::config::{Change, Kind};
use tombolo_remedy::remedies::{self, Wish};
use tombolo_remedy::state::Place;

/// Name and version of the JSON.
const SIMPLIFY_SCHEMA: &str = "tombolo.simplify/1";

/// Fewer kernels, in the order in which they are proposed.
#[derive(Serialize)]
pub(crate) struct Simpler {
    schema: &'static str,
    /// The path that was asked about.
    path: String,
    /// The map of now.
    pub(crate) map: String,
    /// The kernels that can reach it now.
    pub(crate) kernels: Vec<String>,
    /// What that rests on.
    pub(crate) because: String,
    /// The proposals; none where there is one kernel.
    pub(crate) proposals: Vec<WithFiles>,
}

/// A proposal, and what it changes in the files that were named.
#[derive(Serialize)]
pub(crate) struct WithFiles {
    #[serde(flatten)]
    pub(crate) proposal: Proposal,
    pub(crate) files: Vec<ConfigurationFile>,
}

/// A file under one proposal.
#[derive(Serialize)]
pub(crate) struct ConfigurationFile {
    pub(crate) file: String,
    /// What the file is, as it is typed.
    pub(crate) kind: &'static str,
    /// The change, as a unified diff; `None` where there is none to make, or none is made here.
    pub(crate) difference: Option<String>,
    /// What else is to be done there, or why no change is shown.
    pub(crate) notes: Vec<String>,
}

pub(super) fn show(arguments: &FixArguments, wanted: &SimplifyArguments) -> Result<Exit, Failure> {
    let report = examine::report(&arguments.path, Probes::Skip);
    let mut found = Vec::new();
    for proposal in proposals(&report) {
        let files = wanted
            .config
            .iter()
            .map(|config| changed(config, &report, wanted, proposal.arrangement));
        let files = files.collect::<Result<_, _>>().map_err(refused)?;
        found.push(WithFiles { proposal, files });
    }
    let simpler = Simpler {
        schema: SIMPLIFY_SCHEMA,
        path: report.target.resolved.clone(),
        map: report.topology.map,
        kernels: report.topology.reach.kernels,
        because: report.topology.reach.because,
        proposals: found,
    };
    answer::print(arguments.run.format, &simpler, |page| render::simplify(page, &simpler))?;
    Ok(Exit::Healthy)
}

/// What an arrangement changes in a file. What cannot be edited is said, as it is no reason to
/// show nothing of the others.
fn changed(
    config: &Path,
    report: &Report,
    wanted: &SimplifyArguments,
    arrangement: Arrangement,
) -> Result<ConfigurationFile, Error> {
    let place = Place::find(config)?;
    let text = remedies::configuration_text(&place)?;
    let kind = mount::kind(None, &place, &text)?;
    let mut file = ConfigurationFile {
        file: place.target().display().to_string(),
        kind: kind.as_str(),
        difference: None,
        notes: Vec::new(),
    };
    let change = match change(kind, wanted, arrangement) {
        Ok(change) => change,
        Err(why) => {
            file.notes.push(why.to_owned());
            return Ok(file);
        }
    };
    let selector = match &wanted.mount {
        Some(name) => mount::named(name),
        None => mount::selector(report, &place),
    };
    let wish = Wish { kind, selector: &selector, changes: &[change] };
    match remedies::mount(&place, &text, &wish) {
        Ok(plan) => {
            file.difference = remedies::difference(&plan);
            file.notes = plan.cautions;
        }
        Err(error @ (Error::Config { .. } | Error::NotApplicable(_))) => {
            file.notes.push(error.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(file)
}

/// The change of one kind of file, or why there is none.
fn change(
    kind: Kind,
    wanted: &SimplifyArguments,
    arrangement: Arrangement,
) -> Result<Change, &'static str> {
    let of_containers = matches!(kind, Kind::Compose | Kind::DockerRun);
    match arrangement {
        Arrangement::DatabaseHere if of_containers => {
            Ok(Change::NamedVolume(wanted.volume.clone()))
        }
        Arrangement::DatabaseHere => {
            Err("the share stays; what gives this side a disk is printed by `protocol --to block`")
        }
        Arrangement::ContainerThere if of_containers => match &wanted.directory {
            Some(directory) => Ok(Change::Source(directory.clone())),
            None => Err("--directory says what the directory is called there"),
        },
        Arrangement::ProgramThere if of_containers => Err("it is not needed any more"),
        Arrangement::ContainerThere | Arrangement::ProgramThere => Ok(Change::Detach),
    }
}
