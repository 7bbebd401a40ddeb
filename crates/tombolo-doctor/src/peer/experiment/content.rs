//! When one side sees what the other has written and synced, by each way of reading.
//!
//! The reader has each file open and has read it before, as a program that uses a database. Each
//! way has a file of its own, because one way of reading may freshen what another would find.
//! SQLite reads by an open descriptor after it has taken SHARED; so that way decides.

use super::{Pair, Result, Sight, VISIBLE_MS};
use tombolo_core::peer::step::{Look, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

/// The place that is looked at: in the second page, so that a size alone does not tell.
const AT: u32 = 5000;
const LENGTH_BYTES: u32 = 8192;
const OLD: u8 = 0x11;
const NEW: u8 = 0x22;

/// A name for the report, and the look.
type Way = (&'static str, fn(u8, u16) -> Look);

/// Under a lock, by the open descriptor alone, opened anew, opened for direct reads.
const WAYS: [Way; 4] = [
    ("under_lock", |slot, _| Look::ByteUnderLock(slot, AT)),
    ("open_descriptor", |slot, _| Look::Byte(slot, AT)),
    ("reopened", |_, file| Look::ByteOf(file, AT)),
    ("direct", |_, file| Look::DirectByteOf(file, AT)),
];

pub(super) fn content(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerContent;
    let first = pair.files.take(WAYS.len() as u16)?;
    let numbered = || (0_u8..).zip(first..).zip(WAYS);
    let write = |slot, byte| [Step::Write(slot, 0, LENGTH_BYTES, byte), Step::Sync(slot)];
    let made: Vec<Step> = numbered()
        .flat_map(|((slot, file), _)| {
            let [write, sync] = write(slot, OLD);
            [Step::Open(slot, file, Opening::New), write, sync]
        })
        .collect();
    pair.prepare(0, &made)?;
    let opened: Vec<Step> = numbered()
        .flat_map(|((slot, file), _)| {
            [Step::Open(slot, file, Opening::ReadWrite), Step::Look(Look::Byte(slot, AT))]
        })
        .collect();
    pair.prepare(1, &opened)?;
    let mut sights = Vec::new();
    // One after the other: a look that waits must not give the next one time.
    for ((slot, file), (_, look)) in numbered() {
        pair.prepare(0, &write(slot, NEW))?;
        let until = Step::Until(look(slot, file), u64::from(NEW), VISIBLE_MS);
        sights.push(Sight::of(pair.by(1, &[until])?.first()));
    }
    let decisive = sights.first().copied().unwrap_or(Sight::Never);
    let plain = sights.get(1).copied().unwrap_or(Sight::Never);
    let observation = match decisive {
        Sight::AtOnce => {
            let summary = format!(
                "what the first has written is read by the second at once under a lock, and {} \
                 without one",
                plain.word()
            );
            Observation::new(kind, Outcome::Holds, summary)
        }
        Sight::After(_) | Sight::Never => {
            let summary = format!(
                "what the first has written is read by the second, under a lock, {}",
                decisive.word()
            );
            Observation::new(kind, Outcome::Violated, summary)
        }
        Sight::Refused(errno) => {
            let summary = format!("reading under a lock is refused: {errno}");
            Observation::new(kind, Outcome::Refused, summary).errno(errno)
        }
    };
    let named = WAYS.iter().zip(&sights);
    Ok(named.fold(observation, |seen, ((name, _), sight)| seen.value(name, sight.word())))
}
