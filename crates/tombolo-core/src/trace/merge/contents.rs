//! What contents tell of order: who read what another wrote, and who still read what another had
//! written over.

use super::clocks::Moment;
use super::{Call, Input};
use crate::trace::content::Mark;
use crate::trace::record::{FileKind, Operation, Outcome};
use std::collections::BTreeMap;

/// That a call ended after another began, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) before: Moment,
    pub(super) after: Moment,
    /// The call that read.
    pub(super) reader: Call,
    /// The call that wrote what was read, or over it.
    pub(super) writer: Call,
}

/// What contents tell.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Somebody read what another had written: certain, however the share behaves.
    pub(super) read_from: Vec<Constraint>,
    /// Somebody read what another was about to write over: so where nobody caches.
    pub(super) read_before: Vec<Constraint>,
}

/// Where contents can be equal: a range of a file of a database, or its change counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Range { database: usize, kind: FileKind, offset: u64, bytes: u64 },
    Counter { database: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

#[derive(Clone, Copy, Debug)]
struct Access {
    call: Call,
    way: Way,
    value: u64,
    start_ns: i64,
    end_ns: i64,
}

/// Draws up what all traces tell together.
pub(super) fn told(input: &Input<'_>) -> Told {
    let mut told = Told::default();
    for accesses in places(input).values() {
        read_from(accesses, &mut told.read_from);
        read_before(accesses, &mut told.read_before);
    }
    told
}

/// Every access to each place, by trace and then by time.
fn places(input: &Input<'_>) -> BTreeMap<Place, Vec<Access>> {
    let mut places: BTreeMap<Place, Vec<Access>> = BTreeMap::new();
    for (trace, number) in input.traces.iter().zip(0..) {
        for (event, place) in trace.events.iter().zip(0..) {
            let way = match event.call.operation {
                Operation::Read { .. } => Way::Read,
                Operation::Write { .. } => Way::Write,
                _ => continue,
            };
            let (Operation::Read { offset, .. } | Operation::Write { offset, .. }) =
                event.call.operation
            else {
                continue;
            };
            let (Some(content), Some(offset)) = (event.call.content, offset) else { continue };
            let Some((database, kind)) = input.file(number, event.file) else { continue };
            let Outcome::Returned(bytes) = event.call.outcome else { continue };
            let (start_ns, end_ns) = input.span(number, event);
            let call = Call { trace: number, event: place };
            let access = |value| Access { call, way, value, start_ns, end_ns };
            let range = Place::Range { database, kind, offset, bytes };
            places.entry(range).or_default().push(access(content.digest));
            if let Mark::ChangeCounter(counter) = content.mark {
                let counter = access(u64::from(counter));
                places.entry(Place::Counter { database }).or_default().push(counter);
            }
        }
    }
    places
}

/// The accesses of one trace to a place.
fn of(accesses: &[Access], trace: usize) -> impl DoubleEndedIterator<Item = &Access> {
    accesses.iter().filter(move |access| access.call.trace == trace)
}

/// The write of a value, if one trace alone wrote it, once, over another value that it knew.
fn only_write(accesses: &[Access], value: u64) -> Option<&Access> {
    let mut writes =
        accesses.iter().filter(|access| access.way == Way::Write && access.value == value);
    let write = writes.next().filter(|_| writes.next().is_none())?;
    let mut earlier =
        of(accesses, write.call.trace).take_while(|access| access.call != write.call).peekable();
    earlier.peek()?;
    earlier.all(|access| access.value != value).then_some(write)
}

/// Values that some trace wrote, each once.
fn written(accesses: &[Access]) -> Vec<u64> {
    let writes = accesses.iter().filter(|access| access.way == Way::Write);
    let mut values: Vec<u64> = writes.map(|access| access.value).collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn traces(accesses: &[Access]) -> Vec<usize> {
    let mut traces: Vec<usize> = accesses.iter().map(|access| access.call.trace).collect();
    traces.dedup();
    traces
}

/// A value that a trace sees for the first time after it saw another there, and that somebody else
/// alone wrote, was written before.
fn read_from(accesses: &[Access], found: &mut Vec<Constraint>) {
    for value in written(accesses) {
        let Some(write) = only_write(accesses, value) else { continue };
        for trace in traces(accesses) {
            if trace == write.call.trace {
                continue;
            }
            let mut earlier = of(accesses, trace).take_while(|access| access.value != value);
            let saw_another = earlier.next().is_some();
            let first = of(accesses, trace).find(|access| access.value == value);
            let Some(read) = first.filter(|first| saw_another && first.way == Way::Read) else {
                continue;
            };
            found.push(Constraint {
                before: Moment { trace: write.call.trace, at_ns: write.start_ns },
                after: Moment { trace, at_ns: read.end_ns },
                reader: read.call,
                writer: write.call,
            });
        }
    }
}

/// A value that a trace replaced by another, and that nobody wrote again, was read before.
fn read_before(accesses: &[Access], found: &mut Vec<Constraint>) {
    for trace in traces(accesses) {
        let own: Vec<&Access> = of(accesses, trace).collect();
        for pair in own.windows(2) {
            let [before, write] = pair else { continue };
            let value = before.value;
            let again = accesses.iter().any(|access| {
                access.way == Way::Write && access.value == value && access.call != before.call
            });
            if write.way != Way::Write || write.value == value || again {
                continue;
            }
            for other in traces(accesses).into_iter().filter(|other| *other != trace) {
                let mut reads = of(accesses, other).rev();
                let last = reads.find(|access| access.way == Way::Read && access.value == value);
                let Some(read) = last else { continue };
                found.push(Constraint {
                    before: Moment { trace: other, at_ns: read.start_ns },
                    after: Moment { trace, at_ns: write.end_ns },
                    reader: read.call,
                    writer: write.call,
                });
            }
        }
    }
}
