//! Which container a process is in, from its signs.

use tombolo_core::cgroup::{self, Named};
use tombolo_core::mountinfo;
use tombolo_core::report::{Container, ContainerRuntime};
use tombolo_core::text::printable;
use tombolo_os::container::Signs;

/// Names the container; `None` when nothing says that the process is in one.
#[must_use]
pub fn classify(signs: &Signs) -> Option<Container> {
    let named = cgroup::container(&signs.cgroup).map(from_cgroup);
    let found = named.or_else(|| from_mounts(&signs.mountinfo)).or_else(|| from_marks(signs))?;
    Some(with_podman_names(found, signs))
}

fn from_cgroup(named: Named) -> Container {
    let name = named.name.map(|name| printable(name.as_bytes()));
    Container { runtime: named.runtime, id: named.id, name }
}

/// Runtimes mount files of their own into the container; where they come from tells the tool and
/// the id, also when a control-group namespace hides the path.
fn from_mounts(table: &[u8]) -> Option<Container> {
    let table = mountinfo::parse(table);
    let files = [&b"/etc/hostname"[..], b"/etc/hosts", b"/etc/resolv.conf"];
    let sources = table
        .mounts()
        .iter()
        .filter(|mount| files.contains(&mount.mount_point.as_slice()))
        .map(|mount| String::from_utf8_lossy(&mount.root).into_owned());
    for source in sources {
        for (before, runtime) in [
            ("docker/containers/", ContainerRuntime::Docker),
            ("overlay-containers/", ContainerRuntime::Podman),
            ("io.containerd.grpc.v1.cri/sandboxes/", ContainerRuntime::Containerd),
            ("nerdctl/", ContainerRuntime::Containerd),
            ("kubelet/pods/", ContainerRuntime::Kubernetes),
        ] {
            let Some((_, after)) = source.split_once(before) else { continue };
            let id = after.split('/').find(|part| is_long_id(part)).map(str::to_owned);
            return Some(Container { runtime, id, name: None });
        }
    }
    None
}

fn is_long_id(part: &str) -> bool {
    part.len() == 64 && part.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Marks that programs inside a container look for.
fn from_marks(signs: &Signs) -> Option<Container> {
    let word = signs.environment_container.as_deref().or(signs.container_manager.as_deref());
    let runtime = match word.map(str::trim) {
        Some("podman") => ContainerRuntime::Podman,
        Some("docker") => ContainerRuntime::Docker,
        Some(word) if word.starts_with("lxc") => ContainerRuntime::Lxc,
        Some("systemd-nspawn") => ContainerRuntime::SystemdNspawn,
        _ if signs.containerenv.is_some() => ContainerRuntime::Podman,
        _ if signs.kubernetes_service => ContainerRuntime::Kubernetes,
        // The file also stays behind in disks of virtual machines that were made from an image.
        _ if signs.dockerenv && (signs.own_pid_namespace || on_overlay(&signs.mountinfo)) => {
            ContainerRuntime::Docker
        }
        // Names that do not mean a container of Linux tools here: `wsl` is a machine.
        Some("wsl") => return None,
        Some(word) if !word.is_empty() => ContainerRuntime::Other,
        _ if signs.own_pid_namespace && on_overlay(&signs.mountinfo) => ContainerRuntime::Other,
        _ => return None,
    };
    Some(Container { runtime, id: None, name: None })
}

/// A pid namespace alone may be a browser's sandbox; with a root of layers it is a container.
fn on_overlay(table: &[u8]) -> bool {
    mountinfo::parse(table).find(b"/").is_some_and(|mount| mount.filesystem == "overlay")
}

/// `/run/.containerenv` of podman: lines such as `name="web"`.
fn with_podman_names(mut container: Container, signs: &Signs) -> Container {
    let Some(marks) = &signs.containerenv else { return container };
    let field = |key: &str| {
        let value = marks.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let value = printable(value.trim().trim_matches('"').as_bytes());
        (!value.is_empty()).then_some(value)
    };
    container.name = container.name.or_else(|| field("name"));
    container.id = container.id.or_else(|| field("id"));
    container
}

/// The container in words: `docker container web`.
#[must_use]
pub fn in_words(container: &Container) -> String {
    let tool = match container.runtime {
        ContainerRuntime::Docker => "docker container",
        ContainerRuntime::Podman => "podman container",
        ContainerRuntime::Containerd => "containerd container",
        ContainerRuntime::Crio => "CRI-O container",
        ContainerRuntime::Lxc => "LXC container",
        ContainerRuntime::Kubernetes => "Kubernetes container",
        ContainerRuntime::SystemdNspawn => "systemd-nspawn container",
        ContainerRuntime::Other => "container",
    };
    let short_id = container.id.as_deref().map(|id| id.get(..12).unwrap_or(id));
    match container.name.as_deref().or(short_id) {
        Some(name) => format!("{tool} {name}"),
        None => tool.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ContainerRuntime::{Containerd, Docker, Kubernetes, Lxc, Other, Podman, SystemdNspawn};

    const ID: &str = "1f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a79881f2e3d4c5b6a7988";

    fn runtime_of(signs: &Signs) -> Option<(ContainerRuntime, Option<String>)> {
        classify(signs).map(|found| (found.runtime, found.id))
    }

    fn hostname_from(root: &str) -> Signs {
        let table = format!(
            "1 0 0:40 / / rw - overlay overlay rw\n\
             2 1 8:1 {root} /etc/hostname rw - ext4 /dev/vda rw\n"
        );
        Signs { cgroup: b"0::/\n".to_vec(), mountinfo: table.into_bytes(), ..Signs::default() }
    }

    #[test]
    fn a_cgroup_path_tells_before_anything_else() {
        let cgroup = format!("0::/system.slice/docker-{ID}.scope\n").into_bytes();
        let signs = Signs { cgroup, kubernetes_service: true, ..Signs::default() };
        assert_eq!(runtime_of(&signs), Some((Docker, Some(ID.to_owned()))));
    }

    #[test]
    fn hidden_cgroups_leave_the_mounts_of_the_tool() {
        for (root, runtime) in [
            (format!("/var/lib/docker/containers/{ID}/hostname"), Docker),
            (format!("/containers/storage/overlay-containers/{ID}/userdata/hostname"), Podman),
            (
                format!("/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{ID}/hostname"),
                Containerd,
            ),
        ] {
            let found = runtime_of(&hostname_from(&root));
            assert_eq!(found, Some((runtime, Some(ID.to_owned()))), "{root}");
        }
    }

    #[test]
    fn marks_inside_a_container_are_read() {
        let word =
            |word: &str| Signs { environment_container: Some(word.to_owned()), ..Signs::default() };
        for (signs, expected) in [
            (word("lxc"), Some(Lxc)),
            (word("systemd-nspawn"), Some(SystemdNspawn)),
            (word("oci"), Some(Other)),
            (word("wsl"), None),
            (Signs { dockerenv: true, own_pid_namespace: true, ..Signs::default() }, Some(Docker)),
            (Signs { dockerenv: true, ..hostname_from("/x") }, Some(Docker)),
            (Signs { dockerenv: true, ..Signs::default() }, None),
            (Signs { kubernetes_service: true, ..Signs::default() }, Some(Kubernetes)),
            (Signs::default(), None),
            (Signs { own_pid_namespace: true, ..Signs::default() }, None),
            (Signs { own_pid_namespace: true, ..hostname_from("/x") }, Some(Other)),
        ] {
            assert_eq!(classify(&signs).map(|found| found.runtime), expected, "{signs:?}");
        }
    }

    #[test]
    fn podman_gives_its_own_name() {
        let marks = format!("engine=\"podman-4.3.1\"\nname=\"web\"\nid=\"{ID}\"\n");
        let signs = Signs { containerenv: Some(marks), ..Signs::default() };
        let found = classify(&signs).expect("a container");
        assert_eq!((found.runtime, found.id.as_deref()), (Podman, Some(ID)));
        assert_eq!(in_words(&found), "podman container web");
    }
}
