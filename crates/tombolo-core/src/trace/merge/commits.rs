//! Transactions that were lost: two that began from one state of a database cannot both last.

use super::{Call, Input, PAGE_BYTES_MIN};
use crate::trace::content::Mark;
use crate::trace::ladder::steps;
use crate::trace::record::{FileKind, Operation, Outcome};
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

/// What one process does with one database.
#[derive(Default)]
struct Writer {
    /// The change counter that stood there last, as far as it knows.
    counter: Option<u32>,
    /// The counter that it knew before it wrote another, and that write.
    wrote: Option<(u32, u32, Call)>,
    journal: Journal,
}

/// What a process did with the rollback journal last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Journal {
    /// It wrote in it, or there is none: what it writes in the database is new.
    #[default]
    Written,
    /// It read pages of it: what it writes in the database is what stood there before, be the
    /// journal its own or one that it takes for that of a crash.
    PlayedBack,
    /// It could not end it: SQLite says that the transaction has failed.
    NotEnded,
}

impl Writer {
    fn journal(&mut self, operation: Operation, outcome: Outcome) {
        match (operation, outcome) {
            (Operation::Write { .. }, Outcome::Returned(_)) => self.journal = Journal::Written,
            (Operation::Read { .. }, Outcome::Returned(PAGE_BYTES_MIN..)) => {
                self.journal = Journal::PlayedBack;
            }
            (Operation::Unlink, Outcome::Failed(_)) => self.journal = Journal::NotEnded,
            _ => {}
        }
    }

    fn write(&mut self, counter: u32, call: Call) {
        if self.journal == Journal::PlayedBack {
            (self.counter, self.wrote) = (Some(counter), None);
            return;
        }
        let base = self.wrote.map(|(base, _, _)| base).or(self.counter);
        self.wrote = base.map(|base| (base, counter, call));
    }

    /// When it gives EXCLUSIVE up: the counter from which a transaction began, and its write.
    fn ended(&mut self) -> Option<(u32, Call)> {
        let journal = std::mem::take(&mut self.journal);
        let (base, counter, call) = self.wrote.take()?;
        self.counter = Some(counter);
        (base != counter && journal != Journal::NotEnded).then_some((base, call))
    }
}

/// Transactions in rollback mode: what stands in page 1 when EXCLUSIVE is given up, if it is not
/// what stood there before.
fn rollback(input: &Input<'_>, number: usize) -> Vec<(Base, Commit)> {
    let Some(trace) = input.traces.get(number) else { return Vec::new() };
    let released: BTreeMap<usize, bool> =
        steps(trace).iter().map(|step| (step.event, step.held.contains(&"EXCLUSIVE"))).collect();
    let mut writers: BTreeMap<(usize, usize), Writer> = BTreeMap::new();
    let mut commits = Vec::new();
    for (place, event) in trace.events.iter().enumerate() {
        let Some((database, kind)) = input.file(number, event.file) else { continue };
        let writer = writers.entry((event.process, database)).or_default();
        let mark = event.call.content.map(|content| content.mark);
        let call = Call { trace: number, event: place };
        match (kind, event.call.operation, mark) {
            (FileKind::Journal, operation, _) => writer.journal(operation, event.call.outcome),
            (FileKind::Database, Operation::Read { .. }, Some(Mark::ChangeCounter(counter))) => {
                writer.counter = Some(counter);
            }
            (FileKind::Database, Operation::Write { .. }, Some(Mark::ChangeCounter(counter))) => {
                writer.write(counter, call);
            }
            (FileKind::Database, ..) if released.get(&place) == Some(&false) => {
                if let Some((counter, call)) = writer.ended() {
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
