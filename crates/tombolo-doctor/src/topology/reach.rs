//! Which kernels can reach a path, and the small map of it.
//!
//! One side sees only its own kernel. That another one holds the storage follows from the kind of
//! file system ([`Crossing`]); who else mounts it, nobody can tell from here.

use super::container;
use std::net::IpAddr;
use tombolo_core::report::{Container, KernelCount, KernelReach, Machine, Mount};

/// What the kind of a file system says of other kernels; a fact of the knowledge base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing<'a> {
    /// The storage belongs to this kernel alone.
    LocalOnly,
    /// Another kernel holds the storage.
    OtherKernel {
        /// What that kernel is to this one: `host`, `server`, `cluster nodes`.
        role: &'a str,
    },
    /// The server has an address of this machine: this kernel itself, or a tunnel to another.
    ServerHere,
    /// The kind does not tell: a FUSE file system without a row, a union of anything.
    NotKnown,
}

const LINE: &str = "\u{2500}";
const ARROW: &str = "\u{2192}";

pub(super) fn reach(crossing: Crossing<'_>, mount: Option<&Mount>, own: &str) -> KernelReach {
    let filesystem = mount.map_or("the file system", |mount| mount.filesystem.as_str());
    let own = own.to_owned();
    match crossing {
        Crossing::LocalOnly => KernelReach {
            count: KernelCount::One,
            kernels: vec![own],
            because: format!(
                "{filesystem} is local to this kernel, unless it is exported from here or its \
                 device is attached elsewhere"
            ),
        },
        Crossing::OtherKernel { role } => KernelReach {
            count: KernelCount::Several,
            kernels: vec![own, role.to_owned()],
            because: format!(
                "{filesystem} is served by another kernel ({role}), which reaches the same files; \
                 further ones may mount them too"
            ),
        },
        Crossing::ServerHere => KernelReach {
            count: KernelCount::NotKnown,
            kernels: vec![own],
            because: format!(
                "the server of {filesystem} has an address of this machine ({}): it is this kernel \
                 itself, unless a tunnel leads from there; others may mount it too, and the served \
                 directory is a second way to the same files",
                mount.and_then(address).unwrap_or_default()
            ),
        },
        Crossing::NotKnown => KernelReach {
            count: KernelCount::NotKnown,
            kernels: vec![own],
            because: format!("{filesystem} does not tell whether another kernel is behind it"),
        },
    }
}

/// Whether a server's address is one of this machine. With a port of its own it is a tunnel more
/// often than not, as that of Amazon EFS (efs-utils listens at 127.0.0.1).
pub(super) fn server_is_here(crossing: Crossing<'_>, mount: &Mount, addresses: &[IpAddr]) -> bool {
    let usual_port = !mount.super_options.iter().any(|option| {
        option.strip_prefix("port=").is_some_and(|port| !matches!(port, "0" | "2049" | "445"))
    });
    let address = address(mount).and_then(|text| text.parse::<IpAddr>().ok());
    matches!(crossing, Crossing::OtherKernel { .. })
        && lists_address(&mount.filesystem)
        && usual_port
        && address.is_some_and(|address| address.is_loopback() || addresses.contains(&address))
}

/// Whether mounts of this kind list the server's address.
pub(crate) fn lists_address(filesystem: &str) -> bool {
    matches!(filesystem, "nfs" | "nfs4" | "cifs" | "smb3")
}

/// The server's address, which NFS and SMB list among their options.
fn address(mount: &Mount) -> Option<&str> {
    mount.super_options.iter().find_map(|option| option.strip_prefix("addr="))
}

/// What this kernel is called in the map.
pub(super) fn own_role(machine: Machine) -> &'static str {
    match machine {
        Machine::Physical => "this machine",
        Machine::NotExamined => "this kernel",
        Machine::Gvisor => "sandbox",
        Machine::Wsl1 | Machine::Wsl2 => "WSL",
        Machine::DockerDesktop => "Docker Desktop VM",
        Machine::Cloud => "cloud machine",
        _ => "guest",
    }
}

/// Draws `host (zfs) -9p-> guest -bind-> container` with the lines of box drawings.
pub(super) fn map(
    crossing: Crossing<'_>,
    mount: Option<&Mount>,
    own: &str,
    container: Option<&Container>,
) -> String {
    let Some(mount) = mount else { return own.to_owned() };
    let arrow = |label: &str| format!(" {LINE}{label}{ARROW} ");
    let mut map = match crossing {
        Crossing::OtherKernel { role } => {
            let behind = server_storage(mount).map_or(String::new(), |name| format!(" ({name})"));
            format!("{role}{behind}{}{own}", arrow(&mount.filesystem))
        }
        Crossing::LocalOnly => format!("{own} ({})", mount.filesystem),
        Crossing::ServerHere => format!("{own}{}{own}", arrow(&mount.filesystem)),
        Crossing::NotKnown => format!("?{}{own}", arrow(&mount.filesystem)),
    };
    if let Some(container) = container {
        let label = match mount.filesystem.as_str() {
            "overlay" => "layers",
            _ if mount.root != "/" || crossing == Crossing::LocalOnly => "bind",
            _ => "mount",
        };
        map.push_str(&arrow(label));
        map.push_str(&container::in_words(container));
    }
    map
}

/// What the server says of its own storage: 9p alone passes on its server's `f_type`.
fn server_storage(mount: &Mount) -> Option<&str> {
    if mount.filesystem != "9p" {
        return None;
    }
    let name = mount.statfs_magic.as_deref()?.split_once('(')?.1.strip_suffix(')')?;
    (name != "9p").then_some(name)
}
