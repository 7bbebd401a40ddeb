//! Waiting for the turn to write, which brings a new begin along.

use super::ladder::State;
use super::{Facade, Habit};
use crate::owner::engine::Version;
use crate::wire::Reply;
use crate::wire::reply::{Begun, Reservation, Turn};
use crate::wire::request::{Access, Request};

/// A begin that came with the turn.
#[derive(Debug, Default)]
pub(super) enum Offer {
    /// There is none.
    #[default]
    None,
    /// It is for the next transaction.
    Waiting(Box<Begun>),
    /// The transaction has begun by it, and the owner was not told yet.
    Taken(Version),
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// The transaction has the turn, and reads the newest version.
    Granted,
    /// The next transaction has the turn. This one reads an older version.
    Offered,
    /// Somebody else has the turn.
    InVain,
}

impl Facade {
    /// Whether waiting for the turn makes sense: outside a transaction where the last one wrote, or
    /// wanted to, and in one that reads.
    #[must_use]
    pub fn may_wait(&self) -> bool {
        let may = match &self.state {
            State::Idle => self.habit == Habit::Writes,
            State::Reading(snapshot) => snapshot.turn != Turn::Granted,
            State::Writing(..) | State::Broken => false,
        };
        may && self.access != Access::Read
    }

    /// What has to be asked of the owner so that it answers when this file has the turn; nothing
    /// where that makes no sense. The reply goes to [`Facade::waited`].
    pub fn wait(&mut self, wait_ms: u32) -> Option<Request<'static>> {
        if !self.may_wait() {
            return None;
        }
        // What came before is older than the question.
        self.doubt_offer();
        Some(Request::Await { seen: self.seen, wait_ms })
    }

    /// The owner's answer.
    pub fn waited(&mut self, reply: Reply) -> Waited {
        match (reply, &mut self.state) {
            (Reply::Begun(begun), _) => {
                self.offer = Offer::Waiting(Box::new(begun));
                Waited::Offered
            }
            (Reply::Reserved(Reservation::Granted), State::Reading(snapshot)) => {
                snapshot.turn = Turn::Granted;
                Waited::Granted
            }
            _ => Waited::InVain,
        }
    }

    /// What is known of waiting without asking again.
    #[must_use]
    pub fn has_waited(&self) -> Waited {
        match (&self.offer, &self.state) {
            (Offer::Waiting(_), _) => Waited::Offered,
            (_, State::Reading(snapshot)) if snapshot.turn == Turn::Granted => Waited::Granted,
            _ => Waited::InVain,
        }
    }

    /// The begin that came with the turn came so long ago that the owner may have taken the turn
    /// back. The next transaction asks for a begin of its own.
    pub fn doubt_offer(&mut self) {
        if let Offer::Waiting(_) = self.offer {
            self.offer = Offer::None;
        }
    }

    /// What has to be told to the owner before anything else is asked: that the transaction reads
    /// what it was offered.
    pub fn adopt(&mut self) -> Option<Request<'static>> {
        match std::mem::take(&mut self.offer) {
            Offer::Taken(version) => Some(Request::Adopt { version }),
            other => {
                self.offer = other;
                None
            }
        }
    }

    /// Begins by what was offered, if there is that.
    pub(super) fn take_offer(&mut self) -> Option<Box<Begun>> {
        match std::mem::take(&mut self.offer) {
            Offer::Waiting(begun) => {
                self.offer = Offer::Taken(begun.version);
                Some(begun)
            }
            Offer::Taken(_) | Offer::None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{begun, facade, reading, writing};
    use super::super::{Lock, Unlock};
    use super::*;
    use crate::wire::request::{Access, Ending, TurnWish};

    /// In a transaction that was told by its begin that somebody else writes.
    fn told_busy() -> Facade {
        let mut facade = facade(Access::Write);
        writing(&mut facade, 5);
        facade.unlock(Unlock::ToNone);
        let begin = facade.lock(Lock::Shared).expect("nothing is in the way");
        assert!(matches!(begin, Some(Request::Begin { wish: TurnWish::IfFree, .. })));
        facade.begun(&begun(6)).expect("asked for");
        facade.lock(Lock::Reserved).expect_err("busy");
        facade
    }

    fn offer(facade: &mut Facade, version: u64) {
        assert!(matches!(facade.wait(9), Some(Request::Await { wait_ms: 9, .. })));
        let begun = Begun { turn: Turn::Granted, ..begun(version) };
        assert_eq!(facade.waited(Reply::Begun(begun)), Waited::Offered);
    }

    #[test]
    fn the_next_transaction_begins_by_what_came_with_the_turn() {
        let mut facade = told_busy();
        offer(&mut facade, 7);
        assert_eq!(facade.base().map(|seen| seen.version), Some(Version(6)), "this one goes on");
        assert_eq!(facade.unlock(Unlock::ToNone), None);
        assert_eq!(facade.lock(Lock::Shared), Ok(None));
        assert_eq!(facade.base().map(|seen| seen.version), Some(Version(7)));
        let adopt = Request::Adopt { version: Version(7) };
        assert_eq!(facade.lock(Lock::Reserved), Ok(Some(adopt)));
        assert_eq!(facade.adopt(), None, "once");
    }

    #[test]
    fn who_reads_only_says_first_what_it_reads() {
        let mut facade = told_busy();
        offer(&mut facade, 7);
        facade.unlock(Unlock::ToNone);
        assert_eq!(facade.lock(Lock::Shared), Ok(None));
        assert_eq!(facade.adopt(), Some(Request::Adopt { version: Version(7) }));
        assert_eq!(facade.give_turn_back(), Some(Request::End(Ending::Writing)));
        assert_eq!(facade.unlock(Unlock::ToNone), Some(Request::End(Ending::Transaction)));
    }

    #[test]
    fn an_offer_that_is_old_or_older_than_a_new_question_is_not_used() {
        for asks_again in [false, true] {
            let mut facade = told_busy();
            offer(&mut facade, 7);
            facade.unlock(Unlock::ToNone);
            if asks_again {
                assert!(facade.wait(9).is_some());
                assert_eq!(facade.waited(Reply::Reserved(Reservation::Busy)), Waited::InVain);
            } else {
                facade.doubt_offer();
            }
            let begin = facade.lock(Lock::Shared);
            assert!(matches!(begin, Ok(Some(Request::Begin { .. }))), "{begin:?}");
        }
    }

    #[test]
    fn where_nobody_has_committed_the_transaction_goes_on_with_the_turn() {
        let mut facade = told_busy();
        assert!(facade.wait(9).is_some());
        let granted = Reply::Reserved(Reservation::Granted);
        assert_eq!(facade.waited(granted), Waited::Granted);
        assert_eq!(facade.lock(Lock::Reserved), Ok(Some(Request::Use)));
        assert_eq!(facade.wait(9), None, "it has it");
    }

    #[test]
    fn who_may_not_write_does_not_wait() {
        let mut facade = facade(Access::Read);
        assert_eq!(facade.wait(9), None);
        reading(&mut facade, 5);
        assert_eq!(facade.wait(9), None);
    }
}
