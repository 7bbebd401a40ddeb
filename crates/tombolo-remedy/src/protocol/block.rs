//! A disk of the virtual machine's own for the database; the share stays for what else is on it.

use super::{End, Piece, Share, compose_directory};

/// The label of an ext4 has 16 bytes at most (mke2fs(8)), the serial of a virtio disk 20.
const LABEL_BYTES_MAX: usize = 16;

pub(super) fn arrange(share: &Share) -> (Vec<Piece>, Vec<String>) {
    let label: String = share.tag.chars().take(LABEL_BYTES_MAX).collect();
    let beside = Share {
        tag: label.clone(),
        mount_point: format!("{}-db", share.mount_point.trim_end_matches('/')),
        directory: format!("/var/lib/libvirt/images/{label}.raw"),
        server: share.server.clone(),
    };
    let notes = vec![
        "One of the three ways at the server: QEMU by hand, libvirt or Proxmox VE. A ZFS volume or \
         a logical volume does as well as a file: name its device in place of the image."
            .to_owned(),
        "Never attach the disk to two running machines, and never mount it on the host meanwhile: \
         the file system itself would be destroyed."
            .to_owned(),
        format!(
            "Then bring the database over: tombolo fix PATH move --to {} --apply",
            beside.mount_point
        ),
    ];
    let pieces = vec![
        qemu(&beside),
        libvirt(&beside),
        proxmox(&label),
        fstab(&beside),
        compose_directory(&beside),
    ];
    (pieces, notes)
}

fn qemu(share: &Share) -> Piece {
    let Share { tag, directory, .. } = share;
    Piece {
        end: End::Server,
        title: "QEMU by hand: the disk".to_owned(),
        place: "the command line of QEMU".to_owned(),
        file: "server-qemu-arguments".to_owned(),
        text: format!(
            "-drive file={directory},format=raw,if=none,id=disk-{tag} \\\n\
             -device virtio-blk-pci,drive=disk-{tag},serial={tag}\n"
        ),
        commands: vec![format!("qemu-img create -f raw {directory} GIBG")],
    }
}

fn libvirt(share: &Share) -> Piece {
    let Share { tag, directory, .. } = share;
    Piece {
        end: End::Server,
        title: "libvirt: the disk".to_owned(),
        place: "virsh edit VM: below <devices>".to_owned(),
        file: "server-libvirt.xml".to_owned(),
        text: format!(
            "<disk type='file' device='disk'>\n  <driver name='qemu' type='raw'/>\n  \
             <source file='{directory}'/>\n  <target dev='vdz' bus='virtio'/>\n  \
             <serial>{tag}</serial>\n</disk>\n"
        ),
        commands: vec![format!("qemu-img create -f raw {directory} GIBG")],
    }
}

fn proxmox(label: &str) -> Piece {
    Piece {
        end: End::Server,
        title: "Proxmox VE: the disk, made by the command".to_owned(),
        place: "a shell of the Proxmox node".to_owned(),
        file: "server-proxmox.sh".to_owned(),
        text: format!("qm set VMID --virtio15 local-lvm:GIB,serial={label}\n"),
        commands: Vec::new(),
    }
}

fn fstab(share: &Share) -> Piece {
    let Share { tag, mount_point, .. } = share;
    Piece {
        end: End::Client,
        title: "The file system, once, and its mount".to_owned(),
        place: "/etc/fstab".to_owned(),
        file: "client-fstab".to_owned(),
        text: format!("LABEL={tag} {mount_point} ext4 defaults,nofail 0 2\n"),
        commands: vec![
            format!("mkfs.ext4 -L {tag} /dev/disk/by-id/virtio-{tag}"),
            format!("mkdir -p {mount_point}"),
            format!("mount {mount_point}"),
        ],
    }
}
