//! How long something took, in a fixed number of classes.

use serde::{Deserialize, Serialize};

/// Upper bounds of the classes, in microseconds: from a write that waits for nobody to a disk that
/// hangs. What took longer is in the count alone.
const BOUNDS_US: [u64; 18] = [
    20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000,
];

/// Durations of one kind. It takes the same memory however many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    classes: [u64; BOUNDS_US.len()],
    count: u64,
    sum_us: u64,
    max_us: u64,
}

impl Latencies {
    /// Counts one, in microseconds.
    pub fn add(&mut self, duration_us: u64) {
        let class = BOUNDS_US.partition_point(|bound_us| *bound_us < duration_us);
        if let Some(count) = self.classes.get_mut(class) {
            *count += 1;
        }
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(duration_us);
        self.max_us = self.max_us.max(duration_us);
    }

    /// As the document has it.
    #[must_use]
    pub fn told(&self) -> Latency {
        let mut so_far = 0;
        let classes = BOUNDS_US.iter().zip(&self.classes).map(|(bound_us, count)| {
            so_far += count;
            LatencyClass { at_most_us: *bound_us, count: so_far }
        });
        Latency {
            classes: classes.collect(),
            count: self.count,
            sum_us: self.sum_us,
            max_us: self.max_us,
        }
    }
}

/// Durations of one kind, since the database was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Their sum, in microseconds.
    pub sum_us: u64,
    /// The longest, in microseconds; 0 where there is none.
    pub max_us: u64,
    /// How many took at most so long, for rising bounds.
    pub classes: Vec<LatencyClass>,
}

/// How many took at most so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyClass {
    /// The bound, in microseconds.
    pub at_most_us: u64,
    /// How many.
    pub count: u64,
}

impl Latency {
    /// The mean, in microseconds; `None` where there is none.
    #[must_use]
    pub fn mean_us(&self) -> Option<u64> {
        self.sum_us.checked_div(self.count)
    }

    /// A bound, in microseconds, that so many of a hundred do not exceed; `None` where there is
    /// none.
    #[must_use]
    pub fn percentile_us(&self, percent: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let wanted = u128::from(self.count) * u128::from(percent.min(100));
        let class = self.classes.iter().find(|class| u128::from(class.count) * 100 >= wanted);
        Some(class.map_or(self.max_us, |class| class.at_most_us.min(self.max_us)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_in_its_class_and_in_all_above() {
        let mut latencies = Latencies::default();
        for duration_us in [20, 21, 300, 99_000_000] {
            latencies.add(duration_us);
        }
        let told = latencies.told();
        assert_eq!((told.count, told.max_us, told.sum_us), (4, 99_000_000, 99_000_341));
        let at_most = |bound_us| {
            told.classes.iter().find(|class| class.at_most_us == bound_us).map(|class| class.count)
        };
        assert_eq!(at_most(20), Some(1));
        assert_eq!(at_most(50), Some(2));
        assert_eq!(at_most(200), Some(2));
        assert_eq!(at_most(500), Some(3));
        assert_eq!(at_most(10_000_000), Some(3), "the longest is in the count alone");
        assert_eq!(told.percentile_us(50), Some(50));
        assert_eq!(told.percentile_us(75), Some(500));
        assert_eq!(told.percentile_us(99), Some(99_000_000));
        assert_eq!(told.mean_us(), Some(24_750_085));
    }

    #[test]
    fn of_none_nothing_is_said() {
        let told = Latencies::default().told();
        assert_eq!((told.mean_us(), told.percentile_us(99)), (None, None));
    }
}
