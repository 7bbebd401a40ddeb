//! The lines of the mount table that concern a path.

use super::MountLine;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_core::mountinfo::{Mount, Table, lexical};
use tombolo_core::text::printable;

/// Mounts that stand on one another, and mounts below the path, that are listed.
const LISTED_MAX: usize = 32;

/// The mount that holds an absolute path, those that it stands on, and those below the path. The
/// path itself is not touched.
#[must_use]
pub fn mount_lines(table: &Table, path: &Path) -> Vec<MountLine> {
    let Some(path) = lexical(path.as_os_str().as_bytes()) else { return Vec::new() };
    let mut holders = Vec::new();
    let mut next = table.find(&path);
    while let Some(mount) = next.filter(|_| holders.len() < LISTED_MAX) {
        holders.push(mount);
        next = table.by_id(mount.parent).filter(|parent| parent.id != mount.id);
    }
    let below = table.mounts().iter().filter(|mount| {
        mount.mount_point.strip_prefix(&*path).is_some_and(|rest| rest.starts_with(b"/"))
    });
    holders.into_iter().rev().chain(below.take(LISTED_MAX)).map(line).collect()
}

/// In the form of mount(8); the directory that is shown stands behind the source, as findmnt(8)
/// writes it.
fn line(mount: &Mount) -> MountLine {
    let source = printable(&mount.source);
    let root = printable(&mount.root);
    let shown = if root == "/" { String::new() } else { format!("[{root}]") };
    let mut options: Vec<String> =
        mount.options.iter().map(|option| printable(option.as_bytes())).collect();
    for option in mount.super_options.iter().map(|option| printable(option)) {
        if !options.contains(&option) {
            options.push(option);
        }
    }
    let line = format!(
        "{source}{shown} on {} type {} ({})",
        printable(&mount.mount_point),
        mount.filesystem,
        options.join(",")
    );
    MountLine { filesystem: mount.filesystem.clone(), source, line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::mountinfo::parse;

    #[test]
    fn the_mounts_of_a_path_are_listed_from_the_root_on() {
        let table = parse(
            b"20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n\
              30 20 0:40 / /srv rw,relatime - nfs4 nas:/export rw,vers=4.2\n\
              31 20 0:41 / /other rw - tmpfs tmpfs rw\n\
              32 30 0:42 /db /srv/app rw - 9p share rw,trans=virtio\n",
        );
        let lines = |path: &str| -> Vec<String> {
            mount_lines(&table, Path::new(path)).into_iter().map(|one| one.line).collect()
        };
        assert_eq!(
            lines("/srv"),
            [
                "/dev/sda1 on / type ext4 (rw,relatime)",
                "nas:/export on /srv type nfs4 (rw,relatime,vers=4.2)",
                "share[/db] on /srv/app type 9p (rw,trans=virtio)",
            ]
        );
        assert_eq!(lines("/other/x.db").len(), 2);
        assert!(lines("relative").is_empty());
    }
}
