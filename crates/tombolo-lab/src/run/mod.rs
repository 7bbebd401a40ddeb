//! The directory of one run: whatever the lab makes on this machine is in it or written down in it.

mod leftovers;

use crate::error::LabError;
use crate::process::{Identity, kill_all, marked};
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The variable that every process of a run has in its environment: the run's directory.
pub(crate) const MARK: &str = "TOMBOLO_LAB_RUN";

/// Directories of runs have names that begin so.
const PREFIX: &str = "run.";

/// The consoles of runs that failed; the newest of them are kept.
const FAILED: &str = "failed";
const FAILED_KEPT: usize = 20;

/// What a path of a socket may have (`unix(7)`), less what is added to a run's directory: the name
/// of a guest with a suffix.
const PATH_BYTES_MAX: usize = 107 - 42;

const LOCK: &str = "lock";
const PROCESSES: &str = "processes";

/// A run's directory, locked as long as the run lives. Dropped, it leaves nothing, except that the
/// consoles are kept where it is asked for or a panic is the reason.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    base: PathBuf,
    processes: Mutex<File>,
    lock: File,
    keep: AtomicBool,
}

impl RunDirectory {
    /// Clears away what killed runs have left, then makes a directory for this one. Says what it
    /// found and did.
    pub(crate) fn new() -> Result<(Self, Vec<String>), LabError> {
        Self::within(&base()?)
    }

    /// The same below `base`, which must be this user's alone.
    pub(crate) fn within(base: &Path) -> Result<(Self, Vec<String>), LabError> {
        private_directory(base)?;
        if base.as_os_str().len() + "/run.12345678".len() > PATH_BYTES_MAX {
            let shown = base.display();
            let message =
                format!("{shown} is too long for sockets in it: set TMPDIR to a shorter one");
            return Err(LabError::Request(message));
        }
        // Held while a directory is made or swept, so that none is swept before it is locked.
        let all = open_lock(&base.join(LOCK))?;
        all.lock().map_err(LabError::call("flock", base))?;
        let swept = leftovers::sweep(base);
        let directory = tempfile::Builder::new().prefix(PREFIX).rand_bytes(8).tempdir_in(base);
        let path = directory.map_err(LabError::call("mkdtemp", base))?.keep();
        let lock = open_lock(&path.join(LOCK))?;
        lock.lock().map_err(LabError::call("flock", &path))?;
        let list = path.join(PROCESSES);
        let processes = File::create_new(&list).map_err(LabError::call("open", &list))?;
        let processes = Mutex::new(processes);
        let (base, keep) = (base.to_owned(), AtomicBool::new(false));
        Ok((RunDirectory { path, base, processes, lock, keep }, swept))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down a process of this run, for the next one.
    pub(crate) fn record(&self, identity: &Identity) -> Result<(), LabError> {
        let mut file = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{} {} {}\n", identity.pid, identity.start_ticks, leftovers::boot_id());
        file.write_all(line.as_bytes()).map_err(LabError::call("write", &self.path))
    }

    /// Asks for the consoles to be kept when the run ends; says where they will be.
    pub(crate) fn keep_consoles(&self) -> PathBuf {
        self.keep.store(true, Ordering::SeqCst);
        self.kept_consoles()
    }

    /// Where the consoles are once they are kept.
    pub(crate) fn kept_consoles(&self) -> PathBuf {
        self.base.join(FAILED).join(self.path.file_name().unwrap_or_default())
    }

    fn move_consoles(&self) -> Result<(), LabError> {
        let (failed, kept) = (self.base.join(FAILED), self.kept_consoles());
        private_directory(&failed)?;
        private_directory(&kept)?;
        for entry in fs::read_dir(&self.path).map_err(LabError::call("opendir", &self.path))? {
            let entry = entry.map_err(LabError::call("readdir", &self.path))?;
            if Path::new(&entry.file_name()).extension().is_some_and(is_record) {
                let to = kept.join(entry.file_name());
                fs::rename(entry.path(), &to).map_err(LabError::call("rename", &to))?;
            }
        }
        leftovers::keep_newest(&failed, FAILED_KEPT);
        Ok(())
    }
}

impl Drop for RunDirectory {
    fn drop(&mut self) {
        if self.keep.load(Ordering::SeqCst) || std::thread::panicking() {
            let _ = self.move_consoles();
        }
        // What cannot be cleared away now, the next run tries again: the lock is free then.
        let _ = leftovers::clear(&self.path);
        let _ = self.lock.unlock();
    }
}

/// Kills every process that was started with this run's mark.
fn kill_marked(run: &Path) -> Result<(), LabError> {
    kill_all(|| marked(MARK, run.as_os_str()))
}

/// Where this user's runs are: `tombolo-lab-UID` in the directory for temporary files.
pub(crate) fn base() -> Result<PathBuf, LabError> {
    let name = format!("tombolo-lab-{}", rustix::process::geteuid().as_raw());
    let place = tempfile::env::temp_dir();
    let place = place.canonicalize().map_err(LabError::call("realpath", &place))?;
    Ok(place.join(name))
}

/// Makes the directory if it is not there. One that somebody else could write in is refused.
fn private_directory(path: &Path) -> Result<(), LabError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(LabError::call("mkdir", path)(error));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(LabError::call("lstat", path))?;
    let own = metadata.uid() == rustix::process::geteuid().as_raw();
    if !metadata.is_dir() || !own || metadata.mode() & 0o077 != 0 {
        let shown = path.display();
        let message = format!("{shown} is not a directory of this user alone: remove it");
        return Err(LabError::Request(message));
    }
    Ok(())
}

/// What tells of a failure: consoles of guests and logs of servers.
fn is_record(extension: &OsStr) -> bool {
    extension == "console" || extension == "log"
}

fn open_lock(path: &Path) -> Result<File, LabError> {
    let mut options = File::options();
    let opened = options.read(true).write(true).create(true).truncate(false).open(path);
    opened.map_err(LabError::call("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// As the kernel does when a run is killed: the lock is free, the directory stays.
    fn abandon(run: RunDirectory) {
        run.lock.unlock().expect("unlocked");
        std::mem::forget(run);
    }

    #[test]
    fn consoles_stay_where_they_are_asked_for_and_nothing_else_does() {
        let base = tempfile::tempdir().expect("a directory");
        let consoles = |keep: bool| {
            let (run, _) = RunDirectory::within(&base.path().join("runs")).expect("a run");
            for name in ["a.console", "a.monitor"] {
                fs::write(run.path().join(name), "text").expect("written");
            }
            let kept = if keep { run.keep_consoles() } else { run.kept_consoles() };
            let path = run.path().to_owned();
            drop(run);
            assert!(!path.exists());
            fs::read_dir(kept).map_or(0, Iterator::count)
        };
        assert_eq!((consoles(false), consoles(true)), (0, 1));
    }

    #[test]
    fn two_runs_stand_side_by_side_and_a_dead_one_is_swept() {
        let base = tempfile::tempdir().expect("a directory");
        let (first, swept) = RunDirectory::within(&base.path().join("runs")).expect("a run");
        assert!(swept.is_empty());
        let (second, swept) =
            RunDirectory::within(&base.path().join("runs")).expect("a second run");
        assert!(swept.is_empty(), "{swept:?}");
        let path = first.path().to_owned();
        assert!(path.is_dir() && second.path().is_dir() && path != second.path());
        let mut command = Command::new("sleep");
        let mut recorded = command.arg("600").spawn().expect("sleep runs");
        first.record(&Identity::of(recorded.id()).expect("it runs")).expect("written");
        let mut command = Command::new("sleep");
        let mut inherited =
            command.arg("600").env(MARK, &path).stdin(Stdio::null()).spawn().expect("sleep runs");
        abandon(first);
        let (_third, swept) = RunDirectory::within(&base.path().join("runs")).expect("a third run");
        assert_eq!(swept.len(), 1, "{swept:?}");
        assert!(!path.exists() && second.path().is_dir());
        for child in [&mut recorded, &mut inherited] {
            use std::os::unix::process::ExitStatusExt as _;
            assert_eq!(child.wait().expect("waited for").signal(), Some(9));
        }
    }

    #[test]
    fn a_process_of_another_start_is_left_alone() {
        let base = tempfile::tempdir().expect("a directory");
        let (run, _) = RunDirectory::within(&base.path().join("runs")).expect("a run");
        let mut command = Command::new("sleep");
        let mut stranger = command.arg("600").spawn().expect("sleep runs");
        let identity = Identity::of(stranger.id()).expect("it runs");
        run.record(&Identity { start_ticks: identity.start_ticks + 1, ..identity })
            .expect("written");
        abandon(run);
        let (_next, swept) = RunDirectory::within(&base.path().join("runs")).expect("a next run");
        assert_eq!(swept.len(), 1);
        assert!(stranger.try_wait().expect("its state").is_none());
        stranger.kill().expect("killed");
        stranger.wait().expect("waited for");
    }

    #[test]
    fn what_a_dead_run_has_mounted_is_unmounted_and_not_removed() {
        crate::Namespace::run(|namespace| {
            let base = namespace.directory("runs").expect("a directory").join("base");
            let (run, _) = RunDirectory::within(&base).expect("a run");
            let shared = namespace.directory("shared").expect("a directory");
            fs::write(shared.join("file"), "of a user").expect("written");
            let mounted = run.path().join("mount point");
            fs::create_dir(&mounted).expect("made");
            rustix::mount::mount_bind(&shared, &mounted).expect("mounted");
            let path = run.path().to_owned();
            abandon(run);
            let (_next, swept) = RunDirectory::within(&base).expect("a next run");
            assert!(swept[0].starts_with("cleared"), "{swept:?}");
            assert!(!path.exists());
            assert_eq!(fs::read(shared.join("file")).expect("still there"), b"of a user");
        });
    }

    #[test]
    fn a_place_that_is_too_deep_for_sockets_is_refused() {
        let base = tempfile::tempdir().expect("a directory");
        let refused = RunDirectory::within(&base.path().join("x".repeat(60)));
        assert!(refused.expect_err("too long").to_string().contains("TMPDIR"));
    }

    #[test]
    fn nothing_of_another_mount_is_removed() {
        crate::Namespace::run(|namespace| {
            let run = namespace.directory("run").expect("a directory");
            let shared = namespace.directory("shared").expect("a directory");
            fs::write(shared.join("file"), "of a user").expect("written");
            fs::create_dir(run.join("mount")).expect("made");
            rustix::mount::mount_bind(&shared, run.join("mount")).expect("mounted");
            assert!(leftovers::remove_tree(&run).is_err());
            assert_eq!(fs::read(shared.join("file")).expect("still there"), b"of a user");
        });
    }

    #[test]
    fn a_directory_that_others_can_write_in_is_refused() {
        let base = tempfile::tempdir().expect("a directory");
        let path = base.path().join("runs");
        fs::create_dir(&path).expect("made");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        fs::set_permissions(&path, open).expect("opened to all");
        assert!(RunDirectory::within(&base.path().join("runs")).is_err());
        let link = tempfile::tempdir().expect("a directory");
        let path = link.path().join("link");
        std::os::unix::fs::symlink(link.path(), &path).expect("a link");
        assert!(RunDirectory::within(&path).is_err());
    }
}
