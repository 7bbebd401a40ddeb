//! What a database does for transactions over several of them.

use super::super::groups::{Member, Undecided};
use super::{Database, Event};
use tombolo_core::owner::SessionId;
use tombolo_core::owner::engine::Version;
use tombolo_core::owner::machine::{Decided, GroupWish};
use tombolo_core::wire::request::GroupId;

impl Database {
    pub(super) fn grant_group_wishes(&mut self) {
        for wish in self.machine.take_group_wishes() {
            match wish {
                GroupWish::Keep { session, group } => self.keep(session, group),
                GroupWish::Decide { session, group, members } => {
                    self.decide(session, group, members);
                }
            }
        }
    }

    fn keep(&mut self, session: SessionId, group: GroupId) {
        let position = self.machine.engine_mut().position();
        let line = (self.own_events.clone(), self.poller.waker());
        let member = Member { session, line, database: self.subject.path.clone() };
        let Some(mut transaction) = self.machine.prepared_transaction(session) else { return };
        let kept = self.groups.keep(group, member, position, &mut transaction);
        drop(transaction);
        match kept {
            Ok(()) => self.machine.join(session),
            Err(error) => self.machine.refuse(session, Some(error), self.now_ms()),
        }
    }

    fn decide(&mut self, session: SessionId, group: GroupId, members: u32) {
        let undecided = match self.groups.decide(group, members) {
            Ok(told) => {
                for (session, (events, waker)) in told {
                    // One that has ended does it when it is opened again.
                    let _ = events.send(Event::Decided(session, group));
                    waker.wake();
                }
                return;
            }
            Err(undecided) => undecided,
        };
        self.groups.give_up(group);
        let why = match undecided {
            Undecided::NotWhole => None,
            Undecided::Failed(error) => Some(error),
        };
        self.machine.refuse(session, why, self.now_ms());
    }

    /// Commits what is decided, and what could not be committed before.
    pub(super) fn commit_decided(&mut self, session: SessionId, group: GroupId) {
        let now_ms = self.now_ms();
        let path = &self.subject.path;
        match self.machine.commit_prepared(session, now_ms) {
            Ok(Decided::Committed(version)) => self.decided.push((version, group)),
            Ok(Decided::NotHere) => self.groups.done(group, path),
            Ok(Decided::Overtaken(error)) => self.groups.overtaken(group, path, &error),
            Err(error) => {
                tracing::error!(
                    path = %path.display(), %error,
                    "what was decided cannot be committed, and is tried again"
                );
                self.undone.push((session, group));
            }
        }
        self.answer();
    }

    /// Tries once more what could not be committed.
    pub(super) fn retry_decided(&mut self) {
        for (session, group) in std::mem::take(&mut self.undone) {
            self.commit_decided(session, group);
        }
    }

    pub(super) fn forget_decided(&mut self, until: Version) {
        for (_, group) in self.decided.extract_if(.., |decided| decided.0 <= until) {
            self.groups.done(group, &self.subject.path);
        }
    }
}
