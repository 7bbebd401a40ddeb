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
    // Last: where locks on the wal-index never settle, SQLite tries for ten seconds.
    (EvidenceKind::SessionWal, session::wal),
    (EvidenceKind::SessionWalExisting, session::wal_existing),
];

/// Whether an experiment can tell nothing more. A database that was put into WAL mode and worked
/// was also opened again, in WAL mode already.
fn is_told(kind: EvidenceKind, wal_holds: bool) -> bool {
    kind == EvidenceKind::SessionWalExisting && wal_holds
}

/// An experiment that was cut off sooner than this had too little time; the mount may be well.
const HANG_TIME: Duration = Duration::from_secs(5);

/// How long the removal of the scratch directory is waited for, at least and at most. It goes on
/// without us.
const REMOVAL_TIME_MIN: Duration = Duration::from_millis(100);
const REMOVAL_TIME_MAX: Duration = Duration::from_secs(1);

/// Makes a scratch directory in `directory` as `viewpoint` sees it, runs every experiment in it and
/// hands out the results.
///
/// After a first experiment that takes all the time that is left, the rest are not begun. The last
/// of the time until the deadline is for the removal.
pub fn run_all(
    directory: &Path,
    viewpoint: Viewpoint,
    deadline: Instant,
    sink: &mut dyn FnMut(Observation),
) {
    let scratch = match Scratch::new(directory, viewpoint, deadline) {
        Ok(scratch) => scratch,
        Err(error) => return sink(no_scratch(&error)),
    };
    let made = "a scratch directory could be made beside the target";
    sink(Observation::new(EvidenceKind::ProbeScratch, Outcome::Holds, made));
    let removal_time =
        (deadline.saturating_duration_since(Instant::now()) / 4).min(REMOVAL_TIME_MAX);
    let experiments_end = deadline.checked_sub(removal_time).unwrap_or(deadline);
    let (mut stopped_by, mut wal_holds) = (None, false);
    for (kind, probe) in PROBES {
        if is_told(*kind, wal_holds) {
            continue;
        }
        if let Some(why) = stopped_by {
            sink(Observation::new(*kind, Outcome::NotRun, why));
            continue;
        }
        let (mut observation, end) =
            in_child(*kind, *probe, scratch.place(), viewpoint, experiments_end);
        stopped_by = match end {
            None if observation.outcome != Outcome::Holds => {
                let lost = lost(scratch.place(), viewpoint, experiments_end);
                lost.map(|errno| {
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
        wal_holds |= (*kind, observation.outcome) == (EvidenceKind::SessionWal, Outcome::Holds);
        sink(observation);
    }
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

    #[test]
    fn a_local_disk_holds_and_is_left_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut found = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        run_all(directory.path(), Viewpoint::Own, deadline, &mut |observation| {
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
        run_all(nowhere, Viewpoint::Own, deadline, &mut |one| found.push(one));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].outcome, found[0].errno), (Outcome::NotRun, Some(Errno::ENOENT)));
    }
}
