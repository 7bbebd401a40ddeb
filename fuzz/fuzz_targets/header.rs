//! The first bytes of a database.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::sqlite::header::{self, Header, MAGIC};

fuzz_target!(|bytes: &[u8]| {
    // The magic in front lets every input reach the fields behind it.
    for bytes in [bytes.to_vec(), [MAGIC, bytes].concat()] {
        if let Ok(header) = Header::read(&bytes) {
            assert!(header::is_sqlite_header(&bytes));
            assert!(header.page_size_bytes().is_power_of_two());
            let _ = header.fit(bytes.len() as u64);
        }
    }
});
