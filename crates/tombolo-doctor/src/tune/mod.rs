//! Trials of mount options: the same source, mounted with each set of options where nobody else
//! sees it, examined by the doctor, and measured.
//!
//! Each trial is a child of its own in a mount namespace of its own, mounted over the directory
//! where the share stands already, so that no place is needed for it. It ends with the child:
//! killed, by Ctrl-C, or at its deadline. Where a server is silent, the child may sleep in the
//! kernel; the namespace then goes when the server answers or is given up.
//!
//! Only what one kernel does is measured. What several do is cited from the knowledge base.

mod bench;
mod candidates;
mod credentials;

pub use bench::Speed;
pub use candidates::Candidate;
pub use credentials::{Credentials, CredentialsError};

use crate::child::{self, Viewpoint};
use crate::diagnosis::{Probes, Request, diagnose};
use bench::Journal;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tombolo_core::errno::Errno;
use tombolo_core::report::{
    EvidenceKind, Judgement, Mode, Mount, Openers, Outcome, Report, TargetKind,
};
use tombolo_os::worker::End;
use tombolo_os::{private_mount, read};

/// The time for the doctor in one trial, and how much more a busy machine is given.
const DIAGNOSIS_TIME: Duration = Duration::from_secs(60);
const DIAGNOSIS_OVERTIME: Duration = Duration::from_secs(90);
/// The time of each benchmark.
const BENCH_TIME: Duration = Duration::from_secs(40);
/// The time of one trial, mounting included.
const TRIAL_TIME: Duration = Duration::from_secs(240);
/// What the doctor is asked about: a database that does not exist, so that none of the user's is
/// read.
const ABSENT: &str = ".tombolo-tune.db";

/// What a second mount needs that the mount table does not show.
#[derive(Clone, Debug, Default)]
pub struct Unshown<'a> {
    /// Mounted in place of what is mounted there.
    pub source: Option<&'a str>,
    /// Options of every trial, as mount(2) takes them. What a candidate decides, it decides.
    pub options: &'a [String],
    /// As whom a server lets it in.
    pub credentials: Option<Credentials>,
}

impl Unshown<'_> {
    fn data(&self, candidate: &Candidate) -> String {
        let credentials = self.credentials.iter().map(Credentials::data);
        let options = self.options.iter().cloned();
        let all = options.chain([candidate.data.clone()]).chain(credentials);
        all.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(",")
    }
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The options that were tried.
    pub options: Vec<String>,
    /// What came of it.
    pub result: TrialResult,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TrialResult {
    /// It was mounted and measured.
    Measured(Measured),
    /// It could not be mounted.
    Refused {
        /// The call.
        call: String,
        /// What the kernel said.
        errno: Errno,
        /// What that means there.
        why: String,
    },
    /// It was mounted, and is the mount that was there already.
    Shared,
    /// It did not come to its end.
    NotFinished {
        /// How it ended.
        why: String,
    },
}

/// What was measured of one set of options, on one kernel.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Measured {
    /// Options of the file system, as the kernel shows them.
    pub super_options: Vec<String>,
    /// WAL mode, by programs of this kernel.
    pub wal: Judgement,
    /// A rollback journal, by programs of this kernel.
    pub rollback: Judgement,
    /// The doctor's reason for the first of them.
    pub wal_because: String,
    /// The doctor's reason for the other.
    pub rollback_because: String,
    /// Whether a shared map could be had.
    pub shared_map: bool,
    /// Speed in WAL mode, where that is safe.
    pub wal_speed: Option<Speed>,
    /// Speed with a rollback journal, where that is safe.
    pub rollback_speed: Option<Speed>,
}

/// Tries every candidate for the mount of a report; the best first.
///
/// # Errors
/// Why there is nothing to try.
pub fn run(
    report: &Report,
    unshown: &Unshown<'_>,
    on_trial: &mut dyn FnMut(&Candidate),
) -> Result<Vec<Trial>, String> {
    let mount = report.mount.as_ref();
    let mount = mount.ok_or_else(|| format!("its mount is not known: {}", report.summary))?;
    let candidates = candidates::candidates(mount)?;
    if mount.file_mount {
        return Err("a single file is mounted there, which nothing can be mounted over".to_owned());
    }
    let directory = directory_within(report, mount);
    let mut trials: Vec<Trial> = Vec::new();
    for candidate in candidates {
        on_trial(&candidate);
        let result = attempt(mount, unshown, &candidate, &directory);
        trials.push(Trial { options: candidate.options, result });
        if tombolo_os::signal::stop_wanted() {
            break;
        }
    }
    rank(&mut trials);
    Ok(trials)
}

/// The directory of the path in a mount of the whole file system at the same place.
fn directory_within(report: &Report, mount: &Mount) -> PathBuf {
    let path = Path::new(&report.target.resolved);
    let directory = match report.target.kind {
        TargetKind::Directory => path,
        _ => path.parent().unwrap_or(path),
    };
    let below = directory.strip_prefix(&mount.mount_point).unwrap_or(Path::new(""));
    let root = mount.root.trim_matches('/');
    Path::new(&mount.mount_point).join(root).join(below)
}

fn attempt(
    mount: &Mount,
    unshown: &Unshown<'_>,
    candidate: &Candidate,
    directory: &Path,
) -> TrialResult {
    let mut result = None;
    let body = |send: &mut dyn FnMut(&TrialResult)| {
        send(&within(mount, unshown, candidate, directory));
    };
    let deadline = Instant::now() + TRIAL_TIME;
    let ended = child::run(Viewpoint::Own, deadline, body, &mut |said| result = Some(said));
    match (result, ended) {
        (Some(result), _) => result,
        (None, Ok(End::Finished)) => TrialResult::NotFinished { why: "it said nothing".to_owned() },
        (None, Ok(end)) => TrialResult::NotFinished { why: end.to_string() },
        (None, Err(error)) => TrialResult::NotFinished { why: error.to_string() },
    }
}

/// In the child.
fn within(
    mount: &Mount,
    unshown: &Unshown<'_>,
    candidate: &Candidate,
    directory: &Path,
) -> TrialResult {
    let place = Path::new(&mount.mount_point);
    let source = unshown.source.unwrap_or(&mount.source);
    let data = unshown.data(candidate);
    let device = || read::status(place).map(|status| status.device);
    let mounted = private_mount::enter().and_then(|()| device()).and_then(|before| {
        private_mount::mount(source, place, &candidate.filesystem, &data)?;
        Ok(before == device()?)
    });
    match mounted {
        Err(error) => TrialResult::Refused {
            call: error.call.to_owned(),
            errno: error.errno,
            why: candidates::why_refused(&mount.filesystem, error.errno),
        },
        Ok(true) => TrialResult::Shared,
        Ok(false) => examined(directory),
    }
}

fn examined(directory: &Path) -> TrialResult {
    let request = Request {
        path: directory.join(ABSENT),
        viewpoint: Viewpoint::Own,
        probes: Probes::Run,
        timeout: DIAGNOSIS_TIME,
        overtime: DIAGNOSIS_OVERTIME,
        peers: None,
    };
    let report = diagnose(&request, &mut |_| {});
    let verdict = |mode| {
        let mut verdicts = report.verdicts.iter();
        verdicts.find(|one| one.mode == mode && one.openers == Openers::OneKernel)
    };
    let (Some(wal), Some(rollback)) = (verdict(Mode::Wal), verdict(Mode::Rollback)) else {
        return TrialResult::NotFinished { why: report.summary };
    };
    let shared_map = report.evidence.iter().any(|evidence| {
        evidence.kind == EvidenceKind::ProbeSharedMap && evidence.outcome == Outcome::Holds
    });
    let speed = |judgement, journal| {
        let deadline = Instant::now() + BENCH_TIME;
        let works = matches!(judgement, Judgement::Safe | Judgement::Slow);
        works.then(|| bench::measure(directory, journal, deadline)).flatten()
    };
    TrialResult::Measured(Measured {
        super_options: report
            .mount
            .as_ref()
            .map(|one| one.super_options.clone())
            .unwrap_or_default(),
        wal: wal.judgement,
        rollback: rollback.judgement,
        wal_because: wal.because.clone(),
        rollback_because: rollback.because.clone(),
        shared_map,
        wal_speed: speed(wal.judgement, Journal::Wal),
        rollback_speed: speed(rollback.judgement, Journal::Delete),
    })
}

/// The best first: by the verdicts, then by whether shared maps work, then by speed. What was not
/// measured comes last.
fn rank(trials: &mut [Trial]) {
    let order = |judgement| match judgement {
        Judgement::Safe => 0,
        Judgement::Slow => 1,
        Judgement::NotProven => 2,
        Judgement::Fails => 3,
        Judgement::Unsafe => 4,
    };
    trials.sort_by_key(|trial| match &trial.result {
        TrialResult::Measured(measured) => {
            let (wal, rollback) = (order(measured.wal), order(measured.rollback));
            let unsafe_anywhere = wal == 4 || rollback == 4;
            let fastest = [measured.wal_speed, measured.rollback_speed]
                .into_iter()
                .flatten()
                .map(|speed| speed.transactions_per_second as u64)
                .max();
            let verdicts = (unsafe_anywhere, wal, rollback, !measured.shared_map);
            (0, verdicts, Reverse(fastest.unwrap_or(0)))
        }
        _ => (1, (true, 4, 4, true), Reverse(0)),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(wal: Judgement, rollback: Judgement, speed: f64) -> Measured {
        let speed = Speed { transactions_per_second: speed, reads_per_second: 1.0 };
        Measured {
            super_options: Vec::new(),
            wal,
            rollback,
            wal_because: String::new(),
            rollback_because: String::new(),
            shared_map: wal == Judgement::Safe,
            wal_speed: (wal == Judgement::Safe).then_some(speed),
            rollback_speed: Some(speed),
        }
    }

    #[test]
    fn what_the_mount_table_does_not_show_comes_around_the_trial() {
        let candidate = Candidate {
            options: vec!["cache=none".to_owned()],
            filesystem: "cifs".to_owned(),
            data: "vers=3.1.1,cache=none".to_owned(),
        };
        assert_eq!(Unshown::default().data(&candidate), candidate.data);
        let options = ["port=4450".to_owned(), "cache=strict".to_owned()];
        let credentials = Credentials::parse("password=x").ok();
        let unshown = Unshown { source: None, options: &options, credentials };
        let data = unshown.data(&candidate);
        assert_eq!(data, "port=4450,cache=strict,vers=3.1.1,cache=none,password=x");
    }

    #[test]
    fn verdicts_come_before_speed_and_what_was_not_measured_last() {
        use Judgement::{Fails, Safe, Unsafe};
        let trial = |name: &str, result| Trial { options: vec![name.to_owned()], result };
        let refused = TrialResult::Refused {
            call: "mount".to_owned(),
            errno: Errno::EBUSY,
            why: String::new(),
        };
        let of = |wal, rollback, speed| TrialResult::Measured(measured(wal, rollback, speed));
        let mut trials = vec![
            trial("refused", refused),
            trial("unsafe", of(Safe, Unsafe, 9000.0)),
            trial("no-wal", of(Fails, Safe, 5000.0)),
            trial("slow", of(Safe, Safe, 10.0)),
            trial("fast", of(Safe, Safe, 20.0)),
        ];
        rank(&mut trials);
        let names: Vec<&str> = trials.iter().map(|trial| trial.options[0].as_str()).collect();
        assert_eq!(names, ["fast", "slow", "no-wal", "unsafe", "refused"]);
    }

    #[test]
    fn the_directory_is_found_below_a_bind_mount() {
        let directory = tempfile::tempdir().unwrap();
        let request = Request {
            path: directory.path().join("app.db"),
            viewpoint: Viewpoint::Own,
            probes: Probes::Skip,
            timeout: Duration::from_secs(30),
            overtime: Duration::ZERO,
            peers: None,
        };
        let mut report = diagnose(&request, &mut |_| {});
        "/config/data/app.db".clone_into(&mut report.target.resolved);
        let mut mount = report.mount.clone().unwrap();
        "/config".clone_into(&mut mount.mount_point);
        "/apps/media".clone_into(&mut mount.root);
        let found = directory_within(&report, &mount);
        assert_eq!(found, Path::new("/config/apps/media/data"));
        "/".clone_into(&mut mount.root);
        assert_eq!(directory_within(&report, &mount), Path::new("/config/data"));
    }
}
