//! The file system that holds the database, told from the others that a report names.

use super::mounts::Mounts;
use super::scan::{Meaning, Mention, Use};
use super::sentence;
use super::sign::{FileSystem, Sign};
use super::text::{self, Text};

/// Labels of lines that name the file system of the database.
const HOLDER_LABELS: &[&str] =
    &["filesystem", "file system", "fs", "fstype", "storage", "volume", "mount", "storage type"];

/// Labels of lines that name the program.
const PROGRAM_LABELS: &[&str] = &["app", "application", "program"];

/// The file system that holds the database: what a labelled or mount line says, then prose; a
/// share before the local disk below it; a name before "a share".
pub(super) fn holder(text: &Text, mentions: &[Mention], mounts: &Mounts) -> Option<FileSystem> {
    let labelled = ranges(text, HOLDER_LABELS);
    // What a program is, or is run by, tells where its files lie only where no label does.
    let of_program = match labelled.is_empty() {
        true => Vec::new(),
        false => ranges(text, PROGRAM_LABELS),
    };
    let named = |wanted: Use, everywhere: bool| -> Vec<FileSystem> {
        mentions
            .iter()
            .filter(|one| one.usage == wanted)
            .filter(|one| {
                everywhere
                    || labelled.iter().any(|range| range.contains(&one.start))
                    || is_measured(text, one)
            })
            .filter(|one| !of_program.iter().any(|range| range.contains(&one.start)))
            .filter(|one| !is_elsewhere(text, one))
            .filter_map(|one| match one.meaning {
                Meaning::On(kind) => Some(kind),
                Meaning::Says(_) => None,
            })
            .collect()
    };
    let mut mounted: Vec<FileSystem> = mounts.lines.iter().map(|line| line.kind).collect();
    mounted.extend(mounts.unc_path.then_some(FileSystem::Smb));
    let strong = named(Use::Asserted, false);
    let prose = named(Use::Asserted, true);
    // Where the VM keeps its own volumes is not where it shows those of the host.
    let own_volume = strong.contains(&FileSystem::Local)
        && strong.contains(&FileSystem::DesktopShare)
        && labelled_as_volume(text);
    let strong = if own_volume { vec![FileSystem::Local] } else { strong };
    let served = is_served(text, &strong);
    let strong = match served {
        true => strong.into_iter().filter(|kind| !kind.is_local()).collect(),
        false => strong,
    };
    let vague = strong.iter().all(|kind| kind.is_local() || is_vague(*kind));
    let first = match vague && labelled_as_local(text) && !served {
        true => Some(FileSystem::Local),
        false => choose(&strong),
    };
    let found = match first {
        Some(kind) if !is_vague(kind) => Some(kind),
        vague => choose(&mounted)
            .or_else(|| {
                let fuse = vague == Some(FileSystem::OtherFuse);
                (!fuse && labelled_local(text)).then_some(FileSystem::Local)
            })
            .or_else(|| {
                choose(&prose)
                    .filter(|kind| vague.is_none() || !is_vague(*kind) && !kind.is_local())
            })
            .or(vague)
            .or_else(|| choose(&named(Use::Contrasted, true)).filter(|kind| !kind.is_local())),
    };
    let platform = || by_program(text, mentions).filter(|_| !untold(text));
    let of_host = found.is_some_and(FileSystem::is_local) && !own_volume;
    if of_host && counted(text) == Some(FileSystem::HypervisorShare) {
        // A guest and its host both reach it, whatever the disk below is.
        return platform().filter(|kind| kind.is_vm_share()).or(Some(FileSystem::HypervisorShare));
    }
    if let Some(kind) = found.and_then(|kind| beside(text, mentions, &labelled, kind)) {
        return refine(kind, text, &prose, &mounted);
    }
    let exact = found.filter(|kind| !is_vague(*kind));
    let found = exact.or_else(platform).or(found).or_else(|| counted(text));
    refine(found?, text, &prose, &mounted)
}

/// Whether a server is counted, and a protocol of servers is named: then the file does not lie on
/// the local disk that is named beside it.
fn is_served(text: &Text, named: &[FileSystem]) -> bool {
    counted(text) == Some(FileSystem::UnnamedShare)
        && named.iter().any(|kind| kind.is_remote() && !is_vague(*kind))
}

/// "SMB for the media, the database is meant to be local", where a server is counted all the same:
/// the served file system that the label names beside a local one.
fn beside(
    text: &Text,
    mentions: &[Mention],
    labelled: &[std::ops::Range<usize>],
    found: FileSystem,
) -> Option<FileSystem> {
    let local = found.is_local() && found != FileSystem::NetworkBlock;
    let only = text.plain.contains("only for") || text.plain.contains("only media");
    if !local || only || counted(text) != Some(FileSystem::UnnamedShare) {
        return None;
    }
    let inside = |one: &&Mention| labelled.iter().any(|range| range.contains(&one.start));
    let asserted = mentions.iter().filter(|one| one.usage == Use::Asserted).filter(inside);
    asserted
        .filter_map(|one| match one.meaning {
            Meaning::On(kind) => Some(kind),
            Meaning::Says(_) => None,
        })
        .find(|kind| kind.is_remote() && !is_vague(*kind))
}

/// The file system that the label of the program gives away: "container in Docker Desktop".
fn by_program(text: &Text, mentions: &[Mention]) -> Option<FileSystem> {
    let ranges = ranges(text, PROGRAM_LABELS);
    let inside = |one: &&Mention| ranges.iter().any(|range| range.contains(&one.start));
    mentions.iter().filter(inside).find_map(|one| match one.meaning {
        Meaning::On(kind) if one.usage == Use::Asserted => Some(kind),
        _ => None,
    })
}

/// Whether the label of the place says that it is not told.
fn untold(text: &Text) -> bool {
    const UNTOLD: &[&str] = &["not ", "unknown", "unclear", "unspecified", "n/a", "none"];
    let place = |line| text::after_label(line, HOLDER_LABELS);
    text.lines().filter_map(place).any(|place| UNTOLD.iter().any(|words| place.contains(words)))
}

/// Whether the text tells which of a pool's two paths is used: the union, or a disk by itself.
pub(super) fn pool_path_told(text: &Text) -> bool {
    const PATHS: &[&str] =
        &["/mnt/user", "user share", "user-share", "/mnt/cache", "/mnt/disk", "fuse layer"];
    PATHS.iter().any(|path| text.plain.contains(path))
}

/// Words without which "not known" and the like are not about the place.
const ABOUT_PLACES: &[&str] = &[
    "mount*",
    "filesystem*",
    "fs",
    "volume*",
    "storage",
    "backing",
    "protocol",
    "share*",
    "kind",
    "type",
    "place",
    "path",
    "provider",
    "where",
    "underlying",
    "disk*",
    "drive*",
    "file",
    "behind",
    "pvc",
    "location",
    "which",
    "what",
    "some",
];

/// Whether a mention is about the database's place, where it would mean nothing otherwise: "the
/// mount is not known" in contrast to "when it broke is not known", and a directory that is
/// read-only in contrast to the root of a container that has a volume.
pub(super) fn is_about(text: &Text, mention: &Mention) -> bool {
    let before = text::tail(text.plain.get(..mention.start).unwrap_or(""), 100);
    let after = text::head(text.plain.get(mention.start..).unwrap_or(""), 60);
    match mention.meaning {
        Meaning::Says(Sign::MountNotTold) => {
            let near = text::clause_before(before).rsplit('\n').next().unwrap_or("");
            let near = text::words(near).chain(text::words(text::clause_after(after)));
            let mut near = near.chain(text::words(labelled_by(text, mention)));
            near.any(|word| sentence::is(word, ABOUT_PLACES))
        }
        Meaning::Says(Sign::ReadOnlyPlace | Sign::ReadOnlyOpen) => {
            let root = before.ends_with("--") || after.starts_with("read-only root");
            !(root && text.plain.contains("volume"))
        }
        // The kernel's text behind an I/O error is about the call, and not about the path.
        Meaning::Says(Sign::WrongPath) => {
            let line = before.rsplit('\n').next().unwrap_or("");
            !line.contains("i/o error") && !line.contains("table ")
        }
        _ => true,
    }
}

/// The label of the line in which a mention stands.
fn labelled_by<'text>(text: &'text Text, mention: &Mention) -> &'text str {
    let before = text::tail(text.plain.get(..mention.start).unwrap_or(""), 200);
    let line = before.rsplit('\n').next().unwrap_or("");
    line.split_once(':').map_or("", |(label, _)| label)
}

/// "might be iSCSI, might be a share", "don't know whether it is the user share or the disk".
pub(super) fn in_doubt(sentences: &[sentence::Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const PLACES: &[&str] = &[
        "share", "nfs*", "samba", "smb*", "cifs", "iscsi", "block", "local", "volume", "bind",
        "mount*", "disk", "lun", "emptydir", "hostpath", "pvc", "efs", "ebs", "9p", "virtiofs",
        "/mnt/user", "/mnt/cache", "cache", "bucket", "folder", "partition",
    ];
    const DOUBTS: &[&str] = &[
        "don't know whether",
        "don't know if",
        "do not know whether",
        "do not know if",
        "not know whether",
        "not sure whether",
        "not sure if",
        "unsure whether",
        "unclear whether",
        "unclear if",
        "no idea whether",
        "not clear whether",
    ];
    const MAY: &[&str] = &["could", "might", "may", "can"];
    sentences.iter().any(|one| {
        let two = one.places(PLACES).nth(1).is_some();
        let left_open =
            ["not stated", "not told", "not given", "not known", "not said", "not clear"];
        let unsure = one.has(&["unsure", "unclear", "unknown"])
            || one.says(&left_open)
            || one.has(&["sure"]) && one.denies();
        let doubt = one.says(DOUBTS) && one.has(PLACES) || two && unsure && one.has(&["or"]);
        let either =
            one.pair(MAY, &["be"]) && (one.has(&["or"]) || one.places(MAY).nth(1).is_some());
        let guessed = one.has(&["either", "probably", "maybe"]) && one.has(&["or"]);
        doubt || two && (either || guessed)
    })
}

/// Names of a share, and not of which kind.
pub(super) fn is_vague(kind: FileSystem) -> bool {
    use FileSystem::{HypervisorShare, OtherFuse, UnnamedShare};
    matches!(kind, UnnamedShare | OtherFuse | HypervisorShare)
}

fn choose(kinds: &[FileSystem]) -> Option<FileSystem> {
    // A box that exports a share by a protocol: on the other machine the protocol counts.
    let protocol = kinds.iter().find(|kind| matches!(kind, FileSystem::Nfs | FileSystem::Smb));
    if kinds.contains(&FileSystem::Shfs)
        && let Some(protocol) = protocol
    {
        return Some(*protocol);
    }
    let shares = || kinds.iter().filter(|kind| !kind.is_local());
    let block = kinds.iter().find(|kind| **kind == FileSystem::NetworkBlock);
    shares()
        .find(|kind| !is_vague(**kind))
        .or(block)
        .or_else(|| shares().next())
        .or_else(|| kinds.iter().find(|kind| **kind == FileSystem::CopyOnWrite))
        .or_else(|| kinds.first())
        .copied()
}

/// A word that makes the name more exact: a 9p mount in gVisor or WSL is not QEMU's.
fn refine(
    kind: FileSystem,
    text: &Text,
    prose: &[FileSystem],
    mounted: &[FileSystem],
) -> Option<FileSystem> {
    let also = |other: FileSystem| prose.contains(&other) || mounted.contains(&other);
    let exact = [
        FileSystem::GvisorGofer,
        FileSystem::Unikernel,
        FileSystem::WslFromWindows,
        FileSystem::WindowsDriveInWsl,
    ];
    if kind == FileSystem::NineP
        && let Some(exact) = exact.into_iter().find(|other| also(*other))
    {
        return Some(exact);
    }
    // The boxes call the folders of their own disks so.
    const BOXES: &[&str] =
        &["synology", "qnap", "truenas", "unraid", "asustor", "terramaster", "openmediavault"];
    if kind == FileSystem::HypervisorShare && BOXES.iter().any(|name| text.plain.contains(name)) {
        let elsewhere = text.plain.contains("mounted") || counted(text).is_some();
        return Some(if elsewhere { FileSystem::UnnamedShare } else { FileSystem::Local });
    }
    // What a sandboxing platform calls the container's disk is its root.
    if kind == FileSystem::Local && also(FileSystem::SandboxRoot) {
        return Some(FileSystem::SandboxRoot);
    }
    let shown = [FileSystem::WindowsDriveInWsl, FileSystem::WslFromWindows];
    let kind = match shown.into_iter().find(|other| also(*other)) {
        Some(side) if kind == FileSystem::WslOwnFiles => side,
        _ => kind,
    };
    if matches!(kind, FileSystem::WslOwnFiles | FileSystem::WslFromWindows) {
        return Some(wsl(text, kind));
    }
    if kind == FileSystem::Local && also(FileSystem::SyncedFolder) {
        return Some(FileSystem::SyncedFolder);
    }
    // What is mounted into a sandbox is not its root.
    let inner = [FileSystem::ObjectStore, FileSystem::Nfs, FileSystem::Smb];
    if kind == FileSystem::SandboxRoot
        && let Some(inner) = inner.into_iter().find(|other| also(*other))
    {
        return Some(inner);
    }
    Some(kind)
}

/// Which side of WSL it is: its own files, a Windows drive in it, or its files seen from Windows.
fn wsl(text: &Text, kind: FileSystem) -> FileSystem {
    const INSIDE: &[&str] = &["both in wsl", "in wsl", "inside wsl", "from wsl", "within wsl"];
    let opener = |line: &str| {
        text::after_label(line, &["kernels", "openers"])
            .is_some_and(|rest| INSIDE.iter().any(|words| rest.contains(words)))
    };
    if text.plain.contains("wsl$") || text.plain.contains("wsl.localhost") {
        return FileSystem::WslFromWindows;
    }
    if kind == FileSystem::WslOwnFiles {
        let version_2 = text.plain.contains("wsl2") || text.plain.contains("wsl 2");
        return if version_2 { FileSystem::Local } else { kind };
    }
    if text.lines().any(opener) { FileSystem::WslOwnFiles } else { kind }
}

/// Whether a label says in other words that the place is local: "local directory", "eMMC". A mount
/// or a volume may be anything all the same.
fn labelled_local(text: &Text) -> bool {
    const LOCAL: &[&str] = &[
        "local",
        "locally",
        "emmc",
        "card",
        "usb",
        "stick",
        "nvme",
        "phone",
        "ssd",
        "hdd",
        "disk",
        "overlayfs",
        "overlay",
        "device",
        "internal",
    ];
    text.lines().any(|line| {
        text::after_label(line, HOLDER_LABELS).is_some_and(|place| {
            let own = place.contains("container file") || place.contains("container's own");
            let left_open = ["not stated", "not told", "not named", "not given", "unknown"];
            let told =
                !left_open.iter().any(|words| place.contains(words)) || place.contains("one host");
            told && (own
                || text::words(place).enumerate().any(|(at, word)| {
                    let one = word.strip_suffix('s').unwrap_or(word);
                    (LOCAL.contains(&one) || LOCAL.contains(&word)) && !denied_at(place, at)
                }))
        })
    })
}

/// What a count of kernels implies where no file system is named: "1 client + server".
fn counted(text: &Text) -> Option<FileSystem> {
    let counts = |wanted: &str| {
        text.lines().any(|line| line.contains("kernels_opening") && line.contains(wanted))
    };
    if ["client + server", "client + nfs", "clients + server"].into_iter().any(counts) {
        return Some(FileSystem::UnnamedShare);
    }
    let guest = ["guest kernel + host", "guest + host", "guest and host"];
    guest.into_iter().any(counts).then_some(FileSystem::HypervisorShare)
}

/// "local volume of a NAS": the label begins with what it is.
fn labelled_as_local(text: &Text) -> bool {
    const KINDS: &[&str] =
        &["volume", "disk", "file", "drive", "storage", "nas", "ssd", "directory"];
    text.lines().filter_map(|line| text::after_label(line, HOLDER_LABELS)).any(|place| {
        let words: Vec<&str> = text::words(place).take(4).collect();
        words.windows(2).any(|pair| matches!(pair, ["local", kind] if KINDS.contains(kind)))
    })
}

/// "named volume, ext4 in the VM".
fn labelled_as_volume(text: &Text) -> bool {
    let place = |line| text::after_label(line, HOLDER_LABELS);
    text.lines().filter_map(place).any(|place| {
        place.contains("named volume")
            || place.contains("docker volume") && place.contains("ext4")
            || place.contains("inside the vm")
            || place.contains("in the vm")
    })
}

fn denied_at(place: &str, at: usize) -> bool {
    at.checked_sub(1)
        .and_then(|before| text::words(place).nth(before))
        .is_some_and(|word| matches!(word, "not" | "no" | "non" | "virtual"))
}

/// Whether a labelled line is about the place and names no kind of file system: "bind mount",
/// "a volume, kind not given".
pub(super) fn left_open(text: &Text, mentions: &[Mention]) -> bool {
    let ranges = ranges(text, HOLDER_LABELS);
    let named = |range: &std::ops::Range<usize>| {
        mentions.iter().any(|one| {
            range.contains(&one.start)
                && matches!(one.meaning, Meaning::On(kind) if kind != FileSystem::UnnamedShare)
        })
    };
    !ranges.is_empty()
        && !ranges.iter().any(named)
        && !labelled_local(text)
        && counted(text).is_none()
}

fn ranges(text: &Text, labels: &[&str]) -> Vec<std::ops::Range<usize>> {
    let mut offset = 0;
    let mut ranges = Vec::new();
    for line in text.plain.split_inclusive('\n') {
        if text::after_label(line, labels).is_some() && ranges.len() < 64 {
            ranges.push(offset..offset + line.len());
        }
        offset += line.len();
    }
    ranges
}

/// "findmnt says ext4": what a program has found out weighs more than what people believe.
fn is_measured(text: &Text, mention: &Mention) -> bool {
    const PROGRAMS: &[&str] = &["findmnt", "df -t", "stat -f", "mountinfo", "lsblk"];
    let before = text.plain.get(..mention.start).unwrap_or("");
    let before = text::clause_before(text::tail(before, 40));
    // What follows `-t` is asked for, and not found.
    let asked =
        before.trim_end().ends_with("-t") || before.contains("-t ") && before.contains("df");
    PROGRAMS.iter().any(|program| before.contains(program)) && !asked
}

/// "media on NFS" does not say where the database lies.
fn is_elsewhere(text: &Text, mention: &Mention) -> bool {
    #[rustfmt::skip]
    const MEDIA: &[&str] = &[
        "media", "movies", "backups", "recordings", "music", "videos", "downloads",
    ];
    // Where copies go.
    #[rustfmt::skip]
    const COPIES: &[&str] =
        &["snapshot", "snapshots", "uploaded", "ships", "shipped", "archived", "replicated"];
    const DATABASE: &[&str] =
        &["db", "database", "databases", "config", "data", "sqlite", "everything", "appdata"];
    let before = text.plain.get(..mention.start).unwrap_or("");
    let after = text.plain.get(mention.end..).unwrap_or("");
    let before = text::clause_before(text::tail(before, 60));
    let after = text::clause_after(text::head(after, 40));
    let near = || text::words(before).chain(text::words(after));
    let copies = text::words(before).any(|word| COPIES.contains(&word));
    (copies || near().any(|word| MEDIA.contains(&word)))
        && !before.contains("media server")
        && !near().any(|word| DATABASE.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::super::facts::Facts;
    use super::super::sentence::testing::finds;
    use super::*;

    fn holder_of(report: &str) -> Option<FileSystem> {
        Facts::read(report).file_system
    }

    #[test]
    fn the_holder_is_the_share_and_not_what_lies_below() {
        assert_eq!(holder_of("filesystem: mergerfs over ext4"), Some(FileSystem::Mergerfs));
        assert_eq!(holder_of("filesystem: ext4 on an iSCSI LUN"), Some(FileSystem::NetworkBlock));
        assert_eq!(holder_of("database on the local SSD, media on NFS"), Some(FileSystem::Local));
        assert_eq!(holder_of("fails on NFS but works on ext4"), Some(FileSystem::Nfs));
        assert_eq!(holder_of("not on NFS, it is ext4"), Some(FileSystem::Local));
        assert_eq!(holder_of("nothing said"), None);
        let measured = "it says \"on a network share\", but findmnt says ext4";
        assert_eq!(holder_of(measured), Some(FileSystem::Local));
    }

    #[test]
    fn a_9p_mount_in_a_sandbox_is_the_gofer() {
        let report = "runtime: gvisor\nnone /data 9p rw,trans=fd";
        assert_eq!(holder_of(report), Some(FileSystem::GvisorGofer));
    }

    #[test]
    fn two_places_that_are_both_thought_possible() {
        let doubt = |report: &str| finds(in_doubt, report);
        assert!(doubt("it may be the NFS export or the SMB share"));
        assert!(doubt("don't know if this is a bind mount"));
        assert!(doubt("a block device or a share, the tenant is not sure"));
        assert!(!doubt("media on the share, the database on the local disk"));
        assert!(!doubt("the volume may be full"));
    }

    #[test]
    fn what_a_guest_and_its_host_both_reach_is_no_local_disk() {
        let report = "filesystem: folder of a local disk\nkernels: kernels_opening: 1 guest + host";
        assert_eq!(holder_of(report), Some(FileSystem::HypervisorShare));
        let own = "app: shop in Docker Desktop\nfilesystem: Docker Desktop, named volume (ext4)";
        assert_eq!(holder_of(own), Some(FileSystem::Local));
    }

    #[test]
    fn the_protocol_counts_before_the_box_that_serves_it() {
        let report = "filesystem: NFS export of an Unraid box";
        assert_eq!(holder_of(report), Some(FileSystem::Nfs));
    }

    #[test]
    fn a_protocol_that_is_left_open() {
        let doubt = |report: &str| finds(in_doubt, report);
        assert!(doubt("by 9p or virtiofs is not told"));
        assert!(!doubt("nfs or smb, both fail"));
    }
}
