//! Finds talk of versions that change: of the kernel, or of what provides the file system.

mod differ;
mod program;

use differ::versions_differ;
pub(super) use program::{Program, Versions, names_platform, told_apart};

use super::sentence::{self, Sentence};
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
const DOES_WELL: &[&str] =
    &["fine", "works", "worked", "ok", "good", "unaffected", "opens", "passes", "correct"];

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
    let program = program_versions(text);
    let own = Program::read(text);
    let of_program = |passage: &str| {
        says(passage, &["wal", "write-ahead"])
            || majors(passage).any(|one| program.contains(&one))
            || own.has_version_in(passage)
    };
    let named = |passage: &str| {
        PLATFORMS.iter().any(|platform| names(passage, platform))
            || client && says(passage, &["client"])
    };
    let said = sentence::sentences(text);
    const LABELS: &[&str] =
        &["app", "application", "kernels", "openers", "host", "journal_mode", "journal mode"];
    let labelled = |line: &&str| text::after_label(line, LABELS).is_some();
    let sentences: Vec<&str> =
        said.iter().map(|one| one.plain).filter(|line| !labelled(line)).take(2048).collect();
    let begins = |sentence: &str| {
        begins_with_change(sentence) && named(sentence) && !changes_program(sentence, client)
    };
    let compares = |sentence: &str| {
        compares_versions(sentence) && (named(sentence) || product && !of_program(sentence))
    };
    let side_by_side = |pair: &str| {
        versions_named(pair) > 1
            && says(pair, DOES_WELL)
            && (named(pair) || product && !of_program(pair))
    };
    // "all versions after 0.7.2" here, "0.7.2 is fine" there.
    const ILL: &[&str] = &["after", "since", "changed", "later", "newer", "fails", "broke", "from"];
    let of_product = |sentence: &&&str| versions_named(sentence) > 0 && !of_program(sentence);
    let mut versions = sentences.iter().filter(of_product).take(64);
    let well = versions.clone().position(|sentence| says(sentence, DOES_WELL));
    let ill = versions.position(|sentence| {
        let place = text::after_label(sentence, &["filesystem", "file system", "mount"]).is_some();
        (place || says(sentence, ILL)) && !says(sentence, DOES_WELL)
    });
    let apart = product && well.is_some() && ill.is_some();
    let served = holder.is_some_and(|kind| !kind.is_local());
    const PATCHES: &[&str] = &["patch", "commit", "kernel", "rc", "mainline"];
    let bisected = |sentence: &&str| {
        let back =
            opens(sentence, WAY_BACK) && says(sentence, PATCHES) || opens(sentence, &["bisect"]);
        back && !of_program(sentence)
    };
    // The label of the place names what has versions.
    let place = |line| text::after_label(line, &["filesystem", "file system", "mount"]);
    let served = served || text.lines().filter_map(place).any(named);
    apart
        || served && sentences.iter().any(bisected)
        || sentences.iter().any(|sentence| compares(sentence) || begins(sentence))
        || sentences.windows(2).any(|pair| side_by_side(&pair.join(", ")))
}

/// Whether a new version of the program turned WAL on: "WAL (since 0.41)", "release 3.3, which uses
/// WAL". What fails from then on is what WAL needs.
pub(super) fn wal_since(text: &Text) -> bool {
    const SINCE: &[&str] =
        &["since", "from", "new", "newer", "upgrad", "updat", "later", "switched"];
    text.lines().any(|line| {
        let labelled = text::after_label(line, &["journal_mode", "journal mode", "journal"]);
        labelled.is_some_and(|mode| mode.contains("wal") && mode.contains("since"))
            || line.split(". ").take(64).any(|sentence| {
                says(sentence, &["wal", "write-ahead"])
                    && opens(sentence, SINCE)
                    && opens(sentence, &["version", "release", "upgrad", "updat"])
                    && opens(sentence, &["use", "turn", "enabl", "switch", "default", "set"])
            })
    })
}

/// Whether a SQLite is named that is older than WAL (3.7.0, sqlite.org/wal.html).
pub(super) fn old_library(text: &Text) -> bool {
    text.lines().any(|line| {
        line.match_indices("sqlite").take(16).any(|(at, found)| {
            let rest = text::head(line.get(at + found.len()..).unwrap_or(""), 24);
            let mut numbers =
                rest.split([' ', '-', ':', 'v', '(']).filter(|part| part.contains('.'));
            let version = numbers.next().and_then(|number| number.strip_prefix("3."));
            let minor = version.and_then(|version| version.split(['.', ',', ')']).next());
            minor.and_then(|minor| minor.parse().ok()).is_some_and(|minor: u32| minor < 7)
        })
    })
}

/// "started with the upgrade from 0.36.5 to 0.36.8": it began with a new version of the program.
pub(super) fn since_upgrade(sentences: &[Sentence<'_>]) -> bool {
    const BEGAN: &[&str] = &["start*", "began", "begin*", "since", "after", "appear*", "came"];
    const UPGRADES: &[&str] = &["upgrad*", "updat*", "bump*"];
    sentences.iter().any(|one| {
        one.near(BEGAN, UPGRADES, 5) && !one.has(&["statement*", "query", "row", "rows"])
    })
}

/// Whether the file system comes from a driver that neither the kernel nor the maker of the server
/// provides: "through a third-party client driver".
pub(super) fn foreign_driver(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const FOREIGN: &[&str] =
        &["third-party", "third", "unofficial", "experimental", "homegrown", "beta", "community"];
    const DRIVERS: &[&str] = &["driver*", "client", "kext", "redirector"];
    const OWN: &[&str] =
        &["own", "custom", "prototype", "self-written", "experimental", "home-made", "homemade"];
    sentences.iter().any(|one| {
        let own = one.near(OWN, &["fuse", "vfs", "driver", "filesystem"], 2)
            && !one.has(&["kernel*", "vendor*", "docker*"]);
        let foreign = one.near(FOREIGN, DRIVERS, 5) && !one.has(&["start", "time", "try"]);
        (own || foreign) && !one.has(&["sqlite*"])
            || one.has(DRIVERS)
                && one.says(&["not microsoft's", "is not apple's", "not the vendor's"])
    })
}

/// "the kernel client returns zeros, ceph-fuse does not": another client of the same file system
/// does well.
pub(super) fn other_client_does_well(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const CLIENTS: &[&str] = &[
        "ceph-fuse", "ntfs-3g", "ntfs3", "client", "driver", "fuse", "implementation", "smbclient",
        "libnfs", "libsmb2", "winfsp",
    ];
    const OTHER: &[&str] = &["other", "another", "different", "kernel", "ceph-fuse", "user-space"];
    const WELL: &[&str] = &["works", "fine", "right", "correct*", "clean", "ok"];
    sentences.iter().any(|one| {
        let well = one.near(CLIENTS, WELL, 3) || one.says(&["does not", "do not", "doesn't"]);
        let two = one.places(CLIENTS).nth(1).is_some();
        two && well && one.near(OTHER, CLIENTS, 2) && !one.has(&["sqlite*", "work", "support"])
    })
}

/// "the vendor confirms a regression of its file sharing": who makes the file system owns up to it.
pub(super) fn owned_up_to(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const MAKERS: &[&str] =
        &["vendor*", "developer*", "maker*", "manufacturer", "upstream", "driver's", "maintainer*"];
    #[rustfmt::skip]
    const OWNS: &[&str] =
        &["confirm*", "acknowledg*", "admit*", "fixed", "fixes", "fix", "regression", "bug",
        "wrongly", "mistake", "our"];
    #[rustfmt::skip]
    const PLACES: &[&str] = &[
        "sharing", "driver*", "filesystem", "kernel", "virtiofs*", "client", "mount*", "fuse",
        "firmware", "nas", "fcntl", "flags", "locks", "pread", "fsync",
    ];
    sentences.iter().any(|one| {
        let place = one.has(PLACES) || one.says(&["file system", "shared folder", "file share"]);
        let own = one.near(MAKERS, OWNS, 5) && place && !one.denies() && !one.has(&["sqlite*"]);
        own || one.has(MAKERS) && one.has(&["reported", "found"]) && one.says(&["file system dev"])
    })
}

/// "a later commit of the kernel mends it", "narrowed down to the FUSE library": what was changed,
/// or found to be wrong, lies below the program.
pub(super) fn mended_below(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const MENDS: &[&str] =
        &["mend*", "patch*", "fixed", "fixes", "fix", "commit*", "merged", "corrected"];
    const FOUND: &[&str] = &["narrowed", "traced", "tracked", "isolated", "pinned"];
    #[rustfmt::skip]
    const BELOW: &[&str] =
        &["kernel", "filesystem", "driver", "fuse", "virtiofs*", "firmware", "overlayfs"];
    // What a user changes about a mount is no bug of it.
    #[rustfmt::skip]
    const SETTINGS: &[&str] = &[
        "mount*", "remount*", "mov*", "option*", "chown*", "permission*", "fsck*", "owner*",
        "sqlite*", "setting*", "transaction*", "disk", "local", "nfs*", "share",
    ];
    sentences.iter().filter(|one| text::after_label(one.plain, OF_SURROUNDINGS).is_none()).any(
        |one| {
            let below = |words: &[&str], reach: usize| {
                one.near(words, BELOW, reach)
                    || one.near(words, &["file"], reach)
                        && one.says(&["the file system", "the file-system"])
            };
            (below(MENDS, 4) || below(FOUND, 7)) && !one.denies() && !one.has(SETTINGS)
        },
    )
}

/// Labels of lines that say what the program and its surroundings are.
const OF_SURROUNDINGS: &[&str] = &[
    "app",
    "application",
    "filesystem",
    "file system",
    "kernels",
    "openers",
    "host",
    "journal_mode",
    "journal mode",
];

/// A way back helped, an older version does well, or two versions are held side by side.
fn compares_versions(sentence: &str) -> bool {
    let older = || opens(sentence, CHANGES) && says(sentence, &["older", "previous"]);
    let back = WAY_BACK_PHRASES.iter().any(|words| sentence.contains(words));
    let mended = opens(sentence, &["broke", "break"]) && opens(sentence, &["fixed", "fixes"])
        || says(sentence, &["broke", "breaks"]) && versions_named(sentence) > 1;
    let same =
        ["same with ", "same on ", "same using "].iter().any(|words| sentence.contains(words));
    mended && versions_named(sentence) > 0
        || back && versions_named(sentence) > 0
        || same && versions_named(sentence) > 0 && !says(sentence, &["not"])
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

/// The versions that the label of the application names, by their first numbers: what the text says
/// of such a version is said of the program.
fn program_versions(text: &Text) -> Vec<&str> {
    let label = |line| text::after_label(line, &["app", "application", "program"]);
    let platform = |label: &&str| !PLATFORMS.iter().any(|platform| names(label, platform));
    text.lines().filter_map(label).filter(platform).take(4).flat_map(majors).collect()
}

/// The first numbers of the versions in a passage.
fn majors(passage: &str) -> impl Iterator<Item = &str> {
    passage.split_whitespace().take(120).filter_map(|word| {
        let word = word.trim_start_matches(['v', '(', '"', '\'']);
        let (major, rest) = word.split_once('.')?;
        let number = !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit());
        (number && rest.starts_with(|letter: char| letter.is_ascii_digit())).then_some(major)
    })
}

/// Numbers with a point in them, as versions are.
fn versions_named(sentence: &str) -> usize {
    let number = |word: &&str| {
        // `1.6.0-rc3`, `1.6.0/driver`
        let word = word.split(['-', '/', '+']).next().unwrap_or(word);
        let word = word.trim_start_matches('v').trim_matches(['.', ',', ')', '(', ';', ':']);
        is_version(word)
    };
    sentence.split_whitespace().take(120).filter(number).count()
}

/// Three points make an address.
fn is_version(number: &str) -> bool {
    (1..3).contains(&number.matches('.').count())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
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
    use super::super::sentence::testing::finds;
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
    fn versions_of_the_program_are_its_own() {
        let changed = |report: &str| platform_changed(&Text::new(report), Some(FileSystem::Vboxsf));
        assert!(!changed("app: hub 0.42 in a container\n0.40.2 works, 0.41 and later fail"));
        assert!(changed("app: hub\n6.1.0 works, 6.1.2 and later fail"));
        assert!(!changed("3.2 works, from 3.3 on, which uses WAL, it fails"));
        assert!(wal_since(&Text::new("journal_mode: WAL (since 0.41)")));
        assert!(wal_since(&Text::new("since the release that turned WAL on")));
        assert!(!wal_since(&Text::new("journal_mode: WAL")));
    }

    #[test]
    fn old_libraries_and_upgrades() {
        assert!(old_library(&Text::new("SQLite 3.6 bundled with the program")));
        assert!(old_library(&Text::new("sqlite version 3.5.9")));
        assert!(!old_library(&Text::new("SQLite 3.45.1")));
        assert!(!old_library(&Text::new("SQLite3 with WAL")));
        let since = |report: &str| finds(since_upgrade, report);
        assert!(since("started with the upgrade from v0.36.5 to v0.36.8"));
        assert!(!since("the update statement starts"));
    }

    #[test]
    fn makers_of_file_systems_and_their_drivers() {
        let foreign = |report: &str| finds(foreign_driver, report);
        assert!(foreign("NFS through a third-party Windows client driver"));
        assert!(foreign("the experimental driver of the kernel"));
        assert!(!foreign("third start of the client"));
        let owned = |report: &str| finds(owned_up_to, report);
        assert!(owned("the vendor confirms a regression of its file sharing"));
        assert!(owned("the driver's developers acknowledge a cache bug"));
        assert!(!owned("the maintainer fixed it in the next release"));
        let well = |report: &str| finds(other_client_does_well, report);
        assert!(well("kernel client 5.4 returns zeros, ceph-fuse does not"));
        assert!(well("with the other driver, ntfs-3g, it works"));
        assert!(!well("one client, the driver does not support it"));
    }

    #[test]
    fn what_is_mended_below_the_program() {
        let below = |report: &str| finds(mended_below, report);
        for report in [
            "a later commit of the kernel mends it",
            "kernel patch merged last week",
            "fixed in the file system: handles are kept current",
            "narrowed down to the FUSE library below",
        ] {
            assert!(below(report), "{report}");
        }
        for report in [
            "fixed by moving the file system to another disk",
            "fixed by mounting the filesystem with flock",
            "each commit of a transaction asks the driver",
            "not fixed in the kernel",
            "kernels: fixed number of kernel threads",
        ] {
            assert!(!below(report), "{report}");
        }
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

    #[test]
    fn a_file_system_of_somebodys_own() {
        let own = |report: &str| finds(foreign_driver, report);
        assert!(own("served by a custom FUSE server"));
        assert!(!own("served by the kernel's own driver"));
        assert!(!own("the community file system"));
    }

    #[test]
    fn what_was_bisected_is_the_kernel() {
        let changed = |report: &str| platform_changed(&Text::new(report), Some(FileSystem::Smb));
        assert!(changed("bisected to a commit of the client"));
        assert!(!changed("the commit of the client fails"));
    }

    #[test]
    fn a_patch_that_was_taken_back_is_the_kernels() {
        let changed =
            |report: &str| platform_changed(&Text::new(report), Some(FileSystem::CopyOnWrite));
        assert!(changed("filesystem: btrfs\na regression in 6.3-rc2, reverting the patch cures"));
        assert!(!changed("filesystem: btrfs\nreverting the setting cures"));
    }
}
