//! The locks of each process on each database, step by step.
//!
//! POSIX locks belong to a process and a file, so this is as near to a connection as the kernel
//! comes: SQLite keeps the connections of one process apart itself (`unixInodeInfo` in
//! `os_unix.c`).

use super::read::{Event, Trace};
use super::record::{Answer, FileKind, LockCall, Operation, Outcome, Wanted};
use crate::errno::Errno;
use crate::locktable::Strength;
use crate::sqlite::lock_bytes::{LockedFile, names};
use std::collections::{BTreeMap, BTreeSet};

/// A change of the locks that a process has on a file, or an answer about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The process, by its place in the trace.
    pub process: usize,
    /// The database or its `-shm`, by its place in the trace.
    pub file: usize,
    /// When the call had ended.
    pub at_ns: u64,
    /// The call, by its place among the events of the trace.
    pub event: usize,
    /// SQLite's names of the locks that the call was about.
    pub names: Vec<&'static str>,
    /// How strong a lock was wanted; `None` for the end of locks.
    pub strength: Option<Strength>,
    /// What became of them.
    pub change: Change,
    /// What the process has after it.
    pub held: Vec<&'static str>,
}

/// What became of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The process has it.
    Taken,
    /// The process gave it up.
    Released,
    /// The process did not get it.
    Refused(Errno),
    /// The process asked about it.
    Asked(Answer),
    /// It went with a descriptor of the file, though another was open (fcntl(2)), or with the last.
    Closed,
}

/// What a reader does with PENDING: it has it for a moment on its way to SHARED, so that it waits
/// behind a writer (`unixLock` in `os_unix.c`). It is no rung.
const PASSED: &str = "PENDING (shared)";

/// What a process has of a database by its rollback locks: the rung that SQLite names.
#[must_use]
pub fn rung(held: &[&'static str]) -> &'static str {
    ["EXCLUSIVE", "PENDING", "RESERVED", "SHARED"]
        .into_iter()
        .find(|name| held.contains(name))
        .unwrap_or("NONE")
}

/// Every step, in the order of time.
#[must_use]
pub fn steps(trace: &Trace) -> Vec<Step> {
    let mut held: BTreeMap<(usize, usize), BTreeSet<&'static str>> = BTreeMap::new();
    trace
        .events
        .iter()
        .enumerate()
        .filter_map(|(place, event)| {
            let file = match trace.files.get(event.file)?.kind {
                FileKind::Database => LockedFile::Database,
                FileKind::WalIndex => LockedFile::WalIndex,
                FileKind::Wal | FileKind::Journal => return None,
            };
            let own = held.entry((event.process, event.file)).or_default();
            step(place, event, file, own)
        })
        .collect()
}

fn step(
    place: usize,
    event: &Event,
    file: LockedFile,
    held: &mut BTreeSet<&'static str>,
) -> Option<Step> {
    let strength = match event.call.operation {
        Operation::Lock(LockCall {
            wanted: Wanted::Take(strength, _) | Wanted::Query(strength, _),
            ..
        }) => Some(strength),
        _ => None,
    };
    let (names, change) = match event.call.operation {
        Operation::Close if !held.is_empty() => {
            (std::mem::take(held).into_iter().collect(), Change::Closed)
        }
        Operation::Lock(lock) => locked(&lock, event.call.outcome, file, held),
        _ => return None,
    };
    (!names.is_empty()).then(|| Step {
        process: event.process,
        file: event.file,
        at_ns: event.call.start_ns.saturating_add(event.call.duration_ns),
        event: place,
        names,
        strength,
        change,
        held: held.iter().copied().collect(),
    })
}

fn locked(
    lock: &LockCall,
    outcome: Outcome,
    file: LockedFile,
    held: &mut BTreeSet<&'static str>,
) -> (Vec<&'static str>, Change) {
    let named = |strength| {
        let mut names = names(file, lock.first..=lock.last(), strength);
        let shared = file == LockedFile::Database && strength == Strength::Shared;
        names
            .iter_mut()
            .filter(|name| shared && **name == "PENDING")
            .for_each(|name| *name = PASSED);
        names
    };
    let both = || {
        let weaker = named(Strength::Shared);
        let stronger = named(Strength::Exclusive);
        weaker.into_iter().chain(stronger)
    };
    match (lock.wanted, outcome) {
        (Wanted::Take(strength, _), Outcome::Failed(errno)) => {
            (named(strength), Change::Refused(errno))
        }
        (Wanted::Release, Outcome::Failed(errno)) => {
            (named(Strength::Shared), Change::Refused(errno))
        }
        (Wanted::Query(strength, answer), _) => (named(strength), Change::Asked(answer)),
        (Wanted::Take(strength, _), Outcome::Returned(_)) => {
            for name in both() {
                held.remove(name);
            }
            held.extend(named(strength));
            (named(strength), Change::Taken)
        }
        (Wanted::Release, Outcome::Returned(_)) => {
            let gone: BTreeSet<&'static str> = both().filter(|name| held.remove(name)).collect();
            (gone.into_iter().collect(), Change::Released)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::{call, trace_of};
    use super::super::record::{File, Owner, Patience, Record};
    use super::*;

    fn lock(wanted: Wanted, first: u64, bytes: u64) -> Operation {
        Operation::Lock(LockCall { wanted, owner: Owner::Process, first, bytes })
    }

    #[test]
    fn a_writer_climbs_the_ladder_and_comes_down() {
        let take = |strength| Wanted::Take(strength, Patience::AtOnce);
        let (shared, exclusive) = (take(Strength::Shared), take(Strength::Exclusive));
        const PENDING: u64 = 1 << 30;
        let held = Answer::Held(Strength::Exclusive, 12);
        let done = Outcome::Returned(0);
        let calls = [
            (lock(shared, PENDING, 1), done),
            (lock(shared, PENDING + 2, 510), done),
            (lock(Wanted::Release, PENDING, 1), done),
            (lock(exclusive, PENDING + 1, 1), done),
            (lock(exclusive, PENDING, 1), Outcome::Failed(Errno::EAGAIN)),
            (lock(Wanted::Query(Strength::Exclusive, held), PENDING, 1), done),
            (lock(exclusive, PENDING, 1), done),
            (lock(exclusive, PENDING + 2, 510), done),
            (lock(shared, PENDING + 2, 510), done),
            (lock(Wanted::Release, PENDING, 2), done),
            (lock(Wanted::Release, 0, 1), done),
            (Operation::Close, done),
            (Operation::Close, done),
        ];
        let file = File { number: 1, kind: FileKind::Database, path: b"/d/a.db" };
        let mut records = vec![Record::File(file)];
        for (time, (operation, outcome)) in (1_u64..).zip(calls) {
            records.push(Record::Call(call(time, operation, outcome)));
        }
        let trace = Trace::read(&trace_of(&records)).expect("a trace");
        let steps = steps(&trace);
        let climbed: Vec<(&str, Change)> =
            steps.iter().map(|step| (rung(&step.held), step.change)).collect();
        let wanted = [
            ("NONE", Change::Taken),
            ("SHARED", Change::Taken),
            ("SHARED", Change::Released),
            ("RESERVED", Change::Taken),
            ("RESERVED", Change::Refused(Errno::EAGAIN)),
            ("RESERVED", Change::Asked(held)),
            ("PENDING", Change::Taken),
            ("EXCLUSIVE", Change::Taken),
            ("PENDING", Change::Taken),
            ("SHARED", Change::Released),
            ("NONE", Change::Closed),
        ];
        assert_eq!(climbed, wanted);
    }
}
