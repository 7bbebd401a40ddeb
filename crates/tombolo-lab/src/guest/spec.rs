//! What a guest is to be like.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A guest to boot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GuestSpec {
    /// Its host name: lower-case letters, digits and hyphens, unique in the lab.
    pub name: String,
    /// How the kernel's release begins, as in `6.1.`; the newest that fits is taken. Empty for the
    /// newest of all.
    pub kernel: String,
    /// Its memory, in MiB.
    pub memory_mib: u32,
    /// Its processors.
    pub processors: u32,
    /// The host's directories that it can mount.
    pub shares: Vec<QemuShare>,
    /// Further arguments of the kernel.
    pub kernel_arguments: Vec<String>,
    /// Further arguments of QEMU.
    pub qemu_arguments: Vec<String>,
    /// How long it may take until it answers.
    pub boot_timeout: Duration,
}

impl GuestSpec {
    /// A guest with 320 MiB and one processor, without shares, on the newest kernel.
    #[must_use]
    pub fn new(name: &str) -> Self {
        GuestSpec {
            name: name.to_owned(),
            kernel: String::new(),
            memory_mib: 320,
            processors: 1,
            shares: Vec::new(),
            kernel_arguments: Vec::new(),
            qemu_arguments: Vec::new(),
            boot_timeout: Duration::from_secs(180),
        }
    }

    /// The same with one share more.
    #[must_use]
    pub fn share(mut self, share: QemuShare) -> Self {
        self.shares.push(share);
        self
    }

    /// The same on a kernel whose release begins so.
    #[must_use]
    pub fn kernel(mut self, release: &str) -> Self {
        release.clone_into(&mut self.kernel);
        self
    }
}

/// A directory of the host that QEMU offers to a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QemuShare {
    /// QEMU's own 9p server (`-virtfs local`).
    Virtfs {
        /// The directory.
        path: PathBuf,
        /// What the guest calls it: `mount -t 9p TAG`.
        tag: String,
        /// As whom files are made.
        security_model: SecurityModel,
        /// Whether nothing can be written through it.
        readonly: bool,
        /// Further options, as in `fmode=0666`; `multidevs=remap` is always there.
        options: Vec<String>,
    },
    /// A virtiofs server of another process (`vhost-user-fs`), which must listen already.
    VhostUser {
        /// The server's socket.
        socket: PathBuf,
        /// What the guest calls it: `mount -t virtiofs TAG`.
        tag: String,
    },
}

impl QemuShare {
    /// A writable 9p share with the security model `none`, which needs no root.
    #[must_use]
    pub fn virtfs(path: &Path, tag: &str) -> Self {
        QemuShare::Virtfs {
            path: path.to_owned(),
            tag: tag.to_owned(),
            security_model: SecurityModel::None,
            readonly: false,
            options: Vec::new(),
        }
    }

    /// The same with another security model; other kinds of share stay as they are.
    #[must_use]
    pub fn security_model(mut self, model: SecurityModel) -> Self {
        if let QemuShare::Virtfs { security_model, .. } = &mut self {
            *security_model = model;
        }
        self
    }

    /// A virtiofs share whose server listens at `socket`.
    #[must_use]
    pub fn vhost_user(socket: &Path, tag: &str) -> Self {
        QemuShare::VhostUser { socket: socket.to_owned(), tag: tag.to_owned() }
    }
}

/// As whom QEMU's 9p server makes files (`qemu(1)`, `-fsdev local`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityModel {
    /// As the user of the guest; QEMU must run as root.
    Passthrough,
    /// As QEMU's user, with the guest's owner and mode in extended attributes.
    MappedXattr,
    /// As QEMU's user, with the guest's owner and mode in hidden files.
    MappedFile,
    /// As QEMU's user; a failed change of owner is ignored.
    None,
}

impl SecurityModel {
    /// QEMU's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SecurityModel::Passthrough => "passthrough",
            SecurityModel::MappedXattr => "mapped-xattr",
            SecurityModel::MappedFile => "mapped-file",
            SecurityModel::None => "none",
        }
    }
}
