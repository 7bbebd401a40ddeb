//! The start of a `-shm` file; where the input allows, with copies that agree and a checksum that
//! holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::sqlite::wal::{Checksum, ChecksumOrder};
use tombolo_core::sqlite::wal_index::WalIndex;

fuzz_target!(|input: &[u8]| {
    let _ = WalIndex::read(input);
    let Some((first, rest)) = input.split_first_chunk::<40>() else { return };
    for order in [ChecksumOrder::LittleEndian, ChecksumOrder::BigEndian] {
        let word = |value: u32| match order {
            ChecksumOrder::LittleEndian => value.to_le_bytes(),
            ChecksumOrder::BigEndian => value.to_be_bytes(),
        };
        let mut copy = first.to_vec();
        copy[..4].copy_from_slice(&word(3_007_000));
        let sum = Checksum::default().over(&copy, order);
        copy.extend_from_slice(&word(sum.first));
        copy.extend_from_slice(&word(sum.second));
        let sealed = [&copy, &copy, rest].concat();
        if let Ok(index) = WalIndex::read(&sealed) {
            assert!(index.page_size_bytes == 0 || index.page_size_bytes.is_power_of_two());
        }
    }
});
