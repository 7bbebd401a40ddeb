//! Where the databases below a directory can be: on its own mount, and on the mounts below it.
//!
//! All of this comes from the table of mounts: no mount below is touched, because it may be dead.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tombolo_core::mountinfo::{Mount, SourceState, Table};
use tombolo_core::text::printable;
use tombolo_os::walk;

/// Mounts below that are looked into; the rest is passed by and said.
const PLACES_MAX: usize = 1000;

/// Mounts below a directory of which the table is asked whether they are hidden.
const CANDIDATES_MAX: usize = 10_000;

/// The mounts below a directory.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// All their mount points: no walk on another mount goes on into them.
    pub(super) points: Vec<PathBuf>,
    /// Those that can hold databases; first those that surely answer.
    pub(super) others: Vec<Place>,
    /// One sentence for each that is not looked into and may hold some.
    pub(super) missing: Vec<String>,
}

/// One mount below.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) point: PathBuf,
    pub(super) shown: Shown,
    pub(super) storage: Storage,
}

/// Where the files of a mount are, as far as its type tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Storage {
    /// In this kernel's memory or on its block devices: calls return.
    Local,
    /// Behind a server or a daemon that may be dead.
    Elsewhere,
}

/// Whether what is mounted is seen a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Only here.
    Here,
    /// The same directory or file stands elsewhere below the same directory. For a directory that
    /// is enough; a file that is mounted elsewhere has other sidecars there.
    Elsewhere,
}

impl Places {
    /// What the table says of a directory whose path is free of symbolic links.
    pub(super) fn below(table: &Table, root: &Path) -> Self {
        let mut places = Places::default();
        let mut visible: Vec<&Mount> = Vec::new();
        let mut left_out = 0_usize;
        for mount in table.mounts().iter().filter(|mount| is_below(&mount.mount_point, root)) {
            places.points.push(PathBuf::from(OsStr::from_bytes(&mount.mount_point)));
            if places.points.len() > CANDIDATES_MAX {
                left_out += 1;
            } else if is_on_top(table, mount) {
                visible.push(mount);
            }
        }
        let own: HashSet<&[u8]> = visible
            .iter()
            .filter(|mount| walk::is_kernels_own_type(&mount.filesystem))
            .map(|mount| mount.mount_point.as_slice())
            .collect();
        let ours = table.find(root.as_os_str().as_bytes());
        let all: Vec<&Mount> = ours.into_iter().chain(visible.iter().copied()).collect();
        for (index, mount) in all.iter().enumerate().skip(ours.iter().count()) {
            let point = Path::new(OsStr::from_bytes(&mount.mount_point));
            if point.ancestors().any(|above| own.contains(above.as_os_str().as_bytes())) {
                continue;
            }
            if mount.filesystem == "autofs" {
                let point = printable(&mount.mount_point);
                places.missing.push(format!("{point}: nothing is mounted there until it is used"));
            } else if places.others.len() == PLACES_MAX {
                left_out += 1;
            } else {
                let elsewhere = is_shown_elsewhere(table, root, &all, index);
                let shown = if elsewhere { Shown::Elsewhere } else { Shown::Here };
                let (point, storage) = (point.to_owned(), storage(mount));
                places.others.push(Place { point, shown, storage });
            }
        }
        places.others.sort_by_key(|place| place.storage);
        if left_out > 0 {
            let root = printable(root.as_os_str().as_bytes());
            places.missing.push(format!("{left_out} more mounts below {root}"));
        }
        places
    }
}

/// Block devices have a major number; these others have none and need no server all the same.
fn storage(mount: &Mount) -> Storage {
    const LOCAL: &[&str] = &["tmpfs", "ramfs", "devtmpfs", "overlay", "btrfs", "bcachefs", "zfs"];
    let block = mount.device.0 != 0 && mount.base_type() != "fuseblk";
    let known = LOCAL.contains(&mount.filesystem.as_str());
    if block || known { Storage::Local } else { Storage::Elsewhere }
}

fn is_below(point: &[u8], root: &Path) -> bool {
    let point = Path::new(OsStr::from_bytes(point));
    point != root && point.starts_with(root)
}

/// Whether the mount is what is seen at its point, and not hidden by a later one.
fn is_on_top(table: &Table, mount: &Mount) -> bool {
    table.find(&mount.mount_point).is_some_and(|top| top.id == mount.id)
}

/// Whether what the mount shows is also shown below `root` by another mount: one that shows a
/// directory above it of the same file system, or, of equal ones, the first. So of a bind mount and
/// its source, or of a loop of bind mounts, exactly one counts.
fn is_shown_elsewhere(table: &Table, root: &Path, all: &[&Mount], index: usize) -> bool {
    let Some(mount) = all.get(index).filter(|mount| mount.source_state == SourceState::Named)
    else {
        return false;
    };
    let shown = Path::new(OsStr::from_bytes(&mount.root));
    all.iter().enumerate().any(|(other_index, other)| {
        if other_index == index
            || other.device != mount.device
            || other.source_state == SourceState::Deleted
            || (other.root == mount.root && other_index > index)
        {
            return false;
        }
        let Ok(inside) = shown.strip_prefix(OsStr::from_bytes(&other.root)) else { return false };
        let there = Path::new(OsStr::from_bytes(&other.mount_point)).join(inside);
        let there = there.components().as_path();
        there.starts_with(root)
            && table.find(there.as_os_str().as_bytes()).is_some_and(|top| top.id == other.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::mountinfo;

    fn places(table: &str, root: &str) -> Places {
        Places::below(&mountinfo::parse(table.as_bytes()), Path::new(root))
    }

    fn shown(places: &Places) -> Vec<(&str, Shown)> {
        let all = places.others.iter();
        all.map(|place| (place.point.to_str().expect("UTF-8"), place.shown)).collect()
    }

    const HOST: &str = "1 0 8:1 / / rw - ext4 /dev/vda rw\n\
        2 1 0:5 / /proc rw - proc proc rw\n\
        3 2 0:6 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n\
        4 1 0:7 / /net rw - autofs /etc/auto.net rw\n\
        5 1 0:40 / /data/nfs rw - nfs4 server:/x rw\n\
        6 1 0:41 / /data/nfs rw - nfs4 server:/y rw\n\
        7 1 0:42 / /database rw - tmpfs tmpfs rw\n";

    #[test]
    fn of_the_mounts_below_only_those_on_top_count_and_none_of_the_kernels_own() {
        let all = places(HOST, "/");
        assert_eq!(shown(&all), [("/database", Shown::Here), ("/data/nfs", Shown::Here)]);
        let storages: Vec<_> = all.others.iter().map(|place| place.storage).collect();
        assert_eq!(storages, [Storage::Local, Storage::Elsewhere], "what may be dead comes last");
        assert_eq!(all.points.len(), 6, "none of them may be walked into from above");
        assert_eq!(all.missing, ["/net: nothing is mounted there until it is used"]);
        assert_eq!(shown(&places(HOST, "/data")), [("/data/nfs", Shown::Here)]);
        assert!(places(HOST, "/data/nfs").others.is_empty());
    }

    #[test]
    fn of_bind_mounts_each_directory_counts_once() {
        let table = "1 0 8:1 / / rw - ext4 /dev/vda rw\n\
            2 1 8:1 /data/a /data/b rw - ext4 /dev/vda rw\n\
            3 1 8:1 /data /data/loop rw - ext4 /dev/vda rw\n\
            4 1 8:1 /other /data/c rw - ext4 /dev/vda rw\n\
            5 1 8:1 /other/inner /data/d rw - ext4 /dev/vda rw\n\
            6 1 8:1 /other /data/e rw - ext4 /dev/vda rw\n\
            7 1 8:2 /other /data/f rw - ext4 /dev/vdb rw\n\
            8 1 8:1 /gone//deleted /data/g rw - ext4 /dev/vda rw\n";
        let expected = [
            ("/data/b", Shown::Elsewhere),
            ("/data/loop", Shown::Elsewhere),
            ("/data/c", Shown::Here),
            ("/data/d", Shown::Elsewhere),
            ("/data/e", Shown::Elsewhere),
            ("/data/f", Shown::Here),
            ("/data/g", Shown::Here),
        ];
        assert_eq!(shown(&places(table, "/data")), expected);
    }

    #[test]
    fn a_source_that_another_mount_hides_is_not_shown_elsewhere() {
        let table = "1 0 8:1 / / rw - ext4 /dev/vda rw\n\
            2 1 8:1 /data/a/x /data/b rw - ext4 /dev/vda rw\n\
            3 1 0:9 / /data/a rw - tmpfs tmpfs rw\n";
        let all = places(table, "/data");
        assert_eq!(shown(&all), [("/data/b", Shown::Here), ("/data/a", Shown::Here)]);
    }
}
