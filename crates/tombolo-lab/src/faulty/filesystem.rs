//! A directory shown through FUSE, call by call, with the faults of the mount.
//!
//! Attributes and names are never cached by the kernel, so that a server that is gone is felt by
//! the first call.

use super::gate::Gate;
use super::handles::Handles;
use super::inodes::{Inode, Inodes};
use super::locks::Asked;
use crate::faults::{Faults, Locks, Maps, Operation, Syncs};
use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenAccMode, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyLock, ReplyOpen, ReplyStatfs,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{Mode, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The kernel keeps nothing.
const NEVER: Duration = Duration::ZERO;

pub(super) struct FaultyFilesystem {
    pub(super) faults: Faults,
    pub(super) gate: Arc<Gate>,
    pub(super) inodes: Inodes,
    pub(super) handles: Handles,
}

impl FaultyFilesystem {
    pub(super) fn new(directory: OwnedFd, faults: Faults, gate: Arc<Gate>) -> Self {
        let (inodes, handles) = (Inodes::new(directory), Handles::default());
        FaultyFilesystem { faults, gate, inodes, handles }
    }

    fn open_flags(&self) -> FopenFlags {
        match self.faults.maps {
            Maps::Cached => FopenFlags::empty(),
            Maps::Refused | Maps::Direct | Maps::WritesLost => FopenFlags::FOPEN_DIRECT_IO,
        }
    }

    fn sync(&self, how: Syncs, below: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match how {
            Syncs::Refused(errno) => return Err(errno.into()),
            Syncs::Slow(time) => self.gate.dawdle(time),
            Syncs::Done => {}
        }
        below()
    }

    fn open_file(&self, inode: INodeNo, flags: OpenFlags) -> io::Result<FileHandle> {
        if flags.acc_mode() != OpenAccMode::O_RDONLY {
            self.may_write()?;
        }
        Ok(self.handles.add_file(inode, self.inodes.get(inode)?.open()?))
    }

    fn read_file(
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

    fn write_file(
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
        self.handles.file(handle)?.write_all_at(data, offset)
    }

    fn set_attributes(
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
            inode.open()?.set_len(size_bytes)?;
        }
        if let Some(times) = times {
            let follow = rustix::fs::AtFlags::empty();
            rustix::fs::utimensat(rustix::fs::CWD, inode.magic_path(), &times, follow)?;
        }
        Ok(())
    }

    fn reply_entry(
        &self,
        found: Result<Arc<Inode>, rustix::io::Errno>,
        viewer: u32,
        reply: ReplyEntry,
    ) {
        match found.and_then(|inode| inode.attributes(viewer)) {
            Ok(attributes) => reply.entry(&NEVER, &attributes, Generation(0)),
            Err(errno) => reply.error(translate(errno)),
        }
    }
}

impl Filesystem for FaultyFilesystem {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
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
        config.add_capabilities(wanted).map_err(|missing| {
            io::Error::new(io::ErrorKind::Unsupported, format!("this kernel has no {missing:?}"))
        })
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        match self.find(parent, name, request.pid()) {
            Ok(attributes) => reply.entry(&NEVER, &attributes, Generation(0)),
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let Some(reply) = self.gate.pass(Operation::Attributes, reply) else { return };
        match self.inodes.get(ino).and_then(|inode| inode.attributes(request.pid())) {
            Ok(attributes) => reply.attr(&NEVER, &attributes),
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size_bytes: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let Some(reply) = self.gate.pass(Operation::Attributes, reply) else { return };
        let times = (accessed.is_some() || modified.is_some()).then(|| Timestamps {
            last_access: timespec(accessed),
            last_modification: timespec(modified),
        });
        let changed = self.inodes.get(ino).map_err(io::Error::from).and_then(|inode| {
            self.set_attributes(&inode, mode, size_bytes, times, request.pid())?;
            Ok(inode.attributes(request.pid())?)
        });
        match changed {
            Ok(attributes) => reply.attr(&NEVER, &attributes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        let inode = self.inodes.get(ino);
        match inode.and_then(|inode| rustix::fs::readlinkat(&*inode.place(), "", Vec::new())) {
            Ok(target) => reply.data(target.as_bytes()),
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn mkdir(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        self.reply_entry(self.make_directory(parent, name, mode), request.pid(), reply);
    }

    fn symlink(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        self.reply_entry(self.make_link_to(parent, name, target), request.pid(), reply);
    }

    fn link(
        &self,
        request: &Request,
        ino: INodeNo,
        parent: INodeNo,
        name: &OsStr,
        reply: ReplyEntry,
    ) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        self.reply_entry(self.make_hard_link(ino, parent, name), request.pid(), reply);
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        end(reply, self.remove_file(parent, name));
    }

    fn rmdir(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        end(reply, self.remove_directory(parent, name));
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        end(reply, self.move_name((parent, name), (new_parent, new_name), flags));
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        let created = self.create_file(parent, name, mode, flags);
        match created.and_then(|(file, inode)| Ok((file, inode.attributes(request.pid())?))) {
            Ok((file, attributes)) => {
                let handle = self.handles.add_file(attributes.ino, file);
                reply.created(&NEVER, &attributes, Generation(0), handle, self.open_flags());
            }
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn open(&self, _request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        match self.open_file(ino, flags) {
            Ok(handle) => reply.opened(handle, self.open_flags()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn read(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        size_bytes: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        match self.read_file(ino, handle, offset, size_bytes) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        match self.write_file(request, (ino, handle), offset, data, write_flags) {
            Ok(()) => reply.written(u32::try_from(data.len()).unwrap_or(u32::MAX)),
            Err(error) => reply.error(error.into()),
        }
    }

    fn flush(
        &self,
        request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        end(
            reply,
            self.inodes.get(ino).map(|inode| {
                inode.show_changes(request.pid());
                inode.locks().drop_owner(owner.0);
            }),
        );
    }

    fn release(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        if let Ok(inode) = self.inodes.get(ino) {
            inode.locks().drop_handle(handle.0);
        }
        self.handles.close(handle);
        reply.ok();
    }

    fn fsync(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        let Some(reply) = self.gate.pass(Operation::Syncs, reply) else { return };
        let below = || {
            self.inodes.get(ino)?;
            self.handles.file(handle)?.sync_all()
        };
        match self.sync(self.faults.syncs, below) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }

    fn opendir(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        let opened = self.inodes.get(ino).map_err(io::Error::from).and_then(|inode| {
            let directory = std::fs::File::open(inode.magic_path())?;
            Ok(self.handles.add_directory(&directory)?)
        });
        match opened {
            Ok(handle) => reply.opened(handle, FopenFlags::empty()),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        offset: u64,
        reply: ReplyDirectory,
    ) {
        let Some(mut reply) = self.gate.pass(Operation::Data, reply) else { return };
        let entries = match self.handles.directory(handle) {
            Ok(entries) => entries,
            Err(errno) => return reply.error(translate(errno)),
        };
        for (entry, next) in entries.iter().zip(1_u64..).skip(offset as usize) {
            if reply.add(INodeNo(entry.number), next, entry.kind, &entry.name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _request: &Request,
        _ino: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.handles.close(handle);
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        ino: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        let Some(reply) = self.gate.pass(Operation::Syncs, reply) else { return };
        let below = || std::fs::File::open(self.inodes.get(ino)?.magic_path())?.sync_all();
        match self.sync(self.faults.directory_syncs, below) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }

    fn statfs(&self, _request: &Request, ino: INodeNo, reply: ReplyStatfs) {
        let Some(reply) = self.gate.pass(Operation::Space, reply) else { return };
        let of = |inode: Arc<Inode>| rustix::fs::fstatfs(&*inode.place());
        match self.inodes.get(ino).and_then(of) {
            Ok(space) => reply.statfs(
                space.f_blocks,
                space.f_bfree,
                space.f_bavail,
                space.f_files,
                space.f_ffree,
                u32::try_from(space.f_bsize).unwrap_or(4096),
                255,
                u32::try_from(space.f_frsize).unwrap_or(4096),
            ),
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn getlk(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        owner: LockOwner,
        first: u64,
        last: u64,
        kind: i32,
        pid: u32,
        reply: ReplyLock,
    ) {
        let Some(reply) = self.gate.pass(Operation::Locks, reply) else { return };
        let asked = Asked { owner: owner.0, handle: handle.0, pid, first, last, kind };
        match self.query_lock(ino, &asked) {
            Ok((first, last, kind, pid)) => reply.locked(first, last, kind, pid),
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn setlk(
        &self,
        _request: &Request,
        ino: INodeNo,
        handle: FileHandle,
        owner: LockOwner,
        first: u64,
        last: u64,
        kind: i32,
        pid: u32,
        _sleep: bool,
        reply: ReplyEmpty,
    ) {
        let Some(reply) = self.gate.pass(Operation::Locks, reply) else { return };
        let asked = Asked { owner: owner.0, handle: handle.0, pid, first, last, kind };
        end(reply, self.set_lock(ino, &asked));
    }
}

fn end(reply: ReplyEmpty, result: Result<(), rustix::io::Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(translate(errno)),
    }
}

fn translate(errno: rustix::io::Errno) -> Errno {
    Errno::from_i32(errno.raw_os_error())
}

fn timespec(time: Option<TimeOrNow>) -> Timespec {
    let special = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    match time {
        None => special(UTIME_OMIT),
        Some(TimeOrNow::Now) => special(UTIME_NOW),
        Some(TimeOrNow::SpecificTime(time)) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            Timespec {
                tv_sec: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(since.subsec_nanos()),
            }
        }
    }
}
