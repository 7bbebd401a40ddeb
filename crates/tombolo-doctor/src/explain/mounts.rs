//! Reads mount lines: mountinfo, /proc/mounts, `mount`, fstab, and the volumes of compose files.

use super::sign::FileSystem;
use super::text::{self, Text};

/// A mount line found in a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MountLine {
    pub(super) kind: FileSystem,
    pub(super) fstype: String,
    pub(super) source: String,
    pub(super) mount_point: String,
    pub(super) options: Vec<String>,
}

/// What the mount lines and volumes of a report tell.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    pub(super) lines: Vec<MountLine>,
    /// A volume whose two sides are one database file.
    pub(super) single_file: bool,
    /// A volume or bind mounted `:ro`.
    pub(super) read_only: bool,
    /// A path of Windows' network redirector, `\\\\server\\share`.
    pub(super) unc_path: bool,
}

/// Mount lines kept: a whole mount table is at most looked at, not stored.
const LINES_KEPT: usize = 64;

pub(super) fn find(text: &Text) -> Mounts {
    let mut mounts = Mounts::default();
    for line in text.lines() {
        if let Some(mount) = mount_line(line)
            && mounts.lines.len() < LINES_KEPT
        {
            mounts.lines.push(mount);
        }
        mounts.single_file |= mounts_one_file(line);
        mounts.unc_path |= line.contains("\\\\") && text::head_words(line).any(is_unc_path)
            || line.contains("//") && text::head_words(line).any(is_smb_source);
        for volume in text::head_words(line).filter_map(volume) {
            mounts.single_file |= volume.single_file;
            mounts.read_only |= volume.read_only;
        }
    }
    mounts
}

/// File-system types that stand in mount tables and mean the path of a database, not the system's
/// own. Plain `ext4` and the like are left out: every table has them, for `/`.
pub(super) fn kind_of(fstype: &str) -> Option<FileSystem> {
    Some(match fstype {
        "nfs" | "nfs4" => FileSystem::Nfs,
        "cifs" | "smb3" | "smbfs" => FileSystem::Smb,
        "9p" => FileSystem::NineP,
        "drvfs" | "wslfs" | "lxfs" => FileSystem::WindowsDriveInWsl,
        "virtiofs" => FileSystem::Virtiofs,
        "fuse.grpcfuse" | "fuse.osxfs" | "grpcfuse" | "osxfs" | "fakeowner" => {
            FileSystem::DesktopShare
        }
        "fuse.sshfs" => FileSystem::Sshfs,
        "fuse.mergerfs" => FileSystem::Mergerfs,
        "fuse.shfs" => FileSystem::Shfs,
        "vboxsf" => FileSystem::Vboxsf,
        "fuse.vmhgfs-fuse" | "vmhgfs" => FileSystem::Vmhgfs,
        "prl_fs" => FileSystem::HypervisorShare,
        "fuse.gcsfuse" | "fuse.s3fs" | "fuse.rclone" | "fuse.goofys" | "fuse.mountpoint-s3"
        | "fuse.blobfuse2" | "fuse.juicefs" => FileSystem::ObjectStore,
        "lustre" => FileSystem::Lustre,
        "fuse.glusterfs" => FileSystem::Gluster,
        "ceph" | "fuse.ceph-fuse" => FileSystem::CephFs,
        "gpfs" | "beegfs" | "pvfs2" | "afs" | "gfs2" | "ocfs2" | "fuse.mfs" => FileSystem::Cluster,
        "fuse.portal" => FileSystem::DocumentPortal,
        "ntfs3" => FileSystem::Ntfs3,
        "fuseblk" => FileSystem::NtfsFuse,
        "exfat" | "vfat" => FileSystem::Fat,
        "jffs2" => FileSystem::Jffs2,
        "zfs" | "btrfs" => FileSystem::CopyOnWrite,
        _ => return None,
    })
}

fn mount_line(line: &str) -> Option<MountLine> {
    let fields: Vec<&str> = line.split_whitespace().take(24).collect();
    // mountinfo: ... - fstype source options
    if let Some(dash) = fields.iter().position(|field| *field == "-") {
        let rest = fields.get(dash + 1..)?;
        if let (Some(fstype), Some(source)) = (rest.first(), rest.get(1)) {
            let point = fields.get(4).filter(|field| field.starts_with('/')).copied();
            return build(fstype, source, point.unwrap_or(""), rest.get(2).copied());
        }
    }
    // mount(8): SOURCE on POINT type FSTYPE (options)
    if let [source, "on", point, "type", fstype, ..] = fields.as_slice() {
        return build(fstype, source, point, fields.get(5).copied());
    }
    // fstab and /proc/mounts: SOURCE POINT FSTYPE OPTIONS, perhaps behind a label
    let start = fields.iter().position(|field| field.starts_with('/') && field.len() > 1);
    let candidates = [start?, start? + 1];
    candidates.into_iter().find_map(|at| {
        let point = fields.get(at).filter(|field| field.starts_with('/'))?;
        let source = at.checked_sub(1).and_then(|before| fields.get(before)).unwrap_or(&"");
        build(fields.get(at + 1)?, source, point, fields.get(at + 2).copied())
    })
}

fn build(
    fstype: &str,
    source: &str,
    mount_point: &str,
    options: Option<&str>,
) -> Option<MountLine> {
    let options: Vec<String> = options
        .unwrap_or("")
        .trim_matches(['(', ')'])
        .split(',')
        .filter(|option| !option.is_empty())
        .map(str::to_owned)
        .collect();
    let mut kind = kind_of(fstype)?;
    let has = |wanted: &str| options.iter().any(|option| option == wanted);
    if kind == FileSystem::NineP && (has("trans=fd") && has("directfs") || has("disable_fifo_open"))
    {
        kind = FileSystem::GvisorGofer;
    }
    let drvfs = options.iter().any(|option| option.starts_with("aname=drvfs"));
    let drive = mount_point.strip_prefix("/mnt/").is_some_and(|rest| rest.len() == 1)
        && !has("trans=virtio");
    if kind == FileSystem::NineP && (drvfs || drive) {
        kind = FileSystem::WindowsDriveInWsl;
    }
    let (fstype, source, mount_point) =
        (fstype.to_owned(), source.to_owned(), mount_point.to_owned());
    Some(MountLine { kind, fstype, source, mount_point, options })
}

/// The long notations: `target: /data/app.db`, `"Destination": "/data/app.db"`,
/// `--mount type=bind,dst=/data/app.db`.
fn mounts_one_file(line: &str) -> bool {
    const LABELS: &[&str] = &["target", "mountpath", "destination", "\"destination\""];
    const KEYS: &[&str] = &["dst=", "target=", "destination="];
    let path = |value: &str| names_database(value.trim().trim_matches(['"', '\'', ',']));
    text::after_label(line, LABELS).is_some_and(path)
        || line.contains("type=bind")
            && line
                .split([',', ' '])
                .take(64)
                .any(|part| KEYS.iter().any(|key| part.strip_prefix(key).is_some_and(path)))
}

/// `\\\\server\\share`, and neither WSL's redirector nor a device.
fn is_unc_path(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', '(', ')', ',']);
    word.strip_prefix("\\\\").is_some_and(|path| {
        let server = path.split('\\').next().unwrap_or("");
        let other = server.starts_with("wsl") || matches!(server, "." | "?" | "");
        !other && path.len() > server.len() + 1
    })
}

/// `//server/share`, as the source of an SMB mount, and no URL or comment.
fn is_smb_source(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', '(', ')', ',']);
    word.strip_prefix("//").is_some_and(|path| {
        let server = path.split('/').next().unwrap_or("");
        let name = server.starts_with(|letter: char| letter.is_ascii_alphanumeric());
        name && !server.starts_with("wsl") && path.len() > server.len() + 1
    })
}

struct Volume {
    single_file: bool,
    read_only: bool,
}

/// `./app.db:/data/app.db:ro`, as in a compose file or behind `-v`.
fn volume(word: &str) -> Option<Volume> {
    let word = word.trim_matches(['"', '\'', ',', '(', ')', ';', '[', ']']).trim_end_matches('.');
    let mut parts = word.rsplit(':');
    let last = parts.next()?;
    let flags = !last.starts_with('/')
        && last.split(',').all(|flag| {
            matches!(flag, "ro" | "rw" | "z" | "cached" | "delegated" | "consistent" | "rslave")
        });
    let inside = if flags { parts.next()? } else { last };
    let outside = parts.next()?;
    let is_path = inside.starts_with('/') && !inside.starts_with("//") && !outside.is_empty();
    let single_file = is_path && names_database(inside) && names_database(outside);
    let read_only = is_path && flags && last.split(',').any(|flag| flag == "ro");
    Some(Volume { single_file, read_only })
}

fn names_database(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    [".db", ".sqlite", ".sqlite3", ".db3", ".sqlitedb"].iter().any(|ending| name.ends_with(ending))
}

/// Whether an option is worth showing.
pub(super) fn telling(option: &str) -> bool {
    const TELLING: &[&str] = &[
        "cache",
        "nolock",
        "nobrl",
        "soft",
        "hard",
        "vers",
        "nfsvers",
        "local_lock",
        "flock",
        "localflock",
        "noflock",
        "trans",
        "ro",
        "direct_io",
        "proto",
        "actimeo",
        "noac",
        "sync",
        "async",
        "msize",
        "version",
        "access",
        "cache.files",
        "dax",
        "intr",
        "locallocks",
    ];
    TELLING.contains(&option.split('=').next().unwrap_or(option))
}

/// A path of a database that the text names, for the steps of a remedy.
pub(super) fn database_path(text: &Text) -> Option<String> {
    text.lines().flat_map(text::head_words).find_map(|word| {
        let word = word.trim_matches(['"', '\'', ',', '(', ')', ';', ':', '.']);
        let plain = word.starts_with('/') && word.is_ascii() && word.len() < 200;
        (plain && names_database(word) && !word.contains(':')).then(|| word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(report: &str) -> MountLine {
        find(&Text::new(report)).lines.into_iter().next().expect("a mount line")
    }

    #[test]
    fn four_notations_of_a_mount() {
        for (report, kind, option) in [
            (
                "1 2 0:9 / /data rw,relatime - 9p tag rw,trans=virtio",
                FileSystem::NineP,
                "trans=virtio",
            ),
            ("mountinfo: ... rw - cifs //h/c rw,vers=1.0", FileSystem::Smb, "vers=1.0"),
            ("nas:/a on /b type nfs4 (rw,soft,vers=4.1)", FileSystem::Nfs, "soft"),
            ("fstab: tag /mnt/x 9p trans=virtio,_netdev 0 0", FileSystem::NineP, "_netdev"),
            ("server:/home /media/shared nfs nolock,rw", FileSystem::Nfs, "nolock"),
            ("//nas/share /mnt/s cifs nobrl,uid=0 0 0", FileSystem::Smb, "nobrl"),
            ("c:\\ /mnt/c 9p rw,aname=drvfs;path=c:\\ 0 0", FileSystem::WindowsDriveInWsl, "rw"),
            ("none /x 9p rw,trans=fd,disable_fifo_open", FileSystem::GvisorGofer, "rw"),
        ] {
            let mount = first(report);
            assert_eq!(mount.kind, kind, "{report}");
            assert!(mount.options.iter().any(|one| one == option), "{report}: {mount:?}");
        }
    }

    #[test]
    fn a_volume_of_one_file_is_seen() {
        assert!(find(&Text::new("- ./app.db:/data/app.db")).single_file);
        assert!(find(&Text::new("volumes: ./app.db:/data/app.db")).single_file);
        assert!(find(&Text::new("with ./app.db:/data/app.db. Then")).single_file);
        assert!(find(&Text::new("- type: bind\n  target: /data/app.db")).single_file);
        assert!(find(&Text::new("--mount type=bind,src=/x,dst=/data/app.db")).single_file);
        assert!(find(&Text::new("-v /x/app.sqlite3:/data/y.sqlite3:rw")).single_file);
        assert!(!find(&Text::new("- ./data:/data")).single_file);
        assert!(!find(&Text::new("jdbc:sqlite:/data/app.db")).single_file);
        assert!(find(&Text::new("- /srv/app:/data:ro")).read_only);
    }

    #[test]
    fn a_source_of_an_smb_mount() {
        let smb = |report: &str| find(&Text::new(report)).unc_path;
        assert!(smb("fstab has //box/files"));
        assert!(!smb("see https://example.org/page"));
        assert!(!smb("// a comment"));
    }
}
