//! What a door does, and what it makes of an answer.

use super::super::limits::TURN_UNUSED_MS;
use super::super::model::PAGE_BYTES;
use super::accounts::{ACCOUNTS, COUNT_PAGE, FIRST_BALANCE, page_with, transfer};
use super::{Awaited, DOORS, Step, World};
use crate::facade::waiting::Waited;
use crate::facade::{Lock, Read, Unlock};
use crate::sqlite::header::HEADER_BYTES;
use crate::sqlite::result_code::ResultCode;
use crate::wire::Reply;
use crate::wire::reply::{Outcome, Settled};
use crate::wire::request::{self, CommitId, Durability, Pages, Request};
use std::collections::BTreeMap;

impl World {
    pub(super) fn act(&mut self, door: usize) {
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

    pub(super) fn arrived(&mut self, door: usize, reply: &Reply) {
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
