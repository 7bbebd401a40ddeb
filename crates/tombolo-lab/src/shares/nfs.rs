//! NFS by the kernel's server in a guest of its own, for other guests.

use super::{Held, Offer, PATIENCE, Rig, Site, mount_all, require};
use crate::error::LabError;
use crate::guest::Guest;
use crate::side::Side;
use serde::Deserialize;
use std::fs::File;
use std::path::Path;

/// The root of the pseudo file system of version 4 (`fsid=0`, exports(5)): the guest's own root is
/// an overlay, which cannot be exported.
const EXPORT: &str = "/export";

/// The disk that is exported. A file with a hole takes no room on the host.
const DISK_BYTES: u64 = 256 << 20;

/// After its start a server lets nobody lock for a while (nfsd(7), rpc.nfsd(8); lockd's parameters
/// in Documentation/admin-guide/kernel-parameters.txt). Nobody here has locks from before.
const SERVE: &str = "
set -e
modprobe -a virtio_blk ext4
modprobe lockd nlm_timeout=3 nlm_grace_period=3
modprobe nfsd
mkfs.ext4 -q /dev/vda
mkdir -p /export
mount /dev/vda /export
chmod 777 /export
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind
rpc.statd
exportfs -o rw,no_root_squash,no_subtree_check,insecure,fsid=0 '*:/export'
rpc.nfsd --grace-time 10 --lease-time 10 4
rpc.mountd
echo Y > /proc/fs/nfsd/v4_end_grace
";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nfs {
    /// The client's `vers=` (nfs(5)).
    version: String,
    /// Further options of the mount.
    #[serde(default)]
    options: Vec<String>,
}

impl Offer for Nfs {
    fn bring_up(&self, site: &Site<'_>) -> Result<Rig, LabError> {
        require("exportfs", "install nfs-kernel-server")?;
        require("mount.nfs", "install nfs-common")?;
        require("rpcbind", "install rpcbind")?;
        let disk = site.lab.directory().join("disk");
        let file = File::create_new(&disk).map_err(LabError::call("open", &disk))?;
        file.set_len(DISK_BYTES).map_err(LabError::call("ftruncate", &disk))?;
        let mut specs = vec![site.spec("server")];
        let drive = format!("file={},format=raw,if=virtio", disk.display());
        specs[0].qemu_arguments.extend(["-drive".to_owned(), drive]);
        specs.extend(["a", "b"].iter().take(usize::from(site.guests)).map(|name| site.spec(name)));
        let guests = site.lab.guests(specs)?;
        let Some((server, clients)) = guests.split_first() else {
            return Err(LabError::Request("a rig without guests".to_owned()));
        };
        script(server, SERVE)?;
        let mut options = format!("vers={},proto=tcp", self.version);
        for option in &self.options {
            options.push(',');
            options.push_str(option);
        }
        if self.version.starts_with('3') {
            for client in clients {
                script(client, "rpcbind && rpc.statd")?;
            }
        }
        let path = if self.version.starts_with('4') { "/" } else { EXPORT };
        let mount = format!("mount -t nfs -o {options} {}:{path}", server.address());
        let (clients, mounted) = mount_all(clients, &mount)?;
        let server = Side::guest("server", server, Path::new(EXPORT));
        Ok(Rig { server, clients, mounted, held: Held::default() })
    }
}

fn script(guest: &Guest, text: &str) -> Result<(), LabError> {
    guest.command(&["sh", "-c", text]).timeout(PATIENCE).run()?.require_success().map(drop)
}
