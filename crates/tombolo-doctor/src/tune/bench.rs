//! A short benchmark: small transactions and reads of stock SQLite in a scratch database.

use crate::child::{self, Viewpoint};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_os::scratch::Scratch;

/// Transactions of one row each, and reads of one row each.
const TRANSACTIONS: u32 = 300;
const READS: u32 = 300;
/// The time after which each of the two is ended early; what was done by then counts.
const TIME_EACH: Duration = Duration::from_secs(4);
/// The name is one that the scratch directory removes.
const NAME: &str = "session.bench.db";

/// Where a transaction waits for its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Journal {
    Wal,
    Delete,
}

/// What one database did, `synchronous=FULL`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
pub struct Speed {
    /// Transactions of one row a second.
    pub transactions_per_second: f64,
    /// Reads of one row a second, past SQLite's own cache.
    pub reads_per_second: f64,
}

/// Measures in a scratch directory below `directory`, which is removed; `None` where SQLite failed,
/// or it took too long.
pub(super) fn measure(directory: &Path, journal: Journal, deadline: Instant) -> Option<Speed> {
    let scratch = Scratch::new(directory, Viewpoint::Own, deadline).ok()?;
    let mut speed = None;
    let body = |send: &mut dyn FnMut(&Option<Speed>)| send(&work(scratch.path(), journal).ok());
    let ended = child::run(Viewpoint::Own, deadline, body, &mut |said| speed = said);
    let _ = scratch.remove(deadline);
    ended.ok().and(speed)
}

fn work(directory: &Path, journal: Journal) -> rusqlite::Result<Speed> {
    let database = Connection::open(directory.join(NAME))?;
    let mode = match journal {
        Journal::Wal => "wal",
        Journal::Delete => "delete",
    };
    database.pragma_update_and_check(None, "journal_mode", mode, |_| Ok(()))?;
    database.execute_batch(
        "PRAGMA synchronous=FULL; PRAGMA cache_size=0;
         CREATE TABLE t(id INTEGER PRIMARY KEY, x TEXT);",
    )?;
    let mut insert = database.prepare("INSERT INTO t(x) VALUES (hex(randomblob(50)))")?;
    let transactions = rate(TRANSACTIONS, |_| insert.execute([]).map(drop))?;
    let mut select = database.prepare("SELECT x FROM t WHERE id = ?1")?;
    let count: u32 = database.query_row("SELECT count(*) FROM t", [], |row| row.get(0))?;
    let reads = rate(READS, |number| {
        select.query_row([number % count.max(1) + 1], |row| row.get::<_, String>(0)).map(drop)
    })?;
    Ok(Speed { transactions_per_second: transactions, reads_per_second: reads })
}

/// How often a second `once` could be done.
fn rate(most: u32, mut once: impl FnMut(u32) -> rusqlite::Result<()>) -> rusqlite::Result<f64> {
    let begun = Instant::now();
    let mut done = 0_u32;
    while done < most && begun.elapsed() < TIME_EACH {
        once(done)?;
        done += 1;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64().max(f64::EPSILON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_journals_are_measured_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        for journal in [Journal::Wal, Journal::Delete] {
            let deadline = Instant::now() + Duration::from_secs(60);
            let speed = measure(directory.path(), journal, deadline).unwrap();
            assert!(speed.transactions_per_second > 0.0 && speed.reads_per_second > 0.0);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
