//! Stage 4: experiments on scratch files, each in a child process of its own.

mod locks;
mod maps;

use std::path::Path;
use std::time::Instant;
use tombolo_core::report::{EvidenceKind, Observation, Outcome};
use tombolo_os::scratch::{self, Scratch};
use tombolo_os::worker::{self, End};

type Probe = fn(&Path) -> Observation;

const PROBES: &[(EvidenceKind, Probe)] = &[
    (EvidenceKind::ProbeSharedMap, maps::shared_map),
    (EvidenceKind::ProbeMapCoherence, maps::coherence),
    (EvidenceKind::ProbePosixLocks, locks::posix),
];

/// Makes a scratch directory in `directory`, runs every experiment in it and hands out the results.
///
/// After a first experiment that hangs, the rest are not begun.
pub fn run_all(directory: &Path, deadline: Instant, sink: &mut dyn FnMut(Observation)) {
    let _ = scratch::sweep(directory);
    let scratch = match Scratch::new(directory) {
        Ok(scratch) => scratch,
        Err(error) => {
            let errno = error.errno;
            let observation =
                Observation::new(EvidenceKind::ProbeScratch, Outcome::NotRun, error.to_string());
            return sink(observation.errno(errno));
        }
    };
    let made = "a scratch directory could be made beside the target";
    sink(Observation::new(EvidenceKind::ProbeScratch, Outcome::Holds, made));
    let mut hung = false;
    for (kind, probe) in PROBES {
        if hung {
            let why = "not begun, because the experiment before it hung";
            sink(Observation::new(*kind, Outcome::NotRun, why));
            continue;
        }
        let observation = in_child(*kind, *probe, scratch.path(), deadline);
        hung = observation.outcome == Outcome::TimedOut;
        sink(observation);
    }
}

fn in_child(kind: EvidenceKind, probe: Probe, scratch: &Path, deadline: Instant) -> Observation {
    let mut received: Option<Observation> = None;
    let end = worker::run(
        deadline,
        |outbox| {
            if let Ok(message) = serde_json::to_vec(&probe(scratch)) {
                outbox.send(&message);
            }
        },
        &mut |message| received = serde_json::from_slice(message).ok(),
    );
    let failed = |outcome, summary: String| Observation::new(kind, outcome, summary);
    match (end, received) {
        (_, Some(observation)) => observation,
        (Ok(End::Abandoned), None) => {
            failed(Outcome::TimedOut, "the experiment did not end in time".to_owned())
        }
        (Ok(End::Signalled(signal)), None) => {
            failed(Outcome::Violated, format!("the experiment was killed by signal {signal}"))
        }
        (Ok(_), None) => failed(Outcome::NotRun, "the experiment gave no answer".to_owned()),
        (Err(error), None) => failed(Outcome::NotRun, error.to_string()).errno(error.errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tombolo_core::errno::Errno;

    #[test]
    fn a_local_disk_holds_and_is_left_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut found = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(10);
        run_all(directory.path(), deadline, &mut |observation| found.push(observation));
        assert_eq!(found.len(), PROBES.len() + 1);
        for observation in &found {
            assert_eq!(observation.outcome, Outcome::Holds, "{observation:?}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 0);
    }

    #[test]
    fn a_directory_that_is_not_there_is_not_run_and_keeps_its_errno() {
        let mut found = Vec::new();
        run_all(Path::new("/nonexistent/tombolo"), Instant::now(), &mut |one| found.push(one));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].outcome, found[0].errno), (Outcome::NotRun, Some(Errno::ENOENT)));
    }
}
