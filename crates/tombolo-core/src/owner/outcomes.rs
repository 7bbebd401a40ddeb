//! What became of commits, for those who lost the answer.

use super::engine::Version;
use crate::wire::reply::Outcome;
use crate::wire::request::CommitId;
use std::collections::{HashMap, VecDeque};

/// The outcomes of the last commits.
///
/// 1. Every commit that was made from `complete_from` or a later version is in `known`.
#[derive(Debug)]
pub(super) struct Outcomes {
    known: HashMap<CommitId, Outcome>,
    order: VecDeque<(CommitId, Version)>,
    count_max: usize,
    complete_from: Version,
}

impl Outcomes {
    pub(super) fn new(count_max: usize) -> Self {
        let complete_from = Version(0);
        Outcomes { known: HashMap::new(), order: VecDeque::new(), count_max, complete_from }
    }

    pub(super) fn insert(&mut self, id: CommitId, base: Version, outcome: Outcome) {
        if self.known.insert(id, outcome).is_none() {
            self.order.push_back((id, base));
        }
        while self.order.len() > self.count_max {
            let Some((oldest, base)) = self.order.pop_front() else { return };
            self.known.remove(&oldest);
            self.complete_from = self.complete_from.max(Version(base.0 + 1));
        }
    }

    /// That of a commit that has been heard of.
    pub(super) fn get(&self, id: CommitId) -> Option<Outcome> {
        self.known.get(&id).copied()
    }

    /// That of a commit that was made from `base`. One that was never heard of is not committed,
    /// and will not be: its request may still be under way on an old connection.
    pub(super) fn settle(&mut self, id: CommitId, base: Version) -> Outcome {
        match self.get(id) {
            Some(outcome) => outcome,
            None if base >= self.complete_from => {
                self.insert(id, base, Outcome::NotCommitted);
                Outcome::NotCommitted
            }
            None => Outcome::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_forgotten_is_not_taken_for_what_never_came() {
        let mut outcomes = Outcomes::new(2);
        for number in 1..=3 {
            let outcome = Outcome::Committed(Version(number + 1));
            outcomes.insert(CommitId(number.into()), Version(number), outcome);
        }
        assert_eq!(outcomes.settle(CommitId(3), Version(3)), Outcome::Committed(Version(4)));
        assert_eq!(outcomes.settle(CommitId(1), Version(1)), Outcome::Unknown);
        assert_eq!(outcomes.settle(CommitId(9), Version(1)), Outcome::Unknown);
        assert_eq!(outcomes.settle(CommitId(9), Version(2)), Outcome::NotCommitted);
        assert_eq!(outcomes.get(CommitId(9)), Some(Outcome::NotCommitted), "for good");
    }
}
