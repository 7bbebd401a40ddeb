//! Finds a file system that gives back other bytes than one program wrote, and comparisons that
//! leave only the file system as the culprit.

use super::sentence::Sentence;

/// "pread after pwrite returns old bytes", "zero-filled chunks in the copies", "md5sum differs
/// between two reads".
pub(super) fn differs(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const READS: &[&str] = &[
        "read", "reads", "reading", "pread*", "read-back", "readback", "md5sum", "sha256sum",
        "checksum*", "cmp", "hexdump", "copied", "copies", "copy",
    ];
    const BYTES: &[&str] = &["byte", "bytes", "page", "pages", "block*", "chunk*", "sector*"];
    #[rustfmt::skip]
    const WRONG: &[&str] = &[
        "differ*", "old", "zero", "zeros", "zeroes", "zero-filled", "zeroed", "garbage", "wrong",
        "stale", "swapped", "shifted", "mismatch*",
    ];
    sentences.iter().any(|one| {
        let read = one.near(READS, WRONG, 7) && (one.has(BYTES) || one.has(&["md5sum", "cmp"]));
        let bytes = one.near(BYTES, WRONG, 4) && one.has(&["after", "append*", "write*", "copy"]);
        let short = one.near(READS, &["short", "instead"], 6) && one.has(BYTES);
        let verified = one.near(&["verification*", "verify*"], &["fail*", "mismatch*"], 3)
            && one.has(&["file", "files", "reading", "copy", "copies"]);
        let sums = one.near(&["md5sum", "sha256sum", "checksum*"], &["differ*", "changes"], 4)
            && one.has(&["read", "reads", "runs", "copies", "copy", "cache*"]);
        (read || bytes || short || sums || verified)
            && !one.denies()
            && !one.has(&["row", "rows", "wal"])
    })
}

/// "the same program on ext4 and here compared", "same binary in a Linux guest on the same share is
/// fine": all else is equal.
pub(super) fn compared(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const MEANS: &[&str] = &[
        "strace", "trace*", "syscalls", "calls", "binary", "reproducer", "reproducible", "fio",
        "fsx", "xfstests", "test-case", "testcase",
    ];
    const SAME: &[&str] = &["same", "identical", "compared", "side"];
    const WELL: &[&str] = &["fine", "works", "ok", "passes", "differ*", "right", "clean"];
    // Another way to the same directory.
    #[rustfmt::skip]
    const WAYS: &[&str] = &[
        "osxfs", "grpc", "virtiofs", "framework", "overlayfs", "backend", "sshfs", "9p",
    ];
    const SOUND: &[&str] = &["fine", "right", "clean", "passes", "unaffected", "correct"];
    const SPARED: &[&str] =
        &["does not happen", "doesn't happen", "does not have it", "do not have it", "never has"];
    sentences.iter().any(|one| {
        let spared =
            one.has(WAYS) && (one.says(SPARED) || one.near(WAYS, SOUND, 8) && !one.denies());
        spared
            || one.has(MEANS) && one.has(SAME) && one.has(WELL) && !one.denies()
            || one.has(&["reproducer", "testcase", "fsx", "xfstests"]) && one.has(&["attached"])
    })
}

/// "the same load on ext4 on this disk is clean": neither the disk nor the program is at fault.
pub(super) fn other_local_clean(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const SAME: &[&str] = &["same", "identical", "this"];
    const THINGS: &[&str] =
        &["workload", "load", "test*", "program", "disk", "flash", "hardware", "machine", "box"];
    const OTHERS: &[&str] = &["ext4", "xfs", "btrfs", "zfs", "apfs", "ext3", "f2fs", "ntfs"];
    const WELL: &[&str] = &["fine", "works", "ok", "passes", "clean", "right", "unaffected", "no"];
    sentences.iter().any(|one| {
        one.near(SAME, THINGS, 2) && one.near(OTHERS, WELL, 8) && !one.has(&["not", "fails"])
    })
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn bytes_that_differ_are_found() {
        for report in [
            "a read right after the write gives the old bytes",
            "blocks come back as zeroes after an append",
            "sha256sum changes between two runs",
            "pread returned 100 bytes instead of 4096",
            "7 files fail verification when they are read back",
        ] {
            assert!(finds(differs, report), "{report}");
        }
        assert!(!finds(differs, "reads do not differ in a single byte"));
        assert!(!finds(differs, "the reader sees old rows"));
    }

    #[test]
    fn another_file_system_of_the_same_disk_is_told() {
        assert!(finds(other_local_clean, "The same test on xfs, same machine, passes."));
        assert!(!finds(other_local_clean, "The same test on xfs fails."));
    }

    #[test]
    fn a_comparison_leaves_the_file_system() {
        assert!(finds(compared, "The same binary on xfs passes."));
        assert!(finds(compared, "With gRPC FUSE it does not happen."));
        assert!(finds(compared, "With osxfs (legacy) the size is right."));
        assert!(!finds(compared, "With virtiofs it is not right either."));
        assert!(!finds(compared, "The same binary is deployed everywhere."));
    }
}
