//! Containers: the signs by which a process tells that it is in one, and the way from a name to a
//! process ([`resolve`]).

mod resolve;

pub use resolve::{ResolveError, Resolved, resolve, running};

use crate::bounded::{read_file, read_link};
use std::path::Path;

/// Bytes read of a control-group file, an environment or a file of marks.
const SIGN_BYTES_MAX: u64 = 128 << 10;

/// Inode of the first pid namespace (`PROC_PID_INIT_INO` in include/linux/proc_ns.h).
const FIRST_PID_NAMESPACE: &[u8] = b"pid:[4026531836]";

/// What a process shows of its container. Whoever reads them decides; nothing is concluded here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// `/proc/PID/cgroup`.
    pub cgroup: Vec<u8>,
    /// `container=` in the environment of the process, or of the first one of its pid namespace:
    /// `podman`, `lxc`, `systemd-nspawn`, `oci`.
    pub environment_container: Option<String>,
    /// `KUBERNETES_SERVICE_HOST` is set.
    pub kubernetes_service: bool,
    /// `/.dockerenv` stands in its root directory.
    pub dockerenv: bool,
    /// The content of `/run/.containerenv`, by podman.
    pub containerenv: Option<String>,
    /// The content of `/run/systemd/container` or `/run/host/container-manager`.
    pub container_manager: Option<String>,
    /// `/proc/PID/mountinfo`, where runtimes mount files of their own into the container.
    pub mountinfo: Vec<u8>,
    /// Whether it is in a pid namespace other than the machine's first.
    pub own_pid_namespace: bool,
}

impl Signs {
    /// Collects the signs of a process; `proc_root` is `/proc` outside of tests, `pid` a number or
    /// `self`. It looks into the root directory of the process, **which can block for ever** when
    /// that is on a dead mount.
    #[must_use]
    pub fn of(proc_root: &Path, pid: &str) -> Self {
        let process = proc_root.join(pid);
        let root = process.join("root");
        let text = |name: &str| {
            let bytes = read_file(&root.join(name), SIGN_BYTES_MAX).ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        let read = |path: &Path| read_file(path, SIGN_BYTES_MAX).unwrap_or_default();
        let own = read(&process.join("environ"));
        // Seen from inside, process 1 is the container's first, whose environment the runtime set;
        // `su` and service managers clear it for those below.
        let first = if pid == "self" { read(&proc_root.join("1/environ")) } else { Vec::new() };
        let variable = |name: &str| variable(&own, name).or_else(|| self::variable(&first, name));
        Signs {
            cgroup: read(&process.join("cgroup")),
            environment_container: variable("container"),
            kubernetes_service: variable("KUBERNETES_SERVICE_HOST").is_some(),
            dockerenv: root.join(".dockerenv").symlink_metadata().is_ok(),
            containerenv: text("run/.containerenv"),
            container_manager: text("run/systemd/container")
                .or_else(|| text("run/host/container-manager")),
            mountinfo: read_file(&process.join("mountinfo"), 4 << 20).unwrap_or_default(),
            own_pid_namespace: read_link(&process.join("ns/pid"))
                .is_ok_and(|namespace| namespace != FIRST_PID_NAMESPACE),
        }
    }
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_of_a_process_are_read_below_its_root() {
        let tree = tempfile::tempdir().expect("a directory");
        let write = |name: &str, content: &[u8]| {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
            std::fs::write(path, content).expect("write");
        };
        write("7/cgroup", b"0::/\n");
        write("7/environ", b"PATH=/bin\0container=podman\0KUBERNETES_SERVICE_HOST=10.0.0.1\0");
        write("7/root/.dockerenv", b"");
        write("7/root/run/.containerenv", b"engine=\"podman-4.3.1\"\n");
        std::fs::create_dir_all(tree.path().join("7/ns")).expect("mkdir");
        std::os::unix::fs::symlink("pid:[4026532001]", tree.path().join("7/ns/pid")).expect("link");
        let signs = Signs::of(tree.path(), "7");
        assert_eq!(signs.environment_container.as_deref(), Some("podman"));
        assert!(signs.kubernetes_service && signs.dockerenv && signs.own_pid_namespace);
        assert_eq!(signs.containerenv.as_deref(), Some("engine=\"podman-4.3.1\"\n"));
        assert_eq!(signs.container_manager, None);
    }

    #[test]
    fn the_first_process_speaks_for_ourselves_only() {
        let tree = tempfile::tempdir().expect("a directory");
        for (name, content) in
            [("self/environ", ""), ("9/environ", ""), ("1/environ", "container=lxc\0")]
        {
            let path = tree.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("mkdir");
            std::fs::write(path, content).expect("write");
        }
        assert_eq!(Signs::of(tree.path(), "self").environment_container.as_deref(), Some("lxc"));
        assert_eq!(Signs::of(tree.path(), "9"), Signs::default());
    }
}
