//! The names that container tools leave in control-group paths (`cgroups(7)`, `/proc/PID/cgroup`).
//!
//! The names are conventions of the tools, not of the kernel: moby `daemon/oci_linux.go`, podman
//! `libpod/container_internal_linux.go`, containerd `internal/cri`, CRI-O `internal/config/cgmgr`,
//! LXC `src/lxc/cgroups/cgfsng.c`, systemd `src/machine`. A process may sit in a group of any name,
//! so they say where a process *seems* to be.

use crate::report::ContainerRuntime;

/// Lines looked at; version 1 has one for each of a dozen controllers.
const LINES_MAX: usize = 64;

/// Shortest id taken for one: the twelve digits that tools print.
const ID_DIGITS_MIN: usize = 12;

/// What a control-group path says of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The tool.
    pub runtime: ContainerRuntime,
    /// The id, for tools that give ids.
    pub id: Option<String>,
    /// The name, for tools that name the group after the container.
    pub name: Option<String>,
    /// Whether a pod of Kubernetes surrounds it.
    pub pod: Pod,
}

/// Whether a container belongs to a pod of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pod {
    /// It does.
    Kubernetes,
    /// Nothing says so.
    Unnamed,
}

/// Reads `/proc/PID/cgroup` of either version and finds the innermost container named in it.
///
/// `None` also inside a container with a control-group namespace, where every path is `/`.
#[must_use]
pub fn container(bytes: &[u8]) -> Option<Named> {
    paths(bytes).find_map(|path| named(&String::from_utf8_lossy(path)))
}

/// The paths of `/proc/PID/cgroup`: the third field of `hierarchy:controllers:path`.
pub fn paths(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = bytes.split(|byte| *byte == b'\n').take(LINES_MAX);
    lines.filter_map(|line| line.splitn(3, |byte| *byte == b':').nth(2))
}

fn named(path: &str) -> Option<Named> {
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let pod = if components.iter().any(|part| part.starts_with("kubepods")) {
        Pod::Kubernetes
    } else {
        Pod::Unnamed
    };
    (0..components.len()).rev().find_map(|index| {
        let own = *components.get(index)?;
        let above = index.checked_sub(1).and_then(|above| components.get(above)).copied();
        let (runtime, id, name) = by_own_name(own)
            .or_else(|| by_name_above(above?, own))
            .or_else(|| (pod == Pod::Kubernetes).then(|| in_pod(own)).flatten())?;
        Some(Named { runtime, id, name, pod })
    })
}

type Parts = (ContainerRuntime, Option<String>, Option<String>);

/// Groups that carry tool and id, or tool and name, in one component.
fn by_own_name(component: &str) -> Option<Parts> {
    let bare = component.strip_suffix(".scope").unwrap_or(component);
    // The systemd driver of a runtime that was given a path for another driver leaves
    // `SLICE:PREFIX:ID`.
    let bare = match bare.rsplit_once(':') {
        Some((before, id)) => &format!("{}-{id}", before.rsplit(':').next().unwrap_or(before)),
        None => bare,
    };
    for (prefix, runtime) in [
        ("docker-", ContainerRuntime::Docker),
        ("libpod-", ContainerRuntime::Podman),
        ("cri-containerd-", ContainerRuntime::Containerd),
        ("nerdctl-", ContainerRuntime::Containerd),
        ("crio-", ContainerRuntime::Crio),
    ] {
        // `libpod-conmon-ID` and `crio-conmon-ID` hold the monitor on the host side.
        if let Some(id) = bare.strip_prefix(prefix).and_then(hexadecimal_id) {
            return Some((runtime, Some(id), None));
        }
    }
    if let Some(name) = component.strip_prefix("lxc.payload.") {
        return Some((ContainerRuntime::Lxc, None, Some(name.to_owned())));
    }
    if let Some(name) = component.strip_prefix("systemd-nspawn@") {
        let name = unescaped(name.strip_suffix(".service")?);
        return Some((ContainerRuntime::SystemdNspawn, None, Some(name)));
    }
    let name = unescaped(component.strip_prefix("machine-")?.strip_suffix(".scope")?);
    // Virtual machines of libvirt are machines of systemd, too.
    let is_virtual_machine = name.starts_with("qemu-");
    (!is_virtual_machine).then_some((ContainerRuntime::SystemdNspawn, None, Some(name)))
}

/// Groups whose component above tells the tool.
fn by_name_above(above: &str, own: &str) -> Option<Parts> {
    match above {
        "docker" => Some((ContainerRuntime::Docker, Some(hexadecimal_id(own)?), None)),
        "libpod_parent" => {
            let id = hexadecimal_id(own.strip_prefix("libpod-").unwrap_or(own))?;
            Some((ContainerRuntime::Podman, Some(id), None))
        }
        "lxc" | "lxc.payload" => Some((ContainerRuntime::Lxc, None, Some(own.to_owned()))),
        // The namespaces of containerd that its own clients use.
        "default" | "k8s.io" | "moby" => {
            let id = hexadecimal_id(own).filter(|id| id.len() == 64)?;
            Some((ContainerRuntime::Containerd, Some(id), None))
        }
        _ => None,
    }
}

fn in_pod(own: &str) -> Option<Parts> {
    Some((ContainerRuntime::Kubernetes, Some(hexadecimal_id(own)?), None))
}

fn hexadecimal_id(text: &str) -> Option<String> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() >= ID_DIGITS_MIN && text.bytes().all(is_digit)).then(|| text.to_owned())
}

/// Undoes the escapes of systemd unit names: `\x2d` is `-` (`systemd-escape(1)`).
fn unescaped(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        let digits = tail.strip_prefix(b"x").and_then(|tail| tail.get(..2));
        let value = digits
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match value {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ContainerRuntime::{Containerd, Crio, Docker, Kubernetes, Lxc, Podman, SystemdNspawn};
    use proptest::prelude::*;

    const ID: &str = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988";

    #[test]
    fn paths_of_every_tool_are_recognised() {
        let with_id = [
            ("0::/system.slice/docker-ID.scope", Docker, Pod::Unnamed),
            ("12:pids:/docker/ID\n0::/\n", Docker, Pod::Unnamed),
            ("0::/../docker-ID.scope", Docker, Pod::Unnamed),
            ("0::/docker/ID/init.scope", Docker, Pod::Unnamed),
            ("0::/lxc.payload.web/docker/ID", Docker, Pod::Unnamed),
            ("0::/machine.slice/libpod-ID.scope/container", Podman, Pod::Unnamed),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
                Podman,
                Pod::Unnamed,
            ),
            ("3:cpu:/libpod_parent/libpod-ID", Podman, Pod::Unnamed),
            (
                "0::/kubepods.slice/kubepods-podx.slice/cri-containerd-ID.scope",
                Containerd,
                Pod::Kubernetes,
            ),
            (
                "1:name=systemd:/system.slice/kubepods-podx.slice:cri-containerd:ID",
                Containerd,
                Pod::Kubernetes,
            ),
            ("0::/default/ID", Containerd, Pod::Unnamed),
            ("0::/system.slice/nerdctl-ID.scope", Containerd, Pod::Unnamed),
            ("0::/kubepods.slice/kubepods-podx.slice/crio-ID.scope", Crio, Pod::Kubernetes),
            ("4:memory:/kubepods/besteffort/podx/ID", Kubernetes, Pod::Kubernetes),
        ];
        for (text, runtime, pod) in with_id {
            let found = container(text.replace("ID", ID).as_bytes());
            let expected = Named { runtime, id: Some(ID.to_owned()), name: None, pod };
            assert_eq!(found, Some(expected), "{text}");
        }
    }

    #[test]
    fn named_containers_keep_their_names() {
        for (text, runtime, name) in [
            ("0::/lxc.payload.media-box/init.scope", Lxc, "media-box"),
            ("0::/lxc.payload/media", Lxc, "media"),
            ("2:cpu:/lxc/web", Lxc, "web"),
            (r"0::/machine.slice/machine-my\x2dbox.scope/payload", SystemdNspawn, "my-box"),
            (
                r"0::/machine.slice/systemd-nspawn@my\x2dbox.service/payload",
                SystemdNspawn,
                "my-box",
            ),
        ] {
            let found = container(text.as_bytes()).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((found.runtime, found.name.as_deref()), (runtime, Some(name)), "{text}");
        }
    }

    #[test]
    fn what_is_no_container_is_not_called_one() {
        for text in [
            "",
            "0::/",
            "0::/user.slice/user-1000.slice/session-3.scope",
            "0::/system.slice/docker.service",
            "0::/machine.slice/libpod-conmon-0123456789abcdef.scope",
            "0::/kubepods.slice/crio-conmon-0123456789abcdef.scope",
            "0::/lxc.monitor.web",
            r"0::/machine.slice/machine-qemu\x2d1\x2dwin.scope/libvirt/emulator",
            "0::/system.slice/docker-short.scope",
            "not a line",
        ] {
            assert_eq!(container(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn an_escape_that_is_none_stays() {
        assert_eq!(unescaped(r"a\x2db\xzz\x2"), r"a-b\xzz\x2");
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = container(&bytes);
        }

        #[test]
        fn near_valid_paths_do_not_panic(
            path in r"0::(/(docker|machine-|kubepods|lxc|:|\\x|[\u{e9}]|[0-9a-f]{0,14}){0,3}){0,4}"
        ) {
            let _ = container(path.as_bytes());
        }
    }
}
