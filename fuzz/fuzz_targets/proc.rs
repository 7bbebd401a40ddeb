//! What `/proc` says of programs, and the files that they have mapped: names, paths and contents in
//! it are whatever those programs chose.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::sqlite::lock_bytes::LockedFile;
use tombolo_core::sqlite::source_id;
use tombolo_core::{cgroup, locktable, memory_map};

fuzz_target!(|bytes: &[u8]| {
    for lock in locktable::parse(bytes) {
        for file in [LockedFile::Database, LockedFile::WalIndex] {
            assert!(!locktable::lock_names(file, &lock).is_empty());
        }
    }
    let _ = memory_map::parse(bytes).count();
    let _ = (cgroup::container(bytes), cgroup::paths(bytes).count());
    let _ = source_id::find(bytes);
});
