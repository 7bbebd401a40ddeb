//! A FUSE mount with faults on command.

mod caches;
mod files;
mod filesystem;
mod gate;
mod handles;
mod inodes;
mod known_names;
mod lock_table;
mod locks;
mod names;
mod room;
mod server;
mod two;
mod unsynced;

pub use two::TwoMounts;

use crate::error::LabError;
use crate::faults::{Faults, Operation, Writes};
use crate::namespace::Namespace;
use caches::ToKernel;
use filesystem::FaultyFilesystem;
use fuser::{BackgroundSession, Config, Session, SessionACL};
use gate::Gate;
use handles::Handles;
use inodes::Inodes;
use known_names::KnownNames;
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use server::Server;
use std::ffi::CString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Enough that a slow `fsync`, or locks that wait until the kernel has written its pages back, do
/// not hold up the others.
const SERVER_THREADS: usize = 6;

/// A directory as it looks through a file system with faults. Unmounted when dropped, whoever
/// uses it, and whatever hangs in it.
#[derive(Debug)]
pub struct FaultyMount {
    path: PathBuf,
    behind: PathBuf,
    gate: Arc<Gate>,
    server: Arc<Server>,
    /// The number by which the server knows this mount.
    client: u32,
    inodes: Arc<Inodes>,
    session: Option<BackgroundSession>,
}

impl FaultyMount {
    /// Mounts a fresh directory, of type `fuse` as the mount table has it.
    ///
    /// # Errors
    /// When `/dev/fuse` is missing, or the mount is refused.
    pub fn new(namespace: &Namespace, faults: Faults) -> Result<Self, LabError> {
        Self::called(namespace, "fuse", faults)
    }

    /// Mounts a fresh directory that the mount table has as of type `filesystem`: `fuse`, or with
    /// the name of a server, such as `fuse.sshfs`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn called(
        namespace: &Namespace,
        filesystem: &str,
        faults: Faults,
    ) -> Result<Self, LabError> {
        let (behind, server) = (namespace.directory("behind")?, Arc::default());
        Self::mount(namespace.directory("faulty")?, behind, filesystem, faults, server)
    }

    /// Mounts `behind`, by a server of its own: whatever else is mounted over it, no lock crosses.
    /// Two mounts of one server are [`TwoMounts`].
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn over(namespace: &Namespace, behind: PathBuf, faults: Faults) -> Result<Self, LabError> {
        Self::mount(namespace.directory("faulty")?, behind, "fuse", faults, Arc::default())
    }

    fn mount(
        path: PathBuf,
        behind: PathBuf,
        filesystem: &str,
        faults: Faults,
        server: Arc<Server>,
    ) -> Result<Self, LabError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&behind, flags, Mode::empty())
            .map_err(LabError::call("open", &behind))?;
        let device = open_device()?;
        mount(&path, filesystem, &device, faults.writes)?;
        // From here on the drop unmounts.
        let gate = Arc::new(Gate::new(faults.delays));
        let client = server.join();
        let inodes = Arc::new(Inodes::new(directory));
        let mut mount = FaultyMount {
            path,
            behind,
            gate: gate.clone(),
            server: server.clone(),
            client,
            inodes: inodes.clone(),
            session: None,
        };
        let kernel = Arc::new(ToKernel::new());
        let filesystem = FaultyFilesystem {
            faults,
            gate,
            server,
            client,
            kernel: kernel.clone(),
            inodes,
            known_names: KnownNames::default(),
            handles: Handles::default(),
        };
        let mut config = Config::default();
        config.n_threads = Some(SERVER_THREADS);
        let session = Session::from_fd(filesystem, device, SessionACL::All, config)
            .and_then(Session::spawn)
            .map_err(LabError::call("FUSE_INIT", &mount.path))?;
        let _first_and_only = kernel.set(session.notifier());
        mount.session = Some(session);
        Ok(mount)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory behind it, which has no faults.
    #[must_use]
    pub fn behind(&self) -> &Path {
        &self.behind
    }

    /// From now on these calls never return, and their callers cannot be killed.
    pub fn hang(&self, operations: &[Operation]) {
        self.gate.hang(operations);
    }

    /// From now on everything is answered; what hung ends in EIO.
    pub fn answer(&self) {
        self.gate.answer();
    }

    /// The server ends, and what it showed stays mounted: every call gets ENOTCONN, "transport
    /// endpoint is not connected", as after the crash of an sshfs or a cloud drive.
    ///
    /// # Errors
    /// What `open` or `umount` said.
    pub fn lose_the_server(&self) -> Result<(), LabError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let _busy = rustix::fs::open(&self.path, flags, Mode::empty())
            .map_err(LabError::call("open", &self.path))?;
        // A forced unmount breaks the connection first, and then fails because of the open file.
        match rustix::mount::unmount(&self.path, UnmountFlags::FORCE) {
            Err(rustix::io::Errno::BUSY) => Ok(()),
            other => other.map_err(LabError::call("umount", &self.path)),
        }
    }

    /// The server crashes, and its clients with it: the mount goes, whoever uses it. With
    /// [`Unsynced::Lost`](crate::Unsynced::Lost) each file has the contents that were last synced.
    /// Answers the directory that was behind it.
    ///
    /// # Errors
    /// When a file could not be put back.
    pub fn crash(self) -> Result<PathBuf, LabError> {
        let (behind, server) = (self.behind.clone(), self.server.clone());
        drop(self);
        server.memory.crash().map_err(LabError::call("write", &behind))?;
        Ok(behind)
    }

    /// How many files and directories the kernel of this mount remembers. The server holds a
    /// descriptor of each until it is told that it is forgotten, as virtiofsd does for its guest.
    #[must_use]
    pub fn inodes(&self) -> usize {
        self.inodes.count()
    }

    /// Waits until it remembers at most so many: it tells the server a little later. Answers
    /// whether that came in time.
    #[must_use]
    pub fn remembers_few(&self, few: usize, in_time: Duration) -> bool {
        self.inodes.wait_for_few(few, in_time)
    }

    /// How many it remembered at most.
    #[must_use]
    pub fn inodes_peak(&self) -> usize {
        self.inodes.peak()
    }

    /// How many calls hang.
    #[must_use]
    pub fn hanging(&self) -> usize {
        self.gate.kept()
    }

    /// Waits until a call hangs; answers whether one does.
    #[must_use]
    pub fn wait_until_one_hangs(&self, at_most: Duration) -> bool {
        self.gate.wait_for_one(at_most)
    }
}

impl Drop for FaultyMount {
    fn drop(&mut self) {
        // Forced, which ends every call that still waits (`fuse_umount_begin`, `fs/fuse/inode.c`).
        let _ = rustix::mount::unmount(&self.path, UnmountFlags::FORCE | UnmountFlags::DETACH);
        self.gate.close();
        if let Some(session) = self.session.take() {
            let _ = session.join();
        }
        self.server.leave(self.client);
    }
}

fn open_device() -> Result<OwnedFd, LabError> {
    let path = Path::new("/dev/fuse");
    match File::options().read(true).write(true).open(path) {
        Ok(device) => Ok(device.into()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => {
            let how = "load the module fuse, or give the container the device";
            Err(LabError::Missing { what: "/dev/fuse".to_owned(), how })
        }
        Err(error) => Err(LabError::call("open", path)(error)),
    }
}

fn mount(path: &Path, filesystem: &str, device: &OwnedFd, writes: Writes) -> Result<(), LabError> {
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other",
        device.as_raw_fd()
    );
    let options = CString::new(options).unwrap_or_default();
    let mut flags = MountFlags::NOSUID | MountFlags::NODEV;
    if writes == Writes::RefusedByMount {
        flags |= MountFlags::RDONLY;
    }
    rustix::mount::mount("tombolo-lab", path, filesystem, flags, &*options)
        .map_err(LabError::call("mount -t fuse", path))
}
