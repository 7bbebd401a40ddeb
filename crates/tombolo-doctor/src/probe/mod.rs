//! Stage 4: experiments on scratch files, each in a child process of its own.

mod locks;
mod maps;
mod session;

use crate::child::{self, NotSeen, Viewpoint};
use std::path::Path;
use std::time::{Duration, Instant};
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::scratch::{self, Removal, Scratch};
use tombolo_os::worker::End;

type Probe = fn(&Path) -> Observation;

const PROBES: &[(EvidenceKind, Probe)] = &[
    (EvidenceKind::ProbeSharedMap, maps::shared_map),
    (EvidenceKind::ProbeMapCoherence, maps::coherence),
    (EvidenceKind::ProbePosixLocks, locks::posix),
    (EvidenceKind::SessionRollback, session::rollback),
    (EvidenceKind::SessionWalExclusive, session::wal_exclusive),
    (EvidenceKind::SessionUnixExcl, session::unix_excl),
    // Last: where locks on the wal-index never settle, SQLite tries for ten seconds.
    (EvidenceKind::SessionWal, session::wal),
];

/// How long the removal of the scratch directory is waited for. It goes on without us.
const REMOVAL_TIME: Duration = Duration::from_secs(1);

/// Makes a scratch directory in `directory` as `viewpoint` sees it, runs every experiment in it and
/// hands out the results.
///
/// After a first experiment that hangs, the rest are not begun.
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
    let mut stopped_by = None;
    for (kind, probe) in PROBES {
        if let Some(why) = stopped_by {
            sink(Observation::new(*kind, Outcome::NotRun, why));
            continue;
        }
        let (observation, end) = in_child(*kind, *probe, scratch.path(), viewpoint, deadline);
        stopped_by = match end {
            Some(End::DeadlinePassed) => Some("not begun, because the experiment before it hung"),
            Some(End::StopWanted) => Some("not begun: interrupted"),
            _ => None,
        };
        sink(observation);
    }
    let path = scratch.path().to_owned();
    if scratch.remove(Instant::now() + REMOVAL_TIME) == Removal::Left {
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
        scratch::Error::NoAnswer(End::DeadlinePassed) => failed(Outcome::TimedOut),
        _ => failed(Outcome::NotRun),
    }
}

/// The result, and how the child ended if it gave none.
fn in_child(
    kind: EvidenceKind,
    probe: Probe,
    scratch: &Path,
    viewpoint: Viewpoint,
    deadline: Instant,
) -> (Observation, Option<End>) {
    #[cfg(test)]
    let _alone = crate::SQLITE_HERE.write();
    let mut received: Option<Observation> = None;
    let end = child::run(
        viewpoint,
        deadline,
        |send: &mut dyn FnMut(&Observation)| send(&probe(scratch)),
        &mut |observation| received = Some(observation),
    );
    if let Some(observation) = received {
        return (observation, None);
    }
    match end {
        Ok(end) => (no_result(kind, &end), Some(end)),
        Err(NotSeen { text, errno }) => {
            (Observation::new(kind, Outcome::NotRun, text).errno(errno), None)
        }
    }
}

fn no_result(kind: EvidenceKind, end: &End) -> Observation {
    let outcome = match end {
        End::DeadlinePassed => Outcome::TimedOut,
        End::Signalled(_) => Outcome::Violated,
        _ => Outcome::NotRun,
    };
    Observation::new(kind, outcome, format!("the experiment gave no result: {end}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::errno::Errno;

    #[test]
    fn a_local_disk_holds_and_is_left_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut found = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        run_all(directory.path(), Viewpoint::Own, deadline, &mut |observation| {
            found.push(observation)
        });
        assert_eq!(found.len(), PROBES.len() + 1);
        for observation in &found {
            assert_eq!(observation.outcome, Outcome::Holds, "{observation:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
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
