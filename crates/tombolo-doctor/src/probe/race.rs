//! Two processes that race for the same names.
//!
//! Both go through one list of fresh names as fast as they can. The one that is behind is told
//! EEXIST, which takes less time than making a file, so it catches up, and from there the two ask
//! for each name at nearly the same moment. Where one of them had no processor meanwhile, the lead
//! never changed, and there is another heat. The result does not depend on that: a name must have
//! one winner however close the race was. How often the lead changed is the weight of it.

use super::peer::beside;
use super::trouble::{NotRun, is_about_room};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};

/// Names of one heat.
const NAMES: u32 = 64;

/// Most heats, and how often the lead has to change before there are enough of them.
const HEATS: u32 = 4;
const LEAD_CHANGES: usize = 8;

/// After this time no further name is asked for: where a server is far, calls overlap anyway.
const TIME: Duration = Duration::from_millis(250);

/// One of the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Racer {
    First,
    Second,
}

/// What one process was told about each name, in their order: 0 for success, else the errno.
type Answers = Vec<i32>;

/// Lets two processes make the same calls at the same time and judges what they were told.
///
/// `attempt` gets the racer and the number of the name.
pub(super) fn race(
    kind: EvidenceKind,
    call: &str,
    attempt: impl Fn(Racer, u32) -> Result<(), Errno>,
) -> Result<Observation, NotRun> {
    let begun = Instant::now();
    let run = |racer: Racer, heat: u32| -> Answers {
        let names = (heat * NAMES..(heat + 1) * NAMES).take_while(|_| begun.elapsed() < TIME);
        names.map(|name| attempt(racer, name).err().map_or(0, Errno::raw)).collect()
    };
    let second = |heat: u32| run(Racer::Second, heat);
    beside(second, |peer| {
        let mut answers = Vec::new();
        for heat in 0..HEATS {
            peer.tell(heat)?;
            let first = run(Racer::First, heat);
            // A name that only one of them had the time to ask for is no race.
            answers.extend(first.into_iter().zip(peer.hear()?));
            if lead_changes(&answers) >= LEAD_CHANGES || begun.elapsed() >= TIME {
                break;
            }
        }
        judge(kind, call, &answers)
    })
}

/// How often another process than before was the winner.
fn lead_changes(answers: &[(i32, i32)]) -> usize {
    answers.windows(2).filter(|pair| pair.first() != pair.last()).count()
}

/// Each name was new: exactly one of the two must have got it, the other must have heard EEXIST.
fn judge(kind: EvidenceKind, call: &str, answers: &[(i32, i32)]) -> Result<Observation, NotRun> {
    for (number, (first, second)) in answers.iter().enumerate() {
        let race = format!("{call} by two processes, name {}", number + 1);
        match (*first, *second) {
            (0, 0) => {
                let summary = format!("{race}: both were told that they made it");
                return Ok(Observation::new(kind, Outcome::Violated, summary));
            }
            (0, EEXIST) | (EEXIST, 0) => {}
            (EEXIST, EEXIST) => {
                let summary = format!("{race}: it was new, and both were told EEXIST");
                let observation = Observation::new(kind, Outcome::Refused, summary);
                return Ok(observation.errno(Errno::EEXIST));
            }
            (0 | EEXIST, raw) | (raw, _) => {
                let errno = Errno::from_raw(raw);
                if is_about_room(errno) {
                    return Err(NotRun::failed(call, errno));
                }
                let summary = format!("{race}: {errno}");
                return Ok(Observation::new(kind, Outcome::Refused, summary).errno(errno));
            }
        }
    }
    if answers.is_empty() {
        return Err(NotRun::new("no race could be held in time"));
    }
    let summary =
        format!("{call} by two processes had one winner for each of {} names", answers.len());
    Ok(Observation::new(kind, Outcome::Holds, summary)
        .value("names", answers.len() as u64)
        .value("lead_changes", lead_changes(answers) as u64))
}

const EEXIST: i32 = Errno::EEXIST.raw();

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::report::Value;

    const KIND: EvidenceKind = EvidenceKind::ProbeExclusiveCreate;

    fn judged(answers: &[(i32, i32)]) -> Result<(Outcome, Option<Errno>), NotRun> {
        judge(KIND, "call", answers).map(|seen| (seen.outcome, seen.errno))
    }

    #[test]
    fn two_winners_are_a_violation_wherever_they_stand() {
        assert_eq!(judged(&[(0, EEXIST), (EEXIST, 0)]), Ok((Outcome::Holds, None)));
        assert_eq!(judged(&[(0, EEXIST), (0, 0)]), Ok((Outcome::Violated, None)));
        let nobody = Ok((Outcome::Refused, Some(Errno::EEXIST)));
        assert_eq!(judged(&[(EEXIST, EEXIST)]), nobody);
        assert!(judged(&[]).is_err());
    }

    #[test]
    fn errors_are_refusals_unless_there_was_no_room() {
        let other = Errno::EPERM.raw();
        for answers in [(other, other), (0, other), (other, 0), (EEXIST, other), (other, EEXIST)] {
            assert_eq!(judged(&[answers]), Ok((Outcome::Refused, Some(Errno::EPERM))));
        }
        let full = judged(&[(0, Errno::ENOSPC.raw())]);
        assert!(full.is_err_and(|not_run| not_run.errno == Some(Errno::ENOSPC)));
    }

    #[test]
    fn a_file_system_that_gives_a_name_twice_is_found() {
        let seen = race(KIND, "call", |_, _| Ok(())).expect("measured");
        assert_eq!(seen.outcome, Outcome::Violated);
    }

    #[test]
    fn there_are_further_heats_until_the_lead_changes() {
        let names = |close: bool| {
            let attempt = |racer, name: u32| {
                let first = if close { name.is_multiple_of(3) } else { true };
                if first == (racer == Racer::First) { Ok(()) } else { Err(Errno::EEXIST) }
            };
            let seen = race(KIND, "call", attempt).expect("measured");
            assert_eq!(seen.outcome, Outcome::Holds);
            seen.values.get("names").cloned()
        };
        assert_eq!(names(true), Some(Value::Integer(i64::from(NAMES))));
        assert_eq!(names(false), Some(Value::Integer(i64::from(NAMES * HEATS))));
    }
}
