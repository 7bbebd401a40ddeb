//! The first 136 bytes of a `-shm` file (walformat.html, section 2.1): two copies of a header in
//! the byte order of the machine, then what checkpoints and readers share.
//!
//! The wal-index says nothing that the log does not say as well; whoever opens a database first
//! builds it anew. It matters only while somebody works with it.

use super::wal::{
    Checksum, ChecksumOrder, FRAME_HEADER_BYTES, Salts, WAL_HEADER_BYTES, WAL_VERSION, WalSummary,
};
use super::words;

/// Bytes of both headers and of what stands behind them.
pub const WAL_INDEX_HEADER_BYTES: usize = 136;
/// Size to which SQLite truncates the file before it builds it anew (`os_unix.c`,
/// `unixLockSharedMemory`). A file of this size that programs have mapped was truncated under them.
pub const RESET_BYTES: u64 = 3;

/// Bytes of one copy of the header; also what `sqlite3_snapshot` hides (`sqlite3.h`, `wal.c`).
pub const COPY_BYTES: usize = 48;
const UNUSED_MARK: u32 = 0xffff_ffff;

/// Why there is no header to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalIndexFault {
    /// Fewer than 136 bytes.
    #[error("the file has {0} bytes, a wal-index begins with 136")]
    TooShort(usize),
    /// The version is 3007000 in neither byte order.
    #[error("the first word is {0:#010x}, not a wal-index's version")]
    Version(u32),
    /// Not initialised: the next to open it builds it anew.
    #[error("the header is not initialised")]
    NotInitialised,
    /// The two copies differ: a writer is at work between them, or stopped there.
    #[error("the two copies of the header differ")]
    CopiesDiffer,
    /// The checksum of the header does not hold.
    #[error("the checksum of the header does not hold")]
    Checksum,
    /// Not a size of a page.
    #[error("the page size field is {0}")]
    PageSize(u16),
}

/// What a whole wal-index header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalIndex {
    /// Grows with each transaction.
    pub change_counter: u32,
    /// Byte order of the checksums in the log.
    pub wal_checksum_order: ChecksumOrder,
    /// Bytes of a page.
    pub page_size_bytes: u32,
    /// The last committed frame, counted from 1; 0 when the log is empty.
    pub max_frame: u32,
    /// Size of the database in pages.
    pub size_pages: u32,
    /// The checksum of the last committed frame.
    pub frame_checksum: Checksum,
    /// The salts of the log.
    pub salts: Salts,
    /// Frames that checkpoints have copied into the database.
    pub backfilled_frames: u32,
    /// Frames that a checkpoint has begun to copy: at least `backfilled_frames`.
    pub backfill_attempted_frames: u32,
    /// For each of five slots the last frame its readers may look at; `None` when it was never
    /// used. A mark stays when its readers leave.
    pub read_marks: [Option<u32>; 5],
}

impl WalIndex {
    /// Reads the start of a `-shm` file, written on a machine of either byte order.
    ///
    /// The bytes change under a reader while a program writes: after
    /// [`WalIndexFault::CopiesDiffer`] or [`WalIndexFault::Checksum`], read again before you
    /// believe it.
    ///
    /// # Errors
    ///
    /// The first check that fails; those of `walIndexTryHdr`, and the version.
    pub fn read(bytes: &[u8]) -> Result<Self, WalIndexFault> {
        let too_short = WalIndexFault::TooShort(bytes.len());
        let bytes = bytes.first_chunk::<WAL_INDEX_HEADER_BYTES>().ok_or(too_short)?;
        let (first, rest) = bytes.split_first_chunk::<COPY_BYTES>().ok_or(too_short)?;
        let (second, rest) = rest.split_first_chunk::<COPY_BYTES>().ok_or(too_short)?;
        if first != second {
            return Err(WalIndexFault::CopiesDiffer);
        }
        let (header, order) = WalIndexHeader::read_in_order(first)?;
        let native = |word: u32| match order {
            ChecksumOrder::BigEndian => word,
            ChecksumOrder::LittleEndian => word.swap_bytes(),
        };
        let checkpoint = words::big_endian::<10>(rest).ok_or(too_short)?.map(native);
        let [backfilled_frames, m0, m1, m2, m3, m4, _, _, backfill_attempted_frames, _] =
            checkpoint;
        Ok(WalIndex {
            change_counter: header.change_counter,
            wal_checksum_order: header.wal_checksum_order,
            page_size_bytes: header.page_size_bytes,
            max_frame: header.max_frame,
            size_pages: header.size_pages,
            frame_checksum: header.frame_checksum,
            salts: header.salts,
            backfilled_frames,
            backfill_attempted_frames,
            read_marks: [m0, m1, m2, m3, m4].map(|mark| (mark != UNUSED_MARK).then_some(mark)),
        })
    }

    /// How it fits the log it stands beside.
    #[must_use]
    pub fn agreement(&self, wal: &WalSummary) -> Agreement {
        if self.max_frame == 0 {
            // A restart puts new salts here first and into the log with the next commit.
            return Agreement::Empty;
        }
        if self.salts != wal.header.salts {
            return Agreement::OtherGeneration;
        }
        if self.page_size_bytes != wal.header.page_size_bytes {
            return Agreement::OtherPageSize;
        }
        match u64::from(self.max_frame).cmp(&wal.committed_frames) {
            std::cmp::Ordering::Greater => Agreement::FramesMissing,
            std::cmp::Ordering::Less => Agreement::Behind,
            std::cmp::Ordering::Equal if self.frame_checksum != wal.committed_checksum => {
                Agreement::OtherContent
            }
            std::cmp::Ordering::Equal => Agreement::Agrees,
        }
    }
}

/// One copy of the header: what names a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalIndexHeader {
    /// Grows by one with each commit; recovery begins anew.
    pub change_counter: u32,
    /// Byte order of the checksums in the log.
    pub wal_checksum_order: ChecksumOrder,
    /// Bytes of a page; 0 after the recovery of an empty log.
    pub page_size_bytes: u32,
    /// The last committed frame, counted from 1; 0 when the log is empty.
    pub max_frame: u32,
    /// Size of the database in pages; 0 after the recovery of an empty log.
    pub size_pages: u32,
    /// The checksum of the last committed frame.
    pub frame_checksum: Checksum,
    /// The salts of the log.
    pub salts: Salts,
}

impl WalIndexHeader {
    /// Reads one copy, written on a machine of either byte order.
    ///
    /// # Errors
    ///
    /// The first check that fails; those of `walIndexTryHdr` but the comparison of the copies, and
    /// the version.
    pub fn read(bytes: &[u8; COPY_BYTES]) -> Result<Self, WalIndexFault> {
        Self::read_in_order(bytes).map(|(header, _)| header)
    }

    /// Bytes of the log up to its last frame; 0 where it has none.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        let frame_bytes = FRAME_HEADER_BYTES as u64 + u64::from(self.page_size_bytes);
        match self.max_frame {
            0 => 0,
            frames => WAL_HEADER_BYTES as u64 + u64::from(frames) * frame_bytes,
        }
    }

    fn read_in_order(bytes: &[u8; COPY_BYTES]) -> Result<(Self, ChecksumOrder), WalIndexFault> {
        let stored = words::big_endian::<12>(bytes).ok_or(WalIndexFault::TooShort(COPY_BYTES))?;
        let [raw_version, ..] = stored;
        let order = match raw_version {
            WAL_VERSION => ChecksumOrder::BigEndian,
            swapped if swapped.swap_bytes() == WAL_VERSION => ChecksumOrder::LittleEndian,
            0 => return Err(WalIndexFault::NotInitialised),
            other => return Err(WalIndexFault::Version(other)),
        };
        let native = |word: u32| match order {
            ChecksumOrder::BigEndian => word,
            ChecksumOrder::LittleEndian => word.swap_bytes(),
        };
        let [_, _, _, flags, _, _, _, _, salt_first, salt_second, _, _] = stored;
        let [_, _, change_counter, _, max_frame, size_pages, rest_words @ ..] = stored.map(native);
        let [sum_first, sum_second, _, _, own_first, own_second] = rest_words;
        let [initialised, big_endian_checksums, size_high, size_low] = flags.to_be_bytes();
        if initialised == 0 {
            return Err(WalIndexFault::NotInitialised);
        }
        let (covered, _) = bytes.split_at(40);
        let own = Checksum { first: own_first, second: own_second };
        if Checksum::default().over(covered, order) != own {
            return Err(WalIndexFault::Checksum);
        }
        let page_size_field = match order {
            ChecksumOrder::BigEndian => u16::from_be_bytes([size_high, size_low]),
            ChecksumOrder::LittleEndian => u16::from_le_bytes([size_high, size_low]),
        };
        let wal_checksum_order = match big_endian_checksums {
            0 => ChecksumOrder::LittleEndian,
            _ => ChecksumOrder::BigEndian,
        };
        let header = WalIndexHeader {
            change_counter,
            wal_checksum_order,
            page_size_bytes: index_page_size(page_size_field, max_frame)?,
            max_frame,
            size_pages,
            frame_checksum: Checksum { first: sum_first, second: sum_second },
            // Copied from the log byte by byte, so they stay big-endian on every machine.
            salts: Salts([salt_first, salt_second]),
        };
        Ok((header, order))
    }
}

/// Recovery of an empty log leaves the size at 0; with frames it must be one.
fn index_page_size(field: u16, max_frame: u32) -> Result<u32, WalIndexFault> {
    match words::page_size_bytes(field) {
        Some(size_bytes) => Ok(size_bytes),
        None if field == 0 && max_frame == 0 => Ok(0),
        None => Err(WalIndexFault::PageSize(field)),
    }
}

/// How a wal-index fits a log that was read at about the same time. While writers work, the one
/// that was read later is ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It names the last commit of the log.
    Agrees,
    /// It says that the log is empty or about to be restarted; the log may still hold old frames.
    Empty,
    /// The log has later commits: written since, or by a program that died before it said so.
    Behind,
    /// It names frames that the log does not have.
    FramesMissing,
    /// It belongs to another generation of the log, or to another log.
    OtherGeneration,
    /// Another page size.
    OtherPageSize,
    /// The same last frame with another checksum.
    OtherContent,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wal-index of a machine of this byte order.
    fn sample(order: ChecksumOrder) -> [u8; WAL_INDEX_HEADER_BYTES] {
        let word = |value: u32| match order {
            ChecksumOrder::LittleEndian => value.to_le_bytes(),
            ChecksumOrder::BigEndian => value.to_be_bytes(),
        };
        let mut copy = [0; COPY_BYTES];
        for (offset, value) in [(0, WAL_VERSION), (8, 5), (16, 9), (20, 3), (24, 77), (28, 78)] {
            copy[offset..offset + 4].copy_from_slice(&word(value));
        }
        copy[12] = 1;
        match order {
            ChecksumOrder::LittleEndian => copy[14..16].copy_from_slice(&4096_u16.to_le_bytes()),
            ChecksumOrder::BigEndian => copy[14..16].copy_from_slice(&4096_u16.to_be_bytes()),
        }
        copy[32..36].copy_from_slice(&0x0102_0304_u32.to_be_bytes());
        copy[36..40].copy_from_slice(&0x0506_0708_u32.to_be_bytes());
        let sum = Checksum::default().over(&copy[..40], order);
        copy[40..44].copy_from_slice(&word(sum.first));
        copy[44..48].copy_from_slice(&word(sum.second));
        let mut bytes = [0; WAL_INDEX_HEADER_BYTES];
        bytes[..48].copy_from_slice(&copy);
        bytes[48..96].copy_from_slice(&copy);
        for (offset, value) in [(96, 4), (104, 9), (108, UNUSED_MARK), (128, 6)] {
            bytes[offset..offset + 4].copy_from_slice(&word(value));
        }
        bytes
    }

    #[test]
    fn a_whole_header_is_read_in_both_byte_orders() {
        for order in [ChecksumOrder::LittleEndian, ChecksumOrder::BigEndian] {
            let index = WalIndex::read(&sample(order)).unwrap();
            assert_eq!((index.max_frame, index.size_pages, index.page_size_bytes), (9, 3, 4096));
            assert_eq!(index.salts, Salts([0x0102_0304, 0x0506_0708]));
            assert_eq!(index.frame_checksum, Checksum { first: 77, second: 78 });
            assert_eq!((index.backfilled_frames, index.backfill_attempted_frames), (4, 6));
            assert_eq!(index.read_marks, [Some(0), Some(9), None, Some(0), Some(0)]);
            let copy = *sample(order).first_chunk::<COPY_BYTES>().unwrap();
            let header = WalIndexHeader::read(&copy).unwrap();
            assert_eq!((header.max_frame, header.salts), (index.max_frame, index.salts));
            assert_eq!((header.change_counter, header.size_pages), (5, 3));
        }
    }

    #[test]
    fn each_check_has_its_fault() {
        let good = sample(ChecksumOrder::LittleEndian);
        let both = |offset: usize, value: u8| {
            let mut bytes = good;
            bytes[offset] = value;
            bytes[offset + COPY_BYTES] = value;
            WalIndex::read(&bytes)
        };
        assert_eq!(both(12, 0), Err(WalIndexFault::NotInitialised));
        assert_eq!(both(16, 8), Err(WalIndexFault::Checksum));
        assert!(matches!(both(0, 1), Err(WalIndexFault::Version(_))));
        let mut one = good;
        one[16] = 8;
        assert_eq!(WalIndex::read(&one), Err(WalIndexFault::CopiesDiffer));
        assert_eq!(WalIndex::read(&good[..135]), Err(WalIndexFault::TooShort(135)));
        assert_eq!(WalIndex::read(&[0; 136]), Err(WalIndexFault::NotInitialised));
    }
}
