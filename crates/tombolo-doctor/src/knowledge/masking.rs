//! Mount options that hide a fault instead of curing it.

use super::matching::{MountFacts, option_holds};
use crate::findings::{MaskingOption, Protection};

struct Mask {
    filesystems: &'static [&'static str],
    pattern: &'static str,
    protection: Protection,
    what: &'static str,
}

const LOCAL: &str = "locks are taken in this kernel alone, and programs of other kernels are not \
    excluded";

/// Sources: nfs(5), mount.cifs(8), mount.lustre(8), gfs2(5), ocfs2 and orangefs in the kernel's
/// `Documentation/filesystems`, `fs/9p/vfs_file.c` (`v9fs_file_lock`).
const MASKS: &[Mask] = &[
    Mask {
        filesystems: &["nfs"],
        pattern: "nolock",
        protection: Protection::Locks,
        what: "it turns the lock service off: locks are taken in this kernel alone, and other \
               clients and the server are not excluded",
    },
    Mask {
        filesystems: &["nfs"],
        pattern: "locallocks",
        protection: Protection::Locks,
        what: LOCAL,
    },
    Mask {
        filesystems: &["nfs", "nfs4"],
        pattern: "local_lock=posix|all",
        protection: Protection::Locks,
        what: LOCAL,
    },
    Mask {
        filesystems: &["nfs", "nfs4"],
        pattern: "soft",
        protection: Protection::Patience,
        what: "a slow server becomes an I/O error in the middle of a write, which SQLite may \
               report as a malformed database",
    },
    Mask {
        filesystems: &["nfs", "nfs4"],
        pattern: "softerr",
        protection: Protection::Patience,
        what: "a slow server becomes a time-out error in the middle of a write",
    },
    Mask {
        filesystems: &["cifs", "smb3"],
        pattern: "nobrl",
        protection: Protection::Locks,
        what: "byte-range locks are not sent to the server: programs of other machines are not \
               excluded",
    },
    Mask {
        filesystems: &["cifs", "smb3"],
        pattern: "nolock",
        protection: Protection::Locks,
        what: "another name of nobrl: programs of other machines are not excluded",
    },
    Mask {
        filesystems: &["lustre"],
        pattern: "localflock",
        protection: Protection::Locks,
        what: LOCAL,
    },
    Mask {
        filesystems: &["gfs2", "ocfs2"],
        pattern: "localflocks",
        protection: Protection::Locks,
        what: LOCAL,
    },
    Mask {
        filesystems: &["pvfs2"],
        pattern: "local_lock",
        protection: Protection::Locks,
        what: LOCAL,
    },
    Mask {
        filesystems: &["9p"],
        pattern: "noextend",
        protection: Protection::Locks,
        what: "with this option locks do nothing: two programs of one kernel are granted the same \
               one",
    },
    Mask {
        filesystems: &["9p"],
        pattern: "version=9p2000|9p2000.u",
        protection: Protection::Locks,
        what: "this protocol version has no locks: two programs of one kernel are granted the \
               same one",
    },
];

/// The options of a mount that take a protection away.
///
/// `soft` is left out for SMB, where it is the default, `nolock` for `nfs4`, where it has no effect
/// (nfs(5)), `local_lock=all` beside `nolock`, which the kernel shows as both
/// (`nfs_show_mount_options` in `fs/nfs/super.c`), and `noflock` of Lustre, which refuses locks in
/// the open.
#[must_use]
pub fn masking_options(facts: &MountFacts<'_>) -> Vec<MaskingOption> {
    let version_four = facts.has_option("vers=4|4.*") || facts.has_option("nfsvers=4|4.*");
    let mut found: Vec<MaskingOption> = Vec::new();
    for mask in MASKS.iter().filter(|mask| mask.filesystems.contains(&facts.filesystem)) {
        if mask.pattern == "nolock" && facts.filesystem == "nfs" && version_four {
            continue;
        }
        if mask.pattern.starts_with("local_lock=") && found.iter().any(|one| one.option == "nolock")
        {
            continue;
        }
        let set = facts.all_options().find(|option| option_holds(mask.pattern, option));
        if let Some(option) = set.filter(|option| found.iter().all(|one| one.option != **option)) {
            found.push(MaskingOption {
                option: option.to_owned(),
                what: mask.what.to_owned(),
                protection: mask.protection,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(filesystem: &str, options: &str) -> Vec<String> {
        let options: Vec<String> = options.split(',').map(str::to_owned).collect();
        let facts = MountFacts { filesystem, super_options: &options, ..MountFacts::default() };
        masking_options(&facts).into_iter().map(|mask| mask.option).collect()
    }

    #[test]
    fn each_family_has_its_own_words() {
        for (filesystem, options, expected) in [
            ("nfs", "rw,vers=3,nolock,hard", "nolock"),
            ("nfs", "rw,vers=3,hard,nolock,local_lock=all", "nolock"),
            ("nfs", "rw,vers=3,soft,local_lock=all", "local_lock=all,soft"),
            ("nfs", "rw,nfsvers=4.2,nolock", ""),
            ("nfs4", "rw,vers=4.2,hard,local_lock=none", ""),
            ("nfs4", "rw,softerr,vers=4.1", "softerr"),
            ("cifs", "rw,soft,nounix,nobrl", "nobrl"),
            ("cifs", "rw,vers=3.1.1,soft", ""),
            ("smb3", "rw,nobrl", "nobrl"),
            ("lustre", "rw,localflock", "localflock"),
            ("lustre", "rw,noflock", ""),
            ("gfs2", "rw,localflocks", "localflocks"),
            ("9p", "rw,trans=virtio,version=9p2000.u", "version=9p2000.u"),
            ("9p", "rw,trans=virtio,version=9p2000.L", ""),
            ("ext4", "rw,nolock", ""),
        ] {
            assert_eq!(masked(filesystem, options).join(","), expected, "{filesystem} {options}");
        }
    }

    #[test]
    fn only_a_stall_is_a_matter_of_patience() {
        let options = ["soft".to_owned(), "nolock".to_owned()];
        let facts = MountFacts { filesystem: "nfs", options: &options, ..MountFacts::default() };
        let found: Vec<_> = masking_options(&facts).iter().map(|mask| mask.protection).collect();
        assert_eq!(found, [Protection::Locks, Protection::Patience]);
    }
}
