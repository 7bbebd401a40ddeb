//! Room for stock apps that want to write: they look for the write lock now and then, up to 100 ms
//! apart (`sqliteDefaultBusyCallback` in main.c), and do not find one that is passed on at once.

/// How long the lock is left free, so that whoever looks every 100 ms finds it.
const REST_MS: u64 = 110;
/// How long it may be in use before that.
const WORK_MS: u64 = 1_000;

/// Whether others may want the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    /// Stock apps have the database open.
    Present,
    /// Nobody but the owner has.
    Absent,
}

/// When the write lock was free, and when it is to be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fairness {
    /// The end of the last time that it was free for long enough.
    rested_ms: u64,
    /// Since when it is free.
    free_since_ms: u64,
    resting_until_ms: Option<u64>,
}

impl Fairness {
    /// The lock was given back.
    pub(super) fn freed(&mut self, now_ms: u64) {
        self.free_since_ms = now_ms;
    }

    /// Until when nobody is to have the lock that is free now; `None`: it may be had.
    pub(super) fn rest(&mut self, now_ms: u64, others: impl FnOnce() -> Others) -> Option<u64> {
        if let Some(until_ms) = self.resting_until_ms {
            if now_ms < until_ms {
                return Some(until_ms);
            }
            self.resting_until_ms = None;
            self.rested_ms = now_ms;
        }
        if now_ms.saturating_sub(self.free_since_ms) >= REST_MS {
            self.rested_ms = now_ms;
        }
        if now_ms.saturating_sub(self.rested_ms) < WORK_MS {
            return None;
        }
        if others() == Others::Absent {
            self.rested_ms = now_ms;
            return None;
        }
        let until_ms = now_ms + REST_MS;
        self.resting_until_ms = Some(until_ms);
        Some(until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds in which the lock was free, of so many in which sessions always want it.
    fn free_ms(others: Others, of_ms: u64) -> u64 {
        let mut fairness = Fairness::default();
        let mut free = 0;
        for now_ms in 0..of_ms {
            match fairness.rest(now_ms, || others) {
                Some(_) => free += 1,
                None => fairness.freed(now_ms),
            }
        }
        free
    }

    #[test]
    fn the_lock_rests_where_somebody_may_want_it() {
        let free = free_ms(Others::Present, 11_100);
        assert!((1_000..=1_200).contains(&free), "{free} ms of 11100");
        assert_eq!(free_ms(Others::Absent, 11_100), 0);
    }

    #[test]
    fn a_lock_that_was_free_anyway_needs_no_rest() {
        let mut fairness = Fairness::default();
        for round in 1..100 {
            let now_ms = round * 200;
            assert_eq!(fairness.rest(now_ms, || Others::Present), None);
            fairness.freed(now_ms + 20);
        }
    }
}
