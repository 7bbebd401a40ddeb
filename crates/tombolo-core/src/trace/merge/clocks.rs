//! How far the clocks of several traces can be apart: a table of bounds that constraints narrow.

/// How far a clock may run ahead or behind, in parts per million (adjtimex(2): the kernel corrects
/// by 500 at most).
const DRIFT_PPM: i64 = 500;

/// A moment of a trace, by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) trace: usize,
    /// Nanoseconds after the start of its trace.
    pub(super) at_ns: i64,
}

/// What two clocks can differ by, from and to, in nanoseconds; `None` for no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The least.
    pub least_ns: Option<i64>,
    /// The most.
    pub most_ns: Option<i64>,
}

/// The most by which the clock of one trace is ahead of another's.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    count: usize,
    /// Of trace `i` and `j` at `i * count + j`: what is added to `i`'s times less what is added to
    /// `j`'s.
    bounds: Vec<Option<i64>>,
    /// Which kernel each trace is of: one kernel has one clock.
    kernels: Vec<usize>,
}

impl Clocks {
    /// Clocks of which nothing is known but which are the same, with the start of each trace by its
    /// clock.
    pub(super) fn new(kernels: Vec<usize>, starts_ns: &[i64]) -> Self {
        let count = kernels.len();
        let mut clocks = Clocks { count, bounds: vec![None; count * count], kernels };
        for (i, start_i) in starts_ns.iter().enumerate() {
            for (j, start_j) in starts_ns.iter().enumerate() {
                if clocks.kernels.get(i) == clocks.kernels.get(j) {
                    clocks.lower(i, j, start_i.saturating_sub(*start_j));
                }
            }
        }
        clocks
    }

    pub(super) fn bound(&self, i: usize, j: usize) -> Option<i64> {
        self.bounds.get(i * self.count + j).copied().flatten()
    }

    fn lower(&mut self, i: usize, j: usize, bound: i64) {
        if let Some(known) = self.bounds.get_mut(i * self.count + j) {
            *known = Some(known.map_or(bound, |known| known.min(bound)));
        }
    }

    /// What is added to the times of `i`, less what is added to those of `j`.
    pub(super) fn interval(&self, i: usize, j: usize) -> Interval {
        Interval { least_ns: self.bound(j, i).map(|most| -most), most_ns: self.bound(i, j) }
    }

    /// What drift can add between two moments.
    fn drift(&self, one: Moment, other: Moment) -> i64 {
        if self.kernels.get(one.trace) == self.kernels.get(other.trace) {
            return 0;
        }
        let passed = one.at_ns.max(0).saturating_add(other.at_ns.max(0));
        passed / (1_000_000 / DRIFT_PPM)
    }

    /// The bound that follows from one moment being not after another.
    fn implied(&self, before: Moment, after: Moment) -> i64 {
        after.at_ns.saturating_sub(before.at_ns).saturating_add(self.drift(before, after))
    }

    /// By how much it is impossible that one moment is not after another; `None` if it is possible.
    pub(super) fn contradicts(&self, before: Moment, after: Moment) -> Option<i64> {
        let least = -self.bound(after.trace, before.trace)?;
        let excess = least.saturating_sub(self.implied(before, after));
        (excess > 0).then_some(excess)
    }

    /// Whether one moment is before another, wherever in their bounds the clocks are.
    pub(super) fn is_before(&self, one: Moment, other: Moment) -> bool {
        let latest = self.bound(one.trace, other.trace).map(|most| {
            let drift = self.drift(one, other);
            one.at_ns.saturating_sub(other.at_ns).saturating_add(most).saturating_add(drift)
        });
        latest.is_some_and(|latest| latest < 0)
    }

    /// Learns that one moment is not after another.
    pub(super) fn learn(&mut self, before: Moment, after: Moment) {
        let bound = self.implied(before, after);
        let (i, j) = (before.trace, after.trace);
        if self.bound(i, j).is_some_and(|known| known <= bound) {
            return;
        }
        self.lower(i, j, bound);
        // Every way that leads over the one that was shortened (Floyd and Warshall, one step).
        for from in 0..self.count {
            for to in 0..self.count {
                let way = |a: usize, b: usize| if a == b { Some(0) } else { self.bound(a, b) };
                if let (Some(start), Some(end)) = (way(from, i), way(j, to)) {
                    let sum = start.saturating_add(bound).saturating_add(end);
                    if from != to {
                        self.lower(from, to, sum);
                    }
                }
            }
        }
    }

    /// What is added to the times of each trace: the middle of what is possible against the first;
    /// `None` where everything is.
    pub(super) fn offsets_ns(&self) -> Vec<Option<i64>> {
        (0..self.count).map(|trace| if trace == 0 { Some(0) } else { self.middle(trace) }).collect()
    }

    fn middle(&self, trace: usize) -> Option<i64> {
        match self.interval(trace, 0) {
            Interval { least_ns: Some(least), most_ns: Some(most) } => {
                Some(least.saturating_add(most.saturating_sub(least) / 2))
            }
            Interval { least_ns, most_ns } => least_ns.or(most_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(trace: usize, at_ns: i64) -> Moment {
        Moment { trace, at_ns }
    }

    #[test]
    fn constraints_narrow_and_contradict() {
        let mut clocks = Clocks::new(vec![0, 1, 2], &[0, 0, 0]);
        assert_eq!(clocks.offsets_ns(), [Some(0), None, None]);
        clocks.learn(at(0, 100), at(1, 40));
        assert_eq!(clocks.interval(1, 0), Interval { least_ns: Some(60), most_ns: None });
        clocks.learn(at(1, 50), at(0, 130));
        assert_eq!(clocks.interval(1, 0), Interval { least_ns: Some(60), most_ns: Some(80) });
        clocks.learn(at(1, 10), at(2, 10));
        assert_eq!(clocks.interval(2, 0), Interval { least_ns: Some(60), most_ns: None });
        assert_eq!(clocks.offsets_ns(), [Some(0), Some(70), Some(60)]);
        assert_eq!(clocks.contradicts(at(1, 50), at(0, 100)), Some(10));
        assert_eq!(clocks.contradicts(at(1, 50), at(0, 115)), None);
        assert!(clocks.is_before(at(0, 10), at(1, 0)));
        assert!(!clocks.is_before(at(0, 70), at(1, 0)));
    }

    #[test]
    fn one_kernel_has_one_clock_and_others_drift() {
        let clocks = Clocks::new(vec![0, 0], &[100, 160]);
        assert_eq!(clocks.interval(1, 0), Interval { least_ns: Some(60), most_ns: Some(60) });
        let mut clocks = Clocks::new(vec![0, 1], &[0, 0]);
        clocks.learn(at(0, 2_000_000), at(1, 1_000_000));
        let least_ns = Some(1_000_000 - 1500);
        assert_eq!(clocks.interval(1, 0), Interval { least_ns, most_ns: None });
    }
}
