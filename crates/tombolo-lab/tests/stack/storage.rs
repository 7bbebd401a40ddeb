//! What the host's directory lies on.

use crate::common::PATIENCE;
use rustix::mount::MountFlags;
use std::path::{Path, PathBuf};
use std::process::Command;
use tombolo_lab::{Disk, Lab, Mounted, Namespace, Server, ServerSpec};

/// A file system of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// As in the report.
    Zfs,
    /// On a loop device: to see that it is not ZFS.
    Ext4,
}

/// A file system that is there; it goes when this is dropped.
#[derive(Debug)]
pub(crate) enum Stored {
    Zfs(Pool),
    Ext4(Mounted),
}

impl Storage {
    pub(crate) fn make(self, namespace: &Namespace, lab: &Lab) -> Stored {
        let stored = match self {
            Storage::Zfs => Stored::Zfs(Pool::new(namespace, lab)),
            Storage::Ext4 => Stored::Ext4(Mounted::disk(namespace, Disk::Ext4).expect("mounted")),
        };
        let kind = if self == Storage::Zfs { "fuse.zfs" } else { "ext4" };
        assert_eq!(filesystem(stored.path()), kind);
        stored
    }
}

impl Stored {
    fn path(&self) -> &Path {
        match self {
            Stored::Zfs(pool) => &pool.path,
            Stored::Ext4(mounted) => mounted.path(),
        }
    }

    /// A directory of it.
    pub(crate) fn directory(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir(&path).expect("made");
        path
    }
}

/// Where zfs-fuse listens for `zpool`, and what a second one would be refused for.
const SOCKET: &str = "/run/zfs/zfs_socket";

/// Sparse, so that only what is written takes room.
const SIZE_BYTES: u64 = 128 << 20;

/// A ZFS pool on a file, served by zfs-fuse: the same file system, without a module of the kernel.
/// It is gone with its server and the namespace.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    _server: Server,
}

impl Pool {
    fn new(namespace: &Namespace, lab: &Lab) -> Self {
        // A daemon and a pool of the machine are not to be met: theirs are behind this.
        let options = Some(c"mode=0755");
        rustix::mount::mount("tombolo-lab", "/run", "tmpfs", MountFlags::empty(), options)
            .expect("mounted");
        for directory in ["/run/lock", "/run/zfs"] {
            std::fs::create_dir(directory).expect("made");
        }
        let spec = ServerSpec::new("zfs-fuse", &["zfs-fuse", "--no-daemon", "--no-kstat-mount"]);
        let server = lab.server(&spec).expect("started");
        server.wait_for_socket(Path::new(SOCKET), false, PATIENCE).expect("it listens");
        let file = namespace.directory("disk").expect("a directory").join("zfs");
        let disk = std::fs::File::create_new(&file).expect("made");
        disk.set_len(SIZE_BYTES).expect("set");
        let path = namespace.directory("pool").expect("a directory");
        let mut create = Command::new("zpool");
        create.args(["create", "-o", "cachefile=none", "-m"]).arg(&path).arg("lab").arg(&file);
        let output = create.output().expect("zpool runs (package zfs-fuse)");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}; {}", server.log_tail());
        Pool { path, _server: server }
    }
}

/// The type of the file system that is mounted there.
fn filesystem(path: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/thread-self/mounts").expect("readable");
    let path = path.to_str().expect("UTF-8");
    let mut lines = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let found = lines.rfind(|fields| fields.get(1) == Some(&path));
    found.and_then(|fields| Some((*fields.get(2)?).to_owned())).unwrap_or_default()
}
