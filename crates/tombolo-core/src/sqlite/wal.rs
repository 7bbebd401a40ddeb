//! The write-ahead log (file format, section 4; walformat.html, section 1): a header of 32 bytes,
//! then frames of 24 bytes and a page each. A frame belongs to the log as long as it carries the
//! header's salts and the checksum of everything before it; a frame that names a database size ends
//! a transaction. Where the chain breaks, the log ends for SQLite, whatever follows.
//!
//! [`Summariser`] follows the chain as the bytes stream by, in constant memory.

use super::header::HEADER_BYTES;
use super::words;

mod checksum;
mod summary;

pub use checksum::{Checksum, ChecksumOrder};
pub use summary::{ChainEnd, Progress, Summariser, WalSummary};

/// Length of the header of the log.
pub const WAL_HEADER_BYTES: usize = 32;
/// Length of the header of a frame.
pub const FRAME_HEADER_BYTES: usize = 24;
/// The one format version there is.
pub const WAL_VERSION: u32 = 3_007_000;

const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;

/// Two numbers that tell one generation of the log from the next: when the log is restarted, the
/// first grows by one and the second is drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Salts(pub [u32; 2]);

/// Why bytes are not the header of a write-ahead log. SQLite then takes the log for empty, but
/// refuses to open one of another version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalHeaderFault {
    /// Fewer than 32 bytes.
    #[error("the file has {0} bytes, a WAL header has 32")]
    TooShort(usize),
    /// Neither 0x377f0682 nor 0x377f0683.
    #[error("the first word is {0:#010x}, not a WAL's")]
    Magic(u32),
    /// Not a power of two from 512 to 65536.
    #[error("the page size is {0}")]
    PageSize(u32),
    /// The header's own checksum does not hold.
    #[error("the checksum of the header does not hold")]
    Checksum,
    /// Not 3007000: SQLite says "unable to open database file".
    #[error("the WAL format version is {0}, SQLite knows 3007000")]
    Version(u32),
}

/// The header of a log that SQLite would read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalHeader {
    /// Byte order of the words that checksums are made of.
    pub checksum_order: ChecksumOrder,
    /// Bytes of a page: a power of two from 512 to 65536.
    pub page_size_bytes: u32,
    /// Counts the restarts of the log.
    pub checkpoint_sequence: u32,
    /// The salts of this generation.
    pub salts: Salts,
    /// The checksum of the header, with which the chain begins.
    pub checksum: Checksum,
}

impl WalHeader {
    /// Reads a header, with the checks of `walIndexRecover` in their order.
    ///
    /// # Errors
    ///
    /// The first check that fails.
    pub fn read(bytes: &[u8]) -> Result<Self, WalHeaderFault> {
        let words = words::big_endian::<8>(bytes).ok_or(WalHeaderFault::TooShort(bytes.len()))?;
        let [magic, version, page_size_bytes, checkpoint_sequence, rest @ ..] = words;
        let [salt_first, salt_second, sum_first, sum_second] = rest;
        let checksum_order = match magic {
            MAGIC_LITTLE_ENDIAN => ChecksumOrder::LittleEndian,
            MAGIC_BIG_ENDIAN => ChecksumOrder::BigEndian,
            other => return Err(WalHeaderFault::Magic(other)),
        };
        if !words::is_page_size(page_size_bytes) {
            return Err(WalHeaderFault::PageSize(page_size_bytes));
        }
        let checksum = Checksum { first: sum_first, second: sum_second };
        let covered = bytes.get(..24).unwrap_or_default();
        if Checksum::default().over(covered, checksum_order) != checksum {
            return Err(WalHeaderFault::Checksum);
        }
        if version != WAL_VERSION {
            return Err(WalHeaderFault::Version(version));
        }
        let salts = Salts([salt_first, salt_second]);
        Ok(WalHeader { checksum_order, page_size_bytes, checkpoint_sequence, salts, checksum })
    }

    /// Bytes of one frame: its header and a page.
    #[must_use]
    pub fn frame_bytes(&self) -> u64 {
        FRAME_HEADER_BYTES as u64 + u64::from(self.page_size_bytes)
    }
}

/// The header of a frame, believed in nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Number of the page, from 1; 0 is never valid.
    pub page_number: u32,
    /// Size of the database in pages after a commit; 0 in every other frame.
    pub commit_size_pages: u32,
    /// The salts of the generation it was written in.
    pub salts: Salts,
    /// The checksum of everything up to the end of this frame.
    pub checksum: Checksum,
}

impl FrameHeader {
    /// Reads the first 24 bytes of a frame; `None` when there are fewer.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [page_number, commit_size_pages, salt_first, salt_second, first, second] =
            words::big_endian::<6>(bytes)?;
        Some(FrameHeader {
            page_number,
            commit_size_pages,
            salts: Salts([salt_first, salt_second]),
            checksum: Checksum { first, second },
        })
    }
}

/// The first 100 bytes of page 1, as they stand in the log.
pub type PageOne = [u8; HEADER_BYTES];

#[cfg(test)]
mod tests;
