//! The start and the end of a rollback journal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::sqlite::journal::{self, JOURNAL_MAGIC, JournalContent, SUPER_JOURNAL_BYTES_MAX};

fuzz_target!(|input: &[u8]| {
    let _ = journal::judge(input, input.len() as u64);
    let _ = journal::super_journal(input);
    let mut sealed = [&JOURNAL_MAGIC, input].concat();
    if let JournalContent::Hot(header) = journal::judge(&sealed, sealed.len() as u64) {
        assert!(header.sector_bytes.is_power_of_two());
    }
    let sum = input.iter().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(*byte)));
    sealed.extend_from_slice(&(input.len() as u32).to_be_bytes());
    sealed.extend_from_slice(&sum.to_be_bytes());
    sealed.extend_from_slice(&JOURNAL_MAGIC);
    if let Some(name) = journal::super_journal(&sealed) {
        assert!(name.as_bytes().len() <= SUPER_JOURNAL_BYTES_MAX);
        assert_eq!(name.as_bytes(), input);
        assert!(!input.iter().any(u8::is_ascii_control));
    }
});
