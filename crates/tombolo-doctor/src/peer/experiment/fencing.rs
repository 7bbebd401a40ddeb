//! Whether a rename over a file parts it from those who have it open on the other side: what an old
//! holder writes afterwards must not reach the file that now has the name.

use super::{Pair, Result, Sight, VISIBLE_MS};
use tombolo_core::peer::step::{Answer, Look, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

const OLD: u8 = 1;
const NEW: u8 = 2;
const LATE: u8 = 3;

/// The first holds the file; the second replaces it.
pub(super) fn fencing(pair: &mut Pair<'_>) -> Result<Observation> {
    let kind = EvidenceKind::PeerFencing;
    let (name, coming) = (pair.files.take(1)?, pair.files.take(1)?);
    let made = [Step::Open(0, name, Opening::New), Step::Write(0, 0, 4096, OLD), Step::Sync(0)];
    pair.prepare(0, &made)?;
    let replaced = [
        Step::Look(Look::ByteOf(name, 0)),
        Step::Open(1, coming, Opening::New),
        Step::Write(1, 0, 4096, NEW),
        Step::Sync(1),
        Step::Rename(coming, name),
    ];
    pair.prepare(1, &replaced)?;
    // An error is as good: then the old holder is told.
    let late = pair.by(0, &[Step::Write(0, 0, 4096, LATE), Step::Sync(0)])?;
    let told = late.iter().any(|answer| *answer != Answer::Done);
    let looks = [Look::Byte(1, 0), Look::ByteOf(name, 0), Look::DirectByteOf(name, 0)];
    let seen = pair.by(1, &looks.map(Step::Look))?;
    let reached = seen.contains(&Answer::Value(u64::from(LATE)));
    let by_name = pair.by(0, &[Step::Until(Look::ByteOf(name, 0), u64::from(NEW), VISIBLE_MS)])?;
    let observation = if reached {
        let summary = "after a rename over an open file, what its old holder on the other side \
                       writes reaches the new file";
        Observation::new(kind, Outcome::Violated, summary)
    } else {
        let summary = "a rename over an open file parts it from its holder on the other side";
        Observation::new(kind, Outcome::Holds, summary)
    };
    Ok(observation
        .value("holder_is_told", told)
        .value("new_file_by_name", Sight::of(by_name.first()).word()))
}
