//! How much of late: counts as they were at some moments.

use super::{Counts, Rates};
use std::collections::VecDeque;

/// Over which time.
const WINDOW_MS: u64 = 10_000;
/// How long at least between two moments.
const STEP_MS: u64 = 1_000;

/// Counts of the last moments.
///
/// 1. There are `WINDOW_MS / STEP_MS + 2` of them at most.
#[derive(Debug, Default)]
pub struct Recent {
    moments: VecDeque<(u64, Counts)>,
}

impl Recent {
    /// Notes the counts of this moment, unless it has just been done.
    pub fn note(&mut self, counts: Counts, now_ms: u64) {
        let last_ms = self.moments.back().map(|(at_ms, _)| *at_ms);
        if last_ms.is_none_or(|last_ms| now_ms >= last_ms + STEP_MS) {
            self.moments.push_back((now_ms, counts));
        }
        // One that is as old as the window is kept: it is what the others are held against.
        while self.moments.get(1).is_some_and(|(at_ms, _)| at_ms + WINDOW_MS <= now_ms) {
            self.moments.pop_front();
        }
    }

    /// What happened each second since the moment a window ago, or the first there was.
    #[must_use]
    pub fn rates(&self, counts: Counts, now_ms: u64) -> Rates {
        let of_old = |(at_ms, _): &&(u64, Counts)| at_ms + WINDOW_MS <= now_ms;
        let found = self.moments.iter().rev().find(of_old).or(self.moments.front());
        let (at_ms, before) = found.copied().unwrap_or_default();
        let passed_ms = now_ms.saturating_sub(at_ms);
        let rate = |now: u64, before: u64| match passed_ms {
            0 => 0.0,
            passed_ms => now.saturating_sub(before) as f64 * 1000.0 / passed_ms as f64,
        };
        Rates {
            begins_per_second: rate(counts.begins, before.begins),
            pages_read_per_second: rate(counts.pages_read, before.pages_read),
            commits_per_second: rate(counts.commits, before.commits),
            conflicts_per_second: rate(counts.conflicts, before.conflicts),
            syncs_per_second: rate(counts.syncs, before.syncs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(commits: u64) -> Counts {
        Counts { commits, ..Counts::default() }
    }

    #[test]
    fn what_is_long_ago_does_not_count() {
        let mut recent = Recent::default();
        recent.note(committed(0), 0);
        for second in 1..=100 {
            recent.note(committed(second * 50), second * 1000);
            assert!(recent.moments.len() <= 12, "{}", recent.moments.len());
        }
        let rates = recent.rates(committed(5000), 100_000);
        assert!((rates.commits_per_second - 50.0).abs() < 1e-9, "{rates:?}");
        let rates = recent.rates(committed(5000), 105_000);
        assert!((rates.commits_per_second - 25.0).abs() < 1e-9, "{rates:?}");
        let rates = recent.rates(committed(5000), 200_000);
        assert!(rates.commits_per_second.abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn at_the_first_moment_nothing_is_divided_by_nothing() {
        let recent = Recent::default();
        assert_eq!(recent.rates(committed(5), 0), Rates::default());
    }
}
