//! A write-ahead log, fed in pieces: the pieces must not matter.
//!
//! The input is a recipe: the fuzzer cannot guess checksums, so the frames that it asks for are
//! sealed here, and what it adds behind them is taken as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tombolo_core::sqlite::wal::{
    Checksum, ChecksumOrder, Progress, Summariser, WAL_VERSION, WalHeader, WalSummary,
};

const PAGE_BYTES: usize = 512;

fn header(order: ChecksumOrder) -> WalHeader {
    let magic = match order {
        ChecksumOrder::LittleEndian => 0x377f_0682_u32,
        ChecksumOrder::BigEndian => 0x377f_0683,
    };
    let mut bytes = Vec::new();
    for word in [magic, WAL_VERSION, PAGE_BYTES as u32, 0, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    let sum = Checksum::default().over(&bytes, order);
    bytes.extend_from_slice(&sum.first.to_be_bytes());
    bytes.extend_from_slice(&sum.second.to_be_bytes());
    WalHeader::read(&bytes).expect("a sealed header")
}

fn summarise(header: WalHeader, bytes: &[u8], piece_bytes: usize) -> WalSummary {
    let mut summariser = Summariser::new(header);
    for piece in bytes.chunks(piece_bytes) {
        if summariser.feed(piece) == Progress::Done {
            break;
        }
    }
    summariser.finish()
}

fuzz_target!(|input: &[u8]| {
    let _ = WalHeader::read(input);
    let Some((&[flags, count, piece], rest)) = input.split_first_chunk::<3>() else { return };
    let order = if flags & 1 == 0 { ChecksumOrder::LittleEndian } else { ChecksumOrder::BigEndian };
    let header = header(order);
    let (mut log, mut sum) = (Vec::new(), header.checksum);
    let (recipe, tail) = rest.split_at(rest.len().min(usize::from(count)));
    for &byte in recipe {
        let mut frame =
            [u32::from(byte >> 2).to_be_bytes(), u32::from(byte & 3).to_be_bytes()].concat();
        let page = [byte; PAGE_BYTES];
        sum = sum.over(&frame, order).over(&page, order);
        frame.extend_from_slice(&[0; 8]);
        frame.extend_from_slice(&sum.first.to_be_bytes());
        frame.extend_from_slice(&sum.second.to_be_bytes());
        log.extend_from_slice(&frame);
        log.extend_from_slice(&page);
    }
    log.extend_from_slice(tail);
    let whole = summarise(header, &log, usize::MAX);
    assert_eq!(whole, summarise(header, &log, usize::from(piece) + 1));
    assert!(whole.committed_frames <= whole.frames);
    assert!(whole.frames <= (log.len() / (PAGE_BYTES + 24)) as u64);
    let sound = recipe.iter().take_while(|byte| **byte >> 2 != 0).count() as u64;
    assert!(whole.frames >= sound);
});
