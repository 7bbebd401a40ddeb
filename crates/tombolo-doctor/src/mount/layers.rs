//! Which mount holds what is written through an overlay.
//!
//! An overlay is local to its kernel, but its upper directory lies in some other file system, and
//! whoever reaches that reaches the files. Sources: `Documentation/filesystems/overlayfs.rst` of
//! Linux, `ovl_show_options` in `fs/overlayfs`.

use super::describe;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tombolo_core::mountinfo::Table;
use tombolo_core::report::{EvidenceKind, Mount, Observation, Outcome};
use tombolo_core::text::printable;

/// The mount below the overlay that holds `path`: that of its upper directory, or where it has none
/// and shows lower ones only, that of the topmost.
///
/// `None` where the path is on no overlay, and where the directory cannot be named from here: in a
/// container it is a path of the host.
#[must_use]
pub fn below(table: &Table, path: &Path) -> Option<(Mount, Observation)> {
    let overlay = table.find(path.as_os_str().as_bytes())?;
    if overlay.filesystem != "overlay" {
        return None;
    }
    let upper = overlay.super_option("upperdir").map(|upper| ("upper", upper));
    let (layer, directory) = upper.or_else(|| {
        let lower = overlay
            .super_option("lowerdir")
            .and_then(|lower| lower.split(|byte| *byte == b':').next())
            .or_else(|| overlay.super_option("lowerdir+"))?;
        Some(("lower", lower))
    })?;
    let found = table.find(directory).filter(|found| found.id != overlay.id)?;
    let mount = describe(found, Path::new(OsStr::from_bytes(directory)), None);
    let summary = format!(
        "its {layer} directory {} is on {} ({}), mounted at {}",
        printable(directory),
        mount.filesystem,
        mount.source,
        mount.mount_point
    );
    let observation =
        Observation::new(EvidenceKind::Mount, Outcome::Noted, summary).value("mount_id", found.id);
    Some((mount, observation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::mountinfo;

    const TABLE: &[u8] = b"1 0 8:1 / / rw - ext4 /dev/vda rw\n\
        2 1 0:40 / /mnt/share rw - 9p share rw,trans=virtio\n\
        3 1 0:41 / /on-share rw - overlay ov rw,lowerdir=/low,upperdir=/mnt/share/u,workdir=/w\n\
        4 1 0:42 / /on-disk rw - overlay ov rw,lowerdir=/mnt/share,upperdir=/u,workdir=/w\n\
        5 1 0:43 / /read-only ro - overlay ov ro,lowerdir=/mnt/share:/low\n";

    fn filesystem_below(table: &[u8], path: &str) -> Option<String> {
        below(&mountinfo::parse(table), Path::new(path)).map(|(mount, _)| mount.filesystem)
    }

    #[test]
    fn the_upper_directory_decides_and_the_topmost_lower_one_where_there_is_none() {
        for (path, expected) in [
            ("/on-share/app.db", Some("9p")),
            ("/on-disk/app.db", Some("ext4")),
            ("/read-only/app.db", Some("9p")),
            ("/mnt/share/app.db", None),
        ] {
            assert_eq!(filesystem_below(TABLE, path).as_deref(), expected, "{path}");
        }
        let (_, observation) =
            below(&mountinfo::parse(TABLE), Path::new("/on-share/app.db")).expect("a layer");
        assert_eq!(
            observation.summary,
            "its upper directory /mnt/share/u is on 9p (share), mounted at /mnt/share"
        );
    }

    #[test]
    fn a_directory_of_the_host_says_nothing_inside_a_container() {
        let container = b"1 0 0:41 / / rw - overlay overlay rw,lowerdir=/l/a:/l/b,upperdir=/l/c\n";
        assert_eq!(filesystem_below(container, "/data/app.db"), None);
        let relative = b"1 0 8:1 / / rw - ext4 /dev/vda rw\n\
            2 1 0:41 / /m rw - overlay overlay rw,lowerdir=l/A:l/B,upperdir=l/C\n";
        assert_eq!(filesystem_below(relative, "/m/app.db"), None);
    }
}
