//! What the kernel of a mount may believe without asking, and when it must forget.

use super::filesystem::FaultyFilesystem;
use super::inodes;
use crate::faults::{Kept, Locks, Maps, Pages};
use fuser::{FopenFlags, Generation, INodeNo, InitFlags, Notifier, ReplyEntry};
use std::sync::OnceLock;
use std::time::Duration;

/// What `--cache=always` of virtiofsd tells the kernel.
const A_DAY: Duration = Duration::from_secs(86400);

/// The way to the kernel of a mount. There is none before the mount answers its first calls.
pub(super) type ToKernel = OnceLock<Notifier>;

impl Kept {
    pub(super) fn time(self) -> Duration {
        match self {
            Kept::Never => Duration::ZERO,
            Kept::For(time) => time,
            Kept::ForADay => A_DAY,
        }
    }
}

impl FaultyFilesystem {
    /// What this mount needs of the kernel's side of the protocol.
    pub(super) fn capabilities(&self) -> InitFlags {
        let mut wanted = InitFlags::FUSE_ASYNC_READ;
        if self.faults.locks != Locks::Kernel {
            wanted |= InitFlags::FUSE_POSIX_LOCKS;
        }
        // `flock` knows nothing of byte ranges, so the table of the server is not for it.
        if matches!(self.faults.locks, Locks::Refused(_) | Locks::GrantedToAll) {
            wanted |= InitFlags::FUSE_FLOCK_LOCKS;
        }
        if matches!(self.faults.maps, Maps::Direct | Maps::WritesLost) {
            wanted |= InitFlags::FUSE_DIRECT_IO_ALLOW_MMAP;
        }
        if self.faults.pages == Pages::UntilChanged {
            wanted |= InitFlags::FUSE_AUTO_INVAL_DATA;
        }
        wanted
    }

    /// What becomes of the pages of a file that is opened, and of those still to come.
    pub(super) fn open_flags(&self, inode: INodeNo) -> FopenFlags {
        match (self.faults.maps, self.faults.pages) {
            (Maps::Refused | Maps::Direct | Maps::WritesLost, _) => FopenFlags::FOPEN_DIRECT_IO,
            (Maps::Cached, Pages::Kept) => FopenFlags::FOPEN_KEEP_CACHE,
            (Maps::Cached, Pages::UntilLocked) if self.handles.is_written(inode) => {
                FopenFlags::FOPEN_KEEP_CACHE
            }
            (Maps::Cached, _) => FopenFlags::empty(),
        }
    }

    /// A lock was granted or is given back. What maps have written is sent first.
    pub(super) fn forget_pages(&self, inode: INodeNo) {
        if self.faults.pages == Pages::UntilLocked
            && let Some(kernel) = self.kernel.get()
        {
            // Fails where the mount is going away, and nobody will read there any more.
            let _ = kernel.inval_inode(inode, 0, 0);
        }
    }

    /// The answer to a look-up that found nothing.
    pub(super) fn reply_missing(&self, reply: ReplyEntry) {
        match self.faults.missing_names {
            Kept::Never => reply.error(fuser::Errno::ENOENT),
            kept => reply.entry(&kept.time(), &inodes::nothing(), Generation(0)),
        }
    }
}
