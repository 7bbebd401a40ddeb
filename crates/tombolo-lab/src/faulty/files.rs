//! Files: opened, read, written, cut off, synced.

use super::filesystem::FaultyFilesystem;
use super::inodes::Inode;
use crate::faults::{Gone, Maps, Syncs, Unsynced};
use fuser::{FileHandle, INodeNo, OpenAccMode, OpenFlags, Request, WriteFlags};
use rustix::fs::{Mode, Timestamps};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

impl FaultyFilesystem {
    pub(super) fn open_file(&self, inode: INodeNo, flags: OpenFlags) -> io::Result<FileHandle> {
        let writes = flags.acc_mode() != OpenAccMode::O_RDONLY;
        if writes {
            self.may_write()?;
        }
        let found = self.inodes.get(inode)?;
        if let Gone::Refused(errno) = self.faults.gone
            && found.status()?.st_nlink == 0
        {
            return Err(errno.into());
        }
        Ok(self.handles.add_file(inode, found.open()?, writes))
    }

    pub(super) fn read_file(
        &self,
        inode: INodeNo,
        handle: FileHandle,
        offset: u64,
        size_bytes: u32,
    ) -> io::Result<Vec<u8>> {
        self.inodes.get(inode)?;
        let file = self.handles.file(handle)?;
        let mut bytes = vec![0; size_bytes as usize];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    pub(super) fn write_file(
        &self,
        request: &Request,
        (inode, handle): (INodeNo, FileHandle),
        offset: u64,
        data: &[u8],
        flags: WriteFlags,
    ) -> io::Result<()> {
        let inode = self.inodes.get(inode)?;
        let from_a_map = flags.contains(WriteFlags::FUSE_WRITE_CACHE);
        if from_a_map && self.faults.maps == Maps::WritesLost {
            return Ok(());
        }
        inode.hide_change(request.pid(), self.faults.sizes)?;
        let file = self.handles.file(handle)?;
        let end_bytes = offset.saturating_add(data.len() as u64);
        self.change(&inode, &file, end_bytes, || file.write_all_at(data, offset))
    }

    pub(super) fn set_attributes(
        &self,
        inode: &Inode,
        mode: Option<u32>,
        size_bytes: Option<u64>,
        times: Option<Timestamps>,
        author: u32,
    ) -> io::Result<()> {
        self.may_write()?;
        if let Some(mode) = mode {
            let mode = Mode::from_raw_mode(mode & 0o7777);
            rustix::fs::chmod(inode.magic_path(), mode)?;
        }
        if let Some(size_bytes) = size_bytes {
            inode.hide_change(author, self.faults.sizes)?;
            let file = inode.open()?;
            let before_bytes = file.metadata()?.len();
            self.change(inode, &file, size_bytes, || file.set_len(size_bytes))?;
            self.server.used.give_back(before_bytes.saturating_sub(size_bytes));
        }
        if let Some(times) = times {
            let follow = rustix::fs::AtFlags::empty();
            rustix::fs::utimensat(rustix::fs::CWD, inode.magic_path(), &times, follow)?;
        }
        Ok(())
    }

    /// Every change of contents goes through here: within the room that is left, and undone by a
    /// crash where crashes undo anything.
    fn change(
        &self,
        inode: &Inode,
        file: &File,
        end_bytes: u64,
        change: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        self.server.used.grow(self.faults.room, file, end_bytes, || match self.faults.unsynced {
            Unsynced::Kept => change(),
            Unsynced::Lost => self.server.memory.change(inode.number, file, change),
        })
    }

    pub(super) fn sync_file(&self, inode: INodeNo, handle: FileHandle) -> io::Result<()> {
        self.sync(self.faults.syncs, || {
            let inode = self.inodes.get(inode)?;
            let file = self.handles.file(handle)?;
            match self.faults.unsynced {
                Unsynced::Kept => file.sync_all(),
                Unsynced::Lost => self.server.memory.sync(inode.number, || file.sync_all()),
            }
        })
    }

    pub(super) fn sync_directory(&self, inode: INodeNo) -> io::Result<()> {
        self.sync(self.faults.directory_syncs, || {
            File::open(self.inodes.get(inode)?.magic_path())?.sync_all()
        })
    }

    fn sync(&self, how: Syncs, below: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match how {
            Syncs::Refused(errno) => return Err(errno.into()),
            Syncs::Ignored => return Ok(()),
            Syncs::Slow(time) => self.gate.dawdle(time),
            Syncs::Done => {}
        }
        below()
    }
}
