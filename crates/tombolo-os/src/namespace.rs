//! Entering the mount namespace of another process.

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
