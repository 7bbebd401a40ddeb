//! Where each tool keeps the names of its containers and the numbers of their processes.

use super::Candidate;
use crate::bounded::read_file;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tombolo_core::report::ContainerRuntime;

/// Bytes read of one file of state.
const STATE_BYTES_MAX: u64 = 8 << 20;

/// Entries looked at in one directory.
pub(super) const ENTRIES_MAX: usize = 4096;

/// Docker, also rootless and from a snap: `config.v2.json` (moby `daemon/container`).
pub(super) fn docker(root: &Path) -> Vec<Candidate> {
    let mut stores = vec![
        root.join("var/lib/docker/containers"),
        root.join("var/snap/docker/common/var-lib-docker/containers"),
    ];
    stores.extend(homes(root).map(|home| home.join(".local/share/docker/containers")));
    let containers = stores.iter().flat_map(|store| entries(store));
    containers
        .filter_map(|container| {
            let state = json(&container.join("config.v2.json"))?;
            let name = text(&state, "/Name")?;
            Some(Candidate {
                runtime: ContainerRuntime::Docker,
                id: text(&state, "/ID"),
                names: vec![name.trim_start_matches('/').to_owned()],
                pid: state.pointer("/State/Pid").and_then(Value::as_i64).and_then(process_id),
            })
        })
        .collect()
}

/// Podman and CRI-O, which share the store of containers/storage: names in `containers.json`, the
/// number of the first process in `userdata/pidfile` of the run directory.
pub(super) fn podman_and_crio(root: &Path) -> Vec<Candidate> {
    let mut stores = vec![root.join("var/lib/containers/storage")];
    stores.extend(homes(root).map(|home| home.join(".local/share/containers/storage")));
    let mut run_directories =
        vec![root.join("run/containers/storage"), root.join("var/run/containers/storage")];
    run_directories
        .extend(entries(&root.join("run/user")).into_iter().map(|user| user.join("containers")));
    let mut found = Vec::new();
    for store in stores {
        for kind in ["overlay-containers", "vfs-containers", "btrfs-containers", "zfs-containers"] {
            let Some(Value::Array(list)) = json(&store.join(kind).join("containers.json")) else {
                continue;
            };
            found.extend(list.iter().take(ENTRIES_MAX).filter_map(|container| {
                let id = text(container, "/id").filter(|id| is_file_name(id))?;
                let names = container.pointer("/names").and_then(Value::as_array)?;
                let names = names.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                let pid = run_directories
                    .iter()
                    .find_map(|run| number(&run.join(kind).join(&id).join("userdata/pidfile")));
                Some(podman_or_crio(id, names, pid))
            }));
        }
    }
    found
}

/// CRI-O names its containers `k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT`.
fn podman_or_crio(id: String, mut names: Vec<String>, pid: Option<i32>) -> Candidate {
    let mut runtime = ContainerRuntime::Podman;
    let parts: Vec<String> =
        names.first().into_iter().flat_map(|name| name.split('_')).map(str::to_owned).collect();
    if let [mark, container, pod, namespace, ..] = parts.as_slice()
        && mark == "k8s"
    {
        runtime = ContainerRuntime::Crio;
        names.splice(0..0, names_in_pod(container, pod, namespace));
    }
    Candidate { runtime, id: Some(id), names, pid }
}

/// containerd's running tasks: `init.pid` and the OCI `config.json` of each bundle.
pub(super) fn containerd(root: &Path) -> Vec<Candidate> {
    let mut states = vec![root.join("run/containerd"), root.join("run/k3s/containerd")];
    states.extend(entries(&root.join("run/user")).into_iter().map(|user| user.join("containerd")));
    let bundles = states
        .iter()
        .flat_map(|state| entries(&state.join("io.containerd.runtime.v2.task")))
        .flat_map(|namespace| entries(&namespace));
    bundles.filter_map(|bundle| containerd_task(&bundle)).collect()
}

fn containerd_task(bundle: &Path) -> Option<Candidate> {
    let pid = number(&bundle.join("init.pid"))?;
    let id = bundle.file_name()?.to_str()?.to_owned();
    let config = json(&bundle.join("config.json")).unwrap_or(Value::Null);
    // The keys contain slashes, which stand as `~1` in a JSON pointer.
    let annotation = |name: &str| text(&config, &format!("/annotations/{name}"));
    let container = annotation("io.kubernetes.cri.container-name");
    let pod = annotation("io.kubernetes.cri.sandbox-name");
    let namespace = annotation("io.kubernetes.cri.sandbox-namespace");
    let names = match (container, pod, namespace) {
        (Some(container), Some(pod), Some(namespace)) => names_in_pod(&container, &pod, &namespace),
        _ => annotation("nerdctl~1name").into_iter().collect(),
    };
    Some(Candidate { runtime: ContainerRuntime::Containerd, id: Some(id), names, pid: Some(pid) })
}

/// Containers of systemd-machined: `/run/systemd/machines/NAME` with `LEADER=`.
pub(super) fn nspawn(root: &Path) -> Vec<Candidate> {
    let machines = entries(&root.join("run/systemd/machines"));
    machines
        .into_iter()
        .filter_map(|machine| {
            let name = machine.file_name()?.to_str()?.to_owned();
            let state = read_file(&machine, STATE_BYTES_MAX).ok()?;
            let state = String::from_utf8_lossy(&state).into_owned();
            let field = |key: &str| {
                state.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            };
            // Beside each machine stands a link by the name of its unit.
            if name.starts_with("unit:") || field("CLASS") != Some("container") {
                return None;
            }
            Some(Candidate {
                runtime: ContainerRuntime::SystemdNspawn,
                id: None,
                names: vec![name],
                pid: field("LEADER")?.parse::<i64>().ok().and_then(process_id),
            })
        })
        .collect()
}

fn names_in_pod(container: &str, pod: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{namespace}/{pod}/{container}"),
        format!("{pod}/{container}"),
        container.to_owned(),
    ]
}

fn homes(root: &Path) -> impl Iterator<Item = PathBuf> {
    entries(&root.join("home")).into_iter().chain([root.join("root")])
}

/// The entries of a directory in the order of their names; none where it cannot be read.
pub(super) fn entries(directory: &Path) -> Vec<PathBuf> {
    let Ok(reading) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> =
        reading.take(ENTRIES_MAX).filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

pub(super) fn json(path: &Path) -> Option<Value> {
    serde_json::from_slice(&read_file(path, STATE_BYTES_MAX).ok()?).ok()
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer)?.as_str().map(str::to_owned)
}

fn number(path: &Path) -> Option<i32> {
    let bytes = read_file(path, 64).ok()?;
    std::str::from_utf8(&bytes).ok()?.trim().parse::<i64>().ok().and_then(process_id)
}

pub(super) fn process_id(number: i64) -> Option<i32> {
    i32::try_from(number).ok().filter(|pid| *pid > 0)
}

/// An id becomes a part of a path.
fn is_file_name(id: &str) -> bool {
    !id.is_empty() && id != "." && id != ".." && !id.contains('/')
}
