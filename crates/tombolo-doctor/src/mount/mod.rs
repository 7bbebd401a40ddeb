//! Stage 2: the mount that holds the path.
//!
//! What the table of mounts says is known without touching the path; what the file system says of
//! itself (`statx`, `statfs`) is asked only where [`Touch`] allows it, because a dead server makes
//! the asking process hang.

mod layers;

pub use layers::below;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use tombolo_core::errno::Errno;
use tombolo_core::mountinfo::{self, SourceState, Table};
use tombolo_core::report::{EvidenceKind, Mount, Observation, Outcome};
use tombolo_core::text::printable;
use tombolo_os::mount_table::{self, Access, FileKind, Look};

/// Whether the path itself may be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Yes: this process may hang without harm.
    Allowed,
    /// No: answer from the table of mounts alone.
    TextOnly,
}

/// Finds the mount that holds an absolute path and says what it is.
///
/// `table` is that of the process through whose eyes the path is seen. The mount's row of the
/// knowledge base is not looked up here: [`Mount::knowledge`] stays empty.
#[must_use]
pub fn examine(table: &Table, path: &Path, touch: Touch) -> (Option<Mount>, Vec<Observation>) {
    let mut observations = Vec::new();
    let mut look = None;
    let mut resolved = path.to_owned();
    if touch == Touch::Allowed {
        match mount_table::look(path) {
            Ok(answer) => look = Some(answer),
            Err(errno) => observations.push(refused(path, errno)),
        }
        resolved = mount_table::resolve(path).unwrap_or(resolved);
    }
    let Some(found) = mount_table::locate(table, &resolved, look.as_ref()) else {
        observations.push(not_found(table, path));
        return (None, observations);
    };
    let mount = describe(found, &resolved, look.as_ref());
    observations.insert(0, observe(table, found, &mount, &resolved, look.as_ref()));
    (Some(mount), observations)
}

fn describe(found: &mountinfo::Mount, resolved: &Path, look: Option<&Look>) -> Mount {
    let names_the_path = mountinfo::lexical(resolved.as_os_str().as_bytes())
        .is_some_and(|path| path == found.mount_point);
    let is_a_file = look.is_some_and(|look| look.at == resolved && look.kind == FileKind::Regular);
    Mount {
        mount_point: printable(&found.mount_point),
        root: printable(&found.root),
        filesystem: printable(found.filesystem.as_bytes()),
        source: printable(&found.source),
        options: found.options.iter().map(|option| printable(option.as_bytes())).collect(),
        super_options: found.super_options.iter().map(|option| printable(option)).collect(),
        file_mount: names_the_path && is_a_file,
        deleted: found.source_state == SourceState::Deleted,
        statfs_magic: look.and_then(|look| look.space.ok()).map(|space| {
            match mount_table::magic_name(space.magic) {
                Some(name) => format!("0x{:x} ({name})", space.magic),
                None => format!("0x{:x}", space.magic),
            }
        }),
        knowledge: None,
    }
}

fn observe(
    table: &Table,
    found: &mountinfo::Mount,
    mount: &Mount,
    resolved: &Path,
    look: Option<&Look>,
) -> Observation {
    let summary = format!(
        "{} is on {} ({}), mounted at {} with {}",
        printable(resolved.as_os_str().as_bytes()),
        mount.filesystem,
        mount.source,
        mount.mount_point,
        comma_joined(&mount.options, &mount.super_options),
    );
    let named_by = if look.is_some_and(|look| look.mount_id == Some(found.id)) {
        "kernel"
    } else {
        "mount table"
    };
    let mut observation = Observation::new(EvidenceKind::Mount, Outcome::Noted, summary)
        .value("mount_id", found.id)
        .value("device", format!("{}:{}", found.device.0, found.device.1))
        .value("named_by", named_by);
    if table.malformed_lines() > 0 {
        observation = observation.value("malformed_lines", table.malformed_lines() as u64);
    }
    if table.left_out() > 0 {
        observation = observation.value("mounts_left_out", table.left_out() as u64);
    }
    match look.map(|look| look.space) {
        Some(Ok(space)) => {
            observation = observation
                .value("size_bytes", space.size_bytes)
                .value("available_bytes", space.available_bytes)
                .value("read_only", space.access == Access::ReadOnly);
            if let Some(inodes) = space.available_inodes {
                observation = observation.value("available_inodes", inodes);
            }
        }
        Some(Err(errno)) => observation = observation.value("statfs_error", errno.to_string()),
        None => {}
    }
    observation
}

/// All options once, those of the mount first.
fn comma_joined(options: &[String], super_options: &[String]) -> String {
    let more = super_options.iter().filter(|option| !options.contains(option));
    options.iter().chain(more).map(String::as_str).collect::<Vec<_>>().join(",")
}

fn refused(path: &Path, errno: Errno) -> Observation {
    let path = printable(path.as_os_str().as_bytes());
    Observation::new(EvidenceKind::Path, Outcome::Refused, format!("statx({path}): {errno}"))
        .errno(errno)
}

fn not_found(table: &Table, path: &Path) -> Observation {
    let path = printable(path.as_os_str().as_bytes());
    let summary =
        format!("none of the {} mounts that this process sees holds {path}", table.mounts().len());
    Observation::new(EvidenceKind::Mount, Outcome::NotRun, summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::report::Value;

    const TABLE: &[u8] = b"1 0 8:1 / / rw,relatime - ext4 /dev/vda rw,discard\n\
        2 1 0:40 / /data rw,relatime - 9p host\\040share rw,trans=virtio,cache=none\n\
        3 1 8:1 /srv/a//deleted /gone rw - ext4 /dev/vda rw\n";

    #[test]
    fn text_alone_names_the_mount_without_touching_it() {
        let table = mountinfo::parse(TABLE);
        let (mount, observations) = examine(&table, Path::new("/data/x.db"), Touch::TextOnly);
        let mount = mount.expect("a mount");
        assert_eq!((mount.mount_point.as_str(), mount.filesystem.as_str()), ("/data", "9p"));
        assert_eq!(mount.source, "host share");
        assert_eq!(mount.super_options, ["rw", "trans=virtio", "cache=none"]);
        assert_eq!((mount.statfs_magic, mount.file_mount, mount.deleted), (None, false, false));
        assert_eq!(
            observations[0].summary,
            "/data/x.db is on 9p (host share), mounted at /data with \
             rw,relatime,trans=virtio,cache=none"
        );
        assert_eq!(observations[0].values["named_by"], Value::Text("mount table".to_owned()));
    }

    #[test]
    fn a_deleted_source_is_told() {
        let table = mountinfo::parse(TABLE);
        let (mount, _) = examine(&table, Path::new("/gone/x"), Touch::TextOnly);
        assert!(mount.expect("a mount").deleted);
    }

    #[test]
    fn without_a_mount_the_observation_did_not_run() {
        let (mount, observations) = examine(&Table::default(), Path::new("/data"), Touch::TextOnly);
        assert!(mount.is_none());
        assert_eq!(observations[0].outcome, Outcome::NotRun);
    }

    #[test]
    fn a_file_that_is_a_mount_point_is_a_file_mount_and_a_directory_is_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let base = directory.path().canonicalize().expect("real path");
        let file = base.join("app.db");
        std::fs::write(&file, b"").expect("write");
        for (point, path, expected) in
            [(&file, &file, true), (&base, &base, false), (&base, &file, false)]
        {
            let line = format!("7 0 8:1 /x {} rw - ext4 /dev/sda rw\n", point.display());
            let table = mountinfo::parse(line.as_bytes());
            let (mount, _) = examine(&table, path, Touch::Allowed);
            assert_eq!(mount.expect("a mount").file_mount, expected, "{point:?} {path:?}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_asked_about_keeps_its_errno() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("file"), b"").expect("write");
        let table = mountinfo::parse(TABLE);
        let (_, observations) = examine(&table, &directory.path().join("file/x"), Touch::Allowed);
        let refusal = observations.iter().find(|entry| entry.kind == EvidenceKind::Path);
        assert_eq!(refusal.expect("a refusal").errno, Some(Errno::ENOTDIR));
    }
}
