//! When one side sees that the other has made, removed or replaced a name. A program that looks for
//! a journal in vain remembers nothing itself; its kernel may.

use super::{Pair, Result, Sight, VISIBLE_MS};
use tombolo_core::peer::step::{Look, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

const OLD: u8 = 1;
const NEW: u8 = 2;

pub(super) fn names(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerNames;
    let [made, replaced, coming] = [pair.files.take(1)?, pair.files.take(1)?, pair.files.take(1)?];
    let file = |slot, file, byte| {
        [Step::Open(slot, file, Opening::New), Step::Write(slot, 0, 1, byte), Step::Sync(slot)]
    };
    let both = [file(0, replaced, OLD), file(1, coming, NEW)];
    pair.prepare(0, both.as_flattened())?;
    pair.prepare(0, &[Step::Close(0), Step::Close(1)])?;
    let looked = [Step::Look(Look::Exists(made)), Step::Look(Look::ByteOf(replaced, 0))];
    pair.prepare(1, &looked)?;
    let changed = [&file(0, made, NEW)[..], &[Step::Rename(coming, replaced)]].concat();
    pair.prepare(0, &changed)?;
    let appeared = pair.by(
        1,
        &[
            Step::Until(Look::Exists(made), 1, VISIBLE_MS),
            Step::Until(Look::ByteOf(replaced, 0), u64::from(NEW), VISIBLE_MS),
        ],
    )?;
    pair.prepare(0, &[Step::Close(0), Step::Unlink(made)])?;
    let vanished = pair.by(1, &[Step::Until(Look::Exists(made), 0, VISIBLE_MS)])?;
    let named = [
        ("new_name", Sight::of(appeared.first())),
        ("removed_name", Sight::of(vanished.first())),
        ("replaced_name", Sight::of(appeared.get(1))),
    ];
    let late = named.iter().find(|(_, sight)| *sight != Sight::AtOnce);
    let observation = match late {
        None => {
            let summary = "new, removed and replaced names are seen by the second at once";
            Observation::new(kind, Outcome::Holds, summary)
        }
        // SQLite's own locks do not rest on names; a crash does.
        Some((name, sight)) => {
            let what = name.replace('_', " ");
            let summary = format!("the second sees a {what} {}", sight.word());
            Observation::new(kind, Outcome::Noted, summary)
        }
    };
    Ok(named.iter().fold(observation, |seen, (name, sight)| seen.value(name, sight.word())))
}
