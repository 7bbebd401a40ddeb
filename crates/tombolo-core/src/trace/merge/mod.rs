//! Several traces of the same databases, made into one timeline by what the calls themselves tell.
//!
//! Clocks of different kernels are not compared. What counts is causality: who reads what another
//! wrote, ends after that one began to write (`contents.rs`); who reads what another then wrote
//! over, began before that one had ended, unless a cache is stale; and a lock that one alone can
//! have is had by one after the other, unless it does not cross (`locks.rs`). Each narrows the
//! interval in which the offset of the clocks lies (`clocks.rs`). The first kind alone is certain.
//! Where the others contradict it, that is a finding, and they narrow nothing.
//!
//! What nobody has recorded is taken for not done: a third program that writes can make a finding
//! of stale contents wrong. Transactions that were lost need no clocks (`commits.rs`).

mod clocks;
mod commits;
mod contents;
mod locks;
#[cfg(test)]
mod tests;
pub mod view;

pub use clocks::Interval;

use super::read::{Event, Trace};
use super::record::FileKind;
use clocks::{Clocks, Moment};
use commits::Base;

/// The smallest page (fileformat2.html, section 1.3.2): who reads less has read no page.
const PAGE_BYTES_MIN: u64 = 512;

/// A call, by the places of its trace and of itself in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The trace.
    pub trace: usize,
    /// The event.
    pub event: usize,
}

/// A call on the common timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The call.
    pub call: Call,
    /// Nanoseconds after the start of the first trace, by its clock; before it, less than 0.
    pub at_ns: i64,
}

/// What traces prove together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Two transactions began from one state of the database: one of them is lost.
    LostUpdate {
        /// The write by which the one is known, and by which the other is.
        commits: [Call; 2],
        /// The change counter that both began from; `None` in WAL mode, where both wrote the same
        /// frame.
        counter: Option<u32>,
    },
    /// A call read what another had written over already.
    StaleRead {
        /// The call that read.
        reader: Call,
        /// The call that wrote over it.
        writer: Call,
        /// By how much it came too late at least.
        late_ns: i64,
    },
    /// Two processes had a lock at the same time that one alone can have.
    LocksApart {
        /// SQLite's name of the lock.
        name: &'static str,
        /// The calls that took it.
        takers: [Call; 2],
    },
}

/// Traces that cannot be made into one timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Apart {
    /// Nothing ties the clock of this trace to that of the first, and nothing is proven without.
    #[error("nothing in trace {} tells when it was, seen from the first", .0 + 1)]
    Untied(usize),
    /// What is certain contradicts itself: the traces are not of one database, or a program that
    /// was not recorded wrote in it.
    #[error("the traces contradict one another: they are not of the same database")]
    Contradiction,
}

/// One timeline of several traces.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Every call, in an order that contradicts nothing of what is certain.
    pub calls: Vec<Placed>,
    /// What is added to the times of each trace, counted from its start: what is certain.
    pub certain: Vec<Interval>,
    /// The same, where no cache is stale and locks cross.
    pub likely: Vec<Interval>,
    /// What was added.
    pub offsets_ns: Vec<i64>,
    /// What the traces prove.
    pub findings: Vec<Finding>,
    clocks: Clocks,
    spans: Vec<Vec<(i64, i64)>>,
}

impl Merged {
    /// Whether one call had ended before another began, wherever in what is certain the clocks are.
    #[must_use]
    pub fn is_certainly_before(&self, one: Call, other: Call) -> bool {
        let span = |call: Call| self.spans.get(call.trace)?.get(call.event).copied();
        let (Some((_, end_ns)), Some((start_ns, _))) = (span(one), span(other)) else {
            return false;
        };
        if one.trace == other.trace {
            return end_ns < start_ns;
        }
        let end = Moment { trace: one.trace, at_ns: end_ns };
        self.clocks.is_before(end, Moment { trace: other.trace, at_ns: start_ns })
    }
}

/// The traces, with which of their files are the same.
struct Input<'a> {
    traces: &'a [Trace],
    starts_ns: Vec<u64>,
    /// Of each trace and file, the number of its database.
    databases: Vec<Vec<usize>>,
}

impl<'a> Input<'a> {
    fn new(traces: &'a [Trace]) -> Self {
        let starts_ns = traces.iter().map(Trace::start_ns).collect();
        Input { traces, starts_ns, databases: databases(traces) }
    }

    fn file(&self, trace: usize, file: usize) -> Option<(usize, FileKind)> {
        let kind = self.traces.get(trace)?.files.get(file)?.kind;
        Some((*self.databases.get(trace)?.get(file)?, kind))
    }

    /// When a call began and ended, after the start of its trace.
    fn span(&self, trace: usize, event: &Event) -> (i64, i64) {
        let start = self.starts_ns.get(trace).copied().unwrap_or(0);
        let from_ns = event.call.start_ns.saturating_sub(start);
        let to_ns = from_ns.saturating_add(event.call.duration_ns);
        let small = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        (small(from_ns), small(to_ns))
    }

    /// When a call began, after the start of its trace.
    fn start_of(&self, call: Call) -> Option<i64> {
        let event = self.traces.get(call.trace)?.events.get(call.event)?;
        Some(self.span(call.trace, event).0)
    }
}

/// Databases are the same that have the same name, whatever the directory is called where each
/// kernel sees it; and those of traces that have one each.
fn databases(traces: &[Trace]) -> Vec<Vec<usize>> {
    let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let mut names: Vec<String> = Vec::new();
    let one_each = traces.iter().all(|trace| {
        let mut all: Vec<&str> = trace.files.iter().map(|file| file.database()).collect();
        all.sort_unstable();
        all.dedup();
        all.len() == 1
    });
    let mut number = |path: &str| {
        let name = if one_each { String::new() } else { name(path) };
        names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    };
    let of = |trace: &Trace| trace.files.iter().map(|file| number(file.database())).collect();
    traces.iter().map(of).collect()
}

/// Which traces are of one kernel: those that have the same boot id, if they have any.
fn kernels(traces: &[Trace]) -> Vec<usize> {
    let same = |trace: &Trace| {
        let known = |other: &Trace| {
            !trace.header.boot_id.is_empty() && other.header.boot_id == trace.header.boot_id
        };
        traces.iter().position(known)
    };
    traces.iter().enumerate().map(|(place, trace)| same(trace).unwrap_or(place)).collect()
}

/// Makes one timeline of several traces.
///
/// # Errors
///
/// [`Apart`] where they do not say how they belong together.
pub fn merge(traces: &[Trace]) -> Result<Merged, Apart> {
    let input = Input::new(traces);
    let starts: Vec<i64> =
        input.starts_ns.iter().map(|start| i64::try_from(*start).unwrap_or(i64::MAX)).collect();
    let mut certain = Clocks::new(kernels(traces), &starts);
    let told = contents::told(&input);
    for constraint in &told.read_from {
        if certain.contradicts(constraint.before, constraint.after).is_some() {
            return Err(Apart::Contradiction);
        }
        certain.learn(constraint.before, constraint.after);
    }
    let mut findings = lost(&input);
    let mut likely = certain.clone();
    for constraint in &told.read_before {
        match certain.contradicts(constraint.before, constraint.after) {
            Some(late_ns) => findings.push(Finding::StaleRead {
                reader: constraint.reader,
                writer: constraint.writer,
                late_ns,
            }),
            None if likely.contradicts(constraint.before, constraint.after).is_some() => {}
            None => likely.learn(constraint.before, constraint.after),
        }
    }
    let holdings = locks::holdings(&input);
    let apart = locks::crossed(&holdings, &certain);
    findings.extend(apart.iter().map(|(one, other)| Finding::LocksApart {
        name: one.name,
        takers: [one.taken, other.taken],
    }));
    if apart.is_empty() {
        locks::narrow(&holdings, &mut likely);
    }
    // What is proven not to hold narrows nothing.
    if !findings.is_empty() {
        likely = certain.clone();
    }
    let offsets_ns = offsets(&input, &likely, &findings, &told)?;
    let intervals =
        |clocks: &Clocks| (0..traces.len()).map(|one| clocks.interval(one, 0)).collect();
    let calls = placed(&input, &offsets_ns, &told.read_from);
    let span = |(number, trace): (usize, &Trace)| {
        trace.events.iter().map(|event| input.span(number, event)).collect()
    };
    Ok(Merged {
        calls,
        certain: intervals(&certain),
        likely: intervals(&likely),
        offsets_ns,
        findings,
        spans: traces.iter().enumerate().map(span).collect(),
        clocks: certain,
    })
}

/// What is added to the times of each trace. Where nothing tells, two transactions of which one is
/// lost are put beside one another, if both sides have read the same page: they began from one
/// state.
fn offsets(
    input: &Input<'_>,
    clocks: &Clocks,
    findings: &[Finding],
    told: &contents::Told,
) -> Result<Vec<i64>, Apart> {
    let mut offsets = clocks.offsets_ns();
    while let Some((trace, offset)) =
        findings.iter().find_map(|finding| beside(input, &offsets, finding, told))
    {
        offsets.get_mut(trace).map(|place| place.replace(offset));
    }
    match offsets.iter().position(Option::is_none) {
        Some(untied) => Err(Apart::Untied(untied)),
        None => Ok(offsets.into_iter().flatten().collect()),
    }
}

/// A trace of which nothing else tells when it was, and the offset by which a transaction of it is
/// beside the one that began from the same state.
fn beside(
    input: &Input<'_>,
    offsets: &[Option<i64>],
    finding: &Finding,
    told: &contents::Told,
) -> Option<(usize, i64)> {
    let Finding::LostUpdate { commits: [one, other], .. } = finding else { return None };
    let offset_of = |call: &Call| offsets.get(call.trace).copied().flatten();
    let (known, untied) = match (offset_of(one), offset_of(other)) {
        (Some(_), None) => (one, other),
        (None, Some(_)) => (other, one),
        _ => return None,
    };
    if !told.alike.contains(&(known.trace.min(untied.trace), known.trace.max(untied.trace))) {
        return None;
    }
    let at_ns = input.start_of(*known)?.saturating_add(offset_of(known)?);
    Some((untied.trace, at_ns.saturating_sub(input.start_of(*untied)?)))
}

fn lost(input: &Input<'_>) -> Vec<Finding> {
    let lost = commits::lost(input).into_iter();
    lost.map(|(base, one, other)| Finding::LostUpdate {
        commits: [one.call, other.call],
        counter: match base {
            Base::Counter { counter, .. } => Some(counter),
            Base::Frame { .. } => None,
        },
    })
    .collect()
}

/// All calls by their start, but for those that read what another wrote: they come after it.
fn placed(
    input: &Input<'_>,
    offsets_ns: &[i64],
    read_from: &[contents::Constraint],
) -> Vec<Placed> {
    let after: std::collections::BTreeMap<Call, Call> =
        read_from.iter().map(|constraint| (constraint.reader, constraint.writer)).collect();
    let start = |call: Call| {
        let offset = offsets_ns.get(call.trace).copied().unwrap_or(0);
        Some(input.start_of(call)?.saturating_add(offset))
    };
    let mut all = Vec::new();
    for (number, trace) in input.traces.iter().enumerate() {
        for event in 0..trace.events.len() {
            let call = Call { trace: number, event };
            let at_ns = start(call).unwrap_or(0);
            let writer = after.get(&call).and_then(|writer| start(*writer));
            let later = writer.filter(|writer| *writer >= at_ns);
            all.push((later.unwrap_or(at_ns), later.is_some(), Placed { call, at_ns }));
        }
    }
    all.sort_by_key(|(key, later, placed)| (*key, *later, placed.call));
    all.into_iter().map(|(_, _, placed)| placed).collect()
}
