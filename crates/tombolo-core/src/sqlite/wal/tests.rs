use super::*;

/// A log of pages of 512 bytes; each frame is of a page and ends a transaction or does not.
fn log(order: ChecksumOrder, frames: &[(u32, u32)]) -> Vec<u8> {
    let magic = match order {
        ChecksumOrder::LittleEndian => MAGIC_LITTLE_ENDIAN,
        ChecksumOrder::BigEndian => MAGIC_BIG_ENDIAN,
    };
    let mut bytes = Vec::new();
    for word in [magic, WAL_VERSION, 512, 3, 0x1111, 0x2222] {
        bytes.extend_from_slice(&word.to_be_bytes());
    }
    let mut sum = Checksum::default().over(&bytes, order);
    bytes.extend_from_slice(&sum.first.to_be_bytes());
    bytes.extend_from_slice(&sum.second.to_be_bytes());
    for (index, (page_number, commit_size_pages)) in frames.iter().enumerate() {
        let page = [u8::try_from(index).unwrap() + 1; 512];
        let start = bytes.len();
        bytes.extend_from_slice(&page_number.to_be_bytes());
        bytes.extend_from_slice(&commit_size_pages.to_be_bytes());
        sum = sum.over(&bytes[start..], order).over(&page, order);
        for word in [0x1111, 0x2222, sum.first, sum.second] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(&page);
    }
    bytes
}

fn summarise(bytes: &[u8], piece_bytes: usize) -> WalSummary {
    let header = WalHeader::read(bytes).unwrap();
    let mut summariser = Summariser::new(header);
    for piece in bytes[WAL_HEADER_BYTES..].chunks(piece_bytes) {
        summariser.feed(piece);
    }
    summariser.finish()
}

const FRAMES: &[(u32, u32)] = &[(1, 0), (2, 2), (3, 0), (1, 4), (5, 0)];

#[test]
fn frames_and_commits_are_counted_in_both_orders_and_any_pieces() {
    for order in [ChecksumOrder::LittleEndian, ChecksumOrder::BigEndian] {
        let bytes = log(order, FRAMES);
        for piece_bytes in [1, 3, 7, 8, 13, 24, 100, 536, 537, 100_000] {
            let summary = summarise(&bytes, piece_bytes);
            assert_eq!((summary.frames, summary.committed_frames), (5, 4));
            assert_eq!(summary.committed_size_pages, Some(4));
            assert_eq!(summary.committed_page_one, Some([4; HEADER_BYTES]));
            assert_eq!(summary.end, ChainEnd::EndOfFile);
        }
    }
}

#[test]
fn each_end_of_the_chain_is_told() {
    let whole = log(ChecksumOrder::LittleEndian, FRAMES);
    let frame = |index: usize| WAL_HEADER_BYTES + index * 536;
    let end = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        let summary = summarise(&bytes, 1000);
        (summary.committed_frames, summary.end)
    };
    let cut = end(&|bytes| bytes.truncate(frame(1) + 30));
    assert_eq!(cut, (0, ChainEnd::PartialFrame { bytes: 30 }));
    let cut_in_header = end(&|bytes| bytes.truncate(frame(2) + 5));
    assert_eq!(cut_in_header, (2, ChainEnd::PartialFrame { bytes: 5 }));
    assert_eq!(end(&|bytes| bytes[frame(2) + 8] = 9), (2, ChainEnd::OtherSalts));
    assert_eq!(end(&|bytes| bytes[frame(2) + 3] = 0), (2, ChainEnd::PageZero));
    let broken = end(&|bytes| bytes[frame(2) + 40] ^= 1);
    assert_eq!(broken, (2, ChainEnd::Checksum { later_commits: 1 }));
    let torn_tail = end(&|bytes| bytes[frame(4) + 40] ^= 1);
    assert_eq!(torn_tail, (4, ChainEnd::Checksum { later_commits: 0 }));
}

#[test]
fn nothing_is_wanted_beyond_an_older_generation() {
    let mut bytes = log(ChecksumOrder::LittleEndian, FRAMES);
    bytes[WAL_HEADER_BYTES + 8] = 9;
    let mut summariser = Summariser::new(WalHeader::read(&bytes).unwrap());
    assert_eq!(summariser.feed(&bytes[WAL_HEADER_BYTES..]), Progress::Done);
}

#[test]
fn each_check_of_the_header_has_its_fault() {
    let whole = log(ChecksumOrder::BigEndian, &[]);
    let fault = |offset: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[offset] = value;
        WalHeader::read(&bytes).unwrap_err()
    };
    assert_eq!(fault(3, 0x84), WalHeaderFault::Magic(0x377f_0684));
    assert_eq!(fault(11, 1), WalHeaderFault::PageSize(513));
    assert_eq!(fault(16, 1), WalHeaderFault::Checksum);
    assert_eq!(fault(7, 1), WalHeaderFault::Checksum);
    assert_eq!(WalHeader::read(&whole[..31]), Err(WalHeaderFault::TooShort(31)));
    let mut other = whole.clone();
    other[4..8].copy_from_slice(&3_007_001_u32.to_be_bytes());
    let sum = Checksum::default().over(&other[..24], ChecksumOrder::BigEndian);
    other[24..28].copy_from_slice(&sum.first.to_be_bytes());
    other[28..32].copy_from_slice(&sum.second.to_be_bytes());
    assert_eq!(WalHeader::read(&other), Err(WalHeaderFault::Version(3_007_001)));
}
