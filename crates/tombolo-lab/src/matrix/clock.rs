//! The time that a rig has.

use crate::error::LabError;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    begun: Instant,
    limit: Duration,
}

impl Clock {
    pub(super) fn new(limit: Duration) -> Self {
        Clock { begun: Instant::now(), limit }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// How long something may take that should not take longer than `wanted`.
    ///
    /// # Errors
    /// When the rig's time is over.
    pub(super) fn left(&self, wanted: Duration) -> Result<Duration, LabError> {
        let left = self.limit.saturating_sub(self.begun.elapsed());
        if left.is_zero() {
            let what = "the rig's end".to_owned();
            return Err(LabError::Late { what, after: self.limit, detail: String::new() });
        }
        Ok(left.min(wanted))
    }
}
