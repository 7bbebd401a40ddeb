//! What is tried between two sides, written once and done in both directions.
//!
//! An experiment is a script over [`Hands`]: one side does some steps, then the other does some,
//! and what was done before is done for both. A delay is measured by the clock of the side that
//! waits, from when it first looks; that is a message later than the change, so that *at once*
//! means "not later than a message". Where several looks follow one change, the one that decides
//! comes first, and the later ones have had more time.

mod content;
mod fencing;
mod latency;
mod locks;
mod maps;
mod names;
mod races;
mod same_file;
mod size;
mod sqlite;

use super::table::{Hands, Seat, Trouble};
use tombolo_core::errno::Errno;
use tombolo_core::peer::message::HandEnd;
use tombolo_core::peer::step::{Answer, FILES, FileNumber, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome, Value};
use tombolo_os::signal::SIGBUS;

pub(super) use sqlite::{JOURNALS, all_at_once};

/// How long something that was written is waited for.
pub(super) const VISIBLE_MS: u32 = 2_000;

/// Two sides at work.
pub(super) struct Pair<'a> {
    pub(super) hands: &'a mut dyn Hands,
    /// The seats; an experiment with a direction goes from the first to the second.
    pub(super) seats: [Seat; 2],
    pub(super) names: [String; 2],
    pub(super) files: &'a mut Files,
}

/// Numbers of files that no side has ever heard of: the absence of a name may be remembered.
#[derive(Debug, Default)]
pub(super) struct Files {
    next: FileNumber,
}

impl Files {
    /// The first of so many.
    pub(super) fn take(&mut self, count: u16) -> Result<FileNumber> {
        let first = self.next;
        self.next = first.saturating_add(count);
        if self.next <= FILES {
            return Ok(first);
        }
        Err(Problem::NotRun("the numbers of files are used up".to_owned()))
    }
}

/// Why an experiment gave no result.
pub(super) enum Problem {
    Trouble(Trouble),
    /// A call that only prepares it was refused.
    Prepare(Seat, Errno),
    NotRun(String),
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        Problem::Trouble(trouble)
    }
}

pub(super) type Result<T> = std::result::Result<T, Problem>;

type Experiment = fn(&mut Pair<'_>) -> Result<Observation>;

/// What is tried in each direction, and under which name it is reported.
const DIRECTED: &[(EvidenceKind, Experiment)] = &[
    (EvidenceKind::PeerSameFile, same_file::same_file),
    (EvidenceKind::PeerPosixLocks, locks::posix),
    (EvidenceKind::PeerLockUpgrade, locks::upgrade),
    (EvidenceKind::PeerLockQuery, locks::query),
    (EvidenceKind::PeerContent, content::content),
    (EvidenceKind::PeerFileSize, size::size),
    (EvidenceKind::PeerMapCoherence, maps::coherence),
    (EvidenceKind::PeerNames, names::names),
    (EvidenceKind::PeerFencing, fencing::fencing),
    (EvidenceKind::PeerOfdLocks, locks::open_file),
    (EvidenceKind::PeerFlock, locks::whole_file),
];

/// What is tried once, as it has no direction.
const MUTUAL: &[(EvidenceKind, Experiment)] = &[
    (EvidenceKind::PeerExclusiveCreate, races::create),
    (EvidenceKind::PeerDirectoryCreate, races::make_directory),
    (EvidenceKind::PeerHardLink, races::link),
    (EvidenceKind::PeerLatency, latency::latency),
];

/// Runs all experiments of a pair and hands out the results. Answers the trouble that ended them.
pub(super) fn run(
    pair: &mut Pair<'_>,
    sink: &mut dyn FnMut(Observation),
) -> std::result::Result<(), Trouble> {
    let (seats, names) = (pair.seats, pair.names.clone());
    let mut both = |list: &[(EvidenceKind, Experiment)], turned: bool, pair: &mut Pair<'_>| {
        for (kind, experiment) in list {
            if turned {
                pair.seats = [seats[1], seats[0]];
                pair.names = [names[1].clone(), names[0].clone()];
            }
            let result = pair.fresh().and_then(|()| experiment(pair));
            let (observation, over) = settle(*kind, result, pair);
            (pair.seats, pair.names) = (seats, names.clone());
            sink(observation);
            if let Some(trouble) = over {
                return Err(trouble);
            }
        }
        Ok(())
    };
    for entry in DIRECTED {
        both(std::slice::from_ref(entry), false, pair)?;
        both(std::slice::from_ref(entry), true, pair)?;
    }
    both(MUTUAL, false, pair)
}

/// The observation, with who did it; and the trouble after which there is nobody to go on with.
fn settle(
    kind: EvidenceKind,
    result: Result<Observation>,
    pair: &Pair<'_>,
) -> (Observation, Option<Trouble>) {
    let name = |seat: &Seat| {
        let place = pair.seats.iter().position(|one| one == seat).unwrap_or(0);
        pair.names[place].as_str()
    };
    let mut over = None;
    let observation = match result {
        Ok(observation) => observation,
        Err(Problem::NotRun(why)) => Observation::new(kind, Outcome::NotRun, why),
        Err(Problem::Prepare(seat, errno)) => {
            let summary = format!("not tried: a call on the side {} gave {errno}", name(&seat));
            Observation::new(kind, Outcome::NotRun, summary).errno(errno)
        }
        Err(Problem::Trouble(trouble)) => {
            let (outcome, what) = match trouble {
                Trouble::Hand(seat, HandEnd::Killed(SIGBUS)) => {
                    let side = name(&seat);
                    (Outcome::Violated, format!("SIGBUS killed the process on the side {side}"))
                }
                Trouble::Hand(seat, HandEnd::Killed(signal)) => {
                    let side = name(&seat);
                    (Outcome::NotRun, format!("signal {signal} killed the process on {side}"))
                }
                Trouble::Hand(seat, HandEnd::Hung) => {
                    (Outcome::TimedOut, format!("a call on the side {} hangs", name(&seat)))
                }
                Trouble::Hand(seat, HandEnd::Failed) => {
                    (Outcome::NotRun, format!("the process on the side {} failed", name(&seat)))
                }
                Trouble::Gone(seat) => {
                    over = Some(trouble);
                    (Outcome::NotRun, format!("the side {} is gone", name(&seat)))
                }
                Trouble::Lost(lost) => {
                    over = Some(trouble);
                    (Outcome::NotRun, lost.to_string())
                }
            };
            Observation::new(kind, outcome, what)
        }
    };
    let [from, to] = &pair.names;
    let observation =
        Observation { summary: format!("{from} and {to}: {}", observation.summary), ..observation };
    let sides = Value::List(vec![from.clone(), to.clone()]);
    (observation.value("sides", sides), over)
}

impl Pair<'_> {
    /// Has both sides go on by processes that hold nothing.
    fn fresh(&mut self) -> Result<()> {
        let work = self.seats.map(|seat| (seat, Vec::new()));
        self.hands.all(true, &work)?;
        Ok(())
    }

    /// Has one of the two, 0 or 1, do steps.
    pub(super) fn by(&mut self, which: usize, steps: &[Step]) -> Result<Vec<Answer>> {
        let seat = self.seats[which];
        let mut answers = self.hands.all(false, &[(seat, steps.to_vec())])?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// The same, for steps that only prepare and must all be done.
    pub(super) fn prepare(&mut self, which: usize, steps: &[Step]) -> Result<()> {
        for answer in self.by(which, steps)? {
            if let Answer::Refused(raw) = answer {
                return Err(Problem::Prepare(self.seats[which], Errno::from_raw(raw)));
            }
        }
        Ok(())
    }

    /// Has both do steps at the same time.
    pub(super) fn together(&mut self, first: &[Step], second: &[Step]) -> Result<[Vec<Answer>; 2]> {
        let [one, two] = self.seats;
        let work = [(one, first.to_vec()), (two, second.to_vec())];
        let answers = self.hands.all(false, &work)?;
        <[Vec<Answer>; 2]>::try_from(answers)
            .map_err(|_| Problem::NotRun("an answer was lost".to_owned()))
    }
}

/// How something that was waited for was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// By the first look.
    AtOnce,
    /// So many milliseconds after the first look.
    After(u32),
    /// Not in [`VISIBLE_MS`].
    Never,
    /// The look was refused.
    Refused(Errno),
}

impl Sight {
    pub(super) fn of(answer: Option<&Answer>) -> Self {
        match answer {
            Some(Answer::Seen(_, 0 | 1)) => Sight::AtOnce,
            Some(Answer::Seen(after_ms, _)) => Sight::After(*after_ms),
            Some(Answer::Refused(raw)) => Sight::Refused(Errno::from_raw(*raw)),
            _ => Sight::Never,
        }
    }

    /// For a value of the evidence.
    pub(super) fn word(self) -> String {
        match self {
            Sight::AtOnce => "at once".to_owned(),
            Sight::After(after_ms) => format!("after {after_ms} ms"),
            Sight::Never => format!("not within {VISIBLE_MS} ms"),
            Sight::Refused(errno) => errno.to_string(),
        }
    }

    /// Whether what was written is not seen by somebody who looks now.
    pub(super) fn is_stale(self) -> bool {
        matches!(self, Sight::After(_) | Sight::Never)
    }
}

/// Whether a lock was refused because somebody holds it.
pub(super) fn is_held(answer: &Answer) -> bool {
    *answer == Answer::Refused(Errno::EAGAIN.raw())
        || *answer == Answer::Refused(Errno::EACCES.raw())
}

/// The first answer that is an error.
pub(super) fn first_error(answers: &[Answer]) -> Option<Errno> {
    answers.iter().find_map(|answer| match answer {
        Answer::Refused(raw) => Some(Errno::from_raw(*raw)),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
