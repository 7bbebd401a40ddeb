//! What contents tell of order: who read what another wrote, and who still read what another had
//! written over.

use super::clocks::Moment;
use super::{Call, Input, PAGE_BYTES_MIN};
use crate::trace::content::Mark;
use crate::trace::record::{FileKind, Operation, Outcome};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Pairs of traces, the lower number first, that have read the same of some page.
    pub(super) alike: BTreeSet<(usize, usize)>,
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
    for (place, accesses) in places(input) {
        read_from(place, &accesses, &mut told.read_from);
        read_before(&accesses, &mut told.read_before);
        alike(place, &accesses, &mut told.alike);
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

fn alike(place: Place, accesses: &[Access], found: &mut BTreeSet<(usize, usize)>) {
    let Place::Range { bytes: PAGE_BYTES_MIN.., .. } = place else { return };
    let mut readers: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for access in accesses.iter().filter(|access| access.way == Way::Read) {
        readers.entry(access.value).or_default().insert(access.call.trace);
    }
    for traces in readers.values() {
        let pairs =
            traces.iter().flat_map(|one| traces.range(one + 1..).map(|other| (*one, *other)));
        found.extend(pairs);
    }
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

/// A change counter that stood there before all traces: one that was read and that nobody wrote. Of
/// other contents this says less, as a read that meets a write can give a bit of both.
fn first_counter(place: Place, accesses: &[Access], written: &[u64]) -> Option<u64> {
    let unwritten =
        |access: &&Access| access.way == Way::Read && written.binary_search(&access.value).is_err();
    let first = accesses.iter().find(unwritten).map(|access| access.value);
    first.filter(|_| matches!(place, Place::Counter { .. }))
}

/// A value that a trace sees for the first time, and that somebody else alone wrote, was written
/// before; unless it stood there from the beginning, which it did not if the trace saw another
/// before, or another is known to have.
fn read_from(place: Place, accesses: &[Access], found: &mut Vec<Constraint>) {
    let written = written(accesses);
    let first_counter = first_counter(place, accesses, &written);
    for value in written {
        let Some(write) = only_write(accesses, value) else { continue };
        for trace in traces(accesses) {
            if trace == write.call.trace {
                continue;
            }
            let mut earlier = of(accesses, trace).take_while(|access| access.value != value);
            let came_later = earlier.next().is_some() || first_counter.is_some();
            let first = of(accesses, trace).find(|access| access.value == value);
            let Some(read) = first.filter(|first| came_later && first.way == Way::Read) else {
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
