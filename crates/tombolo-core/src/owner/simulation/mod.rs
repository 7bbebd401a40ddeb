//! Both ends in one process, with delays, cuts, frozen doors and a stock app, by a seed.
//!
//! The database is a number of accounts, and a page that counts the transactions. Doors move money
//! and look at all accounts; whatever the network does,
//!
//! 1. every look sees the same sum: a transaction reads one version;
//! 2. no transaction that was acknowledged is missing: each count is written once;
//! 3. a transaction sees all that was acknowledged before it began;
//! 4. where all commits are to survive loss of power, nobody but the next writer is shown one that
//!    is not synced.

mod accounts;

use super::SessionId;
use super::engine::Version;
use super::limits::{Limits, TURN_UNUSED_MS};
use super::machine::Machine;
use super::model::{Buffers, ModelEngine, PAGE_BYTES};
use crate::facade::waiting::Waited;
use crate::facade::{Facade, Lock, Read, Unlock};
use crate::sqlite::header::HEADER_BYTES;
use crate::sqlite::result_code::ResultCode;
use crate::wire::reply::{Outcome, Settled};
use crate::wire::request::{self, Access, CommitId, Durability, Incarnation, Pages, Request, Seen};
use crate::wire::{FrameReader, Reply};
use accounts::{
    ACCOUNTS, COUNT_PAGE, FIRST_BALANCE, Random, first_state, page_with, transfer, value_of,
};
use std::collections::{BTreeMap, VecDeque};

const DOORS: usize = 4;

/// What a door does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Waits for the turn, within a transaction or without one.
    Wait,
    Begin,
    Look,
    Reserve,
    Commit,
    /// Asks what became of a commit.
    Settle(CommitId, Seen),
    End,
}

/// What a door waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Nothing,
    Reply { read_first: u32 },
}

/// Frames under way, each with the time at which it arrives.
type Way = VecDeque<(u64, Vec<u8>)>;

struct SimulatedDoor {
    facade: Facade,
    session: SessionId,
    /// To the owner, and back.
    out: Way,
    back: Way,
    step: Step,
    /// It does nothing before this time.
    frozen_until_ms: u64,
    awaited: Awaited,
    /// When it began to wait for the turn.
    waits_since_ms: u64,
    writes: bool,
    /// What this transaction has seen: the accounts and the count, and the start of page 1.
    seen: BTreeMap<u32, u64>,
    one: Option<[u8; HEADER_BYTES]>,
    /// The count that was acknowledged to anybody when this transaction began.
    floor: u64,
    pieces: u32,
    id: u128,
    size_pages: u32,
    /// The count that the commit under way writes.
    writing: u64,
}

struct World {
    random: Random,
    now_ms: u64,
    machine: Machine<ModelEngine, Buffers>,
    doors: Vec<SimulatedDoor>,
    /// Connections that were cut, with what is still under way on them.
    ghosts: Vec<(SessionId, Way)>,
    next_session: u64,
    /// The highest count whose transaction was acknowledged.
    acknowledged: u64,
    /// Counts whose transactions were said to be committed, with who said so.
    counts: BTreeMap<u64, usize>,
    sync_from: Option<(u64, Version)>,
    synced: Version,
    all_durable: bool,
    commits: u64,
    looks: u64,
    /// Transactions that began by what came with the turn.
    offers_used: u64,
}

fn facade(header: Box<[u8; HEADER_BYTES]>, shape: super::engine::Shape) -> Facade {
    Facade::new(Access::Write, shape, header, 16 * PAGE_BYTES)
}

impl World {
    fn new(seed: u64) -> Self {
        let engine = ModelEngine::new(first_state());
        let limits = Limits { turn_hold_ms: 300, outcomes_max: 64, ..Limits::default() };
        let machine = Machine::new(engine, Buffers, Incarnation(seed), limits);
        let mut world = World {
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            now_ms: 0,
            machine,
            doors: Vec::new(),
            ghosts: Vec::new(),
            next_session: 0,
            acknowledged: 0,
            counts: BTreeMap::new(),
            sync_from: None,
            synced: Version(1),
            all_durable: seed.is_multiple_of(2),
            commits: 0,
            looks: 0,
            offers_used: 0,
        };
        for number in 0..DOORS {
            let session = world.connect();
            let Some((_, Reply::Opened { shape, header })) = world.machine.take_replies().pop()
            else {
                panic!("a session opens");
            };
            world.doors.push(SimulatedDoor {
                facade: facade(header, shape),
                session,
                out: VecDeque::new(),
                back: VecDeque::new(),
                step: Step::Begin,
                frozen_until_ms: 0,
                awaited: Awaited::Nothing,
                waits_since_ms: 0,
                writes: false,
                seen: BTreeMap::new(),
                one: None,
                floor: 0,
                pieces: 0,
                id: (number as u128 + 1) << 64,
                size_pages: 0,
                writing: 0,
            });
        }
        world
    }

    fn connect(&mut self) -> SessionId {
        self.next_session += 1;
        let session = SessionId(self.next_session);
        self.machine.open(session, Access::Write, self.now_ms);
        session
    }

    fn send(&mut self, door: usize, request: &Request<'_>) {
        if let Some(adopt) = self.doors[door].facade.adopt() {
            self.put(door, &adopt);
        }
        self.put(door, request);
    }

    fn put(&mut self, door: usize, request: &Request<'_>) {
        let mut frame = Vec::new();
        request.encode(&mut frame);
        let delay =
            if self.random.one_in(50) { self.random.below(500) } else { self.random.below(5) };
        let door = &mut self.doors[door];
        let earliest = door.out.back().map_or(0, |(time, _)| *time);
        door.out.push_back(((self.now_ms + delay).max(earliest), frame));
    }

    fn ask(&mut self, door: usize, request: &Request<'_>, read_first: u32) {
        self.send(door, request);
        self.doors[door].awaited = Awaited::Reply { read_first };
    }

    /// The connection breaks: what is under way is lost, or half of it.
    fn cut(&mut self, door: usize) {
        let old = self.doors[door].session;
        // What is under way may still arrive, later than what is said on the new connection.
        let out = std::mem::take(&mut self.doors[door].out);
        let arriving = if self.random.one_in(2) { out } else { VecDeque::new() };
        self.ghosts.push((old, arriving));
        let session = self.connect();
        let replies = self.machine.take_replies();
        self.keep(replies);
        let state = &mut self.doors[door];
        state.session = session;
        state.back.clear();
        let awaited = std::mem::replace(&mut state.awaited, Awaited::Nothing);
        match state.step {
            Step::Commit if awaited != Awaited::Nothing => {
                let seen = Seen { incarnation: Incarnation(0), version: Version(0) };
                let seen = state.facade.base().unwrap_or(seen);
                state.step = Step::Settle(CommitId(state.id), seen);
            }
            Step::Settle(..) => {}
            _ => {
                state.facade.lost();
                state.facade.unlock(Unlock::ToNone);
                state.step = Step::Begin;
            }
        }
    }

    fn keep(&mut self, replies: Vec<(SessionId, Reply)>) {
        for (session, reply) in replies {
            let delay = self.random.below(5);
            let now_ms = self.now_ms;
            let door = self.doors.iter_mut().find(|door| door.session == session);
            if let (Some(door), false) = (door, matches!(reply, Reply::Opened { .. })) {
                let mut frame = Vec::new();
                reply.encode(&mut frame);
                let earliest = door.back.back().map_or(0, |(time, _)| *time);
                door.back.push_back(((now_ms + delay).max(earliest), frame));
            }
        }
    }

    fn deliver_out(&mut self, door: usize) {
        let session = self.doors[door].session;
        while let Some((_, frame)) =
            self.doors[door].out.pop_front_if(|(time, _)| *time <= self.now_ms)
        {
            self.deliver(session, &frame);
        }
    }

    /// What arrives on connections that their doors have given up, and then their ends.
    fn deliver_ghosts(&mut self) {
        let mut ghosts = std::mem::take(&mut self.ghosts);
        ghosts.retain_mut(|(session, out)| {
            while let Some((_, frame)) = out.pop_front_if(|(time, _)| *time <= self.now_ms) {
                self.deliver(*session, &frame);
            }
            let is_over = out.is_empty() && self.random.one_in(10);
            if is_over {
                self.machine.closed(*session, self.now_ms);
            }
            !is_over
        });
        self.ghosts = ghosts;
    }

    fn deliver(&mut self, session: SessionId, frame: &[u8]) {
        let mut reader = FrameReader::default();
        reader.push(frame);
        let frame = reader.next_frame().expect("well formed").expect("whole");
        let request = Request::decode(frame).expect("a request");
        self.machine.request(session, &request, self.now_ms);
        let replies = self.machine.take_replies();
        self.keep(replies);
    }

    /// One millisecond.
    fn pass(&mut self) {
        self.now_ms += 1;
        self.machine.tick(self.now_ms);
        let replies = self.machine.take_replies();
        self.keep(replies);
        self.sync();
        self.stock_app();
        self.deliver_ghosts();
        for door in 0..self.doors.len() {
            if self.random.one_in(400) {
                self.cut(door);
            }
            self.deliver_out(door);
            let arrived =
                self.doors[door].back.front().is_some_and(|(time, _)| *time <= self.now_ms);
            if arrived {
                let (_, frame) = self.doors[door].back.pop_front().expect("looked at");
                let mut reader = FrameReader::default();
                reader.push(&frame);
                let frame = reader.next_frame().expect("well formed").expect("whole");
                let reply = Reply::decode(frame).expect("a reply");
                self.arrived(door, &reply);
            }
            let state = &self.doors[door];
            let waits = state.step == Step::Wait && state.awaited != Awaited::Nothing;
            if waits && self.random.one_in(50) {
                self.send(door, &Request::Leave);
            }
            if self.random.one_in(200) {
                self.doors[door].frozen_until_ms = self.now_ms + self.random.below(600);
            }
            let is_frozen = self.random.one_in(3) || self.doors[door].frozen_until_ms > self.now_ms;
            if self.doors[door].awaited == Awaited::Nothing && !is_frozen {
                self.act(door);
            }
        }
        let replies = self.machine.take_replies();
        self.keep(replies);
    }

    fn sync(&mut self) {
        match (self.sync_from, self.machine.sync_wanted()) {
            (None, Some(until)) => {
                self.sync_from = Some((self.now_ms + 1 + self.random.below(40), until));
            }
            (Some((time, until)), _) if time <= self.now_ms => {
                self.sync_from = None;
                self.synced = until;
                self.machine.synced(until);
                let replies = self.machine.take_replies();
                self.keep(replies);
            }
            _ => {}
        }
    }

    /// A stock app moves money as well, and counts.
    fn stock_app(&mut self) {
        if !self.random.one_in(20) {
            return;
        }
        let (from, to) = (self.account(), self.account());
        let mut count = 0;
        let done = self.machine.engine_mut().stock_commit(|pages| {
            transfer(pages, from, to);
            let page = pages.get_mut(&COUNT_PAGE).expect("it is there");
            count = value_of(page) + 1;
            *page = page_with(count);
        });
        if done {
            self.acknowledge(count, usize::MAX);
        }
    }

    fn account(&mut self) -> u32 {
        ACCOUNTS.start()
            + self.random.below(u64::from(ACCOUNTS.end() - ACCOUNTS.start()) + 1) as u32
    }

    fn acknowledge(&mut self, count: u64, by: usize) {
        let before = self.counts.insert(count, by);
        assert_eq!(before, None, "count {count} was written twice: an update is lost");
        self.acknowledged = self.acknowledged.max(count);
        self.commits += 1;
    }

    fn act(&mut self, door: usize) {
        let step = self.doors[door].step;
        match step {
            Step::Wait => {
                let wait_ms = 1 + 40 * DOORS as u32;
                self.doors[door].waits_since_ms = self.now_ms;
                if let Some(request) = self.doors[door].facade.wait(wait_ms) {
                    self.ask(door, &request, 0);
                }
            }
            Step::Begin => {
                let writes = self.random.one_in(2);
                let durable = self.all_durable || self.random.one_in(2);
                let floor = self.acknowledged;
                let state = &mut self.doors[door];
                (state.writes, state.floor) = (writes, floor);
                state.pieces = 0;
                state.seen.clear();
                state.one = None;
                let durability = if durable { Durability::Power } else { Durability::Process };
                state.facade.set_durability(durability);
                if self.now_ms - state.waits_since_ms >= TURN_UNUSED_MS / 2 {
                    state.facade.doubt_offer();
                }
                match state.facade.lock(Lock::Shared).expect("nothing is in the way") {
                    Some(request) => self.ask(door, &request, 0),
                    None => {
                        self.offers_used += 1;
                        state.step = Step::Look;
                    }
                }
            }
            Step::Look if self.gives_up(door) => {
                let waits = self.random.one_in(2);
                self.doors[door].step = if waits { Step::Wait } else { Step::End };
            }
            Step::Look => self.look(door),
            Step::Reserve => match self.doors[door].facade.lock(Lock::Reserved) {
                Ok(Some(request)) if !request.is_answered() => {
                    self.send(door, &request);
                    self.doors[door].step = Step::Commit;
                }
                Ok(Some(request)) => self.ask(door, &request, 0),
                Ok(None) => self.doors[door].step = Step::Commit,
                Err(refusal) => panic!("{refusal}"),
            },
            Step::Commit => self.commit(door),
            Step::Settle(id, seen) => self.ask(door, &Request::Outcome { id, seen }, 0),
            Step::End if self.doors[door].facade.must_settle() => {
                self.ask(door, &Request::Settle, 0);
            }
            Step::End => {
                if let Some(request) = self.doors[door].facade.unlock(Unlock::ToNone) {
                    self.send(door, &request);
                }
                let waits = self.doors[door].facade.may_wait() && self.random.one_in(2);
                self.doors[door].step = if waits { Step::Wait } else { Step::Begin };
            }
        }
    }

    /// Whether a door that wants to write without a look before is told that somebody else does.
    fn gives_up(&mut self, door: usize) -> bool {
        let wants = self.random.one_in(4);
        let state = &mut self.doors[door];
        if !wants || !state.writes || !state.facade.is_told_busy() {
            return false;
        }
        let told = state.facade.lock(Lock::Reserved).expect_err("it was told by the begin");
        assert_eq!(told.code, ResultCode::BUSY);
        true
    }

    /// Reads all accounts and the count.
    fn look(&mut self, door: usize) {
        // As SQLite, which looks at page 1 first.
        if self.doors[door].one.is_none() {
            let mut one = [0; HEADER_BYTES];
            match self.doors[door].facade.read(0, &mut one).expect("a lock is held") {
                Read::Missing { first, count } => {
                    return self.ask(door, &Request::Read { first, count }, first);
                }
                _ => self.doors[door].one = Some(one),
            }
        }
        for page in ACCOUNTS.chain([COUNT_PAGE]) {
            // SQLite keeps what it has read.
            if self.doors[door].seen.contains_key(&page) {
                continue;
            }
            let mut bytes = [0; 8];
            let offset = u64::from(page - 1) * PAGE_BYTES as u64;
            match self.doors[door].facade.read(offset, &mut bytes).expect("a lock is held") {
                Read::Whole => {
                    self.doors[door].seen.insert(page, u64::from_le_bytes(bytes));
                }
                Read::Short => panic!("page {page} is missing"),
                // As SQLite, which asks for the lock to write before it reads, or after.
                Read::TurnUnused if self.doors[door].writes && self.random.one_in(2) => {
                    let had = self.doors[door].facade.lock(Lock::Reserved);
                    let Ok(Some(request @ (Request::Use | Request::Adopt { .. }))) = had else {
                        panic!("it has the turn: {had:?}");
                    };
                    return self.send(door, &request);
                }
                Read::TurnUnused => {
                    if let Some(request) = self.doors[door].facade.give_turn_back() {
                        self.send(door, &request);
                    }
                    return;
                }
                Read::Unsettled => return self.ask(door, &Request::Settle, 0),
                Read::Missing { first, count } => {
                    return self.ask(door, &Request::Read { first, count }, first);
                }
            }
        }
        let state = &mut self.doors[door];
        let sum: u64 = ACCOUNTS.map(|account| state.seen[&account]).sum();
        let accounts = u64::from(ACCOUNTS.end() - ACCOUNTS.start()) + 1;
        assert_eq!(sum, accounts * FIRST_BALANCE, "a look saw two versions");
        let count = state.seen[&COUNT_PAGE];
        assert!(count >= state.floor, "saw {count}, and {} was acknowledged", state.floor);
        self.looks += 1;
        state.step = if state.writes { Step::Reserve } else { Step::End };
    }

    fn commit(&mut self, door: usize) {
        let (from, to) = (self.account(), self.account());
        let is_sent_ahead = self.random.one_in(4);
        let state = &mut self.doors[door];
        let mut pages: BTreeMap<u32, Vec<u8>> =
            state.seen.iter().map(|(page, value)| (*page, page_with(*value))).collect();
        transfer(&mut pages, from, to);
        state.writing = state.seen[&COUNT_PAGE] + 1;
        pages.insert(COUNT_PAGE, page_with(state.writing));
        let mut one = vec![0; PAGE_BYTES];
        one[..HEADER_BYTES].copy_from_slice(&state.one.expect("it was looked at"));
        let counter = u32::from_be_bytes(one[24..28].try_into().expect("four")) + 1;
        one[24..28].copy_from_slice(&counter.to_be_bytes());
        pages.insert(1, one);
        for (number, page) in &pages {
            let offset = u64::from(number - 1) * PAGE_BYTES as u64;
            state.facade.write(offset, page).expect("the lock is held");
        }
        let piece = if is_sent_ahead { state.facade.send_ahead() } else { Vec::new() };
        let commit = state.facade.sync().expect("pages fit").expect("the counter moved");
        state.id += 1;
        state.size_pages = commit.size_pages;
        let id = CommitId(state.id);
        let pieces = u32::from(is_sent_ahead);
        if let (true, Some(pages)) = (is_sent_ahead, Pages::new(PAGE_BYTES as u32, &piece)) {
            self.send(door, &Request::Write(pages));
        }
        let pages = Pages::new(commit.page_size_bytes, &commit.pages).expect("whole pages");
        let commit = request::Commit {
            id,
            base: commit.base.version,
            size_pages: commit.size_pages,
            durability: commit.durability,
            pieces,
            pages,
        };
        self.ask(door, &Request::Commit(commit), 0);
    }

    fn arrived(&mut self, door: usize, reply: &Reply) {
        let Awaited::Reply { read_first } =
            std::mem::replace(&mut self.doors[door].awaited, Awaited::Nothing)
        else {
            panic!("nobody asked for {reply:?}");
        };
        let goes_on = self.random.one_in(4);
        let state = &mut self.doors[door];
        match reply {
            reply if state.step == Step::Wait => {
                let (waited, is_idle) =
                    (state.facade.waited(reply.clone()), state.facade.is_idle());
                state.step = match waited {
                    _ if is_idle => Step::Begin,
                    Waited::Granted => Step::Look,
                    // It has kept its snapshot.
                    Waited::Offered | Waited::InVain if goes_on => Step::Look,
                    Waited::Offered | Waited::InVain => Step::End,
                };
            }
            Reply::Begun(begun) => {
                let is_own = self.machine.engine_mut().own.contains(&begun.version);
                let may = !self.all_durable || !is_own || begun.version <= self.synced;
                assert!(may || begun.state == Settled::No, "shown before it is durable");
                state.facade.begun(begun).expect("it was asked for");
                state.step = Step::Look;
            }
            Reply::Settled => state.facade.settled(),
            Reply::Pages(pages) => {
                state.facade.pages_arrived(read_first, pages).expect("pages");
            }
            Reply::Reserved(reservation) => match state.facade.reserved(*reservation) {
                Ok(()) => state.step = Step::Commit,
                Err(_) => state.step = Step::End,
            },
            Reply::Outcome(outcome) => self.outcome(door, *outcome),
            Reply::Failed(error) => {
                let is_planned = error.code == ResultCode::FULL;
                assert!(is_planned, "{error}");
                let size_pages = state.size_pages;
                let _ = state.facade.committed(Outcome::NotCommitted, size_pages);
                state.step = Step::End;
            }
            other => panic!("{other:?}"),
        }
    }

    fn outcome(&mut self, door: usize, outcome: Outcome) {
        let state = &mut self.doors[door];
        let settled = matches!(state.step, Step::Settle(..));
        let _ = state.facade.committed(outcome, state.size_pages);
        if settled {
            state.facade.lost();
        }
        state.step = Step::End;
        let writing = state.writing;
        match outcome {
            Outcome::Committed(_) => self.acknowledge(writing, door),
            Outcome::Unknown => panic!("nothing was forgotten, and no sync failed"),
            Outcome::Conflict | Outcome::NotCommitted => {}
        }
    }
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..3_000 {
        world.pass();
        if world.random.one_in(500) {
            world.machine.engine_mut().commit_fails = true;
        }
        let stock = world.random.below(60);
        if stock < 2 && !world.machine.engine_mut().is_held() {
            world.machine.engine_mut().stock_writes = stock == 0;
        }
    }
    // All that was acknowledged is there, and nothing was counted twice.
    let count = value_of(&world.machine.engine_mut().latest()[&COUNT_PAGE]);
    assert!(count >= world.acknowledged, "{count} < {}", world.acknowledged);
    let ghosts = world.ghosts.iter().map(|ghost| ghost.0);
    let sessions: Vec<SessionId> =
        world.doors.iter().map(|door| door.session).chain(ghosts).collect();
    for session in sessions {
        world.machine.closed(session, world.now_ms);
    }
    if let Some(until) = world.machine.sync_wanted() {
        world.machine.synced(until);
    }
    assert_eq!(world.machine.engine_mut().pin_count(), 0, "a pin was forgotten");
    assert!(!world.machine.engine_mut().is_held(), "the write lock was forgotten");
    world
}

fn no_seed_breaks_a_promise(seeds: std::ops::Range<u64>) {
    let (mut commits, mut looks, mut offers) = (0, 0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let world = run(seed);
        commits += world.commits;
        looks += world.looks;
        offers += world.offers_used;
    }
    assert!(commits > 10 * count && looks > 20 * count, "{commits} commits, {looks} looks");
    assert!(offers > count, "{offers} begins came with the turn");
}

#[test]
fn a_hundred_seeds() {
    no_seed_breaks_a_promise(0..100);
}

/// Thousands, in a release build: `cargo test --release -p tombolo-core -- --ignored seeds`.
#[test]
#[ignore = "takes minutes in a debug build"]
fn thousands_of_seeds() {
    no_seed_breaks_a_promise(100..5_000);
}
