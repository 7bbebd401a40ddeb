//! How long the calls take that SQLite makes, on each side by its own clock; and a message there
//! and back, by the clock of the side that leads.

use super::{Pair, Problem, Result};
use std::time::Instant;
use tombolo_core::peer::step::{Answer, Opening, Step, Times};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

const ROUNDS: u16 = 9;
const MESSAGES: usize = 5;

pub(super) fn latency(pair: &mut Pair<'_>) -> Result<Observation> {
    let mut observation = Observation::new(EvidenceKind::PeerLatency, Outcome::Noted, "");
    let mut words = Vec::new();
    for which in [0, 1] {
        let file = pair.files.take(1)?;
        pair.prepare(which, &[Step::Open(0, file, Opening::New)])?;
        let answers = pair.by(which, &[Step::Measure(0, ROUNDS)])?;
        let Some(Answer::Times(times)) = answers.first() else {
            return Err(Problem::NotRun("the times could not be measured".to_owned()));
        };
        let name = pair.names[which].clone();
        words.push(in_words(&name, times));
        let place = if which == 0 { "first" } else { "second" };
        for (call, micros) in [
            ("write", times.write_us),
            ("sync", times.sync_us),
            ("lock", times.lock_us),
            ("create", times.create_us),
        ] {
            observation = observation.value(&format!("{place}_{call}_median_us"), micros);
        }
    }
    let mut trips: Vec<u64> = Vec::new();
    for _ in 0..MESSAGES {
        let start = Instant::now();
        pair.by(1, &[])?;
        trips.push(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    trips.sort_unstable();
    let trip_us = trips.get(trips.len() / 2).copied().unwrap_or(0);
    words.push(format!("a message there and back {trip_us} us"));
    observation.summary = words.join("; ");
    Ok(observation.value("message_round_trip_median_us", trip_us))
}

fn in_words(name: &str, times: &Times) -> String {
    let Times { write_us, sync_us, lock_us, create_us } = times;
    format!(
        "{name}: write {write_us} us, fsync {sync_us} us, lock {lock_us} us, create {create_us} us"
    )
}
