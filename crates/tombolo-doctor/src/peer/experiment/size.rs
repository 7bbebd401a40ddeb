//! When one side sees that the other has made a file longer or shorter. SQLite asks for the size
//! of an open file after it has taken SHARED.

use super::{Pair, Result, Sight, VISIBLE_MS};
use tombolo_core::peer::step::{BEYOND_END, Look, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

const SHORT: u32 = 4096;
const LONG: u32 = 12_288;

pub(super) fn size(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerFileSize;
    let (locked, plain) = (pair.files.take(1)?, pair.files.take(1)?);
    let made = [(0, locked), (1, plain)].map(|(slot, file)| {
        [Step::Open(slot, file, Opening::New), Step::Write(slot, 0, SHORT, 1), Step::Sync(slot)]
    });
    pair.prepare(0, made.as_flattened())?;
    let opened = [(0, locked), (1, plain)].map(|(slot, file)| {
        let looks = [Look::Size(slot), Look::SizeOf(file)].map(Step::Look);
        [Step::Open(slot, file, Opening::ReadWrite), looks[0], looks[1]]
    });
    pair.prepare(1, opened.as_flattened())?;
    let until = |look, size: u32| Step::Until(look, u64::from(size), VISIBLE_MS);
    let looks = |size| {
        [
            until(Look::SizeUnderLock(0), size),
            until(Look::Size(1), size),
            until(Look::SizeOf(plain), size),
        ]
    };
    let grown = [0, 1].map(|slot| [Step::Write(slot, SHORT, LONG - SHORT, 2), Step::Sync(slot)]);
    pair.prepare(0, grown.as_flattened())?;
    let longer = pair.by(1, &looks(LONG))?;
    pair.prepare(0, &[0, 1].map(|slot| Step::Truncate(slot, SHORT)))?;
    let mut steps = looks(SHORT).to_vec();
    steps.push(Step::Until(Look::ByteUnderLock(0, LONG - 1), BEYOND_END, VISIBLE_MS));
    let shorter = pair.by(1, &steps)?;

    let named = [
        ("longer_under_lock", Sight::of(longer.first())),
        ("shorter_under_lock", Sight::of(shorter.first())),
        ("beyond_end_under_lock", Sight::of(shorter.get(3))),
        ("longer_open_descriptor", Sight::of(longer.get(1))),
        ("shorter_open_descriptor", Sight::of(shorter.get(1))),
        ("longer_by_name", Sight::of(longer.get(2))),
        ("shorter_by_name", Sight::of(shorter.get(2))),
    ];
    let decisive = named.iter().take(3);
    let observation = if let Some((_, Sight::Refused(errno))) =
        decisive.clone().find(|(_, sight)| matches!(sight, Sight::Refused(_)))
    {
        let summary = format!("asking for a size under a lock is refused: {errno}");
        Observation::new(kind, Outcome::Refused, summary).errno(*errno)
    } else if let Some((name, sight)) = decisive.clone().find(|(_, sight)| sight.is_stale()) {
        let what = name.trim_end_matches("_under_lock").replace('_', " ");
        let summary = format!("under a lock, the second sees a new size ({what}) {}", sight.word());
        Observation::new(kind, Outcome::Violated, summary)
    } else {
        let summary = "under a lock, the second sees at once that a file has grown or shrunk";
        Observation::new(kind, Outcome::Holds, summary)
    };
    Ok(named.iter().fold(observation, |seen, (name, sight)| seen.value(name, sight.word())))
}
