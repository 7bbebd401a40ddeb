//! Two simulated programs on two kernels, whose true order is known and whose clocks differ.

use super::super::content::{Content, Mark};
use super::super::layout::Header;
use super::super::read::{TracedFile, TracedProcess};
use super::super::record::{
    Call as Recorded, LockCall, Operation, Outcome, Owner, Patience, Wanted,
};
use super::*;
use crate::errno::Errno;
use crate::locktable::Strength;
use crate::sqlite::lock_bytes::{PENDING, RESERVED, SHARED_BYTES, SHARED_FIRST};
use proptest::prelude::*;

const PAGES: u64 = 4;
const JOURNAL_SUFFIX: &str = "-journal";

/// What a share does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// Everybody sees everything at once, and locks cross.
    Coherent,
    /// Each kernel goes on seeing what it saw first, and has locks of its own.
    Blind,
}

/// Numbers that look random (Knuth's MMIX).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

struct Simulation {
    chance: Chance,
    share: Share,
    /// True time.
    now_ns: u64,
    /// What each kernel adds to true time.
    skew_ns: [u64; 2],
    /// The change counter, and what stands on the pages behind page 1.
    server: (u32, [u64; PAGES as usize]),
    caches: [Option<(u32, [u64; PAGES as usize])>; 2],
    next_value: u64,
    events: [Vec<(Event, u64, u64)>; 2],
}

impl Simulation {
    fn new(seed: u64, share: Share) -> Self {
        let mut chance = Chance(seed);
        let skew_ns = [1 << 40, (1 << 40) + chance.below(1 << 36)];
        let server = (7, [1, 2, 3, 4]);
        let (caches, events) = ([None, None], [Vec::new(), Vec::new()]);
        Simulation { chance, share, now_ns: 0, skew_ns, server, caches, next_value: 5, events }
    }

    /// A call that takes a while and has its effect somewhere within.
    fn call(&mut self, side: usize, operation: Operation, content: Option<Content>) {
        self.now_ns += 1 + self.chance.below(5000);
        let start = self.now_ns;
        self.now_ns += 1 + self.chance.below(2000);
        let bytes =
            if let Operation::Read { bytes, .. } | Operation::Write { bytes, .. } = operation {
                bytes
            } else {
                0
            };
        let call = Recorded {
            thread: 1,
            start_ns: start + self.skew_ns[side],
            duration_ns: self.now_ns - start,
            file: 1,
            descriptor: Some(3),
            operation,
            outcome: Outcome::Returned(bytes),
            content,
        };
        self.events[side].push((Event { process: 0, file: 0, call }, start, self.now_ns));
    }

    fn lock(&mut self, side: usize, wanted: Wanted, first: u64, bytes: u64) {
        let lock = LockCall { wanted, owner: Owner::Process, first, bytes };
        self.call(side, Operation::Lock(lock), None);
    }

    fn seen(&mut self, side: usize) -> (u32, [u64; PAGES as usize]) {
        match self.share {
            Share::Coherent => self.server,
            Share::Blind => *self.caches[side].get_or_insert(self.server),
        }
    }

    /// One transaction, which reads everything and may write.
    fn transaction(&mut self, side: usize) {
        let take = |strength| Wanted::Take(strength, Patience::AtOnce);
        self.lock(side, take(Strength::Shared), SHARED_FIRST, SHARED_BYTES);
        let (counter, mut pages) = self.seen(side);
        let marked = |counter: u32| Content {
            digest: 1000 + u64::from(counter),
            mark: Mark::ChangeCounter(counter),
        };
        let plain = |digest| Content { digest, mark: Mark::None };
        let head = Operation::Read { offset: Some(24), bytes: 16 };
        self.call(side, head, Some(marked(counter)));
        for page in 0..PAGES {
            let read = Operation::Read { offset: Some((page + 1) * 4096), bytes: 4096 };
            self.call(side, read, Some(plain(pages[page as usize])));
        }
        if self.chance.below(3) > 0 {
            self.lock(side, take(Strength::Exclusive), RESERVED, 1);
            self.lock(side, take(Strength::Exclusive), PENDING, 1);
            self.lock(side, take(Strength::Exclusive), SHARED_FIRST, SHARED_BYTES);
            let page = self.chance.below(PAGES);
            // Half of the pages come back to what stood there once.
            let old = self.chance.below(2) == 0;
            let value = if old { 1 + self.chance.below(6) } else { self.next_value };
            self.next_value += 1;
            pages[page as usize] = value;
            let write = Operation::Write { offset: Some((page + 1) * 4096), bytes: 4096 };
            self.call(side, write, Some(plain(value)));
            let first = Operation::Write { offset: Some(0), bytes: 4096 };
            self.call(side, first, Some(marked(counter + 1)));
            self.server = (counter + 1, pages);
            self.caches[side] = self.caches[side].map(|_| self.server);
            self.lock(side, take(Strength::Shared), SHARED_FIRST, SHARED_BYTES);
            self.lock(side, Wanted::Release, PENDING, 2);
        }
        self.lock(side, Wanted::Release, 0, 0);
    }

    fn trace(&self, side: usize) -> Trace {
        let path = format!("/side{side}/app.db");
        let journal =
            TracedFile { kind: FileKind::Journal, path: format!("{path}{JOURNAL_SUFFIX}") };
        Trace {
            header: Header { boot_id: format!("kernel {side}"), ..Header::default() },
            processes: vec![TracedProcess {
                number: 7,
                began_ns: 0,
                parent: None,
                program: String::new(),
            }],
            files: vec![TracedFile { kind: FileKind::Database, path }, journal],
            events: self.events[side].iter().map(|(event, _, _)| *event).collect(),
            messages: Vec::new(),
            unread: 0,
        }
    }

    fn run(&mut self, transactions: u64) -> Vec<Trace> {
        for _ in 0..transactions {
            let side = self.chance.below(2) as usize;
            self.transaction(side);
        }
        vec![self.trace(0), self.trace(1)]
    }

    /// When a call truly began and ended.
    fn truth(&self, call: Call) -> (u64, u64) {
        let (_, start, end) = self.events[call.trace][call.event];
        (start, end)
    }

    /// What has truly to be added to the times of the second trace, counted from its start.
    fn offset_ns(&self) -> i64 {
        let start = |side: usize| self.events[side].first().map_or(0, |(_, start, _)| *start);
        start(1) as i64 - start(0) as i64
    }
}

fn holds(interval: Interval, offset_ns: i64) -> bool {
    interval.least_ns.is_none_or(|least| least <= offset_ns)
        && interval.most_ns.is_none_or(|most| offset_ns <= most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_true_order_is_never_contradicted(seed in any::<u64>()) {
        let mut simulation = Simulation::new(seed, Share::Coherent);
        let traces = simulation.run(40);
        let merged = merge(&traces).expect("they belong together");
        prop_assert_eq!(&merged.findings, &[], "nothing is wrong");
        let offset_ns = simulation.offset_ns();
        prop_assert!(holds(merged.certain[1], offset_ns), "{:?} {offset_ns}", merged.certain);
        prop_assert!(holds(merged.likely[1], offset_ns), "{:?} {offset_ns}", merged.likely);
        let all: Vec<Call> = merged.calls.iter().map(|placed| placed.call).collect();
        prop_assert_eq!(all.len(), traces[0].events.len() + traces[1].events.len());
        let mut certain = 0;
        for one in &all {
            for other in &all {
                if merged.is_certainly_before(*one, *other) {
                    certain += 1;
                    prop_assert!(simulation.truth(*one).1 < simulation.truth(*other).0);
                }
            }
        }
        prop_assert!(certain > all.len() * all.len() / 4, "most is certain: {certain}");
        // What was read was written above it.
        let mut counter = 7;
        for placed in &merged.calls {
            let event = &traces[placed.call.trace].events[placed.call.event];
            let mark = event.call.content.map(|content| content.mark);
            if let Some(Mark::ChangeCounter(seen)) = mark {
                prop_assert!(seen >= counter && seen <= counter + 1, "{seen} after {counter}");
                counter = seen;
            }
        }
    }

    #[test]
    fn a_share_that_is_blind_loses_updates_and_is_found_out(seed in any::<u64>()) {
        let mut simulation = Simulation::new(seed, Share::Blind);
        let mut traces = simulation.run(40);
        let lost = |merged: &Merged| {
            merged.findings.iter().any(|finding| matches!(finding, Finding::LostUpdate { .. }))
        };
        // Nobody sees what the other wrote from then on: what was lost is known all the same.
        match merge(&traces) {
            Ok(merged) => prop_assert!(lost(&merged), "{:?}", merged.findings),
            Err(apart) => prop_assert_eq!(apart, Apart::Untied(1)),
        }
        let skew = simulation.skew_ns;
        for (trace, skew) in traces.iter_mut().zip(skew) {
            trace.header.boot_id = "one kernel".to_owned();
            trace.events.iter_mut().for_each(|event| event.call.start_ns -= skew);
        }
        let merged = merge(&traces).expect("one clock");
        prop_assert!(lost(&merged), "{:?}", merged.findings);
    }
}

/// Calls of one side, by hand: what was done, the value, and when.
fn side(side: usize, calls: &[(Operation, u64, u64)]) -> Trace {
    let mut simulation = Simulation::new(1, Share::Coherent);
    for (operation, digest, start_ns) in calls {
        simulation.call(side, *operation, Some(Content { digest: *digest, mark: Mark::None }));
        if let Some((event, _, _)) = simulation.events[side].last_mut() {
            (event.call.start_ns, event.call.duration_ns) = (*start_ns, 1);
        }
    }
    simulation.trace(side)
}

#[test]
fn a_stale_read_is_named_and_narrows_nothing() {
    let at = |page: u64| Some(page * 4096);
    let read = |page| Operation::Read { offset: at(page), bytes: 4096 };
    let write = |page| Operation::Write { offset: at(page), bytes: 4096 };
    let writer = [(read(1), 10, 0), (read(2), 20, 10), (write(1), 11, 100), (write(2), 21, 200)];
    let reader = [(read(1), 10, 0), (read(2), 20, 5), (read(2), 21, 50), (read(1), 10, 60)];
    let merged = merge(&[side(0, &writer), side(1, &reader)]).expect("tied");
    let call = |trace, event| Call { trace, event };
    let stale = Finding::StaleRead { reader: call(1, 3), writer: call(0, 2), late_ns: 108 };
    assert_eq!(merged.findings, [stale]);
    assert_eq!(merged.certain[1], Interval { least_ns: Some(149), most_ns: None });
    assert_eq!(merged.likely, merged.certain);
}

#[test]
fn what_is_not_of_one_database_is_not_merged() {
    let read = Operation::Read { offset: Some(4096), bytes: 4096 };
    let apart = merge(&[side(0, &[(read, 1, 0)]), side(1, &[(read, 2, 0)])]);
    assert_eq!(apart.err(), Some(Apart::Untied(1)));
    let write = Operation::Write { offset: Some(4096), bytes: 4096 };
    let other = Operation::Write { offset: Some(8192), bytes: 4096 };
    let other_read = Operation::Read { offset: Some(8192), bytes: 4096 };
    // Each read what the other wrote only afterwards.
    let one = [(read, 9, 0), (other_read, 8, 1), (other_read, 3, 2), (write, 4, 1000)];
    let two = [(other_read, 8, 0), (read, 9, 1), (read, 4, 2), (other, 3, 1000)];
    let contradiction = merge(&[side(0, &one), side(1, &two)]);
    assert_eq!(contradiction.err(), Some(Apart::Contradiction));
}

/// A call of a program that is told by hand, a second after the last one.
#[derive(Clone, Copy)]
enum Step {
    Read(u32),
    Write(u32),
    Lock(Wanted),
    SaveInJournal,
    PlayJournalBack,
    Unlink(Outcome),
}

const EXCLUSIVE: Step = Step::Lock(Wanted::Take(Strength::Exclusive, Patience::AtOnce));
const RELEASE: Step = Step::Lock(Wanted::Release);
const DONE: Outcome = Outcome::Returned(0);
const GONE: Outcome = Outcome::Failed(Errno::ENOENT);

/// A whole transaction from one change counter to another.
fn transaction(from: u32, to: u32, unlinked: Outcome) -> Vec<Step> {
    let unlink = Step::Unlink(unlinked);
    vec![Step::Read(from), EXCLUSIVE, Step::SaveInJournal, Step::Write(to), unlink, RELEASE]
}

/// What a program finds that takes a journal for that of a crash.
fn rolling_back(to: u32) -> Vec<Step> {
    vec![EXCLUSIVE, Step::PlayJournalBack, Step::Write(to), Step::Unlink(DONE), RELEASE]
}

/// A trace of these. `page` is what stands on the second page, and is read at first.
fn told(side: usize, page: u64, steps: &[Step]) -> Trace {
    let mut simulation = Simulation::new(1, Share::Coherent);
    let second = Operation::Read { offset: Some(4096), bytes: 4096 };
    simulation.call(side, second, Some(Content { digest: page, mark: Mark::None }));
    for step in steps {
        let marked = |counter: u32| Content {
            digest: page * 1000 + u64::from(counter),
            mark: Mark::ChangeCounter(counter),
        };
        let range = (SHARED_FIRST, SHARED_BYTES, Owner::Process);
        let page_record = 516;
        let (file, operation, outcome, content) = match *step {
            Step::Read(counter) => {
                let read = Operation::Read { offset: Some(0), bytes: 4096 };
                (0, read, Outcome::Returned(4096), Some(marked(counter)))
            }
            Step::Write(counter) => {
                let write = Operation::Write { offset: Some(0), bytes: 4096 };
                (0, write, Outcome::Returned(4096), Some(marked(counter)))
            }
            Step::Lock(wanted) => {
                let (first, bytes, owner) = range;
                (0, Operation::Lock(LockCall { wanted, owner, first, bytes }), DONE, None)
            }
            Step::SaveInJournal => {
                let write = Operation::Write { offset: Some(page_record), bytes: 4096 };
                (1, write, Outcome::Returned(4096), None)
            }
            Step::PlayJournalBack => {
                let read = Operation::Read { offset: Some(page_record), bytes: 4096 };
                (1, read, Outcome::Returned(4096), None)
            }
            Step::Unlink(outcome) => (1, Operation::Unlink, outcome, None),
        };
        simulation.call(side, operation, content);
        if let Some((event, _, _)) = simulation.events[side].last_mut() {
            (event.file, event.call.outcome) = (file, outcome);
        }
    }
    simulation.trace(side)
}

/// The change counters from which transactions began that were lost.
fn lost_from(merged: &Merged) -> Vec<u32> {
    let counters = merged.findings.iter().filter_map(|finding| match finding {
        Finding::LostUpdate { counter, .. } => *counter,
        _ => None,
    });
    counters.collect()
}

#[test]
fn who_begins_when_another_has_ended_is_tied_by_the_first_counter() {
    let first = [transaction(7, 8, DONE), transaction(8, 9, DONE)].concat();
    let second = transaction(9, 10, DONE);
    let traces = [told(0, 1, &first), told(1, 1, &second)];
    let merged = merge(&traces).expect("tied");
    assert_eq!((&merged.findings[..], merged.certain[1].most_ns), (&[][..], None));
    let traces_in_order: Vec<usize> = merged.calls.iter().map(|placed| placed.call.trace).collect();
    let wrote = traces[0].events.iter().rposition(|event| event.call.content.is_some());
    let wrote = Call { trace: 0, event: wrote.expect("a write") };
    let place = merged.calls.iter().position(|placed| placed.call == wrote).expect("there");
    let read = Call { trace: 1, event: 1 };
    assert!(merged.calls[place..].iter().any(|placed| placed.call == read), "{traces_in_order:?}");
    // It could have stood there from the beginning, if nobody had seen another before.
    let unseen = [told(0, 1, &first[1..]), told(1, 2, &second)];
    assert_eq!(merge(&unseen).err(), Some(Apart::Untied(1)));
}

#[test]
fn what_was_lost_is_told_although_nothing_ties_the_clocks() {
    let traces =
        |pages: [u64; 2]| [0, 1].map(|side| told(side, pages[side], &transaction(7, 8, DONE)));
    let merged = merge(&traces([1, 1])).expect("of one database");
    assert_eq!(lost_from(&merged), [7]);
    assert_eq!(merged.certain[1], Interval { least_ns: None, most_ns: None });
    // Two databases can have come to the same number.
    assert_eq!(merge(&traces([1, 2])).err(), Some(Apart::Untied(1)));
}

#[test]
fn a_transaction_that_failed_or_was_taken_back_is_none() {
    let lost = |first: Vec<Step>, second: Vec<Step>| {
        let mut traces = [told(0, 1, &first), told(1, 1, &second)];
        traces.iter_mut().for_each(|trace| trace.header.boot_id = "one kernel".to_owned());
        lost_from(&merge(&traces).expect("one clock"))
    };
    let failed = || transaction(8, 9, GONE);
    let done = || transaction(8, 9, DONE);
    assert_eq!(lost(done(), failed()), [0_u32; 0], "SQLite has said so");
    let taken_back = [transaction(6, 7, DONE), transaction(7, 8, DONE)].concat();
    let other = [vec![Step::Read(6)], rolling_back(7)].concat();
    assert_eq!(lost(taken_back, other), [0_u32; 0]);
    // What was under way is put back, and both go on from there.
    assert_eq!(lost(done(), [rolling_back(8), done()].concat()), [8]);
}
