//! Both sides go through the same new names in the same order and try to win each. Whoever is ahead
//! waits a little after each name, so that the other catches up however slow it is and whenever it
//! began. How often the lead changed is the weight of the result.
//!
//! Servers such as virtiofsd hold a descriptor of each file until all clients have forgotten it.
//! Therefore the names come in batches, and both sides remove those of a batch before they go on to
//! the next: the one that comes first makes its own kernel forget the file, the other finds
//! nothing, and its kernel forgets it as well. No name is ever used again, so it does not matter
//! what either kernel remembers of one that is gone.

use super::{Pair, Problem, Result};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::peer::step::{Answer, FileNumber, Opening, RaceCall, Raced, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

/// Names that are tried in one go.
const BATCH: u16 = 300;

/// Most batches of one race: the numbers of files are to last for each two of all sides.
const BATCHES: u16 = 6;

/// After this time no further name is tried.
const TIME: Duration = Duration::from_secs(3);

/// Names that are removed in one go, where that may take long: a slow server is not to be taken for
/// one that hangs.
const PIECE: u16 = 100;

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

/// Names that were tried and not yet removed.
type Used = (FileNumber, u16);

fn race(
    pair: &mut Pair<'_>,
    kind: EvidenceKind,
    called: &str,
    call: RaceCall,
) -> Result<Observation> {
    let start = Instant::now();
    let mut tally = Tally::default();
    let mut used: Option<Used> = None;
    for _ in 0..BATCHES {
        let began = Instant::now();
        let left_ms = TIME.saturating_sub(start.elapsed()).as_millis();
        let batch = pair.files.take(BATCH)?;
        let raced = run(pair, used, Step::Race(call, batch, BATCH, left_ms as u32))?;
        let tried = raced.iter().map(|raced| raced.tried).max().unwrap_or(0);
        used = Some((batch, tried.min(BATCH)));
        tally.add(raced.each_ref());
        let left = TIME.saturating_sub(start.elapsed());
        // A shorter time than the last batch took, messages and all, is none to meet in.
        if tally.failed.is_some() || tried < BATCH || left < began.elapsed() {
            break;
        }
    }
    if let Some((first, count)) = used {
        for piece in (0..count).step_by(PIECE.into()) {
            let clear = [Step::Clear(first + piece, PIECE.min(count - piece))];
            pair.together(&clear, &clear)?;
        }
    }
    Ok(tally.judge(kind, called))
}

/// Has both sides remove the names of the last batch and go through those of the next.
fn run(pair: &mut Pair<'_>, used: Option<Used>, race: Step) -> Result<[Raced; 2]> {
    let clear = used.map(|(first, count)| Step::Clear(first, count));
    let steps: Vec<Step> = clear.into_iter().chain([race]).collect();
    let last = pair.together(&steps, &steps)?.map(|mut answers| answers.pop());
    match last {
        [Some(Answer::Raced(one)), Some(Answer::Raced(two))] => Ok([one, two]),
        _ => Err(Problem::NotRun("an answer was lost".to_owned())),
    }
}

/// What became of the names so far.
#[derive(Debug, Default)]
struct Tally {
    /// By both sides.
    tried: u64,
    /// Given to both.
    twice: u64,
    /// Refused to both.
    lost: u64,
    lead_changes: u64,
    /// Whether the first side won the last name.
    first_leads: Option<bool>,
    failed: Option<Errno>,
}

impl Tally {
    fn add(&mut self, raced: [&Raced; 2]) {
        let [one, two] = raced;
        let tried = one.tried.min(two.tried);
        self.tried += u64::from(tried);
        let failed = raced.iter().filter_map(|raced| raced.failed);
        self.failed = self.failed.or(failed.clone().next().map(|(_, raw)| Errno::from_raw(raw)));
        // A name on which a side failed is nobody's.
        let decided = failed.fold(tried, |decided, (name, _)| decided.min(name));
        for name in 0..tried {
            match (one.has_won(name), two.has_won(name)) {
                (true, true) => self.twice += 1,
                (false, false) if name < decided => self.lost += 1,
                (first, _) if name < decided => {
                    let before = self.first_leads.replace(first);
                    self.lead_changes += u64::from(before.is_some_and(|before| before != first));
                }
                _ => {}
            }
        }
    }

    fn judge(&self, kind: EvidenceKind, called: &str) -> Observation {
        let Tally { tried, twice, lost, .. } = self;
        let observation = if *twice > 0 {
            let summary =
                format!("{called}: {twice} of {tried} new names were given to both sides");
            Observation::new(kind, Outcome::Violated, summary)
        } else if let Some(errno) = self.failed {
            let summary = format!("{called} is refused: {errno}");
            Observation::new(kind, Outcome::Refused, summary).errno(errno)
        } else if *lost > 0 {
            let summary =
                format!("{called}: {lost} of {tried} new names were refused to both sides");
            Observation::new(kind, Outcome::Refused, summary).errno(Errno::EEXIST)
        } else if *tried == 0 {
            Observation::new(kind, Outcome::NotRun, format!("{called}: no name was tried in time"))
        } else {
            let summary = format!("{called} had one winner for each of {tried} names");
            Observation::new(kind, Outcome::Holds, summary)
        };
        observation.value("names", *tried).value("lead_changes", self.lead_changes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Files;
    use super::*;
    use crate::peer::table::{Hands, Trouble, Work};
    use std::collections::BTreeSet;
    use tombolo_os::worker::pause;

    fn raced(tried: u16, won: &[u16]) -> Raced {
        let mut raced = Raced { tried, ..Raced::default() };
        won.iter().for_each(|name| raced.win(*name));
        raced
    }

    fn judge(batches: &[[&Raced; 2]]) -> Observation {
        let mut tally = Tally::default();
        batches.iter().for_each(|batch| tally.add(*batch));
        tally.judge(EvidenceKind::PeerHardLink, "link")
    }

    fn outcome(one: &Raced, two: &Raced) -> Outcome {
        judge(&[[one, two]]).outcome
    }

    #[test]
    fn each_name_has_one_winner() {
        let (one, two) = (raced(4, &[0, 2, 3]), raced(4, &[1]));
        assert_eq!(outcome(&one, &two), Outcome::Holds);
        let seen = judge(&[[&one, &two]]);
        assert_eq!(seen.values.get("lead_changes"), Some(&2_u64.into()));
        assert_eq!(outcome(&one, &raced(4, &[1, 3])), Outcome::Violated);
        assert_eq!(outcome(&raced(4, &[0]), &raced(4, &[2])), Outcome::Refused);
        assert_eq!(outcome(&raced(0, &[]), &raced(9, &[])), Outcome::NotRun);
        let refused = Raced { failed: Some((0, Errno::EPERM.raw())), ..raced(1, &[]) };
        assert_eq!(outcome(&refused, &raced(4, &[0, 1, 2, 3])), Outcome::Refused);
    }

    /// Two sides that try names without a file system, each winning every second one.
    #[derive(Default)]
    struct Model {
        /// Names that a side has tried and not removed.
        remembered: [BTreeSet<FileNumber>; 2],
        /// Names that were tried by each side, and how many steps removed some.
        raced: [Vec<FileNumber>; 2],
        clears: usize,
        /// Most that one side had at once.
        peak: usize,
        /// How many fifths of the time a batch takes, how many of its names are tried, and what the
        /// last one says.
        pauses: u32,
        at_most: Option<u16>,
        fails: Option<Errno>,
    }

    impl Model {
        fn race(&mut self, seat: usize, first: FileNumber, count: u16) -> Answer {
            let tried = self.at_most.unwrap_or(count).min(count);
            let mut raced = Raced { tried, ..Raced::default() };
            for number in 0..tried {
                assert!(!self.raced[seat].contains(&(first + number)), "a name was used again");
                self.raced[seat].push(first + number);
                self.remembered[seat].insert(first + number);
                if usize::from(number) % 2 == seat {
                    raced.win(number);
                }
            }
            raced.failed = self.fails.map(|errno| (tried - 1, errno.raw()));
            self.peak = self.peak.max(self.remembered[seat].len());
            Answer::Raced(raced)
        }
    }

    impl Hands for Model {
        fn all(
            &mut self,
            _: bool,
            work: &[Work],
        ) -> std::result::Result<Vec<Vec<Answer>>, Trouble> {
            (0..self.pauses).for_each(|_| pause(TIME / 5));
            let before = self.raced.clone();
            let mut each = |seat: usize, step: &Step| match *step {
                Step::Race(RaceCall::Create, first, count, _) => self.race(seat, first, count),
                Step::Clear(first, count) => {
                    self.clears += 1;
                    for name in first..first + count {
                        let raced = before.iter().all(|raced| raced.contains(&name));
                        assert!(raced, "removed while the other side may still try it");
                        assert!(self.remembered[seat].remove(&name));
                    }
                    Answer::Done
                }
                _ => Answer::Senseless,
            };
            Ok(work
                .iter()
                .map(|(seat, steps)| steps.iter().map(|step| each(*seat, step)).collect())
                .collect())
        }
    }

    fn observe(model: &mut Model) -> Observation {
        let mut files = Files::default();
        let names = ["A", "B"].map(str::to_owned);
        let mut pair = Pair { hands: model, seats: [0, 1], names, files: &mut files };
        let Ok(observation) = create(&mut pair) else { panic!("a problem") };
        observation
    }

    #[test]
    fn thousands_of_names_are_tried_and_few_are_there_at_once() {
        let mut model = Model::default();
        let seen = observe(&mut model);
        let names = BATCH * BATCHES;
        assert_eq!((seen.outcome, seen.values.get("names")), (Outcome::Holds, Some(&names.into())));
        assert_eq!(seen.values.get("lead_changes"), Some(&(names - 1).into()));
        assert!(model.raced.iter().all(|raced| raced.len() == usize::from(names)));
        assert!(model.remembered.iter().all(BTreeSet::is_empty), "both have removed all");
        assert_eq!(model.peak, usize::from(BATCH));
    }

    #[test]
    fn a_slow_race_ends_after_the_batch_for_which_there_was_time() {
        let slow = Model { at_most: Some(250), ..Model::default() };
        let dawdling = Model { pauses: 3, ..Model::default() };
        for (mut model, names) in [(slow, 250), (dawdling, BATCH)] {
            let seen = observe(&mut model);
            assert_eq!(seen.values.get("names"), Some(&names.into()));
            assert!(model.remembered.iter().all(BTreeSet::is_empty));
            assert_eq!(model.clears, 2 * 3, "in pieces, on both sides");
        }
    }

    #[test]
    fn a_refusal_ends_the_race() {
        let mut model = Model { at_most: Some(1), fails: Some(Errno::EPERM), ..Model::default() };
        let seen = observe(&mut model);
        assert_eq!((seen.outcome, seen.errno), (Outcome::Refused, Some(Errno::EPERM)));
        assert!(model.remembered.iter().all(BTreeSet::is_empty));
    }

    #[test]
    fn what_one_batch_shows_stays_true_in_the_next() {
        let good = [&raced(2, &[0]), &raced(2, &[1])];
        let twice = [&raced(2, &[0, 1]), &raced(2, &[1])];
        assert_eq!(judge(&[twice, good]).outcome, Outcome::Violated);
        let seen = judge(&[good, good]);
        assert_eq!(seen.values.get("names"), Some(&4_u64.into()));
        assert_eq!(seen.values.get("lead_changes"), Some(&3_u64.into()));
    }
}
