//! The files behind the mount, each known by the inode number that it has there.

use crate::faults::Sizes;
use fuser::{FileAttr, FileType, INodeNo};
use rustix::fs::{AtFlags, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A size that its author alone sees.
#[derive(Clone, Copy, Debug)]
struct Unseen {
    author: u32,
    shown_bytes: u64,
}

/// One file, directory or link.
#[derive(Debug)]
pub(super) struct Inode {
    pub(super) number: u64,
    /// An O_PATH descriptor; another file's after a rename that replaces holders' files.
    place: Mutex<Arc<OwnedFd>>,
    /// Unlinked, on a mount where that breaks its holders.
    pub(super) stale: AtomicBool,
    unseen: Mutex<Option<Unseen>>,
}

impl Inode {
    fn new(number: u64, place: OwnedFd) -> Self {
        Inode {
            number,
            place: Mutex::new(Arc::new(place)),
            stale: AtomicBool::new(false),
            unseen: Mutex::default(),
        }
    }

    pub(super) fn place(&self) -> Arc<OwnedFd> {
        self.lock_of(&self.place).clone()
    }

    pub(super) fn become_another(&self, other: &Inode) {
        *self.lock_of(&self.place) = other.place();
    }

    /// The path by which this very inode can be opened, whatever its name is by now.
    pub(super) fn magic_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.place().as_raw_fd()))
    }

    pub(super) fn open(&self) -> std::io::Result<File> {
        // For reading as well, since the kernel fills its page cache through any open file.
        File::options().read(true).write(true).open(self.magic_path())
    }

    pub(super) fn status(&self) -> Result<Stat, Errno> {
        rustix::fs::statat(&*self.place(), "", AtFlags::EMPTY_PATH)
    }

    /// The attributes as process `viewer` sees them.
    pub(super) fn attributes(&self, viewer: u32) -> Result<FileAttr, Errno> {
        if self.stale.load(Ordering::Relaxed) {
            return Err(Errno::STALE);
        }
        let mut attributes = translate(self.number, &self.status()?);
        if let Some(unseen) = *self.lock_of(&self.unseen)
            && unseen.author != viewer
        {
            attributes.size = unseen.shown_bytes;
        }
        Ok(attributes)
    }

    /// Called before process `author` changes the file.
    pub(super) fn hide_change(&self, author: u32, sizes: Sizes) -> Result<(), Errno> {
        let mut unseen = self.lock_of(&self.unseen);
        if sizes == Sizes::SharedOnClose && unseen.is_none() {
            let shown_bytes = self.status()?.st_size.cast_unsigned();
            *unseen = Some(Unseen { author, shown_bytes });
        }
        Ok(())
    }

    /// Called when process `closer` closes the file.
    pub(super) fn show_changes(&self, closer: u32) {
        self.lock_of(&self.unseen).take_if(|unseen| unseen.author == closer);
    }

    fn lock_of<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inode that the kernel remembers.
#[derive(Debug)]
struct Remembered {
    inode: Arc<Inode>,
    /// How often the kernel was given it and has not yet said that it forgets it.
    lookups: u64,
}

#[derive(Debug)]
struct Table {
    remembered: HashMap<u64, Remembered>,
    /// Most that were there at once.
    peak: usize,
}

/// The inodes that the kernel of the mount remembers. A number is not used for a second file as
/// long as its inode is here, because a descriptor of it is open.
#[derive(Debug)]
pub(super) struct Inodes {
    table: Mutex<Table>,
    forgotten: Condvar,
}

impl Inodes {
    pub(super) fn new(root: OwnedFd) -> Self {
        let root = Arc::new(Inode::new(INodeNo::ROOT.0, root));
        let number = root.number;
        let remembered = HashMap::from([(number, Remembered { inode: root, lookups: 1 })]);
        let table = Mutex::new(Table { remembered, peak: 1 });
        Inodes { table, forgotten: Condvar::new() }
    }

    pub(super) fn get(&self, number: INodeNo) -> Result<Arc<Inode>, Errno> {
        let known = self.table().remembered.get(&number.0).map(|known| known.inode.clone());
        let found = known.ok_or(Errno::STALE)?;
        if found.stale.load(Ordering::Relaxed) { Err(Errno::STALE) } else { Ok(found) }
    }

    /// The inode with this name in `parent`, which the kernel need not know.
    pub(super) fn find(&self, parent: &Inode, name: &OsStr) -> Result<Arc<Inode>, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = rustix::fs::openat(&*parent.place(), name, flags, Mode::empty())?;
        let number = rustix::fs::fstat(&place)?.st_ino;
        let known = self.table().remembered.get(&number).map(|known| known.inode.clone());
        Ok(known.unwrap_or_else(|| Arc::new(Inode::new(number, place))))
    }

    /// Called before the kernel is given an inode. Answers the one that stays: another call may
    /// have found the same file at the same time.
    pub(super) fn remember(&self, inode: Arc<Inode>) -> Arc<Inode> {
        let mut table = self.table();
        let entry = table.remembered.entry(inode.number);
        let known = entry.or_insert(Remembered { inode, lookups: 0 });
        known.lookups += 1;
        let inode = known.inode.clone();
        table.peak = table.peak.max(table.remembered.len());
        inode
    }

    /// The kernel has forgotten an inode that it was given so many times. It may have been given it
    /// again since (`FUSE_FORGET`, fuse(4) and `fuse_lowlevel.h`).
    pub(super) fn forget(&self, number: INodeNo, lookups: u64) {
        let mut table = self.table();
        if number != INodeNo::ROOT
            && let Entry::Occupied(mut known) = table.remembered.entry(number.0)
        {
            let left = known.get().lookups.saturating_sub(lookups);
            known.get_mut().lookups = left;
            if left == 0 {
                known.remove();
                self.forgotten.notify_all();
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.table().remembered.len()
    }

    /// Waits until there are at most so many; answers whether that came.
    pub(super) fn wait_for_few(&self, few: usize, at_most: Duration) -> bool {
        let many = |table: &mut Table| table.remembered.len() > few;
        let waited = self.forgotten.wait_timeout_while(self.table(), at_most, many);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// How many there were at most.
    pub(super) fn peak(&self) -> usize {
        self.table().peak
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands for a name that is not there: number 0, and nothing else is looked at.
pub(super) fn nothing() -> FileAttr {
    FileAttr {
        ino: INodeNo(0),
        size: 0,
        blocks: 0,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: FileType::RegularFile,
        perm: 0,
        nlink: 0,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 0,
        flags: 0,
    }
}

fn translate(number: u64, status: &Stat) -> FileAttr {
    FileAttr {
        ino: INodeNo(number),
        size: status.st_size.cast_unsigned(),
        blocks: status.st_blocks.cast_unsigned(),
        atime: time(status.st_atime, status.st_atime_nsec),
        mtime: time(status.st_mtime, status.st_mtime_nsec),
        ctime: time(status.st_ctime, status.st_ctime_nsec),
        crtime: UNIX_EPOCH,
        kind: kind(rustix::fs::FileType::from_raw_mode(status.st_mode)),
        perm: (status.st_mode & 0o7777) as u16,
        nlink: u32::try_from(status.st_nlink).unwrap_or(u32::MAX),
        uid: status.st_uid,
        gid: status.st_gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

pub(super) fn kind(kind: rustix::fs::FileType) -> FileType {
    use rustix::fs::FileType as There;
    match kind {
        There::Directory => FileType::Directory,
        There::Symlink => FileType::Symlink,
        There::Fifo => FileType::NamedPipe,
        There::Socket => FileType::Socket,
        There::CharacterDevice => FileType::CharDevice,
        There::BlockDevice => FileType::BlockDevice,
        _ => FileType::RegularFile,
    }
}

fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let within = Duration::from_nanos(nanoseconds);
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)) + within
}
