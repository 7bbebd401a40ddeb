//! Names: made, removed, moved.

use super::filesystem::FaultyFilesystem;
use super::inodes::Inode;
use super::server::Maker;
use crate::faults::{Creation, HardLinks, Holders, Listings, Replacement, Writes};
use fuser::{FileAttr, INodeNo, RenameFlags};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl FaultyFilesystem {
    pub(super) fn find(
        &self,
        parent: INodeNo,
        name: &OsStr,
        viewer: u32,
    ) -> Result<FileAttr, Errno> {
        let inode = self.found(&*self.inodes.get(parent)?, name)?;
        if self.server.is_hidden(inode.number, self.client) {
            return Err(Errno::NOENT);
        }
        self.given(inode, viewer)
    }

    /// What is told of a file that the kernel is given by name, and remembers from now on.
    pub(super) fn given(&self, inode: Arc<Inode>, viewer: u32) -> Result<FileAttr, Errno> {
        let attributes = inode.attributes(viewer)?;
        self.inodes.remember(inode);
        Ok(attributes)
    }

    /// The inode of a name that the kernel has asked for or has had made.
    fn found(&self, parent: &Inode, name: &OsStr) -> Result<Arc<Inode>, Errno> {
        let inode = self.inodes.find(parent, name)?;
        if self.faults.listings == Listings::KnownNames {
            self.known_names.add(parent.number, name);
        }
        Ok(inode)
    }

    /// EROFS where nothing may be changed.
    pub(super) fn may_write(&self) -> Result<(), Errno> {
        match self.faults.writes {
            Writes::RefusedByServer => Err(Errno::ROFS),
            Writes::Allowed | Writes::RefusedByMount => Ok(()),
        }
    }

    /// The directory, to be changed.
    fn parent(&self, number: INodeNo) -> Result<Arc<Inode>, Errno> {
        self.may_write()?;
        self.inodes.get(number)
    }

    pub(super) fn create_file(
        &self,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        flags: i32,
        process: u32,
    ) -> Result<(File, Arc<Inode>), Errno> {
        let parent = self.parent(parent)?;
        let exclusive = match self.faults.creation {
            Creation::Exclusive => OFlags::from_bits_retain(flags.cast_unsigned()) & OFlags::EXCL,
            Creation::OnClose => OFlags::empty(),
        };
        let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW | exclusive;
        let mode = Mode::from_raw_mode(mode & 0o7777);
        let file = rustix::fs::openat(&*parent.place(), name, flags, mode)?;
        let inode = self.found(&parent, name)?;
        if self.faults.creation == Creation::OnClose {
            self.server.begin_file(inode.number, Maker { client: self.client, process });
        }
        Ok((File::from(file), inode))
    }

    pub(super) fn make_directory(
        &self,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
    ) -> Result<Arc<Inode>, Errno> {
        let parent = self.parent(parent)?;
        rustix::fs::mkdirat(&*parent.place(), name, Mode::from_raw_mode(mode & 0o7777))?;
        self.found(&parent, name)
    }

    pub(super) fn make_link_to(
        &self,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
    ) -> Result<Arc<Inode>, Errno> {
        let parent = self.parent(parent)?;
        rustix::fs::symlinkat(target, &*parent.place(), name)?;
        self.found(&parent, name)
    }

    pub(super) fn make_hard_link(
        &self,
        inode: INodeNo,
        parent: INodeNo,
        name: &OsStr,
    ) -> Result<Arc<Inode>, Errno> {
        let parent = self.parent(parent)?;
        if self.faults.links == HardLinks::Refused {
            return Err(Errno::PERM);
        }
        let from = self.inodes.get(inode)?.magic_path();
        let follow = AtFlags::SYMLINK_FOLLOW;
        rustix::fs::linkat(rustix::fs::CWD, from, &*parent.place(), name, follow)?;
        self.found(&parent, name)
    }

    pub(super) fn remove_file(&self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let parent = self.parent(parent)?;
        let inode = self.inodes.find(&parent, name)?;
        rustix::fs::unlinkat(&*parent.place(), name, AtFlags::empty())?;
        self.give_room_back(&inode);
        if self.faults.unlink == Holders::Stale && inode.status()?.st_nlink == 0 {
            inode.stale.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// After a name of the file is gone.
    fn give_room_back(&self, inode: &Inode) {
        if let Ok(status) = inode.status()
            && status.st_nlink == 0
        {
            self.server.used.give_back(status.st_size.cast_unsigned());
        }
    }

    pub(super) fn remove_directory(&self, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        rustix::fs::unlinkat(&*self.parent(parent)?.place(), name, AtFlags::REMOVEDIR)
    }

    pub(super) fn move_name(
        &self,
        from: (INodeNo, &OsStr),
        to: (INodeNo, &OsStr),
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (old_parent, new_parent) = (self.parent(from.0)?, self.parent(to.0)?);
        let replaced = self.inodes.find(&new_parent, to.1).ok();
        let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
        let (old_place, new_place) = (old_parent.place(), new_parent.place());
        rustix::fs::renameat_with(&*old_place, from.1, &*new_place, to.1, flags)?;
        if self.faults.listings == Listings::KnownNames {
            self.known_names.add(new_parent.number, to.1);
        }
        if let Some(replaced) = &replaced {
            self.give_room_back(replaced);
        }
        if let (Replacement::NewFile, Some(replaced)) = (self.faults.rename, replaced) {
            let new = self.inodes.find(&new_parent, to.1)?;
            if let Ok(file) = new.open() {
                self.handles.replace(INodeNo(replaced.number), &Arc::new(file));
            }
            replaced.become_another(&new);
        }
        Ok(())
    }
}
