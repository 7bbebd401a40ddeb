//! A directory shown through FUSE, call by call, with the faults of the mount.

use super::caches::ToKernel;
use super::gate::Gate;
use super::handles::Handles;
use super::inodes::{Inode, Inodes};
use super::known_names::KnownNames;
use super::locks::Asked;
use super::server::{Maker, Server};
use crate::faults::{Faults, Listings, Operation};
use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig,
    LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyLock, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) struct FaultyFilesystem {
    pub(super) faults: Faults,
    pub(super) gate: Arc<Gate>,
    pub(super) server: Arc<Server>,
    /// The number by which the server knows this mount.
    pub(super) client: u32,
    pub(super) kernel: Arc<ToKernel>,
    pub(super) inodes: Arc<Inodes>,
    pub(super) known_names: KnownNames,
    pub(super) handles: Handles,
}

impl FaultyFilesystem {
    /// How long the kernel believes the names and attributes that it is told.
    fn kept(&self) -> Duration {
        self.faults.attributes.time()
    }

    fn reply_entry(
        &self,
        found: Result<Arc<Inode>, rustix::io::Errno>,
        viewer: u32,
        reply: ReplyEntry,
    ) {
        match found.and_then(|inode| self.given(inode, viewer)) {
            Ok(attributes) => reply.entry(&self.kept(), &attributes, Generation(0)),
            Err(errno) => reply.error(translate(errno)),
        }
    }
}

impl Filesystem for FaultyFilesystem {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        config.add_capabilities(self.capabilities()).map_err(|missing| {
            io::Error::new(io::ErrorKind::Unsupported, format!("this kernel has no {missing:?}"))
        })
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let Some(reply) = self.gate.pass(Operation::Names, reply) else { return };
        match self.find(parent, name, request.pid()) {
            Ok(attributes) => reply.entry(&self.kept(), &attributes, Generation(0)),
            Err(rustix::io::Errno::NOENT) => self.reply_missing(reply),
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        self.inodes.forget(ino, lookups);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let Some(reply) = self.gate.pass(Operation::Attributes, reply) else { return };
        match self.inodes.get(ino).and_then(|inode| inode.attributes(request.pid())) {
            Ok(attributes) => reply.attr(&self.kept(), &attributes),
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
            Ok(attributes) => reply.attr(&self.kept(), &attributes),
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
        let created = self.create_file(parent, name, mode, flags, request.pid());
        match created.and_then(|(file, inode)| Ok((file, self.given(inode, request.pid())?))) {
            Ok((file, attributes)) => {
                let flags = self.open_flags(attributes.ino);
                let handle = self.handles.add_file(attributes.ino, file, true);
                reply.created(&self.kept(), &attributes, Generation(0), handle, flags);
            }
            Err(errno) => reply.error(translate(errno)),
        }
    }

    fn open(&self, _request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        let how = self.open_flags(ino);
        match self.open_file(ino, flags) {
            Ok(handle) => reply.opened(handle, how),
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
                self.server.locks(inode.number, |locks| locks.drop_owner(self.of(owner.0)));
                let closer = Maker { client: self.client, process: request.pid() };
                self.server.close_file(inode.number, closer);
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
        let closed = self.handles.close(handle);
        // The kernel may have forgotten the inode by now: it waits for neither of the two calls.
        self.server.locks(ino.0, |locks| locks.drop_handle(self.of(handle.0)));
        if !self.handles.is_written(ino) {
            self.server.leave_file(ino.0, self.client);
        }
        drop(closed);
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
        match self.sync_file(ino, handle) {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }

    fn opendir(&self, _request: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        let Some(reply) = self.gate.pass(Operation::Data, reply) else { return };
        let opened = self.inodes.get(ino).map_err(io::Error::from).and_then(|inode| {
            let directory = std::fs::File::open(inode.magic_path())?;
            let is_shown = |name: &OsStr| match self.faults.listings {
                Listings::All => true,
                Listings::KnownNames => self.known_names.has(inode.number, name),
            };
            Ok(self.handles.add_directory(&directory, is_shown)?)
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
        match self.sync_directory(ino) {
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
        let (owner, handle) = (self.of(owner.0), self.of(handle.0));
        let asked = Asked { owner, handle, pid, first, last, kind };
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
        let (owner, handle) = (self.of(owner.0), self.of(handle.0));
        let asked = Asked { owner, handle, pid, first, last, kind };
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
