//! A mount that nobody else sees, in a mount namespace of this process's own.
//!
//! The kernel removes the namespace, and what is mounted in it, with the last process in it,
//! whatever it dies of (`mount_namespaces(7)`).
#![allow(unsafe_code)] // unshare(2) has no safe form that is not deprecated.

use crate::error::CallError;
use rustix::mount::{MountFlags, MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::CString;
use std::path::Path;
use tombolo_core::errno::Errno;

/// Takes this process into a fresh namespace whose mounts do not reach any other. For a child of
/// its own: there is no way back.
///
/// # Errors
/// What `unshare(2)` or `mount(2)` said: `EPERM` without root.
pub fn enter() -> Result<(), CallError> {
    let root = Path::new("/");
    // SAFETY: only UnshareFlags::FILES takes descriptors away from under their owners.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }
        .map_err(|errno| CallError::from_rustix("unshare", root, errno))?;
    let alone = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change(root, alone).map_err(|errno| CallError::from_rustix("mount", root, errno))
}

/// Mounts a file system over a directory, without devices and programs of other users' rights.
/// **Can block while a server is silent.**
///
/// # Errors
/// What `mount(2)` said; `EINVAL` for options that hold a zero byte.
pub fn mount(
    source: &str,
    target: &Path,
    filesystem: &str,
    options: &str,
) -> Result<(), CallError> {
    let refused = |errno| CallError { call: "mount", path: target.to_owned(), errno };
    let options = CString::new(options).map_err(|_| refused(Errno::EINVAL))?;
    let flags = MountFlags::NODEV | MountFlags::NOSUID;
    rustix::mount::mount(source, target, filesystem, flags, options.as_c_str())
        .map_err(|errno| CallError::from_rustix("mount", target, errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::{self, End};
    use std::time::{Duration, Instant};

    /// Whether the file that stands on the private mount is seen.
    fn seen(directory: &Path) -> bool {
        directory.join("here").exists()
    }

    #[test]
    fn nobody_outside_sees_it_and_it_ends_with_the_process() {
        assert!(rustix::process::geteuid().is_root(), "mounting takes root");
        let directory = tempfile::tempdir().unwrap();
        let mut said = Vec::new();
        let soon = Instant::now() + Duration::from_secs(5);
        let body = |outbox: &mut worker::Outbox| {
            enter().unwrap();
            mount("tune", directory.path(), "tmpfs", "size=1m").unwrap();
            std::fs::write(directory.path().join("here"), "").unwrap();
            outbox.send(&[u8::from(seen(directory.path()))]);
            (0..120).for_each(|_| worker::pause(Duration::from_millis(500)));
        };
        // It hangs, and is given up.
        let end =
            worker::run(soon.min(Instant::now() + Duration::from_secs(1)), body, &mut |word| {
                said.extend_from_slice(word);
                assert!(!seen(directory.path()));
            });
        assert!(matches!(end, Ok(End::DeadlinePassed { .. })), "{end:?}");
        assert_eq!(said, [1]);
        assert!(!seen(directory.path()));
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!table.contains(directory.path().to_str().unwrap()));
    }

    #[test]
    fn a_refusal_keeps_its_errno() {
        let directory = tempfile::tempdir().unwrap();
        let soon = Instant::now() + Duration::from_secs(5);
        let mut said = Vec::new();
        let body = |outbox: &mut worker::Outbox| {
            enter().unwrap();
            for (filesystem, options) in [("tmpfs", "no-such-option=1"), ("nosuchfs", "")] {
                let error = mount("x", directory.path(), filesystem, options).unwrap_err();
                outbox.send(format!("{}", error.errno).as_bytes());
            }
        };
        let end = worker::run(soon, body, &mut |word| {
            said.push(String::from_utf8_lossy(word).into_owned());
        });
        assert!(matches!(end, Ok(End::Finished)), "{end:?}");
        assert!(said[0].contains("EINVAL") && said[1].contains("ENODEV"), "{said:?}");
    }
}
