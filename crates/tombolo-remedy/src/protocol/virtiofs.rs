//! virtiofs: virtiofsd on the host, and a device of the virtual machine that shares its memory.

use super::{End, Piece, Share, compose_directory};

pub(super) fn arrange(share: &Share) -> (Vec<Piece>, Vec<String>) {
    let notes = vec![
        "One of the three ways at the server: QEMU by hand, libvirt or Proxmox VE. The device of \
         9p with the same tag is taken out."
            .to_owned(),
        "--cache=auto (the default) is what makes shared maps work; with never and metadata WAL \
         mode fails as before."
            .to_owned(),
    ];
    let pieces = vec![
        unit(share),
        device(share),
        domain(share),
        proxmox(share),
        fstab(share),
        compose_directory(share),
    ];
    (pieces, notes)
}

fn unit(share: &Share) -> Piece {
    let Share { tag, directory, .. } = share;
    let name = format!("virtiofsd-{tag}.service");
    Piece {
        end: End::Server,
        title: "QEMU by hand: the server of the share, which ends with each run of QEMU".to_owned(),
        place: format!("/etc/systemd/system/{name}"),
        file: format!("server-{name}"),
        text: format!(
            "[Unit]\nDescription=virtiofs share {tag}\n\n[Service]\n\
             ExecStart=/usr/libexec/virtiofsd --socket-path=/run/virtiofsd-{tag}.sock \
             --shared-dir={directory} --cache=auto\nRestart=always\nRestartSec=1\n\n[Install]\n\
             WantedBy=multi-user.target\n"
        ),
        commands: vec![
            "systemctl daemon-reload".to_owned(),
            format!("systemctl enable --now {name}"),
        ],
    }
}

fn device(share: &Share) -> Piece {
    let tag = &share.tag;
    Piece {
        end: End::Server,
        title: "QEMU by hand: memory that virtiofsd can share, and the device".to_owned(),
        place: "the command line of QEMU".to_owned(),
        file: "server-qemu-arguments".to_owned(),
        text: format!(
            "-object memory-backend-memfd,id=virtiofs-memory,size=SIZE,share=on \\\n\
             -numa node,memdev=virtiofs-memory \\\n\
             -chardev socket,id=virtiofs-{tag},path=/run/virtiofsd-{tag}.sock \\\n\
             -device vhost-user-fs-pci,chardev=virtiofs-{tag},tag={tag}\n"
        ),
        commands: Vec::new(),
    }
}

fn domain(share: &Share) -> Piece {
    let Share { tag, directory, .. } = share;
    Piece {
        end: End::Server,
        title: "libvirt: memory that is shared, and the share; libvirt starts virtiofsd itself"
            .to_owned(),
        place: "virsh edit VM: below <domain> and below <devices>".to_owned(),
        file: "server-libvirt.xml".to_owned(),
        text: format!(
            "<!-- below <domain> -->\n<memoryBacking>\n  <source type='memfd'/>\n  \
             <access mode='shared'/>\n</memoryBacking>\n\n<!-- below <devices> -->\n\
             <filesystem type='mount' accessmode='passthrough'>\n  <driver type='virtiofs'/>\n  \
             <source dir='{directory}'/>\n  <target dir='{tag}'/>\n</filesystem>\n"
        ),
        commands: Vec::new(),
    }
}

fn proxmox(share: &Share) -> Piece {
    let Share { tag, directory, .. } = share;
    Piece {
        end: End::Server,
        title: "Proxmox VE 8.4 or later: a directory mapping, and the share by its name".to_owned(),
        place: "/etc/pve/qemu-server/VMID.conf".to_owned(),
        file: "server-proxmox.conf".to_owned(),
        text: format!("virtiofs0: dirid={tag},cache=auto\n"),
        commands: vec![format!(
            "pvesh create /cluster/mapping/dir --id {tag} --map node=NODE,path={directory}"
        )],
    }
}

fn fstab(share: &Share) -> Piece {
    let Share { tag, mount_point, .. } = share;
    Piece {
        end: End::Client,
        title: "The mount, in place of the line of 9p".to_owned(),
        place: "/etc/fstab".to_owned(),
        file: "client-fstab".to_owned(),
        text: format!("{tag} {mount_point} virtiofs defaults 0 0\n"),
        commands: vec![format!("umount {mount_point}"), format!("mount {mount_point}")],
    }
}
