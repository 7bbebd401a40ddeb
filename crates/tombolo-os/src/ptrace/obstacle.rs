//! Why a program may not be watched.

use super::request::field;
use crate::bounded::read_file;
use std::path::Path;
use tombolo_core::errno::Errno;

/// What stands in the way of ptrace(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// The security module Yama (Documentation/admin-guide/LSM/Yama.rst), with the scope that it is
    /// set to: 2 for root alone, 3 for nobody.
    #[error("ptrace: {0}: kernel.yama.ptrace_scope is {1}")]
    Yama(Errno, i32),
    /// A filter of system calls around this process, as containers have.
    #[error("ptrace: {0}: a filter of system calls is set on this process, as in a container")]
    Filter(Errno),
    /// The kernel cannot say which call it is.
    #[error("ptrace: {0}: the kernel is older than 5.3 and does not tell calls")]
    Kernel(Errno),
    /// None of these.
    #[error("ptrace: {0}")]
    Other(Errno),
}

impl Obstacle {
    /// Looks for the reason of a refusal.
    pub(super) fn find(errno: Errno, proc_root: &Path) -> Self {
        /// With less, a process may be watched by its parent (the same document).
        const ADMIN_ONLY: i32 = 2;
        /// Of proc_pid_status(5).
        const FILTERED: i32 = 2;
        let text = |path: &str| read_file(&proc_root.join(path), 4096).unwrap_or_default();
        let scope = field(&text("sys/kernel/yama/ptrace_scope"), b"").unwrap_or(0);
        if scope >= ADMIN_ONLY {
            return Obstacle::Yama(errno, scope);
        }
        match field(&text("self/status"), b"Seccomp:") {
            Some(FILTERED) => Obstacle::Filter(errno),
            _ => Obstacle::Other(errno),
        }
    }

    /// What helps against it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Obstacle::Yama(_, 2) => "run as root, or set kernel.yama.ptrace_scope to 1 by sysctl",
            Obstacle::Yama(..) => {
                "this setting lasts until the next boot; it then is what /etc/sysctl.d says"
            }
            Obstacle::Filter(_) => {
                "start the container with --cap-add SYS_PTRACE, or trace it from its host"
            }
            Obstacle::Kernel(_) => "use strace -f there; `tombolo explain` reads its output",
            Obstacle::Other(_) => "see ptrace(2), EPERM; as root it may be allowed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(scope: &str, status: &str) -> Obstacle {
        let root = tempfile::tempdir().expect("a directory");
        let yama = root.path().join("sys/kernel/yama");
        std::fs::create_dir_all(&yama).expect("made");
        std::fs::create_dir_all(root.path().join("self")).expect("made");
        std::fs::write(yama.join("ptrace_scope"), scope).expect("written");
        std::fs::write(root.path().join("self/status"), status).expect("written");
        Obstacle::find(Errno::EPERM, root.path())
    }

    #[test]
    fn the_reason_is_looked_for() {
        assert_eq!(found("3\n", "Seccomp:\t2\n"), Obstacle::Yama(Errno::EPERM, 3));
        assert_eq!(found("1\n", "Seccomp:\t2\n"), Obstacle::Filter(Errno::EPERM));
        assert_eq!(found("0\n", "Seccomp:\t0\n"), Obstacle::Other(Errno::EPERM));
        let nothing = Obstacle::find(Errno::EPERM, Path::new("/nonexistent"));
        assert_eq!(nothing, Obstacle::Other(Errno::EPERM));
        assert!(nothing.to_string().contains("EPERM"), "{nothing}");
    }
}
