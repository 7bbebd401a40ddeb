//! `move`: what is left in the old place.

use super::{changed_file, facts};
use crate::args::{FixArguments, FixRemedy, MoveArguments};
use std::path::Path;
use tombolo_remedy::Error;
use tombolo_remedy::config::Waits;
use tombolo_remedy::plan::Plan;
use tombolo_remedy::record::Standing;
use tombolo_remedy::remedies::{self, Behind, Table};
use tombolo_remedy::run;
use tombolo_remedy::state::Place;

/// File systems that systemd takes for those of a network: `fstype_is_network` in its
/// src/basic/mountpoint-util.c.
const NETWORK: [&str; 17] = [
    "afs",
    "ceph",
    "cifs",
    "davfs",
    "gfs",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncp",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "pvfs2",
    "smb3",
    "smbfs",
    "sshfs",
];

/// Where the record of a run is: that of a move under a mount stands above the directory.
pub(super) fn place(arguments: &FixArguments) -> Result<Place, Error> {
    let file = changed_file(arguments);
    let found = Place::find(file)?;
    if file != arguments.path {
        return Ok(found);
    }
    // What was done since is undone first.
    let later = found.state().is_dir();
    if let Some(above) = Place::find_above(file)?.filter(|_| !later) {
        let ours = matches!(&arguments.remedy, None | Some(FixRemedy::Move(_)));
        let unfinished = || {
            let standing = run::recorded(&above)?;
            Ok::<_, Error>(standing.is_some_and(|standing| standing.ended.is_none()))
        };
        if ours || unfinished()? {
            return Ok(above);
        }
    }
    match &arguments.remedy {
        Some(FixRemedy::Move(MoveArguments { bind: true, .. })) if !later => {
            let text = "a directory that is mounted over / would hide everything";
            found.above().ok_or_else(|| Error::NotApplicable(text.to_owned()))
        }
        _ => Ok(found),
    }
}

pub(super) fn is_done(place: &Place, standing: &Standing, wanted: &MoveArguments) -> bool {
    let Some(to) = &wanted.to else { return false };
    let done = match behind(wanted) {
        None => remedies::is_under_mount(place, standing, to),
        Some(behind) => remedies::is_relocated(place, standing, to, behind),
    };
    done.unwrap_or(false)
}

pub(super) fn planned(place: &Place, to: &Path, wanted: &MoveArguments) -> Result<Plan, Error> {
    let filesystem = facts::filesystem_of_database(place)?;
    let Some(behind) = behind(wanted) else {
        let table = Place::of(&wanted.fstab)?;
        let text = remedies::configuration_text(&table)?;
        let kind = filesystem.strip_prefix("fuse.").unwrap_or(&filesystem);
        let network = NETWORK.contains(&kind);
        let waits = if network { Waits::ForNetwork } else { Waits::ForDisks };
        let table = Table { place: &table, text: &text, waits };
        return remedies::relocate_under_mount(place, to, &table);
    };
    remedies::relocate(place, to, behind)
}

/// What is left; `None` for a mount.
fn behind(wanted: &MoveArguments) -> Option<Behind> {
    match wanted {
        MoveArguments { bind: true, .. } => None,
        MoveArguments { no_link: true, .. } => Some(Behind::Nothing),
        _ => Some(Behind::Link),
    }
}
