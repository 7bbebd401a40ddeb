//! From a container's name or id to a process inside of it, by the state that the tools keep on
//! disk and the control groups of running processes. No client program is asked, and no daemon.

mod oci;
mod tools;

use crate::bounded::read_file;
use crate::process;
use std::collections::BTreeMap;
use std::path::Path;
use tombolo_core::cgroup;
use tombolo_core::report::ContainerRuntime;

/// Shortest beginning of an id that is taken for one.
const ID_PREFIX_MIN: usize = 3;

/// Containers named in an error.
const LISTED_MAX: usize = 20;

/// A running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// A process inside, its first where that could be told; numbered as in `/proc` here.
    pub pid: i32,
    /// The tool that runs it.
    pub runtime: ContainerRuntime,
    /// Its id, when the tool gives one.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

/// Why no container could be told from a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Nothing of this name.
    #[error("no container is called {name:?}; {}", listing(known))]
    NotFound {
        /// What was asked for.
        name: String,
        /// The containers that were found, by name or short id.
        known: Vec<String>,
    },
    /// Several containers fit.
    #[error("{name:?} fits several containers: {}", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Those that fit.
        candidates: Vec<String>,
    },
    /// The container exists, and none of its processes runs.
    #[error("container {name:?} is not running")]
    NotRunning {
        /// What was asked for.
        name: String,
    },
}

fn listing(known: &[String]) -> String {
    if known.is_empty() {
        return "none was found here (the state of containers is readable by root)".to_owned();
    }
    let more = known.len().saturating_sub(LISTED_MAX);
    let listed: Vec<&str> = known.iter().take(LISTED_MAX).map(String::as_str).collect();
    match more {
        0 => format!("found: {}", listed.join(", ")),
        more => format!("found: {} and {more} more", listed.join(", ")),
    }
}

/// A container that one of the tools knows, running or not.
#[derive(Clone, Debug)]
struct Candidate {
    runtime: ContainerRuntime,
    id: Option<String>,
    /// The first one is the name shown.
    names: Vec<String>,
    pid: Option<i32>,
}

impl Candidate {
    fn title(&self) -> String {
        let short_id = self.id.as_deref().map(|id| id.get(..12).unwrap_or(id));
        match (self.names.first(), short_id) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (Some(name), None) => name.clone(),
            (None, Some(id)) => id.to_owned(),
            (None, None) => "a container without name".to_owned(),
        }
    }

    /// `None` when none of its processes runs.
    fn running(&self, root: &Path) -> Option<Resolved> {
        let lives = |pid: &i32| root.join("proc").join(pid.to_string()).exists();
        Some(Resolved {
            pid: self.pid.filter(lives)?,
            runtime: self.runtime,
            id: self.id.clone(),
            name: self.names.first().cloned(),
        })
    }

    fn is_called(&self, name: &str) -> bool {
        self.id.as_deref() == Some(name) || self.names.iter().any(|own| own == name)
    }

    fn id_begins_with(&self, name: &str) -> bool {
        name.len() >= ID_PREFIX_MIN && self.id.as_deref().is_some_and(|id| id.starts_with(name))
    }
}

/// Every running container that any tool knows; `root` is `/` outside of tests.
#[must_use]
pub fn running(root: &Path) -> Vec<Resolved> {
    all(root).iter().filter_map(|candidate| candidate.running(root)).collect()
}

/// Finds the running container with this name, id, or beginning of an id; `root` is `/` outside of
/// tests. A container of a pod may be called by its own name, `POD/NAME` or `NAMESPACE/POD/NAME`.
///
/// # Errors
///
/// See [`ResolveError`].
pub fn resolve(root: &Path, name: &str) -> Result<Resolved, ResolveError> {
    let mut candidates = all(root);
    if !candidates.iter().any(|of| of.is_called(name) || of.id_begins_with(name)) {
        candidates.extend(oci::by_group(root, name));
    }
    let mut fitting: Vec<&Candidate> =
        candidates.iter().filter(|candidate| candidate.is_called(name)).collect();
    if fitting.is_empty() {
        fitting = candidates.iter().filter(|candidate| candidate.id_begins_with(name)).collect();
    }
    let runs = |candidate: &&Candidate| candidate.running(root).is_some();
    let running: Vec<&Candidate> = fitting.iter().copied().filter(runs).collect();
    match (running.as_slice(), fitting.is_empty()) {
        ([one], _) => {
            one.running(root).ok_or_else(|| ResolveError::NotRunning { name: name.to_owned() })
        }
        ([], true) => Err(ResolveError::NotFound {
            name: name.to_owned(),
            known: candidates.iter().filter(runs).map(Candidate::title).collect(),
        }),
        ([], false) => Err(ResolveError::NotRunning { name: name.to_owned() }),
        (several, _) => Err(ResolveError::Ambiguous {
            name: name.to_owned(),
            candidates: several.iter().map(|candidate| candidate.title()).collect(),
        }),
    }
}

/// Every container known to any tool. One that two of them know (Docker runs its containers by
/// containerd) is kept once, as the first one tells it.
fn all(root: &Path) -> Vec<Candidate> {
    let mut kept: Vec<Candidate> = Vec::new();
    let found = tools::docker(root)
        .into_iter()
        .chain(tools::podman_and_crio(root))
        .chain(tools::containerd(root))
        .chain(tools::nspawn(root))
        .chain(by_control_group(root))
        .chain(oci::by_state(root));
    for candidate in found {
        let same = kept.iter_mut().find(|other| match (&other.id, &candidate.id) {
            (Some(left), Some(right)) => left == right,
            _ => {
                other.runtime == candidate.runtime
                    && candidate.names.iter().any(|name| other.names.contains(name))
            }
        });
        match same {
            Some(other) => other.pid = other.pid.or(candidate.pid),
            None => kept.push(candidate),
        }
    }
    kept
}

/// Containers by the control groups of all processes: the only trace of LXC's, and the fallback
/// where a tool keeps its state elsewhere.
fn by_control_group(root: &Path) -> Vec<Candidate> {
    let proc_root = root.join("proc");
    let mut found: BTreeMap<(ContainerRuntime, Option<String>, Option<String>), i32> =
        BTreeMap::new();
    for pid in process::pids(&proc_root).unwrap_or_default() {
        let directory = proc_root.join(pid.to_string());
        let Ok(bytes) = read_file(&directory.join("cgroup"), 64 << 10) else { continue };
        let Some(named) = cgroup::container(&bytes) else { continue };
        let key = (named.runtime, named.id, named.name);
        // Whatever entered the container from outside may have the lower number.
        if !found.contains_key(&key) || is_first_of_namespace(&directory) {
            found.insert(key, pid);
        }
    }
    let candidate = |((runtime, id, name), pid): ((ContainerRuntime, _, Option<String>), i32)| {
        Candidate { runtime, id, names: name.into_iter().collect(), pid: Some(pid) }
    };
    found.into_iter().map(candidate).collect()
}

/// Whether a process is number 1 of a pid namespace of its own (`NSpid` of `proc_pid_status(5)`).
fn is_first_of_namespace(directory: &Path) -> bool {
    let status = read_file(&directory.join("status"), 64 << 10).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    let numbers: Vec<&str> = numbers.unwrap_or_default().split_whitespace().collect();
    numbers.len() > 1 && numbers.last() == Some(&"1")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "aaaa1111bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222";
    const BOX: &str = "aaaa9999bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222";
    const POD: &str = "cccc1111bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222";

    pub(super) struct Tree(pub(super) tempfile::TempDir);

    impl Tree {
        pub(super) fn new() -> Self {
            Tree(tempfile::tempdir().expect("a directory"))
        }

        pub(super) fn write(&self, name: &str, content: &str) -> &Self {
            let path = self.0.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
            std::fs::write(path, content).expect("write");
            self
        }

        pub(super) fn resolve(&self, name: &str) -> Result<Resolved, ResolveError> {
            resolve(self.0.path(), name)
        }
    }

    fn full() -> Tree {
        let tree = Tree::new();
        let docker = "var/lib/docker/containers";
        tree.write(
            &format!("{docker}/{WEB}/config.v2.json"),
            &format!(r#"{{"ID":"{WEB}","Name":"/web","State":{{"Running":true,"Pid":101}}}}"#),
        )
        .write(
            &format!("{docker}/dead/config.v2.json"),
            r#"{"ID":"dead00000000","Name":"/old","State":{"Running":false,"Pid":0}}"#,
        )
        .write(&format!("{docker}/broken/config.v2.json"), "{")
        .write(
            "var/lib/containers/storage/overlay-containers/containers.json",
            &format!(r#"[{{"id":"{BOX}","names":["box"]}}]"#),
        )
        .write(
            &format!("run/containers/storage/overlay-containers/{BOX}/userdata/pidfile"),
            "102\n",
        );
        let task = "run/containerd/io.containerd.runtime.v2.task";
        tree.write(&format!("{task}/moby/{WEB}/init.pid"), "101")
            .write(&format!("{task}/k8s.io/{POD}/init.pid"), "103")
            .write(
                &format!("{task}/k8s.io/{POD}/config.json"),
                r#"{"annotations":{"io.kubernetes.cri.container-name":"app",
                    "io.kubernetes.cri.sandbox-name":"pod-0",
                    "io.kubernetes.cri.sandbox-namespace":"media"}}"#,
            )
            .write("run/systemd/machines/nest", "NAME=nest\nCLASS=container\nLEADER=104\n")
            .write("run/systemd/machines/unit:machine-nest.scope", "LEADER=104\n")
            .write("run/systemd/machines/guest", "NAME=guest\nCLASS=vm\nLEADER=110\n")
            .write("proc/105/cgroup", "0::/lxc.payload.media\n")
            .write("proc/99/cgroup", "0::/lxc.payload.media/entered\n")
            .write("proc/105/status", "Name:\tinit\nNSpid:\t105\t1\n")
            .write("proc/102/cgroup", &format!("0::/machine.slice/libpod-{BOX}.scope/container"))
            .write("proc/110/cgroup", "0::/");
        for pid in [101, 103, 104] {
            tree.write(&format!("proc/{pid}/cgroup"), "0::/\n");
        }
        tree
    }

    #[test]
    fn every_tool_is_asked_by_its_own_state() {
        let tree = full();
        for (name, pid, runtime) in [
            ("web", 101, ContainerRuntime::Docker),
            (WEB, 101, ContainerRuntime::Docker),
            ("aaaa1", 101, ContainerRuntime::Docker),
            ("box", 102, ContainerRuntime::Podman),
            ("app", 103, ContainerRuntime::Containerd),
            ("pod-0/app", 103, ContainerRuntime::Containerd),
            ("media/pod-0/app", 103, ContainerRuntime::Containerd),
            ("nest", 104, ContainerRuntime::SystemdNspawn),
            ("media", 105, ContainerRuntime::Lxc),
        ] {
            let resolved = tree.resolve(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((resolved.pid, resolved.runtime), (pid, runtime), "{name}");
        }
    }

    #[test]
    fn what_is_not_there_lists_what_is() {
        let error = full().resolve("wbe").expect_err("no such name");
        let text = error.to_string();
        for part in ["\"wbe\"", "web (aaaa1111bbbb)", "box (aaaa9999bbbb)", "nest", "media"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("old"), "a container that does not run cannot be examined: {text}");
        let nothing = Tree::new().resolve("x").expect_err("nothing here").to_string();
        assert!(nothing.contains("none was found here"), "{nothing}");
    }

    #[test]
    fn those_that_run_are_listed() {
        let listed = running(full().0.path());
        let names: Vec<_> = listed.iter().filter_map(|found| found.name.as_deref()).collect();
        assert_eq!(names, ["web", "box", "media/pod-0/app", "nest", "media"]);
    }

    #[test]
    fn a_virtual_machine_is_no_container() {
        assert!(matches!(full().resolve("guest"), Err(ResolveError::NotFound { .. })));
    }

    #[test]
    fn a_beginning_that_fits_two_is_ambiguous_and_a_stopped_one_says_so() {
        let tree = full();
        let error = tree.resolve("aaaa").expect_err("two fit");
        assert!(
            matches!(&error, ResolveError::Ambiguous { candidates, .. } if candidates.len() == 2)
        );
        assert_eq!(tree.resolve("old"), Err(ResolveError::NotRunning { name: "old".to_owned() }));
        assert!(matches!(tree.resolve("aa"), Err(ResolveError::NotFound { .. })), "too short");
    }

    #[test]
    fn the_state_of_rootless_tools_is_found() {
        let tree = Tree::new();
        tree.write(
            &format!("home/ann/.local/share/docker/containers/{WEB}/config.v2.json"),
            &format!(r#"{{"ID":"{WEB}","Name":"/web","State":{{"Running":true,"Pid":7}}}}"#),
        )
        .write(
            "home/ann/.local/share/containers/storage/overlay-containers/containers.json",
            &format!(r#"[{{"id":"{BOX}","names":["box"]}}]"#),
        )
        .write(&format!("run/user/1000/containers/overlay-containers/{BOX}/userdata/pidfile"), "8")
        .write("proc/7/cgroup", "0::/")
        .write("proc/8/cgroup", "0::/");
        assert_eq!(tree.resolve("web").map(|found| found.pid), Ok(7));
        assert_eq!(tree.resolve("box").map(|found| found.pid), Ok(8));
    }

    #[test]
    fn crio_names_are_taken_apart() {
        let tree = Tree::new();
        tree.write(
            "var/lib/containers/storage/overlay-containers/containers.json",
            &format!(r#"[{{"id":"{BOX}","names":["k8s_app_pod-0_media_1234_0"]}}]"#),
        )
        .write(&format!("run/containers/storage/overlay-containers/{BOX}/userdata/pidfile"), "8")
        .write("proc/8/cgroup", "0::/");
        let found = tree.resolve("media/pod-0/app").expect("found");
        assert_eq!((found.pid, found.runtime), (8, ContainerRuntime::Crio));
    }
}
