//! Mount options, lock services and other protocols.

use super::{Fill, Words};
use crate::knowledge::{self, MountFacts};
use crate::remedy::quote;
use tombolo_core::report::{Reach, Remedy, RemedyId, Step};

/// Mounts again by the table of file systems. A mount point that is busy stays as it is: a second
/// mount on top of it would hide the first.
fn mount_again(fill: &Fill<'_>) -> String {
    let mount_point = quote::shell(fill.mount_point());
    format!("umount {mount_point} && mount {mount_point}\nfindmnt --target {mount_point}")
}

/// Options that a user sets, and may keep, on a 9p mount: those of every mount (mount(8)), then
/// those of 9p (`Documentation/filesystems/9p.rst`).
const NINE_P_KEPT: &[&str] = &[
    "ro", "nosuid", "nodev", "noexec", "trans", "version", "aname", "uname", "port", "msize",
    "access", "dfltuid", "dfltgid", "posixacl",
];

pub(super) fn nine_p_cache_mmap(fill: &Fill<'_>) -> Remedy {
    let set = |name: &str| {
        let fits = |option: &&String| match option.split_once('=') {
            Some((key, value)) => {
                key == name && !value.is_empty() && quote::bare(value, "") == value
            }
            None => *option == name,
        };
        fill.situation.options.iter().find(fits)
    };
    let mut options: Vec<String> =
        NINE_P_KEPT.iter().filter_map(|name| set(name).cloned()).collect();
    for (name, option) in [("trans", "trans=virtio"), ("version", "version=9p2000.L")] {
        if set(name).is_none() {
            options.push(option.to_owned());
        }
    }
    options.push("cache=mmap".to_owned());
    let options = options.join(",");
    let mut steps = vec![fill.stop()];
    let mount_point = if fill.through_bind() {
        steps.push(Step::code(
            "What is seen here is a second mount of a part of the share: find, in the guest and \
             outside containers, where the share itself is mounted (/mnt/share stands for it \
             below):",
            "findmnt -t 9p",
        ));
        "/mnt/share"
    } else {
        fill.mount_point()
    };
    steps.push(Step::code(
        "In the guest, mount the share with cache=mmap:",
        format!(
            "umount {1} && \\\n  mount -t 9p -o {options} {0} {1}",
            quote::shell(fill.source()),
            quote::shell(mount_point)
        ),
    ));
    steps.push(Step::code(
        "Keep it, in the guest's /etc/fstab:",
        format!(
            "{} {} 9p {options},_netdev 0 0",
            quote::fstab(fill.source()),
            quote::fstab(mount_point)
        ),
    ));
    if fill.through_bind() {
        steps.push(Step::text(
            "Make the second mounts anew, and start containers again: they keep the old mount.",
        ));
    }
    steps.push(fill.start());
    Words {
        title: "mount 9p with cache=mmap",
        why: "the default cache=none refuses writable shared maps (EINVAL); with cache=mmap WAL \
              mode works for the programs of this guest",
        cost: "pages are kept in the guest; a little memory",
        risk: "locks still do not reach the host or other guests: if a program there opens the \
               database, commits are lost; PRAGMA mmap_size must stay 0, since reads and maps do \
               not show each other's changes; kernels 6.9 to 6.11 have a 9p that returns wrong \
               data",
        undo: "mount without the option; a database in WAL mode then fails again, so leave WAL \
               mode first",
        reach: Reach::OneKernel,
    }
    .steps(RemedyId::NinePCacheMmap, steps)
}

pub(super) fn mergerfs_cache_files(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        fill.stop(),
        Step::code(
            "In the entry of /etc/fstab (or the appliance's option field), replace \
             cache.files=off and direct_io by:",
            "cache.files=auto-full,dropcacheonclose=true",
        ),
        Step::code("Mount again:", mount_again(fill)),
        fill.start(),
    ];
    Words {
        title: "let mergerfs use the page cache",
        why: "with cache.files=off a writable shared map is refused (ENODEV), and WAL mode cannot \
              open; nothing is damaged",
        cost: "file contents are cached twice, so a little memory",
        risk: "programs must all use the merged path: the path of a branch is another lock domain, \
               and a writer there loses commits",
        undo: "set the option back and mount again",
        reach: Reach::OneKernel,
    }
    .steps(RemedyId::MergerfsCacheFiles, steps)
}

pub(super) fn branch_path(fill: &Fill<'_>) -> Remedy {
    let example = match fill.situation.filesystem.as_deref() {
        Some("fuse.shfs") => "/mnt/cache/appdata",
        _ => "/mnt/disk1/app-data",
    };
    let steps = vec![
        fill.stop(),
        Step::code("Find the disk or pool that holds the files now:", {
            format!("ls -l /mnt/*/ 2>/dev/null\nfindmnt --target {}", fill.quoted(""))
        }),
        Step::text(format!(
            "Put the database and its sidecar files into one directory of one disk or pool (such \
             as {example}), and give every program that path, none the merged one."
        )),
        fill.start(),
    ];
    Words {
        title: "use the disk or pool path below the union file system",
        why: "the disk below is an ordinary local file system with real locks and maps",
        cost: "the database no longer moves between the disks of the pool",
        risk: "the merged path and the disk path do not see each other's locks: one program left \
               on the old path loses commits",
        undo: "stop the programs and give all of them the merged path again",
        reach: Reach::OneKernel,
    }
    .steps(RemedyId::BranchPath, steps)
}

pub(super) fn lustre_flock(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code("See how the file system is mounted:", {
            format!("findmnt -o TARGET,OPTIONS --target {}", quote::shell(fill.mount_point()))
        }),
        Step::code(
            "Let the administrator mount it with the option flock, on every node (the default \
             since Lustre 2.12.3; noflock and localflock must not stand there), in /etc/fstab:",
            format!(
                "{} {} lustre flock,_netdev 0 0",
                quote::fstab(fill.source()),
                quote::fstab(fill.mount_point())
            ),
        ),
        Step::text("Until then keep the database on a node-local disk."),
    ];
    Words {
        title: "mount Lustre with flock",
        why: "without it every lock call answers ENOSYS, and SQLite fails with SQLITE_IOERR_LOCK \
              even for readers",
        cost: "lock calls go over the network, so each transaction takes longer",
        risk: "localflock silences the error and excludes nobody on other nodes; WAL mode stays \
               for programs of one node",
        undo: "mount with the former options",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::LustreFlock, steps)
}

pub(super) fn nfs_lock_service(fill: &Fill<'_>) -> Remedy {
    let server = fill.source().split(':').next().unwrap_or("SERVER");
    let server = quote::shell(quote::bare(server, "SERVER"));
    let steps = vec![
        Step::code(
            "See whether the server's lock services answer (NFSv3 needs status and nlockmgr):",
            format!("rpcinfo -p {server}"),
        ),
        Step::code(
            "For NFSv3, start them on both sides and open their ports in firewalls (111, and those \
             that rpcinfo shows):",
            "systemctl enable --now rpcbind rpc-statd",
        ),
        Step::code(
            "Or mount by NFSv4, whose locks need no service of their own, in /etc/fstab:",
            format!(
                "{} {} nfs vers=4.2,hard,_netdev 0 0",
                quote::fstab(fill.source()),
                quote::fstab(fill.mount_point())
            ),
        ),
        Step::code("Mount again, and let the doctor look:", {
            format!("{}\ntombolo doctor {}", mount_again(fill), fill.quoted(""))
        }),
    ];
    Words {
        title: "start or unblock the NFS lock service, or use NFSv4",
        why: "a lock service that does not answer gives ENOLCK, which SQLite reports as \
              \"database is locked\", or hangs for minutes",
        cost: "services on client and server, or another protocol version",
        risk: "WAL mode stays unsafe for programs of several clients, and slow rollback commits \
               (a few a second) are normal with two clients",
        undo: "set the former version in /etc/fstab and mount again",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::NfsLockService, steps)
}

pub(super) fn drop_masking_option(fill: &Fill<'_>) -> Remedy {
    let situation = fill.situation;
    let facts = MountFacts {
        filesystem: situation.filesystem.as_deref().unwrap_or_default(),
        options: &situation.options,
        ..MountFacts::default()
    };
    let masks = knowledge::masking_options(&facts);
    let names: Vec<&str> = masks.iter().map(|mask| mask.option.as_str()).collect();
    let named = match names.as_slice() {
        [] => "the option that keeps locks local, or that turns stalls into errors".to_owned(),
        names => names.join(", "),
    };
    let mut steps = vec![
        fill.stop(),
        Step::code(
            format!("Find where the mount is defined, and take {named} out:"),
            format!("findmnt --fstab --target {}", quote::shell(fill.mount_point())),
        ),
        Step::code("Mount again:", mount_again(fill)),
    ];
    if matches!(situation.filesystem.as_deref(), Some("cifs" | "smb3")) {
        steps.push(Step::text(
            "On SMB a rollback journal then answers \"database is locked\", because the server \
             refuses SQLite's step from SHARED to EXCLUSIVE: move the database off the share.",
        ));
    }
    steps.push(fill.start());
    Words {
        title: "remove mount options that hide a fault",
        why: "such an option takes the error away and the protection with it: other machines are \
              not excluded, or a stall of the server becomes an error in the middle of a write",
        cost: "the error that was hidden may show again, and then needs its real cure",
        risk: "while the file system is unmounted, its programs cannot work",
        undo: "put the option back and mount again",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::DropMaskingOption, steps)
}

pub(super) fn other_protocol(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::text(
            "virtiofs (QEMU: virtiofsd --cache=auto): shared maps work, so WAL mode works for the \
             programs of one guest. Locks do not cross to the host. Apple's virtiofs, as in Docker \
             Desktop, was reported to corrupt WAL databases.",
        ),
        Step::text(
            "NFSv4 (vers=4.2, hard): locks cross between clients and with the server, so a \
             rollback journal loses nothing between them, at a few transactions a second; WAL mode \
             is for one client.",
        ),
        Step::text(
            "SMB: a rollback journal fails with \"database is locked\" even for one program: no \
             cure for SQLite.",
        ),
        Step::text("A block device has none of these limits, for one machine at a time."),
        Step::code("After the change, measure:", {
            format!("tombolo doctor {}", quote::shell(fill.mount_point()))
        }),
    ];
    Words {
        title: "another protocol for the share",
        why: "what SQLite needs depends on the protocol, not on the disk behind it",
        cost: "a change on the host or server and in each guest",
        risk: "no protocol makes WAL mode safe for two kernels",
        undo: "mount by the former protocol",
        reach: Reach::OneKernel,
    }
    .steps(RemedyId::OtherProtocol, steps)
}

pub(super) fn remount(fill: &Fill<'_>) -> Remedy {
    let steps = vec![
        Step::code(
            "See whether the server answers, and what the kernel says:",
            "dmesg --ctime | tail -n 50",
        ),
        fill.stop(),
        Step::code("Mount again on the machine that holds the mount:", mount_again(fill)),
        Step::text(
            "Restart containers that see it: they keep the old mount until they are started anew.",
        ),
        fill.start(),
    ];
    Words {
        title: "mount again",
        why: "a handle that outlived its mount, or a mount whose server is gone, answers ESTALE or \
              nothing; programs keep the old one until they are started again",
        cost: "every program on the mount must stop",
        risk: "umount --force or --lazy throws away what was not written yet: copy what can still \
               be read first",
        undo: "nothing to undo",
        reach: Reach::SeveralKernels,
    }
    .steps(RemedyId::Remount, steps)
}
