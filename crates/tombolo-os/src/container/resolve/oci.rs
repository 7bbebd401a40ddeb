//! Containers of a low-level runtime that was called directly: crun and runc.
//!
//! Podman, Docker and containerd call these as well, with an id of theirs for a name.

use super::tools::{ENTRIES_MAX, entries, json, process_id};
use super::{Candidate, is_first_of_namespace};
use crate::bounded::read_file;
use crate::process::{self, Stat};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use tombolo_core::cgroup;
use tombolo_core::report::ContainerRuntime;

/// How a runtime keeps its state: `DIRECTORY/NAME/FILE` below `/run`, or below `/run/user/UID` for
/// users (crun(1), runc(8)). The keys were read off crun 1.8.1 and runc 1.1.5.
struct Runtime {
    directory: &'static str,
    file: &'static str,
    pid: &'static str,
    /// When the process was started, in the words of `/proc/PID/stat`.
    started: &'static str,
}

const RUNTIMES: [Runtime; 2] = [
    Runtime { directory: "crun", file: "status", pid: "/pid", started: "/process-start-time" },
    Runtime {
        directory: "runc",
        file: "state.json",
        pid: "/init_process_pid",
        started: "/init_process_start",
    },
];

/// Those whose state stands where the runtime keeps it unless it is told otherwise (`--root`).
pub(super) fn by_state(root: &Path) -> Vec<Candidate> {
    let mut places = vec![root.join("run")];
    places.extend(entries(&root.join("run/user")));
    let states = places.iter().flat_map(|place| {
        RUNTIMES.iter().flat_map(|of| {
            entries(&place.join(of.directory)).into_iter().map(move |directory| (of, directory))
        })
    });
    let candidate = |(of, directory): (&Runtime, std::path::PathBuf)| {
        let name = directory.file_name()?.to_str()?.to_owned();
        let state = json(&directory.join(of.file))?;
        let pid = state.pointer(of.pid).and_then(Value::as_i64).and_then(process_id);
        // State outlives a crash, and numbers of processes are given again.
        let started = state.pointer(of.started).and_then(Value::as_u64);
        let start_of = |pid| Stat::read(&root.join("proc"), pid)?.start_ticks();
        let pid = pid.filter(|pid| started.is_none() || started == start_of(*pid));
        Some(called(name, pid))
    };
    states.take(ENTRIES_MAX).filter_map(candidate).collect()
}

/// Those in a control group of this name, wherever their state is: `/NAME`, or
/// `crun-NAME.scope` where systemd makes the groups.
///
/// Browsers' sandboxes are number 1 of a pid namespace too. So this is for a name that somebody has
/// given, and lists nothing.
pub(super) fn by_group(root: &Path, name: &str) -> Vec<Candidate> {
    let proc_root = root.join("proc");
    let mut first_of: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
    for pid in process::pids(&proc_root).unwrap_or_default() {
        let directory = proc_root.join(pid.to_string());
        let groups = read_file(&directory.join("cgroup"), 64 << 10).unwrap_or_default();
        let named = cgroup::paths(&groups).any(|path| is_called(path, name));
        if named && is_first_of_namespace(&directory) {
            // A sandbox inside of a container is in its group as well, and came later.
            first_of.entry(groups).or_insert(pid);
        }
    }
    first_of.into_values().map(|pid| called(name.to_owned(), Some(pid))).collect()
}

fn is_called(group: &[u8], name: &str) -> bool {
    let last = group.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let scope = |prefix: &str| format!("{prefix}-{name}.scope").as_bytes() == last;
    !name.is_empty() && (last == name.as_bytes() || scope("crun") || scope("runc"))
}

fn called(name: String, pid: Option<i32>) -> Candidate {
    let names = vec![name.clone()];
    Candidate { runtime: ContainerRuntime::Other, id: Some(name), names, pid }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Tree;
    use super::super::{ResolveError, running};
    use super::*;

    /// As crun 1.8.1 wrote it.
    const CRUN: &str = r#"{
    "pid": 156,
    "process-start-time": 428,
    "cgroup-path": "/media",
    "scope": "",
    "rootfs": "rootfs",
    "systemd-cgroup": false,
    "bundle": "/run/bundles/media",
    "created": "2026-11-26T19:50:17.493315Z",
    "owner": "root",
    "detached": true,
    "external_descriptors": "[\"/dev/null\",\"/run/bundles/media/log\"]"
}"#;

    /// As runc 1.1.5 wrote it, cut short.
    const RUNC: &str = r#"{"id":"books","init_process_pid":183,"init_process_start":615,
        "created":"2026-11-26T19:50:19.50216375Z","config":{"no_pivot_root":false,
        "rootfs":"/run/bundles/books/rootfs","readonlyfs":true,"hostname":"books"},
        "rootless":false,"cgroup_paths":{"":"/sys/fs/cgroup/books"}}"#;

    impl Tree {
        /// A process that runs since `start`, in a control group.
        fn process(&self, pid: i32, start: u64, group: &str) -> &Self {
            let zeros = "0 ".repeat(18);
            self.write(&format!("proc/{pid}/stat"), &format!("{pid} (a) b) S {zeros}{start} 0\n"))
                .write(&format!("proc/{pid}/status"), &format!("NSpid:\t{pid}\t1\n"))
                .write(&format!("proc/{pid}/cgroup"), &format!("0::{group}\n"))
        }

        fn pid(&self, name: &str) -> Result<i32, ResolveError> {
            self.resolve(name).map(|found| found.pid)
        }
    }

    #[test]
    fn containers_of_crun_and_runc_are_found_by_their_state() {
        let tree = Tree::new();
        tree.write("run/crun/media/status", CRUN)
            .write("run/user/1000/runc/books/state.json", RUNC)
            .write("run/crun/broken/status", "{")
            .process(156, 428, "/media")
            .process(183, 615, "/books");
        assert_eq!((tree.pid("media"), tree.pid("books")), (Ok(156), Ok(183)));
        let listed = running(tree.0.path());
        let names: Vec<_> = listed.iter().filter_map(|found| found.name.as_deref()).collect();
        assert_eq!(names, ["media", "books"]);
        assert!(listed.iter().all(|found| found.runtime == ContainerRuntime::Other));
    }

    #[test]
    fn a_number_that_was_given_again_is_not_the_container() {
        let tree = Tree::new();
        tree.write("run/crun/media/status", CRUN).process(156, 9000, "/system.slice/cron.service");
        assert_eq!(tree.pid("media"), Err(ResolveError::NotRunning { name: "media".to_owned() }));
        assert_eq!(running(tree.0.path()), []);
    }

    #[test]
    fn with_state_elsewhere_the_control_group_tells() {
        let tree = Tree::new();
        tree.process(156, 428, "/media")
            .process(157, 428, "/system.slice/crun-books.scope")
            .process(158, 428, "/user.slice/films/below")
            .process(160, 429, "/media")
            .process(159, 428, "/mixed")
            .write("proc/159/status", "NSpid:\t159\n");
        assert_eq!((tree.pid("media"), tree.pid("books")), (Ok(156), Ok(157)));
        for name in ["films", "mixed", "", "system.slice"] {
            assert!(matches!(tree.pid(name), Err(ResolveError::NotFound { .. })), "{name}");
        }
        assert_eq!(running(tree.0.path()), [], "nobody has given a name");
    }

    #[test]
    fn a_container_that_a_tool_runs_by_crun_is_the_tools() {
        let id = "aaaa9999bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222aaaa1111bbbb2222";
        let tree = Tree::new();
        tree.write(&format!("run/crun/{id}/status"), CRUN).process(
            156,
            428,
            &format!("/machine.slice/libpod-{id}.scope/container"),
        );
        let found = tree.resolve("aaaa9999").expect("found");
        assert_eq!((found.pid, found.runtime), (156, ContainerRuntime::Podman));
        assert_eq!(running(tree.0.path()).len(), 1);
    }
}
