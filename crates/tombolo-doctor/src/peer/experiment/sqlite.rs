//! Stock SQLite on all sides at once: each adds one to the same counter for a while, and at the end
//! the counter must be what was acknowledged.

use super::super::sql;
use super::super::table::{Hands, Seat, Trouble};
use super::{Files, Problem};
use tombolo_core::peer::message::HandEnd;
use tombolo_core::peer::step::{Answer, Journal, Ran, Sql, Step};
use tombolo_core::report::{EvidenceKind, Observation, Outcome, Value};

/// What is run, under which name, and for how long.
pub(in crate::peer) const JOURNALS: [(EvidenceKind, Journal, u32); 3] = [
    (EvidenceKind::PeerSqliteRollback, Journal::Rollback, 4_000),
    (EvidenceKind::PeerSqliteWal, Journal::Wal, 4_000),
    (EvidenceKind::PeerSqliteDotfile, Journal::Dotfile, 3_000),
];

/// Runs one of [`JOURNALS`] on all seats, whose names are given.
pub(in crate::peer) fn all_at_once(
    hands: &mut dyn Hands,
    files: &mut Files,
    sides: &[(Seat, String)],
    (kind, journal, time_ms): (EvidenceKind, Journal, u32),
) -> Result<Observation, Trouble> {
    let names = Value::List(sides.iter().map(|(_, name)| name.clone()).collect());
    match attempt(hands, files, sides, (kind, journal, time_ms)) {
        Ok(observation) => Ok(observation.value("sides", names)),
        Err(Problem::Trouble(Trouble::Hand(seat, end))) => {
            let name = sides.iter().find(|(one, _)| *one == seat).map_or("", |(_, name)| name);
            let (outcome, what) = match end {
                HandEnd::Killed(signal) if signal == tombolo_os::signal::SIGBUS => {
                    (Outcome::Violated, "SIGBUS killed the program".to_owned())
                }
                HandEnd::Killed(signal) => {
                    (Outcome::NotRun, format!("signal {signal} killed the program"))
                }
                HandEnd::Hung => (Outcome::TimedOut, "a call hangs".to_owned()),
                HandEnd::Failed => (Outcome::NotRun, "the program failed".to_owned()),
            };
            let summary = format!("{}: on the side {name} {what}", called(journal));
            Ok(Observation::new(kind, outcome, summary).value("sides", names))
        }
        Err(Problem::Trouble(trouble)) => Err(trouble),
        Err(Problem::NotRun(why)) => Ok(Observation::new(kind, Outcome::NotRun, why)),
        Err(Problem::Prepare(_, errno)) => {
            Ok(Observation::new(kind, Outcome::NotRun, errno.to_string()).errno(errno))
        }
    }
}

fn called(journal: Journal) -> String {
    let version = rusqlite::version();
    match journal {
        Journal::Rollback => format!("SQLite {version} with a rollback journal on all sides"),
        Journal::Wal => format!("SQLite {version} in WAL mode on all sides"),
        Journal::Dotfile => format!("SQLite {version} through the VFS unix-dotfile on all sides"),
    }
}

/// What is known at the end of a run.
struct Outcomes {
    ran: Vec<Ran>,
    checked: Vec<Answer>,
}

fn attempt(
    hands: &mut dyn Hands,
    files: &mut Files,
    sides: &[(Seat, String)],
    (kind, journal, time_ms): (EvidenceKind, Journal, u32),
) -> Result<Observation, Problem> {
    let file = files.take(1)?;
    let one = |seat, sql| vec![(seat, vec![Step::Sql(sql)])];
    let work = |sql: Sql| -> Vec<(Seat, Vec<Step>)> {
        sides.iter().map(|(seat, _)| (*seat, vec![Step::Sql(sql)])).collect()
    };
    let empty: Vec<_> = sides.iter().map(|(seat, _)| (*seat, Vec::new())).collect();
    hands.all(true, &empty)?;
    let (first, first_name) = sides.first().ok_or(Problem::NotRun("no side".to_owned()))?;
    let made = hands.all(false, &one(*first, Sql::Create(file, journal)))?;
    if let Some(Answer::SqlFailed(code)) = made.first().and_then(|answers| answers.first()) {
        let summary = format!(
            "{}: on the side {first_name} no database could be made: {}",
            called(journal),
            sql::name(*code)
        );
        return Ok(Observation::new(kind, Outcome::Refused, summary).value("code", *code));
    }
    let answers = hands.all(true, &work(Sql::Increment(file, journal, time_ms)))?;
    let ran = answers.into_iter().map(|mut answers| match answers.pop() {
        Some(Answer::Ran(ran)) => ran,
        _ => Ran::default(),
    });
    let ran = ran.collect();
    let mut checked = Vec::new();
    for (seat, _) in sides {
        // By processes that have cached nothing.
        let answers = hands.all(true, &one(*seat, Sql::Check(file, journal)))?;
        checked.extend(answers.into_iter().flatten());
    }
    Ok(judge(kind, journal, sides, &Outcomes { ran, checked }))
}

fn judge(
    kind: EvidenceKind,
    journal: Journal,
    sides: &[(Seat, String)],
    outcomes: &Outcomes,
) -> Observation {
    let Outcomes { ran, checked } = outcomes;
    let name = |index: usize| sides.get(index).map_or("", |(_, name)| name.as_str());
    let acknowledged: i64 = ran.iter().map(|ran| i64::from(ran.acknowledged)).sum();
    let found = checked.iter().filter_map(|answer| match answer {
        Answer::Checked(value, _) => Some(*value),
        _ => None,
    });
    let least = found.min();
    let lost = least.map_or(0, |value| acknowledged.saturating_sub(value).max(0));
    let counts: Vec<String> = ran.iter().map(|ran| ran.acknowledged.to_string()).collect();
    let counts = counts.join(" + ");
    let damaged = checked.iter().enumerate().find_map(|(index, answer)| match answer {
        Answer::Checked(_, Some(words)) => Some((index, words.clone())),
        Answer::SqlFailed(code) if sql::is_damage(*code) => Some((index, sql::name(*code))),
        _ => None,
    });
    let unread = checked.iter().enumerate().find_map(|(index, answer)| match answer {
        Answer::SqlFailed(code) => Some((index, *code)),
        _ => None,
    });
    let kept_out = ran.iter().position(|ran| ran.acknowledged == 0);
    let called = called(journal);
    let (outcome, what) = if lost > 0 {
        let said = match &damaged {
            None => "while integrity_check says ok".to_owned(),
            Some((_, words)) => format!("and it is damaged: {words}"),
        };
        (Outcome::Violated, format!("{lost} of {counts} acknowledged commits are lost, {said}"))
    } else if let Some((index, words)) = damaged {
        (Outcome::Violated, format!("it is damaged as {} sees it: {words}", name(index)))
    } else if let Some((index, code)) = unread {
        let words = sql::name(code);
        (Outcome::Refused, format!("at the end {} cannot read it: {words}", name(index)))
    } else if let Some(index) = kept_out {
        (Outcome::Refused, format!("{} made no commit: {}", name(index), why(&ran[index])))
    } else {
        (Outcome::Holds, format!("all of {counts} acknowledged commits are there"))
    };
    let mut observation = Observation::new(kind, outcome, format!("{called}: {what}"))
        .value("acknowledged", counts)
        .value("acknowledged_total", acknowledged)
        .value("lost", lost);
    for (index, ran) in ran.iter().enumerate() {
        let errors =
            ran.errors.iter().map(|(code, times)| format!("{} x{times}", sql::name(*code)));
        let list: Vec<String> =
            errors.chain((ran.busy > 0).then(|| format!("BUSY x{}", ran.busy))).collect();
        observation = observation
            .value(&format!("side_{index}_errors"), list)
            .value(&format!("side_{index}_longest_wait_ms"), ran.longest_wait_ms);
    }
    match least {
        Some(value) => observation.value("counter", value),
        None => observation,
    }
}

fn why(ran: &Ran) -> String {
    match ran.errors.iter().max_by_key(|(_, times)| *times) {
        Some((code, times)) if *times > ran.busy => sql::name(*code),
        _ if ran.busy > 0 => "SQLITE_BUSY".to_owned(),
        _ => "there was no time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(acknowledged: u32) -> Ran {
        Ran { acknowledged, ..Ran::default() }
    }

    fn outcome(ran: Vec<Ran>, checked: Vec<Answer>) -> Observation {
        let sides = [(0, "A".to_owned()), (1, "B".to_owned())];
        let kind = EvidenceKind::PeerSqliteRollback;
        judge(kind, Journal::Rollback, &sides, &Outcomes { ran, checked })
    }

    #[test]
    fn one_lost_commit_is_enough_and_one_side_that_sees_it_too() {
        let good = || Answer::Checked(30, None);
        let seen = outcome(vec![ran(10), ran(20)], vec![good(), good()]);
        assert_eq!(seen.outcome, Outcome::Holds, "{seen:?}");
        let seen = outcome(vec![ran(10), ran(20)], vec![good(), Answer::Checked(29, None)]);
        assert_eq!(seen.outcome, Outcome::Violated);
        assert!(seen.summary.contains("1 of 10 + 20"), "{seen:?}");
        assert!(seen.summary.contains("integrity_check says ok"), "{seen:?}");
        let more = outcome(vec![ran(10), ran(20)], vec![Answer::Checked(31, None), good()]);
        assert_eq!(more.outcome, Outcome::Holds, "a commit that failed may have happened");
    }

    #[test]
    fn damage_is_a_broken_promise_and_busy_is_a_refusal() {
        let bad = Answer::Checked(30, Some("row missing".to_owned()));
        let seen = outcome(vec![ran(10), ran(20)], vec![Answer::Checked(30, None), bad]);
        assert_eq!(seen.outcome, Outcome::Violated);
        let seen = outcome(vec![ran(10), ran(20)], vec![Answer::SqlFailed(11)]);
        assert_eq!(seen.outcome, Outcome::Violated);
        let busy = Ran { busy: 7, ..Ran::default() };
        let seen = outcome(vec![ran(10), busy], vec![Answer::Checked(10, None)]);
        assert_eq!(seen.outcome, Outcome::Refused);
        assert!(seen.summary.contains("B made no commit: SQLITE_BUSY"), "{seen:?}");
    }
}
