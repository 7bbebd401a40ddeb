//! Better options of a mount, written into what really defines it.
//!
//! Pure: from the text of a configuration file, the mount that is meant and the wanted changes to
//! edits of byte ranges, or to a refusal. Nothing is written anew from a parsed form, so comments,
//! order, quotes and indentation stay byte for byte outside of an edit. What is not understood is
//! refused with its line, never guessed. A change that is there already yields no edit.

mod add_service;
mod bind;
mod change;
mod compose;
mod diff;
mod docker;
mod field;
mod fstab;
mod fstab_bind;
mod kubernetes;
mod libvirt;
mod lima;
mod lines;
mod options;
mod protocol;
mod proxmox;
mod qemu;
mod recognise;
mod shell;
mod systemd;
mod yaml;

pub use add_service::add_service;
pub(crate) use change::is_plain;
pub use change::{Change, HostPath, MountOption, VolumeName};
pub use diff::unified as unified_diff;
pub use field::{Edit, edited};
pub use fstab_bind::{BindMount, NoTablePath, TablePath, Waits, bind, unbind};
pub use recognise::recognise;

use serde::{Deserialize, Serialize};

/// A longer file is no configuration of mounts.
pub const TEXT_BYTES_MAX: usize = 512 * 1024;

/// More text than any of the changes writes.
const WRITTEN_BYTES_MAX: usize = 64 * 1024;

/// What a configuration file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The table of file systems: fstab(5).
    Fstab,
    /// A mount unit: systemd.mount(5).
    SystemdMount,
    /// A Compose file.
    Compose,
    /// A shell script with `docker run`, `docker create` or `docker volume create`, or the same of
    /// podman.
    DockerRun,
    /// A `PersistentVolume` or `StorageClass`.
    Kubernetes,
    /// A domain of libvirt.
    Libvirt,
    /// A shell script that starts QEMU.
    Qemu,
    /// A virtual machine or container of Proxmox VE.
    Proxmox,
    /// An instance of Lima.
    Lima,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Kind] = &[
        Kind::Fstab,
        Kind::SystemdMount,
        Kind::Compose,
        Kind::DockerRun,
        Kind::Kubernetes,
        Kind::Libvirt,
        Kind::Qemu,
        Kind::Proxmox,
        Kind::Lima,
    ];

    /// As it is typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Fstab => "fstab",
            Kind::SystemdMount => "systemd-mount",
            Kind::Compose => "compose",
            Kind::DockerRun => "docker-run",
            Kind::Kubernetes => "kubernetes",
            Kind::Libvirt => "libvirt",
            Kind::Qemu => "qemu",
            Kind::Proxmox => "proxmox",
            Kind::Lima => "lima",
        }
    }

    /// What must be done before an edited file has an effect.
    #[must_use]
    pub const fn takes_effect(self) -> &'static str {
        match self {
            Kind::Fstab => "It takes effect when the file system is unmounted and mounted again.",
            Kind::SystemdMount => {
                "It takes effect after systemctl daemon-reload, when the unit is started again."
            }
            Kind::Compose => {
                "It takes effect when the containers are made anew (docker compose up -d). A \
                 volume keeps the options that it was made with: remove it first (docker volume \
                 rm), which leaves the data of a network file system where they are."
            }
            Kind::DockerRun => {
                "It takes effect when the container is removed and run again. A volume keeps the \
                 options that it was made with."
            }
            Kind::Kubernetes => {
                "It takes effect after kubectl apply, when the volume is mounted again. A volume \
                 that a StorageClass made before keeps its options."
            }
            Kind::Libvirt => {
                "It takes effect after virsh define, when the domain is shut down and started."
            }
            Kind::Qemu => "It takes effect when the virtual machine is shut down and started.",
            Kind::Proxmox => {
                "It takes effect when the virtual machine or container is shut down and started."
            }
            Kind::Lima => "It takes effect when the instance is stopped and started.",
        }
    }
}

/// Which mount is meant. Whatever is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Where it is mounted.
    pub mount_point: Option<String>,
    /// What is mounted: a device, a tag, `server:/export`, the name of a volume.
    pub source: Option<String>,
    /// A path that the mount shows, as its host names it: a bind mount of a directory above it is
    /// meant.
    pub path: Option<String>,
    /// The directory of the file, to which relative sources in it refer.
    pub base: Option<String>,
}

impl Selector {
    /// Its name in messages.
    fn name(&self) -> String {
        let known = self.mount_point.as_ref().or(self.source.as_ref()).or(self.path.as_ref());
        known.cloned().unwrap_or_else(|| "the mount".to_owned())
    }
}

/// What to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// Edits in the order of their ranges, none of which overlap. None: it stands there already.
    pub edits: Vec<Edit>,
    /// What else has to be done by hand.
    pub notes: Vec<String>,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Something is written in a way that is not understood here.
    #[error("line {line}: {reason}")]
    Unknown {
        /// Its line, from 1.
        line: usize,
        /// What it is.
        reason: String,
    },
    /// The file does not define the mount.
    #[error("{mount} is not defined in it{}", before(*.line))]
    NotThere {
        /// What was looked for.
        mount: String,
        /// The last line that was looked at.
        line: usize,
    },
    /// The file defines the mount twice.
    #[error("{mount} is defined twice, in lines {first} and {second}")]
    Twice {
        /// What was looked for.
        mount: String,
        /// The line of one.
        first: usize,
        /// The line of the other.
        second: usize,
    },
    /// Such a file cannot say what is wanted.
    #[error("{0}")]
    NotOfKind(String),
}

fn before(line: usize) -> String {
    format!(" (looked up to line {line})")
}

impl Refusal {
    fn unknown(text: &str, at: usize, reason: impl Into<String>) -> Self {
        Refusal::Unknown { line: lines::line_of(text, at), reason: reason.into() }
    }

    fn not_there(text: &str, selector: &Selector) -> Self {
        Refusal::NotThere { mount: selector.name(), line: lines::line_of(text, text.len()) }
    }
}

/// The edits that make a file say what is wanted of a mount.
///
/// They are handed out only when the edited file, read again, says it.
///
/// # Errors
/// [`Refusal`]; then the file is not to be changed at all.
pub fn edit(
    kind: Kind,
    text: &str,
    selector: &Selector,
    changes: &[Change],
) -> Result<Edited, Refusal> {
    let found = wanted(kind, text, selector, changes)?;
    let Some(first) = found.edits.first() else { return Ok(found) };
    let unsure = |reason: String| Err(Refusal::unknown(text, first.start, reason));
    if found.edits.iter().map(|edit| edit.text.len()).sum::<usize>() > WRITTEN_BYTES_MAX {
        return unsure("the change would write too much".to_owned());
    }
    let Some(after) = edited(text, &found.edits) else {
        return unsure("two of the changes meet in one place".to_owned());
    };
    match wanted(kind, &after, selector, changes) {
        Ok(again) if again.edits.is_empty() => Ok(found),
        Err(Refusal::NotThere { .. }) if changes == [Change::Detach] => Ok(found),
        Ok(_) => unsure("the change would not be there after it was written".to_owned()),
        Err(refusal) => unsure(format!("after the change it would be refused: {refusal}")),
    }
}

fn wanted(
    kind: Kind,
    text: &str,
    selector: &Selector,
    changes: &[Change],
) -> Result<Edited, Refusal> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Refusal::NotOfKind(format!("it is longer than {TEXT_BYTES_MAX} bytes")));
    }
    let mut found = match kind {
        Kind::Fstab => fstab::edit(text, selector, changes),
        Kind::SystemdMount => systemd::edit(text, selector, changes),
        Kind::Compose => compose::edit(text, selector, changes),
        Kind::DockerRun => docker::edit(text, selector, changes),
        Kind::Kubernetes => kubernetes::edit(text, selector, changes),
        Kind::Libvirt => libvirt::edit(text, selector, changes),
        Kind::Qemu => qemu::edit(text, selector, changes),
        Kind::Proxmox => proxmox::edit(text, selector, changes),
        Kind::Lima => lima::edit(text, selector, changes),
    }?;
    found.edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(found)
}

/// The one entry that is meant: by its mount point, else by its source, else by the path that it
/// shows.
///
/// # Errors
/// [`Refusal::NotThere`] and [`Refusal::Twice`].
fn select<'a, T>(
    text: &str,
    selector: &Selector,
    entries: &'a [T],
    names: impl Fn(&T) -> Names,
) -> Result<&'a T, Refusal> {
    type Fits = fn(&Selector, &Names) -> bool;
    let by_mount_point: Fits =
        |selector, names| same_path(selector.mount_point.as_deref(), names.mount_point.as_deref());
    let by_source: Fits = |selector, names| {
        names.sources.iter().any(|source| same_path(selector.source.as_deref(), Some(source)))
    };
    let by_path: Fits =
        |selector, names| names.shown.as_deref().is_some_and(|shown| bind::shows(selector, shown));
    for fits in [by_mount_point, by_source, by_path] {
        let mut found = entries.iter().filter(|entry| fits(selector, &names(entry)));
        match (found.next(), found.next()) {
            (Some(entry), None) => return Ok(entry),
            (Some(first), Some(second)) => {
                return Err(Refusal::Twice {
                    mount: selector.name(),
                    first: lines::line_of(text, names(first).at),
                    second: lines::line_of(text, names(second).at),
                });
            }
            _ => {}
        }
    }
    Err(Refusal::not_there(text, selector))
}

/// By what an entry can be meant.
#[derive(Clone, Debug, Default)]
struct Names {
    mount_point: Option<String>,
    sources: Vec<String>,
    /// The path of its host that it shows.
    shown: Option<String>,
    /// Where it stands in the file.
    at: usize,
}

fn same_path(one: Option<&str>, other: Option<&str>) -> bool {
    let trimmed = |path: &'_ str| -> String {
        let short = path.trim_end_matches('/');
        if short.is_empty() { path.to_owned() } else { short.to_owned() }
    };
    match (one, other) {
        (Some(one), Some(other)) => !one.is_empty() && trimmed(one) == trimmed(other),
        _ => false,
    }
}
