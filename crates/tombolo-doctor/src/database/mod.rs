//! Stage 3: a database and what stands beside it, read without SQLite and without locks.
//!
//! [`examine`] looks and returns [`Facts`]; [`conclude`] turns facts into findings and looks at
//! nothing; [`scan`] finds the databases of a tree.
//!
//! A database in use changes while it is read. So what is read only once is never called damage:
//! whatever looks wrong is read again, and counts when it stays wrong while nothing moves. Locks of
//! this kernel are asked for (`F_GETLK`), never taken.

mod conclude;
mod describe;
mod examine;
mod facts;
mod scan;
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
