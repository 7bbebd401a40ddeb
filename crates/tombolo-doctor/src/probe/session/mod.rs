//! Trial sessions: stock SQLite in the scratch directory, used as programs use it.
//!
//! The other experiments try what SQLite asks of a file system one by one; a session tries the
//! whole. `PRAGMA journal_mode=WAL` answers `wal` on mounts where the first access then fails, so
//! only reads and writes count. Each session starts a second process, because SQLite's locks never
//! conflict within one, and SQLite runs with its defaults (`synchronous=FULL`).
//!
//! 1. SQLite sees files of the scratch directory and no others.
//! 2. SQLite is not used in the doctor's own process, nor in the session's before the fork of the
//!    second: it keeps book of its locks by process (`unixInodeInfo` in `os_unix.c`).

mod actor;
mod judge;
mod peer;
mod ready_made;
mod script;

use super::trouble::{NotRun, settle};
use actor::{Actor, Manner};
use judge::{Cause, Failure, Stop};
use peer::Peer;
use script::{Course, Pair};
use std::path::Path;
use std::time::Instant;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::error::errno_of;
use tombolo_os::worker::End;

/// A value of a session: how many transactions were acknowledged before it ended.
pub(crate) const TRANSACTIONS: &str = "transactions";

/// Longest path of a database: SQLite's own limit (`MAX_PATHNAME` in `os_unix.c`) less the room
/// that it keeps for `-journal`.
const PATH_BYTES_MAX: usize = 512 - 8;

/// Stock SQLite in WAL mode, from two processes.
pub(super) fn wal(directory: &Path) -> Observation {
    session(EvidenceKind::SessionWal, directory, |course, path, peer| {
        course.wal(Pair {
            first: &mut Actor::new(path),
            second: peer,
            first_manner: Manner::Wal,
            second_manner: Manner::Plain,
        })
    })
}

/// Stock SQLite on a database that is in WAL mode already, from two processes. The step into WAL
/// mode takes EXCLUSIVE; where that is refused, such a database works all the same, or loses data.
pub(super) fn wal_existing(directory: &Path) -> Observation {
    session(EvidenceKind::SessionWalExisting, directory, |course, path, peer| {
        ready_made::in_wal_mode(path)?;
        course.wal(Pair {
            first: &mut Actor::new(path),
            second: peer,
            first_manner: Manner::Plain,
            second_manner: Manner::Plain,
        })
    })
}

/// Stock SQLite in WAL mode, by one connection that says `locking_mode=EXCLUSIVE` first.
pub(super) fn wal_exclusive(directory: &Path) -> Observation {
    session(EvidenceKind::SessionWalExclusive, directory, |course, path, peer| {
        course.one_connection(&mut Actor::new(path), peer)
    })
}

/// Stock SQLite in WAL mode, by two connections of one process through the VFS `unix-excl`.
pub(super) fn unix_excl(directory: &Path) -> Observation {
    session(EvidenceKind::SessionUnixExcl, directory, |course, path, peer| {
        let pair = Pair {
            first: &mut Actor::new(path),
            second: &mut Actor::new(path),
            first_manner: Manner::UnixExcl,
            second_manner: Manner::UnixExcl,
        };
        course.one_process(pair, peer)
    })
}

/// Stock SQLite with a rollback journal, from two processes; then on a database with the journal of
/// a program that was killed.
pub(super) fn rollback(directory: &Path) -> Observation {
    session(EvidenceKind::SessionRollback, directory, |course, path, peer| {
        course.rollback(Pair {
            first: &mut Actor::new(path),
            second: peer,
            first_manner: Manner::Rollback,
            second_manner: Manner::Plain,
        })?;
        let crashed = path.with_file_name("session.crashed.db");
        let ledger = ready_made::crashed(&crashed)?;
        Course::of(&crashed, ledger).recover(&mut Actor::new(&crashed))
    })
}

fn session(
    kind: EvidenceKind,
    directory: &Path,
    play: impl FnOnce(&mut Course, &Path, &mut Peer) -> Result<(), Stop>,
) -> Observation {
    // As SQLite makes it absolute, but without links: it is told to follow none, so that nobody can
    // make the name lead out of the scratch directory.
    let directory = match directory.canonicalize() {
        Ok(directory) => directory,
        Err(error) => return settle(kind, Err(NotRun::failed("realpath", errno_of(&error)))),
    };
    let path = directory.join(format!("{}.db", kind.as_str()));
    if path.as_os_str().len() > PATH_BYTES_MAX {
        let summary = "not tried: SQLite takes no path as long as that of the scratch directory";
        return Observation::new(kind, Outcome::NotRun, summary);
    }
    let start = Instant::now();
    let mut course = Course::new(&path);
    let ran = peer::beside(&path, |peer| play(&mut course, &path, peer));
    let (result, end) = match ran {
        Ok((Some(result), end)) => (result, end),
        Ok((None, _)) => {
            let summary = "the second process did not begin";
            return Observation::new(kind, Outcome::NotRun, summary);
        }
        Err(error) => {
            let summary = error.to_string();
            return Observation::new(kind, Outcome::NotRun, summary).errno(error.errno);
        }
    };
    let committed = course.ledger.len();
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut observation = observe(kind, result, end, committed);
    if course.readers_wait {
        observation.summary.push_str("; readers are kept out while another is about to write");
    }
    observation
        .value("elapsed_ms", elapsed_ms)
        .value("sqlite_version", rusqlite::version())
        .value(TRANSACTIONS, u64::try_from(committed).unwrap_or(u64::MAX))
}

/// The words for a mode that stand in the sentence.
fn way(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::SessionWal => "in WAL mode",
        EvidenceKind::SessionWalExisting => "on a database that is in WAL mode already",
        EvidenceKind::SessionWalExclusive => "in WAL mode with locking_mode=EXCLUSIVE",
        EvidenceKind::SessionUnixExcl => "in WAL mode through the VFS unix-excl",
        _ => "with a rollback journal",
    }
}

fn observe(
    kind: EvidenceKind,
    result: Result<(), Stop>,
    end: End,
    committed: usize,
) -> Observation {
    let sqlite = format!("SQLite {} {}", rusqlite::version(), way(kind));
    let Err(stop) = result else {
        let summary = format!(
            "{sqlite}: all of {committed} transactions were read back and a second process was \
             served or kept out as it must be"
        );
        return Observation::new(kind, Outcome::Holds, summary);
    };
    let killed = match (&stop.cause, end) {
        (Cause::Failed(Failure::Gone), End::Signalled(signal)) => Some(signal),
        _ => None,
    };
    if let Some(signal) = killed {
        let step = stop.step;
        let summary =
            format!("{sqlite}, at the {step}: the second process was killed by signal {signal}");
        return Observation::new(kind, Outcome::Violated, summary).value("step", step);
    }
    let outcome = stop.outcome(committed);
    let verb = if outcome == Outcome::Refused { " fails" } else { "," };
    let observation =
        Observation::new(kind, outcome, format!("{sqlite}{verb} {stop}")).value("step", stop.step);
    let Cause::Failed(failure) = &stop.cause else { return observation };
    let observation = match failure.errno() {
        Some(errno) => observation.errno(errno),
        None => observation,
    };
    match failure.code() {
        Some(code) => observation.value("code", code.number()).value("code_name", code.name()),
        None => observation,
    }
}

#[cfg(test)]
mod tests;
