//! Stage 3: a database and what stands beside it, read without SQLite and without locks.
//!
//! [`examine`] looks and returns [`Facts`]; [`conclude`] turns facts into findings and looks at
//! nothing; [`scan`] finds the databases of a tree.
//!
//! A database in use changes while it is read, and a program can be stopped by the scheduler, or by
//! a slow disk, in the middle of a change. So what is read only once is never called damage:
//! whatever looks wrong is read again, and counts when it goes on looking so while nothing moves
//! and nobody holds a lock to write (`stability.rs`). Locks of this kernel are asked for
//! (`F_GETLK`), never taken.

mod conclude;
mod describe;
mod examine;
mod facts;
mod scan;
mod stability;
mod wal_scan;

pub use conclude::{WAL_LARGE_BYTES, conclude};
pub use examine::{Examination, examine};
pub use facts::{
    Content, Facts, JournalFacts, Presence, Sidecar, SidecarKind, Stability, SuperJournal,
    WalContent, WalIndexContent, WalIndexFacts,
};
pub use scan::{DATABASES_MAX, Scan, Sight, scan};
pub use wal_scan::{ScanExtent, WalScan, WalScanError, summarise_wal};

#[cfg(test)]
mod tests;
