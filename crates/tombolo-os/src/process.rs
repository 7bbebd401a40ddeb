//! Running processes and the files that they have open.
//!
//! What `/proc` says in words ([`descriptors`], [`locks`]) is read without asking any file system.
//! [`identity`] asks one, and can wait for ever where its server is gone. [`mappings`] waits while
//! the process changes its memory, which a page on a dead mount can hold up for ever.
//!
//! Files are told apart by device and inode as `stat` on `/proc/PID/fd/N` gives them: the devices
//! in `/proc/PID/maps` and `/proc/locks` are other ones on overlayfs and btrfs.

use crate::bounded::{read_file, read_link};
use crate::error::errno_of;
use rustix::fs::{AtFlags, FileType, StatxFlags};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tombolo_core::errno::Errno;
use tombolo_core::locktable::{self, Lock};
use tombolo_core::memory_map::{self, Mapping, Sharing, Writing};
use tombolo_core::text::printable;

/// Descriptors looked at of one process.
const DESCRIPTORS_MAX: usize = 1 << 16;

/// Bytes read of one table of mappings, and of the table of locks.
const TABLE_BYTES_MAX: u64 = 64 << 20;

/// Appended by the kernel to the name of a file that has been unlinked (`d_path`, fs/d_path.c).
const DELETED_SUFFIX: &[u8] = b" (deleted)";

/// Names of files that the kernel makes up, and of devices.
const NO_USER_FILES: [&[u8]; 6] =
    [b"/dev/", b"/proc/", b"/sys/", b"/memfd:", b"/anon_hugepage", b"/SYSV"];

/// Flag of a thread of the kernel (`PF_KTHREAD`, include/linux/sched.h).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// Tells files of one kernel apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct FileIdentity {
    /// Major and minor number of the device, by `statx`.
    pub device: (u32, u32),
    /// Inode number.
    pub inode: u64,
}

/// By what a process holds a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Handle {
    /// By a descriptor of this number.
    Descriptor(i32),
    /// By its memory alone, at this range of addresses: the descriptor was closed.
    Mapping(String),
}

/// How a process holds a file, as far as `/proc` tells without asking the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// By what.
    pub handle: Handle,
    /// The name of the file, without the mark of deletion: a path from the root directory of this
    /// process where the mount namespace is the same, else from the root of the other namespace.
    pub path: Vec<u8>,
    /// Whether that name is gone.
    pub name: NameState,
    /// Whether it was opened for writing.
    pub mode: OpenMode,
    /// Locks that were taken through it.
    pub locks: Vec<Lock>,
    /// Id of the mount it was opened through.
    pub mount_id: Option<u32>,
    /// The inode's number inside the kernel, which on some overlays is not that of `stat`. `None`
    /// before Linux 5.14.
    pub inode: Option<u64>,
}

/// Whether an open file still has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum NameState {
    /// It has.
    Named,
    /// The name was unlinked, or another file was renamed over it.
    Deleted,
}

/// How a file was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum OpenMode {
    /// `O_RDONLY`, or what could not be told.
    ReadOnly,
    /// `O_WRONLY` or `O_RDWR`.
    Writable,
}

/// What runs under a process number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program.
    Program,
    /// A thread of the kernel, or a program that ended: no files are open.
    NoProgram,
}

/// The identity of the file at a path, following links. **Can block on a dead mount.**
///
/// # Errors
///
/// What `statx` said.
pub fn identity(path: &Path) -> Result<FileIdentity, Errno> {
    stat(path).map(|(identity, _)| identity)
}

/// The identity of a regular file; `None` for anything else. **Can block on a dead mount.**
///
/// # Errors
///
/// What `statx` said.
pub fn regular_file(path: &Path) -> Result<Option<FileIdentity>, Errno> {
    let (identity, kind) = stat(path)?;
    Ok((kind == FileType::RegularFile).then_some(identity))
}

fn stat(path: &Path) -> Result<(FileIdentity, FileType), Errno> {
    // Without `AT_STATX_DONT_SYNC` NFS and FUSE would ask their servers.
    let flags = AtFlags::STATX_DONT_SYNC;
    let answer = rustix::fs::statx(rustix::fs::CWD, path, flags, StatxFlags::BASIC_STATS)
        .map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    let device = (answer.stx_dev_major, answer.stx_dev_minor);
    let kind = FileType::from_raw_mode(answer.stx_mode.into());
    Ok((FileIdentity { device, inode: answer.stx_ino }, kind))
}

/// The name of a process's program (`/proc/PID/comm`); empty if it is gone.
#[must_use]
pub fn program(proc_root: &Path, pid: i32) -> String {
    let name = read_file(&proc_root.join(pid.to_string()).join("comm"), 64).unwrap_or_default();
    printable(name.strip_suffix(b"\n").unwrap_or(&name))
}

/// Whether a program runs under a number (`proc_pid_stat(5)`, fields 3 and 9).
#[must_use]
pub fn kind(proc_root: &Path, pid: i32) -> Kind {
    let Some(stat) = Stat::read(proc_root, pid) else { return Kind::NoProgram };
    let flags = stat.field(9).and_then(|flags| flags.parse::<u64>().ok()).unwrap_or(0);
    let ended = matches!(stat.field(3), Some("Z" | "X"));
    if ended || flags & KERNEL_THREAD != 0 { Kind::NoProgram } else { Kind::Program }
}

/// The number of a process's parent; `None` if it is gone.
#[must_use]
pub fn parent(proc_root: &Path, pid: i32) -> Option<i32> {
    Stat::read(proc_root, pid)?.field(4)?.parse().ok()
}

/// What `/proc/PID/stat` says behind the name of the program (`proc_pid_stat(5)`).
pub(crate) struct Stat(String);

impl Stat {
    /// Longest file that is read.
    pub(crate) const BYTES_MAX: u64 = 4096;

    /// `None` if the process is gone.
    pub(crate) fn read(proc_root: &Path, pid: i32) -> Option<Self> {
        let path = proc_root.join(pid.to_string()).join("stat");
        read_file(&path, Self::BYTES_MAX).ok().map(|bytes| Self::of(&bytes))
    }

    /// The name stands in parentheses and may hold any character.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        Stat(text.rsplit_once(')').map_or("", |(_, behind)| behind).to_owned())
    }

    /// By the number that the field has in the manual, from 3 on.
    pub(crate) fn field(&self, number: usize) -> Option<&str> {
        self.0.split_whitespace().nth(number.checked_sub(3)?)
    }

    /// When the process started, in ticks since boot.
    pub(crate) fn start_ticks(&self) -> Option<u64> {
        self.field(22)?.parse().ok()
    }
}

/// The way to a file that a process holds, also where its name is gone or means another file. To
/// one that is only mapped it is open for root alone, or with `CAP_CHECKPOINT_RESTORE`.
#[must_use]
pub fn held_path(proc_root: &Path, pid: i32, handle: &Handle) -> PathBuf {
    let process = proc_root.join(pid.to_string());
    match handle {
        Handle::Descriptor(number) => process.join("fd").join(number.to_string()),
        Handle::Mapping(range) => process.join("map_files").join(range),
    }
}

/// What a process has open and is named like a user's file, in the order of numbers.
///
/// # Errors
///
/// `EACCES` or `EPERM` for a process of another user, `ENOENT` for one that is gone.
pub fn descriptors(proc_root: &Path, pid: i32) -> Result<Vec<Held>, Errno> {
    let process = proc_root.join(pid.to_string());
    let entries = std::fs::read_dir(process.join("fd")).map_err(|error| errno_of(&error))?;
    let mut found = Vec::new();
    for entry in entries.take(DESCRIPTORS_MAX).flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let (path, name) = match name_of(&entry.path()) {
            Ok(named) => named,
            // Root without CAP_SYS_PTRACE, as in most containers, may list them and no more.
            Err(errno @ (Errno::EACCES | Errno::EPERM)) => return Err(errno),
            // It was closed in between.
            Err(_) => continue,
        };
        if !is_user_file(&path) {
            continue;
        }
        let info = process.join("fdinfo").join(entry.file_name());
        let info = read_file(&info, 1 << 20).unwrap_or_default();
        found.push(Held {
            handle: Handle::Descriptor(number),
            path,
            name,
            mode: open_mode(&info),
            mount_id: field(&info, "mnt_id:").and_then(|text| text.parse().ok()),
            inode: field(&info, "ino:").and_then(|text| text.parse().ok()),
            locks: locktable::parse(&info).collect(),
        });
    }
    found.sort_by(|one, other| one.handle.cmp(&other.handle));
    Ok(found)
}

/// What `/proc/PID/fd/N` names.
fn name_of(path: &Path) -> Result<(Vec<u8>, NameState), Errno> {
    let mut path = read_link(path)?;
    if !path.ends_with(DELETED_SUFFIX) {
        return Ok((path, NameState::Named));
    }
    path.truncate(path.len() - DELETED_SUFFIX.len());
    Ok((path, NameState::Deleted))
}

/// Whether a handle still names the same file: what was read through it in between is of that file,
/// and not of another one that got its number or range.
#[must_use]
pub fn is_still_held(proc_root: &Path, pid: i32, held: &Held) -> bool {
    let now = name_of(&held_path(proc_root, pid, &held.handle));
    now.is_ok_and(|(path, name)| path == held.path && name == held.name)
}

/// Whether the name of an open file is one that a user's file may have.
#[must_use]
pub fn is_user_file(path: &[u8]) -> bool {
    let made_up = NO_USER_FILES.iter().any(|start| path.starts_with(start));
    path.first() == Some(&b'/') && (!made_up || path.starts_with(b"/dev/shm/"))
}

/// The path of the program that a process runs, in the same words as [`Mapping::path`].
#[must_use]
pub fn executable(proc_root: &Path, pid: i32) -> Option<Vec<u8>> {
    let mut path = read_link(&proc_root.join(pid.to_string()).join("exe")).ok()?;
    if path.ends_with(DELETED_SUFFIX) {
        path.truncate(path.len() - DELETED_SUFFIX.len());
    }
    Some(path)
}

/// The user's files that a process has mapped, in the order of addresses.
///
/// # Errors
///
/// As [`descriptors`].
pub fn mappings(proc_root: &Path, pid: i32) -> Result<Vec<Mapping>, Errno> {
    let table = read_file(&proc_root.join(pid.to_string()).join("maps"), TABLE_BYTES_MAX)?;
    Ok(memory_map::parse(&table).filter(|mapping| is_user_file(&mapping.path)).collect())
}

/// What a process has mapped for sharing, each file once.
///
/// # Errors
///
/// As [`descriptors`].
pub fn shared_mappings(proc_root: &Path, pid: i32) -> Result<Vec<Mapping>, Errno> {
    let mut found: Vec<Mapping> = Vec::new();
    for mapping in mappings(proc_root, pid)? {
        let file = |one: &Mapping| (one.device, one.inode);
        if mapping.sharing == Sharing::Shared
            && !found.iter().any(|known| file(known) == file(&mapping))
        {
            found.push(mapping);
        }
    }
    Ok(found)
}

impl From<Mapping> for Held {
    fn from(mapping: Mapping) -> Self {
        Held {
            handle: Handle::Mapping(mapping.range),
            path: mapping.path,
            name: if mapping.deleted { NameState::Deleted } else { NameState::Named },
            mode: match mapping.writing {
                Writing::Allowed => OpenMode::Writable,
                Writing::Refused => OpenMode::ReadOnly,
            },
            locks: Vec::new(),
            mount_id: None,
            inode: Some(mapping.inode),
        }
    }
}

/// Every lock of this kernel whose holder can be seen from this pid namespace, whoever it is.
///
/// # Errors
///
/// `ENOENT` without `/proc` or on a kernel without file locks.
pub fn locks(proc_root: &Path) -> Result<Vec<Lock>, Errno> {
    Ok(locktable::parse(&read_file(&proc_root.join("locks"), TABLE_BYTES_MAX)?).collect())
}

fn field(info: &[u8], name: &str) -> Option<String> {
    let info = String::from_utf8_lossy(info);
    let value = info.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

/// `flags:` of `proc_pid_fdinfo(5)`: octal, the access mode in the last two bits.
fn open_mode(info: &[u8]) -> OpenMode {
    let flags = field(info, "flags:").and_then(|text| u32::from_str_radix(&text, 8).ok());
    match flags.map(|flags| flags & 3) {
        Some(1 | 2) => OpenMode::Writable,
        _ => OpenMode::ReadOnly,
    }
}

/// Processes looked at; the kernel's own bound is 4,194,304 (`PID_MAX_LIMIT`).
const PROCESSES_MAX: usize = 1 << 18;

/// The numbers of all processes, ascending; `proc_root` is `/proc` outside of tests.
///
/// # Errors
///
/// What the kernel said when the directory could not be opened.
pub fn pids(proc_root: &Path) -> Result<Vec<i32>, Errno> {
    let entries = std::fs::read_dir(proc_root).map_err(|error| errno_of(&error))?;
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let mut pids: Vec<i32> = numbers.filter(|pid| *pid > 0).take(PROCESSES_MAX).collect();
    pids.sort_unstable();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::process::CommandExt as _;

    #[test]
    fn this_process_is_among_them() {
        let pids = pids(Path::new("/proc")).expect("/proc");
        let own = i32::try_from(std::process::id()).expect("a process id");
        assert!(pids.contains(&own) && pids.is_sorted());
    }

    #[test]
    fn a_missing_proc_keeps_its_errno() {
        let nothing = tempfile::tempdir().expect("a directory");
        assert_eq!(pids(&nothing.path().join("proc")), Err(Errno::ENOENT));
    }

    fn own_descriptors(directory: &Path) -> Vec<Held> {
        let own = i32::try_from(std::process::id()).expect("a process id");
        let directory = directory.canonicalize().expect("real path");
        let held = descriptors(Path::new("/proc"), own).expect("our own descriptors");
        let inside = |held: &Held| held.path.starts_with(directory.as_os_str().as_bytes());
        held.into_iter().filter(inside).collect()
    }

    #[test]
    fn descriptors_tell_name_mode_inode_and_locks() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        let mut writer = std::fs::File::create(&path).expect("create");
        writer.write_all(b"1234").expect("write");
        rustix::fs::flock(&writer, rustix::fs::FlockOperation::LockExclusive).expect("flock");
        let reader = std::fs::File::open(&path).expect("open");
        let found = own_descriptors(directory.path());
        assert_eq!(found.len(), 2);
        let expected = identity(&path).expect("its identity");
        let own = i32::try_from(std::process::id()).expect("a process id");
        for held in &found {
            assert!(held.name == NameState::Named && held.mount_id.is_some());
            assert!(held.inode.is_none_or(|inode| inode == expected.inode));
            let through = held_path(Path::new("/proc"), own, &held.handle);
            assert_eq!(regular_file(&through), Ok(Some(expected)));
        }
        let by_number = |number| {
            let handle = Handle::Descriptor(number);
            found.iter().find(|held| held.handle == handle).expect("open")
        };
        assert_eq!(by_number(writer.as_raw_fd()).mode, OpenMode::Writable);
        assert_eq!(by_number(reader.as_raw_fd()).mode, OpenMode::ReadOnly);
        let locks = &by_number(writer.as_raw_fd()).locks;
        assert_eq!(locks.first().map(|lock| lock.family), Some(locktable::Family::Flock));
        assert_eq!(by_number(reader.as_raw_fd()).locks, []);
        assert!(is_still_held(Path::new("/proc"), own, &found[0]));
        std::fs::remove_file(&path).expect("unlink");
        assert!(!is_still_held(Path::new("/proc"), own, &found[0]));
        let after = own_descriptors(directory.path());
        assert!(after.len() == 2 && after.iter().all(|held| held.name == NameState::Deleted));
        assert!(after.iter().all(|held| held.path.ends_with(b"/app.db")));
        assert_eq!(regular_file(directory.path()), Ok(None));
    }

    #[test]
    fn root_that_may_not_trace_is_refused_and_not_told_of_nothing_root_needed() {
        let mut command = std::process::Command::new("sleep");
        let mut sleep = command.arg("60").uid(65_534).spawn().expect("this test needs root");
        let pid = i32::try_from(sleep.id()).expect("a process id");
        let mut seen = Vec::new();
        let until = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let end = crate::worker::run(
            until,
            |outbox| {
                let mut own = rustix::thread::capabilities(None).expect("our capabilities");
                own.effective.remove(rustix::thread::CapabilitySet::SYS_PTRACE);
                rustix::thread::set_capabilities(None, own).expect("fewer of them");
                let errno = descriptors(Path::new("/proc"), pid).err().map_or(0, Errno::raw);
                outbox.send(&errno.to_le_bytes());
            },
            &mut |message| seen.extend_from_slice(message),
        );
        sleep.kill().expect("killed");
        sleep.wait().expect("ended");
        assert_eq!(seen, Errno::EACCES.raw().to_le_bytes(), "{end:?}");
    }

    #[test]
    fn devices_are_no_files_of_users_and_shared_memory_is() {
        assert!(is_user_file(b"/dev/shm/app.db") && is_user_file(b"/srv/app.db"));
        for name in [&b"/dev/null"[..], b"/proc/1/stat", b"/memfd:x", b"socket:[7]"] {
            assert!(!is_user_file(name));
        }
    }

    #[test]
    fn a_lock_is_listed_for_everybody_to_see() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        rustix::fs::flock(file.as_file(), rustix::fs::FlockOperation::LockExclusive)
            .expect("flock");
        let inode = identity(file.path()).expect("its identity").inode;
        let own = i32::try_from(std::process::id()).ok();
        let held = locks(Path::new("/proc")).expect("the table");
        assert!(held.iter().any(|lock| lock.inode == inode && lock.pid == own));
    }

    #[test]
    fn mappings_of_programs_are_files() {
        let own = i32::try_from(std::process::id()).expect("a process id");
        let executable = std::env::current_exe().expect("this program");
        let mapped = mappings(Path::new("/proc"), own).expect("our own memory");
        let path = executable.as_os_str().as_bytes();
        assert_eq!(super::executable(Path::new("/proc"), own).as_deref(), Some(path));
        let found = mapped.iter().find(|one| one.path == path);
        let handle = Handle::Mapping(found.expect("the executable").range.clone());
        let path = held_path(Path::new("/proc"), own, &handle);
        let same = identity(&executable).expect("its identity");
        assert_eq!(identity(&path), Ok(same), "root is needed for map_files");
    }

    #[test]
    fn threads_of_the_kernel_are_no_programs() {
        let tree = tempfile::tempdir().expect("a directory");
        for (pid, stat) in [
            (2, "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0"),
            (7, "7 (a) b) S 1 7 7 0 -1 4194560 0 0"),
            (8, "8 (gone) Z 1 7 7 0 -1 4194560 0 0"),
        ] {
            let directory = tree.path().join(pid.to_string());
            std::fs::create_dir(&directory).expect("mkdir");
            std::fs::write(directory.join("stat"), stat).expect("write");
        }
        let kinds = [2, 7, 8, 9].map(|pid| kind(tree.path(), pid));
        let none = Kind::NoProgram;
        assert_eq!(kinds, [none, Kind::Program, none, none], "9 is gone");
    }

    #[test]
    fn a_process_that_is_gone_keeps_its_errno() {
        assert_eq!(descriptors(Path::new("/proc"), i32::MAX), Err(Errno::ENOENT));
        assert_eq!(mappings(Path::new("/proc"), i32::MAX), Err(Errno::ENOENT));
        assert_eq!(program(Path::new("/proc"), i32::MAX), "");
    }
}
