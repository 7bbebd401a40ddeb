//! One diagnosis, from a path to a report.
//!
//! The doctor's own process never touches the path: a dead NFS server would hang it for ever.
//! Everything that looks at the path, or writes beside it, happens in child processes that can be
//! abandoned; what they had sent by then is kept, and the report says what is missing.

pub(crate) mod around;
mod assemble;
mod below;
mod look;
mod openers;
mod place;
mod summary;

use crate::peer::{self, News, Role};
use crate::probe::{self, Time};
use look::Looked;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::report::{EvidenceKind, Observation, Outcome, Report, TargetKind};

/// Whether experiments are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probes {
    /// On scratch files beside the target.
    Run,
    /// Nothing is written at all.
    Skip,
}

pub use crate::child::Viewpoint;
pub use summary::BEGIN_WITH;

/// What to examine, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The path, as it was given. A relative one is below our working directory, or below the root
    /// directory of the process through whose eyes it is seen.
    pub path: PathBuf,
    /// Through whose eyes it is seen.
    pub viewpoint: Viewpoint,
    /// Whether experiments are made.
    pub probes: Probes,
    /// The time for everything that this side does alone. Beside others, also how long each of
    /// them may be silent.
    pub timeout: Duration,
    /// How much longer experiments on the path may go on as long as each of them comes to its end:
    /// a busy machine is not taken for a mount that hangs.
    pub overtime: Duration,
    /// Whether others take part, who look at the same directory from other kernels.
    pub peers: Option<Role>,
}

/// What is going on, for those who wait.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// An experiment has ended.
    Probe(EvidenceKind),
    /// A tree is searched for databases.
    Search {
        /// The directory.
        directory: &'a Path,
        /// Files seen below it so far.
        files: u64,
        /// Databases among them.
        databases: u64,
    },
    /// Another side can join now.
    Invitation(&'a peer::Invitation),
    /// What goes on between the sides.
    Peers(&'a str),
}

/// Examines one path. Never fails: what could not be looked at stands in the report.
#[must_use]
pub fn diagnose(request: &Request, on_progress: &mut dyn FnMut(Progress<'_>)) -> Report {
    let start = Instant::now();
    let deadline = start + request.timeout;
    let (around, unseen) = around::gather(request.viewpoint, start + request.timeout.mul_f32(0.2));
    let spot = Spot { path: &request.path, home: None, deadline, overtime: request.overtime };
    let (mut looked, mut observations) = examine(request, spot, on_progress);
    looked.missing.extend(unseen);
    // What others take of the time is not this side's, nor what experiments took beyond theirs.
    let left = deadline.saturating_duration_since(Instant::now());
    let left = if request.overtime.is_zero() {
        left
    } else {
        left.max(request.timeout.mul_f32(1.0 - DIRECTORY_SHARE))
    };
    meet(request, &mut looked, &mut observations, on_progress);
    let deadline = Instant::now() + left;
    let mut report = if looked.kind == TargetKind::Directory {
        below::report(request, &around, (looked, observations), deadline, on_progress)
    } else {
        let path = request.path.to_string_lossy();
        assemble::assemble(&path, &around, looked, observations, below::Found::default())
    };
    let seen_by = around::seen_by(request.viewpoint, &around);
    for nested in &mut report.nested {
        nested.target.seen_by.clone_from(&seen_by);
    }
    report.target.seen_by = seen_by;
    report
}

/// What is learned together with doctors on other kernels.
fn meet(
    request: &Request,
    looked: &mut Looked,
    observations: &mut Vec<Observation>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) {
    let Some(role) = &request.peers else { return };
    let Some(directory) = looked.directory.clone() else {
        looked.missing.push("the other sides were not met: the path could not be looked at".into());
        return;
    };
    let filesystem = looked.mount.as_ref().map_or_else(String::new, |m| m.filesystem.clone());
    let (viewpoint, patience) = (request.viewpoint, request.timeout);
    peer::talk(role, &directory, viewpoint, &filesystem, patience, &mut |news| match news {
        News::Invitation(invitation) => on_progress(Progress::Invitation(&invitation)),
        News::Progress(line) => on_progress(Progress::Peers(&line)),
        News::Evidence(observation) => observations.push(observation),
        News::Missing(what) => looked.missing.push(what),
    });
    let met = observations.iter().find(|seen| seen.kind == EvidenceKind::PeerKernels);
    if let Some(met) = met.filter(|met| !peer::is_across(&met.values)) {
        looked.missing.push(format!("several kernels were not measured: {}", met.summary));
    }
}

/// A path to look at and to make experiments at.
struct Spot<'a> {
    path: &'a Path,
    /// Where the experiments are made, if not in the path's own directory.
    home: Option<&'a Path>,
    deadline: Instant,
    overtime: Duration,
}

/// The part of the time that the experiments beside a directory may take when they hang; the rest
/// is for the search of it.
const DIRECTORY_SHARE: f32 = 0.5;

fn examine(
    request: &Request,
    spot: Spot<'_>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> (Looked, Vec<Observation>) {
    let start = Instant::now();
    let left = spot.deadline.saturating_duration_since(start);
    // A hung look must leave time to say so.
    let mut looked = look::look(spot.path, request.viewpoint, start + left.mul_f32(0.6));
    if let (Some(directory), Some(home)) = (&mut looked.directory, spot.home) {
        home.clone_into(directory);
    }
    openers::look(&mut looked, request.viewpoint, start + left.mul_f32(0.7));
    let share = if looked.kind == TargetKind::Directory { DIRECTORY_SHARE } else { 1.0 };
    let mut observations = Vec::new();
    let scratch = |outcome, why: &str| Observation::new(EvidenceKind::ProbeScratch, outcome, why);
    match (&looked.directory, request.probes) {
        (Some(directory), Probes::Run) => {
            let time = Time { deadline: start + left.mul_f32(share), overtime: spot.overtime };
            probe::run_all(directory, request.viewpoint, time, &mut |observation| {
                on_progress(Progress::Probe(observation.kind));
                observations.push(observation);
            });
        }
        // What was not asked for is no gap.
        (Some(_), Probes::Skip) => {
            observations.push(scratch(Outcome::Noted, "no experiment was asked for"));
        }
        (None, _) => observations.push(scratch(Outcome::NotRun, "the path could not be looked at")),
    }
    if tombolo_os::signal::stop_wanted() {
        looked.missing.insert(0, "interrupted by a signal".to_owned());
    }
    (looked, observations)
}

#[cfg(test)]
mod viewpoint_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_core::finding::Code;
    use tombolo_core::report::{HeaderMode, Judgement, Openers, Severity};

    fn request(path: PathBuf) -> Request {
        let timeout = Duration::from_secs(10);
        Request {
            path,
            viewpoint: Viewpoint::Own,
            probes: Probes::Run,
            timeout,
            overtime: Duration::ZERO,
            peers: None,
        }
    }

    #[test]
    fn a_local_directory_has_no_fault_and_is_safe_in_every_mode_from_one_kernel() {
        let directory = tempfile::tempdir().expect("a directory");
        let report = diagnose(&request(directory.path().to_owned()), &mut |_| {});
        assert_eq!(report.target.kind, TargetKind::Directory);
        // A busy machine may be slow, and then says so.
        let busy = report.findings.iter().any(|finding| finding.code == Code::SlowStorage);
        let faults = report.findings.iter().filter(|f| f.severity > Severity::Notice).count();
        assert_eq!(faults, usize::from(busy), "{:?}", report.findings);
        assert!(busy || report.remedies.is_empty());
        assert!(report.mount.is_some());
        let mine = report.verdicts.iter().filter(|v| v.openers == Openers::OneKernel);
        let judgements: Vec<_> = mine.map(|verdict| verdict.judgement).collect();
        assert_eq!(judgements, [if busy { Judgement::Slow } else { Judgement::Safe }; 3]);
    }

    #[test]
    fn a_database_is_told_by_its_header_and_never_touched() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notes.txt");
        let content = [b"SQLite format 3\0".as_slice(), &[0; 84]].concat();
        std::fs::write(&path, &content).expect("written");
        let report = diagnose(&request(path.clone()), &mut |_| {});
        assert_eq!(report.target.kind, TargetKind::Database);
        assert_eq!(std::fs::read(&path).expect("readable"), content);
        assert_eq!(std::fs::read_dir(directory.path()).expect("readable").count(), 1);
    }

    #[test]
    fn a_file_that_sqlite_would_not_open_is_not_called_well() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        std::fs::write(&path, [0; 4096]).expect("written");
        let report = diagnose(&request(path), &mut |_| {});
        assert_eq!(report.target.kind, TargetKind::OtherFile);
        assert!(report.database.is_none());
        let damaged = report.findings.iter().find(|found| found.code == Code::HeaderDamaged);
        assert!(!damaged.expect("a page of zeros is a finding").evidence.is_empty());
        let special = diagnose(&request("/dev/null".into()), &mut |_| {});
        assert!(special.summary.contains("a database beside it"), "{}", special.summary);
    }

    #[test]
    fn a_path_with_control_characters_steers_no_terminal() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a\nb\u{1b}[31m");
        let Report { summary, target, .. } = diagnose(&request(path), &mut |_| {});
        for text in [summary, target.path, target.resolved] {
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn a_path_that_cannot_be_followed_is_not_called_absent() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("loop.db");
        std::os::unix::fs::symlink(&path, &path).expect("linked");
        let report = diagnose(&request(path), &mut |_| {});
        assert_eq!(report.target.kind, TargetKind::Unreadable);
        let refused = report.evidence.iter().find(|entry| entry.kind == EvidenceKind::Path);
        let refused = refused.expect("the refusal is evidence");
        assert_eq!(
            (refused.outcome, refused.errno),
            (Outcome::Refused, Some(tombolo_core::errno::Errno::ELOOP))
        );
    }

    #[test]
    fn a_live_wal_database_is_read_and_nothing_beside_it_moves() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("app.db");
        let alone = crate::SQLITE_HERE.read();
        let program = rusqlite::Connection::open(&path).expect("opened");
        program
            .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);")
            .expect("written");
        drop(alone);
        let beside = || {
            let read = |name: &str| std::fs::read(directory.path().join(name)).expect("readable");
            (read("app.db"), read("app.db-wal"), read("app.db-shm"))
        };
        let before = beside();
        let report = diagnose(&request(path.clone()), &mut |_| {});
        assert!(before == beside(), "a file changed");
        let database = report.database.expect("a database");
        assert_eq!(database.journal_mode, HeaderMode::Wal);
        assert!(database.wal.expect("a log").committed_frames > 0);
        assert!(database.findings.is_empty(), "{:?}", database.findings);
        let _alone = crate::SQLITE_HERE.read();
        drop(program);
    }

    #[test]
    fn a_path_that_does_not_exist_is_examined_at_its_parent() {
        let directory = tempfile::tempdir().expect("a directory");
        let report = diagnose(&request(directory.path().join("a/b/new.db")), &mut |_| {});
        assert_eq!(report.target.kind, TargetKind::Absent);
        assert!(report.evidence.iter().any(|e| e.kind == EvidenceKind::ProbePosixLocks));
        let lacking = |report: &Report| {
            let codes = report.findings.iter().map(|finding| finding.code);
            codes.filter(|code| *code == Code::PathMissing).count()
        };
        assert_eq!(lacking(&report), 1, "SQLite makes no directories: {:?}", report.findings);
        let report = diagnose(&request(directory.path().join("new.db")), &mut |_| {});
        assert_eq!(lacking(&report), 0, "SQLite makes files: {:?}", report.findings);
    }
}
