//! Mounts that nobody else sees, and that cannot outlive the test.

use crate::error::LabError;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for the images of disks and for what tests write. It is taken as it is written.
const ROOM: &std::ffi::CStr = c"size=2g,mode=0755";

/// A place to mount at, on a RAM disk of its own, in a mount namespace of its own.
///
/// The kernel removes the namespace with the last thread or process in it. So even a test that is
/// killed leaves no mount, no loop device and no image behind (`mount_namespaces(7)`).
#[derive(Debug)]
pub struct Namespace {
    place: PathBuf,
    used: AtomicUsize,
}

impl Namespace {
    /// Runs `test` in a fresh namespace, in a thread of its own. Threads and programs that it
    /// starts are in the namespace as well; `/proc/self` is not, for it names the whole process:
    /// look at `/proc/thread-self`.
    ///
    /// # Panics
    /// As `test` does; and where the machine gives no namespace, with what is missing.
    pub fn run<T: Send>(test: impl FnOnce(&Namespace) -> T + Send) -> T {
        let within = || {
            let (namespace, _leave) = match Namespace::enter() {
                Ok(entered) => entered,
                Err(error) => panic!("the test did not run: {error}"),
            };
            test(&namespace)
        };
        let ended = std::thread::scope(|scope| scope.spawn(within).join());
        ended.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn enter() -> Result<(Self, Leave), LabError> {
        if !rustix::process::geteuid().is_root() {
            let how = "mounting takes it; run the tests as root (`./setup test` does)";
            return Err(LabError::Missing { what: "root".to_owned(), how });
        }
        let directory = tempfile::Builder::new().prefix("tombolo-lab-").tempdir();
        let directory = directory.map_err(LabError::call("mkdtemp", Path::new("")))?;
        let root = Path::new("/");
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)
            .map_err(LabError::call("unshare(CLONE_NEWNS)", root))?;
        let alone = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change(root, alone)
            .map_err(LabError::call("mount --make-rprivate", root))?;
        let place = directory.path().to_owned();
        rustix::mount::mount("tombolo-lab", &place, "tmpfs", MountFlags::empty(), ROOM)
            .map_err(LabError::call("mount -t tmpfs", &place))?;
        let namespace = Namespace { place: place.clone(), used: AtomicUsize::new(0) };
        Ok((namespace, Leave { place, _directory: directory }))
    }

    /// A fresh, empty directory on the RAM disk, whose name ends in `name`.
    ///
    /// # Errors
    /// What `mkdir` said.
    pub fn directory(&self, name: &str) -> Result<PathBuf, LabError> {
        let number = self.used.fetch_add(1, Ordering::Relaxed);
        let path = self.place.join(format!("{number}-{name}"));
        std::fs::create_dir(&path).map_err(LabError::call("mkdir", &path))?;
        Ok(path)
    }
}

/// Takes the RAM disk away, then (by its own drop) the directory under it.
#[derive(Debug)]
struct Leave {
    place: PathBuf,
    _directory: tempfile::TempDir,
}

impl Drop for Leave {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.place, UnmountFlags::DETACH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(of: &str) -> String {
        std::fs::read_to_string(format!("/proc/{of}/mountinfo")).expect("readable")
    }

    #[test]
    fn nothing_of_it_is_seen_outside_or_left_after_a_panic() {
        let mut place = PathBuf::new();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            Namespace::run(|namespace| {
                place = namespace.directory("x").expect("a directory");
                let name = namespace.place.to_str().expect("UTF-8");
                assert!(mounts("thread-self").contains(name));
                assert!(!mounts("self").contains(name));
                assert!(!place.as_os_str().is_empty());
                resume_unwind(Box::new("as a test that fails"));
            })
        }));
        assert!(ended.is_err());
        assert!(!place.parent().expect("a parent").exists());
    }
}
