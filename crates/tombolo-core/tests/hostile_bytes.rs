//! Bytes that anybody may have written: no parser panics, and none says more than it was given.
#![allow(clippy::unwrap_used)] // A helper that fails fails its test.

use proptest::collection::vec;
use proptest::prelude::*;
use tombolo_core::locktable::Strength;
use tombolo_core::sqlite::header::{self, HEADER_BYTES, Header, MAGIC, ParsedHeader};
use tombolo_core::sqlite::journal::{self, JOURNAL_MAGIC, JournalContent, SUPER_JOURNAL_BYTES_MAX};
use tombolo_core::sqlite::lock_bytes::{self, LockedFile};
use tombolo_core::sqlite::version::SqliteVersion;
use tombolo_core::sqlite::wal::{
    Checksum, ChecksumOrder, Progress, Summariser, WAL_HEADER_BYTES, WAL_VERSION, WalHeader,
    WalSummary,
};
use tombolo_core::sqlite::wal_index::{WalIndex, WalIndexFault};

/// The header of a log, whole, of pages of 512 bytes.
fn wal_header(order: ChecksumOrder) -> Vec<u8> {
    let magic = match order {
        ChecksumOrder::LittleEndian => 0x377f_0682_u32,
        ChecksumOrder::BigEndian => 0x377f_0683,
    };
    let mut bytes = Vec::new();
    for word in [magic, WAL_VERSION, 512, 0, 0, 0] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    let sum = Checksum::default().over(&bytes, order);
    bytes.extend_from_slice(&sum.first.to_be_bytes());
    bytes.extend_from_slice(&sum.second.to_be_bytes());
    bytes
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

/// Frames whose header carries the right salts and, where `sound`, the right checksum.
fn frames(order: ChecksumOrder, plan: &[(u32, u32, bool)]) -> Vec<u8> {
    let header = WalHeader::read(&wal_header(order)).unwrap();
    let (mut bytes, mut sum) = (Vec::new(), header.checksum);
    for (page_number, commit_size_pages, sound) in plan {
        let mut frame = [page_number.to_be_bytes(), commit_size_pages.to_be_bytes()].concat();
        let page = [*page_number as u8; 512];
        sum = sum.over(&frame, order).over(&page, order);
        frame.extend_from_slice(&[0; 8]);
        let first = if *sound { sum.first } else { !sum.first };
        frame.extend_from_slice(&first.to_be_bytes());
        frame.extend_from_slice(&sum.second.to_be_bytes());
        bytes.extend_from_slice(&frame);
        bytes.extend_from_slice(&page);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_as_a_header(mut bytes in vec(any::<u8>(), 0..200), magic in any::<bool>()) {
        if magic && bytes.len() >= MAGIC.len() {
            bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        }
        let parsed = ParsedHeader::parse(&bytes);
        let fits = bytes.len() >= HEADER_BYTES && header::is_sqlite_header(&bytes);
        prop_assert_eq!(parsed.is_ok(), fits);
        if let Ok(header) = Header::read(&bytes) {
            let size_bytes = header.page_size_bytes();
            prop_assert!(size_bytes.is_power_of_two() && (512..=65_536).contains(&size_bytes));
            let _ = header.fit(u64::MAX);
        }
    }

    #[test]
    fn any_bytes_as_a_wal_header(
        bytes in vec(any::<u8>(), 0..64),
    ) {
        prop_assert!(WalHeader::read(&bytes).is_err(), "64 bits of checksum");
    }

    #[test]
    fn any_bytes_as_frames(bytes in vec(any::<u8>(), 0..4000), piece_bytes in 1..900_usize) {
        for order in [ChecksumOrder::LittleEndian, ChecksumOrder::BigEndian] {
            let header = WalHeader::read(&wal_header(order)).unwrap();
            let summary = summarise(header, &bytes, piece_bytes);
            prop_assert_eq!(summary, summarise(header, &bytes, usize::MAX));
            prop_assert_eq!((summary.frames, summary.committed_frames), (0, 0));
        }
    }

    #[test]
    fn frames_count_up_to_the_first_that_is_not_sound(
        plan in vec((1..9_u32, 0..3_u32, prop::bool::weighted(0.9)), 0..12),
        piece_bytes in 1..1500_usize,
        cut_bytes in 0..600_usize,
    ) {
        for order in [ChecksumOrder::LittleEndian, ChecksumOrder::BigEndian] {
            let mut bytes = frames(order, &plan);
            bytes.truncate(bytes.len().saturating_sub(cut_bytes));
            let header = WalHeader::read(&wal_header(order)).unwrap();
            let summary = summarise(header, &bytes, piece_bytes);
            let whole = plan.iter().take(bytes.len() / 536);
            let sound: Vec<_> = whole.take_while(|(_, _, sound)| *sound).collect();
            let committed = sound.iter().rposition(|(_, size, _)| *size > 0).map_or(0, |at| at + 1);
            prop_assert_eq!(summary.frames, sound.len() as u64);
            prop_assert_eq!(summary.committed_frames, committed as u64);
            let page_one = sound[..committed].iter().any(|(page, _, _)| *page == 1);
            prop_assert_eq!(summary.committed_page_one, page_one.then_some([1; HEADER_BYTES]));
        }
    }

    #[test]
    fn any_bytes_as_a_wal_index(bytes in vec(any::<u8>(), 0..300)) {
        let mut twice = bytes.clone();
        if bytes.len() >= 96 {
            twice.copy_within(0..48, 48);
        }
        for bytes in [bytes, twice] {
            let expected_short = bytes.len() < 136;
            let fault = WalIndex::read(&bytes).expect_err("64 bits of checksum");
            prop_assert_eq!(matches!(fault, WalIndexFault::TooShort(_)), expected_short);
        }
    }

    #[test]
    fn any_bytes_as_a_journal(mut bytes in vec(any::<u8>(), 0..5000), size_bytes in any::<u64>()) {
        let _ = journal::judge(&bytes, size_bytes);
        let named = journal::super_journal(&bytes);
        prop_assert!(named.is_none_or(|name| name.as_bytes().len() < bytes.len()));
        for (target, byte) in bytes.iter_mut().zip(JOURNAL_MAGIC) {
            *target = byte;
        }
        if let JournalContent::Hot(header) = journal::judge(&bytes, size_bytes) {
            prop_assert!(u64::from(header.sector_bytes) <= size_bytes);
        }
    }

    #[test]
    fn any_name_as_a_super_journal(name in vec(any::<u8>(), 0..5000), absolute in any::<bool>()) {
        let mut name = name;
        if absolute && let Some(first) = name.first_mut() {
            *first = b'/';
        }
        let mut tail = name.clone();
        let sum: u32 = name.iter().map(|byte| u32::from(*byte)).sum();
        tail.extend_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
        tail.extend_from_slice(&sum.to_be_bytes());
        tail.extend_from_slice(&JOURNAL_MAGIC);
        let fits = name.len() <= SUPER_JOURNAL_BYTES_MAX
            && name.starts_with(b"/")
            && !name.iter().any(u8::is_ascii_control);
        prop_assert_eq!(journal::super_journal(&tail).is_some(), fits);
    }

    #[test]
    fn any_range_of_locks(first in any::<u64>(), last in any::<u64>()) {
        for file in [LockedFile::Database, LockedFile::WalIndex] {
            for strength in [Strength::Shared, Strength::Exclusive] {
                prop_assert!(lock_bytes::names(file, first..=last, strength).len() <= 9);
            }
        }
    }

    #[test]
    fn any_text_as_a_version(text in ".{0,20}") {
        if let Ok(version) = text.parse::<SqliteVersion>() {
            prop_assert!((3_000_000..4_000_000).contains(&version.number()));
        }
    }

    #[test]
    fn a_wal_header_needs_its_bytes(length in 0..WAL_HEADER_BYTES) {
        let bytes = wal_header(ChecksumOrder::BigEndian);
        prop_assert!(WalHeader::read(&bytes[..length]).is_err());
    }
}

#[test]
fn any_single_flipped_bit_of_a_wal_header_is_seen() {
    let good = wal_header(ChecksumOrder::LittleEndian);
    assert!(WalHeader::read(&good).is_ok());
    for flip in 0..256 {
        let mut flipped = good.clone();
        flipped[flip / 8] ^= 1 << (flip % 8);
        assert!(WalHeader::read(&flipped).is_err(), "bit {flip}");
    }
}

/// The last word is only added to the second sum (walformat.html, section 4.2): the same bit
/// flipped in the second salt and in the second checksum cancels out. SQLite takes such a header,
/// so the parser must, too.
#[test]
fn two_flips_in_the_last_salt_and_its_sum_cancel_out() {
    let good = wal_header(ChecksumOrder::LittleEndian);
    let mut flipped = good.clone();
    flipped[22] ^= 1;
    assert!(WalHeader::read(&flipped).is_err());
    flipped[29] ^= 1;
    let read = WalHeader::read(&flipped).expect("the flips cancel out");
    let before = WalHeader::read(&good).expect("whole");
    assert_ne!(read.salts, before.salts);
}
