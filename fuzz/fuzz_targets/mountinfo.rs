//! The kernel's table of mounts: paths and sources in it are whatever users mounted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tombolo_core::mountinfo::parse(bytes);
});
