//! Transactions that were lost: two that began from one state of a database cannot both last.

use super::{Call, Input};
use crate::trace::content::Mark;
use crate::trace::ladder::steps;
use crate::trace::record::{FileKind, Operation};
use std::collections::BTreeMap;

/// A transaction that a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) process: usize,
    /// The write by which it is known.
    pub(super) call: Call,
}

/// What a transaction began from: two with the same cannot both last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Base {
    /// A change counter, in rollback mode.
    Counter {
        /// Which database.
        database: usize,
        /// The counter before it.
        counter: u32,
    },
    /// The end of a WAL.
    Frame {
        /// Which database.
        database: usize,
        /// The salts of the WAL.
        salts: u64,
        /// Where the last frame of the transaction stands.
        offset: u64,
    },
}

/// Pairs of transactions of different processes with one base, one pair for each base.
pub(super) fn lost(input: &Input<'_>) -> Vec<(Base, Commit, Commit)> {
    let mut all: BTreeMap<Base, Vec<Commit>> = BTreeMap::new();
    for number in 0..input.traces.len() {
        for (base, commit) in rollback(input, number).into_iter().chain(wal(input, number)) {
            all.entry(base).or_default().push(commit);
        }
    }
    let pair = |(base, commits): (Base, Vec<Commit>)| {
        let first = *commits.first()?;
        let owner = |commit: &Commit| (commit.call.trace, commit.process);
        let second = commits.iter().find(|commit| owner(commit) != owner(&first))?;
        Some((base, first, *second))
    };
    all.into_iter().filter_map(pair).collect()
}

/// What one process knows of one database.
#[derive(Default)]
struct Writer {
    /// The change counter that it read last.
    read: Option<u32>,
    /// The counter that it read before it wrote another, and that write.
    wrote: Option<(u32, u32, Call)>,
}

/// Transactions in rollback mode: what stands in page 1 when EXCLUSIVE is given up, if it is not
/// what stood there before. Whoever goes back to the state before writes that counter again.
fn rollback(input: &Input<'_>, number: usize) -> Vec<(Base, Commit)> {
    let Some(trace) = input.traces.get(number) else { return Vec::new() };
    let released: BTreeMap<usize, bool> =
        steps(trace).iter().map(|step| (step.event, step.held.contains(&"EXCLUSIVE"))).collect();
    let mut writers: BTreeMap<(usize, usize), Writer> = BTreeMap::new();
    let mut commits = Vec::new();
    for (place, event) in trace.events.iter().enumerate() {
        let Some((database, FileKind::Database)) = input.file(number, event.file) else {
            continue;
        };
        let writer = writers.entry((event.process, database)).or_default();
        let mark = event.call.content.map(|content| content.mark);
        let call = Call { trace: number, event: place };
        match (event.call.operation, mark) {
            (Operation::Read { .. }, Some(Mark::ChangeCounter(counter))) => {
                writer.read = Some(counter);
            }
            (Operation::Write { .. }, Some(Mark::ChangeCounter(counter))) => {
                let base = writer.wrote.map(|(base, _, _)| base).or(writer.read);
                writer.wrote = base.map(|base| (base, counter, call));
            }
            _ if released.get(&place) == Some(&false) => {
                if let Some((counter, _, call)) =
                    writer.wrote.take().filter(|(base, counter, _)| base != counter)
                {
                    let commit = Commit { process: event.process, call };
                    commits.push((Base::Counter { database, counter }, commit));
                }
            }
            _ => {}
        }
    }
    commits
}

/// Transactions in WAL mode: each last frame.
fn wal(input: &Input<'_>, number: usize) -> Vec<(Base, Commit)> {
    let Some(trace) = input.traces.get(number) else { return Vec::new() };
    let ends = trace.events.iter().enumerate().filter_map(|(place, event)| {
        let (database, FileKind::Wal) = input.file(number, event.file)? else { return None };
        let Operation::Write { offset: Some(offset), .. } = event.call.operation else {
            return None;
        };
        match event.call.content?.mark {
            Mark::Frame { commit_pages: 1.., salts, .. } => {
                let base = Base::Frame { database, salts, offset };
                let call = Call { trace: number, event: place };
                Some((base, Commit { process: event.process, call }))
            }
            _ => None,
        }
    });
    ends.collect()
}
