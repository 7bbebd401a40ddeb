//! What locks tell: for how long each process had one that nobody else can have at that time.

use super::clocks::{Clocks, Interval, Moment};
use super::{Call, Input};
use crate::locktable::Strength;
use crate::trace::ladder::{Change, steps};
use std::collections::BTreeMap;

/// Locks of which one process alone can have the exclusive kind.
const SOLE: [&str; 6] =
    ["RESERVED", "PENDING", "EXCLUSIVE", "WAL_WRITE_LOCK", "WAL_CKPT_LOCK", "WAL_RECOVER_LOCK"];

/// Times for which the clocks are narrowed by locks: each can make others narrower.
const ROUNDS: usize = 3;
/// Holdings of another process that one is compared with in a round.
const NEIGHBOURS_MAX: usize = 8;

/// A lock from when it was had to when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) database: usize,
    pub(super) name: &'static str,
    pub(super) process: usize,
    /// The call that took it, and when that had ended.
    pub(super) taken: Call,
    pub(super) from: Moment,
    /// When the call began that gave it up.
    pub(super) until: Moment,
}

/// What every process of all traces had for itself, by lock.
pub(super) type Holdings = BTreeMap<(usize, &'static str), Vec<Held>>;

pub(super) fn holdings(input: &Input<'_>) -> Holdings {
    let mut holdings = Holdings::new();
    for (number, trace) in input.traces.iter().enumerate() {
        let mut open: BTreeMap<(usize, usize, &'static str), (Call, i64)> = BTreeMap::new();
        for step in steps(trace) {
            let Some((database, _)) = input.file(number, step.file) else { continue };
            let Some(event) = trace.events.get(step.event) else { continue };
            let (start_ns, end_ns) = input.span(number, event);
            let call = Call { trace: number, event: step.event };
            for name in SOLE {
                let key = (step.process, step.file, name);
                let sole = step.strength == Some(Strength::Exclusive);
                if step.change == Change::Taken && sole && step.names.contains(&name) {
                    open.entry(key).or_insert((call, end_ns));
                } else if !step.held.contains(&name)
                    && let Some((taken, from_ns)) = open.remove(&key)
                {
                    let at = |at_ns| Moment { trace: number, at_ns };
                    let process = step.process;
                    let (from, until) = (at(from_ns), at(start_ns));
                    let held = Held { database, name, process, taken, from, until };
                    holdings.entry((database, name)).or_default().push(held);
                }
            }
        }
    }
    holdings
}

/// Two that had the same lock at the same time, wherever in their bounds the clocks are.
pub(super) fn crossed(holdings: &Holdings, clocks: &Clocks) -> Vec<(Held, Held)> {
    let mut found = Vec::new();
    for helds in holdings.values() {
        for (one, other) in neighbours(helds, clocks) {
            if clocks.is_before(one.from, other.until) && clocks.is_before(other.from, one.until) {
                found.push((one, other));
            }
        }
    }
    found
}

/// Narrows the clocks by two that had a lock one after the other, if only one order is possible.
pub(super) fn narrow(holdings: &Holdings, clocks: &mut Clocks) {
    for _ in 0..ROUNDS {
        for helds in holdings.values() {
            for (one, other) in neighbours(helds, clocks) {
                let first = clocks.contradicts(one.until, other.from).is_none();
                let second = clocks.contradicts(other.until, one.from).is_none();
                match (first, second) {
                    (true, false) => clocks.learn(one.until, other.from),
                    (false, true) => clocks.learn(other.until, one.from),
                    _ => {}
                }
            }
        }
    }
}

/// Pairs of different processes that can be near one another in time.
fn neighbours(helds: &[Held], clocks: &Clocks) -> Vec<(Held, Held)> {
    let mut pairs = Vec::new();
    let mut by_owner: BTreeMap<(usize, usize), Vec<&Held>> = BTreeMap::new();
    for held in helds {
        by_owner.entry((held.from.trace, held.process)).or_default().push(held);
    }
    let owners: Vec<&Vec<&Held>> = by_owner.values().collect();
    for (place, ones) in owners.iter().enumerate() {
        for others in owners.iter().skip(place + 1) {
            for one in ones.iter() {
                let near = others.iter().skip(first_near(one, others, clocks));
                pairs.extend(near.take(NEIGHBOURS_MAX).map(|other| (**one, **other)));
            }
        }
    }
    pairs
}

/// The place of the first holding of another that can end after one begins.
fn first_near(one: &Held, others: &[&Held], clocks: &Clocks) -> usize {
    let Some(first) = others.first() else { return 0 };
    let same = one.from.trace == first.from.trace;
    let range = match same {
        true => Interval { least_ns: Some(0), most_ns: Some(0) },
        false => clocks.interval(first.from.trace, one.from.trace),
    };
    match range.most_ns {
        None => 0,
        Some(most) => {
            others.partition_point(|other| other.until.at_ns.saturating_add(most) < one.from.at_ns)
        }
    }
}
