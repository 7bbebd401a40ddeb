//! `protocol`: another protocol for a share, at both of its ends, and what it does for SQLite.

use super::{mount, refused};
use crate::answer;
use crate::args::{FixArguments, ProtocolArguments};
use crate::examine;
use crate::exit::{Exit, Failure};
use crate::render::{self};
use crate::report::target::Target;
use serde::Serialize;
use std::path::Path;
use tombolo_core::report::{KernelCount, Mount, Report};
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::knowledge::compare::{Cell, Claim, cells, claims};
use tombolo_doctor::knowledge::{self, Kind, MountFacts, Row};
use tombolo_remedy::Error;
use tombolo_remedy::config::Change;
use tombolo_remedy::plan::{Plan, RemedyName};
use tombolo_remedy::protocol::{Arrangement, Known, Protocol, arrange};
use tombolo_remedy::remedies::{self, Wish};
use tombolo_remedy::state::Place;

/// Name and version of the JSON.
const PROTOCOL_SCHEMA: &str = "tombolo.protocol/1";

/// What another protocol would be.
#[derive(Serialize)]
pub(crate) struct Comparison {
    schema: &'static str,
    /// The path that was asked about.
    path: String,
    /// What the knowledge base calls the file system as it is; `None` where it has no row.
    pub(crate) before: Option<String>,
    /// What it calls the other one.
    pub(crate) after: String,
    /// Each way of using SQLite, before and after.
    pub(crate) cells: Vec<Cell>,
    /// What that rests on.
    pub(crate) evidence: Vec<Claim>,
    /// Both ends.
    pub(crate) arrangement: Arrangement,
    /// The change of the file that was named.
    pub(crate) plan: Option<Plan>,
    /// The files that were written.
    pub(crate) written: Vec<String>,
}

/// The protocol that is named where none is asked for.
pub(super) fn best(report: &Report) -> Protocol {
    match (filesystem(report), row_of(report).map(|row| row.kind)) {
        ("9p", Some(Kind::VmShared)) => Protocol::Virtiofs,
        ("nfs" | "nfs4" | "virtiofs", _) => Protocol::Block,
        _ => Protocol::Nfs,
    }
}

pub(super) fn show(arguments: &FixArguments, wanted: &ProtocolArguments) -> Result<Exit, Failure> {
    let Some(to) = wanted.to.map(|name| name.0) else {
        return Err(Failure::new(Exit::Usage, "--to is needed"));
    };
    let report = examine::report(&arguments.path, Probes::Skip);
    applies(&report, wanted, to).map_err(refused)?;
    let plan = match &wanted.config {
        None => None,
        Some(config) => {
            let place = Place::find(config).map_err(refused)?;
            Some(plan(&report, wanted, to, &place).map_err(refused)?)
        }
    };
    let mut comparison = compared(arguments, wanted, &report, to);
    comparison.plan = plan;
    if let Some(directory) = &wanted.write_to {
        comparison.written = write(directory, &comparison.arrangement)?;
    }
    answer::print(arguments.run.format, &comparison, |page| {
        render::protocol(page, &comparison);
        if let Some(plan) = &comparison.plan {
            page.blank();
            render::plan(page, plan, remedies::difference(plan).as_deref());
        }
    })?;
    Ok(Exit::Healthy)
}

pub(super) fn planned(
    arguments: &FixArguments,
    wanted: &ProtocolArguments,
    place: &Place,
) -> Result<Plan, Error> {
    let report = examine::report(&arguments.path, Probes::Skip);
    let to = wanted.to.map_or(Protocol::Virtiofs, |name| name.0);
    applies(&report, wanted, to)?;
    plan(&report, wanted, to, place)
}

fn plan(
    report: &Report,
    wanted: &ProtocolArguments,
    to: Protocol,
    place: &Place,
) -> Result<Plan, Error> {
    if to != Protocol::Virtiofs {
        let text = "only virtiofs in place of 9p can be written into a file; leave out --config, \
                    and put the pieces in place by hand";
        return Err(Error::NotApplicable(text.to_owned()));
    }
    let text = remedies::configuration_text(place)?;
    let kind = mount::kind(wanted.kind, place, &text)?;
    let selector = match &wanted.mount {
        Some(name) => mount::named(name),
        None => mount::selector(report, place),
    };
    let wish = Wish { kind, selector: &selector, changes: &[Change::Virtiofs] };
    let plan = remedies::mount(place, &text, &wish)?;
    Ok(Plan { remedy: RemedyName::Protocol, ..plan })
}

/// Whether there is a share that could have another protocol.
fn applies(report: &Report, wanted: &ProtocolArguments, to: Protocol) -> Result<(), Error> {
    if wanted.mount.is_some() {
        return Ok(());
    }
    let not = |text: String| Err(Error::NotApplicable(text));
    let Some(mount) = &report.mount else {
        return not(format!("its mount could not be examined: {}", report.summary));
    };
    let filesystem = mount.filesystem.as_str();
    if report.topology.reach.count == KernelCount::One {
        return not(format!(
            "{filesystem} at {} is this kernel's own storage: no protocol is in between; --mount \
             names a share that is not mounted here",
            mount.mount_point
        ));
    }
    match to {
        Protocol::Virtiofs if filesystem == "virtiofs" => not("it is virtiofs already".to_owned()),
        Protocol::Virtiofs if !row_of(report).is_some_and(|row| row.kind == Kind::VmShared) => {
            not(format!("virtiofs is between a host and its virtual machine; {filesystem} is not"))
        }
        Protocol::Nfs if matches!(filesystem, "nfs" | "nfs4") => not(format!(
            "it is {filesystem} already; `tombolo fix PATH mount` writes better options"
        )),
        Protocol::Smb if matches!(filesystem, "cifs" | "smb3") => {
            not(format!("it is {filesystem} already"))
        }
        _ => Ok(()),
    }
}

fn filesystem(report: &Report) -> &str {
    report.mount.as_ref().map_or("", |mount| mount.filesystem.as_str())
}

fn row_of(report: &Report) -> Option<&'static Row> {
    report.mount.as_ref()?.knowledge.as_deref().and_then(knowledge::row)
}

fn known(report: &Report, wanted: &ProtocolArguments) -> Known {
    let mount = report.mount.as_ref().filter(|_| wanted.mount.is_none());
    // What a container sees is mounted by its machine, at a path that is not known in it.
    let own = |mount: &&Mount| mount.root == "/" && report.topology.container.is_none();
    Known {
        tag: wanted.mount.clone().or(mount.map(|mount| mount.source.clone())),
        mount_point: mount.filter(own).map(|mount| mount.mount_point.clone()),
        directory: wanted.directory.clone(),
        server: wanted.server.clone(),
    }
}

fn compared(
    arguments: &FixArguments,
    wanted: &ProtocolArguments,
    report: &Report,
    to: Protocol,
) -> Comparison {
    let (filesystem, options) = to.mounted_as();
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    let after = MountFacts { filesystem, options: &options, ..MountFacts::default() };
    let row = knowledge::find(&after);
    let (machine, release) = (report.topology.machine, &report.topology.kernel.release);
    let before = match (&wanted.mount, &report.mount) {
        (Some(_), _) => Some(MountFacts { filesystem: "9p", ..MountFacts::default() }),
        (None, mount) => mount.as_ref().map(|one| MountFacts::of(one, Some(machine), release)),
    };
    let before = before.as_ref().and_then(|facts| Some((knowledge::find(facts)?, facts)));
    let mut evidence: Vec<Claim> = row.map(|row| claims(row, &after)).unwrap_or_default();
    if to == Protocol::Block
        && let Some(shared) = knowledge::row("shared-block")
    {
        evidence.extend(claims(shared, &after));
    }
    Comparison {
        schema: PROTOCOL_SCHEMA,
        path: report.target.resolved.clone(),
        before: before.map(|(row, _)| row.name().to_owned()),
        after: row.map_or(filesystem, Row::name).to_owned(),
        cells: row.map(|row| cells(before, (row, &after))).unwrap_or_default(),
        evidence,
        arrangement: with_path(arrange(to, &known(report, wanted)), arguments),
        plan: None,
        written: Vec::new(),
    }
}

/// Commands of the tool name the path that was asked about.
fn with_path(mut arrangement: Arrangement, arguments: &FixArguments) -> Arrangement {
    let path = tombolo_doctor::remedy::quoted(&arguments.path.display().to_string());
    for note in &mut arrangement.notes {
        *note = note.replace("tombolo fix PATH", &format!("tombolo fix {path}"));
    }
    arrangement
}

/// Writes each piece to a file of its own. One that exists is left alone.
fn write(directory: &Path, arrangement: &Arrangement) -> Result<Vec<String>, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::NotExamined, error);
    std::fs::create_dir_all(directory).map_err(failed)?;
    let mut written = Vec::new();
    for piece in &arrangement.pieces {
        let target = Target::new(&directory.join(&piece.file));
        let target = target.map_err(|error| Failure::new(Exit::NotExamined, error))?;
        let path = target.path().display().to_string();
        target.keep(&piece.text).map_err(|error| Failure::new(Exit::NotExamined, error))?;
        written.push(path);
    }
    Ok(written)
}
