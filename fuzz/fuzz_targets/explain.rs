//! The text of an error, as people paste it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = tombolo_doctor::explain::explain(&String::from_utf8_lossy(bytes));
});
