//! NFSv4.2: the kernel's server, and a hard mount.

use super::{End, Piece, Share};

pub(super) fn arrange(share: &Share) -> (Vec<Piece>, Vec<String>) {
    let Share { tag, mount_point, directory, server } = share;
    let exports = Piece {
        end: End::Server,
        title: "The export: sync, so that what is committed is on the server's disk".to_owned(),
        place: format!("/etc/exports.d/{tag}.exports"),
        file: "server-exports".to_owned(),
        text: format!("{directory} CLIENT(rw,sync,no_subtree_check)\n"),
        commands: vec!["exportfs -ra".to_owned()],
    };
    let fstab = Piece {
        end: End::Client,
        title: "The mount: hard, and with locks that the server keeps".to_owned(),
        place: "/etc/fstab".to_owned(),
        file: "client-fstab".to_owned(),
        text: format!(
            "{server}:{directory} {mount_point} nfs4 vers=4.2,hard,local_lock=none,_netdev 0 0\n"
        ),
        commands: vec![format!("umount {mount_point}"), format!("mount {mount_point}")],
    };
    let compose = Piece {
        end: End::Client,
        title: "In a container: a volume that the container tool mounts by itself".to_owned(),
        place: "compose.yaml".to_owned(),
        file: "client-compose.yaml".to_owned(),
        text: format!(
            "services:\n  app:\n    volumes:\n      - {tag}-nfs:/data\n\nvolumes:\n  {tag}-nfs:\n\
             \x20   driver: local\n    driver_opts:\n      type: nfs\n      o: \
             \"addr={server},vers=4.2,hard,rw\"\n      device: \":{directory}\"\n"
        ),
        commands: vec!["docker compose up --detach".to_owned()],
    };
    let notes = vec![
        "A program that runs as root writes as nobody (root_squash). no_root_squash in the export \
         cures that, and gives the client's root every file of the directory: exports(5)."
            .to_owned(),
        "A directory of ZFS, FUSE or an overlay needs fsid=NUMBER in the export: exports(5)."
            .to_owned(),
    ];
    (vec![exports, fstab, compose], notes)
}
