//! Databases that a session finds, as bytes that were made in memory: what SQLite is refused to
//! make here may be there already, by a copy or by another machine.

use super::actor::{TABLES, add, failure};
use super::judge::{Cause, Failure, Ledger, Stop};
use crate::database::SidecarKind;
use rusqlite::Connection;
use std::io::Write as _;
use std::path::Path;
use tombolo_core::sqlite::journal::JOURNAL_MAGIC;
use tombolo_os::{error::errno_of, scratch};

const STEP: &str = "making of its files";

const PAGE_BYTES: usize = 4096;

/// Where the header says which version of SQLite can write and read the file, and what stands there
/// in WAL mode (file format, section 1.3.3).
const VERSIONS: std::ops::Range<usize> = 18..20;
const WAL_VERSION: u8 = 2;

/// A sector of a journal, hence its header.
const SECTOR_BYTES: usize = 512;

/// What a commit that was cut off has left in the pages.
const TORN: u8 = 0xe7;

/// The rows of a database that a crash has left.
const ROWS: [i64; 2] = [1, 2];

/// An empty database in WAL mode, which was closed in order.
pub(super) fn in_wal_mode(path: &Path) -> Result<(), Stop> {
    let mut bytes = in_memory("PRAGMA user_version=1", &[])?;
    if let Some(versions) = bytes.get_mut(VERSIONS) {
        versions.fill(WAL_VERSION);
    }
    place(path, &bytes)
}

/// A database whose pages a commit was about to write when its program was killed, and the journal
/// with which it is as it was before. Answers what must then be in it.
pub(super) fn crashed(path: &Path) -> Result<Ledger, Stop> {
    let before = in_memory(TABLES, &ROWS)?;
    let mut after = before.clone();
    // The first page has the header, without which nobody would know it for a database.
    if let Some(rest) = after.get_mut(PAGE_BYTES..) {
        rest.fill(TORN);
    }
    place(&SidecarKind::Journal.path_beside(path), &journal(&before))?;
    place(path, &after)?;
    Ok(Ledger::of(&ROWS))
}

fn in_memory(statements: &str, rows: &[i64]) -> Result<Vec<u8>, Stop> {
    let failed = |failure| Stop { step: STEP, cause: Cause::Failed(failure) };
    let mut connection = Connection::open_in_memory().map_err(|error| failed(failure(error)))?;
    let sql = format!("PRAGMA page_size={PAGE_BYTES}; {statements}");
    connection.execute_batch(&sql).map_err(|error| failed(failure(error)))?;
    for row in rows {
        add(&connection, *row).map_err(failed)?;
    }
    let bytes = connection.serialize(c"main").map_err(|error| failed(failure(error)))?;
    Ok(bytes.to_vec())
}

/// A journal of all pages but the first, as `pager.c` writes it (file format, section 3).
fn journal(pages: &[u8]) -> Vec<u8> {
    const NONCE: u32 = 0x1234_5678;
    let count = u32::try_from(pages.len() / PAGE_BYTES).unwrap_or(0);
    let sizes = [SECTOR_BYTES, PAGE_BYTES].map(|bytes| u32::try_from(bytes).unwrap_or(0));
    let mut journal = JOURNAL_MAGIC.to_vec();
    for word in [count.saturating_sub(1), NONCE, count, sizes[0], sizes[1]] {
        journal.extend(word.to_be_bytes());
    }
    journal.resize(SECTOR_BYTES, 0);
    for (number, page) in (1..).zip(pages.chunks(PAGE_BYTES)).skip(1) {
        journal.extend(u32::to_be_bytes(number));
        journal.extend(page);
        journal.extend(checksum(NONCE, page).to_be_bytes());
    }
    journal
}

/// Each 200th byte from behind (`pager_cksum` in `pager.c`).
fn checksum(nonce: u32, page: &[u8]) -> u32 {
    page.iter()
        .rev()
        .skip(199)
        .step_by(200)
        .fold(nonce, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}

fn place(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let failed = |errno| Stop { step: STEP, cause: Cause::Failed(Failure::NotMade(errno)) };
    let mut file = scratch::create(path).map_err(|error| failed(error.errno))?;
    file.write_all(bytes).map_err(|error| failed(errno_of(&error)))
}
