//! Shared maps of one file on two sides, as WAL mode needs them for its `-shm`: what one writes,
//! the other must read by its next load.

use super::{Pair, Result, Sight, VISIBLE_MS, first_error};
use tombolo_core::peer::step::{Answer, Look, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

/// As long as the first region of a `-shm` (`WALINDEX_PGSZ` in wal.c).
const LENGTH_BYTES: u32 = 32 * 1024;

/// How often a byte is written and looked for.
const ROUNDS: u8 = 6;

pub(super) fn coherence(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerMapCoherence;
    let file = pair.files.take(1)?;
    let made =
        [Step::Open(0, file, Opening::New), Step::Write(0, 0, LENGTH_BYTES, 0), Step::Sync(0)];
    pair.prepare(0, &made)?;
    pair.prepare(1, &[Step::Open(0, file, Opening::ReadWrite)])?;
    let map = [Step::Map(0, LENGTH_BYTES)];
    let mapped = [pair.by(0, &map)?, pair.by(1, &map)?];
    let refusals = mapped.each_ref().map(|answers| first_error(answers));
    if let Some(errno) = refusals[0].or(refusals[1]) {
        let which = match refusals {
            [Some(_), Some(_)] => "both sides".to_owned(),
            [Some(_), None] => format!("the side {}", pair.names[0]),
            _ => format!("the side {}", pair.names[1]),
        };
        let summary = format!("shared maps are refused on {which}: {errno}");
        let one_sided = refusals.iter().flatten().count() == 1;
        return Ok(Observation::new(kind, Outcome::Refused, summary)
            .errno(errno)
            .value(super::super::ONE_SIDED, one_sided));
    }
    // What is never touched is never cached.
    pair.prepare(1, &[Step::Look(Look::MapByte(0, 0)), Step::Look(Look::MapByte(0, 8192))])?;
    let mut worst = Sight::AtOnce;
    for round in 1..=ROUNDS {
        let at = u32::from(round) * 136 + if round % 2 == 0 { 8192 } else { 0 };
        pair.prepare(0, &[Step::MapWrite(0, at, round)])?;
        let seen =
            pair.by(1, &[Step::Until(Look::MapByte(0, at), u64::from(round), VISIBLE_MS)])?;
        let sight = Sight::of(seen.first());
        if sight != Sight::AtOnce {
            worst = sight;
            break;
        }
    }
    if worst == Sight::AtOnce {
        let summary = format!("what one writes into a map the other reads at once, {ROUNDS} times");
        return Ok(Observation::new(kind, Outcome::Holds, summary));
    }
    let stored = after_a_store(pair)?;
    let summary = format!(
        "what one writes into a map the other sees in its own {}, and after msync {}",
        worst.word(),
        stored.word()
    );
    Ok(Observation::new(kind, Outcome::Violated, summary)
        .value("map", worst.word())
        .value("map_after_msync", stored.word()))
}

/// Whether writing the map to the file helps.
fn after_a_store(pair: &mut Pair<'_>) -> Result<Sight> {
    let (at, byte) = (4000, 0x77);
    let stored = pair.by(0, &[Step::MapWrite(0, at, byte), Step::MapStore(0)])?;
    if let Some(errno) = first_error(&stored) {
        return Ok(Sight::Refused(errno));
    }
    let seen = pair.by(1, &[Step::Until(Look::MapByte(0, at), u64::from(byte), VISIBLE_MS)])?;
    Ok(Sight::of(seen.first().filter(|answer| **answer != Answer::Senseless)))
}
