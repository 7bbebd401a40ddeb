//! How long do a write, a lock and an `fsync` take?
//!
//! *What SQLite needs.* A transaction makes a handful of lock calls and two or three syncs while
//! others wait. Where these are slow, the busy time-out of programs (often 5 s) ends before their
//! turn comes: "database is locked", although all works.
//!
//! *How it is tried.* Pages are overwritten and synced, a lock is taken and dropped. The number of
//! rounds adapts: many on a quick disk, at least three where one takes long, so that a slow share
//! is measured in a second or two.
//!
//! *What the outcomes mean.* Noted, with medians in microseconds; what is slow is for the findings
//! to say. A call that fails is left out here, its own experiment tells why.
//!
//! *Sources.* `unixLock` and `unixSync` in `os_unix.c`; `sqlite3_busy_timeout`.

use super::lock_script::RESERVED;
use super::timing::{Limits, median_us, rounds, timed};
use super::trouble::{NotRun, settle};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::lock::{self, Family, Strength};
use tombolo_os::{error::errno_of, scratch};

const KIND: EvidenceKind = EvidenceKind::ProbeLatency;

/// For each of the three calls.
const LIMITS: Limits =
    Limits { rounds: 15, time: Duration::from_millis(60), time_max: Duration::from_secs(1) };

const PAGE_BYTES: usize = 4096;

pub(super) fn latency(directory: &Path) -> Observation {
    settle(KIND, measure(&directory.join("probe.latency")))
}

fn measure(path: &Path) -> Result<Observation, NotRun> {
    let file = scratch::create(path)?;
    let write = |number: usize| {
        let page = vec![u8::try_from(number).unwrap_or(0); PAGE_BYTES];
        timed(|| file.write_all_at(&page, 0)).map_err(|error| errno_of(&error))
    };
    let writes = rounds(LIMITS, write);
    let syncs = rounds(LIMITS, |number| {
        write(number)?;
        timed(|| file.sync_data()).map_err(|error| errno_of(&error))
    });
    Ok(tell([("write", writes), ("fsync", syncs), ("lock", rounds(LIMITS, |_| lock_time(&file)))]))
}

/// The mean of taking and dropping, which cost a server one round trip each.
fn lock_time(file: &File) -> Result<Duration, Errno> {
    let set = |strength| lock::set(file, Family::Posix, strength, RESERVED.range);
    let both = timed(|| set(Strength::Exclusive).and_then(|()| set(Strength::None)))?;
    Ok(both / 2)
}

fn tell(measured: [(&str, Result<Vec<Duration>, Errno>); 3]) -> Observation {
    let mut parts = Vec::new();
    let mut observation = Observation::new(KIND, Outcome::Noted, "");
    for (call, times) in measured {
        match times {
            Ok(times) => {
                let median_us = median_us(&times);
                let slowest = times.iter().max().map_or(0, Duration::as_micros);
                parts.push(format!("{call} {median_us} us"));
                observation = observation
                    .value(&format!("{call}_median_us"), median_us)
                    .value(&format!("{call}_max_us"), u64::try_from(slowest).unwrap_or(u64::MAX));
            }
            Err(errno) => {
                parts.push(format!("{call} failed with {errno}"));
                observation.errno = Some(errno);
            }
        }
    }
    observation.summary = format!("medians: {}", parts.join(", "));
    if observation.values.is_empty() {
        observation.outcome = Outcome::NotRun;
    }
    observation
}

#[cfg(test)]
mod tests {
    use super::super::testing::{not_run_without_a_directory, on_disk_and_in_memory};
    use super::*;
    use tombolo_core::report::Value;

    #[test]
    fn it_is_noted_on_disk_and_in_memory_with_all_three() {
        for seen in on_disk_and_in_memory(Outcome::Noted, latency) {
            for name in ["write_median_us", "lock_median_us", "fsync_median_us"] {
                let value = seen.values.get(name);
                assert!(matches!(value, Some(Value::Integer(time)) if *time >= 0), "{seen:?}");
            }
        }
        not_run_without_a_directory(latency);
    }

    #[test]
    fn a_call_that_fails_is_left_out_and_the_others_are_told() {
        let time = || Ok(vec![Duration::from_micros(7); 3]);
        let seen = tell([("write", time()), ("fsync", Err(Errno::EIO)), ("lock", time())]);
        assert_eq!((seen.outcome, seen.errno), (Outcome::Noted, Some(Errno::EIO)));
        assert_eq!(seen.values.get("lock_median_us"), Some(&Value::Integer(7)));
        assert!(!seen.values.contains_key("fsync_median_us"));
        let failed = || Err(Errno::EIO);
        let nothing = tell([("write", failed()), ("fsync", failed()), ("lock", failed())]);
        assert_eq!(nothing.outcome, Outcome::NotRun);
    }
}
