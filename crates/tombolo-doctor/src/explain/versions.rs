//! Finds talk of versions that change: of the kernel, or of what provides the file system.

use super::sign::FileSystem;
use super::text::{self, Text};

/// Stems of words for a way back to an older version, which names the newer one as the culprit.
const WAY_BACK: &[&str] = &["downgrad", "regress", "bisect", "revert"];
/// The same in several words.
const WAY_BACK_PHRASES: &[&str] =
    &["going back to", "went back to", "roll back to", "gone back to"];

/// Openings of words for a change of version.
const CHANGES: &[&str] = &["updat", "upgrad", "newer", "version", "release"];

/// Words for the version that does well, beside the one that does not.
const FINE: &[&str] =
    &["fine", "works", "ok", "okay", "clean", "good", "gone", "unaffected", "stable", "not"];

/// The surer of them, for two sentences.
const DOES_WELL: &[&str] = &["fine", "works", "worked", "ok", "good", "unaffected"];

/// The SQLite library and its drivers, as they name themselves.
const DRIVERS: &[&str] = &[
    "modernc",
    "go-sqlite3",
    "ncruces",
    "better-sqlite3",
    "node-sqlite3",
    "libsql",
    "bun:sqlite",
    "rusqlite",
    "libsqlite3-sys",
    "sqlx",
    "sqlite-jdbc",
    "system.data.sqlite",
    "microsoft.data.sqlite",
    "sqlitepcl",
    "libsqlite3",
    "sqlcipher",
    "wcdb",
    "grdb",
    "apsw",
    "pysqlite",
    "aiosqlite",
    "exqlite",
    "sqlite library",
    "sqlite driver",
    "sqlite version",
];

/// Whether the trouble came or went with a version of the SQLite library or its driver.
pub(super) fn driver_changed(text: &Text) -> bool {
    const MOVES: &[&str] = &["bump", "downgrad", "upgrad", "updat", "regress", "revert", "bisect"];
    text.lines().flat_map(|line| line.split(". ").take(64)).any(|sentence| {
        MOVES.iter().any(|stem| sentence.contains(stem))
            && DRIVERS.iter().any(|driver| names(sentence, driver))
            && text::words(sentence)
                .take(120)
                .any(|word| MOVES.iter().any(|stem| word.starts_with(stem)))
    })
}

/// Words by which a change of version turns things.
const TURNS: &[&str] = &[
    "since", "after", "until", "older", "previous", "fixed", "fixes", "solved", "solves", "cured",
    "helped",
];

/// Products that provide a file system, or the kernel below it.
const PLATFORMS: &[&str] = &[
    "kernel",
    "macos",
    "docker desktop",
    "orbstack",
    "colima",
    "podman machine",
    "rancher desktop",
    "virtiofs",
    "openzfs",
    "zfs",
    "btrfs",
    "bcachefs",
    "truenas",
    "unraid",
    "proxmox",
    "qemu",
    "dsm",
    "wsl",
    "windows update",
    "firmware",
    "gvisor",
    "runsc",
    "mergerfs",
    "fuse-overlayfs",
    "overlayfs",
    "virtualbox",
    "guest additions",
    "samba",
    "cifs",
    "ntfs3",
    "ceph",
    "gluster",
    "lustre",
    "lima",
    "vmware",
    "parallels",
    "hyper-v",
    "nfs client",
    "smb client",
    "cifs client",
    "nfs server",
    "libfuse",
    "sshfs",
    "rclone",
    "gcsfuse",
    "juicefs",
    "virtiofsd",
    "virtio-fs",
    "fuse driver",
    "fuse client",
    "filesystem driver",
    "file system driver",
    "csi driver",
    "plan9",
    "9p",
];

/// File systems that come as programs with a version of their own.
const fn is_product(kind: FileSystem) -> bool {
    use FileSystem::{
        CephFs, Cluster, Gluster, GvisorGofer, Lustre, Mergerfs, ObjectStore, OtherFuse, Sshfs,
    };
    kind.is_vm_share()
        || matches!(
            kind,
            OtherFuse
                | GvisorGofer
                | Cluster
                | Mergerfs
                | ObjectStore
                | Sshfs
                | CephFs
                | Gluster
                | Lustre
        )
}

/// Whether the trouble came or went with a version of what provides the file system.
pub(super) fn platform_changed(text: &Text, holder: Option<FileSystem>) -> bool {
    let product = holder.is_some_and(is_product);
    let client = product || holder == Some(FileSystem::UnnamedShare);
    let named = |passage: &str| {
        PLATFORMS.iter().any(|platform| names(passage, platform))
            || client && says(passage, &["client"])
    };
    text.lines().any(|line| {
        let sentences: Vec<&str> = line.split(". ").take(64).collect();
        let begins = |sentence: &str| {
            begins_with_change(sentence) && named(sentence) && !changes_program(sentence, client)
        };
        let compares = |sentence: &str| compares_versions(sentence) && (product || named(sentence));
        let side_by_side = |pair: &str| {
            versions_named(pair) > 1 && says(pair, DOES_WELL) && (product || named(pair))
        };
        sentences.iter().any(|sentence| compares(sentence) || begins(sentence))
            || sentences.windows(2).any(|pair| side_by_side(&pair.join(", ")))
    })
}

/// A way back helped, an older version does well, or two versions are held side by side.
fn compares_versions(sentence: &str) -> bool {
    let older = || opens(sentence, CHANGES) && says(sentence, &["older", "previous"]);
    let back = WAY_BACK_PHRASES.iter().any(|words| sentence.contains(words));
    back && versions_named(sentence) > 0
        || opens(sentence, WAY_BACK)
        || says(sentence, FINE) && (versions_named(sentence) > 1 || older())
}

/// It began or ended with a new version, is seen in an early one, or is mended in a later one.
fn begins_with_change(sentence: &str) -> bool {
    const EARLY: &[&str] = &["beta", "preview", "insider", "nightly"];
    const MENDED: &[&str] = &["fixed in ", "fixed by ", "fixed with ", "patched in "];
    let mended = || {
        MENDED
            .iter()
            .filter_map(|words| sentence.split_once(words))
            .any(|(_, rest)| rest.contains(|letter: char| letter.is_ascii_digit()))
    };
    opens(sentence, CHANGES) && says(sentence, TURNS)
        || opens(sentence, EARLY) && says(sentence, FINE)
        || mended()
}

/// "after upgrading the app": what changed is the program, whatever else the sentence names.
fn changes_program(sentence: &str, client: bool) -> bool {
    const PROGRAMS: &[&str] =
        &["app", "application", "program", "image", "container", "bot", "plugin", "add-on"];
    const ARTICLES: &[&str] = &["the", "my", "our", "this", "sync", "desktop", "to", "of", "a"];
    let mut words = text::words(sentence)
        .take(120)
        .skip_while(|word| !CHANGES.iter().any(|stem| word.starts_with(stem)));
    words.next();
    words
        .find(|word| !ARTICLES.contains(word))
        .is_some_and(|word| PROGRAMS.contains(&word) || word == "client" && !client)
}

fn opens(sentence: &str, stems: &[&str]) -> bool {
    text::words(sentence).take(120).any(|word| stems.iter().any(|stem| word.starts_with(stem)))
}

fn says(sentence: &str, list: &[&str]) -> bool {
    text::words(sentence).take(120).any(|word| list.contains(&word))
}

/// Numbers with a point in them, as versions are.
fn versions_named(sentence: &str) -> usize {
    let number = |word: &&str| {
        // `1.6.0-rc3`, `1.6.0/driver`
        let word = word.split(['-', '/', '+']).next().unwrap_or(word);
        let word = word.trim_start_matches('v').trim_matches(['.', ',', ')', '(', ';', ':']);
        // Three points make an address.
        (1..3).contains(&word.matches('.').count())
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    sentence.split_whitespace().take(120).filter(number).count()
}

fn names(sentence: &str, platform: &str) -> bool {
    let edge = |letter: Option<char>| !letter.is_some_and(char::is_alphanumeric);
    sentence.match_indices(platform).take(8).any(|(at, found)| {
        edge(sentence.get(..at).and_then(|before| before.chars().next_back()))
            && edge(sentence.get(at + found.len()..).and_then(|after| after.chars().next()))
    })
}

/// Whether the text names a Linux kernel before 3.15, which has no open-file-description locks
/// (fcntl(2), "Open file description locks"). Enterprise kernels carry them under older numbers.
pub(super) fn old_kernel(text: &Text) -> bool {
    text.lines().any(|line| {
        !line.contains(".el")
            && ["linux ", "kernel ", "linux-"].iter().any(|label| {
                line.match_indices(label)
                    .take(16)
                    .filter_map(|(at, found)| line.get(at + found.len()..))
                    .filter_map(version)
                    .any(|version| ((2, 4)..(3, 15)).contains(&version))
            })
    })
}

/// The first two numbers of `3.10.108`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|letter: char| !letter.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    text.get(1..)?.starts_with('.').then_some(())?;
    Some((major, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_the_platform_is_told_from_one_of_the_program() {
        let changed =
            |report: &str| platform_changed(&Text::new(report), Some(FileSystem::DesktopShare));
        assert!(changed("it stops when I downgrade to the release before"));
        assert!(changed("since the last kernel update"));
        assert!(changed("the older version of virtiofs has no such trouble"));
        assert!(changed("desktop 4.27: it fails. 4.26 was fine"));
        assert!(!changed("since version 4 of the app turns WAL on"));
        assert!(!changed("it lies on a docker desktop mount"));
        let local = platform_changed(&Text::new("downgrading the app helps"), None);
        assert!(!local);
    }

    #[test]
    fn old_kernels_are_known_by_their_number() {
        for report in ["Linux 3.10.108 x86_64", "kernel 2.6.32", "linux-3.2.40"] {
            assert!(old_kernel(&Text::new(report)), "{report}");
        }
        for report in ["Linux 3.10.0-957.el7.x86_64", "kernel 6.1.0", "linux 22.04", "Linux 5.10"] {
            assert!(!old_kernel(&Text::new(report)), "{report}");
        }
    }
}
