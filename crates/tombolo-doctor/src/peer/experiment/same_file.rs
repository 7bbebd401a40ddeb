//! Whether what one side writes into a new file is what the other finds in it. Numbers of inodes
//! say nothing: servers make up their own.

use super::{Pair, Result, Sight, VISIBLE_MS};
use tombolo_core::peer::step::{Look, Opening, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

const BYTE: u8 = 0xa5;

pub(super) fn same_file(pair: &mut Pair<'_>) -> Result<Observation> {
    let file = pair.files.take(1)?;
    let made = [Step::Open(0, file, Opening::New), Step::Write(0, 0, 4096, BYTE), Step::Sync(0)];
    pair.prepare(0, &made)?;
    let until = |look| Step::Until(look, u64::from(BYTE), VISIBLE_MS);
    let seen =
        pair.by(1, &[until(Look::ByteOf(file, 4095)), until(Look::DirectByteOf(file, 4095))])?;
    let [by_cache, direct] = [0, 1].map(|index| Sight::of(seen.get(index)));
    let kind = EvidenceKind::PeerSameFile;
    let observation = match by_cache {
        Sight::AtOnce | Sight::After(_) => {
            let summary = format!("a new file with its contents is seen {}", by_cache.word());
            Observation::new(kind, Outcome::Holds, summary)
        }
        Sight::Never | Sight::Refused(_) => {
            let summary = format!(
                "what one side writes into a new file is not what the other finds there ({})",
                by_cache.word()
            );
            Observation::new(kind, Outcome::Violated, summary)
        }
    };
    Ok(observation.value("read", by_cache.word()).value("direct_read", direct.word()))
}
