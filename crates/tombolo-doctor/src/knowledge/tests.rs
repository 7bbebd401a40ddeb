//! The rows themselves, and which one a mount finds.

use super::*;
use crate::topology::Crossing;
use std::collections::BTreeSet;
use tombolo_core::report::Machine;

/// Type, source, options, machine, release, mount point, and the row that is expected.
type Line = (
    &'static str,
    &'static str,
    &'static str,
    Option<Machine>,
    &'static str,
    &'static str,
    &'static str,
);

#[rustfmt::skip]
const MOUNTS: &[Line] = &[
    (
        "9p", "share",
        "trans=virtio,version=9p2000.L,access=any",
        Some(Machine::Qemu), "6.1.0-18-amd64",
        "/mnt/x", "9p-qemu",
    ),
    (
        "9p", "share",
        "trans=virtio,version=9p2000.L,cache=none",
        Some(Machine::Kvm), "6.8.0",
        "/mnt/x", "9p-qemu",
    ),
    (
        "9p", "share",
        "trans=virtio,cache=mmap,msize=131072",
        Some(Machine::Kvm), "6.1.0",
        "/mnt/x", "9p-qemu",
    ),
    ("9p", "share", "trans=virtio,cache=loose", Some(Machine::Kvm), "6.1.0", "/mnt/x", "9p-qemu"),
    ("9p", "share", "trans=virtio,cache=0x5", Some(Machine::Qemu), "6.12.9", "/mnt/x", "9p-qemu"),
    (
        "9p", "share",
        "trans=virtio,version=9p2000.u",
        Some(Machine::Qemu), "5.10.0",
        "/mnt/x", "9p-legacy",
    ),
    (
        "9p", "share",
        "trans=virtio,version=9p2000",
        Some(Machine::Qemu), "5.10.0",
        "/mnt/x", "9p-legacy",
    ),
    ("9p", "share", "trans=virtio,noextend", Some(Machine::Qemu), "5.10.0", "/mnt/x", "9p-legacy"),
    (
        "9p", "none",
        "trans=fd,rfdno=6,wfdno=6,dcache=1000,cache=remote_revalidating,disable_fifo_open,directfs",
        None, "",
        "/opt/data", "9p-gvisor",
    ),
    (
        "9p", "none",
        "trans=fd,rfdno=4,wfdno=4,cache=remote_revalidating",
        Some(Machine::Gvisor), "4.19.0-gvisor",
        "/data", "9p-gvisor",
    ),
    ("overlay", "none", "rw", Some(Machine::Gvisor), "4.19.0-gvisor", "/", "9p-gvisor"),
    (
        "9p", "C:\\",
        "dirsync,aname=drvfs;path=C:\\;uid=1000;gid=1000;symlinkroot=/mnt/,cache=mmap,\
         access=client,msize=65536,trans=fd,rfd=8,wfd=8",
        Some(Machine::Wsl2), "5.15.153.1-microsoft-standard-WSL2",
        "/mnt/c", "9p-wsl2-drvfs",
    ),
    (
        "9p", "drvfs",
        "aname=drvfs;path=D:\\,cache=5,trans=virtio",
        None, "",
        "/mnt/d", "9p-wsl2-drvfs",
    ),
    ("drvfs", "C:", "noatime", Some(Machine::Wsl1), "4.4.0-19041-Microsoft", "/mnt/c", "wsl1"),
    ("lxfs", "rootfs", "rw", Some(Machine::Wsl1), "4.4.0-19041-Microsoft", "/", "wsl1"),
    ("wslfs", "rootfs", "rw", Some(Machine::Wsl1), "4.4.0-22621-Microsoft", "/", "wsl1"),
    (
        "9p", "10.0.2.2",
        "trans=tcp,version=9p2000.L,port=564,aname=/srv/data",
        Some(Machine::Qemu), "6.1.0",
        "/mnt/x", "9p-diod",
    ),
    ("9p", "server:/srv", "trans=rdma", Some(Machine::Physical), "6.1.0", "/mnt/x", "9p-diod"),
    ("virtiofs", "tag", "rw", Some(Machine::Kvm), "6.6.0", "/mnt/x", "virtiofs-rust"),
    ("virtiofs", "tag", "rw,dax=always", Some(Machine::Qemu), "6.6.0", "/mnt/x", "virtiofs-rust"),
    (
        "virtiofs", "a2a0ee2c717462feb1de2f5afd59de5fd2d8",
        "rw",
        Some(Machine::AppleVirtualization), "6.8.9-300.fc40.aarch64",
        "/Users", "virtiofs-applevz",
    ),
    (
        "virtiofs", "mac",
        "rw",
        Some(Machine::AppleVirtualization), "6.9.8-orbstack-00170",
        "/mnt/mac", "virtiofs-applevz",
    ),
    (
        "virtiofs", "mount0",
        "rw",
        Some(Machine::Lima), "6.8.0-31-generic",
        "/Users", "virtiofs-applevz",
    ),
    (
        "virtiofs", "drvfsaC",
        "rw",
        Some(Machine::Wsl2), "6.6.87.2-microsoft-standard-WSL2",
        "/mnt/c", "virtiofs-wsl2",
    ),
    (
        "virtiofs", "virtiofs0",
        "rw",
        Some(Machine::DockerDesktop), "6.6.31-linuxkit",
        "/run/host_virtiofs", "dd-bind",
    ),
    (
        "fakeowner", "/run/host_mark/Users",
        "rw,nosuid,nodev,fakeowner",
        Some(Machine::DockerDesktop), "6.6.31-linuxkit",
        "/data", "dd-bind",
    ),
    (
        "fuse.grpcfuse", "grpcfuse",
        "rw,user_id=0",
        Some(Machine::DockerDesktop), "5.15.49-linuxkit",
        "/data", "dd-bind",
    ),
    (
        "fuse.osxfs", "osxfs",
        "rw",
        Some(Machine::DockerDesktop), "4.19.76-linuxkit",
        "/data", "dd-bind",
    ),
    (
        "fuse.selfowner", "selfowner",
        "rw",
        Some(Machine::DockerDesktop), "6.10.0-linuxkit",
        "/data", "dd-mutagen",
    ),
    (
        "ext4", "/dev/sdd",
        "rw",
        Some(Machine::Wsl2), "5.15.153.1-microsoft-standard-WSL2",
        "/mnt/wsl/docker-desktop-bind-mounts/Ubuntu/8a1", "dd-wsl-bind",
    ),
    (
        "ext4", "/dev/sdc",
        "rw,discard,errors=remount-ro,data=ordered",
        Some(Machine::Wsl2), "5.15.153.1-microsoft-standard-WSL2",
        "/", "ext4",
    ),
    (
        "vboxsf", "vagrant",
        "uid=1000,gid=1000,_netdev",
        Some(Machine::VirtualBox), "5.15.0",
        "/vagrant", "vboxsf-mainline",
    ),
    (
        "fuse.vmhgfs-fuse", "vmhgfs-fuse",
        "rw,user_id=0,allow_other",
        Some(Machine::Vmware), "6.1.0",
        "/mnt/hgfs", "vmhgfs-fuse",
    ),
    ("prl_fs", "none", "rw,share", Some(Machine::Parallels), "6.1.0", "/media/psf/Home", "prl_fs"),
    ("hostfs", "none", "rw", Some(Machine::UserModeLinux), "6.1.0", "/mnt", "hostfs"),
    (
        "fuse.portal", "portal",
        "rw",
        Some(Machine::Physical), "6.1.0",
        "/run/user/1000/doc", "xdg-doc",
    ),
    (
        "fuse.mergerfs", "1:2:3",
        "rw,allow_other,cache.files=off",
        Some(Machine::Physical), "6.1.0",
        "/mnt/pool", "mergerfs",
    ),
    (
        "fuse.shfs", "shfs",
        "rw,nosuid,nodev",
        Some(Machine::Physical), "6.1.79-Unraid",
        "/mnt/user", "unraid-shfs",
    ),
    ("fuse.bindfs", "/srv", "rw", Some(Machine::Physical), "6.1.0", "/data", "bindfs"),
    (
        "fuse.gocryptfs", "/cipher",
        "rw,max_read=131072",
        Some(Machine::Physical), "6.1.0",
        "/plain", "gocryptfs",
    ),
    ("fuse.encfs", "encfs", "rw", Some(Machine::Physical), "6.1.0", "/plain", "gocryptfs"),
    ("ecryptfs", "/home/.ecryptfs", "rw", Some(Machine::Physical), "5.4.0", "/home/a", "ecryptfs"),
    (
        "fuse.fuse-overlayfs", "fuse-overlayfs",
        "rw,lowerdir=/a",
        Some(Machine::Physical), "6.1.0",
        "/", "fuse-overlayfs",
    ),
    (
        "overlay", "overlay",
        "rw,lowerdir=/a:/b,upperdir=/u,workdir=/w",
        Some(Machine::Physical), "6.1.0",
        "/", "overlayfs",
    ),
    (
        "fuse.sshfs", "user@host:/srv",
        "rw,user_id=1000",
        Some(Machine::Lima), "6.1.0",
        "/Users", "sshfs",
    ),
    (
        "fuse.rclone", "remote:bucket",
        "rw",
        Some(Machine::Physical), "6.1.0",
        "/mnt/cloud", "rclone",
    ),
    ("fuse.gcsfuse", "bucket", "rw", Some(Machine::Cloud), "6.1.0", "/data", "gcsfuse"),
    ("fuse.s3fs", "s3fs", "rw", Some(Machine::Cloud), "6.1.0", "/data", "s3fs"),
    ("fuse", "mountpoint-s3", "rw", Some(Machine::Cloud), "6.1.0", "/data", "goofys"),
    ("fuse.goofys", "bucket", "rw", Some(Machine::Cloud), "6.1.0", "/data", "goofys"),
    ("fuse.blobfuse2", "blobfuse2", "rw", Some(Machine::Cloud), "5.15.0", "/data", "blobfuse"),
    ("fuse.juicefs", "JuiceFS:vol", "rw", Some(Machine::Physical), "6.1.0", "/jfs", "juicefs"),
    ("fuse.glusterfs", "server:/vol", "rw", Some(Machine::Physical), "6.1.0", "/data", "glusterfs"),
    ("fuse.ceph-fuse", "ceph-fuse", "rw", Some(Machine::Physical), "6.1.0", "/data", "ceph-fuse"),
    ("fuse.mfs", "mfs#master:9421", "rw", Some(Machine::Physical), "6.1.0", "/data", "moosefs"),
    ("fuse.something", "x", "rw", Some(Machine::Physical), "6.1.0", "/data", "fuse-generic"),
    ("fuse", "x", "rw", Some(Machine::Physical), "6.1.0", "/data", "fuse-generic"),
    (
        "fuseblk", "/dev/sdb1",
        "rw,user_id=0,blksize=4096",
        Some(Machine::Physical), "6.1.0",
        "/mnt/usb", "ntfs-3g",
    ),
    (
        "nfs", "server:/share",
        "rw,vers=3,hard,local_lock=none,addr=192.0.2.1",
        Some(Machine::Physical), "6.1.0",
        "/data", "nfs3",
    ),
    (
        "nfs", "server:/share",
        "rw,vers=3,nolock,local_lock=all",
        Some(Machine::Physical), "6.1.0",
        "/data", "nfs3",
    ),
    (
        "nfs", "server:/share",
        "rw,nfsvers=4,async",
        Some(Machine::Physical), "6.1.0",
        "/data", "nfs4",
    ),
    (
        "nfs4", "server:/share",
        "rw,vers=4.2,hard,local_lock=none,clientaddr=192.0.2.2",
        Some(Machine::Physical), "6.1.0",
        "/data", "nfs4",
    ),
    (
        "nfs4", "fs-0123.efs.eu-west-1.amazonaws.com:/",
        "rw,vers=4.1",
        Some(Machine::Cloud), "6.1.0",
        "/data", "efs",
    ),
    (
        "nfs4", "127.0.0.1:/",
        "rw,vers=4.1,noresvport,port=20127",
        Some(Machine::Cloud), "6.1.0",
        "/data", "efs",
    ),
    (
        "cifs", "//server/share",
        "rw,vers=3.1.1,cache=strict,soft",
        Some(Machine::Physical), "6.1.0",
        "/data", "cifs",
    ),
    (
        "cifs", "//HOST/C",
        "rw,vers=1.0,cache=strict,uid=0",
        Some(Machine::HyperV), "4.4.0",
        "/c", "cifs",
    ),
    (
        "cifs", "//server/share",
        "rw,vers=3.0,nobrl,mfsymlinks",
        Some(Machine::Cloud), "5.15.0",
        "/data", "cifs-nobrl",
    ),
    ("smb3", "//server/share", "rw,nobrl", Some(Machine::Physical), "6.1.0", "/data", "cifs-nobrl"),
    ("smb3", "//server/share", "rw", Some(Machine::Physical), "6.1.0", "/data", "cifs"),
    ("afs", "%cell:root.cell", "rw", Some(Machine::Physical), "6.1.0", "/afs", "afs"),
    (
        "ceph", "192.0.2.1:6789:/",
        "rw,name=admin",
        Some(Machine::Physical), "6.1.0",
        "/data", "cephfs",
    ),
    ("lustre", "mgs@tcp:/fs", "rw,flock", Some(Machine::Physical), "4.18.0", "/scratch", "lustre"),
    (
        "lustre", "mgs@tcp:/fs",
        "rw,noflock",
        Some(Machine::Physical), "4.18.0",
        "/scratch", "lustre",
    ),
    ("gpfs", "gpfs0", "rw,mtime,relatime", Some(Machine::Physical), "4.18.0", "/gpfs", "gpfs"),
    (
        "beegfs", "beegfs_nodev",
        "rw,cfgFile=/etc/beegfs/beegfs-client.conf",
        Some(Machine::Physical), "4.18.0",
        "/beegfs", "beegfs",
    ),
    ("pvfs2", "tcp://s:3334/orangefs", "rw", Some(Machine::Physical), "6.1.0", "/data", "orangefs"),
    ("gfs2", "/dev/mapper/c", "rw", Some(Machine::Physical), "6.1.0", "/data", "gfs2"),
    (
        "ocfs2", "/dev/sdb",
        "rw,_netdev,cluster_stack=o2cb",
        Some(Machine::Physical), "6.1.0",
        "/data", "ocfs2",
    ),
    ("ext4", "/dev/vda1", "rw,relatime", Some(Machine::Kvm), "6.1.0", "/", "ext4"),
    ("ext3", "/dev/sda1", "rw", Some(Machine::Physical), "4.9.0", "/", "ext4"),
    ("xfs", "/dev/rbd0", "rw", Some(Machine::Kvm), "6.1.0", "/data", "xfs"),
    ("btrfs", "/dev/sda2", "rw,subvol=/", Some(Machine::Physical), "6.1.0", "/", "btrfs"),
    ("f2fs", "/dev/mmcblk0p2", "rw", Some(Machine::Physical), "6.1.0", "/", "f2fs"),
    ("bcachefs", "/dev/sda:/dev/sdb", "rw", Some(Machine::Physical), "6.9.0", "/", "bcachefs"),
    ("zfs", "tank/data", "rw,xattr,noacl", Some(Machine::Physical), "6.1.0", "/tank", "zfs"),
    ("tmpfs", "tmpfs", "rw,size=65536k", Some(Machine::Physical), "6.1.0", "/tmp", "tmpfs"),
    ("ramfs", "ramfs", "rw", Some(Machine::Physical), "6.1.0", "/r", "ramfs"),
    ("exfat", "/dev/sdb1", "rw", Some(Machine::Physical), "6.1.0", "/mnt/usb", "exfat"),
    ("vfat", "/dev/sdb1", "rw", Some(Machine::Physical), "6.1.0", "/mnt/usb", "vfat"),
    ("ntfs3", "/dev/sdb1", "rw", Some(Machine::Physical), "6.1.0", "/mnt/usb", "ntfs3"),
    ("jffs2", "/dev/mtdblock3", "rw", Some(Machine::Physical), "5.15.0", "/overlay", "jffs2"),
    ("ubifs", "ubi0:rootfs", "rw", Some(Machine::Physical), "5.15.0", "/", "ubifs"),
    ("squashfs", "/dev/loop0", "ro", Some(Machine::Physical), "6.1.0", "/snap/x", "readonly-image"),
];

fn options(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

#[test]
fn every_group_parses() {
    let mut count = 0;
    for text in GROUPS {
        let group: Group = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
        count += group.row.len();
    }
    assert_eq!(rows().len(), count);
    assert!(count >= 60, "{count} rows");
}

#[test]
fn every_row_is_complete_and_every_fact_has_a_source_or_is_to_be_probed() {
    let ids: BTreeSet<&str> = rows().iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), rows().len(), "ids are unique");
    for row in rows() {
        assert!(!row.names.is_empty() && !row.name().is_empty(), "{}", row.id);
        for (name, fact) in row.facts.all() {
            assert!(!fact.text.is_empty() && fact.text.is_ascii(), "{} {name}", row.id);
            assert_eq!(
                fact.source.is_empty(),
                fact.basis == Basis::Unverified,
                "{} {name}: {}",
                row.id,
                fact.text
            );
        }
        for risk in &row.hazards {
            assert!(!risk.text.is_empty() && !risk.source.is_empty(), "{}", row.id);
        }
        for magic in &row.magic {
            let digits = magic.strip_prefix("0x").unwrap_or_default();
            assert!(u32::from_str_radix(digits, 16).is_ok(), "{} {magic}", row.id);
        }
        let conditional = [row.one_kernel, row.several_kernels]
            .iter()
            .flat_map(|words| [words.rollback, words.wal, words.wal_one_process])
            .any(|word| word == Word::OkIf);
        let explained = !row.note.is_empty() || !row.options.is_empty();
        assert!(!conditional || explained, "{}: a condition that is not named", row.id);
    }
}

#[test]
fn every_condition_of_a_match_can_hold() {
    for row in rows() {
        for one in &row.matches {
            assert!(!one.filesystem.is_empty(), "{}: a match needs a type", row.id);
        }
    }
}

#[test]
fn a_mount_finds_its_row() {
    assert!(MOUNTS.len() >= 60);
    for (filesystem, source, text, machine, kernel_release, mount_point, expected) in MOUNTS {
        let super_options = options(text);
        let facts = MountFacts {
            filesystem,
            source,
            options: &[],
            super_options: &super_options,
            machine: *machine,
            kernel_release,
            mount_point,
        };
        let found = find(&facts).map(|row| row.id.as_str());
        assert_eq!(found, Some(*expected), "{filesystem} {source} {text}");
    }
}

#[test]
fn a_type_that_is_in_no_row_finds_none() {
    for filesystem in ["", "proc", "fused", "9p2000", "nilfs2"] {
        assert!(find(&MountFacts { filesystem, ..MountFacts::default() }).is_none());
    }
}

fn word(filesystem: &str, text: &str, mode: Mode, openers: Openers) -> Word {
    let super_options = options(text);
    let facts = MountFacts { filesystem, super_options: &super_options, ..MountFacts::default() };
    find(&facts).unwrap().word(mode, openers, &facts)
}

#[test]
fn options_change_the_verdict() {
    use Mode::{Rollback, Wal};
    use Openers::{OneKernel, SeveralKernels};
    for (filesystem, text, mode, openers, expected) in [
        ("9p", "trans=virtio", Wal, OneKernel, Word::FailsSafe),
        ("9p", "trans=virtio,cache=mmap", Wal, OneKernel, Word::OkIf),
        ("9p", "trans=virtio,cache=0x5", Wal, OneKernel, Word::OkIf),
        ("9p", "access=client,mmap,trans=virtio", Wal, OneKernel, Word::OkIf),
        ("9p", "trans=virtio,cache=f", Wal, OneKernel, Word::OkIf),
        ("9p", "trans=virtio,cache=0x1", Wal, OneKernel, Word::FailsSafe),
        ("9p", "trans=virtio,cache=mmap", Wal, SeveralKernels, Word::Unsafe),
        ("9p", "trans=virtio,version=9p2000.u", Rollback, OneKernel, Word::Unsafe),
        ("nfs", "vers=3,hard", Rollback, SeveralKernels, Word::OkIf),
        ("nfs", "vers=3,nolock", Rollback, SeveralKernels, Word::Unsafe),
        ("nfs4", "vers=4.2,soft", Rollback, OneKernel, Word::Risky),
        ("cifs", "vers=3.1.1", Rollback, OneKernel, Word::FailsSafe),
        ("cifs", "nobrl", Rollback, SeveralKernels, Word::Unsafe),
        ("lustre", "flock", Rollback, SeveralKernels, Word::OkIf),
        ("lustre", "localflock", Rollback, SeveralKernels, Word::Unsafe),
        ("lustre", "noflock", Rollback, OneKernel, Word::FailsSafe),
        ("fuse.mergerfs", "cache.files=off", Wal, OneKernel, Word::FailsSafe),
        ("fuse.mergerfs", "cache.files=auto-full", Wal, OneKernel, Word::OkIf),
        ("ext4", "nobarrier", Wal, OneKernel, Word::Lossy),
        ("ext4", "relatime", Wal, OneKernel, Word::Ok),
    ] {
        let found = word(filesystem, text, mode, openers);
        assert_eq!(found, expected, "{filesystem} {text} {mode:?} {openers:?}");
    }
}

#[test]
fn wal_across_kernels_is_never_good() {
    for row in rows().iter().filter(|row| row.kind != Kind::ReadOnly) {
        let word = row.several_kernels.wal;
        assert!(!matches!(word, Word::Ok | Word::OkIf | Word::Lossy), "{}", row.id);
    }
}

#[test]
fn hazards_keep_to_their_kernels_and_options() {
    let with = |kernel_release, text: &str| {
        let super_options = options(text);
        let facts = MountFacts {
            filesystem: "9p",
            super_options: &super_options,
            kernel_release,
            ..MountFacts::default()
        };
        find(&facts).unwrap().hazards(&facts).len()
    };
    assert_eq!(with("6.8.12", "trans=virtio"), 0);
    assert_eq!(with("6.10.3-arch1-1", "trans=virtio"), 1);
    assert_eq!(with("6.12.0", "trans=virtio"), 0);
    assert_eq!(with("", "trans=virtio"), 0);
    assert_eq!(with("6.10.3", "trans=virtio,cache=loose"), 2);
    assert_eq!(with("6.1.0-56-amd64", "dirsync,loose,access=client,trans=virtio"), 1);
    assert_eq!(with("6.6.13", "access=client,cache=f,trans=virtio"), 1);
}

#[test]
fn storage_of_other_kernels_is_known_by_role() {
    for (id, expected) in [
        ("9p-qemu", Crossing::OtherKernel { role: "host" }),
        ("nfs4", Crossing::OtherKernel { role: "server" }),
        ("lustre", Crossing::OtherKernel { role: "cluster nodes" }),
        ("ext4", Crossing::LocalOnly),
        ("fuse-generic", Crossing::NotKnown),
    ] {
        assert_eq!(row(id).map(Row::crossing), Some(expected), "{id}");
    }
    assert!(row("nothing").is_none());
}

#[test]
fn the_rules_get_words_hazards_and_masks() {
    let super_options = options("vers=3,nolock,hard");
    let facts =
        MountFacts { filesystem: "nfs", super_options: &super_options, ..MountFacts::default() };
    let known = known(find(&facts), &facts);
    assert!(known.locks_stay_local());
    assert_eq!(known.word(Mode::Wal, Openers::SeveralKernels), KnownWord::LosesData);
    assert_eq!(known.masking.len(), 1);
    assert!(super::known(None, &MountFacts::default()).name.is_empty());
}
