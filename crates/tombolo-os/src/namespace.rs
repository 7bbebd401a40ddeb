//! Seeing files as another process does: its mount namespace and its root directory.

use crate::bounded::read_link;
use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;
use std::path::Path;
use tombolo_core::errno::Errno;

/// Why a mount namespace could not be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The process is gone, or there is no `/proc`.
    #[error("process {pid} cannot be looked at: {errno}")]
    NoSuchProcess {
        /// The process.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT` are needed, also over the user namespace that owns the
    /// mount namespace (`setns(2)`).
    #[error("seeing files as process {pid} does needs root on the host of the container: {errno}")]
    NotPermitted {
        /// The process.
        pid: i32,
        /// What the kernel said.
        errno: Errno,
    },
    /// This process has more than one thread, or shares its root directory with another one.
    #[error("the mount namespace can be changed by a process of one thread only: {errno}")]
    SharedState {
        /// What the kernel said.
        errno: Errno,
    },
    /// Anything else.
    #[error("the mount namespace of process {pid} cannot be entered by {call}: {errno}")]
    Refused {
        /// The process.
        pid: i32,
        /// The call.
        call: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
}

impl Error {
    /// What the kernel said.
    #[must_use]
    pub fn errno(&self) -> Errno {
        match self {
            Error::NoSuchProcess { errno, .. }
            | Error::NotPermitted { errno, .. }
            | Error::SharedState { errno }
            | Error::Refused { errno, .. } => *errno,
        }
    }
}

/// Through which eyes a process sees files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct View {
    /// The mount namespace, such as `mnt:[4026531841]`.
    namespace: Vec<u8>,
    /// Its root directory, from the root of that namespace.
    root: Vec<u8>,
}

impl View {
    /// That of a process: a number, or `self`.
    ///
    /// # Errors
    ///
    /// `EACCES` for a process of another user, `ENOENT` for one that is gone.
    pub fn of(proc_root: &Path, pid: &str) -> Result<Self, Errno> {
        let process = proc_root.join(pid);
        let namespace = read_link(&process.join("ns/mnt"))?;
        Ok(View { namespace, root: read_link(&process.join("root"))? })
    }

    /// Whether both see the same mounts; their root directories may differ.
    #[must_use]
    pub fn shares_mounts_with(&self, other: &View) -> bool {
        self.namespace == other.namespace
    }

    /// What the process calls a file that `/proc` names from the root of its namespace; `None` for
    /// one outside of its root directory.
    #[must_use]
    pub fn inside(&self, path: &[u8]) -> Option<Vec<u8>> {
        if self.root == b"/" {
            return Some(path.to_vec());
        }
        let rest = path.strip_prefix(self.root.as_slice())?;
        match rest.first() {
            None => Some(b"/".to_vec()),
            Some(b'/') => Some(rest.to_vec()),
            Some(_) => None,
        }
    }
}

/// Moves the calling process into the mount namespace and root directory of another one. From then
/// on, paths mean what they mean to that process. There is no way back.
///
/// Call it in a child made for it: only a process of one thread may do this. What is needed of this
/// process's own `/proc` must be read before.
///
/// # Errors
///
/// See [`Error`].
pub fn enter(proc_root: &Path, pid: i32) -> Result<(), Error> {
    let process = proc_root.join(pid.to_string());
    let open = |name: &str, flags: OFlags, call: &'static str| {
        rustix::fs::open(process.join(name), flags | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| refusal(pid, call, errno))
    };
    let namespace = open("ns/mnt", OFlags::RDONLY, "open")?;
    // Opened before the move: afterwards `/proc` is that of the other side, or missing.
    let root = open("root", OFlags::PATH | OFlags::DIRECTORY, "open")?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))
        .map_err(|errno| refusal(pid, "setns", errno))?;
    // `setns` leads to the root of the namespace, which is not that of a process in a chroot.
    rustix::process::fchdir(&root).map_err(|errno| refusal(pid, "fchdir", errno))?;
    rustix::process::chroot(".").map_err(|errno| refusal(pid, "chroot", errno))
}

fn refusal(pid: i32, call: &'static str, errno: rustix::io::Errno) -> Error {
    let errno = Errno::from_raw(errno.raw_os_error());
    match (call, errno) {
        ("open", Errno::ENOENT | Errno::ESRCH) => Error::NoSuchProcess { pid, errno },
        (_, Errno::EPERM | Errno::EACCES) => Error::NotPermitted { pid, errno },
        ("setns", Errno::EINVAL) => Error::SharedState { errno },
        _ => Error::Refused { pid, call, errno },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Namespace;
    use crate::worker;
    use std::time::{Duration, Instant};

    #[test]
    fn views_differ_by_namespace_and_root_root_needed() {
        let proc_root = Path::new("/proc");
        let own = View::of(proc_root, "self").expect("our own view");
        let namespace = Namespace::with("true");
        let other = View::of(proc_root, &namespace.pid().to_string()).expect("its view");
        assert!(own.shares_mounts_with(&own) && !own.shares_mounts_with(&other));
        // The test itself may run in a chroot, which the new namespace inherits and shows.
        let seen = [other.root.strip_suffix(b"/").unwrap_or(&other.root), b"/srv/app.db"].concat();
        assert_eq!(other.inside(&seen).as_deref(), Some(&b"/srv/app.db"[..]));
        assert_eq!(View::of(proc_root, "nobody"), Err(Errno::ENOENT));
    }

    #[test]
    fn a_path_is_told_from_a_changed_root() {
        let view = View { namespace: Vec::new(), root: b"/jail".to_vec() };
        assert_eq!(view.inside(b"/jail/srv/app.db").as_deref(), Some(&b"/srv/app.db"[..]));
        assert_eq!(view.inside(b"/jail").as_deref(), Some(&b"/"[..]));
        assert_eq!(view.inside(b"/jailed/app.db"), None);
        assert_eq!(view.inside(b"/srv/app.db"), None);
    }

    #[test]
    fn a_process_that_is_gone_is_named() {
        let error = enter(Path::new("/proc"), i32::MAX).expect_err("no such process");
        assert_eq!(error, Error::NoSuchProcess { pid: i32::MAX, errno: Errno::ENOENT });
    }

    #[test]
    fn errors_say_what_is_needed() {
        let text = |call, errno| refusal(7, call, errno).to_string();
        assert!(text("open", rustix::io::Errno::ACCESS).contains("needs root"));
        assert!(text("setns", rustix::io::Errno::PERM).contains("needs root"));
        assert!(text("setns", rustix::io::Errno::INVAL).contains("one thread"));
        assert!(text("chroot", rustix::io::Errno::IO).contains("by chroot"));
    }

    #[test]
    fn a_child_sees_what_the_process_sees_root_needed() {
        let scratch = tempfile::tempdir().expect("a directory");
        let base = scratch.path().to_str().expect("UTF-8").to_owned();
        let namespace =
            Namespace::with(&format!("mount -t tmpfs t {base}; echo within > {base}/seen"));
        let mut messages = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        let end = worker::run(
            deadline,
            |outbox| match enter(Path::new("/proc"), namespace.pid()) {
                Ok(()) => {
                    let seen = std::fs::read(format!("{base}/seen")).unwrap_or_default();
                    outbox.send(seen.trim_ascii());
                }
                Err(error) => outbox.send(error.to_string().as_bytes()),
            },
            &mut |message| messages.push(String::from_utf8_lossy(message).into_owned()),
        );
        assert_eq!(end.expect("a child"), worker::End::Finished);
        assert_eq!(messages, ["within"]);
        assert!(!scratch.path().join("seen").exists(), "the mount must not show out here");
    }

    #[test]
    fn a_process_of_several_threads_may_not_enter_root_needed() {
        // Tests run in threads beside each other, which share their root directory.
        let own = i32::try_from(std::process::id()).expect("a process id");
        let error = enter(Path::new("/proc"), own).expect_err("threads share their root");
        assert_eq!(error, Error::SharedState { errno: Errno::EINVAL }, "run this test as root");
    }
}
