//! Both sides go through the same new names in the same order and try to win each. Whoever is ahead
//! waits a little after each name, so that the other catches up however slow it is and whenever it
//! began. How often the lead changed is the weight of the result.

use super::{Pair, Problem, Result};
use tombolo_core::errno::Errno;
use tombolo_core::peer::step::{Answer, Opening, RaceCall, Raced, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

/// Most names of one race. Each is a new file, of which some servers hold a descriptor until all
/// clients have forgotten it.
const NAMES: u16 = 400;

/// After this time no further name is tried.
const TIME_MS: u32 = 3_000;

pub(super) fn create(pair: &mut Pair<'_>) -> Result<Observation> {
    race(pair, EvidenceKind::PeerExclusiveCreate, "O_CREAT|O_EXCL", RaceCall::Create)
}

pub(super) fn make_directory(pair: &mut Pair<'_>) -> Result<Observation> {
    race(pair, EvidenceKind::PeerDirectoryCreate, "mkdir", RaceCall::MakeDirectory)
}

pub(super) fn link(pair: &mut Pair<'_>) -> Result<Observation> {
    let file = pair.files.take(1)?;
    pair.prepare(0, &[Step::Open(0, file, Opening::New), Step::Close(0)])?;
    race(pair, EvidenceKind::PeerHardLink, "link", RaceCall::Link(file))
}

fn race(
    pair: &mut Pair<'_>,
    kind: EvidenceKind,
    called: &str,
    call: RaceCall,
) -> Result<Observation> {
    let first = pair.files.take(NAMES)?;
    let run = [Step::Race(call, first, NAMES, TIME_MS)];
    let answers = pair.together(&run, &run)?;
    // In pieces, so that a slow server is not taken for one that hangs.
    for piece in 0..NAMES / 100 {
        pair.by(0, &[Step::Clear(first + piece * 100, 100)])?;
    }
    let raced = answers.each_ref().map(|answers| match answers.as_slice() {
        [Answer::Raced(raced)] => Some(raced),
        _ => None,
    });
    let [Some(one), Some(two)] = raced else {
        return Err(Problem::NotRun("an answer was lost".to_owned()));
    };
    Ok(judge(kind, called, [one, two]))
}

fn judge(kind: EvidenceKind, called: &str, raced: [&Raced; 2]) -> Observation {
    let [one, two] = raced;
    let tried = one.tried.min(two.tried);
    let failed = raced.iter().find_map(|raced| raced.failed);
    let by_both = |name: &u16| one.has_won(*name) && two.has_won(*name);
    let by_none = |name: &u16| !one.has_won(*name) && !two.has_won(*name);
    let twice = (0..tried).filter(by_both).count();
    // The last name may have failed on one side.
    let decided = tried.saturating_sub(1);
    let lost = (0..decided).filter(by_none).count();
    let owners: Vec<bool> = (0..decided).map(|name| one.has_won(name)).collect();
    let lead_changes = owners.windows(2).filter(|pair| pair.first() != pair.last()).count();
    let observation = if twice > 0 {
        let summary = format!("{called}: {twice} of {tried} new names were given to both sides");
        Observation::new(kind, Outcome::Violated, summary)
    } else if let Some((_, raw)) = failed {
        let errno = Errno::from_raw(raw);
        let summary = format!("{called} is refused: {errno}");
        Observation::new(kind, Outcome::Refused, summary).errno(errno)
    } else if lost > 0 {
        let summary = format!("{called}: {lost} of {tried} new names were refused to both sides");
        Observation::new(kind, Outcome::Refused, summary).errno(Errno::EEXIST)
    } else if tried == 0 {
        Observation::new(kind, Outcome::NotRun, format!("{called}: no name was tried in time"))
    } else {
        let summary = format!("{called} had one winner for each of {tried} names");
        Observation::new(kind, Outcome::Holds, summary)
    };
    observation.value("names", tried).value("lead_changes", lead_changes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raced(tried: u16, won: &[u16]) -> Raced {
        let mut raced = Raced { tried, ..Raced::default() };
        won.iter().for_each(|name| raced.win(*name));
        raced
    }

    fn outcome(one: &Raced, two: &Raced) -> Outcome {
        judge(EvidenceKind::PeerHardLink, "link", [one, two]).outcome
    }

    #[test]
    fn each_name_has_one_winner() {
        let (one, two) = (raced(4, &[0, 2, 3]), raced(4, &[1]));
        assert_eq!(outcome(&one, &two), Outcome::Holds);
        let seen = judge(EvidenceKind::PeerHardLink, "link", [&one, &two]);
        assert_eq!(seen.values.get("lead_changes"), Some(&2_u64.into()));
        assert_eq!(outcome(&one, &raced(4, &[1, 3])), Outcome::Violated);
        assert_eq!(outcome(&raced(4, &[0]), &raced(4, &[2])), Outcome::Refused);
        assert_eq!(outcome(&raced(0, &[]), &raced(9, &[])), Outcome::NotRun);
        let refused = Raced { failed: Some((0, Errno::EPERM.raw())), ..raced(1, &[]) };
        assert_eq!(outcome(&refused, &raced(4, &[0, 1, 2, 3])), Outcome::Refused);
    }
}
