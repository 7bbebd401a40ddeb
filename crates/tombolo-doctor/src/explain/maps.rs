//! Finds sentences in which a shared memory map is refused, whatever the program calls it.

use super::sentence::{FAILS, FAILS_SAID, Sentence};
use super::text::Text;

/// What a map is called by system calls, libraries and people.
pub(super) const MAPS: &[&str] = &[
    "mmap*",
    "map_shared",
    "memmap*",
    "memory-map*",
    "mappedbytebuffer*",
    "mapviewoffile*",
    "createfilemapping*",
    "map0",
    "xshmmap",
    "unixshmmap",
    "memorymappedfile*",
    "mmap_write",
    "map_failed",
];

/// The same in two words: "memory map", "file mapping".
const OF_MEMORY: &[&str] = &["memory", "shared", "file", "writable", "writeable", "write"];
const MAP: &[&str] = &["map", "maps", "mapping", "mappings", "mapped"];

/// Whether a sentence speaks of a memory map.
pub(super) fn spoken_of(sentence: &Sentence<'_>) -> bool {
    sentence.has(MAPS)
        || sentence.pair(OF_MEMORY, MAP)
        || sentence.says(&["filechannel.map", "into memory", "io::buffer.map", "io_buffer_map"])
}

/// "cannot memory map file", "mmap of the index fails", "mapping the file into memory: not
/// supported".
pub(super) fn refused(sentences: &[Sentence<'_>]) -> bool {
    const REACH: usize = 7;
    let known = sentences.iter().any(spoken_of);
    sentences.iter().any(|sentence| {
        let strong = sentence.fails_at(MAPS, REACH);
        let weak = || {
            (sentence.pair(OF_MEMORY, MAP) || sentence.says(&["into memory"]))
                && (sentence.near(MAP, FAILS, REACH) || sentence.says(FAILS_SAID))
        };
        // Once maps have been spoken of, "the mapping" is one.
        let again = || known && sentence.near(&["mapping", "mappings"], FAILS, REACH);
        let none =
            sentence.near(&["without", "no"], MAPS, 2) || sentence.near(&["without"], MAP, 2);
        let reading_only = sentence.pair(&["only"], &["read-only", "private"])
            && sentence.near(&["read-only", "private"], MAPS, 2);
        (strong || weak() || again() || none || reading_only) && !other_than_the_map(sentence)
    })
}

/// "mmap works, fsync fails", "the fault came from a map that was accepted".
fn other_than_the_map(sentence: &Sentence<'_>) -> bool {
    const DOES_WELL: &[&str] = &["works", "worked", "succeeds", "succeeded", "accepted", "fine"];
    sentence.follows(MAPS, DOES_WELL, 2)
        || sentence.has(&["sigbus", "fault*", "bus", "uid*", "user", "drive", "network"])
        || sentence.says(&["in_page_error", "page error", "mapped network", "mapped drive"])
}

/// "pages written through a shared map read back as zeros", "mapped content differs from the file".
pub(super) fn differs(sentences: &[Sentence<'_>]) -> bool {
    #[rustfmt::skip]
    const OTHER: &[&str] = &[
        "zero", "zeros", "zeroes", "zeroed", "differ*", "stale", "old", "mismatch*", "garbage",
        "unchanged", "invisible", "unwritten", "blank", "inconsistent", "incoherent", "diverge*",
    ];
    const UNSEEN: &[&str] = &[
        "not visible",
        "not see",
        "not reach",
        "not show",
        "never reach",
        "of before",
        "out of sync",
        "not the same",
        "not match",
        "not in sync",
        "not coherent",
    ];
    let known = sentences.iter().any(spoken_of);
    let about = |one: &Sentence<'_>| spoken_of(one) || known && one.has(&["map", "mapped", "maps"]);
    let mut files = sentences.iter().filter(|_| known);
    sentences.iter().any(|one| about(one) && (one.has(OTHER) || one.says(UNSEEN)))
        || files.any(|one| one.has(&["file*", "output"]) && one.has(&["zeros", "zeroed", "zeroes"]))
}

/// Whether the text names a store that maps its file by design, as LMDB and bolt do: it fails
/// wherever maps are refused, at the first open, and with whatever words.
pub(super) fn store(text: &Text) -> bool {
    const STORES: &[&str] = &[
        "lmdb",
        "mdb_env_open",
        "mdb_env",
        "mdbx",
        "libmdbx",
        "bbolt",
        "boltdb",
        "bolt database",
        "bolt db",
        "bolt.open",
        "memory-mapped database",
        "memory-mapped store",
    ];
    STORES.iter().any(|name| text.plain.contains(name))
}

#[cfg(test)]
mod tests {
    use super::super::sentence::testing::finds;
    use super::*;

    #[test]
    fn a_map_that_may_only_be_read() {
        assert!(finds(refused, "its manual promises only read-only mmap"));
        assert!(!finds(refused, "only read-only rows are shown on a map"));
    }

    #[test]
    fn a_refused_map_is_known_in_other_words() {
        for report in [
            "cannot memory map file '/x/logfile-1.db': 'system error'",
            "mmap of /tmp/.config fails",
            "dmesg: ntfs3: ino=8, mmap(write) compressed not supported",
            "could not map the database file into memory",
            "MapViewOfFile failed with error 1",
            "java.io.IOException: Map failed at FileChannelImpl.map0",
            "np.memmap: unable to create the array",
            "MemoryMappedFile.CreateFromFile throws: the shared mapping is not possible",
            "creating a file mapping was refused",
            "the kernel does not support writable mappings of this file",
        ] {
            assert!(finds(refused, report), "{report}");
        }
    }

    #[test]
    fn a_map_that_is_only_spoken_of_is_not_refused() {
        for report in [
            "open, truncate, mmap(MAP_SHARED), store, msync: every call returns success",
            "the config folder is mapped from the Mac, and the app fails",
            "a mapped network drive fails",
            "mmap works, fsync fails",
            "mmap_size=268435456",
            "SIGBUS in a page of the memory map: error",
            "user id mapping failed",
        ] {
            assert!(!finds(refused, report), "{report}");
        }
    }

    #[test]
    fn maps_that_differ_from_their_file() {
        let found = |report: &str| finds(differs, report);
        for report in [
            "pages written through a shared map read back as zeros after close",
            "mapped content differs from file content after mmap",
            "what is stored through mmap is not visible to read()",
            "open, truncate, mmap, msync succeed. The output file is silently zeroed",
            "read() after a write through the memory map returns the bytes of before",
        ] {
            assert!(found(report), "{report}");
        }
        assert!(!found("mmap fails with EINVAL"));
        assert!(!found("the file is full of zeros"));
    }

    #[test]
    fn stores_that_map_their_file() {
        assert!(store(&Text::new("a wallet (LMDB)")));
        assert!(!store(&Text::new("a bolt on the door")));
    }
}
