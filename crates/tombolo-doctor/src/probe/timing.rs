//! How long calls take: a median over a number of rounds that adapts to the storage.

use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;

/// How many rounds are made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// No more than this.
    pub(super) rounds: usize,
    /// No further round after this time, once there are [`ROUNDS_MIN`].
    pub(super) time: Duration,
    /// No further round after this time in any case.
    pub(super) time_max: Duration,
}

/// Fewer have no median worth the name.
const ROUNDS_MIN: usize = 3;

/// Makes the rounds; each tells the time of the call it is about.
///
/// # Errors
/// The first error number that a round met.
pub(super) fn rounds(
    limits: Limits,
    mut round: impl FnMut(usize) -> Result<Duration, Errno>,
) -> Result<Vec<Duration>, Errno> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while times.len() < limits.rounds {
        let elapsed = begun.elapsed();
        let enough = times.len() >= ROUNDS_MIN && elapsed >= limits.time;
        if enough || (!times.is_empty() && elapsed >= limits.time_max) {
            break;
        }
        times.push(round(times.len())?);
    }
    Ok(times)
}

/// The time of one call.
pub(super) fn timed<E>(call: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let begun = Instant::now();
    call()?;
    Ok(begun.elapsed())
}

/// The middle one, in microseconds; of an even number the slower of the two in the middle.
pub(super) fn median_us(times: &[Duration]) -> i64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    i64::try_from(median.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { rounds: 9, time: Duration::from_secs(60), time_max: Duration::from_secs(60) };

    #[test]
    fn rounds_end_by_number_by_time_and_by_error() {
        let count = |limits| rounds(limits, |_| Ok(Duration::ZERO)).map(|times| times.len());
        assert_eq!(count(LIMITS), Ok(9));
        assert_eq!(count(Limits { time: Duration::ZERO, ..LIMITS }), Ok(3));
        let none = Limits { time: Duration::ZERO, time_max: Duration::ZERO, rounds: 9 };
        assert_eq!(count(none), Ok(1));
        let failing = |number| if number == 2 { Err(Errno::EIO) } else { Ok(Duration::ZERO) };
        assert_eq!(rounds(LIMITS, failing), Err(Errno::EIO));
    }

    #[test]
    fn the_median_is_the_middle_one() {
        let times = |values: &[u64]| -> Vec<Duration> {
            values.iter().map(|value| Duration::from_micros(*value)).collect()
        };
        assert_eq!(median_us(&times(&[900, 1, 5])), 5);
        assert_eq!(median_us(&times(&[1, 7])), 7);
        assert_eq!(median_us(&[]), 0);
    }
}
