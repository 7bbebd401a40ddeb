//! SMB 3: a share of Samba with oplocks, and a mount that sends its locks.

use super::{End, Piece, Share, compose_directory};

pub(super) fn arrange(share: &Share) -> (Vec<Piece>, Vec<String>) {
    let Share { tag, mount_point, directory, server } = share;
    let samba = Piece {
        end: End::Server,
        title: "The share: with oplocks and leases, by which clients learn of each other"
            .to_owned(),
        place: "/etc/samba/smb.conf".to_owned(),
        file: "server-smb.conf".to_owned(),
        text: format!(
            "[{tag}]\n    path = {directory}\n    read only = no\n    oplocks = yes\n    \
             level2 oplocks = yes\n    strict locking = yes\n    posix locking = yes\n    \
             strict sync = yes\n    # Of the whole server, in [global], as by default:\n    # \
             smb2 leases = yes\n"
        ),
        commands: vec!["testparm -s".to_owned(), "smbcontrol all reload-config".to_owned()],
    };
    let fstab = Piece {
        end: End::Client,
        title: "The mount: without nobrl, so that locks reach the server".to_owned(),
        place: "/etc/fstab".to_owned(),
        file: "client-fstab".to_owned(),
        text: format!(
            "//{server}/{tag} {mount_point} cifs \
             vers=3.1.1,cache=strict,credentials=/etc/samba/{tag}.credentials,_netdev 0 0\n"
        ),
        commands: vec![
            format!("install --mode=0600 /dev/null /etc/samba/{tag}.credentials"),
            format!("editor /etc/samba/{tag}.credentials    # username=... and password=..."),
            format!("umount {mount_point}"),
            format!("mount {mount_point}"),
        ],
    };
    let notes = vec![
        "SMB is no cure for SQLite: look at what it makes worse before you choose it. What works \
         is one process with vfs=unix-excl."
            .to_owned(),
        "oplocks stay on: without them two programs of one kernel lost commits in WAL mode, in \
         each of two runs of the lab (docs/matrix.md)."
            .to_owned(),
    ];
    (vec![samba, fstab, compose_directory(share)], notes)
}
