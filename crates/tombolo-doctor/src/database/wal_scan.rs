//! A log of any size, summarised as it streams by.

use std::path::Path;
use std::time::Instant;
use tombolo_core::sqlite::wal::{
    Progress, Summariser, WAL_HEADER_BYTES, WalHeader, WalHeaderFault, WalSummary,
};
use tombolo_os::error::CallError;
use tombolo_os::read::{self, Opened, ReadError};

/// Bytes of one read: few enough to stay in the processor's cache until they are summed up.
const PIECE_BYTES: usize = 256 * 1024;

/// A log, and how much of it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalScan {
    /// What it holds.
    pub summary: WalSummary,
    /// How far it was read.
    pub extent: ScanExtent,
}

/// How much of a log was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanExtent {
    /// All that its size was at the beginning, or up to where nothing can follow.
    Whole,
    /// As much as the deadline allowed. The counts are lower bounds.
    UntilDeadline,
}

/// Why there is no summary.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalScanError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] ReadError),
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] CallError),
    /// Its header is not a log's.
    #[error(transparent)]
    Header(#[from] WalHeaderFault),
}

/// Summarises the log at a path.
///
/// # Errors
///
/// When it cannot be read, and when its header is not a log's.
pub fn summarise_wal(path: &Path, deadline: Instant) -> Result<WalScan, WalScanError> {
    Ok(summarise(&read::open(path)?, deadline)??)
}

/// The outer error is the kernel's, the inner one about the header.
pub(super) fn summarise(
    opened: &Opened,
    deadline: Instant,
) -> Result<Result<WalScan, WalHeaderFault>, CallError> {
    let header = match WalHeader::read(&opened.bytes_at(0, WAL_HEADER_BYTES)?) {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    // A writer that never rests would make a reader that goes on to the end read for ever.
    let size_bytes = opened.status_now()?.size_bytes;
    let mut summariser = Summariser::new(header);
    let mut extent = ScanExtent::Whole;
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = WAL_HEADER_BYTES as u64;
    while offset < size_bytes {
        if Instant::now() >= deadline {
            extent = ScanExtent::UntilDeadline;
            break;
        }
        let wanted = usize::try_from(size_bytes - offset).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let count = opened.read_at(piece.get_mut(..wanted).unwrap_or_default(), offset)?;
        let progress = summariser.feed(piece.get(..count).unwrap_or_default());
        if count < wanted || progress == Progress::Done {
            break;
        }
        offset += count as u64;
    }
    Ok(Ok(WalScan { summary: summariser.finish(), extent }))
}
