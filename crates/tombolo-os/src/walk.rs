//! Walking through a tree and reading the first bytes of every regular file.
//!
//! Symbolic links are not followed, so that the walk cannot leave the tree or go in circles. It
//! goes on into mounted file systems, unless [`Bounds::untouched`] names them, but never into those
//! of the kernel itself (`/proc`, `/sys`).

use crate::error::CallError;
use crate::scratch;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Bytes read of each file.
pub const START_BYTES: usize = 100;
/// Problems, mounts and skipped directories that are named; the rest is only counted.
pub const NAMED_MAX: usize = 100;
/// Directories below one another. Each holds a descriptor, of which a process has 1024 by default.
pub const DEPTH_MAX: usize = 512;

const DIRECTORY_BUFFER_BYTES: usize = 64 * 1024;
/// Few enough that a slow server is left soon after the deadline.
const FILES_BETWEEN_PROGRESS: u64 = 16;

/// File systems in which the kernel shows itself: `statfs` magic (linux/magic.h; tracefs, fusectl
/// and nsfs in their own sources) and type as the mount table has it.
const KERNEL_FILE_SYSTEMS: &[(u64, &str)] = &[
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x1cd1, "devpts"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0x7363_6673, "securityfs"),
    (0xcafe_4a11, "bpf"),
    (0x6165_676c, "pstore"),
    (0xde5e_81e4, "efivarfs"),
    (0x6265_6570, "configfs"),
    (0xf97c_ff8c, "selinuxfs"),
    (0x1980_0202, "mqueue"),
    (0x6573_5543, "fusectl"),
    (0x4249_4e4d, "binfmt_misc"),
    (0x6e73_6673, "nsfs"),
];

/// Whether the kernel shows itself in file systems of this type, so that no user's file is there.
#[must_use]
pub fn is_kernels_own_type(filesystem: &str) -> bool {
    KERNEL_FILE_SYSTEMS.iter().any(|(_, name)| *name == filesystem)
}

/// A regular file that the walk came upon.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The directory that holds it.
    pub directory: &'a Path,
    /// Its name there.
    pub name: &'a OsStr,
    /// Its first bytes, up to [`START_BYTES`].
    pub start: &'a [u8],
}

impl Found<'_> {
    /// Its path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(self.name)
    }
}

/// How far a walk has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Directories read.
    pub directories: u64,
    /// Regular files read.
    pub files: u64,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Yes.
    Go,
    /// No: end with what there is.
    Stop,
}

/// Who is told of what a walk finds.
pub trait Visitor {
    /// A regular file could be read.
    fn file(&mut self, found: Found<'_>);

    /// Called every now and then, at least once for each directory.
    fn progress(&mut self, seen: Seen) -> Step {
        let _ = seen;
        Step::Go
    }
}

/// Why a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalkEnd {
    /// There was no more to see.
    Complete,
    /// The deadline passed.
    Deadline,
    /// The visitor said stop.
    Stopped,
}

/// What a walk came past.
#[derive(Clone, Debug)]
pub struct Walked {
    /// How much was read.
    pub seen: Seen,
    /// Why it ended.
    pub end: WalkEnd,
    /// The first [`NAMED_MAX`] files and directories that could not be read.
    pub problems: Vec<CallError>,
    /// All of these.
    pub problem_count: u64,
    /// The first [`NAMED_MAX`] directories on another device than the one they stand in.
    pub mounts: Vec<PathBuf>,
    /// The first [`NAMED_MAX`] directories in which the kernel shows itself, passed by.
    pub passed_by: Vec<PathBuf>,
}

/// How far a walk may go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds<'a> {
    /// When it ends; calls on a dead mount can wait beyond it.
    pub deadline: Option<Instant>,
    /// Files and directories that are passed by without a single call, such as mount points whose
    /// server may be dead. Named as the walk meets them: the root as given, then names.
    pub untouched: &'a [PathBuf],
}

/// Walks through the tree below `root`.
///
/// Calls on a dead mount can wait for ever; the deadline is looked at between them.
///
/// # Errors
///
/// When `root` itself cannot be opened as a directory. Problems below it are in the result.
pub fn walk(
    root: &Path,
    bounds: Bounds<'_>,
    visitor: &mut dyn Visitor,
) -> Result<Walked, CallError> {
    let call = |errno| CallError::from_rustix("open", root, errno);
    let directory = open_directory(CWD, root.as_os_str().as_bytes(), OFlags::empty());
    let directory = directory.map_err(call)?;
    let walked = Walked {
        seen: Seen::default(),
        end: WalkEnd::Complete,
        problems: Vec::new(),
        problem_count: 0,
        mounts: Vec::new(),
        passed_by: Vec::new(),
    };
    let buffer = vec![MaybeUninit::uninit(); DIRECTORY_BUFFER_BYTES];
    let mut walk = Walk {
        visitor,
        deadline: bounds.deadline,
        untouched: bounds.untouched.iter().map(PathBuf::as_path).collect(),
        guarded: bounds.untouched.iter().filter_map(|path| path.parent()).collect(),
        walked,
        path: root.to_owned(),
        buffer,
    };
    if let Err(end) = walk.run(directory) {
        walk.walked.end = end;
    }
    Ok(walk.walked)
}

fn open_directory(
    parent: BorrowedFd<'_>,
    name: &[u8],
    more: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NONBLOCK | more;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// A directory whose files were seen and whose subdirectories are yet to come.
struct Level {
    directory: OwnedFd,
    device: u64,
    subdirectories: Vec<CString>,
}

struct Walk<'a> {
    visitor: &'a mut dyn Visitor,
    deadline: Option<Instant>,
    untouched: HashSet<&'a Path>,
    /// The directories that hold one of these: only there is each name looked up.
    guarded: HashSet<&'a Path>,
    walked: Walked,
    /// The directory being read.
    path: PathBuf,
    buffer: Vec<MaybeUninit<u8>>,
}

impl Walk<'_> {
    fn run(&mut self, root: OwnedFd) -> Result<(), WalkEnd> {
        let mut levels = Vec::new();
        levels.extend(self.enter(root, None)?);
        while let Some(level) = levels.last_mut() {
            let Some(name) = level.subdirectories.pop() else {
                levels.pop();
                if !levels.is_empty() {
                    self.path.pop();
                }
                continue;
            };
            let parent_device = level.device;
            self.path.push(OsStr::from_bytes(name.as_bytes()));
            let opened = if levels.len() < DEPTH_MAX {
                let parent = levels.last().map_or(CWD, |level| level.directory.as_fd());
                open_directory(parent, name.as_bytes(), OFlags::NOFOLLOW)
            } else {
                Err(Errno::LOOP)
            };
            let entered = match opened {
                Ok(directory) => self.enter(directory, Some(parent_device))?,
                // Deleted since its name was read: not a problem of ours.
                Err(Errno::NOENT) => None,
                Err(errno) => {
                    self.problem("open", &self.path.clone(), errno);
                    None
                }
            };
            match entered {
                Some(level) => levels.push(level),
                None => {
                    self.path.pop();
                }
            }
        }
        Ok(())
    }

    /// Reads the files of a directory and collects its subdirectories.
    fn enter(
        &mut self,
        directory: OwnedFd,
        parent_device: Option<u64>,
    ) -> Result<Option<Level>, WalkEnd> {
        let device = match rustix::fs::fstat(&directory) {
            Ok(stat) => stat.st_dev,
            Err(errno) => {
                self.problem("fstat", &self.path.clone(), errno);
                return Ok(None);
            }
        };
        if parent_device != Some(device) {
            if is_kernels_own(&directory) {
                push_named(&mut self.walked.passed_by, &self.path);
                return Ok(None);
            }
            if parent_device.is_some() {
                push_named(&mut self.walked.mounts, &self.path);
            }
        }
        self.walked.seen.directories += 1;
        self.report()?;
        let mut subdirectories = Vec::new();
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.read_directory(directory.as_fd(), &mut buffer, &mut subdirectories);
        self.buffer = buffer;
        outcome?;
        Ok(Some(Level { directory, device, subdirectories }))
    }

    fn read_directory(
        &mut self,
        directory: BorrowedFd<'_>,
        buffer: &mut [MaybeUninit<u8>],
        subdirectories: &mut Vec<CString>,
    ) -> Result<(), WalkEnd> {
        let guarded = self.guarded.contains(self.path.as_path());
        let mut entries = RawDir::new(directory, buffer);
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(Errno::NOENT) => break,
                Err(errno) => {
                    self.problem("getdents64", &self.path.clone(), errno);
                    break;
                }
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if guarded && self.is_untouched(name) {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => self.kind_of(directory, name),
                kind => kind,
            };
            match kind {
                FileType::Directory if scratch::is_scratch_name(name.to_bytes()) => {}
                FileType::Directory => subdirectories.push(name.to_owned()),
                FileType::RegularFile => self.look(directory, name)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn is_untouched(&self, name: &CStr) -> bool {
        self.untouched.contains(self.path.join(OsStr::from_bytes(name.to_bytes())).as_path())
    }

    /// Some file systems do not tell the kind along with the name.
    fn kind_of(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> FileType {
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(errno) => {
                let path = self.path.join(OsStr::from_bytes(name.to_bytes()));
                self.problem("fstatat", &path, errno);
                FileType::Unknown
            }
        }
    }

    fn look(&mut self, directory: BorrowedFd<'_>, name: &CStr) -> Result<(), WalkEnd> {
        let mut start = [0; START_BYTES];
        let text = OsStr::from_bytes(name.to_bytes());
        match read_start(directory, name, &mut start) {
            Ok(count) => {
                let start = start.get(..count).unwrap_or_default();
                self.visitor.file(Found { directory: &self.path, name: text, start });
            }
            Err((_, Errno::NOENT)) => {}
            Err((call, errno)) => self.problem(call, &self.path.join(text), errno),
        }
        self.walked.seen.files += 1;
        if self.walked.seen.files.is_multiple_of(FILES_BETWEEN_PROGRESS) {
            self.report()?;
        }
        Ok(())
    }

    fn report(&mut self) -> Result<(), WalkEnd> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(WalkEnd::Deadline);
        }
        match self.visitor.progress(self.walked.seen) {
            Step::Go => Ok(()),
            Step::Stop => Err(WalkEnd::Stopped),
        }
    }

    fn problem(&mut self, call: &'static str, path: &Path, errno: Errno) {
        self.walked.problem_count += 1;
        if self.walked.problems.len() < NAMED_MAX {
            self.walked.problems.push(CallError::from_rustix(call, path, errno));
        }
    }
}

fn push_named(names: &mut Vec<PathBuf>, path: &Path) {
    if names.len() < NAMED_MAX {
        names.push(path.to_owned());
    }
}

fn is_kernels_own(directory: &OwnedFd) -> bool {
    rustix::fs::fstatfs(directory)
        .is_ok_and(|statfs| has_kernels_magic(statfs.f_type.cast_unsigned()))
}

fn has_kernels_magic(magic: u64) -> bool {
    KERNEL_FILE_SYSTEMS.iter().any(|(own, _)| *own == magic)
}

/// One open, one read, one close: half of the cost of a walk is in these three.
fn read_start(
    directory: BorrowedFd<'_>,
    name: &CStr,
    start: &mut [u8],
) -> Result<usize, (&'static str, Errno)> {
    let flags =
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    let opened = match rustix::fs::openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(directory, name, flags, Mode::empty()),
        other => other,
    };
    let file = opened.map_err(|errno| ("open", errno))?;
    rustix::io::pread(&file, start, 0).map_err(|errno| ("pread", errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[derive(Default)]
    struct Collector {
        files: Vec<(PathBuf, Vec<u8>)>,
        stop_after_files: Option<u64>,
    }

    impl Visitor for Collector {
        fn file(&mut self, found: Found<'_>) {
            self.files.push((found.path(), found.start.to_vec()));
        }

        fn progress(&mut self, seen: Seen) -> Step {
            match self.stop_after_files {
                Some(limit) if seen.files >= limit => Step::Stop,
                _ => Step::Go,
            }
        }
    }

    #[test]
    fn every_regular_file_is_read_and_no_link_followed() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(root.path().join("z")).unwrap();
        fs::write(deep.join("long"), [7; 300]).unwrap();
        fs::write(root.path().join("z/short"), b"xy").unwrap();
        fs::write(root.path().join("empty"), b"").unwrap();
        std::os::unix::fs::symlink(root.path(), deep.join("circle")).unwrap();
        let pipe = deep.join("pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let mut collector = Collector::default();
        let walked = walk(root.path(), Bounds::default(), &mut collector).unwrap();
        assert_eq!(walked.end, WalkEnd::Complete);
        assert_eq!(walked.seen, Seen { directories: 5, files: 3 });
        assert_eq!(walked.problem_count, 0);
        collector.files.sort();
        let expected = [
            (deep.join("long"), vec![7; START_BYTES]),
            (root.path().join("empty"), vec![]),
            (root.path().join("z/short"), b"xy".to_vec()),
        ];
        assert_eq!(collector.files, expected);
    }

    #[test]
    fn a_root_that_is_no_directory_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = walk(&file, Bounds::default(), &mut Collector::default()).unwrap_err();
        assert_eq!(error.errno, tombolo_core::errno::Errno::ENOTDIR);
    }

    #[test]
    fn a_deadline_and_a_stop_end_the_walk() {
        let root = tempfile::tempdir().unwrap();
        for index in 0..FILES_BETWEEN_PROGRESS * 2 {
            fs::write(root.path().join(index.to_string()), b"").unwrap();
        }
        let now = Bounds { deadline: Some(Instant::now()), ..Bounds::default() };
        let walked = walk(root.path(), now, &mut Collector::default()).unwrap();
        assert_eq!((walked.end, walked.seen.files), (WalkEnd::Deadline, 0));
        let mut collector = Collector { stop_after_files: Some(1), ..Collector::default() };
        let walked = walk(root.path(), Bounds::default(), &mut collector).unwrap();
        assert_eq!((walked.end, walked.seen.files), (WalkEnd::Stopped, FILES_BETWEEN_PROGRESS));
    }

    #[test]
    fn a_tree_deeper_than_the_limit_is_a_problem_and_ends() {
        let root = tempfile::tempdir().unwrap();
        let mut deep = root.path().to_owned();
        for _ in 0..DEPTH_MAX + 5 {
            deep.push("d");
        }
        fs::create_dir_all(&deep).unwrap();
        let walked = walk(root.path(), Bounds::default(), &mut Collector::default()).unwrap();
        assert_eq!(walked.seen.directories, DEPTH_MAX as u64);
        assert_eq!(walked.problem_count, 1);
    }

    #[test]
    fn the_kernels_own_file_systems_are_passed_by() {
        let walked =
            walk(Path::new("/proc"), Bounds::default(), &mut Collector::default()).unwrap();
        assert_eq!(walked.passed_by, [PathBuf::from("/proc")]);
        assert_eq!(walked.seen.files, 0);
    }

    #[test]
    fn what_is_deleted_under_the_walk_is_no_problem() {
        struct Remover;
        impl Visitor for Remover {
            fn file(&mut self, found: Found<'_>) {
                let _ = fs::remove_dir_all(found.directory.join("gone"));
            }
        }
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("gone/deep")).unwrap();
        fs::write(root.path().join("file"), b"").unwrap();
        let walked = walk(root.path(), Bounds::default(), &mut Remover).unwrap();
        assert_eq!(walked.problem_count, 0, "{:?}", walked.problems);
        assert_eq!(walked.seen, Seen { directories: 1, files: 1 });
    }

    #[test]
    fn what_is_not_to_be_touched_is_not_even_asked_for_its_kind() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        for directory in ["dead", "alive/dead", "dead-not"] {
            fs::create_dir_all(path(directory)).unwrap();
            fs::write(path(directory).join("file"), b"").unwrap();
        }
        fs::write(path("alive/mounted.db"), b"").unwrap();
        let untouched = [path("dead"), path("alive/dead"), path("alive/mounted.db")];
        let bounds = Bounds { untouched: &untouched, ..Bounds::default() };
        let mut collector = Collector::default();
        walk(root.path(), bounds, &mut collector).unwrap();
        let found: Vec<_> = collector.files.into_iter().map(|(path, _)| path).collect();
        assert_eq!(found, [path("dead-not/file")]);
    }

    #[test]
    fn scratch_directories_of_another_run_hold_no_users_file() {
        let root = tempfile::tempdir().unwrap();
        let viewer = crate::mount_table::Viewer::Own;
        let soon = Instant::now() + std::time::Duration::from_secs(10);
        let scratch = scratch::Scratch::new(root.path(), viewer, soon).unwrap();
        fs::write(scratch.path().join("probe.db"), b"").unwrap();
        let walked = walk(root.path(), Bounds::default(), &mut Collector::default()).unwrap();
        assert_eq!(walked.seen.files, 0);
    }
}
