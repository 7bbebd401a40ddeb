//! Stage 4: experiments on scratch files, each in a child process of its own.

mod directory_sync;
mod exclusive_create;
mod file_size;
mod file_sync;
mod flock;
mod hard_link;
mod latency;
mod lock_close;
mod lock_query;
mod lock_script;
mod lock_upgrade;
mod locks;
mod map_coherence;
mod maps;
mod peer;
mod race;
mod rename_over;
mod session;
#[cfg(test)]
mod testing;
mod timing;
mod trouble;
mod unlink_open;

use crate::child::{self, NotSeen, Viewpoint};
pub(crate) use map_coherence::MAPS_AGREE_WITH_READS;
pub(crate) use session::TRANSACTIONS;

use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::scratch::{self, Place, Removal, Scratch};
use tombolo_os::signal::SIGBUS;
use tombolo_os::worker::End;
use trouble::settle;

type Probe = fn(&Path) -> Observation;

/// What verdicts rest on comes first: on a mount that is too slow for all, it is measured.
const PROBES: &[(EvidenceKind, Probe)] = &[
    (EvidenceKind::ProbeSharedMap, maps::shared_map),
    (EvidenceKind::ProbePosixLocks, locks::posix),
    (EvidenceKind::ProbeWalLocks, locks::wal),
    (EvidenceKind::ProbeLockUpgrade, lock_upgrade::upgrade),
    (EvidenceKind::ProbeLockQuery, lock_query::query),
    (EvidenceKind::ProbeWalLockQuery, lock_query::wal),
    (EvidenceKind::ProbeFileSync, file_sync::file_sync),
    (EvidenceKind::ProbeLatency, latency::latency),
    (EvidenceKind::ProbeFileSize, file_size::file_size),
    (EvidenceKind::ProbeMapCoherence, map_coherence::coherence),
    (EvidenceKind::SessionRollback, session::rollback),
    (EvidenceKind::SessionWal, session::wal),
    (EvidenceKind::SessionWalExisting, session::wal_existing),
    (EvidenceKind::SessionWalExclusive, session::wal_exclusive),
    (EvidenceKind::SessionUnixExcl, session::unix_excl),
    (EvidenceKind::ProbeUnlinkOpen, unlink_open::unlink_open),
    (EvidenceKind::ProbeDirectorySync, directory_sync::directory_sync),
    (EvidenceKind::ProbeRenameOver, rename_over::rename_over),
    (EvidenceKind::ProbeExclusiveCreate, exclusive_create::exclusive_create),
    (EvidenceKind::ProbeHardLink, hard_link::hard_link),
    (EvidenceKind::ProbeOfdLocks, locks::open_file),
    (EvidenceKind::ProbeLockClose, lock_close::close),
    (EvidenceKind::ProbeFlock, flock::flock),
];

/// Where one of these does not hold, SQLite may wait long for what it never gets.
const LOCKS_OF_WAL: [EvidenceKind; 2] =
    [EvidenceKind::ProbeWalLocks, EvidenceKind::ProbeWalLockQuery];

/// An experiment that was cut off sooner than this had too little time; the mount may be well.
const HANG_TIME: Duration = Duration::from_secs(5);

/// The time of one experiment that begins near the deadline or after it. More than the ten seconds
/// that SQLite itself goes on trying to read a wal-index.
const OVERTIME_EACH: Duration = Duration::from_secs(15);

/// How long the removal of the scratch directory is waited for, at least and at most. It goes on
/// without us.
const REMOVAL_TIME_MIN: Duration = Duration::from_millis(100);
const REMOVAL_TIME_MAX: Duration = Duration::from_secs(1);

/// The time for experiments.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// When those must be over that do not come to an end, as on a mount whose server is gone.
    pub deadline: Instant,
    /// How much longer they go on as long as each of them does come to its end, as on a busy
    /// machine.
    pub overtime: Duration,
}

impl Time {
    /// When an experiment that begins now is given up.
    fn end_of_next(self, now: Instant) -> Instant {
        self.deadline.max((now + OVERTIME_EACH).min(self.deadline + self.overtime))
    }
}

/// Makes a scratch directory in `directory` as `viewpoint` sees it, runs every experiment in it and
/// hands out the results.
///
/// After a first experiment that takes all the time that is left, the rest are not begun. The last
/// of the time until the deadline is for the removal.
pub fn run_all(
    directory: &Path,
    viewpoint: Viewpoint,
    time: Time,
    sink: &mut dyn FnMut(Observation),
) {
    let Time { deadline, overtime } = time;
    let scratch = match Scratch::new(directory, viewpoint, deadline) {
        Ok(scratch) => scratch,
        Err(error) => return sink(no_scratch(&error)),
    };
    let made = "a scratch directory could be made beside the target";
    sink(Observation::new(EvidenceKind::ProbeScratch, Outcome::Holds, made));
    let removal_time =
        (deadline.saturating_duration_since(Instant::now()) / 4).min(REMOVAL_TIME_MAX);
    let deadline = deadline.checked_sub(removal_time).unwrap_or(deadline);
    let mut bench = Bench {
        place: scratch.place(),
        viewpoint,
        time: Time { deadline, overtime },
        stopped_by: None,
        wal_holds: false,
        locks_settle: true,
    };
    let mut later = Vec::new();
    for entry in PROBES {
        if bench.waits(entry.0) {
            later.push(entry);
        } else {
            bench.run(entry, sink);
        }
    }
    later.into_iter().for_each(|entry| bench.run(entry, sink));
    let path = scratch.path().to_owned();
    let now = Instant::now();
    let removal_end = deadline.clamp(now + REMOVAL_TIME_MIN, now + REMOVAL_TIME_MAX);
    if scratch.remove(removal_end) == Removal::Left {
        let summary = format!(
            "{} could not be removed yet; what is left of it goes when the mount answers, or with \
             the next run",
            path.display()
        );
        sink(Observation::new(EvidenceKind::ProbeScratch, Outcome::Noted, summary));
    }
}

/// What experiments are made on, and what came of those that decide about others.
struct Bench<'a> {
    place: &'a Place,
    viewpoint: Viewpoint,
    time: Time,
    /// Why nothing more is begun.
    stopped_by: Option<&'static str>,
    wal_holds: bool,
    locks_settle: bool,
}

impl Bench<'_> {
    /// Whether an experiment comes after all others: where locks on the wal-index never settle,
    /// SQLite tries for ten seconds (`walTryBeginRead` in `wal.c`).
    fn waits(&self, kind: EvidenceKind) -> bool {
        let uses_them = matches!(kind, EvidenceKind::SessionWal | EvidenceKind::SessionWalExisting);
        uses_them && !self.locks_settle
    }

    /// Whether an experiment can tell nothing more. A database that was put into WAL mode and
    /// worked was also opened again, in WAL mode already.
    fn is_told(&self, kind: EvidenceKind) -> bool {
        kind == EvidenceKind::SessionWalExisting && self.wal_holds
    }

    fn run(&mut self, (kind, probe): &(EvidenceKind, Probe), sink: &mut dyn FnMut(Observation)) {
        if self.is_told(*kind) {
            return;
        }
        if let Some(why) = self.stopped_by {
            return sink(Observation::new(*kind, Outcome::NotRun, why));
        }
        let deadline = self.time.end_of_next(Instant::now());
        let (mut observation, end) = in_child(*kind, *probe, self.place, self.viewpoint, deadline);
        self.stopped_by = match end {
            None if observation.outcome != Outcome::Holds => {
                lost(self.place, self.viewpoint, deadline).map(|errno| {
                    let summary =
                        format!("no result, because the scratch directory is lost: {errno}");
                    observation = Observation::new(*kind, Outcome::NotRun, summary).errno(errno);
                    "not begun, because the scratch directory is lost"
                })
            }
            Some(End::DeadlinePassed { .. }) => Some("not begun: the time was up"),
            Some(End::StopWanted) => Some("not begun: interrupted"),
            _ => None,
        };
        let holds = observation.outcome == Outcome::Holds;
        self.wal_holds |= *kind == EvidenceKind::SessionWal && holds;
        self.locks_settle &= holds || !LOCKS_OF_WAL.contains(kind);
        sink(observation);
    }
}

fn no_scratch(error: &scratch::Error) -> Observation {
    let failed = |outcome| Observation::new(EvidenceKind::ProbeScratch, outcome, error.to_string());
    match error {
        scratch::Error::Refused { errno, .. } => failed(Outcome::NotRun).errno(*errno),
        scratch::Error::NoAnswer(End::DeadlinePassed { .. }) => failed(Outcome::TimedOut),
        _ => failed(Outcome::NotRun),
    }
}

/// The result, and how the child ended if it gave none.
fn in_child(
    kind: EvidenceKind,
    probe: Probe,
    scratch: &Place,
    viewpoint: Viewpoint,
    deadline: Instant,
) -> (Observation, Option<End>) {
    #[cfg(test)]
    let _alone = crate::SQLITE_HERE.write();
    let mut received: Option<Observation> = None;
    let started = Instant::now();
    let end = child::run(
        viewpoint,
        deadline,
        |send: &mut dyn FnMut(&Observation)| match scratch.enter() {
            // By no path that others could make to lead elsewhere.
            Ok(()) => send(&probe(Path::new("."))),
            Err(error) => send(&settle(kind, Err(error.into()))),
        },
        &mut |observation| received = Some(observation),
    );
    if let Some(observation) = received {
        return (observation, None);
    }
    match end {
        Ok(end) => (no_result(kind, &end, started.elapsed()), Some(end)),
        Err(NotSeen { text, errno }) => {
            (Observation::new(kind, Outcome::NotRun, text).errno(errno), None)
        }
    }
}

/// Why the scratch directory cannot be seen any more, as where the server died under the
/// experiments: then a failure is none of the file system's ways.
fn lost(scratch: &Place, viewpoint: Viewpoint, deadline: Instant) -> Option<Errno> {
    let mut lost = None;
    let look = |send: &mut dyn FnMut(&Errno)| {
        if let Err(error) = scratch.enter() {
            send(&error.errno);
        }
    };
    // A look without an answer leaves the result as it was.
    let _ = child::run(viewpoint, deadline, look, &mut |errno| lost = Some(errno));
    lost
}

fn no_result(kind: EvidenceKind, end: &End, after: Duration) -> Observation {
    let outcome = match end {
        End::DeadlinePassed { .. } if after >= HANG_TIME => Outcome::TimedOut,
        // A page of a map that vanished. Other signals are the user's, or the kernel's want of
        // memory.
        End::Signalled(SIGBUS) => Outcome::Violated,
        _ => Outcome::NotRun,
    };
    Observation::new(kind, outcome, format!("the experiment gave no result: {end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strictly(deadline: Instant) -> Time {
        Time { deadline, overtime: Duration::ZERO }
    }

    fn bench(place: &Place, time: Time) -> Bench<'_> {
        let viewpoint = Viewpoint::Own;
        Bench { place, viewpoint, time, stopped_by: None, wal_holds: false, locks_settle: true }
    }

    /// A machine that is so busy that the deadline has passed before the first experiment ends.
    #[test]
    fn experiments_that_end_go_on_over_the_deadline_where_that_is_allowed() {
        let directory = tempfile::tempdir().expect("a directory");
        for (overtime, complete) in [(Duration::from_secs(60), true), (Duration::ZERO, false)] {
            let mut outcomes = Vec::new();
            let scratch =
                Scratch::new(directory.path(), Viewpoint::Own, Instant::now() + HANG_TIME)
                    .expect("a scratch directory");
            let deadline = Instant::now();
            let mut bench = bench(scratch.place(), Time { deadline, overtime });
            for entry in &PROBES[..3] {
                bench.run(entry, &mut |seen| outcomes.push(seen.outcome));
            }
            assert_eq!(outcomes.iter().all(|one| *one == Outcome::Holds), complete, "{outcomes:?}");
        }
    }

    #[test]
    fn overtime_is_bounded_for_each_and_for_all() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        let time = Time { deadline: now + seconds(30), overtime: seconds(90) };
        assert_eq!(time.end_of_next(now), now + seconds(30), "a hung mount is told in time");
        assert_eq!(time.end_of_next(now + seconds(29)), now + seconds(29) + OVERTIME_EACH);
        assert_eq!(time.end_of_next(now + seconds(119)), now + seconds(120));
        let strict = Time { overtime: Duration::ZERO, ..time };
        assert_eq!(strict.end_of_next(now + seconds(29)), now + seconds(30));
    }

    #[test]
    fn a_hang_in_overtime_ends_all() {
        let directory = tempfile::tempdir().expect("a directory");
        let scratch = Scratch::new(directory.path(), Viewpoint::Own, Instant::now() + HANG_TIME)
            .expect("a scratch directory");
        let deadline = Instant::now();
        let overtime = Duration::from_millis(200);
        let mut bench = bench(scratch.place(), Time { deadline, overtime });
        let hangs: Probe = |_| {
            loop {
                std::thread::park();
            }
        };
        let mut seen = Vec::new();
        for kind in [EvidenceKind::ProbeFlock, EvidenceKind::ProbeHardLink] {
            bench.run(&(kind, hangs), &mut |one| seen.push(one.summary));
        }
        assert!(seen[0].contains("in time"), "{seen:?}");
        assert_eq!(seen[1], "not begun: the time was up");
    }

    #[test]
    fn wal_sessions_come_last_only_where_their_locks_do_not_settle() {
        let directory = tempfile::tempdir().expect("a directory");
        let scratch = Scratch::new(directory.path(), Viewpoint::Own, Instant::now() + HANG_TIME)
            .expect("a scratch directory");
        let mut bench = bench(scratch.place(), strictly(Instant::now() + HANG_TIME));
        assert!(!bench.waits(EvidenceKind::SessionWal));
        let refused: Probe =
            |_| Observation::new(EvidenceKind::ProbeWalLocks, Outcome::Refused, "refused");
        bench.run(&(EvidenceKind::ProbeWalLocks, refused), &mut |_| {});
        assert!(bench.waits(EvidenceKind::SessionWal));
        assert!(!bench.waits(EvidenceKind::SessionRollback));
    }

    #[test]
    fn a_local_disk_holds_and_is_left_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut found = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        run_all(directory.path(), Viewpoint::Own, strictly(deadline), &mut |observation| {
            found.push(observation)
        });
        // The directory is one more, and where WAL mode works there is nothing left to try of it.
        assert_eq!(found.len(), PROBES.len());
        for observation in &found {
            let neither = matches!(
                observation.kind,
                EvidenceKind::ProbeLockClose | EvidenceKind::ProbeLatency
            );
            let expected = if neither { Outcome::Noted } else { Outcome::Holds };
            assert_eq!(observation.outcome, expected, "{observation:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_link_in_place_of_the_scratch_directory_leads_nowhere() {
        let directory = tempfile::tempdir().expect("a directory");
        let (target, deadline) = (directory.path().join("target"), HANG_TIME);
        std::fs::create_dir(&target).expect("created");
        let deadline = Instant::now() + deadline;
        let scratch =
            Scratch::new(directory.path(), Viewpoint::Own, deadline).expect("a scratch directory");
        std::fs::rename(scratch.path(), directory.path().join("away")).expect("renamed");
        std::os::unix::fs::symlink(&target, scratch.path()).expect("linked");
        for (kind, probe) in PROBES {
            let (seen, _) = in_child(*kind, *probe, scratch.place(), Viewpoint::Own, deadline);
            assert_eq!((seen.outcome, seen.errno), (Outcome::NotRun, Some(Errno::ENOTDIR)));
        }
        assert_eq!(lost(scratch.place(), Viewpoint::Own, deadline), Some(Errno::ENOTDIR));
        assert_eq!(std::fs::read_dir(&target).expect("readable").count(), 0);
    }

    #[test]
    fn every_kind_of_probe_and_session_has_its_experiment() {
        let mut kinds: Vec<_> = PROBES.iter().map(|(kind, _)| *kind).collect();
        kinds.push(EvidenceKind::ProbeScratch);
        kinds.sort_unstable();
        let named = |kind: &&EvidenceKind| {
            ["probe.", "session."].iter().any(|start| kind.as_str().starts_with(start))
        };
        assert!(kinds.iter().eq(EvidenceKind::ALL.iter().filter(named)), "{kinds:?}");
    }

    #[test]
    fn only_a_long_silence_and_a_vanished_page_speak_against_the_mount() {
        let outcome = |end, after| no_result(EvidenceKind::ProbeFlock, &end, after).outcome;
        assert_eq!(outcome(End::DeadlinePassed { call: None }, HANG_TIME), Outcome::TimedOut);
        assert_eq!(outcome(End::DeadlinePassed { call: None }, HANG_TIME / 2), Outcome::NotRun);
        assert_eq!(outcome(End::Signalled(SIGBUS), HANG_TIME), Outcome::Violated);
        let sigkill = 9;
        assert_eq!(outcome(End::Signalled(sigkill), HANG_TIME), Outcome::NotRun);
        assert_eq!(outcome(End::StopWanted, HANG_TIME), Outcome::NotRun);
    }

    #[test]
    fn a_directory_that_is_not_there_is_not_run_and_keeps_its_errno() {
        let mut found = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        let nowhere = Path::new("/nonexistent/tombolo");
        run_all(nowhere, Viewpoint::Own, strictly(deadline), &mut |one| found.push(one));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].outcome, found[0].errno), (Outcome::NotRun, Some(Errno::ENOENT)));
    }
}
