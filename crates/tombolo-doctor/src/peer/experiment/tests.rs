//! The scripts, on two hands in one directory of one kernel: everything holds there. And on hands
//! that answer as a share would that keeps nothing of its promises.

use super::*;
use crate::peer::hand::LocalHand;
use crate::peer::table::Work;
use crate::peer::testing::within_scratch;
use std::time::Duration;
use tombolo_core::peer::step::LockKind;

/// Two local hands, with a say in what they answer.
struct Two<F> {
    hands: [LocalHand; 2],
    spoil: F,
}

const LONG: Duration = Duration::from_secs(20);

impl<F: Fn(Seat, &Step, Answer) -> Answer> Two<F> {
    fn new(spoil: F) -> Self {
        Two { hands: [0, 1].map(|_| LocalHand::new(LONG)), spoil }
    }
}

impl<F: Fn(Seat, &Step, Answer) -> Answer> Hands for Two<F> {
    fn all(
        &mut self,
        fresh: bool,
        work: &[Work],
    ) -> std::result::Result<Vec<Vec<Answer>>, Trouble> {
        for (seat, steps) in work {
            self.hands[*seat].tell(fresh, steps);
        }
        let mut all = Vec::new();
        for (seat, steps) in work {
            let did = self.hands[*seat].poll(LONG).expect("in time");
            if let Some(end) = did.ended {
                return Err(Trouble::Hand(*seat, end));
            }
            let answers = steps.iter().zip(did.answers);
            all.push(answers.map(|(step, answer)| (self.spoil)(*seat, step, answer)).collect());
        }
        Ok(all)
    }
}

fn run_all(hands: &mut dyn Hands) -> Vec<Observation> {
    let mut found = Vec::new();
    let names = ["A".to_owned(), "B".to_owned()];
    let mut files = Files::default();
    let mut pair = Pair { hands, seats: [0, 1], names, files: &mut files };
    let ended = run(&mut pair, &mut |observation| found.push(observation));
    assert_eq!(ended, Ok(()));
    found
}

fn outcomes(found: &[Observation], kind: EvidenceKind) -> Vec<Outcome> {
    found.iter().filter(|one| one.kind == kind).map(|one| one.outcome).collect()
}

#[test]
fn two_processes_of_one_kernel_keep_every_promise() {
    within_scratch(|| {
        let found = run_all(&mut Two::new(|_, _, answer| answer));
        assert_eq!(found.len(), 2 * DIRECTED.len() + MUTUAL.len());
        for observation in &found {
            let noted = observation.kind == EvidenceKind::PeerLatency;
            let expected = if noted { Outcome::Noted } else { Outcome::Holds };
            assert_eq!(observation.outcome, expected, "{observation:?}");
        }
        for (kind, _) in DIRECTED {
            assert_eq!(outcomes(&found, *kind).len(), 2, "both directions of {kind:?}");
        }
        let races = |one: &&Observation| one.kind == EvidenceKind::PeerExclusiveCreate;
        let race = found.iter().find(races).expect("a race");
        let Some(Value::Integer(lead_changes)) = race.values.get("lead_changes") else {
            panic!("{race:?}");
        };
        assert!(*lead_changes > 10, "each ran alone: {race:?}");
    });
}

#[test]
fn sqlite_on_two_hands_loses_nothing_under_one_kernel() {
    within_scratch(|| {
        let mut hands = Two::new(|_, _, answer| answer);
        let sides = [(0, "A".to_owned()), (1, "B".to_owned())];
        let mut files = Files::default();
        for (kind, journal, _) in JOURNALS {
            let run = (kind, journal, 500);
            let seen = all_at_once(&mut hands, &mut files, &sides, run).expect("nobody is gone");
            assert_eq!(seen.outcome, Outcome::Holds, "{seen:?}");
        }
    });
}

/// As between two kernels whose locks stay apart: all are granted, and nobody is ever in the way.
#[test]
fn locks_that_are_granted_twice_are_a_broken_promise() {
    within_scratch(|| {
        let mut hands = Two::new(|_, step: &Step, answer| match step {
            Step::Lock(..) => Answer::Done,
            Step::Query(..) => Answer::Free,
            _ => answer,
        });
        let found = run_all(&mut hands);
        for kind in [
            EvidenceKind::PeerPosixLocks,
            EvidenceKind::PeerLockUpgrade,
            EvidenceKind::PeerLockQuery,
            EvidenceKind::PeerOfdLocks,
            EvidenceKind::PeerFlock,
        ] {
            assert_eq!(outcomes(&found, kind), [Outcome::Violated; 2], "{kind:?}");
        }
    });
}

#[test]
fn what_is_never_seen_is_a_broken_promise_and_late_names_are_noted() {
    within_scratch(|| {
        let mut hands = Two::new(|_, step: &Step, answer| match step {
            Step::Until(..) => Answer::NotSeen(0),
            _ => answer,
        });
        let found = run_all(&mut hands);
        for kind in [
            EvidenceKind::PeerSameFile,
            EvidenceKind::PeerContent,
            EvidenceKind::PeerFileSize,
            EvidenceKind::PeerMapCoherence,
        ] {
            assert_eq!(outcomes(&found, kind), [Outcome::Violated; 2], "{kind:?}");
        }
        assert_eq!(outcomes(&found, EvidenceKind::PeerNames), [Outcome::Noted; 2]);
    });
}

#[test]
fn refusals_of_one_side_are_refusals_and_say_which() {
    within_scratch(|| {
        let no = |errno: Errno| Answer::Refused(errno.raw());
        let mut hands = Two::new(|seat, step: &Step, answer| match step {
            Step::Map(..) if seat == 1 => no(Errno::ENODEV),
            Step::Lock(_, LockKind::Posix, ..) if seat == 1 => no(Errno::ENOLCK),
            _ => answer,
        });
        let found = run_all(&mut hands);
        let maps = EvidenceKind::PeerMapCoherence;
        assert_eq!(outcomes(&found, maps), [Outcome::Refused; 2]);
        let map = found.iter().find(|one| one.kind == maps).expect("evidence");
        assert_eq!(map.errno, Some(Errno::ENODEV));
        assert_eq!(map.values.get(crate::peer::ONE_SIDED), Some(&Value::Flag(true)));
        assert!(map.summary.contains("the side B"), "{}", map.summary);
        // In one direction the second side tries, in the other it holds.
        assert_eq!(outcomes(&found, EvidenceKind::PeerPosixLocks), [Outcome::Refused; 2]);
        assert_eq!(outcomes(&found, EvidenceKind::PeerOfdLocks), [Outcome::Holds; 2]);
    });
}

#[test]
fn a_full_disk_is_no_broken_promise() {
    within_scratch(|| {
        let mut hands = Two::new(|_, step: &Step, answer| match step {
            Step::Write(..) => Answer::Refused(Errno::ENOSPC.raw()),
            _ => answer,
        });
        for observation in run_all(&mut hands) {
            let spoilt = !matches!(
                observation.kind,
                EvidenceKind::PeerExclusiveCreate
                    | EvidenceKind::PeerDirectoryCreate
                    | EvidenceKind::PeerHardLink
                    | EvidenceKind::PeerLatency
            );
            if spoilt {
                assert_eq!(observation.outcome, Outcome::NotRun, "{observation:?}");
                assert_eq!(observation.errno, Some(Errno::ENOSPC));
            }
        }
    });
}
