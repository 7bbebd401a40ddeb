//! `mount`: which of the doctor's ways out can be written into a configuration file, and as what.

use crate::args::{ConfigKind, FixArguments, MountArguments};
use crate::examine;
use tombolo_core::report::{RemedyId, Report};
use tombolo_doctor::diagnosis::Probes;
use tombolo_doctor::knowledge::{self, MountFacts};
use tombolo_remedy::Error;
use tombolo_remedy::config::{self, Change, Kind, MountOption, Selector, VolumeName};
use tombolo_remedy::plan::Plan;
use tombolo_remedy::remedies::{self, Wish};
use tombolo_remedy::state::Place;

/// File systems whose options are looked at where it is not known which one a file means.
const FAMILIES: [&str; 7] = ["9p", "nfs", "nfs4", "cifs", "lustre", "gfs2", "pvfs2"];

pub(super) fn planned(
    arguments: &FixArguments,
    mount: &MountArguments,
    place: &Place,
) -> Result<Plan, Error> {
    let text = remedies::configuration_text(place)?;
    let kind = kind(mount.kind, place, &text)?;
    let explicit = explicit(mount)?;
    if !explicit.is_empty() {
        let selector = match &mount.mount {
            Some(name) => named(name),
            None => selector(&examine::report(&arguments.path, Probes::Skip), place),
        };
        let wish = Wish { kind, selector: &selector, changes: &explicit };
        return remedies::mount(place, &text, &wish);
    }
    let report = examine::report(&arguments.path, Probes::Run);
    let selector = match &mount.mount {
        Some(name) => named(name),
        None => selector(&report, place),
    };
    let volume = &mount.volume;
    let mut tried = Vec::new();
    for remedy in &report.remedies {
        if mount.way.as_ref().is_some_and(|way| way != remedy.id.as_str()) {
            continue;
        }
        let Some(changes) = changes(remedy.id, &report, volume) else { continue };
        match remedies::mount(place, &text, &Wish { kind, selector: &selector, changes: &changes })
        {
            Ok(plan) => return Ok(plan),
            Err(error) => tried.push((remedy.id, error)),
        }
    }
    Err(none_fits(tried))
}

/// Of several refusals one that tells most: that it is done already, or the first.
fn none_fits(tried: Vec<(RemedyId, Error)>) -> Error {
    if tried.is_empty() {
        let text = "the doctor finds no way out for it that is written into a configuration file; \
                    --set and --drop write what you name";
        return Error::NotApplicable(text.to_owned());
    }
    let done = |error: &Error| matches!(error, Error::NotApplicable(_));
    let one = tried.iter().position(|(_, error)| done(error));
    if tried.len() == 1 || one.is_some() {
        let (_, error) = tried.into_iter().nth(one.unwrap_or_default()).unzip();
        return error.unwrap_or(Error::Stopped);
    }
    let texts: Vec<String> =
        tried.iter().map(|(id, error)| format!("{}: {error}", id.as_str())).collect();
    Error::NotApplicable(format!("no way out can be written into it: {}", texts.join("; ")))
}

pub(super) fn kind(named: Option<ConfigKind>, place: &Place, text: &str) -> Result<Kind, Error> {
    let found = || config::recognise(&place.target().display().to_string(), text);
    named.map(Into::into).or_else(found).ok_or_else(|| {
        let text = format!(
            "{} does not show what kind of file it is; say --kind",
            place.target().display()
        );
        Error::NotApplicable(text)
    })
}

pub(super) fn named(name: &str) -> Selector {
    Selector {
        mount_point: Some(name.to_owned()),
        source: Some(name.to_owned()),
        ..Selector::default()
    }
}

/// The mount that the doctor has seen at the path, and the path itself.
pub(super) fn selector(report: &Report, place: &Place) -> Selector {
    let mount = report.mount.as_ref();
    Selector {
        mount_point: mount.map(|mount| mount.mount_point.clone()),
        source: mount.map(|mount| mount.source.clone()),
        path: Some(report.target.resolved.clone()),
        base: Some(place.directory.display().to_string()),
    }
}

/// What the user names. An option that hides a fault is not set for anybody.
fn explicit(mount: &MountArguments) -> Result<Vec<Change>, Error> {
    for option in &mount.set {
        if let Some(why) = hides(option) {
            return Err(Error::NotApplicable(format!("{option} is not set: {why}")));
        }
    }
    let set = mount.set.iter().cloned().map(Change::Set);
    let drop = mount.drop.iter().cloned().map(Change::Drop);
    Ok(drop.chain(set).collect())
}

/// Why one of these is not written for anybody.
pub(super) fn withheld(options: &[String]) -> Option<String> {
    options.iter().filter_map(|option| option.parse().ok()).find_map(|option| hides(&option))
}

fn hides(option: &MountOption) -> Option<String> {
    if option.name() == "cache" && matches!(option.value(), Some("loose" | "fscache")) {
        let why =
            "what another kernel writes is not seen, and what this one writes back destroys it";
        return Some(why.to_owned());
    }
    let options = [option.to_string()];
    FAMILIES.iter().find_map(|filesystem| {
        let facts = MountFacts { filesystem, options: &options, ..MountFacts::default() };
        knowledge::masking_options(&facts).into_iter().next().map(|mask| mask.what)
    })
}

/// A way out as changes of a configuration file, if it is one.
fn changes(remedy: RemedyId, report: &Report, volume: &VolumeName) -> Option<Vec<Change>> {
    let filesystem = report.mount.as_ref().map_or("", |mount| mount.filesystem.as_str());
    let (drop, set): (&[&str], &[&str]) = match remedy {
        RemedyId::NinePCacheMmap => (&[], &["cache=mmap"]),
        RemedyId::MergerfsCacheFiles => {
            (&["direct_io"], &["cache.files=auto-full", "dropcacheonclose=true"])
        }
        RemedyId::LustreFlock => (&["noflock", "localflock"], &["flock"]),
        RemedyId::NfsLockService => (&["nfsvers", "nolock", "soft"], &["vers=4.2", "hard"]),
        RemedyId::DropMaskingOption => return masking(report),
        RemedyId::MountDirectory => return Some(vec![Change::BindDirectory]),
        RemedyId::NamedVolume => return Some(vec![Change::NamedVolume(volume.clone())]),
        RemedyId::OtherProtocol if filesystem == "9p" => return Some(vec![Change::Virtiofs]),
        _ => return None,
    };
    let parsed = |names: &[&str], change: fn(MountOption) -> Change| -> Vec<Change> {
        names.iter().filter_map(|name| name.parse().ok()).map(change).collect()
    };
    Some([parsed(drop, Change::Drop), parsed(set, Change::Set)].concat())
}

fn masking(report: &Report) -> Option<Vec<Change>> {
    let mount = report.mount.as_ref()?;
    let masks = knowledge::masking_options(&MountFacts::of(mount, None, ""));
    let options = masks.iter().filter_map(|mask| mask.option.parse().ok());
    Some(options.map(Change::Drop).collect::<Vec<_>>()).filter(|changes| !changes.is_empty())
}
