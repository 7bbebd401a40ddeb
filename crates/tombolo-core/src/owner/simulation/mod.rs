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
mod acts;

use super::SessionId;
use super::engine::Version;
use super::limits::Limits;
use super::machine::Machine;
use super::model::{Buffers, ModelEngine, PAGE_BYTES};
use crate::facade::{Facade, Unlock};
use crate::sqlite::header::HEADER_BYTES;
use crate::wire::request::{Access, CommitId, Incarnation, Request, Seen};
use crate::wire::{FrameReader, Reply};
use accounts::{ACCOUNTS, COUNT_PAGE, Random, first_state, page_with, transfer, value_of};
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
