//! Which version a begin is shown: the last that is as durable as its writer asked, or the newest
//! if it is a stock app's.

use super::SessionId;
use super::engine::Version;
use crate::wire::request::CommitId;
use std::collections::VecDeque;

/// A commit that is not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// Who waits for the answer.
    pub(super) session: Option<SessionId>,
    pub(super) id: CommitId,
    pub(super) version: Version,
}

/// Commits that wait for the log to be synced, oldest first.
///
/// 1. While there are some, `last` is the newest version that was acknowledged before them, and
///    pinned; so is each of theirs.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pending: VecDeque<Pending>,
    last: Option<Version>,
    newest_own: Option<Version>,
}

impl Shown {
    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The version for a begin of a session that has not the turn.
    pub(super) fn of(&self, newest: Version) -> Version {
        match self.last {
            Some(last) if self.newest_own == Some(newest) => last,
            _ => newest,
        }
    }

    /// A commit of a session, which was made from `base`. Returns what has to be pinned because
    /// of it, and what to be unpinned.
    pub(super) fn push(
        &mut self,
        pending: Pending,
        base: Version,
    ) -> (Vec<Version>, Option<Version>) {
        let mut pins = vec![pending.version];
        let mut unpin = None;
        // A stock app's commit was shown already, whatever it stands on.
        if self.last.is_none() || self.newest_own != Some(base) {
            unpin = self.last.replace(base);
            pins.push(base);
        }
        self.newest_own = Some(pending.version);
        self.pending.push_back(pending);
        (pins, unpin)
    }

    /// The log is synced up to a version. Returns the commits that can be acknowledged, and what
    /// has to be unpinned.
    pub(super) fn synced(&mut self, until: Version) -> (Vec<Pending>, Vec<Version>) {
        let count = self.pending.partition_point(|pending| pending.version <= until);
        let done: Vec<Pending> = self.pending.drain(..count).collect();
        let mut unpins: Vec<Version> = done.iter().map(|pending| pending.version).collect();
        if done.is_empty() {
            return (done, unpins);
        }
        unpins.extend(self.last.take());
        if self.has_pending() {
            // The newest of them stays: a stock app's commit may be newer than what is done.
            self.last = unpins.iter().copied().max();
            unpins.retain(|version| Some(*version) != self.last);
        }
        (done, unpins)
    }

    /// All that wait, after a sync that failed; and what has to be unpinned.
    pub(super) fn give_up(&mut self) -> (Vec<Pending>, Vec<Version>) {
        let done: Vec<Pending> = self.pending.drain(..).collect();
        let unpins = done.iter().map(|pending| pending.version).chain(self.last.take()).collect();
        (done, unpins)
    }

    pub(super) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn newest_pending(&self) -> Option<Version> {
        self.pending.back().map(|pending| pending.version)
    }

    /// Whether nothing of a version waits for the log to be synced.
    pub(super) fn is_settled(&self, version: Version) -> bool {
        self.pending.front().is_none_or(|oldest| oldest.version > version)
    }

    /// Lets another session wait for the answer to a commit. Whether it is under way.
    pub(super) fn hand_over(&mut self, id: CommitId, session: SessionId) -> bool {
        let pending = self.pending.iter_mut().find(|pending| pending.id == id);
        pending.map(|pending| pending.session = Some(session)).is_some()
    }

    /// Whether a session waits for the answer to a commit.
    pub(super) fn is_awaited_by(&self, session: SessionId) -> bool {
        self.pending.iter().any(|pending| pending.session == Some(session))
    }

    /// Nobody waits for the answers to a session any more.
    pub(super) fn forget(&mut self, session: SessionId) {
        for pending in &mut self.pending {
            if pending.session == Some(session) {
                pending.session = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(version: u64) -> Pending {
        Pending { session: None, id: CommitId(version.into()), version: Version(version) }
    }

    #[test]
    fn begins_are_shown_what_is_durable() {
        let mut shown = Shown::default();
        assert_eq!(shown.push(pending(11), Version(10)), (vec![Version(11), Version(10)], None));
        assert_eq!(shown.push(pending(12), Version(11)), (vec![Version(12)], None));
        assert_eq!(shown.of(Version(12)), Version(10));
        let (done, unpins) = shown.synced(Version(11));
        assert_eq!((done, unpins), (vec![pending(11)], vec![Version(10)]));
        assert_eq!(shown.of(Version(12)), Version(11));
        assert_eq!(shown.synced(Version(12)).1, [Version(12), Version(11)]);
        assert_eq!(shown.of(Version(12)), Version(12));
    }

    #[test]
    fn what_a_stock_app_committed_stays_shown_when_a_session_commits_after_it() {
        let mut shown = Shown::default();
        shown.push(pending(11), Version(10));
        assert_eq!(shown.of(Version(12)), Version(12), "a stock app's");
        let (pins, unpin) = shown.push(pending(13), Version(12));
        assert_eq!((pins, unpin), (vec![Version(13), Version(12)], Some(Version(10))));
        assert_eq!(shown.of(Version(13)), Version(12));
        assert_eq!(shown.synced(Version(11)).1, [Version(11)]);
        assert_eq!(shown.of(Version(13)), Version(12), "and not what is older");
    }
}
