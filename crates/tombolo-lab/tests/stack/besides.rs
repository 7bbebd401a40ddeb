//! What the guest is offered besides the 9p share.

use crate::common::PATIENCE;
use std::path::{Path, PathBuf};
use std::process::Command;
use tombolo_lab::{GuestSpec, Lab, Namespace, QemuShare, Server, ServerSpec};

/// What there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Besides {
    Nothing,
    /// The same directory by virtiofs, and an empty disk with ext4.
    VirtiofsAndDisk,
}

impl Besides {
    /// Adds it to the specification of a guest; with the server that is to live as long.
    pub(crate) fn add(
        self,
        namespace: &Namespace,
        lab: &Lab,
        directory: &Path,
        spec: GuestSpec,
    ) -> (GuestSpec, Option<Server>) {
        if self == Besides::Nothing {
            return (spec, None);
        }
        let socket = lab.directory().join("virtiofs");
        let server = virtiofs_server(lab, directory, &socket, Kept::Pages);
        let mut spec = spec.share(QemuShare::vhost_user(&socket, "media-virtiofs"));
        let disk = disk_image(&namespace.directory("guest").expect("a directory"));
        let drive = format!("file={},format=raw,if=virtio", disk.display());
        spec.qemu_arguments.extend(["-drive".to_owned(), drive]);
        (spec, Some(server))
    }
}

/// What a guest may keep of files on virtiofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Pages until a change is seen: `cache=auto`.
    Pages,
    /// Nothing, so that it refuses shared maps: `never`, or `none` of the server written in C.
    Nothing,
}

/// A virtiofs server for `directory`: the one written in C up to Debian 12, else the one written in
/// Rust.
pub(crate) fn virtiofs_server(lab: &Lab, directory: &Path, socket: &Path, kept: Kept) -> Server {
    let (directory, listening) = (directory.display(), socket.display());
    let old = Path::new("/usr/lib/qemu/virtiofsd");
    let mut argv = vec![format!("--socket-path={listening}")];
    if old.is_file() {
        argv.insert(0, old.display().to_string());
        let cache = if kept == Kept::Pages { "auto" } else { "none" };
        let source = format!("source={directory},cache={cache},sandbox=chroot");
        argv.extend(["-o".to_owned(), source]);
    } else {
        let program = tombolo_lab::virtiofsd().expect("virtiofsd (`tombolo-lab doctor --install`)");
        argv.insert(0, program.display().to_string());
        let cache = if kept == Kept::Pages { "auto" } else { "never" };
        argv.extend([format!("--shared-dir={directory}"), format!("--cache={cache}")]);
    }
    let server = lab.server(&ServerSpec::new("virtiofsd", &argv)).expect("started");
    server.wait_for_socket(socket, false, PATIENCE).expect("it listens");
    server
}

/// An image of an empty ext4.
fn disk_image(directory: &Path) -> PathBuf {
    let path = directory.join("disk");
    let file = std::fs::File::create_new(&path).expect("made");
    file.set_len(64 << 20).expect("set");
    let made = Command::new("/sbin/mkfs.ext4").arg("-q").arg(&path).status();
    assert!(made.expect("mkfs.ext4 runs (package e2fsprogs)").success());
    path
}
