//! Ordinary words: those of the manual, and names that say nothing of anybody.

use crate::finding::Code;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Users and hosts of distributions and images, options of mounts, and words of reports that the
/// manual may lack.
const GENERIC: &str = "root admin administrator user users guest nobody daemon default me \
    debian ubuntu fedora alpine arch centos rocky linux windows macos raspberrypi raspberry pi \
    localhost localdomain host hosts server servers client nas node nodes vm guest container \
    docker podman kubernetes lxc incus sandbox machine kernel cloud desktop home media data app \
    apps srv mnt var etc opt tmp run usr lib share shares volume volumes config database db sqlite \
    wal shm journal rw ro relatime noatime nodev nosuid noexec sync async hard soft vers trans \
    cache mmap none loose fscache access fuse ext4 xfs btrfs zfs tmpfs overlay nfs nfs4 cifs smb3 \
    virtiofs ninep mergerfs safe unsafe fails slow holds refused violated noted notice warning \
    fault danger healthy tombolo true false null yes no";

static ORDINARY: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let pages = Code::ALL.iter().flat_map(|code| [code.page(), code.title(), code.as_str()]);
    pages
        .chain([GENERIC])
        .flat_map(|text| text.split(|letter: char| !letter.is_ascii_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect()
});

/// Whether a name is also a word of the manual: then it is replaced at its place only. A single
/// letter is one as well.
pub(super) fn is_ordinary(name: &str) -> bool {
    name.chars().count() < 2 || ORDINARY.contains(&name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_manual_are_told_from_names() {
        for word in ["data", "lose", "WAL", "kernels", "Debian", "x"] {
            assert!(is_ordinary(word), "{word}");
        }
        for name in ["alice", "hunter2", "nas-7", "Alice Smith", "jdoe"] {
            assert!(!is_ordinary(name), "{name}");
        }
    }
}
