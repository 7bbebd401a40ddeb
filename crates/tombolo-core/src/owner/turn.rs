//! The turn to write: first come, first served, among those that wait.

use super::SessionId;
use super::engine::Version;
use crate::wire::request::Seen;
use std::collections::VecDeque;

/// How long a place is kept for a session that was told busy and does not wait.
const ABSENCE_MS: u64 = 1_000;

/// Who has the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) session: SessionId,
    pub(super) since_ms: u64,
    /// When it last said something.
    pub(super) heard_ms: u64,
    /// The newest version; nobody commits while the turn is held.
    pub(super) at: Version,
    pub(super) by: By,
}

/// How a session came by the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// It asked for it, or has used it.
    Wish,
    /// It got it along with a begin, since it may want it.
    Begin,
}

/// What a session wants to be told when it has the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// That it has it.
    Word,
    /// A new begin, with what has changed since a version.
    Begin { seen: Option<Seen> },
}

/// A session that wants the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    session: SessionId,
    presence: Presence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// It waits for an answer, until then.
    Waiting { until_ms: u64, want: Want },
    /// It was told busy, and may ask again.
    Absent { since_ms: u64 },
}

/// The turn, and who wants it.
///
/// 1. A session has one place at most, and none while it has the turn.
#[derive(Debug, Default)]
pub(super) struct Turn {
    held: Option<Held>,
    queue: VecDeque<Place>,
}

impl Turn {
    pub(super) fn held(&self) -> Option<Held> {
        self.held
    }

    pub(super) fn is_held_by(&self, session: SessionId) -> bool {
        self.held.is_some_and(|held| held.session == session)
    }

    pub(super) fn has_place(&self, session: SessionId) -> bool {
        self.queue.iter().any(|place| place.session == session)
    }

    pub(super) fn queue_length(&self) -> usize {
        self.queue.len()
    }

    /// Gives the turn, which is free.
    pub(super) fn grant(&mut self, session: SessionId, at: Version, by: By, now_ms: u64) {
        self.leave(session);
        self.held = Some(Held { session, since_ms: now_ms, heard_ms: now_ms, at, by });
    }

    /// A session that has the turn uses it.
    pub(super) fn used_by(&mut self, session: SessionId) {
        if let Some(held) = self.held.as_mut().filter(|held| held.session == session) {
            held.by = By::Wish;
        }
    }

    /// A session says something; if it has the turn, it is at work.
    pub(super) fn heard(&mut self, session: SessionId, now_ms: u64) {
        if let Some(held) = self.held.as_mut().filter(|held| held.session == session) {
            held.heard_ms = now_ms;
        }
    }

    /// Who got the turn along with a begin and has not used it for so long.
    pub(super) fn unused_since(&self, since_ms: u64) -> Option<SessionId> {
        let unused = |held: &Held| held.by == By::Begin && held.since_ms <= since_ms;
        self.held.filter(unused).map(|held| held.session)
    }

    /// Lets who has the turn keep it for as long again.
    pub(super) fn extend(&mut self, now_ms: u64) {
        if let Some(held) = &mut self.held {
            held.heard_ms = now_ms;
        }
    }

    /// Takes the turn from who has it.
    pub(super) fn free(&mut self) {
        self.held = None;
    }

    /// Whether a session that asks now comes before all that wait.
    pub(super) fn is_next(&self, session: SessionId) -> bool {
        let mut before = self.queue.iter().take_while(|place| place.session != session);
        !before.any(|place| matches!(place.presence, Presence::Waiting { .. }))
    }

    /// Keeps a place for a session, or the one that it has, and lets it wait. With `wait_ms` 0 it
    /// is absent: it was told busy.
    pub(super) fn enqueue(&mut self, session: SessionId, wait_ms: u32, want: Want, now_ms: u64) {
        let presence = match wait_ms {
            0 => Presence::Absent { since_ms: now_ms },
            wait_ms => Presence::Waiting { until_ms: now_ms + u64::from(wait_ms), want },
        };
        match self.queue.iter_mut().find(|place| place.session == session) {
            Some(place) => place.presence = presence,
            None => self.queue.push_back(Place { session, presence }),
        }
    }

    /// A session waits no longer, and keeps its place for a while. Whether it waited for a begin.
    pub(super) fn stop_waiting(&mut self, session: SessionId, now_ms: u64) -> bool {
        let place = self.queue.iter_mut().find(|place| {
            let waits =
                matches!(place.presence, Presence::Waiting { want: Want::Begin { .. }, .. });
            place.session == session && waits
        });
        place.map(|place| place.presence = Presence::Absent { since_ms: now_ms }).is_some()
    }

    /// The first that waits, and for what.
    pub(super) fn first_waiting(&self) -> Option<(SessionId, Want)> {
        self.queue.iter().find_map(|place| match place.presence {
            Presence::Waiting { want, .. } => Some((place.session, want)),
            Presence::Absent { .. } => None,
        })
    }

    pub(super) fn leave(&mut self, session: SessionId) {
        self.queue.retain(|place| place.session != session);
    }

    /// Those whose wait is over, who keep their places for a while.
    pub(super) fn expire(&mut self, now_ms: u64) -> Vec<SessionId> {
        let mut over = Vec::new();
        self.queue.retain_mut(|place| match place.presence {
            Presence::Waiting { until_ms, .. } if until_ms <= now_ms => {
                place.presence = Presence::Absent { since_ms: now_ms };
                over.push(place.session);
                true
            }
            Presence::Waiting { .. } => true,
            Presence::Absent { since_ms } => now_ms < since_ms + ABSENCE_MS,
        });
        over
    }

    /// When [`Turn::expire`] has something to do next.
    pub(super) fn next_expiry_ms(&self) -> Option<u64> {
        self.queue
            .iter()
            .map(|place| match place.presence {
                Presence::Waiting { until_ms, .. } => until_ms,
                Presence::Absent { since_ms } => since_ms + ABSENCE_MS,
            })
            .min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SessionId = SessionId(1);
    const B: SessionId = SessionId(2);
    const C: SessionId = SessionId(3);

    #[test]
    fn first_come_first_served_among_those_that_wait() {
        let mut turn = Turn::default();
        turn.enqueue(A, 0, Want::Word, 0);
        turn.enqueue(B, 100, Want::Word, 0);
        turn.enqueue(C, 100, Want::Word, 0);
        assert_eq!(turn.first_waiting(), Some((B, Want::Word)), "A does not wait");
        assert!(turn.is_next(A), "it was first");
        turn.enqueue(A, 100, Want::Word, 1);
        assert_eq!(turn.first_waiting(), Some((A, Want::Word)), "and has kept its place");
        assert!(!turn.is_next(C));
        turn.grant(A, Version(1), By::Wish, 2);
        assert!(turn.is_held_by(A));
        assert_eq!(turn.first_waiting(), Some((B, Want::Word)));
        assert_eq!(turn.queue_length(), 2);
    }

    #[test]
    fn a_wait_ends_and_a_place_is_not_kept_for_ever() {
        let mut turn = Turn::default();
        turn.enqueue(A, 100, Want::Word, 0);
        assert_eq!(turn.expire(99), []);
        assert_eq!(turn.next_expiry_ms(), Some(100));
        assert_eq!(turn.expire(100), [A]);
        assert_eq!(turn.first_waiting(), None);
        assert_eq!(turn.queue_length(), 1);
        assert_eq!(turn.next_expiry_ms(), Some(100 + ABSENCE_MS));
        assert_eq!(turn.expire(100 + ABSENCE_MS), []);
        assert_eq!(turn.queue_length(), 0);
    }
}
